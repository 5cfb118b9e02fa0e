use std::time::Duration;

use ::http::{Request, Response};
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower_service::Service;
use tower_test::mock;

use super::*;
use crate::clock;
use crate::error::Reason;
use crate::observe::testing::heard;
use crate::{BoxError, CallError};

mod slots;

type Req = Request<&'static str>;
type Mock = mock::Mock<Req, Response<()>>;
type Client = mock::Spawn<Guarded<Mock, Arc<ConcurrencyGuard>>>;
type Server = mock::Handle<Req, Response<()>>;
type Call = task::Spawn<<Guarded<Mock, Arc<ConcurrencyGuard>> as Service<Req>>::Future>;

fn limit(settings: Concurrency) -> (Arc<ConcurrencyGuard>, Client, Server) {
    let layer = ConcurrencyLayer::new(settings).unwrap();
    let (client, server) = mock::spawn_with(|service| layer.layer(service));
    (layer.handle(), client, server)
}

fn call(client: &mut Client, name: &'static str) -> Call {
    assert_ready_ok!(client.poll_ready::<Req>());
    task::spawn(client.call(Request::new(name)))
}

/// A call that has been polled and waits, be it for a slot or for its answer.
fn waits(client: &mut Client, name: &'static str) -> Call {
    let mut call = call(client, name);
    assert_pending!(call.poll());
    call
}

async fn answers(server: &mut Server, name: &str) {
    let (request, send) = server.next_request().await.unwrap();
    assert_eq!(*request.body(), name);
    send.send_response(Response::new(()));
}

fn refused(error: &BoxError) -> Reason {
    error.refused().map(Refused::reason).unwrap()
}

