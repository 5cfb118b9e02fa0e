//! Nothing panics, whatever numbers come in.

use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::adaptive::{AdaptiveLimit, AdaptiveSlots, Aimd, Effect, Gradient2};
use mainstay_policy::backoff::{Backoff, Jitter};
use mainstay_policy::breaker::{Admission, Breaker, CircuitBreaker, Span, Verdict};
use mainstay_policy::budget::{Budget, Extra, RetryBudget};
use mainstay_policy::concurrency::{Claim, Concurrency, Entry, Slots};
use mainstay_policy::cooldown::{CoolDown, Gate, Signal};
use mainstay_policy::hedge::{Hedge, Hedger};
use mainstay_policy::rate_limit::{Limiter, RateLimit, Told};
use mainstay_policy::retry::{Ended, Repeat, Retry, Tries};
use mainstay_policy::throttle::{self, Throttle, Throttler};
use mainstay_policy::turn::{Place, Turnstile};
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
    use Outcome::{Abandoned, Fatal, Invalid, Refused, Success, Throttled, Transient};
    prop::sample::select(vec![Success, Transient, Throttled, Fatal, Invalid, Refused, Abandoned])
}

fn verdict() -> impl Strategy<Value = Verdict> {
    outcome().prop_map(Verdict::from)
}

/// Breakers at the ends of what is allowed; `no_check_panics` has those beyond.
fn extreme() -> impl Strategy<Value = CircuitBreaker> {
    let day = CircuitBreaker::LONGEST;
    let (tiny, nano) = (Duration::from_millis(1), Duration::from_nanos(1));
    let select = prop::sample::select::<Duration>;
    let window = prop::sample::select(vec![
        Span::Time(tiny),
        Span::Time(day),
        Span::Calls(1),
        Span::Calls(65),
        Span::Calls(CircuitBreaker::MOST_CALLS),
    ]);
    let rules = (
        proptest::option::of(prop::sample::select(vec![1, 2, 1_000_000])),
        prop::sample::select(vec![f64::MIN_POSITIVE, 0.5, 1.0]),
        proptest::option::of((select(vec![nano, tiny, Duration::MAX]), 0.001..1.0_f64)),
    );
    let times = (
        select(vec![nano, tiny, day]),
        proptest::option::of(select(vec![Duration::ZERO, nano, Duration::MAX])),
        select(vec![nano, tiny, day]),
    );
    let probes = prop::sample::select(vec![1, 2, CircuitBreaker::MOST_PROBES]);
    (rules, window, probes, times).prop_map(
        |((row, ratio, slow), window, probes, (hang, late, open))| {
            let settings = CircuitBreaker::new()
                .consecutive_failures(row)
                .failure_ratio(Some(ratio))
                .min_calls(1)
                .window(window)
                .open_time(Backoff::constant(open))
                .probes(probes)
                .probe_time(hang)
                .abandoned_after(late);
            slow.map_or(settings, |(longer_than, ratio)| settings.slow_calls(longer_than, ratio))
        },
    )
}

/// Adaptive limits at the ends of what is allowed; `no_check_panics` has those beyond.
fn adaptive() -> impl Strategy<Value = AdaptiveLimit> {
    let (nano, milli) = (Duration::from_nanos(1), Duration::from_millis(1));
    let select = prop::sample::select::<u32>;
    let ratio = || prop::sample::select(vec![f64::MIN_POSITIVE, 0.5, 0.999]);
    let most = AdaptiveLimit::MOST;
    let rule = (
        prop::sample::select(vec![1.0, Gradient2::MOST_TOLERANCE]),
        (prop::sample::select(vec![0.001, 0.2, 1.0]), ratio()),
        (select(vec![1, most]), select(vec![1, Gradient2::MOST_WINDOWS]), select(vec![1, 2, 9])),
        prop::sample::select(vec![milli, Gradient2::LONGEST]),
    );
    let rule = rule.prop_map(|(tolerance, (smoothing, share), (queue, windows, calls), window)| {
        let rule = Gradient2::new().tolerance(tolerance).smoothing(smoothing).drop_share(share);
        let rule = rule.queue(queue).long_window(windows).min_calls(calls).window(window);
        AdaptiveLimit::gradient2(rule)
    });
    let timeout = prop::sample::select(vec![nano, milli, Duration::MAX]);
    let aimd = timeout.prop_map(|timeout| AdaptiveLimit::aimd(Aimd::new().timeout(timeout)));
    let late = proptest::option::of(duration());
    (prop_oneof![aimd, rule], select(vec![1, 3, most]), 0..3_u32, ratio(), late).prop_map(
        move |(settings, min, range, ratio, late)| {
            let max = min.saturating_add(range * range * 1_000).min(most);
            settings.min(min).max(max).max_waiting(range).backoff_ratio(ratio).abandoned_after(late)
        },
    )
}

