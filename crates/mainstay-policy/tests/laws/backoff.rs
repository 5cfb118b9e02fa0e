use std::collections::HashSet;
use std::time::Duration;

use mainstay_policy::Draw;
use mainstay_policy::backoff::{Backoff, Jitter};
use proptest::prelude::*;

use crate::cases;

fn jitter() -> impl Strategy<Value = Jitter> {
    prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        Just(Jitter::Decorrelated)
    ]
}

fn nanos(most: u64) -> impl Strategy<Value = Duration> {
    (1..=most).prop_map(Duration::from_nanos)
}

/// A growing backoff with its base and cap.
fn growing() -> impl Strategy<Value = (Backoff, Duration, Duration)> {
    let times = (nanos(10_000_000_000), nanos(600_000_000_000));
    (any::<bool>(), 1.0..5.0_f64, times, jitter()).prop_map(
        |(linear, factor, (base, more), jitter)| {
            let (base, cap) = (base, base + more);
            let backoff = match linear {
                true => Backoff::linear(base),
                false => Backoff::exponential(base).factor(factor),
            };
            (backoff.cap(cap).jitter(jitter), base, cap)
        },
    )
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn no_wait_passes_its_envelope_nor_the_cap(
        (backoff, base, cap) in growing(),
        kind in jitter(),
        attempt in any::<u32>(),
        previous in proptest::option::of(nanos(900_000_000_000)),
        draw in any::<u64>(),
    ) {
        let backoff = backoff.jitter(kind);
        prop_assert_eq!(backoff.check(), Ok(()));
        let wait = backoff.delay(attempt, previous, Draw::new(draw));
        let envelope = backoff.envelope(attempt);
        prop_assert!(wait <= cap && envelope <= cap);
        match kind {
            Jitter::None => prop_assert_eq!(wait, envelope),
            Jitter::Full => prop_assert!(wait <= envelope),
            Jitter::Equal => prop_assert!(wait <= envelope && wait >= envelope / 2),
            Jitter::Decorrelated => {
                let before = previous.unwrap_or(base);
                prop_assert!(wait >= base && wait <= base.max(before * 3));
            }
            _ => prop_assert!(false, "a jitter without a law"),
        }
    }

    #[test]
    fn waits_at_the_cap_are_never_all_equal(
        (backoff, base, cap) in growing(),
        kind in jitter(),
        seed in any::<u64>(),
    ) {
        // Where there is less than a microsecond to draw from, draws repeat.
        let room = if kind == Jitter::Decorrelated { cap - base } else { cap };
        prop_assume!(kind != Jitter::None && room > Duration::from_micros(1));
        let seed = Draw::new(seed);
        let waits: HashSet<_> = (0..64)
            .map(|n| backoff.jitter(kind).delay(u32::MAX, Some(cap), seed.nth(n)))
            .collect();
        prop_assert!(waits.len() > 8, "{} different waits of 64", waits.len());
    }

    #[test]
    fn doubling_and_adding_are_exact_until_the_cap(
        base in nanos(1_000_000_000),
        attempt in 1..64_u32,
    ) {
        let cap = Duration::from_secs(3_600);
        let model = |grown: Option<u128>| {
            Duration::from_nanos(grown.unwrap().min(cap.as_nanos()).try_into().unwrap())
        };
        let doubled = base.as_nanos().checked_mul(1 << (attempt - 1));
        let exponential = Backoff::exponential(base).cap(cap);
        prop_assert_eq!(exponential.envelope(attempt), model(doubled));
        let added = base.as_nanos().checked_mul(attempt.into());
        prop_assert_eq!(Backoff::linear(base).cap(cap).envelope(attempt), model(added));
    }

    #[test]
    fn the_envelope_never_shrinks(
        (backoff, _, _) in growing(),
        attempt in 1..10_000_u32,
    ) {
        prop_assert!(backoff.envelope(attempt) <= backoff.envelope(attempt + 1));
    }
}
