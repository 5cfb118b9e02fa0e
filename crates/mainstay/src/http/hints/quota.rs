//! A quota, and which of several is the tightest.

use std::cmp::Reverse;
use std::time::Duration;

/// How much of something a client may still use.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Quota {
    /// How many units are left.
    pub left: u64,
    /// How many there are in a whole window.
    pub limit: Option<u64>,
    /// In how long there will be more, at most [`Hints::LONGEST`](super::Hints::LONGEST).
    pub reset: Option<Duration>,
    /// What is counted.
    pub unit: Unit,
    /// Who shares the quota.
    pub scope: Scope,
}

/// What a [`Quota`] counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Unit {
    /// Requests.
    Requests,
    /// Tokens of a language model.
    Tokens,
    /// Bytes of content.
    Bytes,
    /// Requests that run at the same time.
    InFlight,
    /// What the server has a name for and we do not.
    Other,
}

/// Who shares a [`Quota`], as far as the server says.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Scope {
    /// The server does not say.
    Unsaid,
    /// Every request to the service.
    Global,
    /// The requests of this user.
    User,
    /// The requests of all users to this resource.
    Shared,
    /// The requests that the server counts under this name: a policy, a bucket, a resource.
    Named(Box<str>),
}

impl Quota {
    /// Whether nothing is left until the reset.
    ///
    /// Concurrent requests are never used up in this sense: it is no matter of time when one ends.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.left == 0 && self.unit != Unit::InFlight
    }

    pub(super) const fn new(left: u64, unit: Unit) -> Self {
        Self { left, limit: None, reset: None, unit, scope: Scope::Unsaid }
    }

    /// Greater is tighter.
    fn tightness(&self) -> impl Ord + use<> {
        (
            self.unit != Unit::InFlight,
            self.left == 0 || self.unit == Unit::Requests,
            Reverse(self.pace()),
            Reverse(self.left),
            self.reset,
        )
    }

    /// How many are left for each second until the reset, in billionths.
    fn pace(&self) -> u128 {
        match self.reset.map(|reset| reset.as_nanos()) {
            _ if self.left == 0 => 0,
            None | Some(0) => u128::MAX,
            Some(nanos) => u128::from(self.left) * 1_000_000_000_000_000_000 / nanos,
        }
    }

    /// The tightest of these; of equals the first.
    pub(crate) fn tightest<'a>(quotas: impl IntoIterator<Item = &'a Self>) -> Option<&'a Self> {
        quotas.into_iter().reduce(
            |best, quota| {
                if quota.tightness() > best.tightness() { quota } else { best }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(left: u64, unit: Unit, reset: u64) -> Quota {
        Quota { reset: Some(Duration::from_secs(reset)), ..Quota::new(left, unit) }
    }

    #[track_caller]
    fn assert_tighter(tight: &Quota, loose: &Quota) {
        for offers in [[tight, loose], [loose, tight]] {
            assert_eq!(Quota::tightest(offers), Some(tight));
        }
    }

    #[test]
    fn nothing_left_is_tighter_than_something_left() {
        assert_tighter(&quota(0, Unit::Requests, 1), &quota(1, Unit::Requests, 60));
        assert_tighter(&quota(0, Unit::Tokens, 1), &quota(1, Unit::Requests, 60));
        assert_tighter(&Quota::new(0, Unit::Other), &quota(1, Unit::Requests, 60));
    }

    #[test]
    fn with_nothing_left_the_longest_reset_counts() {
        assert_tighter(&quota(0, Unit::Requests, 60), &quota(0, Unit::Requests, 1));
        assert_tighter(&quota(0, Unit::Tokens, 60), &quota(0, Unit::Requests, 1));
        assert_tighter(&quota(0, Unit::Tokens, 1), &Quota::new(0, Unit::Requests));
    }

    #[test]
    fn with_something_left_the_fewest_for_each_second_count() {
        assert_tighter(&quota(1, Unit::Requests, 1), &quota(120, Unit::Requests, 60));
        assert_tighter(&quota(4, Unit::Requests, 80_000), &quota(3, Unit::Requests, 1));
        assert_tighter(&quota(2, Unit::Tokens, 60), &quota(1, Unit::Tokens, 1));
        assert_tighter(&quota(u64::MAX, Unit::Requests, 60), &quota(u64::MAX, Unit::Requests, 1));
        let unknown = Quota::new(1, Unit::Requests);
        assert_tighter(&quota(5000, Unit::Requests, 1), &unknown);
        assert_tighter(&quota(5000, Unit::Requests, 1), &quota(1, Unit::Requests, 0));
    }

    #[test]
    fn with_something_left_requests_come_before_what_is_no_request() {
        for unit in [Unit::Tokens, Unit::Bytes, Unit::Other] {
            assert_tighter(&quota(4999, Unit::Requests, 1), &quota(3, unit, 60));
        }
    }

    #[test]
    fn concurrent_requests_come_last() {
        assert_tighter(&quota(4999, Unit::Requests, 1), &quota(0, Unit::InFlight, 60));
        assert_tighter(&quota(4999, Unit::Bytes, 1), &quota(1, Unit::InFlight, 60));
        assert_tighter(&quota(0, Unit::InFlight, 1), &quota(1, Unit::InFlight, 1));
    }

    #[test]
    fn only_what_comes_back_with_time_is_used_up() {
        for unit in [Unit::Requests, Unit::Tokens, Unit::Bytes, Unit::Other] {
            assert!(Quota::new(0, unit).is_used_up(), "{unit:?}");
            assert!(!Quota::new(1, unit).is_used_up(), "{unit:?}");
        }
        assert!(!Quota::new(0, Unit::InFlight).is_used_up());
    }

    #[test]
    fn of_equals_the_first_is_kept() {
        let of = |scope| Quota { scope, ..quota(5, Unit::Requests, 1) };
        let equals = [of(Scope::User), of(Scope::Global)];
        assert_eq!(Quota::tightest(&equals).map(|quota| &quota.scope), Some(&Scope::User));
    }
}