/// Rates at the ends of what is allowed. A strict limit of a million is allowed too, and takes
/// eight megabytes each time.
fn rate() -> impl Strategy<Value = RateLimit> {
    let micro = Duration::from_micros(1);
    let period = vec![micro, Duration::from_secs(1), RateLimit::LONGEST];
    let count = prop::sample::select(vec![1, 2, 7, 3_000]);
    let burst = prop::sample::select(vec![1, 3, 521]);
    (count, prop::sample::select(period), burst, any::<bool>()).prop_map(
        |(count, period, burst, pace)| RateLimit::per(count, period).burst(burst).pace(pace),
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
    fn no_check_panics(
        (row, ratio, floor, probes) in
            (proptest::option::of(number()), proptest::option::of(float()), number(), number()),
        slow in proptest::option::of((duration(), float())),
        window in prop_oneof![duration().prop_map(Span::Time), number().prop_map(Span::Calls)],
        (hang, late, open) in (duration(), proptest::option::of(duration()), backoff()),
        (max, unasked, ramp, step) in (duration(), duration(), duration(), duration()),
    ) {
        let settings = CircuitBreaker::new()
            .consecutive_failures(row)
            .failure_ratio(ratio)
            .min_calls(floor)
            .window(window)
            .open_time(open)
            .probes(probes)
            .probe_time(hang)
            .abandoned_after(late);
        let settings = slow.map_or(settings, |(time, ratio)| settings.slow_calls(time, ratio));
        if let Err(error) = settings.check() {
            prop_assert!(!error.problems().is_empty() && !error.to_string().is_empty());
        }
        let _ = CoolDown::new().max(max).unasked(unasked).ramp(ramp).step(step).check();
        let (number, part) = (row.unwrap_or(7), ratio.unwrap_or(0.5));
        let rule = Gradient2::new().tolerance(part).queue(number).smoothing(part).drop_share(part);
        let rule = rule.long_window(probes).window(hang).min_calls(floor);
        for settings in [AdaptiveLimit::gradient2(rule), AdaptiveLimit::aimd(Aimd::new().timeout(hang))] {
            let settings = settings.min(number).max(floor).backoff_ratio(part).max_waiting(probes);
            let _ = (settings.check(), settings.initial(probes).check());
        }
        let _ = Concurrency::limit(probes).max_waiting(floor).max_wait(hang).check();
        for rate in [RateLimit::per(probes, hang).burst(floor), RateLimit::per(floor, open.longest())] {
            let _ = (rate.check(), rate.strict().check());
        }
        let share = ratio.unwrap_or(0.5);
        let throttle = Throttle::new().per_accepted(share).window(hang).max_rejection(share);
        let _ = throttle.min_requests(floor).check();
        for hedge in [Hedge::at_percentile(share * 100.0), Hedge::after(unasked)] {
            let hedge = hedge.min_observations(floor).extra_attempts(probes).memory(ramp);
            let _ = hedge.min_delay(step).max_delay(max).check();
        }
    }

    #[test]
    fn no_moment_and_no_draw_panics(
        (one, other) in (moment(), moment()),
        (short, long) in (duration(), duration()),
        (bits, number) in (any::<u64>(), any::<u64>()),
    ) {
        let _ = (one + short, one - long, one.since(other), other.since(one));
        let _ = Draw::new(bits).happens(f64::from_bits(number));
        let drawn = Draw::new(bits).nth(number).between(short, long);
        prop_assert!(drawn >= short && drawn <= short.max(long));
    }

    #[test]
    fn no_budget_panics(
        (ratio, reserve) in (float(), number()),
        (other, more) in (float(), number()),
        steps in prop::collection::vec(0..5_u8, 0..60),
    ) {
        let Ok(budget) = Budget::new(RetryBudget::new().ratio(ratio).reserve(reserve)) else {
            return Ok(());
        };
        let mut held = Vec::new();
        for step in steps {
            match step {
                0 => budget.deposit(),
                1 => held.extend(budget.withdraw()),
                2 => drop(held.pop()),
                3 => { let _ = budget.change(RetryBudget::new().ratio(other).reserve(more)); }
                _ => if let Some(extra) = held.pop() { extra.spend() },
            }
        }
        let _ = budget.snapshot();
    }

    #[test]
    fn no_breaker_panics(
        settings in extreme(),
        changes in prop::collection::vec(extreme(), 8),
        seed in any::<u64>(),
        steps in prop::collection::vec((0..9_u8, verdict(), moment()), 0..60),
    ) {
        let breaker = Breaker::new(settings, Draw::new(seed)).unwrap();
        let (mut tickets, mut changes) = (Vec::new(), changes.into_iter());
        for (step, verdict, now) in steps {
            match step {
                0..3 => if let Admission::Granted { ticket, .. } = breaker.admit(now) {
                    tickets.push(ticket);
                },
                3..6 => if let Some(ticket) = tickets.pop() {
                    let _ = breaker.settle(ticket, verdict, now);
                },
                6 => { let _ = breaker.isolate(); }
                7 => { let _ = (breaker.release(), breaker.reset()); }
                _ => if let Some(settings) = changes.next() {
                    breaker.change(settings, now).unwrap();
                },
            }
            let _ = (breaker.snapshot(now), breaker.would_refuse(now), breaker.at_rest_from());
        }
    }

    #[test]
    fn no_rate_limit_panics(
        strict in any::<bool>(),
        first in rate(),
        changes in prop::collection::vec(rate(), 8),
        steps in prop::collection::vec((0..10_u8, number(), moment(), moment()), 0..60),
    ) {
        let shaped = |rate: RateLimit| if strict { rate.strict() } else { rate };
        let limiter = Limiter::new(shaped(first)).unwrap();
        let mut changes = changes.into_iter();
        for (step, cost, since, now) in steps {
            match step {
                0..5 => { let _ = limiter.take(cost, since, now); }
                5..7 => { let _ = limiter.take(1, now, now); }
                7 => limiter.learn(Told { left: cost, reset: since }, now),
                _ => if let Some(rate) = changes.next() {
                    let _ = limiter.change(shaped(rate), now);
                },
            }
            let _ = (limiter.peek(cost, since, now), limiter.forecast(u64::MAX, cost, now));
            let _ = (limiter.forecast(cost.into(), 1, now), limiter.at_rest_from());
            let _ = limiter.snapshot(now);
        }
    }

    #[test]
    fn no_throttle_panics(
        (k, window) in (prop::sample::select(vec![1.0, 2.0, f64::MAX]), duration()),
        (cap, floor) in (prop::sample::select(vec![f64::MIN_POSITIVE, 0.9, 1.0]), number()),
        longest in any::<bool>(),
        steps in prop::collection::vec((0..5_u8, any::<u64>(), outcome(), moment()), 0..60),
    ) {
        let window = window.clamp(Duration::from_millis(1), Throttle::LONGEST);
        let settings = Throttle::new().per_accepted(k).window(window).max_rejection(cap);
        let settings = settings.min_requests(floor.max(1));
        let throttler = Throttler::new(settings).unwrap();
        let mut tickets = Vec::new();
        for (step, bits, outcome, now) in steps {
            match step {
                0..2 => match throttler.admit(now, Draw::new(bits)) {
                    throttle::Admission::Granted(ticket) => tickets.push(ticket),
                    throttle::Admission::Refused(refusal) => {
                        prop_assert!(refusal.probability > 0.0 && refusal.probability <= 1.0);
                        prop_assert!(refusal.probability <= cap || longest);
                    }
                },
                4 => {
                    let other = settings.max_rejection(1.0).window(Throttle::LONGEST);
                    throttler.change(if longest { other } else { settings }, now).unwrap();
                }
                _ => if let Some(ticket) = tickets.pop() {
                    throttler.settle(ticket, outcome.into(), now);
                },
            }
            let _ = (throttler.snapshot(now), throttler.at_rest_from());
        }
    }

    #[test]
    fn no_hedge_panics(
        (fixed, percentile, extra) in (duration(), 50.0..99.0_f64, 1..11_u32),
        (least, most, memory) in (duration(), duration(), duration()),
        changes in any::<bool>(),
        steps in prop::collection::vec((outcome(), duration(), number(), moment()), 0..60),
    ) {
        let nano = Duration::from_nanos(1);
        let most = most.clamp(nano, Hedge::LONGEST);
        let memory = memory.clamp(Duration::from_secs(1), Hedge::LONGEST_MEMORY);
        let observed = Hedge::at_percentile(percentile).min_observations(100);
        let observed = observed.min_delay(least.min(most)).max_delay(most).memory(memory);
        for settings in [Hedge::after(fixed.max(nano)), observed] {
            let settings = settings.extra_attempts(extra);
            let hedger = Hedger::new(settings).unwrap();
            for (n, &(outcome, took, sent, now)) in steps.iter().enumerate() {
                if changes && n % 3 == 0 {
                    hedger.change(Hedge::new().extra_attempts(extra)).unwrap();
                } else if changes && n % 3 == 1 {
                    hedger.change(settings).unwrap();
                }
                (0..9).for_each(|_| hedger.observe(outcome, took));
                let next = hedger.next_at(sent, now);
                prop_assert_eq!(next.is_some(), sent <= extra);
                prop_assert!(next.is_none_or(|next| next >= now));
                let _ = (hedger.snapshot(), hedger.at_rest_from());
            }
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
        let (mut inside, mut queue) = (Vec::new(), Vec::new());
        for (step, size) in steps {
            match step {
                0 | 1 => match slots.enter() {
                    Entry::Granted(slot) => inside.push(slot),
                    Entry::Queued(place) => queue.push(place),
                    Entry::Full => inside.extend(slots.try_enter()),
                },
                2 => match queue.pop().map(|place| slots.claim(place)) {
                    Some(Claim::Granted(slot, _)) => inside.push(slot),
                    Some(Claim::NotYet(place)) => queue.push(place),
                    None => {}
                },
                3 => if let Some(place) = queue.pop() {
                    let _ = slots.give_up(place);
                },
                4 => if let Some(slot) = inside.pop() {
                    let _ = slots.leave(slot);
                },
                _ => { let _ = slots.resize(size); }
            }
        }
        let _ = slots.snapshot();
    }

    #[test]
    fn no_adaptive_slots_panic(
        settings in adaptive(),
        changes in prop::collection::vec(adaptive(), 20),
        steps in prop::collection::vec((0..10_u8, outcome(), duration(), moment(), number()), 0..80),
    ) {
        let slots = AdaptiveSlots::new(settings).unwrap();
        let (mut inside, mut queue) = (Vec::new(), Vec::new());
        let (mut bounds, mut changes) = (settings.min..=settings.max, changes.into_iter());
        for (step, outcome, took, now, size) in steps {
            match step {
                0..3 => match slots.enter() {
                    Entry::Granted(slot) => inside.push(slot),
                    Entry::Queued(place) => queue.push(place),
                    Entry::Full => inside.extend(slots.try_enter()),
                },
                3 => match queue.pop().map(|place| slots.claim(place)) {
                    Some(Claim::Granted(slot, _)) => inside.push(slot),
                    Some(Claim::NotYet(place)) => queue.push(place),
                    None => {}
                },
                4 => if let Some(place) = queue.pop() {
                    let _ = slots.give_up(place);
                },
                5..7 => if let Some(slot) = inside.pop() {
                    let _ = slots.leave(slot, outcome, took, now);
                },
                7 => { let _ = slots.resize(size); }
                _ => if let Some(settings) = changes.next() {
                    if slots.change(settings).is_ok() {
                        bounds = settings.min..=settings.max;
                    }
                },
            }
            let _ = slots.at_rest_from();
            prop_assert!(bounds.contains(&slots.snapshot().limit));
        }
    }

    #[test]
    fn no_gate_panics(
        (max, ramp, step) in (1..1_000_000_u64, 0..32_u32, 1..1_000_000_u64),
        steps in prop::collection::vec((0..8_u8, moment(), duration(), moment()), 0..60),
    ) {
        let (max, step) = (Duration::from_micros(max), Duration::from_micros(step));
        let settings = CoolDown::new().max(max).unasked(max).ramp(step * ramp.min(31)).step(step);
        let gate = Gate::new(settings).unwrap();
        for (step, reset, asked, now) in steps {
            let _ = match step {
                0 => gate.tell(Signal::Throttled { asked: Some(asked) }, now),
                1 => gate.tell(Signal::Throttled { asked: None }, now),
                2 => gate.tell(Signal::Overloaded { asked }, now),
                3 => gate.tell(Signal::Exhausted { reset }, now),
                4 => { gate.queue_emptied(now); None }
                5 => { gate.change(CoolDown::new(), now).unwrap(); None }
                6 => { gate.change(settings, now).unwrap(); None }
                _ => { let _ = gate.take(now); None }
            };
            let _ = (gate.peek(now), gate.retry_in(now), gate.snapshot(now), gate.at_rest_from());
        }
    }
}

/// Everything that calls share can be shared by threads, and a token can travel with its call.
#[test]
fn machines_are_shared_and_tokens_travel() {
    fn shared<T: Send + Sync + 'static>() {}
    fn travels<T: Send + Sync + Unpin + 'static>() {}
    shared::<(AdaptiveSlots, Breaker, Budget, Gate, Hedger, Limiter, Slots, Throttler, Turnstile)>(
    );
    travels::<(Admission, Effect, Entry, Claim, Place, Tries, Extra<Arc<Budget>>)>();
    travels::<throttle::Admission>();
}
