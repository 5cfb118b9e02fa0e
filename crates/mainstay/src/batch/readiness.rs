//! What a batch goes by when it chooses the next input.

use mainstay_policy::batch::Until;

use super::names::Names;
use crate::guard::Now;
use crate::http::{Key, KeyBy, RequestView};
use crate::pipeline::{Pipeline, PipelineService, Pipelines, PipelinesService};

/// Says of a request whose host it is for, and whether it would wait there if it were sent now.
///
/// A [`Pipeline`], [`Pipelines`], their services and those of clients can say it. It is asked before each start, and
/// takes nothing: what it says may have changed when the call is made, which then waits in its
/// place.
pub trait Readiness<Req> {
    /// Whose inputs share places fairly; mostly the host. `None` is a key like any other.
    fn key(&mut self, request: &Req) -> Option<Key>;

    /// Until when the request would wait if it were sent now; `None` if it would start at once, or
    /// if nobody can say.
    fn waits_until(&mut self, request: &Req, now: &Now) -> Option<Until>;
}

/// Nothing is known: inputs are started in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blind;

impl<Req> Readiness<Req> for Blind {
    fn key(&mut self, _: &Req) -> Option<Key> {
        None
    }

    fn waits_until(&mut self, _: &Req, _: &Now) -> Option<Until> {
        None
    }
}

/// Places are shared fairly between keys, of which no more is known.
#[derive(Debug)]
pub struct FairBy<K> {
    by: K,
    names: Names,
}

impl<K> FairBy<K> {
    pub(super) fn new(by: K) -> Self {
        Self { by, names: Names::new() }
    }
}

impl<Req, K: KeyBy<Req>> Readiness<Req> for FairBy<K> {
    fn key(&mut self, request: &Req) -> Option<Key> {
        Some(self.names.key(&self.by, request))
    }

    fn waits_until(&mut self, _: &Req, _: &Now) -> Option<Until> {
        None
    }
}

/// What stands before its host: a full limit of concurrency, a rate limit, a cool-down and an open
/// breaker are waited for; a throttle is not, since that is a throw of the dice for each call.
macro_rules! asks {
    ($what:ty, $of:ident, $request:ident => $pipeline:expr $(, $more:ident)*) => {
        impl<Req: RequestView $(, $more)*> Readiness<Req> for $what {
            fn key(&mut self, $request: &Req) -> Option<Key> {
                let $of = &*self;
                $pipeline.key_of($request)
            }

            fn waits_until(&mut self, $request: &Req, now: &Now) -> Option<Until> {
                let $of = &*self;
                $pipeline.waits_until($request, now)
            }
        }
    };
}

asks!(Pipeline, this, request => this);
asks!(Pipelines, this, request => this.of(request));
asks!(PipelineService<S, C, D>, this, request => this.pipeline(), S, C, D);
asks!(PipelinesService<S, C, D>, this, request => this.pipelines().of(request), S, C, D);
