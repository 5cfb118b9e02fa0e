use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower_layer::Layer;
use tower_service::Service;

use super::*;
use crate::clock;
use crate::error::{CallError, Error, Reason};
use crate::http::Key;
use crate::scope::Scope;
use crate::scripted::{Script, Scripted, Wrong, script};

mod apart;
mod begun;

type Inner = Scripted<&'static str, &'static str>;
type By = fn(&&'static str) -> Option<Key>;
type Layered = CoalesceLayer<By, &'static str, Error<Wrong>>;
type Client = Coalesce<Inner, By, &'static str, Error<Wrong>>;
type Call = task::Spawn<<Client as Service<&'static str>>::Future>;

/// Requests are equal up to the first space; those that begin with one have no key.
fn word(request: &&'static str) -> Option<Key> {
    let word = request.split(' ').next()?;
    (!word.is_empty()).then(|| Key::new(word))
}

struct Stand {
    layer: Layered,
    client: Client,
    server: Script<&'static str, &'static str>,
}

fn stand() -> Stand {
    let layer = CoalesceLayer::new(word as By);
    let (server, service) = script();
    Stand { client: layer.layer(service), layer, server }
}

impl Stand {
    fn call(&mut self, request: &'static str) -> Call {
        assert_ready_ok!(task::spawn(poll_fn(|cx| self.client.poll_ready(cx))).poll());
        task::spawn(self.client.call(request))
    }

    /// A call that has been polled and waits.
    fn waits(&mut self, request: &'static str) -> Call {
        let mut call = self.call(request);
        assert_pending!(call.poll());
        call
    }
}

#[track_caller]
fn answered(call: &mut Call) -> &'static str {
    assert!(call.is_woken());
    assert_ready_ok!(call.poll())
}

#[test]
fn equal_requests_at_the_same_time_are_sent_once_and_all_get_the_answer() {
    let mut stand = stand();
    let mut calls = ["a 1", "a 2", "a 3"].map(|request| stand.waits(request));
    assert_eq!((stand.server.calls(), stand.layer.in_flight()), (1, 1));
    let sent = stand.server.next();
    assert_eq!(sent.request, "a 1");
    sent.ends(Ok("well"));
    assert_eq!(calls.each_mut().map(answered), ["well"; 3]);
    assert_eq!(stand.layer.in_flight(), 0);
}

#[test]
fn an_error_is_for_all_as_well() {
    let mut stand = stand();
    let mut calls = ["a", "a"].map(|request| stand.waits(request));
    stand.server.next().ends(Err(Error::Inner(Wrong)));
    for call in &mut calls {
        assert_eq!(assert_ready_err!(call.poll()), Error::Inner(Wrong));
    }
}

#[test]
fn other_requests_and_those_without_a_key_are_sent_by_themselves() {
    let mut stand = stand();
    let _calls = ["a", "b", " x", " x"].map(|request| stand.waits(request));
    assert_eq!((stand.server.calls(), stand.layer.in_flight()), (4, 2));
    assert_eq!(stand.server.clones(), 0);
}

#[test]
fn a_request_that_comes_after_the_end_is_sent_anew() {
    let mut stand = stand();
    let (mut one, mut two) = (stand.waits("a"), stand.waits("a"));
    stand.server.next().ends(Ok("first"));
    assert_eq!(answered(&mut one), "first");
    assert_eq!(stand.layer.in_flight(), 0);
    let mut late = stand.waits("a");
    assert_eq!((stand.server.calls(), stand.layer.in_flight()), (2, 1));
    assert_eq!(answered(&mut two), "first");
    assert_eq!(stand.layer.in_flight(), 1, "it is another's by now");
    stand.server.next().ends(Ok("second"));
    assert_eq!(answered(&mut late), "second");
}

// C10
#[test]
fn all_services_of_a_layer_and_its_clones_share_what_is_on_its_way() {
    let mut stand = stand();
    let _call = stand.waits("a");
    let (server, service) = script();
    stand.client = stand.layer.clone().layer(service);
    let _joined = stand.waits("a");
    assert_eq!((stand.server.calls(), server.calls()), (1, 0));
}

// B2
#[test]
fn a_call_that_began_it_and_is_dropped_hands_over_without_a_new_request() {
    let mut stand = stand();
    for polled in [false, true] {
        let leader = if polled { stand.waits("a") } else { stand.call("a") };
        let (mut two, mut three) = (stand.waits("a"), stand.waits("a"));
        drop(leader);
        let sent = stand.server.next();
        assert!(!sent.is_dropped());
        sent.ends(Ok("well"));
        assert_eq!((answered(&mut two), answered(&mut three)), ("well", "well"));
        assert_eq!((stand.server.calls(), stand.layer.in_flight()), (1, 0));
    }
}

#[test]
fn a_call_that_is_not_polled_any_more_holds_nobody_up() {
    let mut stand = stand();
    let mut leader = stand.waits("a");
    let (mut two, mut three) = (stand.waits("a"), stand.waits("a"));
    stand.server.next().ends(Ok("well"));
    assert!(leader.is_woken());
    assert_eq!((answered(&mut three), answered(&mut two)), ("well", "well"));
    assert_eq!(answered(&mut leader), "well");
}

