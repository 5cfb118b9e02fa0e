//! Nothing panics, whatever numbers come in.

use std::time::Duration;

use mainstay_policy::backoff::{Backoff, Jitter};
use mainstay_policy::breaker::{Admission, Breaker, CircuitBreaker, Span, Verdict};
use mainstay_policy::budget::{Budget, RetryBudget};
use mainstay_policy::concurrency::{Claim, Concurrency, Entry, Slots};
use mainstay_policy::cooldown::{CoolDown, Gate, Signal};
use mainstay_policy::rate_limit::{Limiter, RateLimit, Told};
use mainstay_policy::retry::{Ended, Repeat, Retry, Tries};
use mainstay_policy::turn::Turnstile;
use mainstay_policy::{Draw, Moment, Outcome};
use proptest::prelude::*;

use crate::cases;

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![0..3_u32, 0..3_000_u32, Just(u32::MAX), any::<u32>()]
}

fn float() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{ANY, SIGNALING_NAN};
    prop_oneof![0.0..1.5_f64, Just(f64::NAN), Just(0.0), Just(1.0), ANY, SIGNALING_NAN]
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0..5_000_u64).prop_map(Duration::from_nanos),
        (0..100_000_u64).prop_map(Duration::from_millis),
        any::<u64>().prop_map(Duration::from_nanos),
        any::<u64>().prop_map(Duration::from_secs),
    ]
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        Just(Moment::MIN),
        Just(Moment::MAX),
        any::<u64>().prop_map(Moment::from_nanos),
        (0..100_000_u64).prop_map(|n| Moment::ORIGIN + Duration::from_millis(n)),
    ]
}

fn backoff() -> impl Strategy<Value = Backoff> {
    let jitter = prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        Just(Jitter::Decorrelated)
    ];
    (0..3_u8, duration(), float(), proptest::option::of(duration()), jitter).prop_map(
        |(kind, base, factor, cap, jitter)| {
            let backoff = match kind {
                0 => Backoff::constant(base),
                1 => Backoff::linear(base),
                _ => Backoff::exponential(base).factor(factor),
            };
            cap.map_or(backoff, |cap| backoff.cap(cap)).jitter(jitter)
        },
    )
}

fn outcome() -> impl Strategy<Value = Outcome> {
    use Outcome::{Abandoned, Fatal, Refused, Success, Throttled, Transient};
    prop::sample::select(vec![Success, Transient, Throttled, Fatal, Refused, Abandoned])
}

fn verdict() -> impl Strategy<Value = Verdict> {
    outcome().prop_map(Verdict::from)
}

