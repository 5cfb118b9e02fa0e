//! What a call of a pipeline can cost at worst.

mod memory;
mod time;

use std::time::Duration;

use super::{GuardKind, HostSpec, PipelineSpec};

/// What a call can cost at worst, computed from the very settings that run.
///
/// Each number is argued in `docs/pipelines/bounds.md`. What they take for granted: the service
/// beneath is ready at once, as clients of HTTP are; nothing is changed by hand or by a reload
/// meanwhile; who polls the call does so when it is woken. Deadlines and other settings of single
/// calls only make a call shorter: of two ends the nearer counts.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Bounds {
    /// Attempts of one call that are sent, hedges included.
    pub attempts: Bound<u64>,
    /// From the call to its answer, error or refusal; the body of an answer comes after it, and its
    /// time is not in it. On a clock it may be [`TIMER`](Self::TIMER) more, by which the last timer
    /// is late.
    pub time: Bound<Duration>,
    /// Attempts sent for each call while every attempt fails, over as many calls as you like; to it
    /// comes [`reserve`](Self::reserve) once.
    pub load: Bound<f64>,
    /// Attempts beyond the first that need no calls before them, for each host.
    pub reserve: Bound<u64>,
    /// The same as `load` if there were no budget, and then without a reserve.
    pub load_without_budget: Bound<f64>,
    /// Attempts in flight at one time, for each host; in flight for as long as
    /// [`hold`](super::HostSpec::hold) says.
    pub slots: Bound<u64>,
    /// Bytes of state for each host that is kept; what calls need that run or wait is theirs. An
    /// estimate from above.
    pub memory: Bound<u64>,
}

/// The most that something can come to.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Bound<T> {
    /// Never more than this.
    AtMost(T),
    /// As much as you like, and why.
    Unbounded(&'static str),
}

impl<T: PartialOrd> Bound<T> {
    /// The most, if there is one.
    pub fn at_most(self) -> Option<T> {
        match self {
            Self::AtMost(most) => Some(most),
            Self::Unbounded(_) => None,
        }
    }

    /// Whether so much is no more than this.
    pub fn allows(&self, much: &T) -> bool {
        match self {
            Self::AtMost(most) => much <= most,
            Self::Unbounded(_) => true,
        }
    }

    /// The larger of the two.
    fn or_more(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Unbounded(_), _) => self,
            (_, Self::Unbounded(_)) => other,
            (Self::AtMost(one), Self::AtMost(two)) if one < two => other,
            (Self::AtMost(_), Self::AtMost(_)) => self,
        }
    }
}

impl Bounds {
    /// How late a timer may be: tokio's know no less than a millisecond. They round their end up, and
    /// what is left to it when they begin to wait too, so that each may add nearly one.
    pub const TIMER: Duration = Duration::from_millis(2);

    fn or_more(self, other: Self) -> Self {
        Self {
            attempts: self.attempts.or_more(other.attempts),
            time: self.time.or_more(other.time),
            load: self.load.or_more(other.load),
            reserve: self.reserve.or_more(other.reserve),
            load_without_budget: self.load_without_budget.or_more(other.load_without_budget),
            slots: self.slots.or_more(other.slots),
            memory: self.memory.or_more(other.memory),
        }
    }
}

impl PipelineSpec {
    /// What a call can cost at worst, whichever host it goes to.
    ///
    /// ```
    /// use mainstay::pipeline::{Bound, PipelineSpec};
    /// use std::time::Duration;
    ///
    /// let bounds = PipelineSpec::standard().bounds();
    /// assert_eq!(bounds.attempts, Bound::AtMost(3));
    /// assert_eq!(bounds.time, Bound::AtMost(Duration::from_secs(30)));
    /// assert_eq!(bounds.load, Bound::AtMost(1.2));
    /// assert_eq!(bounds.load_without_budget, Bound::AtMost(3.0));
    /// ```
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        let others = self.hosts.iter().map(|(_, host)| self.bounds_before(host));
        others.fold(self.bounds_before(&self.per_host), Bounds::or_more)
    }

    /// What a call to the host of this name can cost at worst.
    #[must_use]
    pub fn bounds_of(&self, host: &str) -> Bounds {
        self.bounds_before(self.of_host(host))
    }

    fn bounds_before(&self, host: &HostSpec) -> Bounds {
        let attempts = self.most_attempts();
        let all = as_f64(attempts);
        let (load, reserve) = match self.budget {
            // In every interval, extra attempts ≤ ratio × calls + reserve; and a call makes no more
            // than it may.
            Some(budget) if 1.0 + budget.ratio < all => (1.0 + budget.ratio, budget.reserve),
            Some(_) | None => (all, 0),
        };
        Bounds {
            attempts: Bound::AtMost(attempts),
            time: self.longest_call(host),
            load: Bound::AtMost(load),
            reserve: Bound::AtMost(reserve.into()),
            load_without_budget: Bound::AtMost(all),
            slots: host.most_slots(),
            memory: Bound::AtMost(self.most_memory(host)),
        }
    }

    /// Each attempt of the retry passes the hedge anew, so each may have hedges of its own.
    fn most_attempts(&self) -> u64 {
        u64::from(self.most_tries()) * (1 + u64::from(self.most_hedges()))
    }

    /// How often the retry sends.
    fn most_tries(&self) -> u32 {
        self.retry.map_or(1, |retry| retry.max_attempts.max(1))
    }

    /// How many the hedge sends beside the first.
    fn most_hedges(&self) -> u32 {
        self.hedge.map_or(0, |hedge| hedge.extra_attempts)
    }
}

impl HostSpec {
    /// A limit in shadow only says what it would do.
    fn most_slots(&self) -> Bound<u64> {
        let fixed = self.concurrency.filter(|_| !self.is_shadow(GuardKind::Concurrency));
        let adaptive = self.adaptive.filter(|_| !self.is_shadow(GuardKind::Adaptive));
        let limits = [fixed.map(|limit| limit.limit), adaptive.map(|limit| limit.max)];
        match limits.into_iter().flatten().min() {
            Some(limit) => Bound::AtMost(limit.into()),
            None => Bound::Unbounded("neither `concurrency` nor `adaptive` limits it"),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of attempts is below 2^53")]
const fn as_f64(attempts: u64) -> f64 {
    attempts as f64
}

#[cfg(test)]
mod tests;
