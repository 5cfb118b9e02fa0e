use ::http::{Request, Response};
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok, task};
use tower_service::Service;
use tower_test::mock;

use super::*;
use crate::error::Reason;
use crate::observe::testing::heard;
use crate::{BoxError, CallError};

type Req = Request<&'static str>;
type Res = Response<Full<Bytes>>;
type Mock = mock::Mock<Req, Res>;
type Client = mock::Spawn<Guarded<Mock, Arc<AdaptiveGuard>>>;
type Server = mock::Handle<Req, Res>;
type Call = task::Spawn<<Guarded<Mock, Arc<AdaptiveGuard>> as Service<Req>>::Future>;

const fn aimd(initial: u32) -> AdaptiveLimit {
    AdaptiveLimit::aimd(Aimd::new()).initial(initial)
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn limit(settings: AdaptiveLimit) -> (Arc<AdaptiveGuard>, Client, Server) {
    let layer = AdaptiveLimitLayer::new(settings).unwrap();
    let (client, server) = mock::spawn_with(|service| layer.layer(service));
    (layer.handle(), client, server)
}

fn call(client: &mut Client) -> Call {
    assert_ready_ok!(client.poll_ready::<Req>());
    task::spawn(client.call(Request::new("x")))
}

/// A call that has been polled and waits, be it for a slot or for its answer.
fn waits(client: &mut Client) -> Call {
    let mut call = call(client);
    assert_pending!(call.poll());
    call
}

fn answer(status: u16) -> Res {
    Response::builder().status(status).body(Full::from("some body")).unwrap()
}

/// The next request is answered, and the call that it is of.
fn ends(call: &mut Call, server: &mut Server, status: u16) {
    let (_, send) = assert_ready!(server.poll_request()).unwrap();
    send.send_response(answer(status));
    assert_ready_ok!(call.poll());
}

/// So many calls at the same time, of which each takes so long and ends with this status.
async fn flight(client: &mut Client, server: &mut Server, calls: u32, took: Duration, status: u16) {
    let calls: Vec<_> = (0..calls).map(|_| waits(client)).collect();
    advance(took).await;
    for mut call in calls {
        ends(&mut call, server, status);
    }
}

fn refused(error: &BoxError) -> (&'static str, Reason) {
    error.refused().map(|refused| (refused.layer(), refused.reason())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn calls_that_go_well_raise_it_while_it_is_in_use_and_drops_lower_it() {
    let (handle, mut client, mut server) = limit(aimd(20));
    flight(&mut client, &mut server, 20, millis(50), 200).await;
    // The last ones of the flight leave less than half of it in use.
    assert_eq!(handle.snapshot().limit, 27);
    for (status, left) in [(503, 24), (429, 21), (408, 18), (404, 18)] {
        flight(&mut client, &mut server, 1, millis(1), status).await;
        assert_eq!(handle.snapshot().limit, left, "{status}");
    }
}

// C13: one burst of 10 failures took a peer's limit from 100 to 1.
#[tokio::test(start_paused = true)]
async fn a_burst_of_failures_leaves_a_third_of_it() {
    let (handle, mut client, mut server) = limit(aimd(100));
    flight(&mut client, &mut server, 10, millis(1), 503).await;
    assert_eq!(handle.snapshot().limit, 32); // nine tenths, ten times, rounded down
}

// C13: 90 calls one after the other took a peer's limit from 10 to 100.
#[tokio::test(start_paused = true)]
async fn calls_one_after_the_other_do_not_raise_it() {
    let (handle, mut client, mut server) = limit(aimd(10));
    for _ in 0..90 {
        flight(&mut client, &mut server, 1, millis(1), 200).await;
    }
    assert_eq!(handle.snapshot().limit, 10);
}

// C13: 500 calls that their callers timed out left a peer's limit at 50.
#[tokio::test(start_paused = true)]
async fn calls_that_are_given_up_late_lower_it_and_early_ones_say_nothing() {
    let (handle, mut client, mut server) = limit(aimd(50));
    for late in [false, true] {
        let calls: Vec<_> = (0..5).map(|_| waits(&mut client)).collect();
        advance(if late { millis(5_000) } else { millis(4_999) }).await;
        drop(calls);
        for _ in 0..5 {
            drop(assert_ready!(server.poll_request()));
        }
        assert_eq!(handle.snapshot().limit, if late { 28 } else { 50 });
        assert_eq!(handle.snapshot().in_use, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_too_long_is_a_drop_and_the_wait_for_a_slot_is_no_part_of_it() {
    let settings = AdaptiveLimit::aimd(Aimd::new().timeout(millis(1_000))).initial(1).max(1);
    let (handle, mut client, mut server) = limit(settings.min(1));
    let mut limits = handle.watch();
    let (mut first, mut second) = (waits(&mut client), waits(&mut client));
    advance(millis(900)).await;
    ends(&mut first, &mut server, 200);
    assert_pending!(second.poll());
    advance(millis(900)).await;
    ends(&mut second, &mut server, 200);
    assert!(!limits.has_changed().unwrap());

    let settings = AdaptiveLimit::aimd(Aimd::new().timeout(millis(1_000))).initial(10);
    let (handle, mut client, mut server) = limit(settings);
    limits = handle.watch();
    flight(&mut client, &mut server, 1, millis(1_001), 200).await;
    assert_eq!(*limits.borrow_and_update(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_is_timed_from_when_it_got_its_slot() {
    let settings = AdaptiveLimit::aimd(Aimd::new().timeout(millis(1_000))).initial(2);
    let (handle, mut client, mut server) = limit(settings);
    let (mut one, mut two) = (waits(&mut client), waits(&mut client));
    let mut three = waits(&mut client);
    advance(millis(900)).await;
    ends(&mut one, &mut server, 200);
    ends(&mut two, &mut server, 200);
    assert_pending!(three.poll());
    let before = handle.snapshot().limit;
    advance(millis(900)).await;
    ends(&mut three, &mut server, 200);
    assert!(handle.snapshot().limit >= before, "1.8 s since the call, 0.9 s since the slot");
}

#[tokio::test(start_paused = true)]
async fn gradient2_follows_how_long_calls_take() {
    let rule = Gradient2::new().window(millis(1_000)).min_calls(10);
    let (handle, mut client, mut server) =
        limit(AdaptiveLimit::gradient2(rule).initial(10).max(16));
    for _ in 0..200 {
        flight(&mut client, &mut server, 10, millis(100), 200).await;
    }
    let well = handle.snapshot();
    assert!(well.limit > 10, "{well:?}");
    assert_eq!(well.usual, Some(millis(100)));
    for _ in 0..3 {
        flight(&mut client, &mut server, 10, millis(1_000), 200).await;
    }
    assert!(handle.snapshot().limit < well.limit, "{:?}", handle.snapshot());
}

#[tokio::test(start_paused = true)]
async fn it_can_be_watched_and_set_by_hand() {
    let (handle, mut client, mut server) = limit(aimd(2).max(10));
    let mut limits = handle.watch();
    assert_eq!(*limits.borrow_and_update(), 2);
    let _running = [waits(&mut client), waits(&mut client)];
    let mut third = waits(&mut client);
    assert_eq!(handle.snapshot().waiting, 1);

    handle.resize(3).unwrap();
    assert!(third.is_woken(), "there is a slot for it now");
    assert_eq!(*limits.borrow_and_update(), 3);
    assert!(handle.resize(11).is_err());
    handle.resize(3).unwrap();
    assert!(!limits.has_changed().unwrap());

    assert_pending!(third.poll());
    for _ in 0..2 {
        drop(assert_ready!(server.poll_request()));
    }
    ends(&mut third, &mut server, 429);
    assert_eq!(*limits.borrow_and_update(), 2);
    assert_eq!(*handle.watch().borrow(), 2);
    assert!(!limits.has_changed().unwrap(), "one more who watches is no change");
}

#[tokio::test(start_paused = true)]
async fn changed_it_moves_into_the_new_bounds_and_who_is_in_or_waits_stays() {
    let (handle, mut client, mut server) = limit(aimd(2).max(10));
    let mut limits = handle.watch();
    let mut running = [waits(&mut client), waits(&mut client)];
    let mut third = waits(&mut client);
    handle.change(aimd(3).min(3).max(4)).unwrap();
    assert!(third.is_woken(), "there is a slot for it now");
    assert_eq!(*limits.borrow_and_update(), 3);
    assert_pending!(third.poll());
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.in_use, snapshot.waiting, snapshot.limit), (3, 0, 3));

    for call in &mut running {
        ends(call, &mut server, 200);
    }
    assert_eq!(*limits.borrow_and_update(), 4, "it rises to the new most");
    handle.change(aimd(2).max(10).backoff_ratio(0.5)).unwrap();
    assert_eq!((limits.has_changed().unwrap(), handle.snapshot().limit), (false, 4));
    ends(&mut third, &mut server, 429);
    assert_eq!(*limits.borrow_and_update(), 2);

    for wrong in [aimd(1).max(0), AdaptiveLimit::gradient2(Gradient2::new())] {
        assert!(handle.change(wrong).is_err());
    }
    assert_eq!(handle.snapshot().limit, 2);
    handle.change(aimd(1).max(1).max_waiting(0)).unwrap();
    let _running = waits(&mut client);
    let error = assert_ready_err!(call(&mut client).poll());
    assert_eq!(refused(&error), ("adaptive limit", Reason::NoSlot));
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_or_finds_the_line_full_is_refused() {
    let settings = aimd(1).max_waiting(1).max_wait(millis(2_000));
    let layer =
        AdaptiveLimitLayer::of(AdaptiveGuard::new(settings).unwrap().named("x"), Http::new());
    let (mut client, _server): (Client, Server) = mock::spawn_with(|service| layer.layer(service));
    let _running = waits(&mut client);
    let mut waiting = waits(&mut client);
    let error = assert_ready_err!(call(&mut client).poll());
    assert_eq!(refused(&error), ("adaptive limit", Reason::NoSlot));
    assert_eq!(error.refused().and_then(Refused::name), Some("x"));
    advance(millis(2_001)).await;
    assert_eq!(refused(&assert_ready_err!(waiting.poll())).1, Reason::NoSlot);
    let ask = Ask { until: clock::now() + millis(10), ..Ask::default() };
    let handle = layer.handle();
    let mut late = task::spawn(Guard::<Req>::admit(&handle, &(), ask));
    assert_pending!(late.poll());
    advance(millis(11)).await;
    assert_eq!(assert_ready_err!(late.poll()).reason(), Reason::Deadline);
    assert_eq!((handle.snapshot().in_use, handle.snapshot().waiting), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_was_given_and_never_fetched_moves_nothing() {
    let (handle, mut client, mut server) = limit(aimd(2));
    let (mut running, _other) = (waits(&mut client), waits(&mut client));
    let waiting = waits(&mut client);
    ends(&mut running, &mut server, 200);
    let held = || (handle.snapshot().in_use, handle.snapshot().waiting, handle.snapshot().limit);
    assert_eq!(held(), (2, 0, 3));
    advance(millis(60_000)).await;
    drop(waiting);
    assert_eq!(held(), (1, 0, 3));
}

/// A slot that is held beyond the head of an answer that took so long and said this.
fn held(guard: &AdaptiveGuard, took: Duration, head: Outcome) -> Option<AdaptiveHeld> {
    let start = Now::default();
    let Admission::Go(permit) = Guard::<Req>::try_admit(guard, &(), Ask::default(), &start) else {
        panic!("it is free")
    };
    let then = Now::from(start.get() + took);
    Guard::<Req>::settle(guard, &(), permit, &Ending::new(head), &then)
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_a_drop_and_one_that_is_read_slowly_is_not() {
    let later = Now::from(clock::now() + millis(600_000));
    let let_go = |took, outcome| {
        let guard = AdaptiveGuard::new(aimd(10)).unwrap();
        let held = held(&guard, took, Outcome::Success);
        assert_eq!(guard.snapshot().in_use, 1);
        Guard::<Req>::let_go(&guard, &(), held, &Ending::new(outcome), &later);
        assert_eq!(guard.snapshot().in_use, 0);
        guard.snapshot().limit
    };
    assert_eq!(let_go(millis(10), Outcome::Transient), 9);
    assert_eq!(let_go(millis(10), Outcome::Success), 10);
    assert_eq!(let_go(millis(10), Outcome::Abandoned), 10);
    assert_eq!(let_go(millis(5_001), Outcome::Success), 9, "the head was late");
}

#[tokio::test(start_paused = true)]
async fn of_a_body_that_is_not_read_the_head_says_how_the_call_went() {
    let patient = AdaptiveLimit::aimd(Aimd::new().timeout(millis(60_000))).initial(10);
    let abandoned = |head| {
        let guard = AdaptiveGuard::new(patient).unwrap();
        let held = held(&guard, millis(6_000), head);
        let ending = Ending::new(Outcome::Abandoned);
        Guard::<Req>::let_go(&guard, &(), held, &ending, &Now::default());
        assert_eq!(guard.snapshot().in_use, 0);
        guard.snapshot().limit
    };
    assert_eq!(abandoned(Outcome::Throttled), 9);
    assert_eq!(abandoned(Outcome::Transient), 9);
    assert_eq!(abandoned(Outcome::Success), 10, "its head took six seconds, and was well");
    assert_eq!(abandoned(Outcome::Abandoned), 9, "there was no head in six seconds");
}

#[tokio::test(start_paused = true)]
async fn what_a_call_waited_for_says_nothing_of_the_server() {
    use crate::cooldown::{CoolDown, CoolDownGuard};

    let gate = Arc::new(CoolDownGuard::new(CoolDown::new()).unwrap());
    let slots = Arc::new(AdaptiveGuard::new(aimd(20)).unwrap());
    let layer = GuardLayer::new((Arc::clone(&slots), Arc::clone(&gate)));
    let (mut client, mut server) = mock::spawn_with(|service: Mock| layer.layer(service));
    gate.close_for(millis(6_000));
    assert_ready_ok!(client.poll_ready::<Req>());
    let mut call = task::spawn(client.call(Request::new("x")));
    assert_pending!(call.poll());
    advance(millis(6_001)).await;
    assert_pending!(call.poll());
    let (_, send) = assert_ready!(server.poll_request()).unwrap();
    send.send_response(answer(200));
    assert_ready_ok!(call.poll());
    assert_eq!(slots.snapshot().limit, 20);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_call_begins_when_it_is_told_to_start() {
    let guard = AdaptiveGuard::new(aimd(10)).unwrap();
    let asked = Guard::<Req>::try_admit(&guard, &(), Ask::default(), &Now::default());
    let Admission::Go(mut permit) = asked else { panic!("it is free") };
    advance(millis(6_000)).await;
    Guard::<Req>::starts(&guard, &(), &mut permit, &Now::default());
    let (well, now) = (Ending::new(Outcome::Success), Now::default());
    let held = Guard::<Req>::settle(&guard, &(), permit, &well, &now);
    Guard::<Req>::let_go(&guard, &(), held, &well, &now);
    assert_eq!(guard.snapshot().limit, 10);
}

#[tokio::test(start_paused = true)]
async fn what_was_set_by_hand_may_not_be_forgotten() {
    let guard = AdaptiveGuard::new(aimd(10)).unwrap();
    guard.resize(5).unwrap();
    assert_eq!(Guard::<Req>::at_rest_from(&guard), None);
}

#[tokio::test(start_paused = true)]
async fn who_must_be_refused_does_not_wait_first() {
    for settings in [aimd(1).max_waiting(0), aimd(1).max_wait(Duration::ZERO)] {
        let (guard, now) = (AdaptiveGuard::new(settings).unwrap(), Now::default());
        let ask = || Guard::<Req>::try_admit(&guard, &(), Ask::default(), &now);
        assert!(matches!(ask(), Admission::Go(_)));
        let Admission::Refuse(refused) = ask() else { panic!("it must") };
        assert_eq!(refused.reason(), Reason::NoSlot);
        assert_eq!(Guard::<Req>::glance(&guard, &(), Ask::default(), &now), Err(refused));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_held_to_the_end_of_the_body_where_bodies_are_held_and_it_is_not_told_otherwise()
{
    for to_the_head in [false, true] {
        let guard = AdaptiveGuard::new(aimd(2)).unwrap();
        let guard = if to_the_head { guard.to_the_head() } else { guard };
        let layer = AdaptiveLimitLayer::of(guard, Http::new());
        let handle = layer.handle();
        let layer = layer.hold_bodies();
        let (mut client, mut server) = mock::spawn_with(|service: Mock| layer.layer(service));
        assert_ready_ok!(client.poll_ready::<Req>());
        let mut call = task::spawn(client.call(Request::new("x")));
        let (_, send) = assert_ready!(server.poll_request()).unwrap();
        send.send_response(answer(200));
        let body = assert_ready_ok!(call.poll()).into_body();
        assert!(!body.is_end_stream());
        assert_eq!(handle.snapshot().in_use, u32::from(!to_the_head));
        body.collect().await.unwrap();
        assert_eq!(handle.snapshot().in_use, 0);
        assert_eq!(handle.snapshot().limit, 3);
    }
}

// C10
#[tokio::test(start_paused = true)]
async fn all_services_of_a_layer_and_its_clones_share_one_limit() {
    let layer = AdaptiveLimitLayer::new(aimd(1)).unwrap();
    let (mut here, _server): (Client, Server) = mock::spawn_with(|service| layer.layer(service));
    let clone = layer.clone();
    let (mut there, _other): (Client, Server) = mock::spawn_with(|service| clone.layer(service));
    let (_running, _waiting) = (waits(&mut here), waits(&mut there));
    assert_eq!((layer.handle().snapshot().in_use, layer.handle().snapshot().waiting), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn in_shadow_it_learns_and_holds_nobody_up() {
    let layer = AdaptiveLimitLayer::new(aimd(1)).unwrap();
    let shadow = layer.shadow();
    let (mut client, mut server) = mock::spawn_with(|service: Mock| shadow.layer(service));
    let mut sent = || {
        assert_ready_ok!(client.poll_ready::<Req>());
        task::spawn(client.call(Request::new("x")))
    };
    let (mut inside, mut beyond) = (sent(), sent());
    assert_eq!(heard(), ["WouldWait { layer: \"adaptive limit\", name: None }"]);
    for call in [&mut inside, &mut beyond] {
        let (_, send) = assert_ready!(server.poll_request()).unwrap();
        send.send_response(answer(200));
        assert_ready_ok!(call.poll());
    }
    let snapshot = layer.handle().snapshot();
    assert_eq!((snapshot.in_use, snapshot.waiting, snapshot.limit), (0, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn it_is_at_rest_a_minute_after_it_moved_and_while_nobody_is_in() {
    let (handle, mut client, mut server) = limit(aimd(10));
    let rest = || Guard::<Req>::at_rest_from(&handle);
    assert_eq!(rest(), Some(Moment::MIN));
    let mut running = waits(&mut client);
    assert_eq!(rest(), None);
    ends(&mut running, &mut server, 503);
    assert_eq!(rest(), Some(clock::now() + millis(60_000)));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert!(AdaptiveLimitLayer::new(aimd(0)).is_err());
    assert!(AdaptiveGuard::try_from(aimd(5).max(4)).is_err());
}
