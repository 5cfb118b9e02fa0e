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
    set: (Script, Script),
    grants: oneshot::Sender<u32>,
}

fn waits_at_the_second() -> WaitsAtTheSecond {
    let log = Log::default();
    let set = two(&log, [Admission::Go(1), Admission::Go(11)], [Admission::Wait, Admission::Wait]);
    let grants = set.1.grants();
    let (mut client, server) = over(set.clone());
    ready(&mut client);
    WaitsAtTheSecond { log, client, server, set, grants }
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
    let WaitsAtTheSecond { log, mut client, server: _server, set, grants } = waits_at_the_second();
    let mut call = task::spawn(client.call("x"));
    assert_pending!(call.poll());
    said(&log);
    set.0.refuses_from_now_on();
    grants.send(2).unwrap();
    assert_ready_err!(call.poll());
    assert_eq!(said(&log), ["b: 2 ended: Refused", "a: 11 ended: Refused"]);
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
