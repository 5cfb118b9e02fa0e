//! Which inputs would have to wait if they were sent now; those wait without a place.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use mainstay::batch::{Readiness, Until};
use mainstay::breaker::BreakerState;
use mainstay::guard::{Guarded, Now};
use mainstay::http::{Http, Key};
use mainstay::pipeline::{HostHandle, Pipelines};
use mainstay::policy::Moment;
use mainstay::policy::turn::Turn;
use mainstay::rate_limit::{RateLimit, RateLimitGuard, RateLimitLayer};
use mainstay::timeout::{Timeout, TimeoutLayer};
use tokio::time::Instant;
use tower_layer::Layer;

use super::job::Job;
use crate::clock;

/// The hosts of a run.
pub(crate) struct Hosts {
    pub(crate) pipelines: Pipelines,
    /// The limit on all of them together.
    total: Option<Total>,
    /// How long an input waits for a server that is down before it is refused like any other call.
    patience: Duration,
    /// Since when those are down that are.
    down: HashMap<Key, Instant>,
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
        self.forget_if_up(job);
        match until {
            Some(_) if self.is_down_for_long(job) => {
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
    pub(crate) fn new(pipelines: Pipelines, total: Option<Total>, patience: Duration) -> Self {
        Self { pipelines, total, patience, down: HashMap::new() }
    }

    /// Whether the host is down, and the input has waited for it for as long as it may. Time before
    /// the host went down, in which the input waited for others, is none of it.
    fn is_down_for_long(&mut self, job: &Job) -> bool {
        let Some(host) = self.host(job).filter(is_down) else { return false };
        let down_since = *self.down.entry(host.key().clone()).or_insert_with(clock::now);
        clock::since(job.since.max(down_since)) >= self.patience
    }

    fn forget_if_up(&mut self, job: &Job) {
        if self.down.is_empty() {
            return;
        }
        if let Some(host) = self.host(job).filter(|host| !is_down(host)) {
            self.down.remove(host.key());
        }
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

pub(super) fn is_down(host: &HostHandle) -> bool {
    host.circuit_breaker().is_some_and(|breaker| breaker.state() != BreakerState::Closed)
}

impl Total {
    /// The limit around a service, and the time of an attempt beneath it.
    pub(crate) fn layer<S>(&self, service: S) -> Guarded<Timeout<S>, Arc<RateLimitGuard>, Http> {
        self.turns.layer(TimeoutLayer::new(self.timeout).layer(service))
    }

    fn waits_until(&self, now: Moment) -> Option<Until> {
        let (each, turns) = (self.limit.period / self.limit.count.max(1), self.turns.handle());
        let ahead = turns.waiting();
        match turns.turns().forecast(u64::from(ahead), 1, now) {
            Turn::At(at) if ahead < IN_LINE && (each <= SOON || at <= now + SOON) => None,
            Turn::At(at) => Some(Until::At(at)),
            // Whatever costs 1 has a turn some time.
            Turn::Now | Turn::Never => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};

    use bytes::Bytes;
    use http::Response;
    use http_body_util::Full;
    use mainstay::pipeline::PipelineSpec;
    use tokio::time::advance;
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::fetch::ask::Ask;
    use crate::fetch::job::Defaults;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_host_is_waited_for_from_when_it_went_down() {
        let pipelines = Pipelines::new(PipelineSpec::standard()).unwrap();
        let refuses = |_: Ask| async {
            Err::<Response<Full<Bytes>>, _>(io::Error::from(ErrorKind::ConnectionRefused))
        };
        let service = pipelines.layer(service_fn(refuses));
        let mut hosts = Hosts::new(pipelines, None, PATIENCE);
        let job = |index| Job::of_url("http://a.example/", index, &Defaults::default());
        let fails = |job: Job| service.clone().oneshot(*job.ask.unwrap());
        let first = job(0);
        // A place is there for it only now.
        advance(2 * PATIENCE).await;
        for _ in 0..50 {
            assert!(fails(job(1)).await.is_err());
        }
        assert!(hosts.waits_until(&first, &Now::default()).is_some(), "its circuit is open");
        let began = clock::now();
        while !first.is_given_up.load(Relaxed) {
            assert!(clock::since(began) < 2 * PATIENCE, "it has an end");
            advance(Duration::from_secs(1)).await;
            assert!(fails(job(1)).await.is_err());
            hosts.waits_until(&first, &Now::default());
        }
        assert!(clock::since(began) >= PATIENCE);
        let later = job(2);
        hosts.waits_until(&later, &Now::default());
        assert!(!later.is_given_up.into_inner(), "it has waited for nothing yet");
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_the_rate_of_all_is_sent_when_its_turn_comes() {
        let limit = RateLimit::per_second(1);
        let turns = RateLimitLayer::new(limit).unwrap();
        let total = Total { turns, limit, timeout: PATIENCE };
        let service = total.layer(service_fn(|_: Ask| async {
            Ok::<_, mainstay::Error<io::Error>>(Response::new(Full::<Bytes>::default()))
        }));
        let job = Job::of_url("http://a.example/", 0, &Defaults::default());
        service.oneshot(*job.ask.unwrap()).await.unwrap();
        advance(Duration::from_millis(900)).await;
        let now = Now::default().get();
        let Some(Until::At(at)) = total.waits_until(now) else { panic!("it has no turn yet") };
        assert_eq!(at, now + Duration::from_millis(100));
    }
}
