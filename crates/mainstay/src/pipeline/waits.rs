//! How long the waits of a backoff can be at most.

use std::time::Duration;

use mainstay_policy::backoff::{Backoff, Jitter};

/// After so many waits each further one is taken to be as long as the last.
const COUNTED: u32 = 256;

/// The longest that the wait after this attempt can be, where the server asks for none.
pub(super) fn longest_wait(backoff: &Backoff, attempt: u32) -> Duration {
    match backoff.jitter {
        Jitter::None | Jitter::Full | Jitter::Equal => backoff.envelope(attempt),
        // Each is at most three times the one before, and the first three times the base.
        Jitter::Decorrelated => {
            let times = 3_u32.checked_pow(attempt).unwrap_or(u32::MAX);
            backoff.base.saturating_mul(times).min(backoff.longest())
        }
        _ => backoff.longest(),
    }
}

/// The longest that so many waits, from the first on, can be together.
pub(super) fn longest_waits(backoff: &Backoff, waits: u32) -> Duration {
    sum(waits, |attempt| longest_wait(backoff, attempt))
}

/// The sum of what grows with each attempt, from the first to this; at most that where there are
/// very many.
pub(super) fn sum(attempts: u32, of: impl Fn(u32) -> Duration) -> Duration {
    let first = (1..=attempts.min(COUNTED)).map(&of);
    let first = first.fold(Duration::ZERO, Duration::saturating_add);
    match attempts.saturating_sub(COUNTED) {
        0 => first,
        rest => first.saturating_add(of(attempts).saturating_mul(rest)),
    }
}

#[cfg(test)]
mod tests {
    use mainstay_policy::Draw;

    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn waits_are_added_up_to_the_last() {
        let backoff = Backoff::exponential(ms(100)).cap(ms(500));
        assert_eq!(longest_waits(&backoff, 0), Duration::ZERO);
        assert_eq!(longest_waits(&backoff, 3), ms(100 + 200 + 400));
        assert_eq!(longest_waits(&backoff, 5), ms(100 + 200 + 400 + 500 + 500));
        assert_eq!(longest_waits(&backoff, 1_000), ms(700 + 997 * 500));
        assert_eq!(longest_waits(&Backoff::constant(Duration::MAX), u32::MAX), Duration::MAX);
    }

    #[test]
    fn no_wait_of_any_jitter_is_longer() {
        let growing = Backoff::exponential(ms(7)).cap(ms(300));
        for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
            let backoff = growing.jitter(jitter);
            let mut previous = None;
            for attempt in 1..20 {
                let most = backoff.delay(attempt, previous, Draw::MOST);
                assert_eq!(most, longest_wait(&backoff, attempt), "{jitter:?} {attempt}");
                previous = Some(most);
            }
        }
    }
}
