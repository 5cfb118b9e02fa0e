//! What an attempt does that must wait, until it is sent.

use std::future::{Future, poll_fn};
use std::pin::Pin;

use mainstay_policy::{Outcome, deadline, turn};
use tower_service::Service;

use super::live::{Holds, Live};
use super::{Admission, Ask, Guard, Now, ask_at_once};
use crate::clock;
use crate::deadline::LAYER;
use crate::error::{CallError, Reason, Refused};
use crate::observe::{Event, tell};
use crate::protocol::Ending;

/// An attempt that must wait: all that it needs to be sent then.
pub(crate) struct Waiter<Req, S, G: Guard<Req>, H> {
    pub(crate) service: S,
    pub(crate) request: Req,
    pub(crate) subject: G::Subject,
    pub(crate) ask: Ask,
    pub(crate) holder: H,
}

/// What waits is boxed, since the future of a guard has no name, and owns all it needs.
pub(crate) type Waiting<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl<Req, S, G, H> Waiter<Req, S, G, H>
where
    Req: Send + 'static,
    S: Service<Req> + Clone + Send + 'static,
    G: Guard<Req> + Send + Sync + 'static,
    H: Holds<G> + Clone + Send + Sync + 'static,
{
    /// Waits for the guard, and then for the service; `dies` says what it means that the service
    /// died before, and `sends` sends what has waited.
    pub(crate) fn waits<T, E: CallError>(
        self,
        dies: impl Fn(&H, &Req, S::Error) -> (Ending, E) + Send + 'static,
        sends: impl FnOnce(&mut S, Req, Live<Req, G, H>, &Now) -> T + Send + 'static,
    ) -> Waiting<T, E> {
        let Self { mut service, request, mut subject, ask, mut holder } = self;
        Box::pin(async move {
            let mut is_last = false;
            loop {
                let permit = holder.guard().admit(&subject, ask).await.map_err(refused::<E>)?;
                let mut live = Live::waits(holder, subject, permit);
                let mut since = None;
                let ready = poll_fn(|cx| {
                    let ready = live.watch(|| service.poll_ready(cx));
                    if ready.is_pending() && G::GIVES_TURNS {
                        since = since.or_else(|| Some(clock::now()));
                    }
                    ready
                });
                if let Err(error) = ready.await {
                    let (ending, error) = dies(live.holder(), &request, error);
                    live.settle(&ending);
                    return Err(error);
                }
                let now = Now::default();
                if deadline::left(ask.until, now.get()).is_none() {
                    // Whoever ends it has not been polled yet; sent now, it would have failed.
                    live.settle(&Ending::new(Outcome::Refused));
                    return Err(refused(Refused::new(LAYER, Reason::Deadline)));
                }
                let is_stale = since.is_some_and(|since| turn::is_stale(since, now.get()));
                if is_stale && !is_last {
                    // The service was long in getting ready: used now, the turn would be used with
                    // others at once. Once only, since that may be how the service is.
                    live.settle(&Ending::new(Outcome::Refused));
                    holder = live.holder().clone();
                    subject = holder.guard().subject(&request);
                    let asked = ask_at_once(holder.guard(), &subject, ask, &now);
                    let permit = match asked {
                        Admission::Go(permit) => permit,
                        Admission::Refuse(no) => return Err(refused(no)),
                        Admission::Wait => {
                            // What it has reserved must not wait along.
                            service = service.clone();
                            is_last = true;
                            continue;
                        }
                    };
                    live = Live::new(holder, subject, permit);
                }
                live.starts(&now);
                return Ok(sends(&mut service, request, live, &now));
            }
        })
    }
}

fn refused<E: CallError>(refused: Refused) -> E {
    tell(Event::Refused(&refused));
    refused.into()
}
