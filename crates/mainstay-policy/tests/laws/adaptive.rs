//! Each rule against the formulas as they are published, step for step, in plain numbers.

use std::time::Duration;

use mainstay_policy::adaptive::{AdaptiveLimit, AdaptiveSlots, Aimd, Gradient2};
use mainstay_policy::concurrency::Slot;
use mainstay_policy::{Moment, Outcome};
use proptest::prelude::*;

use crate::{at, cases, ms};

/// How a call may end: well, dropped, or saying nothing.
fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        12 => Just(Outcome::Success),
        2 => Just(Outcome::Fatal),
        1 => Just(Outcome::Throttled),
        1 => Just(Outcome::Transient),
        1 => Just(Outcome::Invalid),
        1 => Just(Outcome::Refused),
    ]
}

fn is_drop(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Throttled | Outcome::Transient)
}

fn says_nothing(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Invalid | Outcome::Refused)
}

/// Enters until so many are in, or all that the limit lets in.
fn fill(slots: &AdaptiveSlots, inside: &mut Vec<Slot>, count: usize) {
    while inside.len() < count {
        match slots.try_enter() {
            Some(slot) => inside.push(slot),
            None => break,
        }
    }
}

proptest! {
    #![proptest_config(cases(500))]

    /// Dropped, or longer than the timeout: limit × ratio, without its fraction. Else one more,
    /// where twice those in flight are at least the limit.
    #[test]
    fn aimd_moves_as_published(
        (min, range, ratio) in (1..30_u32, 0..60_u32, 0.3..0.99_f64),
        steps in prop::collection::vec((0..100_usize, outcome(), 0..6_000_u64), 1..200),
    ) {
        let max = min + range;
        let settings =
            AdaptiveLimit::aimd(Aimd::new()).min(min).max(max).backoff_ratio(ratio);
        let slots = AdaptiveSlots::new(settings).unwrap();
        let mut limit = 20.0_f64.min(f64::from(max)).max(f64::from(min));
        let mut inside = Vec::new();
        for (count, outcome, took) in steps {
            fill(&slots, &mut inside, count);
            let in_flight = inside.len() as f64;
            let Some(slot) = inside.pop() else { continue };
            let effect = slots.leave(slot, outcome, ms(took), at(took));

            let before = limit;
            if is_drop(outcome) || (!says_nothing(outcome) && took > 5_000) {
                limit = (limit * ratio).floor();
            } else if !says_nothing(outcome) && in_flight * 2.0 >= limit {
                limit += 1.0;
            }
            limit = limit.min(f64::from(max)).max(f64::from(min));
            prop_assert_eq!(f64::from(slots.snapshot().limit), limit);
            let moved = effect.moved.map(|moved| (f64::from(moved.from), f64::from(moved.to)));
            prop_assert_eq!(moved, (before != limit).then_some((before, limit)));
        }
    }

    /// One call a window, so that each is a step.
    #[test]
    fn gradient2_moves_as_published(
        (min, range, queue) in (1..30_u32, 0..200_u32, 1..9_u32),
        (tolerance, smoothing, long_window) in (1.0..3.0_f64, 0.01..1.0_f64, 1..1_000_u32),
        steps in prop::collection::vec((1..100_usize, outcome(), 100..1_000_000_u64), 1..200),
    ) {
        let max = min + range;
        let rule = Gradient2::new()
            .queue(queue)
            .tolerance(tolerance)
            .smoothing(smoothing)
            .long_window(long_window)
            .min_calls(1);
        let settings = AdaptiveLimit::gradient2(rule).min(min).max(max);
        let slots = AdaptiveSlots::new(settings).unwrap();
        let mut published = Published::begins(&slots);
        let mut inside = Vec::new();
        // The first call begins the first window, and belongs to it.
        fill(&slots, &mut inside, 1);
        let first = inside.pop().unwrap();
        prop_assert!(slots.leave(first, Outcome::Success, ms(7), at(0)).moved.is_none());
        published.sum = 7_000.0;

        for (second, (count, outcome, micros)) in (1..).zip(steps) {
            fill(&slots, &mut inside, count);
            let in_flight = inside.len() as f64;
            // The slots keep their numbers to a part in a million, and after many steps to one in
            // some thousands; that may decide what is half of one and twice the other.
            let from_half = (in_flight * 2.0 - published.limit).abs();
            prop_assume!(from_half == 0.0 || from_half > published.limit * 1e-3);
            let Some(slot) = inside.pop() else { continue };
            let took = Duration::from_micros(micros);
            let _ = slots.leave(slot, outcome, took, at(second * 1_000));
            if !says_nothing(outcome) {
                published.window(&rule_of(tolerance, smoothing, long_window, queue), in_flight,
                    (!is_drop(outcome)).then_some(micros as f64));
                published.limit = published.limit.min(f64::from(max)).max(f64::from(min));
            }

            prop_assume!(published.from_twice > 1e-3);
            let limit = f64::from(slots.snapshot().limit);
            prop_assert!((min..=max).contains(&slots.snapshot().limit));
            let off = published.limit * 1e-3;
            let whole = [published.limit - off, published.limit, published.limit + off];
            let is_close = whole.map(f64::floor).contains(&limit);
            prop_assert!(is_close, "{limit}, published {}", published.limit);
            if published.windows > 0 {
                let usual = slots.snapshot().usual.unwrap().as_secs_f64() * 1e6;
                let is_close = (usual - published.long).abs() <= published.long * 1e-3;
                prop_assert!(is_close, "{usual}, published {}", published.long);
            }
        }
    }

    /// Whatever the rule: a limit that is less than half in use is not moved by how long calls
    /// take.
    #[test]
    fn a_limit_that_is_not_in_use_does_not_move(
        initial in 2..200_u32,
        times in prop::collection::vec(100..4_000_000_u64, 1..100),
    ) {
        let rules = [AdaptiveLimit::aimd(Aimd::new()), AdaptiveLimit::gradient2(Gradient2::new().min_calls(1))];
        for settings in rules {
            let slots = AdaptiveSlots::new(settings.initial(initial)).unwrap();
            let mut inside = Vec::new();
            for (second, &micros) in (0..).zip(&times) {
                fill(&slots, &mut inside, (initial as usize - 1) / 2);
                let Some(slot) = inside.pop() else { continue };
                let took = Duration::from_micros(micros);
                let effect = slots.leave(slot, Outcome::Success, took, at(second * 1_000));
                prop_assert_eq!(effect.moved, None);
            }
            prop_assert_eq!(slots.snapshot().limit, initial);
        }
    }

    /// With any outcomes, times and moments, and with changes by hand.
    #[test]
    fn the_limit_lies_inside_its_bounds_and_every_move_is_told_once(
        gradient2 in any::<bool>(),
        (min, range) in (1..20_u32, 0..40_u32),
        steps in prop::collection::vec(
            (0..60_usize, outcome(), 0..10_000_u64, 0..100_000_u64, 0..70_u32), 1..200),
    ) {
        let max = min + range;
        let settings = match gradient2 {
            true => AdaptiveLimit::gradient2(Gradient2::new().min_calls(2)),
            false => AdaptiveLimit::aimd(Aimd::new()),
        };
        let slots = AdaptiveSlots::new(settings.min(min).max(max)).unwrap();
        let mut told = slots.snapshot().limit;
        let mut inside = Vec::new();
        for (count, outcome, took, now, by_hand) in steps {
            fill(&slots, &mut inside, count);
            let left = inside.pop().map(|slot| slots.leave(slot, outcome, ms(took), at(now)));
            let set = (by_hand < 60).then(|| slots.resize(by_hand)).and_then(Result::ok);
            for moved in left.into_iter().chain(set).filter_map(|effect| effect.moved) {
                prop_assert_eq!(moved.from, told);
                prop_assert_ne!(moved.to, told);
                told = moved.to;
            }
            let snapshot = slots.snapshot();
            prop_assert_eq!(snapshot.limit, told);
            prop_assert!((min..=max).contains(&told));
            prop_assert_eq!(snapshot.in_use as usize, inside.len());
        }
    }
}

