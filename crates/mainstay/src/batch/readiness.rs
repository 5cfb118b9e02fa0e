//! What a batch goes by when it chooses the next input.

use mainstay_policy::Moment;
use mainstay_policy::batch::Until;

use crate::http::{Key, KeyBy, RequestView};
use crate::pipeline::{Pipeline, PipelineService, Pipelines, PipelinesService};

/// Says of a request whose host it is for, and whether it would wait there if it were sent now.
///
/// A [`Pipeline`], [`Pipelines`] and their services can say it. It is asked before each start, and
/// takes nothing: what it says may have changed when the call is made, which then waits in its
/// place.
pub trait Readiness<Req> {
    /// Whose inputs share places fairly; mostly the host. `None` is a key like any other.
    fn key(&self, request: &Req) -> Option<Key>;

    /// Until when the request would wait if it were sent now; `None` if it would start at once, or
    /// if nobody can say.
    fn waits_until(&self, request: &Req, now: Moment) -> Option<Until>;
}

/// Nothing is known: inputs are started in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blind;

impl<Req> Readiness<Req> for Blind {
    fn key(&self, _: &Req) -> Option<Key> {
        None
    }

    fn waits_until(&self, _: &Req, _: Moment) -> Option<Until> {
        None
    }
}

/// Places are shared fairly between keys, of which no more is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FairBy<K>(pub(super) K);

impl<Req, K: KeyBy<Req>> Readiness<Req> for FairBy<K> {
    fn key(&self, request: &Req) -> Option<Key> {
        Some(self.0.key(request))
    }

    fn waits_until(&self, _: &Req, _: Moment) -> Option<Until> {
        None
    }
}

/// What stands before its host: a full limit of concurrency, a rate limit, a cool-down and an open
/// breaker are waited for; a throttle is not, since that is a throw of the dice for each call.
impl<Req: RequestView> Readiness<Req> for Pipeline {
    fn key(&self, request: &Req) -> Option<Key> {
        self.key_of(request)
    }

    fn waits_until(&self, request: &Req, now: Moment) -> Option<Until> {
        self.waits_until(request, now)
    }
}

impl<Req: RequestView> Readiness<Req> for Pipelines {
    fn key(&self, request: &Req) -> Option<Key> {
        self.of(request).key_of(request)
    }

    fn waits_until(&self, request: &Req, now: Moment) -> Option<Until> {
        self.of(request).waits_until(request, now)
    }
}

impl<Req: RequestView, S, C, D> Readiness<Req> for PipelineService<S, C, D> {
    fn key(&self, request: &Req) -> Option<Key> {
        self.pipeline().key_of(request)
    }

    fn waits_until(&self, request: &Req, now: Moment) -> Option<Until> {
        self.pipeline().waits_until(request, now)
    }
}

impl<Req: RequestView, S, C, D> Readiness<Req> for PipelinesService<S, C, D> {
    fn key(&self, request: &Req) -> Option<Key> {
        Readiness::key(self.pipelines(), request)
    }

    fn waits_until(&self, request: &Req, now: Moment) -> Option<Until> {
        Readiness::waits_until(self.pipelines(), request, now)
    }
}
