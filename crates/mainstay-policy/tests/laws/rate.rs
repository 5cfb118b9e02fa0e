use std::collections::VecDeque;
use std::time::Duration;

use mainstay_policy::Moment;
use mainstay_policy::rate_limit::{Limiter, RateLimit, Told};
use mainstay_policy::turn::Turn;
use proptest::prelude::*;

use crate::{cases, ms};

/// Time passes, then a call of this cost asks that has stood for so long; or the limits change.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ask { after: Duration, cost: u32, stood: Duration },
    Change { count: u32, period: Duration, burst: u32 },
}

fn pause() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        (0..1_000_u64).prop_map(Duration::from_nanos),
        (0..50_000_u64).prop_map(Duration::from_micros),
        (0..3_000_u64).prop_map(ms),
    ]
}

fn ask(most: u32) -> impl Strategy<Value = Step> {
    (pause(), 1..=most, pause()).prop_map(|(after, cost, stood)| Step::Ask { after, cost, stood })
}

fn rate() -> impl Strategy<Value = (u32, Duration)> {
    (1..200_u32, prop_oneof![Just(ms(100)), Just(ms(1_000)), Just(ms(7_013))])
}

fn change() -> impl Strategy<Value = Step> {
    (rate(), 1..12_u32).prop_map(|((count, period), burst)| Step::Change { count, period, burst })
}

fn with_changes() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(prop_oneof![12 => ask(3), 1 => change()], 1..150)
}

fn interval(count: u32, period: Duration) -> u128 {
    period.as_nanos().div_ceil(count.into())
}

/// A bucket of tokens, filled as time passes, counted in nanoseconds of filling.
struct Bucket {
    saved: u128,
    burst: u128,
    interval: u128,
}

impl Bucket {
    fn fill(&mut self, time: Duration) {
        self.saved = (self.saved + time.as_nanos()).min(self.burst * self.interval);
    }

    fn start(&mut self, cost: u32) -> bool {
        let cost = u128::from(cost) * self.interval;
        let starts = cost <= self.saved;
        self.saved -= if starts { cost } else { 0 };
        starts
    }
}

