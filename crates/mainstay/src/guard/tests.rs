use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use mainstay_policy::Outcome;
use tokio::sync::oneshot;
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok, task};
use tower::limit::ConcurrencyLimit;
use tower_layer::Layer;
use tower_service::Service;
use tower_test::{assert_request_eq, mock};

use super::*;
use crate::error::BoxError;
use crate::protocol::Protocol;

type Request = &'static str;
type Client<G> = mock::Spawn<Guarded<mock::Mock<Request, Request>, G, Plain>>;
type Server = mock::Handle<Request, Request>;

/// A protocol where an answer is a success and an error may pass.
#[derive(Clone, Copy, Debug)]
struct Plain;

impl<E: crate::CallError> Protocol<Request, Request, E> for Plain {
    type About = ();

    fn about(&self, _: &Request) {}

    fn may_repeat(&self, (): &()) -> bool {
        true
    }

    fn end(&self, (): &(), end: Result<&Request, &E>) -> Ending {
        Ending::new(match end {
            Ok(_) => Outcome::Success,
            Err(error) if error.refused().is_some() => Outcome::Refused,
            Err(_) => Outcome::Transient,
        })
    }
}

/// What was asked of a script and told to it, by all scripts of a test.
type Log = Arc<Mutex<Vec<String>>>;

/// A guard that answers what it is told to.
#[derive(Clone)]
struct Script {
    name: &'static str,
    answers: Arc<Mutex<VecDeque<Admission<u32>>>>,
    grants: Arc<Mutex<VecDeque<oneshot::Receiver<u32>>>>,
    refuses_glances: Arc<Mutex<bool>>,
    log: Log,
}

impl Script {
    fn new(name: &'static str, log: &Log, answers: impl Into<VecDeque<Admission<u32>>>) -> Self {
        Self {
            name,
            answers: Arc::new(Mutex::new(answers.into())),
            grants: Arc::default(),
            refuses_glances: Arc::default(),
            log: Arc::clone(log),
        }
    }

    /// The next who waits gets this permit when the sender says so.
    fn grants(&self) -> oneshot::Sender<u32> {
        let (sender, receiver) = oneshot::channel();
        self.grants.lock().unwrap().push_back(receiver);
        sender
    }

    fn refuses_from_now_on(&self) {
        *self.refuses_glances.lock().unwrap() = true;
    }

    fn says(&self, what: &str) {
        self.log.lock().unwrap().push(format!("{}: {what}", self.name));
    }
}

fn no() -> Refused {
    Refused::new("script", Reason::Other("no"))
}

impl Guard<Request> for Script {
    type Subject = Request;
    type Permit = u32;
    type Held = ();

    fn subject(&self, request: &Request) -> Request {
        request
    }

    fn glance(&self, _: &Request, _: Ask, _: &Now) -> Result<(), Refused> {
        if *self.refuses_glances.lock().unwrap() { Err(no()) } else { Ok(()) }
    }

    fn try_admit(&self, subject: &Request, _: Ask, _: &Now) -> Admission<u32> {
        self.says(&format!("asked about {subject}"));
        self.answers.lock().unwrap().pop_front().expect("nobody should have asked")
    }

    async fn admit(&self, _: &Request, _: Ask) -> Result<u32, Refused> {
        let granted = self.grants.lock().unwrap().pop_front().expect("nobody should have waited");
        granted.await.map_err(|_| no())
    }

    fn settle(&self, _: &Request, permit: u32, ending: &Ending, _: &Now) {
        self.says(&format!("{permit} ended: {:?}", ending.outcome()));
    }
}

fn over<G: Clone>(guard: G) -> (Client<G>, Server) {
    mock::spawn_with(|service| GuardLayer::of(guard.clone(), Plain).layer(service))
}

