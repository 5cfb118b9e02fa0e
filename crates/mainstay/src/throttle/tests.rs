use std::time::Duration;

use ::http::{Request, Response};
use mainstay_policy::Outcome;
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower_test::mock;

use super::*;
use crate::CallError;
use crate::observe::testing::heard;

type Req = Request<&'static str>;
type Client = mock::Spawn<Guarded<mock::Mock<Req, Response<()>>, Arc<ThrottleGuard>>>;
type Server = mock::Handle<Req, Response<()>>;

const WINDOW: Duration = Duration::from_secs(120);

/// As many refusals as the formula gives, and half of the calls at least go out.
fn half() -> ThrottleLayer {
    ThrottleLayer::new(Throttle::new().max_rejection(0.5).window(WINDOW)).unwrap()
}

fn over(layer: &ThrottleLayer) -> (Client, Server) {
    mock::spawn_with(|service| layer.layer(service))
}

/// One call that is answered with this status, or the refusal.
async fn answered(client: &mut Client, server: &mut Server, status: u16) -> Result<(), Refused> {
    assert_ready_ok!(client.poll_ready::<Req>());
    let mut call = task::spawn(client.call(Request::new("x")));
    if let std::task::Poll::Ready(end) = call.poll() {
        return Err(end.unwrap_err().refused().cloned().unwrap());
    }
    let (_, send) = server.next_request().await.unwrap();
    send.send_response(Response::builder().status(status).body(()).unwrap());
    assert_ready_ok!(call.poll());
    Ok(())
}

/// How many of so many calls were refused.
async fn refused(client: &mut Client, server: &mut Server, calls: u32, status: u16) -> u32 {
    let mut refused = 0;
    for _ in 0..calls {
        refused += u32::from(answered(client, server, status).await.is_err());
    }
    refused
}

#[tokio::test(start_paused = true)]
async fn it_refuses_part_of_what_a_server_would_refuse_and_says_no_time() {
    let layer = ThrottleLayer::of(
        ThrottleGuard::new(Throttle::new().max_rejection(0.5)).unwrap().named("search"),
        Http::new(),
    );
    let (mut client, mut server) = over(&layer);
    assert_eq!(refused(&mut client, &mut server, 10, 503).await, 0, "few requests say nothing");
    // Of 1 000 half, give or take six times the usual.
    let refused = refused(&mut client, &mut server, 1_000, 429).await;
    assert!((400..=600).contains(&refused), "{refused}");
    let snapshot = layer.handle().snapshot();
    assert_eq!((snapshot.requests, snapshot.accepted), (1_010, 0));
    assert_eq!(snapshot.probability, 0.5);

    let refusal = loop {
        if let Err(refusal) = answered(&mut client, &mut server, 503).await {
            break refusal;
        }
    };
    assert_eq!((refusal.layer(), refusal.reason()), ("throttle", Reason::Throttled));
    assert_eq!((refusal.name(), refusal.retry_in()), (Some("search"), None));
}

