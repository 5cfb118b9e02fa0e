//! The order in which a set is asked that has to wait.

use std::time::Duration;

use tokio::time::advance;
use tower::{ServiceExt, service_fn};

use super::*;
use crate::breaker::{BreakerGuard, BreakerState, CircuitBreaker};
use crate::concurrency::{Concurrency, ConcurrencyGuard};
use crate::guard::per_key::Each;
use crate::http::Key;
use crate::rate_limit::{RateLimit, RateLimitGuard};

const MINUTE: Duration = Duration::from_secs(60);

type Slots = Arc<ConcurrencyGuard>;
type Rate = Arc<RateLimitGuard>;
type Breaker = Arc<BreakerGuard>;

fn permit<G: Guard<Request>>(guard: &G) -> G::Permit {
    let subject = guard.subject(&"x");
    let Admission::Go(permit) = guard.try_admit(&subject, Ask::default(), &Now::default()) else {
        panic!("it is free")
    };
    permit
}

fn ends<G: Guard<Request>>(guard: &G, permit: G::Permit, outcome: Outcome) {
    let (subject, ending, now) = (guard.subject(&"x"), Ending::new(outcome), Now::default());
    let held = guard.settle(&subject, permit, &ending, &now);
    guard.let_go(&subject, held, &ending, &now);
}