#[test]
fn who_leaves_ends_its_own_wait_and_the_last_one_the_request() {
    let mut stand = stand();
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let mut calls = ["a"; 3].map(|request| Some(stand.waits(request)));
        let sent = stand.server.next();
        for (n, place) in order.into_iter().enumerate() {
            assert!(!sent.is_dropped(), "{n} left");
            calls[place] = None;
        }
        assert!(sent.is_dropped());
        assert_eq!(stand.layer.in_flight(), 0);
    }
}

#[test]
fn who_was_woken_and_leaves_takes_nothing_with_it() {
    let mut stand = stand();
    let (leader, mut two) = (stand.waits("a"), stand.waits("a"));
    stand.server.next().ends(Ok("well"));
    assert!(leader.is_woken());
    drop(leader);
    assert_eq!(answered(&mut two), "well");

    let (mut leader, two) = (stand.waits("a"), stand.waits("a"));
    stand.server.next().ends(Ok("well"));
    assert_eq!(answered(&mut leader), "well");
    drop(two); // it knew nothing of the end yet
    assert_eq!(stand.layer.in_flight(), 0);
}

// B1
#[test]
fn nobody_is_woken_for_nothing_and_the_request_is_polled_when_it_is_woken() {
    let mut stand = stand();
    let mut calls = ["a"; 4].map(|request| stand.waits(request));
    assert_eq!(stand.server.polls(), 1);
    for call in &mut calls {
        assert!(!call.is_woken());
        assert_pending!(call.poll());
    }
    assert_eq!(stand.server.polls(), 0, "it has not been woken");
    stand.server.next().ends(Ok("well"));
    calls.iter_mut().for_each(|call| assert_eq!(answered(call), "well"));
    assert_eq!(stand.server.polls(), 1);
}

#[test]
fn a_waker_takes_the_place_of_the_one_before() {
    let mut stand = stand();
    let call = stand.call("a");
    let mut future = call.into_inner();
    let mut poll = |task: &mut task::Spawn<()>| {
        task.enter(|cx, _| Pin::new(&mut future).poll(cx).is_pending())
    };
    let (mut old, mut new) = (task::spawn(()), task::spawn(()));
    assert!(poll(&mut old) && poll(&mut new));
    stand.server.next().ends(Ok("well"));
    assert!(new.is_woken() && !old.is_woken());
}

// B3
#[test]
fn a_panic_of_the_call_leaves_no_key_behind() {
    let mut stand = stand();
    stand.server.panics();
    assert!(catch_unwind(AssertUnwindSafe(|| stand.call("a"))).is_err());
    assert_eq!(stand.layer.in_flight(), 0);
    stand.server.is_ready();
    let mut call = stand.waits("a");
    stand.server.next().ends(Ok("well"));
    assert_eq!(answered(&mut call), "well");
}

#[test]
fn after_a_panic_another_sends_its_own_request_for_all_who_are_left() {
    for panicking in [0, 1] {
        let mut stand = stand();
        let mut calls: Vec<_> =
            ["a 0", "a 1", "a 2", "a 3"].iter().map(|request| stand.waits(request)).collect();
        stand.server.next().panics();
        let mut first = calls.remove(panicking);
        assert!(catch_unwind(AssertUnwindSafe(|| first.poll())).is_err());
        drop(first);
        for call in &mut calls {
            assert!(call.is_woken());
            assert_pending!(call.poll());
        }
        assert_eq!((stand.server.calls(), stand.layer.in_flight()), (2, 1));
        let sent = stand.server.next();
        assert!(calls.len() == 3 && sent.request.starts_with("a "));
        sent.ends(Ok("well"));
        calls.iter_mut().for_each(|call| assert_eq!(answered(call), "well"));
    }
}

#[test]
fn who_has_no_request_left_after_a_panic_is_refused() {
    let mut stand = stand();
    let (mut leader, mut two) = (stand.waits("a"), stand.waits("a"));
    stand.server.next().panics();
    assert!(catch_unwind(AssertUnwindSafe(|| two.poll())).is_err());
    assert!(leader.is_woken());
    let error = assert_ready_err!(leader.poll());
    let reason = error.refused().map(crate::Refused::reason);
    assert_eq!(reason, Some(Reason::Panicked));
    drop((leader, two));
    assert_eq!(stand.layer.in_flight(), 0);
}

#[test]
fn who_waits_for_another_to_begin_anew_is_told_when_that_one_leaves() {
    let mut stand = stand();
    let (mut leader, mut two) = (stand.waits("a"), stand.waits("a"));
    let three = stand.waits("a");
    stand.server.next().panics();
    assert!(catch_unwind(AssertUnwindSafe(|| two.poll())).is_err());
    assert_pending!(leader.poll());
    assert!(!leader.is_woken());
    drop(three);
    assert!(leader.is_woken());
    assert!(assert_ready_err!(leader.poll()).refused().is_some());
}

