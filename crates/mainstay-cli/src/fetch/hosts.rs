//! Which inputs would have to wait if they were sent now; those wait without a place.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use mainstay::batch::{Readiness, Until};
use mainstay::breaker::BreakerState;
use mainstay::guard::{Guarded, Now};
use mainstay::http::{Http, Key};
use mainstay::pipeline::{HostHandle, Pipelines};
use mainstay::policy::Moment;
use mainstay::rate_limit::{RateLimit, RateLimitGuard, RateLimitLayer};
use mainstay::timeout::{Timeout, TimeoutLayer};
use tower_layer::Layer;

use super::job::Job;
use crate::clock;

/// The hosts of a run.
pub(crate) struct Hosts {
    pub(crate) pipelines: Pipelines,
    /// The limit on all of them together.
    pub(crate) total: Option<Total>,
    /// How long an input waits for a server that is down before it is refused like any other call.
    pub(crate) patience: Duration,
}

/// A limit on all hosts together.
pub(crate) struct Total {
    pub(crate) turns: RateLimitLayer,
    pub(crate) limit: RateLimit,
    /// The time of an attempt, which begins when it has its turn.
    pub(crate) timeout: Duration,
}

impl Readiness<Job> for Hosts {
    fn key(&mut self, job: &Job) -> Option<Key> {
        Readiness::key(&mut self.pipelines, job.ask.as_deref().ok()?)
    }

    fn waits_until(&mut self, job: &Job, now: &Now) -> Option<Until> {
        let request = job.ask.as_deref().ok()?;
        let until = Readiness::waits_until(&mut self.pipelines, request, now);
        match until {
            Some(_) if clock::since(job.since) >= self.patience && self.is_down(job) => {
                job.is_given_up.store(true, Relaxed);
                None
            }
            Some(Until::At(at)) if at <= now.get() + SOON && self.has_room_in_line(job) => None,
            Some(until) => Some(until),
            None => self.total.as_ref().and_then(|total| total.waits_until(now.get())),
        }
    }
}

/// A turn that comes so soon is waited for in line, where the lateness of timers is made up for; a
/// rate of hundreds a second would be half of itself otherwise.
const SOON: Duration = Duration::from_millis(25);
/// So many stand in line at most; they take places from other hosts.
const IN_LINE: u32 = 16;

impl Hosts {
    fn is_down(&mut self, job: &Job) -> bool {
        self.host(job).is_some_and(|host| is_down(&host))
    }

    fn has_room_in_line(&mut self, job: &Job) -> bool {
        let Some(host) = self.host(job).filter(|host| !is_down(host)) else { return false };
        host.turns().is_some_and(|turns| turns.waiting() < IN_LINE)
    }

    fn host(&mut self, job: &Job) -> Option<HostHandle> {
        let key = Readiness::key(self, job)?;
        self.pipelines.of_host(key.as_str()).host(&key)
    }
}

fn is_down(host: &HostHandle) -> bool {
    host.circuit_breaker().is_some_and(|breaker| breaker.state() != BreakerState::Closed)
}

impl Total {
    /// The limit around a service, and the time of an attempt beneath it.
    pub(crate) fn layer<S>(&self, service: S) -> Guarded<Timeout<S>, Arc<RateLimitGuard>, Http> {
        self.turns.layer(TimeoutLayer::new(self.timeout).layer(service))
    }

    fn waits_until(&self, now: Moment) -> Option<Until> {
        let (each, turns) = (self.limit.period / self.limit.count.max(1), self.turns.handle());
        let is_near = each <= SOON && turns.waiting() < IN_LINE;
        (turns.snapshot().available == 0 && !is_near).then(|| Until::At(now + each))
    }
}