struct Rule {
    tolerance: f64,
    smoothing: f64,
    long_window: f64,
    queue: f64,
}

fn rule_of(tolerance: f64, smoothing: f64, long_window: u32, queue: u32) -> Rule {
    Rule { tolerance, smoothing, long_window: f64::from(long_window), queue: f64::from(queue) }
}

/// Gradient2 in plain numbers, with the first Gradient's answer to drops.
struct Published {
    limit: f64,
    long: f64,
    windows: u32,
    /// What is left in the window from the call that began it.
    sum: f64,
    /// How far the long time was from being twice the short one.
    from_twice: f64,
}

impl Published {
    fn begins(slots: &AdaptiveSlots) -> Self {
        Self {
            limit: f64::from(slots.snapshot().limit),
            long: 0.0,
            windows: 0,
            sum: 0.0,
            from_twice: 1.0,
        }
    }

    /// A window that holds one call: how long it took, or that it was dropped.
    fn window(&mut self, rule: &Rule, in_flight: f64, micros: Option<f64>) {
        let begun = std::mem::take(&mut self.sum);
        let Some(micros) = micros else {
            self.limit *= 0.9;
            return;
        };
        let short = if begun > 0.0 { f64::midpoint(begun, micros) } else { micros };
        if self.windows < 10 {
            let known = f64::from(self.windows);
            self.long = (self.long * known + short) / (known + 1.0);
            self.windows += 1;
        } else {
            let factor = 2.0 / (rule.long_window + 1.0);
            self.long = self.long * (1.0 - factor) + short * factor;
        }
        self.from_twice = (self.long / short - 2.0).abs();
        if self.long / short > 2.0 {
            self.long *= 0.95;
        }
        if in_flight < self.limit / 2.0 {
            return;
        }
        let gradient = (rule.tolerance * self.long / short).clamp(0.5, 1.0);
        let new = self.limit * gradient + rule.queue;
        self.limit = self.limit * (1.0 - rule.smoothing) + new * rule.smoothing;
    }
}

