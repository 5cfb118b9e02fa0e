use std::collections::VecDeque;
use std::time::Duration;

use mainstay_policy::Moment;
use mainstay_policy::cooldown::{CoolDown, Gate, GateState, Signal};
use mainstay_policy::turn::Turn;
use proptest::prelude::*;

use crate::{at, cases, ms};

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask,
    Throttled(Option<u64>),
    Overloaded(u64),
    Exhausted(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => Just(Step::Ask),
        1 => proptest::option::of(ASKED).prop_map(Step::Throttled),
        1 => (0..5_000_u64).prop_map(Step::Overloaded),
        1 => (0..5_000_u64).prop_map(Step::Exhausted),
    ]
}

const MAX: Duration = ms(3_000);
const RAMP: Duration = ms(700);
/// Longer than the ramp, so that nothing is learnt of it.
const ASKED: std::ops::Range<u64> = 701..5_000;
const STEP: Duration = ms(50);

proptest! {
    #![proptest_config(cases(1_000))]

    /// No call starts before the server allowed it (or the most we keep away), and then no more
    /// than twice as many in each step as in the one before.
    #[test]
    fn no_call_starts_too_soon_and_then_not_all_at_once(
        steps in prop::collection::vec((0..120_u64, step()), 1..300),
    ) {
        let gate = Gate::new(CoolDown::new().max(MAX).ramp(RAMP).step(STEP)).unwrap();
        let mut now = 0;
        let (mut closed_until, mut overloaded) = (None, None);
        let mut started = [0_u32; 14];
        for (after, step) in steps {
            now += after;
            let close = match step {
                Step::Ask => {
                    let turn = gate.take(at(now));
                    let state = gate.snapshot(at(now)).state;
                    match closed_until.map(|until: Moment| (until, at(now).since(until))) {
                        Some((until, _)) if at(now) < until => {
                            prop_assert_eq!(turn, Turn::At(until));
                            prop_assert_eq!(state, GateState::Closed);
                        }
                        Some((until, open)) if open < RAMP => {
                            prop_assert_eq!(state, GateState::Ramping);
                            let step = usize::try_from(open.as_nanos() / STEP.as_nanos()).unwrap();
                            if started[step] < 1 << step {
                                prop_assert_eq!(turn, Turn::Now);
                                started[step] += 1;
                            } else {
                                let next = STEP * u32::try_from(step + 1).unwrap();
                                prop_assert_eq!(turn, Turn::At(until + next.min(RAMP)));
                            }
                        }
                        Some(_) | None => {
                            prop_assert_eq!(turn, Turn::Now);
                            prop_assert_eq!(state, GateState::Open);
                        }
                    }
                    None
                }
                Step::Throttled(asked) => {
                    let signal = Signal::Throttled { asked: asked.map(ms) };
                    let _ = gate.tell(signal, at(now));
                    Some(asked.unwrap_or(1_000))
                }
                Step::Overloaded(asked) => {
                    let _ = gate.tell(Signal::Overloaded { asked: ms(asked) }, at(now));
                    let again = overloaded.is_some_and(|before| now - before <= 1_000);
                    overloaded = Some(now);
                    (again && asked > 0).then_some(asked)
                }
                Step::Exhausted(left) => {
                    let _ = gate.tell(Signal::Exhausted { reset: at(now + left) }, at(now));
                    (left > 0).then_some(left)
                }
            };
            let until = close.map(|asked| at(now) + ms(asked).min(MAX));
            if until > closed_until {
                closed_until = until;
                started = [0; 14];
            }
        }
    }
}

/// Takes so many per second, and a burst; nothing else is known of it.
struct Server {
    per_second: f64,
    burst: f64,
    level: f64,
    taken: u32,
    refused: u32,
}

impl Server {
    fn a_millisecond_passes(&mut self) {
        self.level = (self.level - self.per_second / 1_000.0).max(0.0);
    }

    fn takes(&mut self) -> bool {
        let has_room = self.level <= self.burst;
        if has_room {
            self.level += 1.0;
            self.taken += 1;
        } else {
            self.refused += 1;
        }
        has_room
    }
}

proptest! {
    #![proptest_config(cases(30))]

    /// Calls are there at all times, and the server says nothing but 429 to those that are too
    /// many: of two minutes' requests few are refused once it has said so the first time, and it is
    /// not left idle either. Of a hundred thousand cases 4.0 % and 0.55 were the worst.
    #[test]
    fn a_rate_that_nobody_says_is_learnt(
        per_second in 5_u32..500, burst in 1_u32..20, latency in 0_u64..50,
    ) {
        const MINUTES: u64 = 2;
        // As many as ask for more than the fastest server takes.
        const AT_ONCE: usize = 32;
        let gate = Gate::new(CoolDown::new()).unwrap();
        let (per_second, burst) = (f64::from(per_second), f64::from(burst));
        let mut server = Server { per_second, burst, level: 0.0, taken: 0, refused: 0 };
        // What is on its way when the first is refused is not held back.
        let mut told_first = None;
        let mut answers = VecDeque::<(u64, bool)>::new();
        for now in 0..MINUTES * 60_000 {
            server.a_millisecond_passes();
            while answers.front().is_some_and(|(due, _)| *due <= now) {
                let (_, is_taken) = answers.pop_front().unwrap();
                if !is_taken {
                    let _ = gate.tell(Signal::Throttled { asked: None }, at(now));
                    told_first.get_or_insert(server.refused);
                }
            }
            while answers.len() < AT_ONCE && gate.take(at(now)) == Turn::Now {
                answers.push_back((now + latency, server.takes()));
            }
        }
        let seconds = u32::try_from(MINUTES * 60).map(f64::from).unwrap();
        let taken = f64::from(server.taken) / (per_second * seconds);
        let refused = server.refused - told_first.unwrap_or_default();
        let refused = f64::from(refused) / f64::from(server.taken);
        prop_assert!(taken > 0.5, "{taken} is used");
        prop_assert!(refused < 0.05, "{refused} are refused");
    }
}