fn settled(settings: CircuitBreaker) -> impl Strategy<Value = CircuitBreaker> {
    let window = prop_oneof![duration().prop_map(Span::Time), number().prop_map(Span::Calls)];
    let rules = (
        proptest::option::of(number()),
        proptest::option::of(float()),
        proptest::option::of((duration(), float())),
        number(),
    );
    let times = (duration(), proptest::option::of(duration()), backoff());
    (rules, window, number(), times, any::<bool>()).prop_map(
        move |((row, ratio, slow, floor), window, probes, (hang, late, open), wild)| {
            if !wild {
                return settings;
            }
            let settings = settings
                .consecutive_failures(row)
                .failure_ratio(ratio)
                .min_calls(floor)
                .window(window)
                .open_time(open)
                .probes(probes)
                .probe_time(hang)
                .abandoned_after(late);
            slow.map_or(settings, |(longer_than, ratio)| settings.slow_calls(longer_than, ratio))
        },
    )
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn no_backoff_and_no_retry_panics(
        backoff in backoff(),
        (attempts, longest) in (number(), duration()),
        ends in prop::collection::vec(
            (outcome(), any::<bool>(), proptest::option::of(duration()),
             proptest::option::of(duration()), any::<u64>()), 1..20),
    ) {
        let _ = backoff.check();
        let retry = Retry::up_to(attempts).backoff(backoff).longest_asked(longest);
        let _ = retry.check();
        let mut tries = Tries::default();
        for (outcome, may, asked, left, draw) in ends {
            let repeat = if may { Repeat::Allowed } else { Repeat::Forbidden };
            let ended = Ended::new(outcome).repeat(repeat);
            let ended = asked.map_or(ended, |asked| ended.asked(asked));
            let _ = retry.next(&mut tries, ended, left, Draw::new(draw));
        }
    }

    #[test]
    fn no_budget_panics(
        (ratio, reserve) in (float(), number()),
        steps in prop::collection::vec(0..4_u8, 0..60),
    ) {
        let Ok(budget) = Budget::new(&RetryBudget::default().ratio(ratio).reserve(reserve)) else {
            return Ok(());
        };
        let mut held = Vec::new();
        for step in steps {
            match step {
                0 => budget.deposit(),
                1 => held.extend(budget.withdraw()),
                2 => drop(held.pop()),
                _ => if let Some(extra) = held.pop() { extra.spend() },
            }
        }
        let _ = budget.snapshot();
    }

    #[test]
    fn no_breaker_panics(
        settings in settled(CircuitBreaker::new().consecutive_failures(Some(2)).probes(2)),
        seed in any::<u64>(),
        steps in prop::collection::vec((0..8_u8, verdict(), moment()), 0..60),
    ) {
        let Ok(breaker) = Breaker::new(settings, Draw::new(seed)) else { return Ok(()) };
        let mut tickets = Vec::new();
        for (step, verdict, now) in steps {
            match step {
                0..3 => if let Admission::Granted { ticket, .. } = breaker.admit(now) {
                    tickets.push(ticket);
                },
                3..6 => if let Some(ticket) = tickets.pop() {
                    let _ = breaker.settle(ticket, verdict, now);
                },
                6 => { let _ = breaker.isolate(); }
                _ => { let _ = (breaker.release(), breaker.reset()); }
            }
            let _ = (breaker.snapshot(now), breaker.would_refuse(now), breaker.is_at_rest(now));
        }
    }

    #[test]
    fn no_rate_limit_panics(
        (count, period) in (number(), duration()),
        burst in proptest::option::of(number()),
        changes in prop::collection::vec((number(), duration(), number()), 8),
        steps in prop::collection::vec((0..10_u8, number(), moment(), moment()), 0..60),
    ) {
        let shaped = |count: u32, period, size| match burst {
            Some(_) => RateLimit::per(count, period).burst(size),
            // A strict limit of a million is eight megabytes: fine, but not a thousand times over.
            None => RateLimit::per(count % 5_000, period).strict(),
        };
        let settings = shaped(count, period, burst.unwrap_or(0)).pace(count % 2 == 0);
        let Ok(limiter) = Limiter::new(settings) else { return Ok(()) };
        let mut changes = changes.into_iter();
        for (step, cost, since, now) in steps {
            match step {
                0..5 => { let _ = limiter.take(cost, since, now); }
                5..7 => { let _ = limiter.take(1, now, now); }
                7 => limiter.learn(Told { left: cost, reset: since }, now),
                _ => if let Some((count, period, burst)) = changes.next() {
                    let _ = limiter.change(shaped(count, period, burst), now);
                },
            }
            let _ = (limiter.peek(cost, since, now), limiter.forecast(u64::MAX, cost, now));
            let _ = (limiter.forecast(cost.into(), 1, now), limiter.is_at_rest(now));
            let _ = limiter.snapshot(now);
        }
    }

    #[test]
    fn no_slots_and_no_turnstile_panic(
        (limit, max_waiting) in (number(), number()),
        steps in prop::collection::vec((0..6_u8, number()), 0..60),
    ) {
        let turnstile = Turnstile::new();
        let mut places = Vec::new();
        for &(step, cost) in &steps {
            match step {
                0..4 => places.extend(turnstile.join(cost, max_waiting)),
                _ => if let Some(place) = places.pop() {
                    let _ = turnstile.leave(place);
                },
            }
        }
        let Ok(slots) = Slots::new(Concurrency::limit(limit).max_waiting(max_waiting)) else {
            return Ok(());
        };
        let mut inside = Vec::new();
        for (step, size) in steps {
            match step {
                0 | 1 => if let Entry::Granted(slot) = slots.enter() { inside.push(slot) },
                2 => if let Claim::Granted(slot, _) = slots.claim() { inside.push(slot) },
                3 => { let _ = slots.give_up(); } // even when nobody waits
                4 => if let Some(slot) = inside.pop() {
                    let _ = slots.leave(slot);
                },
                _ => { let _ = slots.resize(size); }
            }
        }
        let _ = slots.snapshot();
    }

    #[test]
    fn no_gate_panics(
        (max, unasked, ramp, step) in (duration(), duration(), duration(), duration()),
        tame in any::<bool>(),
        steps in prop::collection::vec((0..6_u8, moment(), duration(), moment()), 0..60),
    ) {
        let wild = CoolDown::new().max(max).unasked(unasked).ramp(ramp).step(step);
        let Ok(gate) = Gate::new(if tame { CoolDown::new() } else { wild }) else {
            return Ok(());
        };
        for (step, reset, asked, now) in steps {
            let _ = match step {
                0 => gate.tell(Signal::Throttled { asked: Some(asked) }, now),
                1 => gate.tell(Signal::Throttled { asked: None }, now),
                2 => gate.tell(Signal::Overloaded { asked }, now),
                3 => gate.tell(Signal::Exhausted { reset }, now),
                4 => { gate.queue_emptied(now); None }
                _ => { let _ = gate.take(now); None }
            };
            let _ = (gate.peek(now), gate.retry_in(now), gate.snapshot(now), gate.is_at_rest(now));
        }
    }
}
