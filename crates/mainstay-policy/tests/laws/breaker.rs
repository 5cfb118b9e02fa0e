//! The breaker against a plain one: a queue of results and no clever packing.

use std::collections::VecDeque;
use std::time::Duration;

use mainstay_policy::backoff::{Backoff, Jitter};
use mainstay_policy::breaker::{
    Admission, Breaker, BreakerState, Cause, CircuitBreaker, Span, Ticket, Transition, Verdict,
};
use mainstay_policy::{Draw, Moment};
use proptest::prelude::*;

use crate::{at, cases, ms};

const SLOW: Duration = ms(300);
const LATE: Duration = ms(500);
const PROBE_TIME: Duration = ms(700);

/// The rules, tenths for ratios.
#[derive(Clone, Copy, Debug)]
struct Rules {
    consecutive: Option<u32>,
    failure_tenths: Option<u32>,
    slow_tenths: Option<u32>,
    min_calls: u32,
    window: Span,
    probes: u32,
}

impl Rules {
    fn looks_back(self) -> bool {
        self.failure_tenths.or(self.slow_tenths).is_some()
    }

    fn settings(self) -> CircuitBreaker {
        let tenths = |tenths: u32| f64::from(tenths) / 10.0;
        let settings = CircuitBreaker::new()
            .consecutive_failures(self.consecutive)
            .failure_ratio(self.failure_tenths.map(tenths))
            .min_calls(self.min_calls)
            .window(self.window)
            .open_time(Backoff::exponential(ms(100)).cap(ms(1_000)).jitter(Jitter::None))
            .probes(self.probes)
            .probe_time(PROBE_TIME)
            .abandoned_after(Some(LATE));
        match self.slow_tenths {
            Some(ratio) => settings.slow_calls(SLOW, tenths(ratio)),
            None => settings,
        }
    }
}

fn rules() -> impl Strategy<Value = Rules> {
    let ratio = || proptest::option::of(1..=10_u32);
    let window = prop_oneof![
        (20..3_000_u64).prop_map(|time| Span::Time(ms(time))),
        (8..=64_u32).prop_map(Span::Calls),
    ];
    let all = (proptest::option::of(1..8_u32), ratio(), ratio(), 1..=8_u32, window, 1..5_u32);
    all.prop_map(|(consecutive, failure_tenths, slow_tenths, min_calls, window, probes)| Rules {
        consecutive: consecutive.or(Some(3).filter(|_| failure_tenths.or(slow_tenths).is_none())),
        failure_tenths,
        slow_tenths,
        min_calls,
        window,
        probes,
    })
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Admit,
    Settle(prop::sample::Index, Verdict),
    Wait(u64),
    Isolate,
    Release,
    Reset,
    Change(Rules),
}

fn step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        4 => Just(Verdict::Success),
        4 => Just(Verdict::Failure),
        2 => Just(Verdict::Abandoned),
        1 => Just(Verdict::Ignored),
    ];
    prop_oneof![
        20 => Just(Step::Admit),
        20 => (any::<prop::sample::Index>(), verdict).prop_map(|(i, v)| Step::Settle(i, v)),
        8 => (0..150_u64).prop_map(Step::Wait),
        2 => (0..2_000_u64).prop_map(Step::Wait),
        1 => prop_oneof![Just(Step::Isolate), Just(Step::Release), Just(Step::Reset)],
        1 => rules().prop_map(Step::Change),
    ]
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Closed,
    Open { until: u64 },
    HalfOpen { passed: u32, out: u32, newest: u64 },
    Isolated,
}

/// A breaker as one would write it with a lock around it. Times are milliseconds.
struct Model {
    rules: Rules,
    state: State,
    era: u64,
    openings: u32,
    in_a_row: u32,
    results: VecDeque<Kept>,
    counted: u64,
    /// When slices began to be counted.
    began: Option<u64>,
}

#[derive(Clone, Copy)]
struct Kept {
    slice: u128,
    failed: bool,
    slow: bool,
    /// Whether a rule asked for slow ones.
    told_slow: bool,
}

#[derive(Clone, Copy)]
struct Pass {
    era: u64,
    since: u64,
}

