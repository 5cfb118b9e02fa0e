//! Sets of real guards, and what waits for real turns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mainstay_policy::Moment;
use mainstay_policy::turn::{Ahead, Turn};
use tokio::task::JoinSet;
use tokio::time::advance;
use tower::{ServiceExt, service_fn};

use super::*;
use crate::clock;
use crate::concurrency::{Concurrency, ConcurrencyGuard};
use crate::cooldown::{CoolDown, CoolDownGuard};
use crate::observe::testing::heard;
use crate::rate_limit::{RateLimit, RateLimitGuard};
use crate::throttle::{Throttle, ThrottleGuard};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn rate(settings: RateLimit) -> Arc<RateLimitGuard> {
    Arc::new(RateLimitGuard::new(settings).unwrap())
}

fn slots(limit: u32) -> Arc<ConcurrencyGuard> {
    Arc::new(ConcurrencyGuard::new(Concurrency::limit(limit)).unwrap())
}

fn asked<G: Guard<()>>(guard: &G, ask: Ask) -> Admission<G::Permit> {
    ask_at_once(guard, &guard.subject(&()), ask, &Now::default())
}

async fn waits<G: Guard<()>>(guard: Arc<G>, ask: Ask) -> Result<(), Refused> {
    let subject = guard.subject(&());
    guard.admit(&subject, ask).await.map(drop)
}

/// A throttle that refuses most of what it is asked.
fn throttled() -> ThrottleGuard {
    let throttle = ThrottleGuard::new(Throttle::new()).unwrap();
    let dice = Guard::<()>::subject(&throttle, &());
    for _ in 0..200 {
        let now = Now::default();
        if let Admission::Go(ticket) =
            Guard::<()>::try_admit(&throttle, &dice, Ask::default(), &now)
        {
            let throttled = Ending::new(Outcome::Throttled);
            let held = Guard::<()>::settle(&throttle, &dice, ticket, &throttled, &now);
            Guard::<()>::let_go(&throttle, &dice, held, &throttled, &now);
        }
    }
    throttle
}