fn said(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

fn ready<G>(client: &mut Client<G>)
where
    G: Guard<Request> + Send + Sync + 'static,
{
    assert_ready_ok!(client.poll_ready::<Request>());
}

#[tokio::test]
async fn an_attempt_that_may_start_is_sent_and_its_end_is_told() {
    let log = Log::default();
    let (mut client, mut server) =
        over(Script::new("a", &log, [Admission::Go(1), Admission::Go(2)]));

    ready(&mut client);
    let mut call = task::spawn(client.call("first"));
    assert_request_eq!(server, "first").send_response("well");
    assert_eq!(assert_ready_ok!(call.poll()), "well");
    assert_eq!(said(&log), ["a: asked about first", "a: 1 ended: Success"]);

    ready(&mut client);
    let mut call = task::spawn(client.call("second"));
    assert_request_eq!(server, "second").send_error("ill");
    assert_ready_err!(call.poll());
    drop(call);
    assert_eq!(said(&log), ["a: asked about second", "a: 2 ended: Transient"]);
}

#[tokio::test]
async fn a_refused_attempt_is_not_sent_and_owes_nothing() {
    let log = Log::default();
    let (mut client, mut server) = over(Script::new("a", &log, [Admission::Refuse(no())]));
    ready(&mut client);
    let mut call = task::spawn(client.call("refused"));
    let error = assert_ready_err!(call.poll());
    assert_eq!(crate::CallError::refused(&error), Some(&no()));
    assert_eq!(said(&log), ["a: asked about refused"]);
    drop((client, call));
    assert!(server.next_request().await.is_none());
}

#[tokio::test]
async fn a_running_attempt_that_is_dropped_was_abandoned() {
    let log = Log::default();
    let (mut client, mut server) =
        over(Script::new("a", &log, [Admission::Go(1), Admission::Go(2)]));
    ready(&mut client);
    let unpolled = client.call("unpolled");
    drop(unpolled);
    assert_eq!(said(&log), ["a: asked about unpolled", "a: 1 ended: Abandoned"]);
    drop(server.next_request().await);

    ready(&mut client);
    let mut polled = task::spawn(client.call("polled"));
    assert_pending!(polled.poll());
    drop(polled);
    assert_eq!(said(&log), ["a: asked about polled", "a: 2 ended: Abandoned"]);
}

/// Panics when it is called, or when its future is polled.
#[derive(Clone, Copy)]
struct Panics {
    late: bool,
}

impl Service<Request> for Panics {
    type Response = Request;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Request, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        assert!(self.late, "{request}");
        Box::pin(async move { panic!("{request}") })
    }
}

#[test]
fn a_panic_further_in_is_told_and_passes_on() {
    for late in [false, true] {
        let log = Log::default();
        let guard = Script::new("a", &log, [Admission::Go(1)]);
        let mut client = GuardLayer::of(guard, Plain).layer(Panics { late });
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let mut call = task::spawn(client.call("boom"));
            let _ = call.poll();
        }));
        assert!(panicked.is_err());
        assert_eq!(said(&log), ["a: asked about boom", "a: 1 ended: Transient"], "late: {late}");
    }
}

/// A panic that is caught outside, as a server does, and a future that is dropped later.
#[test]
fn a_panic_that_somebody_catches_is_told_too() {
    let log = Log::default();
    let guard = Script::new("a", &log, [Admission::Go(1)]);
    let mut client = GuardLayer::of(guard, Plain).layer(Panics { late: true });
    let mut call = task::spawn(client.call("boom"));
    assert!(catch_unwind(AssertUnwindSafe(|| call.poll())).is_err());
    assert_eq!(said(&log), ["a: asked about boom", "a: 1 ended: Transient"]);
    drop(call);
    assert!(said(&log).is_empty());
}

/// The caller's own panic says nothing of the server.
#[tokio::test]
async fn a_call_that_is_dropped_by_a_panic_outside_was_abandoned() {
    let log = Log::default();
    let (mut client, _server) = over(Script::new("a", &log, [Admission::Go(1)]));
    ready(&mut client);
    let call = task::spawn(client.call("x"));
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _call = call;
        panic!("something else");
    }));
    assert!(panicked.is_err());
    assert_eq!(said(&log), ["a: asked about x", "a: 1 ended: Abandoned"]);
}

/// One who was refused and is idle must not keep others from the service beneath.
#[tokio::test]
async fn who_is_refused_keeps_no_place_of_the_service_beneath() {
    let log = Log::default();
    let guard = Script::new("a", &log, [Admission::Refuse(no())]);
    let (service, _server) = mock::pair::<Request, Request>();
    let limited = ConcurrencyLimit::new(service, 1);
    let mut one = GuardLayer::of(guard, Plain).layer(limited);
    let mut other = one.clone();
    let mut ready = task::spawn(());
    assert_ready!(ready.enter(|cx, _| one.poll_ready(cx))).unwrap();
    assert_ready_err!(task::spawn(one.call("refused")).poll());
    assert_ready!(ready.enter(|cx, _| other.poll_ready(cx))).unwrap();
}

