//! The only reader of time: the real one, which is what is measured.
#![expect(clippy::disallowed_methods, reason = "this is the room where clocks are read")]

use std::time::Instant;

pub(super) fn now() -> Instant {
    Instant::now()
}