fn held(handle: &ConcurrencyGuard) -> (u32, u32) {
    let SlotsSnapshot { in_use, waiting, .. } = handle.snapshot();
    (in_use, waiting)
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_limit_wait_and_start_in_their_order() {
    let (handle, mut client, mut server) = limit(Concurrency::limit(1));
    let mut one = waits(&mut client, "one");
    let mut two = waits(&mut client, "two");
    let mut three = waits(&mut client, "three");
    assert_eq!(held(&handle), (1, 2));

    answers(&mut server, "one").await;
    assert_ready_ok!(one.poll());
    assert!(two.is_woken() && !three.is_woken());
    assert_pending!(two.poll());
    answers(&mut server, "two").await;
    assert_ready_ok!(two.poll());
    assert!(three.is_woken());
    assert_pending!(three.poll());
    answers(&mut server, "three").await;
    assert_ready_ok!(three.poll());
    assert_eq!(held(&handle), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_does_not_pass_one_who_waits() {
    let (handle, mut client, mut server) = limit(Concurrency::limit(1));
    let mut one = waits(&mut client, "one");
    let mut two = waits(&mut client, "two");
    answers(&mut server, "one").await;
    assert_ready_ok!(one.poll());
    let mut newcomer = waits(&mut client, "newcomer");
    assert_eq!(held(&handle), (1, 1), "it is two's before two looks");
    assert_pending!(two.poll());
    answers(&mut server, "two").await;
    assert_ready_ok!(two.poll());
    assert_pending!(newcomer.poll());
    answers(&mut server, "newcomer").await;
    assert_ready_ok!(newcomer.poll());
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_leaves_nothing_behind_wherever_it_stands() {
    for dropped in 0..3 {
        let (handle, mut client, mut server) = limit(Concurrency::limit(1));
        let first = waits(&mut client, "first");
        let names = ["a", "b", "c"];
        let mut waiting: Vec<_> = names.iter().map(|name| waits(&mut client, name)).collect();
        drop(waiting.remove(dropped));
        assert_eq!(held(&handle), (1, 2));
        drop(first);
        drop(server.next_request().await);
        for (mut call, name) in
            waiting.into_iter().zip(names.iter().filter(|name| **name != names[dropped]))
        {
            assert!(call.is_woken());
            assert_pending!(call.poll());
            answers(&mut server, name).await;
            assert_ready_ok!(call.poll());
        }
        assert_eq!(held(&handle), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_was_woken_and_leaves_passes_the_slot_on() {
    let (handle, mut client, mut server) = limit(Concurrency::limit(1));
    let mut one = waits(&mut client, "one");
    let two = waits(&mut client, "two");
    let mut three = waits(&mut client, "three");
    answers(&mut server, "one").await;
    assert_ready_ok!(one.poll());
    drop(two);
    assert!(three.is_woken());
    assert_pending!(three.poll());
    answers(&mut server, "three").await;
    assert_ready_ok!(three.poll());
    assert_eq!(held(&handle), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_finds_the_queue_full_is_refused_at_once() {
    let (handle, mut client, _server) = limit(Concurrency::limit(1).max_waiting(1));
    let (_one, _two) = (waits(&mut client, "one"), waits(&mut client, "two"));
    let error = assert_ready_err!(call(&mut client, "three").poll());
    assert_eq!(refused(&error), Reason::NoSlot);
    assert_eq!(held(&handle), (1, 1));
}

/// What a guard in a set says at a glance, and what it says when it is asked.
fn says(guard: &ConcurrencyGuard, ask: Ask) -> [Option<Reason>; 2] {
    let now = Now::default();
    let glance = Guard::<()>::glance(guard, &(), ask, &now).err();
    let asked = match Guard::<()>::try_admit(guard, &(), ask, &now) {
        Admission::Go(_) => panic!("it is taken"),
        Admission::Wait => None,
        Admission::Refuse(refused) => Some(refused),
    };
    [glance, asked].map(|refused| refused.map(|refused| refused.reason()))
}

#[tokio::test(start_paused = true)]
async fn who_must_be_refused_does_not_wait_first() {
    let now = clock::now();
    let over = Ask { until: now, ..Ask::default() };
    for (settings, ask, reason) in [
        (Concurrency::limit(1), Ask::default(), None),
        (Concurrency::limit(1).max_waiting(0), Ask::default(), Some(Reason::NoSlot)),
        (Concurrency::limit(1).max_wait(Duration::ZERO), Ask::default(), Some(Reason::NoSlot)),
        (Concurrency::limit(1), over, Some(Reason::Deadline)),
    ] {
        let guard = ConcurrencyGuard::new(settings).unwrap();
        assert_eq!(Guard::<()>::glance(&guard, &(), ask, &Now::default()), Ok(()));
        let _slot = Guard::<()>::try_admit(&guard, &(), ask, &Now::default());
        assert_eq!(says(&guard, ask), [reason, reason]);
    }
}

#[tokio::test(start_paused = true)]
async fn in_shadow_it_says_whom_it_would_refuse_and_whom_it_would_hold_up() {
    for (calls, word) in [(0, "WouldRefuse"), (1, "WouldWait")] {
        let layer = ConcurrencyLayer::new(Concurrency::limit(1).max_waiting(calls)).unwrap();
        let shadow = layer.shadow();
        let (mut client, _server) = mock::spawn_with(|service: Mock| shadow.layer(service));
        let mut sent = || {
            assert_ready_ok!(client.poll_ready::<Req>());
            client.call(Request::new("x"))
        };
        let _ = heard();
        let _calls = (sent(), sent());
        let told = heard();
        assert!(told.len() == 1 && told[0].starts_with(word), "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_settings_count_for_whoever_comes_next() {
    let (handle, mut client, _server) = limit(Concurrency::limit(1).max_waiting(1));
    let (_one, mut two) = (waits(&mut client, "one"), waits(&mut client, "two"));
    let patience = Duration::from_millis(100);
    handle.change(Concurrency::limit(1).max_waiting(2).max_wait(patience)).unwrap();
    let mut three = waits(&mut client, "three");
    assert_eq!(says(&handle, Ask::default()), [Some(Reason::NoSlot); 2]);
    advance(Duration::from_millis(101)).await;
    assert_eq!(refused(&assert_ready_err!(three.poll())), Reason::NoSlot);
    assert_pending!(two.poll()); // it waits as long as it would have
    assert!(!two.is_woken());

    assert!(handle.change(Concurrency::limit(0)).is_err());
    handle.change(Concurrency::limit(2)).unwrap();
    assert!(two.is_woken());
    assert_pending!(two.poll());
    assert_eq!(held(&handle), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_set_by_hand_may_not_be_forgotten() {
    let [resized, changed] = [1; 2].map(|limit| ConcurrencyGuard::new(Concurrency::limit(limit)));
    let (resized, changed) = (resized.unwrap(), changed.unwrap());
    let rest = || [&resized, &changed].map(<ConcurrencyGuard as Guard<()>>::at_rest_from);
    assert_eq!(rest(), [Some(Moment::MIN); 2]);
    resized.resize(2).unwrap();
    changed.change(Concurrency::limit(2)).unwrap();
    assert_eq!(rest(), [None; 2]);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_allowed() {
    let patience = Duration::from_secs(2);
    let (handle, mut client, _server) = limit(Concurrency::limit(1).max_wait(patience));
    let _one = waits(&mut client, "one");
    let mut two = waits(&mut client, "two");
    advance(patience - Duration::from_millis(1)).await;
    assert_pending!(two.poll());
    advance(Duration::from_millis(2)).await;
    assert!(two.is_woken());
    assert_eq!(refused(&assert_ready_err!(two.poll())), Reason::NoSlot);
    assert_eq!(held(&handle), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_there_goes_before_a_wait_that_is_over() {
    let patience = Duration::from_secs(2);
    let (_handle, mut client, mut server) = limit(Concurrency::limit(1).max_wait(patience));
    let mut one = waits(&mut client, "one");
    let mut two = waits(&mut client, "two");
    answers(&mut server, "one").await;
    assert_ready_ok!(one.poll());
    advance(patience * 2).await;
    assert_pending!(two.poll());
    answers(&mut server, "two").await;
    assert_ready_ok!(two.poll());
}

#[tokio::test(start_paused = true)]
async fn more_slots_let_those_in_who_wait_and_fewer_hold_them_back() {
    let (handle, mut client, mut server) = limit(Concurrency::limit(1));
    let mut one = waits(&mut client, "one");
    let (mut two, mut three) = (waits(&mut client, "two"), waits(&mut client, "three"));
    handle.resize(3).unwrap();
    assert!(two.is_woken());
    assert_pending!(two.poll());
    assert!(three.is_woken(), "one wakes the next");
    assert_pending!(three.poll());
    assert_eq!(held(&handle), (3, 0));

    handle.resize(1).unwrap();
    let four = waits(&mut client, "four");
    for (call, name) in [(&mut one, "one"), (&mut two, "two")] {
        answers(&mut server, name).await;
        assert_ready_ok!(call.poll());
        assert!(!four.is_woken());
    }
    answers(&mut server, "three").await;
    assert_ready_ok!(three.poll());
    assert!(four.is_woken());
    assert!(handle.resize(0).is_err());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_beyond_the_end_of_its_call() {
    let guard = ConcurrencyGuard::new(Concurrency::limit(1)).unwrap();
    let Admission::Go(slot) = Guard::<()>::try_admit(&guard, &(), Ask::default(), &Now::default())
    else {
        panic!("it is free")
    };
    let until = |time| Ask { until: clock::now() + time, ..Ask::default() };
    let mut waits = task::spawn(Guard::<()>::admit(&guard, &(), until(Duration::from_millis(500))));
    assert_pending!(waits.poll());
    advance(Duration::from_millis(501)).await;
    assert_eq!(assert_ready_err!(waits.poll()).reason(), Reason::Deadline);

    let mut late = task::spawn(Guard::<()>::admit(&guard, &(), until(Duration::ZERO)));
    assert_eq!(assert_ready_err!(late.poll()).reason(), Reason::Deadline);
    assert_eq!(held(&guard), (1, 0));
    let abandoned = Ending::new(mainstay_policy::Outcome::Abandoned);
    let now = Now::default();
    let slot = Guard::<()>::settle(&guard, &(), slot, &abandoned, &now);
    Guard::<()>::let_go(&guard, &(), slot, &abandoned, &now);
    assert_eq!(held(&guard), (0, 0));
}

/// One that was woken and is never polled keeps its own slot and holds nobody up.
#[tokio::test(start_paused = true)]
async fn a_slot_of_one_who_is_never_polled_is_the_only_one_that_is_lost() {
    let (handle, mut client, mut server) = limit(Concurrency::limit(2));
    let mut calls = [waits(&mut client, "one"), waits(&mut client, "two")];
    let _never_polled = waits(&mut client, "never polled");
    let mut next = waits(&mut client, "next");
    for (call, name) in calls.iter_mut().zip(["one", "two"]) {
        answers(&mut server, name).await;
        assert_ready_ok!(call.poll());
    }
    assert!(next.is_woken());
    assert_pending!(next.poll());
    answers(&mut server, "next").await;
    assert_ready_ok!(next.poll());
    assert_eq!(held(&handle), (1, 0));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert!(ConcurrencyLayer::new(Concurrency::limit(0)).is_err());
}
