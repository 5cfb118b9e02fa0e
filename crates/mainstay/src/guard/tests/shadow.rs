use std::time::Duration;

use tokio::time::advance;

use super::*;
use crate::breaker::{BreakerGuard, BreakerState, CircuitBreaker, CircuitBreakerLayer};
use crate::concurrency::{Concurrency, ConcurrencyGuard, ConcurrencyLayer};
use crate::observe::testing::heard;

type ShadowClient<G> = mock::Spawn<Guarded<mock::Mock<Request, Request>, Shadow<G>, Plain>>;

fn shadowed<G>(layer: GuardLayer<Shadow<G>, Plain>) -> (ShadowClient<G>, Server) {
    mock::spawn_with(move |service| layer.layer(service))
}

fn in_shadow<G>(guard: G) -> (ShadowClient<G>, Server) {
    shadowed(GuardLayer::of(Shadow::of(guard).named("trial"), Plain))
}

/// A call that is sent at once and goes well.
async fn goes_well<G>(client: &mut ShadowClient<G>, server: &mut Server)
where
    G: Guard<Request> + Send + Sync + 'static,
{
    ready(client);
    let mut call = task::spawn(client.call("x"));
    assert_request_eq!(server, "x").send_response("well");
    assert_ready_ok!(call.poll());
}

#[tokio::test]
async fn a_guard_in_shadow_is_told_of_what_it_let_through() {
    let log = Log::default();
    let (mut client, mut server) =
        in_shadow(Script::new("a", &log, [Admission::Go(1), Admission::Go(2)]));
    goes_well(&mut client, &mut server).await;
    ready(&mut client);
    drop(client.call("dropped"));
    let told = ["a: asked about x", "a: 1 ended: Success"];
    assert_eq!(said(&log), [told, ["a: asked about dropped", "a: 2 ended: Abandoned"]].concat());
    assert!(heard().is_empty());
}

#[tokio::test]
async fn what_it_would_refuse_or_hold_up_is_sent_at_once_and_holds_nothing_of_it() {
    let log = Log::default();
    let (mut client, mut server) =
        in_shadow(Script::new("a", &log, [Admission::Refuse(no()), Admission::Wait]));
    goes_well(&mut client, &mut server).await;
    assert_eq!(heard(), [format!("WouldRefuse({:?})", no())]);
    goes_well(&mut client, &mut server).await;
    assert_eq!(heard(), ["WouldWait { layer: \"shadow\", name: Some(\"trial\") }"]);
    assert_eq!(said(&log), ["a: asked about x", "a: asked about x"]);
}

#[tokio::test]
async fn a_set_in_shadow_is_glanced_at_and_gives_back_what_a_refusal_makes_useless() {
    let log = Log::default();
    let (a, b) = (
        Script::new("a", &log, [Admission::Go(1)]),
        Script::new("b", &log, [Admission::Refuse(no())]),
    );
    let (mut client, mut server) = in_shadow((a, b.clone()));
    goes_well(&mut client, &mut server).await;
    let asked = ["a: asked about x", "b: asked about x"];
    assert_eq!(said(&log), [&asked[..], &["a: 1 ended: Refused"]].concat());
    b.refuses_from_now_on();
    goes_well(&mut client, &mut server).await;
    assert!(said(&log).is_empty(), "a glance was enough");
    assert_eq!(heard().len(), 2);
}

