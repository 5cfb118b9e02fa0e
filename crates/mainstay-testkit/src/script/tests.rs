use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use tower_service::Service;

use super::*;
use crate::Polled;

type Plain = Script<u8, u8, &'static str>;

fn poll_ready(service: &mut Scripted<u8, u8, &'static str>) -> Poll<Result<(), &'static str>> {
    Polled::new(poll_fn(|cx| service.poll_ready(cx))).poll()
}

const READY: Poll<Result<(), &str>> = Poll::Ready(Ok(()));

#[track_caller]
fn panic_of(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it does not panic");
    panic.downcast_ref::<String>().cloned().unwrap()
}

#[test]
fn a_call_waits_for_its_answer_and_can_be_looked_at() {
    let script = Plain::new();
    let mut service = script.service();
    for end in [Ok(8), Err("ill")] {
        assert_eq!(poll_ready(&mut service), READY);
        let mut call = Polled::new(service.call(7));
        assert!(call.poll().is_pending());
        let arrival = script.next().unwrap();
        assert_eq!((*arrival.request(), arrival.polls(), arrival.is_gone()), (7, 1, false));
        match end {
            Ok(answer) => arrival.answer(answer),
            Err(error) => arrival.fail(error),
        };
        assert!(call.is_woken());
        assert_eq!(call.poll(), Poll::Ready(end));
    }
    let expected = Seen { ready_polls: 2, calls: 2, polls: 4, ..Seen::default() };
    assert_eq!(script.seen(), expected);
    assert!(script.next().is_none());
}

#[test]
fn a_call_without_readiness_panics_and_each_readiness_is_for_one_call() {
    let script = Plain::new();
    let mut service = script.service();
    let expected = "instance 1 of the scripted service was called and is not ready";
    assert!(panic_of(|| drop(service.call(1))).starts_with(expected));
    assert_eq!(poll_ready(&mut service), READY);
    drop(service.call(1));
    assert!(panic_of(|| drop(service.call(2))).starts_with(expected));
    assert_eq!(script.seen().calls, 1);
}

#[test]
fn a_clone_is_not_ready_and_one_that_is_dropped_uncalled_is_counted() {
    let script = Plain::new();
    let mut service = script.service();
    assert_eq!(poll_ready(&mut service), READY);
    let mut clone = service.clone();
    assert!(panic_of(|| drop(clone.call(1))).starts_with("instance 2 of"));
    assert_eq!(script.seen().uncalled, 0);
    drop((service, clone));
    assert_eq!(script.seen().uncalled, 1);
}

#[test]
fn calls_in_flight_and_those_dropped_early_are_counted() {
    let script = Plain::new();
    let mut service = script.service();
    assert_eq!(poll_ready(&mut service), READY);
    let call = service.call(1);
    let arrival = script.next().unwrap();
    assert_eq!((script.seen().in_flight, script.seen().abandoned), (1, 0));
    drop(call);
    assert!(arrival.is_gone());
    assert_eq!((script.seen().in_flight, script.seen().abandoned), (0, 1));
}

#[test]
fn a_hanging_call_hangs() {
    let script = Plain::new();
    let mut service = script.service();
    assert_eq!(poll_ready(&mut service), READY);
    let mut call = Polled::new(service.call(1));
    drop(script.next());
    assert!(call.poll().is_pending() && !call.is_woken());
}

#[test]
fn readiness_can_be_withheld_and_given() {
    let script = Plain::new();
    let (mut ready, mut service) = (script.service(), script.service());
    assert_eq!(poll_ready(&mut ready), READY);
    script.withholds_readiness();
    assert_eq!(poll_ready(&mut ready), READY, "who is ready stays so");
    let mut pending = Polled::new(poll_fn(|cx| service.poll_ready(cx)));
    assert!(pending.poll().is_pending() && !pending.is_woken());
    script.gives_readiness();
    assert!(pending.is_woken());
    assert_eq!(pending.poll(), READY);
}

#[test]
fn a_dead_instance_says_so_and_wakes_who_waits() {
    let script = Plain::new();
    let mut service = script.service();
    script.withholds_readiness();
    let mut pending = Polled::new(poll_fn(|cx| service.poll_ready(cx)));
    assert!(pending.poll().is_pending());
    script.dies(|| "dead");
    assert!(pending.is_woken());
    assert_eq!(pending.poll(), Poll::Ready(Err("dead")));
}

#[test]
fn it_panics_where_it_is_told_to_and_only_once() {
    let script = Plain::new();
    script.answers(|request| Ok(request + 1));
    let mut service = script.service();
    assert_eq!(poll_ready(&mut service), READY);
    script.panics_in_call();
    assert_eq!(panic_of(|| drop(service.call(1))), "the scripted service panics in a call");

    assert_eq!(poll_ready(&mut service), READY);
    let mut call = Polled::new(service.call(1));
    script.panics_in_poll();
    assert_eq!(panic_of(|| _ = call.poll()), "the scripted service panics in a poll");
    assert_eq!(script.seen().in_flight, 0);

    assert_eq!(poll_ready(&mut service), READY);
    assert_eq!(Polled::new(service.call(1)).poll(), Poll::Ready(Ok(2)));

    script.holds();
    assert_eq!(poll_ready(&mut service), READY);
    let mut call = Polled::new(service.call(1));
    script.next().unwrap().panic("so it was said");
    assert_eq!(panic_of(|| _ = call.poll()), "so it was said");
}

#[test]
fn it_stutters_before_it_is_ready_and_before_it_answers() {
    let script = Plain::new();
    script.answers(Ok);
    script.stutters(2);
    let mut service = script.service();
    for _ in 0..2 {
        let mut ready = Polled::new(poll_fn(|cx| service.poll_ready(cx)));
        assert!(ready.poll().is_pending() && ready.is_woken());
    }
    assert_eq!(poll_ready(&mut service), READY);
    let mut call = Polled::new(service.call(1));
    for _ in 0..2 {
        assert!(call.poll().is_pending() && call.is_woken());
    }
    assert_eq!(call.poll(), Poll::Ready(Ok(1)));
    assert!(poll_ready(&mut service).is_pending(), "it stutters each time");
}

#[test]
fn one_place_goes_from_hand_to_hand_in_the_order_in_which_it_was_asked_for() {
    let script = Plain::new();
    script.has_places(1);
    let (mut one, mut two, mut three) = (script.service(), script.service(), script.service());
    assert_eq!(poll_ready(&mut one), READY);
    let mut second = Polled::new(poll_fn(|cx| two.poll_ready(cx)));
    assert!(second.poll().is_pending());
    assert!(poll_ready(&mut three).is_pending());

    let call = one.call(1);
    assert!(poll_ready(&mut one).is_pending(), "its own call has the place");
    assert!(!second.is_woken());
    drop(call);
    assert!(second.is_woken());
    assert!(poll_ready(&mut three).is_pending(), "it is the second one's, who has not looked yet");
    drop(second);
    drop(two);
    assert_eq!(poll_ready(&mut three), READY, "who is gone needs none");
    assert!(poll_ready(&mut one).is_pending());
    drop(three);
    assert_eq!(poll_ready(&mut one), READY, "and neither does who was ready and is gone");
}

#[tokio::test(start_paused = true)]
async fn a_test_can_wait_for_the_next_call() {
    let script = Plain::new();
    let mut service = script.service();
    let mut arrives = Polled::new(script.arrives());
    assert!(arrives.poll().is_pending());
    assert_eq!(poll_ready(&mut service), READY);
    let call = service.call(7);
    assert!(arrives.is_woken());
    drop(arrives);
    assert_eq!(crate::finishes(script.arrives()).await.answer(8), 7);
    assert_eq!(call.await, Ok(8));
}

mod strict;
