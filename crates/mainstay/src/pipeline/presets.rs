//! Pipelines for the usual cases, to start from.

use std::time::Duration;

use mainstay_policy::adaptive::{AdaptiveLimit, Aimd};
use mainstay_policy::backoff::{Backoff, Jitter};
use mainstay_policy::breaker::{CircuitBreaker, Span};
use mainstay_policy::budget::RetryBudget;
use mainstay_policy::concurrency::Concurrency;
use mainstay_policy::cooldown::CoolDown;
use mainstay_policy::hedge::Hedge;
use mainstay_policy::rate_limit::RateLimit;
use mainstay_policy::retry::Retry;
use mainstay_policy::throttle::Throttle;

use super::PipelineSpec;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn minutes(minutes: u64) -> Duration {
    secs(60 * minutes)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn waits(from: Duration, to: Duration) -> Backoff {
    Backoff::exponential(from).cap(to)
}

impl PipelineSpec {
    /// The names of these pipelines, as a file extends them.
    pub const PRESETS: [&'static str; 5] =
        ["standard", "third_party_api", "internal_service", "bulk_crawl", "latency_critical_read"];

    /// The one of this name.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        Some(match name {
            "standard" => Self::standard(),
            "third_party_api" => Self::third_party_api(),
            "internal_service" => Self::internal_service(),
            "bulk_crawl" => Self::bulk_crawl(),
            "latency_critical_read" => Self::latency_critical_read(),
            _ => return None,
        })
    }

    /// What most calls of most services want.
    ///
    /// | setting | value | why |
    /// |---|---|---|
    /// | deadline | 30 s | who has waited that long has mostly given up |
    /// | retry | 3 attempts, 100 ms → 5 s, full jitter | two failures in a row are often chance, three rarely |
    /// | longest wait asked for | 20 s | leaves time for an attempt before the deadline |
    /// | budget | a fifth of the calls, 100 in reserve | an outage gets a fifth more load, not three times as much |
    /// | concurrency | 64 for each host, to the head | keeps a fast server busy and a slow one alive |
    /// | cool-down | 1 s unless the server says more, a minute at most | a 429 is meant for all calls, not for the one that got it |
    /// | circuit breaker | half of the last 20 s, or 5 in a row | more than twice the attempt timeout, so that what times out is seen together |
    /// | its open time | 1 s → 5 s | a probe every few seconds costs nothing, and calls come back within seconds of the server |
    /// | attempt timeout | 8 s | three of them and their waits fit the deadline |
    pub fn standard() -> Self {
        Self::named("standard")
            .deadline(secs(30))
            .retry(Retry::up_to(3).longest_asked(secs(20)))
            .per_host(|host| {
                let open_time = waits(secs(1), secs(5)).jitter(Jitter::Equal);
                let breaker = CircuitBreaker::new().window(Span::Time(secs(20)));
                host.concurrency(64)
                    .cool_down(CoolDown::new())
                    .circuit_breaker(breaker.open_time(open_time))
            })
            .attempt_timeout(secs(8))
    }

    /// An API of somebody else's that counts what it is asked: ten a second unless you say what it
    /// takes.
    ///
    /// | setting | value | why |
    /// |---|---|---|
    /// | deadline | 60 s | most quotas are by the second or the minute: waiting pays |
    /// | retry | 4 attempts, 500 ms → 20 s, full jitter | it comes back when the quota does |
    /// | longest wait asked for | 45 s | leaves time for an attempt before the deadline |
    /// | rate limit | 10/s in bursts of 10, as its answers say | asked at the pace that it takes, it never says no |
    /// | cool-down | as in `standard` | |
    /// | circuit breaker | half of the last 30 s, or 5 in a row; open for 1 s → 30 s | three times the attempt timeout; nobody owes you a quick recovery |
    /// | concurrency | 16 for each host | many such APIs count these too |
    /// | attempt timeout | 10 s | four of them and their waits fit the deadline |
    pub fn third_party_api() -> Self {
        Self::named("third_party_api")
            .deadline(secs(60))
            .retry(Retry::up_to(4).backoff(waits(millis(500), secs(20))).longest_asked(secs(45)))
            .per_host(|host| {
                host.concurrency(16)
                    .rate_limit(RateLimit::per_second(10).burst(10))
                    .cool_down(CoolDown::new())
                    .circuit_breaker(CircuitBreaker::new().window(Span::Time(secs(30))))
            })
            .attempt_timeout(secs(10))
    }

    /// A service of your own, near by, that many instances of yours ask.
    ///
    /// | setting | value | why |
    /// |---|---|---|
    /// | deadline | 5 s | somebody further out waits as well |
    /// | retry | 2 attempts, 25 ms → 250 ms | another instance may answer; more would only add load |
    /// | budget | a tenth of the calls | callers of callers retry too, and that multiplies |
    /// | adaptive limit | from 20 | how much it takes changes with each release |
    /// | throttle | on | asks less of what refuses much, without shutting it off |
    /// | attempt timeout | 2 s | two of them and the wait fit the deadline |
    pub fn internal_service() -> Self {
        Self::named("internal_service")
            .deadline(secs(5))
            .retry(Retry::up_to(2).backoff(waits(millis(25), millis(250))).longest_asked(secs(2)))
            .budget(RetryBudget::new().ratio(0.1))
            .per_host(|host| {
                host.adaptive(AdaptiveLimit::aimd(Aimd::default()).max_wait(secs(1)))
                    .throttle(Throttle::new())
            })
            .attempt_timeout(secs(2))
    }

    /// Thousands of pages of hosts that owe you nothing.
    ///
    /// | setting | value | why |
    /// |---|---|---|
    /// | deadline | 5 min | nobody waits for the single page |
    /// | retry | 5 attempts, 1 s → 60 s, full jitter | patience costs nothing here |
    /// | longest wait asked for | 2 min | a host that asks for more is asked another day |
    /// | concurrency | 4 for each host, and all the others wait | what a browser would do, and no more |
    /// | cool-down | up to 2 min | |
    /// | circuit breaker | over the last 60 s; probes have 30 s | twice the attempt timeout; a probe takes as long as any attempt |
    /// | attempt timeout | 30 s | five of them and their waits fit the deadline |
    pub fn bulk_crawl() -> Self {
        Self::named("bulk_crawl")
            .deadline(minutes(5))
            .retry(Retry::up_to(5).backoff(waits(secs(1), secs(60))).longest_asked(minutes(2)))
            .per_host(|host| {
                let four = Concurrency::limit(4);
                host.concurrency(four.max_waiting(Concurrency::MOST).max_wait(minutes(5)))
                    .cool_down(CoolDown::new().max(minutes(2)))
                    .circuit_breaker(
                        CircuitBreaker::new().window(Span::Time(secs(60))).probe_time(secs(30)),
                    )
            })
            .attempt_timeout(secs(30))
    }

    /// Reads that somebody is waiting for, of a server that is quick but for some.
    ///
    /// | setting | value | why |
    /// |---|---|---|
    /// | deadline | 2 s | after that the page is shown without |
    /// | retry | 2 attempts, 10 ms → 100 ms | there is no time for more |
    /// | hedge | after the 95th percentile, 400 ms at most | the slowest twentieth is mostly chance |
    /// | budget | a tenth of the calls, for both | hedges must not be what overloads it |
    /// | concurrency | 64 for each host, 100 ms of waiting | who waits longer is better served without |
    /// | cool-down, circuit breaker | on | |
    /// | attempt timeout | 900 ms | two of them and the wait fit the deadline |
    pub fn latency_critical_read() -> Self {
        Self::named("latency_critical_read")
            .deadline(secs(2))
            .retry(Retry::up_to(2).backoff(waits(millis(10), millis(100))).longest_asked(secs(1)))
            .hedge(Hedge::at_percentile(95.0).max_delay(millis(400)))
            .budget(RetryBudget::new().ratio(0.1))
            .per_host(|host| {
                host.concurrency(Concurrency::limit(64).max_wait(millis(100)))
                    .cool_down(CoolDown::new())
                    .circuit_breaker(CircuitBreaker::new())
            })
            .attempt_timeout(millis(900))
    }
}
