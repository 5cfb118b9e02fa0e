use super::*;

fn two(
    log: &Log,
    a: impl Into<VecDeque<Admission<u32>>>,
    b: impl Into<VecDeque<Admission<u32>>>,
) -> (Script, Script) {
    (Script::new("a", log, a), Script::new("b", log, b))
}

#[tokio::test]
async fn guards_of_a_set_are_asked_in_their_order_and_all_are_told() {
    let log = Log::default();
    let c = Script::new("c", &log, [Admission::Go(3)]);
    let (a, b) = two(&log, [Admission::Go(1)], [Admission::Go(2)]);
    let (mut client, mut server) = over((a, b, c));
    ready(&mut client);
    let mut call = task::spawn(client.call("x"));
    assert_request_eq!(server, "x").send_response("well");
    assert_ready_ok!(call.poll());
    let asked = ["a: asked about x", "b: asked about x", "c: asked about x"];
    let told = ["a: 1 ended: Success", "b: 2 ended: Success", "c: 3 ended: Success"];
    assert_eq!(said(&log), [asked, told].concat());
}

#[tokio::test]
async fn a_refusal_gives_back_what_the_earlier_ones_gave() {
    let log = Log::default();
    let (mut client, _server) = over(two(&log, [Admission::Go(1)], [Admission::Refuse(no())]));
    ready(&mut client);
    assert_ready_err!(task::spawn(client.call("x")).poll());
    assert_eq!(said(&log), ["a: asked about x", "b: asked about x", "a: 1 ended: Refused"]);
}

#[tokio::test]
async fn a_glance_that_refuses_takes_nothing_from_anybody() {
    let log = Log::default();
    let (a, b) = two(&log, [], []);
    b.refuses_from_now_on();
    let (mut client, _server) = over((a, b));
    ready(&mut client);
    assert_ready_err!(task::spawn(client.call("x")).poll());
    assert!(said(&log).is_empty());
}

/// A client whose second guard makes it wait, and who lets it go.
struct WaitsAtTheSecond {
    log: Log,
    client: Client<(Script, Script)>,
    server: Server,
    grants: oneshot::Sender<u32>,
}

fn waits_at_the_second() -> WaitsAtTheSecond {
    let log = Log::default();
    let set = two(&log, [Admission::Go(1), Admission::Go(11)], [Admission::Wait, Admission::Wait]);
    let grants = set.1.grants();
    let (mut client, server) = over(set);
    ready(&mut client);
    WaitsAtTheSecond { log, client, server, grants }
}

#[tokio::test]
async fn who_waits_at_one_guard_holds_what_the_earlier_ones_gave() {
    let WaitsAtTheSecond { log, mut client, mut server, grants, .. } = waits_at_the_second();
    let mut call = task::spawn(client.call("x"));
    assert_pending!(call.poll());
    said(&log);
    grants.send(2).unwrap();
    assert_pending!(call.poll());
    assert_request_eq!(server, "x").send_response("well");
    assert_ready_ok!(call.poll());
    assert_eq!(said(&log), ["a: 11 ended: Success", "b: 2 ended: Success"]);
}

#[tokio::test]
async fn who_stops_waiting_gives_back_what_it_held() {
    let WaitsAtTheSecond { log, mut client, grants, .. } = waits_at_the_second();
    let mut call = task::spawn(client.call("x"));
    assert_pending!(call.poll());
    said(&log);
    drop(call);
    assert_eq!(said(&log), ["a: 11 ended: Refused"]);
    assert!(grants.is_closed());
}

#[tokio::test]
async fn what_changed_during_a_wait_counts() {
    let log = Log::default();
    let (a, b) = two(&log, [Admission::Wait, Admission::Wait], []);
    let grants = a.grants();
    let (mut client, _server) = over((a, b.clone()));
    ready(&mut client);
    let mut call = task::spawn(client.call("x"));
    assert_pending!(call.poll());
    said(&log);
    b.refuses_from_now_on();
    grants.send(1).unwrap();
    assert_ready_err!(call.poll());
    assert_eq!(said(&log), ["a: 1 ended: Refused"]);
}

/// The last probe's place is its own: who got it after a wait must not refuse itself for it.
#[tokio::test(start_paused = true)]
async fn a_probe_that_had_to_wait_is_sent() {
    use crate::breaker::{BreakerGuard, BreakerState, CircuitBreaker};
    use crate::concurrency::{Concurrency, ConcurrencyGuard};

    let slots = Arc::new(ConcurrencyGuard::new(Concurrency::limit(1)).unwrap());
    let settings = CircuitBreaker::new().consecutive_failures(Some(1)).probes(1);
    let breaker = Arc::new(BreakerGuard::new(settings).unwrap());
    let (mut client, mut server) = over((Arc::clone(&slots), Arc::clone(&breaker)));
    ready(&mut client);
    let mut call = task::spawn(client.call("fails"));
    assert_request_eq!(server, "fails").send_error("ill");
    assert_ready_err!(call.poll());
    drop(call);
    assert_eq!(breaker.state(), BreakerState::Open);
    tokio::time::advance(std::time::Duration::from_secs(60)).await;

    let Admission::Go(slot) = Guard::<()>::try_admit(&slots, &(), Ask::default(), &Now::default())
    else {
        panic!("it is free")
    };
    ready(&mut client);
    let mut probe = task::spawn(client.call("probe"));
    assert_pending!(probe.poll());
    let abandoned = Ending::new(Outcome::Abandoned);
    let now = Now::default();
    let slot = Guard::<()>::settle(&slots, &(), slot, &abandoned, &now);
    Guard::<()>::let_go(&slots, &(), slot, &abandoned, &now);
    assert_pending!(probe.poll());
    assert_request_eq!(server, "probe").send_response("well");
    assert_ready_ok!(probe.poll());
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_guard_that_is_left_out_lets_everything_through() {
    let log = Log::default();
    let a = Script::new("a", &log, [Admission::Go(1)]);
    let (mut client, mut server) = over((Some(a), None::<Script>));
    ready(&mut client);
    let mut call = task::spawn(client.call("x"));
    assert_request_eq!(server, "x").send_response("well");
    assert_ready_ok!(call.poll());
    assert_eq!(said(&log), ["a: asked about x", "a: 1 ended: Success"]);
}

/// A guard that panics when it is asked, behind one that has given.
#[tokio::test]
async fn a_guard_that_panics_leaves_no_permit_behind() {
    let log = Log::default();
    let (a, b) = two(&log, [Admission::Go(1)], []); // a script without answers panics
    let (mut client, _server) = over((a, b));
    ready(&mut client);
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(client.call("x"))));
    assert!(panicked.is_err());
    assert!(said(&log).contains(&"a: 1 ended: Refused".to_owned()));
}