#[tokio::test]
async fn in_a_set_a_guard_in_shadow_refuses_nothing_even_at_a_glance() {
    let log = Log::default();
    let (a, b) = (
        Script::new("a", &log, [Admission::Refuse(no())]),
        Script::new("b", &log, [Admission::Go(2)]),
    );
    a.refuses_from_now_on();
    let layer = GuardLayer::of((Shadow::of(a), b), Plain);
    let (mut client, mut server) =
        mock::spawn_with(move |service: mock::Mock<Request, Request>| layer.layer(service));
    ready(&mut client);
    let mut call = task::spawn(client.call("x"));
    assert_request_eq!(server, "x").send_response("well");
    assert_ready_ok!(call.poll());
    let asked = ["a: asked about x", "b: asked about x"];
    assert_eq!(said(&log), [&asked[..], &["b: 2 ended: Success"]].concat());
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_in_shadow_lets_everything_through_and_its_probes_close_it() {
    let settings = CircuitBreaker::new().consecutive_failures(Some(1)).probes(1);
    let breaker = BreakerGuard::new(settings).unwrap().named("billing");
    let layer = CircuitBreakerLayer::of(breaker, Plain);
    let handle = layer.handle();
    let (mut client, mut server) = shadowed(layer.shadow());
    ready(&mut client);
    let mut call = task::spawn(client.call("fails"));
    assert_request_eq!(server, "fails").send_error("ill");
    assert_ready_err!(call.poll());
    assert_eq!(handle.state(), BreakerState::Open);

    heard();
    for _ in 0..3 {
        goes_well(&mut client, &mut server).await;
    }
    let told = heard();
    assert_eq!(told.len(), 3);
    assert!(told[0].contains("name: Some(\"billing\")"), "{told:?}");
    assert_eq!(handle.state(), BreakerState::Open, "their ends are not told to it");

    advance(Duration::from_secs(60)).await;
    while handle.state() != BreakerState::Closed {
        goes_well(&mut client, &mut server).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_in_shadow_is_not_exceeded_in_its_own_books() {
    let slots = ConcurrencyGuard::new(Concurrency::limit(1)).unwrap().named("one");
    let layer = ConcurrencyLayer::of(slots, Plain);
    let handle = layer.handle();
    let (mut client, mut server) = shadowed(layer.shadow());
    ready(&mut client);
    let inside = task::spawn(client.call("inside"));
    ready(&mut client);
    let beyond = task::spawn(client.call("beyond"));
    assert_eq!(heard(), ["WouldWait { layer: \"concurrency limit\", name: Some(\"one\") }"]);
    assert_eq!((handle.snapshot().in_use, handle.snapshot().waiting), (1, 0));
    for sent in ["inside", "beyond"] {
        let (request, _) = server.next_request().await.unwrap();
        assert_eq!(request, sent);
    }
    drop(beyond);
    assert_eq!(handle.snapshot().in_use, 1);
    drop(inside);
    assert_eq!(handle.snapshot().in_use, 0);
}

/// Gives what outlives the head of an answer.
#[derive(Clone)]
struct Holds(Script);

impl Guard<Request> for Holds {
    type Subject = Request;
    type Permit = u32;
    type Held = u32;

    fn subject(&self, request: &Request) -> Request {
        request
    }

    fn try_admit(&self, subject: &Request, ask: Ask, now: &Now) -> Admission<u32> {
        self.0.try_admit(subject, ask, now)
    }

    fn settle(&self, _: &Request, permit: u32, _: &Ending, _: &Now) -> u32 {
        permit
    }

    fn let_go(&self, subject: &Request, held: u32, ending: &Ending, now: &Now) {
        self.0.settle(subject, held, ending, now);
    }

    fn at_rest_from(&self) -> Option<Moment> {
        Some(Moment::ORIGIN)
    }
}

#[tokio::test]
async fn what_outlives_the_head_is_let_go_of_through_a_shadow_and_per_key() {
    let log = Log::default();
    let script = Script::new("a", &log, [Admission::Go(1), Admission::Wait]);
    let guard = PerKey::by(|_: &Request| crate::http::Key::new(""), move |_| Holds(script.clone()));
    let layer = GuardLayer::of(Shadow::of(Arc::new(guard)), Plain);
    assert_eq!(Guard::<Request>::at_rest_from(layer.guard()), Some(Moment::MIN));
    let at_rest = layer.guard().get_ref().clone();
    let (mut client, mut server) = shadowed(layer);
    goes_well(&mut client, &mut server).await;
    goes_well(&mut client, &mut server).await;
    assert_eq!(said(&log), ["a: asked about x", "a: 1 ended: Success", "a: asked about x"]);
    assert_eq!(Guard::<Request>::at_rest_from(&Shadow::of(at_rest)), Some(Moment::ORIGIN));
}