#[tokio::test(start_paused = true)]
async fn what_a_throttle_refuses_costs_no_turn() {
    let rate = rate(RateLimit::per_second(10).burst(100));
    let set = (Arc::clone(&rate), throttled());
    let sent = (0..50).filter(|_| matches!(asked(&set, Ask::default()), Admission::Go(_))).count();
    assert!(sent < 25, "{sent} were sent");
    assert_eq!(rate.snapshot().available, 100 - u32::try_from(sent).unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_dice_are_thrown_once_for_an_attempt() {
    let throttle = throttled();
    for _ in 0..200 {
        let dice = Guard::<()>::subject(&throttle, &());
        let (ask, now) = (Ask::default(), Now::default());
        let glanced = Guard::<()>::glance(&throttle, &dice, ask, &now).is_ok();
        let admitted =
            matches!(Guard::<()>::try_admit(&throttle, &dice, ask, &now), Admission::Go(_));
        // What it has refused since may only have made it stricter.
        assert!(glanced || !admitted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_slot_has_taken_no_turn() {
    let (rate, slots) = (rate(RateLimit::per_second(1).burst(10)), slots(1));
    let set = (Arc::clone(&rate), Arc::clone(&slots));
    let Admission::Go(permit) = asked(&set, Ask::default()) else { panic!("both are free") };
    assert_eq!(rate.snapshot().available, 9);
    assert_eq!(asked(&set, Ask::default()), Admission::Wait);
    let set = Arc::new(set);
    let mut waits = task::spawn(waits(Arc::clone(&set), Ask::default()));
    assert_pending!(waits.poll());
    assert_eq!(rate.snapshot().available, 9);
    let subject = Guard::<()>::subject(&*set, &());
    let (done, now) = (Ending::new(Outcome::Success), Now::default());
    let held = Guard::<()>::settle(&*set, &subject, permit, &done, &now);
    Guard::<()>::let_go(&*set, &subject, held, &done, &now);
    assert_ready!(waits.poll()).unwrap();
    assert_eq!(rate.snapshot().available, 8);
}

#[tokio::test(start_paused = true)]
async fn two_at_one_turnstile_hold_both() {
    let strict = Limiter::new(RateLimit::per_second(1).strict()).unwrap();
    let gate = Gate::new(CoolDown::new()).unwrap();
    gate.tell(Signal::Throttled { asked: Some(secs(10)) }, clock::now()).unwrap();
    let guard = Arc::new(TurnGuard::of((strict, Gated(gate))));
    let begin = clock::now();
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let guard = Arc::clone(&guard);
        calls.spawn(async move {
            waits(guard, Ask::default()).await.unwrap();
            clock::now().since(begin)
        });
    }
    let mut starts = calls.join_all().await;
    starts.sort_unstable();
    assert!(starts[0] >= secs(10), "{starts:?}");
    assert!(starts.windows(2).all(|two| two[1] - two[0] >= secs(1)), "{starts:?}");
}

use mainstay_policy::cooldown::{Gate, Signal};
use mainstay_policy::rate_limit::Limiter;

/// A gate that gives turns and tells nobody.
struct Gated(Gate);

impl Turns for Gated {
    const LAYER: &'static str = "gate";

    fn take(&self, _: u32, _: Moment, now: Moment) -> Turn {
        self.0.take(now)
    }

    fn peek(&self, _: u32, _: Moment, now: Moment) -> Turn {
        self.0.peek(now)
    }

    fn forecast(&self, ahead: Ahead, _: u32, now: Moment) -> Turn {
        self.0.forecast(ahead.calls, now)
    }
}

/// A turn that waited for the service would be used with others at once.
#[tokio::test(start_paused = true)]
async fn a_strict_limit_holds_over_a_service_that_is_not_ready() {
    let starts = Arc::new(Mutex::new(Vec::new()));
    let (seen, begin) = (Arc::clone(&starts), clock::now());
    let server = ConcurrencyLimit::new(
        service_fn(move |_: Request| {
            seen.lock().unwrap().push(clock::now().since(begin));
            let is_slow = seen.lock().unwrap().len() == 1;
            async move {
                if is_slow {
                    clock::sleep(secs(10)).await;
                }
                Ok::<_, BoxError>("well")
            }
        }),
        1,
    );
    let strict = rate(RateLimit::per_second(1).strict());
    assert_eq!(asked(&strict, Ask::default()), Admission::Go(()));
    let mut client = GuardLayer::of(strict, Plain).layer(server.clone());
    let mut calls = Vec::new();
    for _ in 0..4 {
        client.ready().await.unwrap();
        calls.push(client.call("x"));
    }
    let mut direct = server;
    let slow = direct.ready().await.unwrap().call("slow");
    drop(direct);
    tokio::join!(slow, futures_util::future::join_all(calls)).0.unwrap();
    let starts = starts.lock().unwrap();
    assert_eq!(starts.len(), 5);
    assert!(starts[1..].windows(2).all(|two| two[1] - two[0] >= secs(1)), "{starts:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_starts_after_its_end() {
    let guard = Arc::new(CoolDownGuard::new(CoolDown::new()).unwrap());
    guard.close_for(secs(1));
    let begin = clock::now();
    let mut calls = JoinSet::new();
    for n in 0..8 {
        let guard = Arc::clone(&guard);
        let until = if n == 2 { begin + ms(1_050) } else { Moment::MAX };
        calls.spawn(async move {
            let started = waits(guard, Ask { until, ..Ask::default() }).await.is_ok();
            (n, started, clock::now().since(begin))
        });
    }
    while let Some(call) = calls.join_next().await {
        let (n, started, at) = call.unwrap();
        assert_eq!(started, n != 2);
        assert!(n != 2 || at < ms(1_052), "refused at {at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_limit_refuses_those_who_cannot_make_it_any_more() {
    let guard = rate(RateLimit::per_second(1));
    assert_eq!(asked(&guard, Ask::default()), Admission::Go(()));
    let mut first = task::spawn(waits(Arc::clone(&guard), Ask::default()));
    let until = clock::now() + secs(5);
    let mut second = task::spawn(waits(Arc::clone(&guard), Ask { until, ..Ask::default() }));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    guard.change(RateLimit::per(1, secs(100))).unwrap();
    assert!(second.is_woken());
    assert_ready_err!(second.poll());
    assert_pending!(first.poll());
}

#[tokio::test(start_paused = true)]
async fn nobody_stands_longer_than_allowed_behind_one_who_is_not_polled() {
    let guard = RateLimitGuard::new(RateLimit::per_second(10)).unwrap().max_wait(secs(1));
    let guard = Arc::new(guard);
    assert_eq!(asked(&guard, Ask::default()), Admission::Go(()));
    let mut first = task::spawn(waits(Arc::clone(&guard), Ask::default()));
    assert_pending!(first.poll());
    let mut second = task::spawn(waits(Arc::clone(&guard), Ask::default()));
    assert_pending!(second.poll());
    advance(ms(1_001)).await;
    assert!(second.is_woken());
    assert_ready_err!(second.poll());
}

#[tokio::test(start_paused = true)]
async fn what_the_server_said_before_wakes_and_warns_nobody() {
    let guard = rate(RateLimit::per_second(1));
    let fields = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")];
    let headers = crate::http::testing::headers(&fields);
    let hints = crate::http::Hints::read_at(&headers, Duration::ZERO);
    let ending = Ending::new(Outcome::Success).with_hints(hints);
    let tell = || Guard::<()>::settle(&*guard, &(), (), &ending, &Now::default());
    heard();
    tell();
    assert_eq!(heard().len(), 1);
    let mut first = task::spawn(waits(Arc::clone(&guard), Ask::default()));
    let mut second = task::spawn(waits(Arc::clone(&guard), Ask::default()));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    heard();
    for _ in 0..10 {
        tell();
    }
    assert!(heard().is_empty() && !first.is_woken() && !second.is_woken());
}

/// Panics when it is asked for the first time how long it will take.
struct PanicsOnce(AtomicBool);

impl Turns for PanicsOnce {
    const LAYER: &'static str = "panics once";

    fn take(&self, _: u32, _: Moment, now: Moment) -> Turn {
        Turn::At(now + secs(1))
    }

    fn peek(&self, _: u32, _: Moment, now: Moment) -> Turn {
        Turn::At(now + secs(1))
    }

    fn forecast(&self, _: Ahead, _: u32, _: Moment) -> Turn {
        assert!(self.0.swap(true, Ordering::Relaxed), "somebody's code");
        Turn::Now
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_somebody_s_turns_leaves_no_place_behind() {
    let guard = Arc::new(TurnGuard::of(PanicsOnce(AtomicBool::new(false))));
    let mut call = task::spawn(waits(Arc::clone(&guard), Ask::default()));
    assert!(catch_unwind(AssertUnwindSafe(|| call.poll())).is_err());
    drop(call);
    assert_eq!(guard.waiting(), 0);
}

/// Panics when it is told of an end.
struct PanicsAtTheEnd;

impl Guard<()> for PanicsAtTheEnd {
    type Subject = ();
    type Permit = ();
    type Held = ();

    fn subject(&self, (): &()) {}

    fn try_admit(&self, (): &(), _: Ask, _: &Now) -> Admission<()> {
        Admission::Go(())
    }

    fn settle(&self, (): &(), (): (), _: &Ending, _: &Now) {
        panic!("somebody's code");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_panics_at_the_end_keeps_nothing_of_the_others() {
    let slots = slots(1);
    let set = (Arc::clone(&slots), PanicsAtTheEnd);
    let Admission::Go(permit) = asked(&set, Ask::default()) else { panic!("it is free") };
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let done = Ending::new(Outcome::Success);
        set.settle(&((), ()), permit, &done, &Now::default());
    }));
    assert!(panicked.is_err());
    assert_eq!(slots.snapshot().in_use, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shadow_speaks_once_of_an_attempt_however_often_its_set_is_asked() {
    let closed = CoolDownGuard::new(CoolDown::new()).unwrap();
    closed.close_for(secs(10));
    let slots = slots(1);
    let set = Arc::new((Shadow::of(closed), Arc::clone(&slots)));
    let Admission::Go(_permit) = asked(&slots, Ask::default()) else { panic!("it is free") };
    heard();
    let subject = Guard::<()>::subject(&*set, &());
    assert_eq!(
        ask_at_once::<(), _>(&*set, &subject, Ask::default(), &Now::default()),
        Admission::Wait
    );
    let mut waits = task::spawn(Guard::<()>::admit(&*set, &subject, Ask::default()));
    assert_pending!(waits.poll());
    let said = heard().iter().filter(|event| event.contains("WouldWait")).count();
    assert_eq!(said, 1);
}