/// Windows are ended by the calls that come, whenever they come.
#[test]
fn while_time_stands_still_or_goes_back_no_window_ends_and_a_jump_ends_one() {
    let rule = Gradient2::new().min_calls(1).queue(10);
    let slots = AdaptiveSlots::new(AdaptiveLimit::gradient2(rule)).unwrap();
    let moves_at = |now: Moment| {
        let all: Vec<_> = (0..20).map_while(|_| slots.try_enter()).collect();
        let effects = all.into_iter().map(|slot| slots.leave(slot, Outcome::Success, ms(9), now));
        effects.filter(|effect| effect.moved.is_some()).count()
    };
    assert_eq!((0..50).map(|_| moves_at(at(0))).sum::<usize>(), 0);
    assert_eq!(moves_at(at(1_000_000_000)), 1);
    assert_eq!(moves_at(at(1_000)), 0);
    assert_eq!(moves_at(Moment::MIN), 0);
    assert_eq!(slots.snapshot().limit, 22);
}

/// What the limit is after each of these ends, while all of it is in use.
fn limits(slots: &AdaptiveSlots, ends: &[(Outcome, u64)]) -> Vec<u32> {
    let mut inside = Vec::new();
    let mut limit_after = |(second, &(outcome, took)): (u64, &(Outcome, u64))| {
        fill(slots, &mut inside, usize::MAX);
        let _ = slots.leave(inside.pop().unwrap(), outcome, ms(took), at(second * 1_000));
        slots.snapshot().limit
    };
    (0..).zip(ends).map(&mut limit_after).collect()
}

#[test]
fn aimd_with_its_defaults_goes_the_published_way() {
    use Outcome::{Success, Throttled, Transient};
    let slots = AdaptiveSlots::new(AdaptiveLimit::aimd(Aimd::new())).unwrap();
    let well = (Success, 5_000);
    let ill = [(Throttled, 1), (Transient, 1), (Success, 5_001)];
    let steps = [well, well, well, well, ill[0], ill[1], ill[2], well];
    assert_eq!(limits(&slots, &steps), [21, 22, 23, 24, 21, 18, 16, 17]);
}

/// 20.8, 21.6, 22.4, 23.2; then calls take ten times as long as usual, which is 280 ms by then:
/// 0.8 × 23.2 + 0.2 × (23.2 / 2 + 4) = 21.68; then twenty times: 20.312. Of 19.0808 a window of
/// drops leaves 17.17272.
#[test]
fn gradient2_with_its_defaults_goes_the_published_way() {
    use Outcome::{Success, Throttled};
    let rule = Gradient2::new().min_calls(1);
    let slots = AdaptiveSlots::new(AdaptiveLimit::gradient2(rule)).unwrap();
    let steps = [
        (Success, 100), // begins the first window
        (Success, 100),
        (Success, 100),
        (Success, 100),
        (Success, 100),
        (Success, 1_000),
        (Success, 2_000),
        (Success, 4_000),
        (Throttled, 1),
    ];
    assert_eq!(limits(&slots, &steps), [20, 20, 21, 22, 23, 21, 20, 19, 17]);
}
