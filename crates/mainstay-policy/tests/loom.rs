//! Models of everything that threads share, run through every interleaving.
//!
//! `RUSTFLAGS="--cfg mainstay_loom" cargo test -p mainstay-policy --release --test loom`
#![cfg(mainstay_loom)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a model fails by panicking")]

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use loom::thread::{self, JoinHandle};
use mainstay_policy::adaptive::{AdaptiveLimit, AdaptiveSlots, Aimd, Effect, Gradient2};
use mainstay_policy::backoff::Backoff;
use mainstay_policy::breaker::{
    Admission, Breaker, BreakerState, CircuitBreaker, Span, Ticket, Transition, Verdict,
};
use mainstay_policy::budget::{Budget, RetryBudget};
use mainstay_policy::concurrency::{Claim, Concurrency, Entry, Slots, Waiting, Wake};
use mainstay_policy::cooldown::{CoolDown, Gate, Signal};
use mainstay_policy::hedge::{Hedge, Hedger};
use mainstay_policy::rate_limit::{Limiter, RateLimit, Told};
use mainstay_policy::throttle::{self, Throttle, Throttler};
use mainstay_policy::turn::{Arrival, Turn, Turnstile};
use mainstay_policy::{Draw, Moment, Outcome};

fn at(millis: u64) -> Moment {
    Moment::ORIGIN + ms(millis)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Both ways that there are to look at a word; each finds what the other does not.
fn model(f: impl Fn() + Send + Sync + 'static) {
    let f = std::sync::Arc::new(f);
    for by_exchange in [false, true] {
        mainstay_policy::look_by_exchange(by_exchange);
        let f = f.clone();
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(move || f());
    }
}

fn on_a_thread<S, T>(shared: &Arc<S>, f: impl FnOnce(&S) -> T + 'static) -> JoinHandle<T>
where
    S: 'static,
    T: 'static,
{
    let shared = shared.clone();
    thread::spawn(move || f(&shared))
}

mod breaker {
    use super::*;

    const OPEN_TIME: u64 = 10;

    /// One failure opens it for ten milliseconds; so many probes close it; a probe may hang for a
    /// hundred.
    fn half_open(probes: u32) -> Arc<Breaker> {
        let settings = CircuitBreaker::new()
            .consecutive_failures(Some(1))
            .failure_ratio(None)
            .open_time(Backoff::constant(ms(OPEN_TIME)))
            .probes(probes)
            .probe_time(ms(100));
        let breaker = Breaker::new(settings, Draw::new(1)).unwrap();
        let failing = ticket(breaker.admit(at(0))).unwrap();
        assert!(breaker.settle(failing, Verdict::Failure, at(0)).is_some());
        Arc::new(breaker)
    }

    pub(crate) fn ticket(admission: Admission) -> Option<Ticket> {
        match admission {
            Admission::Granted { ticket, .. } => Some(ticket),
            Admission::Refused(_) => None,
        }
    }

    #[test]
    fn of_two_that_find_the_open_time_over_one_is_the_probe() {
        model(|| {
            let breaker = half_open(1);
            let other = on_a_thread(&breaker, |breaker| ticket(breaker.admit(at(10))));
            let mine = ticket(breaker.admit(at(10)));
            let theirs = other.join().unwrap();
            assert_eq!(usize::from(mine.is_some()) + usize::from(theirs.is_some()), 1);
            assert_eq!(breaker.snapshot(at(10)).probes_out, 1);
        });
    }

    #[test]
    fn a_dropped_probe_makes_room_for_exactly_one() {
        model(|| {
            let breaker = half_open(1);
            let probe = ticket(breaker.admit(at(10))).unwrap();
            let others = [11, 12]
                .map(|now| on_a_thread(&breaker, move |breaker| ticket(breaker.admit(at(now)))));
            assert_eq!(breaker.settle(probe, Verdict::Abandoned, at(11)), None);
            let granted = others.map(|other| other.join().unwrap());
            let granted = granted.into_iter().flatten().count();
            assert!(granted <= 1);
            assert_eq!(breaker.snapshot(at(12)).probes_out as usize, granted);
            // Whatever happened, nothing is lost: there is room for one all in all.
            assert_eq!(ticket(breaker.admit(at(12))).is_some(), granted == 0);
        });
    }

    #[test]
    fn two_probes_that_succeed_close_it_once() {
        model(|| {
            let breaker = half_open(3);
            let first = ticket(breaker.admit(at(10))).unwrap();
            assert_eq!(breaker.settle(first, Verdict::Success, at(10)), None);
            let probes = [(); 2].map(|()| ticket(breaker.admit(at(10))).unwrap());
            let [one, two] = probes.map(|probe| {
                on_a_thread(&breaker, move |breaker| {
                    breaker.settle(probe, Verdict::Success, at(11))
                })
            });
            let transitions = [one.join().unwrap(), two.join().unwrap()];
            let closed = transitions.iter().flatten().filter(|&&t| t == Transition::Closed);
            assert_eq!(closed.count(), 1);
            assert_eq!(breaker.state(), BreakerState::Closed);
        });
    }

    #[test]
    fn a_probe_that_fails_beside_one_that_succeeds_leaves_it_open() {
        model(|| {
            let breaker = half_open(3);
            let first = ticket(breaker.admit(at(10))).unwrap();
            assert_eq!(breaker.settle(first, Verdict::Success, at(10)), None);
            let [good, bad] = [(); 2].map(|()| ticket(breaker.admit(at(10))).unwrap());
            let other =
                on_a_thread(&breaker, |breaker| breaker.settle(good, Verdict::Success, at(11)));
            let opened = breaker.settle(bad, Verdict::Failure, at(11));
            assert!(matches!(opened, Some(Transition::Opened { .. })));
            assert_eq!(other.join().unwrap(), None);
            assert_eq!(breaker.state(), BreakerState::Open);
        });
    }

    #[test]
    fn of_two_that_give_a_hanging_probe_up_one_takes_its_place() {
        model(|| {
            let breaker = half_open(1);
            let hanging = ticket(breaker.admit(at(10))).unwrap();
            let other = on_a_thread(&breaker, |breaker| ticket(breaker.admit(at(110))));
            let mine = ticket(breaker.admit(at(111)));
            let theirs = other.join().unwrap();
            assert_eq!(usize::from(mine.is_some()) + usize::from(theirs.is_some()), 1);
            assert_eq!(breaker.settle(hanging, Verdict::Success, at(112)), None);
            assert_eq!(breaker.snapshot(at(112)).probes_out, 1);
        });
    }

    /// The word of the newest probe is raised before the place is taken; else a newcomer could
    /// find the place taken, look at an older probe's moment and give the new one up at once.
    #[test]
    fn a_probe_that_has_just_gone_out_is_not_given_up() {
        model(|| {
            let breaker = half_open(1);
            let old = ticket(breaker.admit(at(10))).unwrap();
            assert!(breaker.settle(old, Verdict::Failure, at(10)).is_some());
            // Open again until 20; whoever asks at 200 is the probe of a new half-open.
            let other = on_a_thread(&breaker, |breaker| ticket(breaker.admit(at(200))));
            let mine = ticket(breaker.admit(at(200)));
            let theirs = other.join().unwrap();
            assert_eq!(usize::from(mine.is_some()) + usize::from(theirs.is_some()), 1);
        });
    }

    #[test]
    fn an_old_answer_beside_the_opening_is_no_answer_to_the_probe() {
        model(|| {
            let settings = CircuitBreaker::new()
                .consecutive_failures(Some(1))
                .failure_ratio(None)
                .open_time(Backoff::constant(ms(OPEN_TIME)))
                .probes(1);
            let breaker = Arc::new(Breaker::new(settings, Draw::new(1)).unwrap());
            let [slow, failing] = [(); 2].map(|()| ticket(breaker.admit(at(0))).unwrap());
            let other =
                on_a_thread(&breaker, |breaker| breaker.settle(slow, Verdict::Success, at(9)));
            assert!(breaker.settle(failing, Verdict::Failure, at(0)).is_some());
            let _probe = ticket(breaker.admit(at(10))).unwrap();
            assert_eq!(other.join().unwrap(), None);
            assert_eq!(breaker.snapshot(at(10)).probes_out, 1);
            assert_eq!(breaker.state(), BreakerState::HalfOpen);
        });
    }

    /// A window of one result: whoever counts late must not undo what came after it.
    #[test]
    fn of_two_failures_that_fill_the_window_one_opens_it() {
        model(|| {
            let settings = CircuitBreaker::new()
                .consecutive_failures(None)
                .failure_ratio(Some(1.0))
                .min_calls(1)
                .window(Span::Calls(1))
                .open_time(Backoff::constant(ms(OPEN_TIME)));
            let breaker = Arc::new(Breaker::new(settings, Draw::new(1)).unwrap());
            let fails = |breaker: &Breaker| {
                let ticket = ticket(breaker.admit(at(0)))?;
                breaker.settle(ticket, Verdict::Failure, at(0))
            };
            let other = on_a_thread(&breaker, fails);
            let mine = fails(&breaker);
            let opened = [mine, other.join().unwrap()].into_iter().flatten().count();
            assert_eq!(opened, 1);
        });
    }

    #[test]
    fn of_two_failures_one_opens_it() {
        model(|| {
            let settings = CircuitBreaker::new()
                .consecutive_failures(Some(2))
                .failure_ratio(None)
                .open_time(Backoff::constant(ms(OPEN_TIME)));
            let breaker = Arc::new(Breaker::new(settings, Draw::new(1)).unwrap());
            let fails = |breaker: &Breaker| {
                let ticket = ticket(breaker.admit(at(0))).unwrap();
                breaker.settle(ticket, Verdict::Failure, at(0))
            };
            let other = on_a_thread(&breaker, fails);
            let mine = fails(&breaker);
            let opened = [mine, other.join().unwrap()].into_iter().flatten().count();
            assert_eq!(opened, 1);
        });
    }
}

mod changed_breaker {
    use super::breaker::ticket;
    use super::*;

    fn settings() -> CircuitBreaker {
        CircuitBreaker::new().open_time(Backoff::constant(ms(10)))
    }

    #[test]
    fn a_failure_beside_a_change_counts_by_the_old_row_or_by_the_new_one() {
        model(|| {
            let rows = |row| settings().failure_ratio(None).consecutive_failures(Some(row));
            let breaker = Arc::new(Breaker::new(rows(3), Draw::new(1)).unwrap());
            let fails = |breaker: &Breaker| {
                let ticket = ticket(breaker.admit(at(0))).unwrap();
                breaker.settle(ticket, Verdict::Failure, at(0)).is_some()
            };
            assert!(!fails(&breaker));
            let other = on_a_thread(&breaker, fails);
            breaker.change(rows(2), at(0)).unwrap();
            let opened = other.join().unwrap();
            assert!(opened || fails(&breaker), "the third failure opens it by either");
            assert_eq!(breaker.state(), BreakerState::Open);
        });
    }

    /// Every result moves a window of results on.
    #[test]
    fn a_failure_beside_a_change_of_the_window_counts_once_or_not_and_leaves() {
        model(|| {
            let last = |calls| {
                let settings = settings().consecutive_failures(None).failure_ratio(Some(1.0));
                settings.min_calls(1).window(Span::Calls(calls))
            };
            let breaker = Arc::new(Breaker::new(last(2), Draw::new(1)).unwrap());
            let settles = |breaker: &Breaker, verdict| {
                let ticket = ticket(breaker.admit(at(0))).unwrap();
                breaker.settle(ticket, verdict, at(0)).is_some()
            };
            assert!(!settles(&breaker, Verdict::Success));
            let other = on_a_thread(&breaker, move |breaker| settles(breaker, Verdict::Success));
            breaker.change(last(1), at(0)).unwrap();
            assert!(!other.join().unwrap());
            assert!(breaker.snapshot(at(0)).calls <= 1);
            // It may have come to lie beside the one from before, but never beside the next.
            let fails = || settles(&breaker, Verdict::Failure);
            assert!(fails() || fails(), "one result is all that is held");
            assert_eq!(breaker.snapshot(at(0)).calls, 1);
        });
    }
}

mod budget {
    use super::*;

    fn budget(ratio: f64, reserve: u32) -> Arc<Budget> {
        Arc::new(Budget::new(RetryBudget::new().ratio(ratio).reserve(reserve)).unwrap())
    }

    #[test]
    fn the_last_extra_is_paid_for_once() {
        model(|| {
            let budget = budget(0.0, 1);
            let spends = |budget: &Budget| budget.withdraw().map(|extra| extra.spend()).is_some();
            let other = on_a_thread(&budget, spends);
            let mine = spends(&budget);
            assert!(mine ^ other.join().unwrap());
        });
    }

    #[test]
    fn a_refund_is_neither_lost_nor_counted_twice() {
        model(|| {
            let budget = budget(1.0, 2);
            let held = budget.withdraw().unwrap();
            let refunds = on_a_thread(&budget, |budget| drop(budget.withdraw()));
            let deposits = on_a_thread(&budget, |budget| {
                budget.deposit();
                budget.deposit();
            });
            held.spend();
            refunds.join().unwrap();
            deposits.join().unwrap();
            let snapshot = budget.snapshot();
            assert_eq!(snapshot.waiting, 0);
            // Two in reserve, one spent, and deposits that came before the spending found it full.
            assert!((1..=2).contains(&snapshot.available), "{snapshot:?}");
        });
    }

    #[test]
    fn what_is_paid_in_while_all_is_held_is_not_saved_up_beyond_the_reserve() {
        model(|| {
            let budget = budget(1.0, 1);
            let held = budget.withdraw().unwrap();
            let deposits = on_a_thread(&budget, Budget::deposit);
            let other = on_a_thread(&budget, |budget| budget.withdraw().map(|e| e.spend()));
            drop(held);
            deposits.join().unwrap();
            let spent = u32::from(other.join().unwrap().is_some());
            let left = budget.snapshot().available;
            // One in reserve and one paid in, of which at most one can be saved up at a time.
            assert!(left <= 1 && spent + left <= 2, "{spent} spent, {left} left");
        });
    }

    #[test]
    fn what_is_paid_in_beside_a_cut_is_not_saved_up_beyond_the_new_reserve() {
        model(|| {
            let budget = budget(1.0, 2);
            budget.withdraw().unwrap().spend();
            let deposits = on_a_thread(&budget, Budget::deposit);
            let refunds = on_a_thread(&budget, |budget| drop(budget.withdraw()));
            budget.change(RetryBudget::new().ratio(1.0).reserve(1)).unwrap();
            deposits.join().unwrap();
            refunds.join().unwrap();
            let snapshot = budget.snapshot();
            assert_eq!((snapshot.available, snapshot.waiting, snapshot.reserve), (1, 0, 1));
        });
    }
}

mod turns {
    use super::*;

    /// The first leaves while another arrives: either the newcomer finds nobody and passes, or it
    /// stands and the one who leaves sees it and wakes it.
    #[test]
    fn nobody_is_left_standing_unseen() {
        model(|| {
            let turnstile = Arc::new(Turnstile::new());
            let place = turnstile.join(1, 10).unwrap();
            let newcomer = on_a_thread(&turnstile, |turnstile| match turnstile.arrive() {
                Arrival::Pass => None,
                Arrival::Stand => Some(turnstile.join(2, 10).unwrap()),
            });
            let seen = turnstile.leave(place).calls;
            let stands = newcomer.join().unwrap();
            let ahead = turnstile.ahead();
            assert_eq!(ahead.calls, u32::from(stands.is_some()));
            assert_eq!(ahead.cost, if stands.is_some() { 2 } else { 0 });
            // Unseen by the leaver means that it joined after, when it was itself the first.
            assert!(seen <= ahead.calls);
        });
    }

    #[test]
    fn of_two_that_leave_the_last_one_sees_that_nobody_stands() {
        model(|| {
            let turnstile = Arc::new(Turnstile::new());
            let [one, two] = [1, 2].map(|cost| turnstile.join(cost, 10).unwrap());
            let other = on_a_thread(&turnstile, |turnstile| turnstile.leave(one).calls);
            let mine = turnstile.leave(two).calls;
            let mut seen = [mine, other.join().unwrap()];
            seen.sort_unstable();
            assert_eq!(seen, [0, 1]);
            assert_eq!(turnstile.ahead().cost, 0);
        });
    }

    #[test]
    fn the_last_place_is_taken_once() {
        model(|| {
            let turnstile = Arc::new(Turnstile::new());
            let other = on_a_thread(&turnstile, |turnstile| turnstile.join(1, 1).is_ok());
            let mine = turnstile.join(1, 1).is_ok();
            assert!(mine ^ other.join().unwrap());
        });
    }
}

mod rate {
    use super::*;

    fn limiter(settings: RateLimit) -> Arc<Limiter> {
        Arc::new(Limiter::new(settings).unwrap())
    }

    fn starts(limiter: &Limiter, cost: u32, millis: u64) -> bool {
        limiter.take(cost, at(millis), at(millis)) == Turn::Now
    }

    #[test]
    fn a_smooth_turn_is_given_once() {
        model(|| {
            let limiter = limiter(RateLimit::per_second(1));
            let other = on_a_thread(&limiter, |limiter| starts(limiter, 1, 0));
            let mine = starts(&limiter, 1, 0);
            assert!(mine ^ other.join().unwrap());
        });
    }

    #[test]
    fn a_change_of_pace_beside_starts_never_gives_more_than_the_larger_burst() {
        model(|| {
            let limiter = limiter(RateLimit::per_second(1).burst(2));
            let other =
                on_a_thread(&limiter, |limiter| (0..3).filter(|_| starts(limiter, 1, 0)).count());
            limiter.change(RateLimit::per_second(1_000).burst(1), at(0)).unwrap();
            let mine = usize::from(starts(&limiter, 1, 0));
            assert!((1..=2).contains(&(mine + other.join().unwrap())));
        });
    }

    #[test]
    fn the_last_place_in_a_strict_window_is_taken_once() {
        model(|| {
            let limiter = limiter(RateLimit::per_second(2).strict());
            assert!(starts(&limiter, 1, 0));
            let other = on_a_thread(&limiter, |limiter| starts(limiter, 1, 500));
            let mine = starts(&limiter, 1, 500);
            assert!(mine ^ other.join().unwrap());
        });
    }

    /// A start that has claimed its place and not yet written its moment must not be taken for the
    /// old start that the place still shows.
    #[test]
    fn a_strict_window_holds_while_a_start_is_half_done() {
        model(|| {
            let limiter = limiter(RateLimit::per_second(1).strict());
            assert!(starts(&limiter, 1, 0));
            let others = [1_000, 1_001]
                .map(|now| on_a_thread(&limiter, move |limiter| starts(limiter, 1, now)));
            let mine = starts(&limiter, 1, 1_999);
            let started = others.map(|other| other.join().unwrap());
            let started = started.into_iter().filter(|&s| s).count() + usize::from(mine);
            assert!(started <= 1, "{started} starts within a second of each other");
            assert!(starts(&limiter, 1, 2_999), "nothing is stuck");
        });
    }

    #[test]
    fn a_strict_cost_is_claimed_whole() {
        model(|| {
            let limiter = limiter(RateLimit::per_second(3).strict());
            let other = on_a_thread(&limiter, |limiter| starts(limiter, 2, 0));
            let mine = starts(&limiter, 2, 0);
            assert!(mine ^ other.join().unwrap());
            assert!(starts(&limiter, 1, 0));
            assert!(!starts(&limiter, 1, 999));
        });
    }

    #[test]
    fn a_strict_limit_that_grows_into_a_larger_ring_loses_no_start() {
        model(|| {
            let limiter = limiter(RateLimit::per_second(1).strict());
            let other = on_a_thread(&limiter, |limiter| starts(limiter, 1, 0));
            limiter.change(RateLimit::per_second(2).strict(), at(0)).unwrap();
            let mine = starts(&limiter, 1, 0);
            let before = usize::from(mine) + usize::from(other.join().unwrap());
            let after = (0..3).filter(|_| starts(&limiter, 1, 999)).count();
            assert_eq!(before + after, 2);
        });
    }

    #[test]
    fn the_last_that_a_server_has_left_is_taken_once() {
        model(|| {
            let limiter = limiter(RateLimit::per_second(1_000).burst(10));
            limiter.learn(Told { left: 1, reset: at(5_000) }, at(0));
            let other = on_a_thread(&limiter, |limiter| starts(limiter, 1, 0));
            let mine = starts(&limiter, 1, 0);
            assert!(mine ^ other.join().unwrap());
        });
    }
}

mod slots {
    use super::*;

    /// Holds a slot for a moment, queueing for it if need be, and passes wakings on; `inside`
    /// counts who is in.
    struct Room {
        slots: Slots,
        inside: AtomicUsize,
        woken: AtomicUsize,
    }

    impl Room {
        fn new(limit: u32) -> Arc<Self> {
            let slots = Slots::new(Concurrency::limit(limit)).unwrap();
            Arc::new(Self { slots, inside: AtomicUsize::new(0), woken: AtomicUsize::new(0) })
        }

        fn wake(&self, wake: Wake) {
            if wake == Wake::First {
                self.woken.fetch_add(1, SeqCst);
            }
        }

        /// Goes in and out if there is room; else it waits.
        fn comes_and_goes(&self, limit: usize) -> Option<Waiting> {
            match self.slots.enter() {
                Entry::Granted(slot) => {
                    assert!(self.inside.fetch_add(1, SeqCst) < limit);
                    self.inside.fetch_sub(1, SeqCst);
                    self.wake(self.slots.leave(slot));
                    None
                }
                Entry::Queued(waiting) => Some(waiting),
                Entry::Full => panic!("there is room to queue"),
            }
        }

        fn queues(&self) -> Waiting {
            match self.slots.enter() {
                Entry::Queued(waiting) => waiting,
                Entry::Granted(_) | Entry::Full => panic!("there is no room but to queue"),
            }
        }
    }

    #[test]
    fn no_more_are_in_than_the_limit_and_no_waiter_is_forgotten() {
        model(|| {
            let room = Room::new(1);
            let others = [(); 2].map(|()| on_a_thread(&room, |room| room.comes_and_goes(1)));
            let mine = room.comes_and_goes(1);
            let came = others.map(|other| other.join().unwrap());
            let waiting: Vec<_> = came.into_iter().chain([mine]).flatten().collect();
            // Whoever queues is woken: by the time all have left, somebody has been told.
            assert!(waiting.is_empty() || room.woken.load(SeqCst) > 0, "somebody waits for ever");
            for waiting in waiting {
                let Claim::Granted(slot, _) = room.slots.claim(waiting) else {
                    panic!("it is free")
                };
                room.wake(room.slots.leave(slot));
            }
            assert!(room.slots.at_rest_from().is_some());
        });
    }

    #[test]
    fn a_slot_that_comes_back_while_somebody_waits_is_not_a_newcomers() {
        model(|| {
            let room = Room::new(1);
            let slot = room.slots.try_enter().unwrap();
            let waiting = room.queues();
            let newcomer = on_a_thread(&room, |room| room.slots.try_enter().is_some());
            room.wake(room.slots.leave(slot));
            assert!(!newcomer.join().unwrap());
            assert!(matches!(room.slots.claim(waiting), Claim::Granted(..)));
        });
    }

    #[test]
    fn a_cut_beside_newcomers_lets_in_no_more_than_either_limit() {
        model(|| {
            let room = Room::new(2);
            let _first = room.slots.try_enter().unwrap();
            let others = [(); 2].map(|()| on_a_thread(&room, |room| room.slots.try_enter()));
            let wake = room.slots.resize(1).unwrap();
            let entered = others.map(|other| other.join().unwrap());
            let entered = entered.into_iter().flatten().count();
            assert!(entered <= 1);
            assert_eq!(wake, Wake::Nobody);
            assert_eq!(room.slots.snapshot().in_use as usize, 1 + entered);
        });
    }

    #[test]
    fn a_raise_beside_a_newcomer_that_queues_leaves_nobody_unseen() {
        model(|| {
            let room = Room::new(1);
            let _first = room.slots.try_enter().unwrap();
            let newcomer = on_a_thread(&room, |room| match room.slots.enter() {
                Entry::Granted(_) => false,
                Entry::Queued(_) | Entry::Full => true,
            });
            let wake = room.slots.resize(2).unwrap();
            assert_eq!(newcomer.join().unwrap(), wake == Wake::First);
        });
    }

    /// The waiter that was woken gives up beside another that arrives: either the one who gives up
    /// sees the newcomer and wakes it, or the newcomer finds the slot free.
    #[test]
    fn a_woken_waiter_that_gives_up_passes_its_waking_on() {
        model(|| {
            let room = Room::new(1);
            let slot = room.slots.try_enter().unwrap();
            let first = room.queues();
            assert_eq!(room.slots.leave(slot), Wake::First);
            let newcomer = on_a_thread(&room, |room| match room.slots.enter() {
                Entry::Granted(_) => false,
                Entry::Queued(_) | Entry::Full => true,
            });
            let wake = room.slots.give_up(first);
            assert_eq!(newcomer.join().unwrap(), wake == Wake::First);
        });
    }

    #[test]
    fn a_waiter_that_gives_up_beside_a_slot_that_comes_back_leaves_the_next_one_seen() {
        model(|| {
            let room = Room::new(1);
            let slot = room.slots.try_enter().unwrap();
            let [first, second] = [room.queues(), room.queues()];
            let other = on_a_thread(&room, |room| room.wake(room.slots.give_up(first)));
            room.wake(room.slots.leave(slot));
            other.join().unwrap();
            assert!(room.woken.load(SeqCst) > 0);
            assert!(matches!(room.slots.claim(second), Claim::Granted(_, Wake::Nobody)));
        });
    }
}

mod adaptive {
    use super::*;

    fn aimd(initial: u32) -> Arc<AdaptiveSlots> {
        let settings = AdaptiveLimit::aimd(Aimd::new()).initial(initial);
        Arc::new(AdaptiveSlots::new(settings).unwrap())
    }

    /// A window is a millisecond, and has begun at zero.
    fn gradient2(initial: u32, min_calls: u32) -> Arc<AdaptiveSlots> {
        let rule = Gradient2::new().window(ms(1)).min_calls(min_calls).queue(10);
        let settings = AdaptiveLimit::gradient2(rule).initial(initial);
        let slots = AdaptiveSlots::new(settings).unwrap();
        let _ = ends(&slots, Outcome::Success, 0);
        Arc::new(slots)
    }

    fn ends(slots: &AdaptiveSlots, outcome: Outcome, millis: u64) -> Effect {
        let slot = slots.try_enter().unwrap();
        slots.leave(slot, outcome, ms(1), at(millis))
    }

    fn moves(effects: &[Effect]) -> usize {
        effects.iter().filter(|effect| effect.moved.is_some()).count()
    }

    #[test]
    fn of_two_ends_beside_one_another_each_moves_the_limit() {
        model(|| {
            let slots = aimd(3);
            let [one, two] = [(); 2].map(|()| slots.try_enter().unwrap());
            let other = on_a_thread(&slots, |slots| {
                slots.leave(one, Outcome::Success, ms(1), at(0)).moved.unwrap()
            });
            let mine = slots.leave(two, Outcome::Throttled, ms(1), at(0)).moved.unwrap();
            let theirs = other.join().unwrap();
            // 3 + 1 = 4, cut to 3; or cut to 2, where one of two in flight is enough to raise it.
            let cut_last = (theirs.from, theirs.to, mine.from, mine.to) == (3, 4, 4, 3);
            let cut_first = (mine.from, mine.to, theirs.from, theirs.to) == (3, 2, 2, 3);
            assert!(cut_last || cut_first, "{mine:?} {theirs:?}");
            let snapshot = slots.snapshot();
            assert_eq!((snapshot.in_use, snapshot.limit), (0, 3));
        });
    }

    #[test]
    fn a_limit_that_rises_beside_a_newcomer_that_queues_leaves_nobody_unseen() {
        model(|| {
            let slots = aimd(1);
            let slot = slots.try_enter().unwrap();
            let newcomer = on_a_thread(&slots, |slots| matches!(slots.enter(), Entry::Queued(_)));
            let effect = slots.leave(slot, Outcome::Success, ms(1), at(0));
            assert_eq!(newcomer.join().unwrap(), effect.wake == Wake::First);
            assert_eq!(slots.snapshot().limit, 2);
        });
    }

    #[test]
    fn a_limit_that_moves_beside_a_change_ends_inside_the_new_bounds() {
        model(|| {
            let slots = aimd(2);
            let Entry::Granted(slot) = slots.enter() else { panic!("it is free") };
            let other = on_a_thread(&slots, move |slots| {
                slots.leave(slot, Outcome::Success, ms(5), at(5)).moved.is_some()
            });
            let most = AdaptiveLimit::aimd(Aimd::new()).max(2);
            let _ = slots.change(most).unwrap();
            other.join().unwrap();
            assert_eq!(slots.snapshot().limit, 2);
        });
    }

    #[test]
    fn a_window_that_moves_it_beside_a_change_ends_inside_the_new_bounds() {
        model(|| {
            let slots = gradient2(4, 1);
            assert_eq!(moves(&[ends(&slots, Outcome::Success, 0)]), 0);
            let other = on_a_thread(&slots, |slots| ends(slots, Outcome::Throttled, 1_000));
            let rule = Gradient2::new().min_calls(1);
            let _ = slots.change(AdaptiveLimit::gradient2(rule).min(4)).unwrap();
            let _ = other.join().unwrap();
            assert_eq!(slots.snapshot().limit, 4);
        });
    }

    #[test]
    fn of_two_that_find_a_window_over_one_moves_the_limit() {
        model(|| {
            let slots = gradient2(20, 1);
            let other = on_a_thread(&slots, |slots| ends(slots, Outcome::Throttled, 1));
            let mine = ends(&slots, Outcome::Throttled, 1);
            assert_eq!(moves(&[mine, other.join().unwrap()]), 1);
            assert_eq!(slots.snapshot().limit, 18);
        });
    }

    /// The window began with a call of 1 ms; of those of 2 and 4 ms, the one that ends it is in it.
    #[test]
    fn a_call_that_ends_beside_the_end_of_a_window_is_in_this_one_or_in_the_next() {
        model(|| {
            let slots = gradient2(20, 2);
            let took = |slots: &AdaptiveSlots, millis| {
                let slot = slots.try_enter().unwrap();
                let _ = slots.leave(slot, Outcome::Success, ms(millis), at(1));
            };
            let other = on_a_thread(&slots, move |slots| took(slots, 2));
            took(&slots, 4);
            other.join().unwrap();
            let snapshot = slots.snapshot();
            match (snapshot.usual.unwrap().as_micros(), snapshot.calls) {
                (1_500 | 2_500, 1) | (2_333, 0) => {}
                lost => panic!("{lost:?}"),
            }
        });
    }

    #[test]
    fn of_two_drops_in_a_window_none_is_lost() {
        model(|| {
            let slots = gradient2(20, 9);
            let other = on_a_thread(&slots, |slots| ends(slots, Outcome::Throttled, 1));
            let mine = ends(&slots, Outcome::Throttled, 1);
            assert_eq!(moves(&[mine, other.join().unwrap()]), 0);
            assert_eq!(slots.snapshot().calls, 3);
        });
    }

    #[test]
    fn of_two_moves_the_later_is_remembered() {
        model(|| {
            let slots = aimd(20);
            let other = on_a_thread(&slots, |slots| ends(slots, Outcome::Throttled, 9_000));
            let mine = ends(&slots, Outcome::Throttled, 5_000);
            assert_eq!(moves(&[mine, other.join().unwrap()]), 2);
            assert_eq!(slots.at_rest_from(), Some(at(69_000)));
        });
    }

    /// One drop among two or three calls is too few to cut. Two that both took the window would
    /// tear it apart, and to one of them the drop would be all there is.
    #[test]
    fn of_two_that_find_a_window_over_one_takes_all_of_it() {
        model(|| {
            let rule = Gradient2::new().window(ms(1)).min_calls(1).drop_share(0.6);
            let slots = AdaptiveSlots::new(AdaptiveLimit::gradient2(rule)).unwrap();
            let _ = ends(&slots, Outcome::Success, 0);
            let slots = Arc::new(slots);
            let other = on_a_thread(&slots, |slots| ends(slots, Outcome::Throttled, 1));
            let mine = ends(&slots, Outcome::Success, 1);
            assert_eq!(moves(&[mine, other.join().unwrap()]), 0);
        });
    }

    /// Of 40, a drop leaves 36, and of the 20 that somebody sets beside it 18.
    #[test]
    fn the_slots_follow_the_later_of_two_changes() {
        model(|| {
            let slots = gradient2(40, 1);
            let other = on_a_thread(&slots, |slots| ends(slots, Outcome::Throttled, 1));
            let mine = slots.resize(20).unwrap();
            let theirs = other.join().unwrap();
            assert!((1..=2).contains(&moves(&[mine, theirs])));
            let settled = slots.snapshot().limit;
            assert!([18, 20].contains(&settled));
            let _ = ends(&slots, Outcome::Throttled, 2);
            let next = if settled == 20 { 18 } else { 16 };
            assert_eq!(slots.snapshot().limit, next, "the slots have not followed");
        });
    }

    #[test]
    fn a_window_that_makes_room_beside_a_newcomer_that_queues_leaves_nobody_unseen() {
        model(|| {
            let slots = gradient2(1, 1);
            let slot = slots.try_enter().unwrap();
            let newcomer = on_a_thread(&slots, |slots| matches!(slots.enter(), Entry::Queued(_)));
            let effect = slots.leave(slot, Outcome::Success, ms(1), at(1));
            assert_eq!(newcomer.join().unwrap(), effect.wake == Wake::First);
            assert_eq!(slots.snapshot().limit, 3);
        });
    }
}

mod gate {
    use super::*;

    #[test]
    fn the_first_step_of_the_ramp_lets_one_through() {
        model(|| {
            let gate = Arc::new(Gate::new(CoolDown::new()).unwrap());
            gate.tell(Signal::Throttled { asked: Some(ms(1_000)) }, at(0)).unwrap();
            let other = on_a_thread(&gate, |gate| gate.take(at(1_000)) == Turn::Now);
            let mine = gate.take(at(1_000)) == Turn::Now;
            assert!(mine ^ other.join().unwrap());
        });
    }

    #[test]
    fn of_two_pauses_the_longer_one_holds() {
        model(|| {
            let gate = Arc::new(Gate::new(CoolDown::new()).unwrap());
            let other = on_a_thread(&gate, |gate| {
                gate.tell(Signal::Throttled { asked: Some(ms(3_000)) }, at(0)).is_some()
            });
            let mine = gate.tell(Signal::Throttled { asked: Some(ms(2_000)) }, at(0)).is_some();
            assert!(other.join().unwrap() || mine);
            assert_eq!(gate.take(at(2_500)), Turn::At(at(3_000)));
        });
    }

    #[test]
    fn a_change_is_noticed_by_one_of_those_who_ask() {
        model(|| {
            let gate = Arc::new(Gate::new(CoolDown::new()).unwrap());
            let other = on_a_thread(&gate, |gate| {
                let _ = gate.tell(Signal::Throttled { asked: Some(ms(1_000)) }, at(0));
                gate.noticed(at(0)).is_some()
            });
            let mine = gate.noticed(at(0)).is_some();
            assert!(mine ^ other.join().unwrap());
            assert_eq!(gate.noticed(at(0)), None);
        });
    }

    #[test]
    fn a_pause_beside_a_change_holds() {
        model(|| {
            let gate = Arc::new(Gate::new(CoolDown::new()).unwrap());
            gate.tell(Signal::Throttled { asked: Some(ms(1_000)) }, at(0)).unwrap();
            let other = on_a_thread(&gate, |gate| {
                gate.tell(Signal::Throttled { asked: Some(ms(1_000)) }, at(9_000)).is_some()
            });
            // The ramp of the first pause is over; who forgets it must not forget the second.
            gate.change(CoolDown::new().ramp(ms(3_000)), at(9_000)).unwrap();
            assert!(other.join().unwrap());
            assert_eq!(gate.take(at(9_500)), Turn::At(at(10_000)));
        });
    }
}

mod throttling {
    use super::*;

    /// Ten slices of a second, one request per accepted one, and no floor.
    fn throttler() -> Arc<Throttler> {
        let settings = Throttle::new().per_accepted(1.0).window(ms(10_000)).min_requests(1);
        Arc::new(Throttler::new(settings).unwrap())
    }

    fn ticket(throttler: &Throttler) -> throttle::Ticket {
        match throttler.admit(at(0), Draw::MOST) {
            throttle::Admission::Granted(ticket) => ticket,
            throttle::Admission::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    #[test]
    fn two_ends_that_are_told_at_once_are_both_counted() {
        model(|| {
            let throttler = throttler();
            let [good, bad] = [ticket(&throttler), ticket(&throttler)];
            let other = on_a_thread(&throttler, |throttler| {
                throttler.settle(good, throttle::Verdict::Accepted, at(0));
            });
            throttler.settle(bad, throttle::Verdict::NotAccepted, at(0));
            other.join().unwrap();
            let snapshot = throttler.snapshot(at(0));
            assert_eq!((snapshot.requests, snapshot.accepted), (2, 1));
            assert!(snapshot.probability > 0.3);
        });
    }

    #[test]
    fn an_older_failure_beside_a_newer_one_does_not_let_it_be_forgotten() {
        model(|| {
            let throttler = throttler();
            let [old, new] = [ticket(&throttler), ticket(&throttler)];
            let other = on_a_thread(&throttler, |throttler| {
                throttler.settle(old, throttle::Verdict::NotAccepted, at(0));
            });
            throttler.settle(new, throttle::Verdict::NotAccepted, at(5_000));
            other.join().unwrap();
            assert_eq!(throttler.probability(at(5_000)), 2.0 / 3.0);
            assert!(throttler.probability(at(12_000)) >= 0.5);
        });
    }
}

mod hedge {
    use super::*;

    const SHORT: Duration = Duration::from_micros(10);
    const LONGEST: Duration = Duration::from_micros(100);

    /// Two buckets in each half, and as many observations as there must be.
    fn hedger() -> Arc<Hedger> {
        let settings = Hedge::at_percentile(50.0)
            .min_observations(2)
            .min_delay(Duration::ZERO)
            .max_delay(LONGEST);
        let hedger = Hedger::new(settings).unwrap();
        (0..2).for_each(|_| observe(&hedger));
        Arc::new(hedger)
    }

    fn observe(hedger: &Hedger) {
        hedger.observe(Outcome::Success, SHORT);
    }

    fn delay(hedger: &Hedger) -> Duration {
        hedger.next_at(1, at(0)).unwrap().since(at(0))
    }

    #[test]
    fn two_observations_at_once_both_count() {
        model(|| {
            let hedger = hedger();
            let other = on_a_thread(&hedger, observe);
            observe(&hedger);
            other.join().unwrap();
            assert_eq!(hedger.snapshot().observations, 4);
        });
    }

    #[test]
    fn an_observation_beside_a_change_of_halves_is_not_lost() {
        model(|| {
            let hedger = hedger();
            let other = on_a_thread(&hedger, observe);
            assert!(delay(&hedger) < LONGEST);
            other.join().unwrap();
            assert_eq!(hedger.snapshot().observations, 3);
        });
    }

    #[test]
    fn a_call_beside_a_change_goes_by_the_old_bounds_or_by_the_new_ones() {
        model(|| {
            let hedger = hedger();
            (0..2).for_each(|_| observe(&hedger));
            let other = on_a_thread(&hedger, delay);
            let settings = Hedge::at_percentile(50.0).min_observations(2).max_delay(LONGEST);
            hedger.change(settings.min_delay(LONGEST)).unwrap();
            let seen = other.join().unwrap();
            assert!(seen > SHORT && seen <= LONGEST, "{seen:?}");
            assert_eq!(delay(&hedger), LONGEST);
        });
    }

    #[test]
    fn of_two_that_find_it_is_time_one_looks_and_the_other_goes_by_what_was_seen() {
        model(|| {
            let hedger = hedger();
            let other = on_a_thread(&hedger, |hedger| {
                let delay = delay(hedger);
                observe(hedger);
                delay
            });
            let delays = [delay(&hedger), other.join().unwrap()];
            assert!(delays.contains(&hedger.snapshot().delay), "{delays:?}");
            assert!(delays.iter().all(|delay| *delay <= LONGEST));
            assert_eq!(hedger.snapshot().observations, 3);
            assert!(hedger.snapshot().delay < LONGEST);
        });
    }
}
