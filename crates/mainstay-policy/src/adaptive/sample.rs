//! What a call's end says of how much its server bears.

use std::time::Duration;

use super::in_force::InForce;
use crate::outcome::Outcome;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sample {
    /// The server did it, in so long.
    Took(Duration),
    /// It was too much for the server.
    Dropped,
    /// Nothing.
    Nothing,
}

impl Sample {
    pub(super) fn of(outcome: Outcome, took: Duration, settings: &InForce) -> Self {
        match outcome {
            Outcome::Success | Outcome::Fatal => Self::Took(took),
            Outcome::Transient | Outcome::Throttled => Self::Dropped,
            Outcome::Abandoned if settings.abandoned_after().is_some_and(|late| took >= late) => {
                Self::Dropped
            }
            Outcome::Abandoned | Outcome::Invalid | Outcome::Refused => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AdaptiveLimit, Aimd};
    use super::*;

    #[test]
    fn who_gives_up_late_was_dropped_and_who_gives_up_early_says_nothing() {
        let late = Duration::from_secs(5);
        let early = Duration::from_nanos(4_999_999_999);
        let settings = AdaptiveLimit::aimd(Aimd::new());
        let says = |took, settings| Sample::of(Outcome::Abandoned, took, &InForce::new(&settings));
        assert_eq!(says(early, settings), Sample::Nothing);
        assert_eq!(says(late, settings), Sample::Dropped);
        assert_eq!(says(Duration::MAX, settings.abandoned_after(None)), Sample::Nothing);
    }
}