/// Of a breaker that has one probe to give, in whatever set: two calls wait in the same queue, and
/// when it moves on the first of them is the probe.
async fn a_probe_is_held_by_nobody_who_waits<G>(set: impl Fn(Slots, Rate, Breaker) -> G)
where
    G: Guard<Request> + Send + Sync + 'static,
{
    for queue in ["slots", "turns"] {
        let slots = Arc::new(ConcurrencyGuard::new(Concurrency::limit(1)).unwrap());
        let rate = Arc::new(RateLimitGuard::new(RateLimit::per(1, MINUTE).burst(2)).unwrap());
        let opens = CircuitBreaker::new().consecutive_failures(Some(1)).probes(1);
        let breaker = Arc::new(BreakerGuard::new(opens).unwrap());
        ends(&breaker, permit(&breaker), Outcome::Transient);
        assert_eq!(breaker.state(), BreakerState::Open);
        advance(MINUTE / 2).await;
        let slot = (queue == "slots").then(|| permit(&slots));
        if queue == "turns" {
            permit(&rate);
            permit(&rate);
        }

        let set = set(Arc::clone(&slots), Arc::clone(&rate), Arc::clone(&breaker));
        let well = service_fn(|_: Request| async { Ok::<_, BoxError>("well") });
        let service = GuardLayer::of(set, Plain).layer(well);
        let mut one = task::spawn(service.clone().oneshot("one"));
        assert_pending!(one.poll());
        let mut two = task::spawn(service.oneshot("two"));
        assert_pending!(two.poll(), "one holds the probe while it waits for {queue}");
        assert_pending!(one.poll());
        match slot {
            Some(slot) => ends(&slots, slot, Outcome::Success),
            None => advance(MINUTE).await,
        }
        assert!(one.is_woken());
        assert_ready_ok!(one.poll());
        assert_eq!(breaker.state(), BreakerState::Closed);
        drop(two);
        assert_eq!((slots.snapshot().in_use, rate.waiting()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_held_through_no_queue_however_a_set_is_written() {
    a_probe_is_held_by_nobody_who_waits(|slots, rate, breaker| (slots, rate, breaker)).await;
    a_probe_is_held_by_nobody_who_waits(|slots, rate, breaker| (slots, breaker, rate)).await;
    a_probe_is_held_by_nobody_who_waits(|slots, rate, breaker| (rate, slots, breaker)).await;
    a_probe_is_held_by_nobody_who_waits(|slots, rate, breaker| (rate, breaker, slots)).await;
    a_probe_is_held_by_nobody_who_waits(|slots, rate, breaker| (breaker, slots, rate)).await;
    a_probe_is_held_by_nobody_who_waits(|slots, rate, breaker| (breaker, rate, slots)).await;
}

#[tokio::test(start_paused = true)]
async fn sets_in_sets_are_asked_as_one() {
    a_probe_is_held_by_nobody_who_waits(|slots, rate, breaker| ((rate, breaker), slots)).await;
    a_probe_is_held_by_nobody_who_waits(|slots, rate, breaker| {
        (Some((breaker, slots)), None::<Breaker>, Arc::new(rate))
    })
    .await;
    a_probe_is_held_by_nobody_who_waits(|slots, rate, breaker| {
        let of_each = move |_: &Key| (Arc::clone(&slots), Arc::clone(&breaker));
        (rate, PerKey::by(|_: &Request| Key::new("k"), of_each))
    })
    .await;
}

#[tokio::test]
async fn after_a_wait_nobody_waits_on_for_what_will_be_refused() {
    let log = Log::default();
    let a = Script::new("a", &log, [Admission::Wait, Admission::Wait]);
    let (b, c) = (Script::new("b", &log, []), Script::new("c", &log, []));
    let grants = a.grants();
    let (mut client, _server) = over((a, b, c.clone()));
    ready(&mut client);
    let mut call = task::spawn(client.call("x"));
    assert_pending!(call.poll());
    said(&log);
    c.refuses_from_now_on();
    grants.send(1).unwrap();
    assert_ready_err!(call.poll());
    assert_eq!(said(&log), ["a: 1 ended: Refused"]);
}

/// A guard that has its calls wait for a set of others.
struct Beneath(Slots, Breaker);

impl Guard<Request> for Beneath {
    type Subject = ();
    type Permit = ();
    type Held = ();

    fn subject(&self, _: &Request) {}

    fn try_admit(&self, (): &(), _: Ask, _: &Now) -> Admission<()> {
        Admission::Wait
    }

    async fn admit(&self, (): &(), ask: Ask) -> Result<(), Refused> {
        let set = (&self.0, &self.1);
        let subject = Guard::<Request>::subject(&set, &"x");
        let permit = Guard::<Request>::admit(&set, &subject, ask).await?;
        ends(&set, permit, Outcome::Success);
        Ok(())
    }

    fn settle(&self, (): &(), (): (), _: &Ending, _: &Now) {}
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_waits_for_a_set_of_its_own_is_no_part_of_that() {
    let slots = Arc::new(ConcurrencyGuard::new(Concurrency::limit(1)).unwrap());
    let breaker = Arc::new(BreakerGuard::new(CircuitBreaker::new()).unwrap());
    let slot = permit(&slots);
    let beneath = Beneath(Arc::clone(&slots), Arc::clone(&breaker));
    let well = service_fn(|_: Request| async { Ok::<_, BoxError>("well") });
    let service = GuardLayer::of((beneath, breaker), Plain).layer(well);
    let mut call = task::spawn(service.oneshot("x"));
    assert_pending!(call.poll());
    ends(&slots, slot, Outcome::Success);
    assert!(call.is_woken());
    assert_ready_ok!(call.poll());
}

/// How large what waits for a guard is.
fn waiting<G: Guard<Request>>(guard: &G) -> usize {
    let subject = guard.subject(&"x");
    size_of_val(&guard.admit(&subject, Ask::default()))
}

/// Each set in a set, and each set for a key, was once twice as large as what is in it.
#[test]
fn a_set_that_waits_takes_the_room_of_its_guards_and_little_more() {
    let slots = || Arc::new(ConcurrencyGuard::new(Concurrency::limit(1)).unwrap());
    let five = (slots(), slots(), slots(), slots(), slots());
    let (one, all) = (waiting(&slots()), waiting(&five));
    assert!(all < 5 * 3 * one, "{all} bytes for five, {one} for one");
    let each = waiting(&Each::new(Key::new("x"), five));
    assert!(each < all + 100, "{each} bytes for a key, {all} without");
}
