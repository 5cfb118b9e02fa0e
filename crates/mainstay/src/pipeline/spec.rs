//! What a pipeline is made of: plain data, which the builder, a file and a reload all come to.

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use mainstay_policy::adaptive::AdaptiveLimit;
use mainstay_policy::breaker::CircuitBreaker;
use mainstay_policy::budget::RetryBudget;
use mainstay_policy::concurrency::Concurrency;
use mainstay_policy::cooldown::CoolDown;
use mainstay_policy::fallback::FallbackOn;
use mainstay_policy::hedge::Hedge;
use mainstay_policy::rate_limit::RateLimit;
use mainstay_policy::retry::Retry;
use mainstay_policy::throttle::Throttle;

use super::pattern::{HostPattern, Patterns, names};
use crate::http::{IdempotencyKeys, RetryRules};

/// What a pipeline is made of, from the outermost to the innermost.
///
/// Plain data, complete at every step: it is chained together here, read from a file, or both, and
/// [`build`](PipelineSpec::build) makes it run.
///
/// ```
/// use mainstay::pipeline::Pipeline;
/// use mainstay::rate_limit::RateLimit;
/// use mainstay::retry::Retry;
/// use std::time::Duration;
///
/// let pipeline = Pipeline::named("github")
///     .deadline(Duration::from_secs(20))
///     .retry(Retry::up_to(4))
///     .per_host(|host| host.rate_limit(RateLimit::per_second(50).burst(10)).concurrency(16))
///     .host("uploads.github.com", |host| host.rate_limit(RateLimit::per_second(2)))
///     .attempt_timeout(Duration::from_secs(4))
///     .build()?;
/// # let _ = pipeline;
/// # Ok::<(), mainstay::pipeline::PipelineError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct PipelineSpec {
    /// How it is called in events, refusals and explanations.
    pub name: Arc<str>,
    /// What is answered when a call has failed for good.
    pub fallback: Option<FixedAnswer>,
    /// In what time a call must have its answer, however many attempts it takes.
    pub deadline: Option<Duration>,
    /// When a failed attempt is followed by another.
    pub retry: Option<Retry>,
    /// When a slow attempt is given one beside it.
    pub hedge: Option<Hedge>,
    /// What attempts beyond the first are paid from, of retry and hedge together, for every host;
    /// without it nothing bounds them.
    pub budget: Option<RetryBudget>,
    /// Which requests may be sent again, and after which ends.
    pub rules: RetryRules,
    /// Whether calls that are not idempotent are given a key, and which.
    pub idempotency_keys: Option<IdempotencyKeys>,
    /// What stands before every host.
    pub per_host: HostSpec,
    /// Hosts before which something else stands; the first that matches counts.
    pub hosts: Vec<(HostPattern, HostSpec)>,
    /// In what time the head of an attempt's answer must be there.
    pub attempt_timeout: Option<Duration>,
    /// After how long a body that says nothing fails.
    pub body_idle: Option<Duration>,
}

/// The guards of one host, in the order in which they are asked.
#[derive(Clone, PartialEq, Debug, Default)]
#[non_exhaustive]
#[must_use]
pub struct HostSpec {
    /// How many attempts may be in flight.
    pub concurrency: Option<Concurrency>,
    /// How many may be in flight, going by how they end; in place of a fixed number.
    pub adaptive: Option<AdaptiveLimit>,
    /// How long an attempt counts as in flight.
    pub hold: Hold,
    /// How many may start in how long.
    pub rate_limit: Option<RateLimit>,
    /// Who may stand in line for a turn, of the rate limit or the cool-down.
    pub line: Line,
    /// Leaves the server alone when it asks for that.
    pub cool_down: Option<CoolDown>,
    /// Asks less of a server that refuses much.
    pub throttle: Option<Throttle>,
    /// Asks nothing of a server that is down.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// Which of them only say what they would do.
    pub shadow: Vec<GuardKind>,
}

/// The guards that there are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum GuardKind {
    /// [`HostSpec::concurrency`].
    Concurrency,
    /// [`HostSpec::adaptive`].
    Adaptive,
    /// [`HostSpec::rate_limit`] and [`HostSpec::cool_down`], which share a line.
    Turns,
    /// [`HostSpec::throttle`].
    Throttle,
    /// [`HostSpec::circuit_breaker`].
    CircuitBreaker,
}

impl GuardKind {
    /// How it is called in events.
    pub(super) const fn layer(self) -> &'static str {
        match self {
            Self::Concurrency => "concurrency limit",
            Self::Adaptive => "adaptive limit",
            Self::Turns => "rate limit with cool-down",
            Self::Throttle => "throttle",
            Self::CircuitBreaker => "circuit breaker",
        }
    }
}

/// How long an attempt counts as in flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Hold {
    /// To the head of its answer: whoever gathers heads before bodies does not stand in its own
    /// way.
    #[default]
    Head,
    /// To the end of its body, or until nobody has read of it for so long.
    Body {
        /// Thirty seconds by default.
        idle: Duration,
    },
}

/// Who may stand in line for a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Line {
    /// How many calls; as many as there may be, unless set.
    pub max_waiting: Option<u32>,
    /// For how long; until the deadline, unless set.
    pub max_wait: Option<Duration>,
}

/// An answer that is always the same.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct FixedAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// After which ends of a call it is given.
    pub on: FallbackOn,
}