impl Model {
    fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: State::Closed,
            era: 0,
            openings: 0,
            in_a_row: 0,
            results: VecDeque::new(),
            counted: 0,
            began: None,
        }
    }

    fn change(&mut self, rules: Rules, now: u64) {
        if rules.window != self.rules.window || !self.rules.looks_back() {
            self.results.clear();
            self.began = Some(now);
        } else if self.rules.slow_tenths.is_none() {
            self.results.iter_mut().for_each(|kept| kept.told_slow = false);
        }
        self.rules = rules;
    }

    fn admit(&mut self, now: u64) -> Result<(Pass, bool), Option<u64>> {
        let mut first = false;
        match &mut self.state {
            State::Closed => {}
            State::Isolated => return Err(None),
            State::Open { until } if now < *until => return Err(Some(*until - now)),
            State::Open { .. } => {
                self.era += 1;
                self.state = State::HalfOpen { passed: 0, out: 1, newest: now };
                first = true;
            }
            State::HalfOpen { passed, out, newest } => {
                let needed = self.rules.probes.saturating_sub(*passed);
                let places = (*passed + 1).min(needed).max(1);
                let given_up = *newest + u64::try_from(PROBE_TIME.as_millis()).unwrap();
                if *out < places {
                    *out += 1;
                } else if now >= given_up {
                    self.era += 1;
                    *out = 1;
                } else {
                    return Err(Some(given_up - now));
                }
                *newest = now;
            }
        }
        Ok((Pass { era: self.era, since: now }, first))
    }

    fn settle(&mut self, pass: Pass, verdict: Verdict, now: u64) -> Option<Transition> {
        let took = ms(now - pass.since);
        let bad = verdict == Verdict::Failure || verdict == Verdict::Abandoned && took >= LATE;
        let good = verdict == Verdict::Success;
        let slow = (good || bad) && self.rules.slow_tenths.is_some() && took >= SLOW;
        if pass.era != self.era {
            return None;
        }
        match &mut self.state {
            State::Open { .. } | State::Isolated => None,
            State::Closed if !good && !bad => None,
            State::Closed => {
                let counts = bad && self.rules.consecutive.is_some();
                self.in_a_row = if counts { self.in_a_row + 1 } else { 0 };
                let slice = self.slice(now);
                let told_slow = self.rules.slow_tenths.is_some();
                self.results.push_back(Kept { slice, failed: bad, slow, told_slow });
                self.counted += 1;
                self.forget(now);
                let cause = self.cause(bad, slow)?;
                self.openings = 0;
                self.open(cause, now)
            }
            State::HalfOpen { passed, out, .. } => {
                *out -= 1;
                if bad || slow {
                    return self.open(Cause::ProbeFailed, now);
                }
                *passed += u32::from(good);
                if !good || *passed < self.rules.probes {
                    return None;
                }
                self.close();
                Some(Transition::Closed)
            }
        }
    }

    fn cause(&self, bad: bool, slow: bool) -> Option<Cause> {
        let exceeds = |is: fn(&Kept) -> Option<bool>, tenths: Option<u32>| {
            let told: Vec<_> = self.results.iter().filter_map(is).collect();
            let hits = told.iter().filter(|hit| **hit).count();
            let enough = told.len() >= self.rules.min_calls as usize;
            tenths.is_some_and(|t| enough && hits * 10 >= t as usize * told.len())
        };
        if bad && self.rules.consecutive.is_some_and(|limit| self.in_a_row >= limit) {
            Some(Cause::ConsecutiveFailures)
        } else if bad && exceeds(|kept| Some(kept.failed), self.rules.failure_tenths) {
            Some(Cause::FailureRatio)
        } else if slow
            && exceeds(|kept| kept.told_slow.then_some(kept.slow), self.rules.slow_tenths)
        {
            Some(Cause::SlowCalls)
        } else {
            None
        }
    }

    fn slice(&self, now: u64) -> u128 {
        match self.rules.window {
            Span::Time(time) => {
                let since = self.began.map_or(0, |began| at(began).as_nanos());
                u128::from(at(now).as_nanos() - since) / (time.as_nanos() / 10)
            }
            Span::Calls(_) => u128::from(self.counted),
        }
    }

    fn forget(&mut self, now: u64) {
        let newest = match self.rules.window {
            Span::Time(_) => self.slice(now),
            Span::Calls(_) => u128::from(self.counted.saturating_sub(1)),
        };
        let slices = match self.rules.window {
            Span::Calls(calls) => u128::from(calls),
            Span::Time(_) => 10,
        };
        self.results.retain(|kept| kept.slice + slices > newest);
    }

    fn open(&mut self, cause: Cause, now: u64) -> Option<Transition> {
        let open_time = (100 << self.openings.min(5)).min(1_000);
        self.openings += 1;
        self.state = State::Open { until: now + open_time };
        Some(Transition::Opened { until: at(now + open_time), cause })
    }

    fn close(&mut self) {
        self.era += 1;
        self.state = State::Closed;
        self.in_a_row = 0;
        self.results.clear();
    }

    fn by_hand(&mut self, step: Step) -> Option<Transition> {
        let was = self.state;
        match step {
            Step::Isolate => self.state = State::Isolated,
            Step::Release if was == State::Isolated => self.close(),
            Step::Reset => self.close(),
            _ => {}
        }
        match (was, self.state) {
            (was, now) if was == now => None,
            (_, State::Isolated) => Some(Transition::Isolated),
            _ => Some(Transition::Closed),
        }
    }
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn it_is_a_queue_of_results_with_a_lock_around_it(
        rules in rules(),
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let breaker = Breaker::new(rules.settings(), Draw::new(1)).unwrap();
        let mut model = Model::new(rules);
        let mut out: Vec<(Ticket, Pass)> = Vec::new();
        let mut now = 0;
        for step in steps {
            match step {
                Step::Wait(time) => now += time,
                Step::Admit => {
                    let refused = breaker.would_refuse(at(now));
                    match (breaker.admit(at(now)), model.admit(now)) {
                        (Admission::Granted { ticket, transition }, Ok((pass, first))) => {
                            prop_assert_eq!(transition, first.then_some(Transition::HalfOpened));
                            prop_assert_eq!(refused, None);
                            out.push((ticket, pass));
                        }
                        (Admission::Refused(refusal), Err(retry_in)) => {
                            prop_assert_eq!(refusal.retry_in, retry_in.map(ms));
                            prop_assert_eq!(refused, Some(refusal));
                        }
                        (admission, expected) => {
                            prop_assert!(false, "{:?}, not {:?}", admission, expected.is_ok());
                        }
                    }
                }
                Step::Settle(which, verdict) if !out.is_empty() => {
                    let (ticket, pass) = out.swap_remove(which.index(out.len()));
                    let transition = breaker.settle(ticket, verdict, at(now));
                    prop_assert_eq!(transition, model.settle(pass, verdict, now));
                }
                Step::Settle(..) => {}
                Step::Isolate => prop_assert_eq!(breaker.isolate(), model.by_hand(step)),
                Step::Release => prop_assert_eq!(breaker.release(), model.by_hand(step)),
                Step::Reset => prop_assert_eq!(breaker.reset(), model.by_hand(step)),
                Step::Change(rules) => {
                    prop_assert_eq!(breaker.change(rules.settings(), at(now)), Ok(()));
                    model.change(rules, now);
                }
            }
            let snapshot = breaker.snapshot(at(now));
            let expected = match model.state {
                State::Closed => (BreakerState::Closed, 0),
                State::Open { .. } => (BreakerState::Open, 0),
                State::HalfOpen { out, .. } => (BreakerState::HalfOpen, out),
                State::Isolated => (BreakerState::Isolated, 0),
            };
            prop_assert_eq!((snapshot.state, snapshot.probes_out), expected);
            if model.state == State::Closed {
                model.forget(now);
                let rules = model.rules;
                let counts = |is: fn(&Kept) -> bool, asked: bool| {
                    let hits = model.results.iter().filter(|kept| asked && is(kept)).count();
                    u64::try_from(hits).unwrap()
                };
                let failures = counts(|kept| kept.failed, rules.looks_back());
                let slow = counts(|kept| kept.slow && kept.told_slow, rules.slow_tenths.is_some());
                prop_assert_eq!((snapshot.failures, snapshot.slow_calls), (failures, slow));
            }
        }
    }

    /// A window of time holds what is younger than nine tenths of it and nothing that is older than
    /// it; one of calls holds the last so many, or up to a 32nd fewer.
    #[test]
    fn the_window_slides(
        window in prop_oneof![
            (20..3_000_u64).prop_map(|time| Span::Time(ms(time))),
            (2..3_000_u32).prop_map(Span::Calls),
        ],
        results in prop::collection::vec((0..60_u64, any::<bool>()), 1..400),
        pauses in prop::collection::vec((0..400_usize, 0..200_000_u64), 0..4),
    ) {
        let settings = CircuitBreaker::new()
            .consecutive_failures(None)
            .failure_ratio(Some(1.0))
            .min_calls(1)
            .window(window);
        prop_assume!(settings.check().is_ok());
        let breaker = Breaker::new(settings, Draw::new(1)).unwrap();
        let mut log: Vec<(u64, bool)> = Vec::new();
        let mut now = 0;
        for (n, (after, failed)) in results.into_iter().enumerate() {
            let pause = pauses.iter().find(|pause| pause.0 == n).map_or(0, |pause| pause.1);
            now += after + pause;
            let verdict = if failed { Verdict::Failure } else { Verdict::Success };
            // A success with each, so that it never opens.
            for (verdict, failed) in [(Verdict::Success, false), (verdict, failed)] {
                if let Admission::Granted { ticket, .. } = breaker.admit(at(now)) {
                    let transition = breaker.settle(ticket, verdict, at(now));
                    prop_assert_eq!(transition, None);
                    log.push((now, failed));
                }
            }
            let snapshot = breaker.snapshot(at(now));
            let younger = |micros: u128| {
                let young = |at: u64| u128::from(now - at) * 1_000 < micros;
                let count = |hit: bool| log.iter().filter(|r| young(r.0) && r.1 >= hit).count();
                (count(false) as u64, count(true) as u64)
            };
            let (calls, failures) = (snapshot.calls, snapshot.failures);
            match window {
                Span::Time(time) => {
                    let (most, least) = (time.as_micros(), time.as_micros() * 9 / 10);
                    let (most, least) = (younger(most), younger(least));
                    prop_assert!((least.0..=most.0).contains(&calls), "{calls} of {most:?}");
                    prop_assert!((least.1..=most.1).contains(&failures));
                }
                Span::Calls(size) => {
                    let all = log.len() as u64;
                    let size = u64::from(size);
                    let least = all.min(size - size / 32);
                    prop_assert!((least..=all.min(size)).contains(&calls), "{calls} of {size}");
                    let held = &log[log.len() - usize::try_from(calls).unwrap()..];
                    prop_assert_eq!(failures, held.iter().filter(|r| r.1).count() as u64);
                }
            }
        }
    }

    /// Whatever has happened, and however many calls never end: who keeps asking is let through.
    #[test]
    fn no_history_leaves_it_refusing_for_ever(
        mut rules in rules(),
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let breaker = Breaker::new(rules.settings(), Draw::new(1)).unwrap();
        let mut out: Vec<Ticket> = Vec::new();
        let mut now = Moment::ORIGIN;
        for step in steps {
            match step {
                Step::Wait(time) => now = now + ms(time),
                Step::Admit => {
                    if let Admission::Granted { ticket, .. } = breaker.admit(now) {
                        out.push(ticket);
                    }
                }
                Step::Settle(which, verdict) if !out.is_empty() => {
                    let ticket = out.swap_remove(which.index(out.len()));
                    let _ = breaker.settle(ticket, verdict, now);
                }
                Step::Change(other) => {
                    rules = other;
                    breaker.change(rules.settings(), now).unwrap();
                }
                Step::Settle(..) | Step::Isolate | Step::Release | Step::Reset => {}
            }
        }
        if let Admission::Refused(refusal) = breaker.admit(now) {
            let longest = ms(1_000).max(PROBE_TIME);
            prop_assert!(refusal.retry_in.is_some_and(|time| time <= longest), "{:?}", refusal);
            let then = now + refusal.retry_in.unwrap_or_default();
            let granted = matches!(breaker.admit(then), Admission::Granted { .. });
            prop_assert!(granted, "refused at the moment it named");
        }
        // And if the server is well from now on, it closes.
        for _ in 0..3 * rules.probes {
            now = now + ms(2_000);
            if let Admission::Granted { ticket, .. } = breaker.admit(now) {
                let _ = breaker.settle(ticket, Verdict::Success, now);
            }
        }
        prop_assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
