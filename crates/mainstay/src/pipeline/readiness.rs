//! Whether a call would wait before its host, for who has others to send meanwhile.

use std::sync::Arc;

use mainstay_policy::batch::Until;

use super::Pipeline;
use super::host::Host;
use crate::guard::{Ask, Guard, Now};
use crate::http::{CallOptions, Key, RequestView};
use crate::keyed::Recent;

impl Pipeline {
    /// What state this request shares; `None` once it is closed.
    pub(crate) fn key_of<Req: RequestView>(&self, request: &Req) -> Option<Key> {
        self.before(request).map(|host| host.key().clone())
    }

    /// Until when it would wait, or be refused, before its host.
    pub(crate) fn waits_until<Req: RequestView>(&self, request: &Req, now: &Now) -> Option<Until> {
        let cost = CallOptions::of(request).and_then(|options| options.cost).unwrap_or(1);
        self.before(request)?.waits_until(cost, now)
    }

    fn before<Req: RequestView>(&self, request: &Req) -> Option<Arc<Host>> {
        let mut nothing = Recent::NOTHING;
        self.living.host(request, &mut nothing)
    }
}

impl Host {
    /// Until when a call that costs this would not be let through; takes nothing.
    fn waits_until(&self, cost: u32, now: &Now) -> Option<Until> {
        let (concurrency, adaptive, turns, _, breaker) = self.guards();
        // Whoever has no time at all is refused where others would wait.
        let ask = Ask { cost, attempt: 1, until: now.get() };
        let blocked = [
            refuses(breaker, ask, now),
            refuses(turns, ask, now),
            refuses(concurrency, ask, now),
            refuses(adaptive, ask, now),
        ];
        blocked.into_iter().flatten().next()
    }
}

fn refuses<G: Guard<()>>(guard: &G, ask: Ask, now: &Now) -> Option<Until> {
    let refused = guard.glance(&guard.subject(&()), ask, now).err()?;
    Some(refused.retry_in().map_or(Until::AnEnd, |wait| Until::At(now.get() + wait)))
}