impl FixedAnswer {
    /// An empty answer with this status.
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), on: FallbackOn::new() }
    }

    /// With this body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// With these header fields.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// After these ends of a call.
    pub fn on(mut self, on: FallbackOn) -> Self {
        self.on = on;
        self
    }
}

impl PipelineSpec {
    /// Nothing but a name, and a budget for the attempts that may come to be.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            fallback: None,
            deadline: None,
            retry: None,
            hedge: None,
            budget: Some(RetryBudget::new()),
            rules: RetryRules::standard(),
            idempotency_keys: None,
            per_host: HostSpec::default(),
            hosts: Vec::new(),
            attempt_timeout: None,
            body_idle: None,
        }
    }

    /// The same under another name.
    pub fn rename(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Answers this when a call has failed for good.
    pub fn fallback(mut self, answer: FixedAnswer) -> Self {
        self.fallback = Some(answer);
        self
    }

    /// Gives each call so long, all attempts and waits together.
    pub const fn deadline(mut self, time: Duration) -> Self {
        self.deadline = Some(time);
        self
    }

    /// Sends again what failed in a way that may pass.
    pub const fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Sends a second attempt beside a slow one.
    pub const fn hedge(mut self, hedge: Hedge) -> Self {
        self.hedge = Some(hedge);
        self
    }

    /// Pays for attempts beyond the first from such an account, one for every host.
    pub const fn budget(mut self, budget: RetryBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Nothing bounds the attempts beyond the first: a server that is down gets as many times its
    /// load as a call has attempts.
    pub const fn without_budget(mut self) -> Self {
        self.budget = None;
        self
    }

    /// Other rules for which requests may be sent again.
    pub fn rules(mut self, rules: RetryRules) -> Self {
        self.rules = rules;
        self
    }

    /// Gives calls that are not idempotent a key, for servers that honour it.
    pub fn idempotency_keys(mut self, keys: IdempotencyKeys) -> Self {
        self.idempotency_keys = Some(keys);
        self
    }

    /// What stands before every host, changed by this.
    pub fn per_host(mut self, change: impl FnOnce(HostSpec) -> HostSpec) -> Self {
        self.per_host = change(self.per_host);
        self
    }

    /// Before hosts that match this stands what stands before every host by now, changed by this:
    /// so [`per_host`](Self::per_host) goes first. Of several patterns the one that was given first
    /// counts.
    pub fn host(
        mut self,
        pattern: impl Into<HostPattern>,
        change: impl FnOnce(HostSpec) -> HostSpec,
    ) -> Self {
        self.hosts.push((pattern.into(), change(self.per_host.clone())));
        self
    }

    /// Gives the head of each attempt's answer so long.
    pub const fn attempt_timeout(mut self, time: Duration) -> Self {
        self.attempt_timeout = Some(time);
        self
    }

    /// Fails a body that says nothing for so long.
    pub const fn body_idle(mut self, time: Duration) -> Self {
        self.body_idle = Some(time);
        self
    }

    /// What stands before the host of this name.
    pub fn of_host(&self, host: &str) -> &HostSpec {
        let names = names(host);
        self.host_at(self.hosts.iter().position(|(pattern, _)| pattern.means(&names)))
    }

    /// The patterns of single hosts, in which that of a host is found.
    pub(super) fn host_patterns(&self) -> Patterns {
        Patterns::new(self.hosts.iter().map(|(pattern, _)| pattern))
    }

    /// What stands before the hosts of this pattern, or before every host.
    pub(super) fn host_at(&self, place: Option<usize>) -> &HostSpec {
        place.and_then(|place| self.hosts.get(place)).map_or(&self.per_host, |(_, spec)| spec)
    }
}

impl HostSpec {
    /// At most so many attempts in flight: a number, or a [`Concurrency`] that also says who may
    /// wait.
    pub fn concurrency(mut self, limit: impl Into<Concurrency>) -> Self {
        self.concurrency = Some(limit.into());
        self
    }

    /// As many in flight as the server takes well.
    pub const fn adaptive(mut self, limit: AdaptiveLimit) -> Self {
        self.adaptive = Some(limit);
        self
    }

    /// How long an attempt counts as in flight.
    pub const fn hold(mut self, hold: Hold) -> Self {
        self.hold = hold;
        self
    }

    /// At most so many starts in so long.
    pub const fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.rate_limit = Some(limit);
        self
    }

    /// At most so many calls stand in line for a turn.
    pub const fn max_waiting(mut self, calls: u32) -> Self {
        self.line.max_waiting = Some(calls);
        self
    }

    /// Nobody stands in line for a turn for longer than this.
    pub const fn max_wait(mut self, time: Duration) -> Self {
        self.line.max_wait = Some(time);
        self
    }

    /// Leaves the server alone when it asks for that.
    pub const fn cool_down(mut self, settings: CoolDown) -> Self {
        self.cool_down = Some(settings);
        self
    }

    /// Asks less of a server that refuses much.
    pub const fn throttle(mut self, settings: Throttle) -> Self {
        self.throttle = Some(settings);
        self
    }

    /// Asks nothing of a server that is down.
    pub const fn circuit_breaker(mut self, settings: CircuitBreaker) -> Self {
        self.circuit_breaker = Some(settings);
        self
    }

    /// Whether this guard only says what it would do.
    pub(super) fn is_shadow(&self, guard: GuardKind) -> bool {
        self.shadow.contains(&guard)
    }

    /// This guard only says what it would do.
    pub fn shadow(mut self, guard: GuardKind) -> Self {
        if !self.is_shadow(guard) {
            self.shadow.push(guard);
        }
        self
    }
}
