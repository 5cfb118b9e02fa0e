//! After which ends of a call something else is answered.
//!
//! ```
//! use mainstay_policy::Outcome;
//! use mainstay_policy::fallback::FallbackOn;
//!
//! let on = FallbackOn::new().throttled(false);
//! assert!(on.serves(Outcome::Transient) && on.serves(Outcome::Refused));
//! assert!(!on.serves(Outcome::Throttled) && !on.serves(Outcome::Fatal));
//! ```

use crate::outcome::Outcome;
use crate::retry::Repeat;

/// After which ends of a call something else is answered instead.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`transient`](FallbackOn::transient) | yes | the server is not well |
/// | [`throttled`](FallbackOn::throttled) | yes | it wants to be asked less |
/// | [`refused`](FallbackOn::refused) | yes | it was not asked at all |
/// | [`fatal`](FallbackOn::fatal) | no | the answer is the truth: there is no such thing, or you may not have it |
///
/// A success is never replaced, nor is a call whose request was at fault on this side, nor one that
/// nobody waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct FallbackOn {
    /// A failure that may pass leads to it.
    pub transient: bool,
    /// A server that asks for less leads to it.
    pub throttled: bool,
    /// A refusal of ours leads to it.
    pub refused: bool,
    /// A failure that asking again cannot change leads to it.
    pub fatal: bool,
}

impl Default for FallbackOn {
    fn default() -> Self {
        Self::new()
    }
}

impl FallbackOn {
    /// After transient failures, throttling and refusals.
    pub const fn new() -> Self {
        Self { transient: true, throttled: true, refused: true, fatal: false }
    }

    /// Whether after a failure that may pass.
    pub const fn transient(mut self, on: bool) -> Self {
        self.transient = on;
        self
    }

    /// Whether after a server asked for less.
    pub const fn throttled(mut self, on: bool) -> Self {
        self.throttled = on;
        self
    }

    /// Whether after a refusal of ours.
    pub const fn refused(mut self, on: bool) -> Self {
        self.refused = on;
        self
    }

    /// Whether after a failure that asking again cannot change.
    pub const fn fatal(mut self, on: bool) -> Self {
        self.fatal = on;
        self
    }

    /// Whether something else is answered after this.
    #[must_use]
    pub const fn serves(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Transient => self.transient,
            Outcome::Throttled => self.throttled,
            Outcome::Refused => self.refused,
            Outcome::Fatal => self.fatal,
            Outcome::Success | Outcome::Invalid | Outcome::Abandoned => false,
        }
    }
}

/// Whether a request whose call ended like this may be sent to somebody else: where it never
/// reached a server, where it may be repeated after such an end, or where it may be sent twice at
/// any time.
#[must_use]
pub const fn may_be_sent_again(outcome: Outcome, repeat: Repeat, twice: bool) -> bool {
    match (outcome, repeat) {
        (Outcome::Refused, _) | (_, Repeat::Allowed) => true,
        (_, Repeat::Forbidden) => twice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_done_is_not_asked_of_somebody_else() {
        use Outcome::{Fatal, Refused, Throttled, Transient};
        use Repeat::{Allowed, Forbidden};
        assert!(may_be_sent_again(Refused, Forbidden, false));
        assert!(may_be_sent_again(Throttled, Allowed, false));
        assert!(!may_be_sent_again(Transient, Forbidden, false));
        assert!(!may_be_sent_again(Fatal, Forbidden, false));
        assert!(may_be_sent_again(Fatal, Forbidden, true));
    }

    const ALL: [Outcome; 7] = [
        Outcome::Success,
        Outcome::Transient,
        Outcome::Throttled,
        Outcome::Fatal,
        Outcome::Invalid,
        Outcome::Refused,
        Outcome::Abandoned,
    ];

    fn served(on: FallbackOn) -> Vec<Outcome> {
        ALL.into_iter().filter(|outcome| on.serves(*outcome)).collect()
    }

    #[test]
    fn by_default_what_may_pass_is_bridged_and_the_truth_is_not_hidden() {
        let expected = [Outcome::Transient, Outcome::Throttled, Outcome::Refused];
        assert_eq!(served(FallbackOn::default()), expected);
    }

    #[test]
    fn each_is_chosen_by_itself() {
        let none = FallbackOn::new().transient(false).throttled(false).refused(false);
        assert_eq!(served(none), []);
        assert_eq!(served(none.transient(true)), [Outcome::Transient]);
        assert_eq!(served(none.throttled(true)), [Outcome::Throttled]);
        assert_eq!(served(none.refused(true)), [Outcome::Refused]);
        assert_eq!(served(none.fatal(true)), [Outcome::Fatal]);
    }
}