#[tokio::test]
async fn an_attempt_that_must_wait_is_sent_when_it_may() {
    let log = Log::default();
    let guard = Script::new("a", &log, [Admission::Wait]);
    let grants = guard.grants();
    let (mut client, mut server) = over(guard);
    ready(&mut client);
    let mut call = task::spawn(client.call("patient"));
    assert_pending!(call.poll());
    assert_pending!(server.poll_request());

    grants.send(7).unwrap();
    assert!(call.is_woken());
    assert_pending!(call.poll());
    assert_request_eq!(server, "patient").send_response("at last");
    assert_eq!(assert_ready_ok!(call.poll()), "at last");
    assert_eq!(said(&log), ["a: asked about patient", "a: 7 ended: Success"]);
}

#[tokio::test]
async fn a_wait_that_ends_in_a_refusal_sends_nothing() {
    let log = Log::default();
    let guard = Script::new("a", &log, [Admission::Wait]);
    let grants = guard.grants();
    let (mut client, _server) = over(guard);
    ready(&mut client);
    let mut call = task::spawn(client.call("patient"));
    assert_pending!(call.poll());
    drop(grants);
    assert_eq!(crate::CallError::refused(&assert_ready_err!(call.poll())), Some(&no()));
}

#[tokio::test]
async fn a_service_that_is_not_ready_after_the_wait_is_waited_for() {
    let log = Log::default();
    let guard = Script::new("a", &log, [Admission::Wait]);
    let grants = guard.grants();
    let (mut client, mut server) = over(guard);
    ready(&mut client);
    let mut call = task::spawn(client.call("patient"));
    assert_pending!(call.poll());
    server.allow(0);
    grants.send(7).unwrap();
    assert_pending!(call.poll());
    assert_pending!(server.poll_request());
    server.allow(1);
    assert!(call.is_woken());
    assert_pending!(call.poll());
    assert_request_eq!(server, "patient").send_response("at last");
    assert_eq!(assert_ready_ok!(call.poll()), "at last");
}

#[tokio::test]
async fn a_permit_of_one_who_waits_for_readiness_goes_back_when_it_is_dropped_or_the_service_dies()
{
    let log = Log::default();
    for dies in [false, true] {
        let guard = Script::new("a", &log, [Admission::Wait]);
        let grants = guard.grants();
        let (mut client, mut server) = over(guard);
        ready(&mut client);
        let mut call = task::spawn(client.call("patient"));
        assert_pending!(call.poll());
        server.allow(0);
        grants.send(7).unwrap();
        assert_pending!(call.poll());
        said(&log);
        if dies {
            server.send_error("dead");
            assert_ready_err!(call.poll());
        }
        drop(call);
        let outcome = if dies { "Transient" } else { "Abandoned" };
        assert_eq!(said(&log), [format!("a: 7 ended: {outcome}")]);
    }
}

#[tokio::test]
async fn one_who_waits_holds_no_place_of_the_service_beneath() {
    let log = Log::default();
    let guard = Script::new("a", &log, [Admission::Wait, Admission::Go(2)]);
    let grants = guard.grants();
    let (service, mut server) = mock::pair::<Request, Request>();
    let mut client = GuardLayer::of(guard, Plain).layer(ConcurrencyLimit::new(service, 1));
    let mut ready = task::spawn(());
    assert_ready!(ready.enter(|cx, _| client.poll_ready(cx))).unwrap();
    let mut patient = task::spawn(client.call("patient"));
    assert_pending!(patient.poll());

    assert_ready!(ready.enter(|cx, _| client.poll_ready(cx))).unwrap();
    let mut quick = task::spawn(client.call("quick"));
    assert_pending!(quick.poll());
    grants.send(1).unwrap();
    assert_pending!(patient.poll());
    assert_request_eq!(server, "quick").send_response("done");
    assert_ready_ok!(quick.poll());
    drop(quick);
    assert!(patient.is_woken());
    assert_pending!(patient.poll());
    assert_request_eq!(server, "patient").send_response("done too");
    assert_ready_ok!(patient.poll());
}

#[test]
fn readiness_is_the_inner_one_s() {
    let log = Log::default();
    let (mut client, mut server) = over(Script::new("a", &log, []));
    server.allow(0);
    assert_pending!(client.poll_ready::<Request>());
    server.send_error("dead");
    assert_ready_err!(client.poll_ready::<Request>());
    assert!(said(&log).is_empty());
}

mod body;
mod late;
mod order;
mod per_key;
mod real;
mod sets;
mod shadow;
mod threads;