proptest! {
    #![proptest_config(cases(500))]

    /// Where nobody stands, a smooth limit is a token bucket, start for start.
    #[test]
    fn a_smooth_limit_is_a_token_bucket(
        (count, period) in rate(),
        burst in 1..12_u32,
        steps in prop::collection::vec(ask(3), 1..150),
    ) {
        let limiter = Limiter::new(RateLimit::per(count, period).burst(burst)).unwrap();
        let interval = interval(count, period);
        let mut bucket =
            Bucket { saved: interval * u128::from(burst), burst: burst.into(), interval };
        let mut now = Moment::ORIGIN;
        for step in steps {
            let Step::Ask { after, cost, .. } = step else { continue };
            now = now + after;
            bucket.fill(after);
            prop_assert_eq!(u128::from(limiter.snapshot(now).available), bucket.saved / interval);
            match limiter.take(cost, now, now) {
                Turn::Now => prop_assert!(bucket.start(cost)),
                Turn::At(then) => {
                    prop_assert!(then > now);
                    let short = u128::from(cost) * interval - bucket.saved;
                    prop_assert_eq!(then.since(now).as_nanos(), short);
                }
                Turn::Never => prop_assert!(cost > burst),
            }
        }
    }

    /// In any time: cost ≤ burst + rate × (time + `CATCH_UP`), waiters that wake late and changes of
    /// the limits included.
    #[test]
    fn the_smooth_bound_holds_in_every_window(
        (count, period) in rate(),
        burst in 1..12_u32,
        steps in with_changes(),
    ) {
        let limiter = Limiter::new(RateLimit::per(count, period).burst(burst)).unwrap();
        let mut now = Moment::ORIGIN;
        // What was in force since when, as interval and burst; and what started when.
        let mut paces = vec![(now, interval(count, period) as f64, burst)];
        let mut starts: Vec<(Moment, u32)> = Vec::new();
        for step in steps {
            match step {
                Step::Ask { after, cost, stood } => {
                    now = now + after;
                    if limiter.take(cost, now - stood, now) == Turn::Now {
                        starts.push((now, cost));
                    }
                }
                Step::Change { count, period, burst } => {
                    limiter.change(RateLimit::per(count, period).burst(burst), now).unwrap();
                    paces.push((now, interval(count, period) as f64, burst));
                }
            }
        }
        let ends = paces.iter().skip(1).map(|pace| pace.0).chain([now]);
        let paces: Vec<_> = paces.iter().zip(ends).collect();
        for (i, &(from, _)) in starts.iter().enumerate() {
            let mut cost = 0;
            for &(to, one) in &starts[i..] {
                cost += one;
                let (mut given, mut burst, mut fastest) = (0.0, 0, f64::MAX);
                for &(&(since, interval, of), until) in &paces {
                    // A change at the very moment of a start may be before it or after it.
                    if since <= to && until >= from {
                        let time = until.min(to).since(since.max(from));
                        given += time.as_nanos() as f64 / interval;
                        burst = burst.max(of);
                        fastest = interval.min(fastest);
                    }
                }
                given += Limiter::CATCH_UP.as_nanos() as f64 / fastest;
                let bound = f64::from(burst) + given + 1e-6;
                prop_assert!(f64::from(cost) <= bound, "{cost} of {bound} in {:?}", to.since(from));
            }
        }
    }

    /// Who comes when told is let through, and at no earlier moment would have been.
    #[test]
    fn what_it_says_is_exact(
        (count, period) in rate(),
        burst in 1..12_u32,
        strict in any::<bool>(),
        steps in prop::collection::vec(ask(3), 1..60),
    ) {
        let settings = RateLimit::per(count.max(3), period);
        let settings = if strict { settings.strict() } else { settings.burst(burst.max(3)) };
        let limiter = Limiter::new(settings).unwrap();
        let mut now = Moment::ORIGIN;
        for step in steps {
            let Step::Ask { after, cost, .. } = step else { continue };
            now = now + after;
            prop_assert_eq!(limiter.forecast(0, cost, now), limiter.peek(cost, now, now));
            if let Turn::At(then) = limiter.peek(cost, now, now) {
                let before = then - Duration::from_nanos(1);
                prop_assert_eq!(limiter.peek(cost, before, before), Turn::At(then));
                now = then;
            }
            prop_assert_eq!(limiter.take(cost, now, now), Turn::Now);
        }
    }

    /// A forecast is when the last of so many would start if each came as soon as it could.
    #[test]
    fn a_forecast_comes_true(
        (count, period) in rate(),
        burst in 1..12_u32,
        strict in any::<bool>(),
        started in 0..20_u32,
        ahead in 0..400_u32,
    ) {
        let settings = RateLimit::per(count, period);
        let settings = if strict { settings.strict() } else { settings.burst(burst) };
        let limiter = Limiter::new(settings).unwrap();
        let mut now = Moment::ORIGIN;
        for _ in 0..started {
            now = now + ms(3);
            let _ = limiter.take(1, now, now);
        }
        let (asked, forecast) = (now, limiter.forecast(ahead.into(), 1, now));
        for _ in 0..=ahead {
            if let Turn::At(then) = limiter.take(1, now, now) {
                now = then;
                prop_assert_eq!(limiter.take(1, now, now), Turn::Now);
            }
        }
        match forecast {
            Turn::At(then) => prop_assert_eq!(then, now),
            Turn::Now => prop_assert_eq!(asked, now),
            Turn::Never => prop_assert!(false, "a cost of one never starts"),
        }
    }

    /// A strict limit lets a call start exactly when the window has room for it.
    #[test]
    fn a_strict_limit_is_a_log_of_starts(
        (count, period) in rate(),
        steps in prop::collection::vec(ask(4), 1..150),
    ) {
        let limiter = Limiter::new(RateLimit::per(count, period).strict()).unwrap();
        let mut log = VecDeque::new();
        let mut now = Moment::ORIGIN;
        for step in steps {
            let Step::Ask { after, cost, .. } = step else { continue };
            now = now + after;
            while log.front().is_some_and(|&start: &Moment| start + period <= now) {
                log.pop_front();
            }
            prop_assert_eq!(limiter.snapshot(now).available as usize, count as usize - log.len());
            let room = log.len() + cost as usize <= count as usize;
            match limiter.take(cost, now, now) {
                Turn::Now => {
                    prop_assert!(room);
                    log.extend((0..cost).map(|_| now));
                }
                Turn::At(_) => prop_assert!(!room),
                Turn::Never => prop_assert!(cost > count),
            }
        }
    }

    /// No start is one too many for the limits it was made under, whatever they were before.
    #[test]
    fn the_strict_bound_holds_in_every_window(
        (count, period) in rate(),
        steps in with_changes(),
    ) {
        let limiter = Limiter::new(RateLimit::per(count, period).strict()).unwrap();
        let mut limits = (count, period);
        let mut starts: Vec<(Moment, u32)> = Vec::new();
        let mut now = Moment::ORIGIN;
        let mut refused = 0;
        for step in steps {
            match step {
                Step::Ask { after, cost, .. } => {
                    now = now + after;
                    if limiter.take(cost, now, now) == Turn::Now {
                        starts.push((now, cost));
                        let (count, period) = limits;
                        let within = starts.iter().filter(|(start, _)| *start + period > now);
                        let within: u32 = within.map(|(_, cost)| cost).sum();
                        prop_assert!(within <= count, "{within} of {count} in {period:?}");
                    } else {
                        refused += 1;
                    }
                }
                Step::Change { count, period, .. } => {
                    limiter.change(RateLimit::per(count, period).strict(), now).unwrap();
                    limits = (count, period);
                }
            }
        }
        // Safe is not enough: after the longest period there is room again, whatever happened.
        now = now + ms(7_013);
        prop_assert_eq!(limiter.snapshot(now).available, limits.0, "{} refused", refused);
    }

    /// Until the reset, no more cost starts than the server said was left.
    #[test]
    fn what_a_server_says_is_left_is_not_exceeded(
        strict in any::<bool>(),
        pace in any::<bool>(),
        tells in prop::collection::vec((0..30_u32, 0..4_000_u64), 1..8),
        asks in prop::collection::vec((0..40_u64, 1..3_u32), 1..200),
    ) {
        let settings = RateLimit::per_second(500).pace(pace);
        let limiter = Limiter::new(if strict { settings.strict() } else { settings.burst(50) });
        let limiter = limiter.unwrap();
        let every = asks.len().div_ceil(tells.len());
        let mut tells = tells.into_iter();
        let mut now = Moment::ORIGIN;
        let (mut reset, mut left) = (Moment::ORIGIN, u32::MAX);
        for (n, (after, cost)) in asks.into_iter().enumerate() {
            now = now + ms(after);
            if n % every == 0 {
                if let Some((told, later)) = tells.next() {
                    // A later reset supersedes, and a sooner one that is tighter; for the same one
                    // the least counts, until it.
                    let new = now + ms(later);
                    limiter.learn(Told { left: told, reset: new }, now);
                    let sooner = new + ms(1_000) < reset;
                    let supersedes = now >= reset
                        || new > reset + ms(1_000)
                        || sooner && told < left;
                    if new > now {
                        left = if supersedes || sooner { left } else { left.min(told) };
                        (left, reset) = if supersedes { (told, new) } else { (left, reset) };
                    }
                }
            }
            if limiter.take(cost, now, now) == Turn::Now && now < reset {
                prop_assert!(cost <= left, "{cost} of {left} left");
                left -= cost;
            }
        }
    }
}