#[tokio::test(start_paused = true)]
async fn changed_settings_judge_what_it_holds_and_another_window_begins_anew() {
    let layer = half();
    let ((mut client, mut server), handle) = (over(&layer), layer.handle());
    assert_eq!(refused(&mut client, &mut server, 10, 503).await, 0);
    assert_eq!(handle.snapshot().probability, 0.5);
    let settings = Throttle::new().max_rejection(0.5).window(WINDOW);
    handle.change(settings.min_requests(11)).unwrap();
    assert_eq!((handle.snapshot().requests, handle.snapshot().probability), (10, 0.0));
    handle.change(settings.max_rejection(0.25)).unwrap();
    assert_eq!(handle.snapshot().probability, 0.25);
    assert!(handle.change(settings.per_accepted(0.0)).is_err());
    assert_eq!(handle.snapshot().probability, 0.25);

    handle.change(settings.window(WINDOW / 2)).unwrap();
    assert_eq!((handle.snapshot().requests, handle.snapshot().probability), (0, 0.0));
    assert_eq!(refused(&mut client, &mut server, 10, 503).await, 0);
    advance(WINDOW / 2).await;
    assert_eq!(handle.snapshot().requests, 0);
    assert!(Guard::<Req>::at_rest_from(&*handle).is_none(), "what was changed is not forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_its_work_is_sent_everything() {
    let layer = half();
    let (mut client, mut server) = over(&layer);
    for status in [200, 404, 200, 400] {
        assert_eq!(refused(&mut client, &mut server, 50, status).await, 0);
    }
    assert_eq!(layer.handle().snapshot().accepted, 200);
    // Half of it may fail before any is held back.
    assert_eq!(refused(&mut client, &mut server, 200, 503).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_dropped_or_refused_further_in_says_nothing() {
    let layer = half();
    let (mut client, mut server) = over(&layer);
    for _ in 0..20 {
        assert_ready_ok!(client.poll_ready::<Req>());
        let mut dropped = task::spawn(client.call(Request::new("dropped")));
        assert_pending!(dropped.poll());
        drop(dropped);
        drop(server.next_request().await);
        assert_ready_ok!(client.poll_ready::<Req>());
        let mut call = task::spawn(client.call(Request::new("refused")));
        let (_, send) = server.next_request().await.unwrap();
        send.send_error(Refused::new("breaker", Reason::Open));
        assert!(matches!(call.poll(), std::task::Poll::Ready(Err(_))));
    }
    assert_eq!(layer.handle().snapshot().requests, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_old_leaves_the_window_whether_or_not_anybody_calls() {
    let layer = half();
    let (mut client, mut server) = over(&layer);
    refused(&mut client, &mut server, 100, 503).await;
    let handle = layer.handle();
    assert!(handle.snapshot().probability > 0.0);
    assert!(Guard::<Req>::at_rest_from(&handle).is_some_and(|from| from > Now::default().get()));
    advance(WINDOW).await;
    assert_eq!((handle.snapshot().requests, handle.snapshot().probability), (0, 0.0));
    assert!(Guard::<Req>::at_rest_from(&handle).is_some_and(|from| from <= Now::default().get()));
    assert_eq!(refused(&mut client, &mut server, 9, 503).await, 0);
}

// C10
#[tokio::test(start_paused = true)]
async fn all_services_of_a_layer_and_its_clones_share_one_throttle() {
    let layer = half();
    let (mut here, mut server) = over(&layer);
    let (mut there, mut other_server) = over(&layer.clone());
    refused(&mut here, &mut server, 100, 503).await;
    assert!(refused(&mut there, &mut other_server, 100, 503).await > 10);
}

#[tokio::test(start_paused = true)]
async fn in_shadow_it_says_what_it_would_refuse_and_refuses_nothing() {
    let layer = half();
    let shadow = layer.shadow();
    let (mut client, mut server): (mock::Spawn<_>, Server) =
        mock::spawn_with(|service| shadow.layer(service));
    for _ in 0..200 {
        assert_ready_ok!(client.poll_ready::<Req>());
        let mut call = task::spawn(client.call(Request::new("x")));
        assert_pending!(call.poll());
        let (_, send) = server.next_request().await.unwrap();
        send.send_response(Response::builder().status(503).body(()).unwrap());
        assert_ready_ok!(call.poll());
    }
    let told = heard();
    assert!(told.len() > 50, "{}", told.len());
    assert!(told[0].starts_with("WouldRefuse(Refused { layer: \"throttle\""), "{}", told[0]);
    assert_eq!(layer.handle().snapshot().requests, 200);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert!(ThrottleLayer::new(Throttle::new().per_accepted(0.5)).is_err());
    assert!(ThrottleGuard::try_from(Throttle::new().min_requests(0)).is_err());
}

#[tokio::test(start_paused = true)]
async fn of_an_answer_whose_status_stands_behind_its_body_the_end_counts() {
    for (end, accepted) in [(Outcome::Throttled, 0), (Outcome::Success, 1)] {
        let (guard, now) = (ThrottleGuard::new(Throttle::new()).unwrap(), Now::default());
        let dice = Guard::<()>::subject(&guard, &());
        let asked = Guard::<()>::try_admit(&guard, &dice, Ask::default(), &now);
        let Admission::Go(ticket) = asked else { panic!("it has refused nothing yet") };
        let head = Ending::new(Outcome::Success).still_open();
        let held = Guard::<()>::settle(&guard, &dice, ticket, &head, &now);
        assert_eq!(guard.snapshot().accepted, 0, "it is not known yet");
        Guard::<()>::let_go(&guard, &dice, held, &Ending::new(end), &now);
        assert_eq!(guard.snapshot().accepted, accepted);
    }
}