#[test]
fn who_joins_gives_its_readiness_back_and_is_made_ready_before_it_begins_anew() {
    let mut stand = stand();
    let (mut leader, mut two) = (stand.waits("a"), stand.waits("a"));
    assert_eq!(stand.server.clones(), 2);
    let called = catch_unwind(AssertUnwindSafe(|| stand.client.call("b")));
    assert!(called.is_err(), "it would borrow a readiness");

    stand.server.next().panics();
    assert!(catch_unwind(AssertUnwindSafe(|| leader.poll())).is_err());
    stand.server.is_busy();
    assert_pending!(two.poll());
    assert_eq!(stand.server.calls(), 1);
    stand.server.is_ready();
    assert!(two.is_woken());
    assert_pending!(two.poll());
    stand.server.next().ends(Ok("well"));
    assert_eq!(answered(&mut two), "well");
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_sees_no_deadline_of_a_single_caller() {
    let mut stand = stand();
    let scope = Scope::current().until(clock::now() + Duration::from_secs(1)).attempt(2);
    let _call = scope.around(|| stand.waits("a"));
    assert_eq!(stand.server.next().scope, Scope::OUTSIDE);
    let _alone = scope.around(|| stand.waits(" x"));
    assert_eq!(stand.server.next().scope, scope);

    let (mut leader, mut joined) = scope.around(|| (stand.waits("b"), stand.waits("b")));
    stand.server.next().panics();
    assert!(catch_unwind(AssertUnwindSafe(|| leader.poll())).is_err());
    assert_pending!(scope.around(|| joined.poll()));
    assert_eq!(stand.server.next().scope, Scope::OUTSIDE, "nor after a panic");
}

#[test]
fn who_begins_anew_and_is_dropped_hands_over_as_well() {
    let mut stand = stand();
    let (mut leader, mut two) = (stand.waits("a"), stand.waits("a"));
    let mut three = stand.waits("a");
    stand.server.next().panics();
    assert!(catch_unwind(AssertUnwindSafe(|| leader.poll())).is_err());
    stand.server.is_busy();
    assert_pending!(two.poll());
    assert_pending!(three.poll());
    drop(two);
    stand.server.is_ready();
    assert!(three.is_woken());
    assert_pending!(three.poll());
    stand.server.next().ends(Ok("well"));
    assert_eq!(answered(&mut three), "well");
}

#[test]
fn who_looks_while_another_polls_is_woken_if_there_is_more_to_do() {
    type Hook = Box<dyn FnMut() + Send>;
    let hook: Arc<Mutex<Option<Hook>>> = Arc::default();
    let hooked = Arc::clone(&hook);
    let inner = tower::service_fn(move |_: &'static str| {
        let hook = hooked.lock().unwrap().take();
        async move {
            let Some(mut hook) = hook else { return Ok::<_, Error<Wrong>>("unhooked") };
            let mut is_first = true;
            poll_fn(|cx| {
                if !std::mem::take(&mut is_first) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                hook();
                Poll::Pending
            })
            .await;
            Ok("well")
        }
    });
    let layer = CoalesceLayer::new(word as By);
    let mut service = layer.layer(inner);
    let second = Arc::new(Mutex::new(None));
    let other = Arc::clone(&second);
    *hook.lock().unwrap() = Some(Box::new(move || {
        let mut other = other.lock().unwrap();
        let other: &mut task::Spawn<BoxFuture> = other.as_mut().unwrap();
        assert_pending!(other.poll());
    }));
    let mut first = task::spawn(service.call("a"));
    let joined: BoxFuture = Box::pin(service.call("a"));
    *second.lock().unwrap() = Some(task::spawn(joined));
    assert_pending!(first.poll());
    let mut second = second.lock().unwrap();
    let second = second.as_mut().unwrap();
    assert!(second.is_woken(), "the first may never be polled again");
    assert_eq!(assert_ready_ok!(second.poll()), "well");
}

type BoxFuture = Pin<Box<dyn Future<Output = Result<&'static str, Error<Wrong>>> + Send>>;

#[test]
fn threads_that_move_each_other_s_requests_on_all_get_an_answer() {
    let inner = tower::service_fn(|n: u32| async move {
        for _ in 0..n % 4 {
            tokio::task::yield_now().await;
        }
        Ok::<_, Error<Wrong>>(n % 3)
    });
    let layer = CoalesceLayer::new(|n: &u32| Some(Key::new((n % 3).to_string())));
    let service = layer.layer(inner);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let mut service = service.clone();
            scope.spawn(move || {
                tokio_test::block_on(async {
                    for n in thread..2_000 {
                        poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
                        let call = service.call(n);
                        if n % 7 == 0 {
                            drop(call);
                        } else {
                            assert_eq!(call.await.unwrap(), n % 3);
                        }
                    }
                });
            });
        }
    });
    assert_eq!(layer.in_flight(), 0);
}
