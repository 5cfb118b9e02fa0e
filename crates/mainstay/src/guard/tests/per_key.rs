use std::time::Duration;

use ::http::{Request as HttpRequest, Response, StatusCode};
use tokio::time::advance;

use super::*;
use crate::CallError;
use crate::breaker::{BreakerGuard, BreakerState, CircuitBreaker};
use crate::concurrency::{Concurrency, ConcurrencyGuard};
use crate::http::Key;

/// The part before the slash.
fn tenant(request: &Request) -> Key {
    Key::new(request.split('/').next().unwrap_or_default())
}

type ByTenant = fn(&Request) -> Key;

/// A script for every tenant; each answers with the first of these that are left.
fn scripts(
    log: &Log,
    answers: impl Into<VecDeque<Admission<u32>>>,
) -> PerKey<Arc<Script>, ByTenant> {
    let (log, answers) = (Arc::clone(log), Arc::new(Mutex::new(answers.into())));
    PerKey::by(tenant, move |key| {
        let name = if key.as_str() == "ana" { "ana" } else { "bob" };
        Arc::new(Script { answers: Arc::clone(&answers), ..Script::new(name, &log, []) })
    })
}

fn layered<G>(guard: G) -> (Client<G>, Server)
where
    G: Guard<Request> + Send + Sync + 'static,
{
    let layer = GuardLayer::of(guard, Plain);
    mock::spawn_with(move |service| layer.layer(service))
}

#[tokio::test]
async fn every_key_has_a_guard_of_its_own_that_is_told_of_its_calls() {
    let log = Log::default();
    let (mut client, mut server) = layered(scripts(&log, [1, 2, 3].map(Admission::Go)));
    for request in ["ana/x", "bob/y", "ana/z"] {
        ready(&mut client);
        let mut call = task::spawn(client.call(request));
        assert_request_eq!(server, request).send_response("well");
        assert_ready_ok!(call.poll());
    }
    let told = said(&log);
    assert_eq!(told[..2], ["ana: asked about ana/x", "ana: 1 ended: Success"]);
    assert_eq!(told[2..4], ["bob: asked about bob/y", "bob: 2 ended: Success"]);
    assert_eq!(told[4..], ["ana: asked about ana/z", "ana: 3 ended: Success"]);
}

#[tokio::test]
async fn a_refusal_says_its_key_at_once_after_a_wait_and_at_a_glance() {
    let log = Log::default();
    let of = |error: BoxError| error.refused().and_then(|refused| refused.key().cloned());
    let guards = Arc::new(scripts(&log, [Admission::Refuse(no()), Admission::Wait]));
    let (mut client, _server) = layered((Arc::clone(&guards), None::<Script>));
    ready(&mut client);
    let mut call = task::spawn(client.call("ana/x"));
    assert_eq!(of(assert_ready_err!(call.poll())), Some(Key::new("ana")));

    let ana = guards.get(&Key::new("ana")).unwrap();
    let grants = ana.grants();
    ana.answers.lock().unwrap().push_back(Admission::Wait);
    ready(&mut client);
    let mut call = task::spawn(client.call("ana/x"));
    assert_pending!(call.poll());
    drop(grants);
    assert_eq!(of(assert_ready_err!(call.poll())), Some(Key::new("ana")));

    ana.refuses_from_now_on();
    ready(&mut client);
    let mut call = task::spawn(client.call("ana/x"));
    assert_eq!(of(assert_ready_err!(call.poll())), Some(Key::new("ana")));
}

#[tokio::test]
async fn a_set_for_every_key_is_glanced_at_before_any_of_it_is_asked() {
    let log = Log::default();
    let notes = Arc::clone(&log);
    let sets = PerKey::by(tenant as ByTenant, move |_| {
        let (a, b) = (Script::new("a", &notes, []), Script::new("b", &notes, []));
        b.refuses_from_now_on();
        (a, b)
    });
    let (mut client, _server) = layered(sets);
    ready(&mut client);
    assert_ready_err!(task::spawn(client.call("ana/x")).poll());
    assert!(said(&log).is_empty());
}

/// One limit of one slot for every tenant.
fn one_each() -> Arc<PerKey<ConcurrencyGuard, ByTenant>> {
    Arc::new(PerKey::each_by(tenant as ByTenant, Concurrency::limit(1)).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_guard_stays_while_a_call_runs_or_waits_and_leaves_when_it_is_at_rest() {
    let slots = one_each();
    let (mut client, mut server) = layered(Arc::clone(&slots));
    ready(&mut client);
    let mut runs = task::spawn(client.call("ana/runs"));
    ready(&mut client);
    let mut waits = task::spawn(client.call("ana/waits"));
    assert_pending!(waits.poll());
    let others: Vec<_> = (0..200).map(|n| &*format!("{n}/x").leak()).collect();
    let visit = |client: &mut Client<_>| {
        for request in &others {
            ready(client);
            drop(client.call(request));
        }
    };
    visit(&mut client);
    let of_ana = || slots.get(&Key::new("ana")).map(|slots| slots.snapshot());
    assert_eq!(of_ana().map(|ana| (ana.in_use, ana.waiting)), Some((1, 1)));
    assert!(slots.len() < 100, "{}", slots.len());

    assert_request_eq!(server, "ana/runs").send_response("well");
    assert_ready_ok!(runs.poll());
    assert_pending!(waits.poll());
    visit(&mut client);
    assert_eq!(of_ana().map(|ana| (ana.in_use, ana.waiting)), Some((1, 0)));
    drop((runs, waits));
    visit(&mut client);
    assert_eq!(of_ana(), None);
}

#[test]
fn guards_per_key_are_at_rest_when_all_of_them_are() {
    let slots = one_each();
    let rest = || Guard::<Request>::at_rest_from(&slots);
    assert_eq!(rest(), Some(Moment::MIN));
    let held = Guard::<Request>::subject(&slots, &"ana/x");
    assert_eq!(held.0.key(), &Key::new("ana"));
    assert_eq!(rest(), None);
    drop(held);
    assert_eq!(rest(), Some(Moment::MIN));
    assert_eq!((slots.guards().len(), slots.is_empty()), (1, false));
}

#[test]
fn settings_that_no_guard_can_be_made_of_are_refused_before_the_first_request() {
    assert!(PerKey::<BreakerGuard>::each(CircuitBreaker::new().probes(0)).is_err());
    assert!(PerKey::<BreakerGuard>::each(CircuitBreaker::new()).is_ok());
}

/// One host is down; of the other nobody thinks any worse.
#[tokio::test(start_paused = true)]
async fn a_breaker_for_every_host_opens_for_one_alone() {
    let settings = CircuitBreaker::new().consecutive_failures(Some(2));
    let breakers = Arc::new(PerKey::<BreakerGuard>::each(settings).unwrap().at_most(100));
    let layer = GuardLayer::new(Arc::clone(&breakers));
    let (mut client, mut server) =
        mock::spawn_with::<HttpRequest<()>, Response<()>, _, _>(|service| layer.layer(service));
    let mut call = async |host: &str, status: StatusCode| {
        assert_ready_ok!(client.poll_ready::<HttpRequest<()>>());
        let request = HttpRequest::get(format!("https://{host}/")).body(()).unwrap();
        let mut call = task::spawn(client.call(request));
        if let Poll::Ready(refused) = call.poll() {
            return refused.map(|_| ());
        }
        let (_, send) = server.next_request().await.unwrap();
        send.send_response(Response::builder().status(status).body(()).unwrap());
        assert_ready_ok!(call.poll());
        Ok(())
    };
    for host in ["down.example", "up.example", "DOWN.example:443"] {
        let status = if host.starts_with("up") { 200 } else { 503 };
        call(host, StatusCode::from_u16(status).unwrap()).await.unwrap();
    }
    let error = call("down.example", StatusCode::OK).await.unwrap_err();
    let refused = error.refused().unwrap();
    assert_eq!(refused.key(), Some(&Key::new("https://down.example")));
    call("up.example", StatusCode::OK).await.unwrap();
    let state = |host| breakers.get(&Key::new(host)).map(|breaker| breaker.state());
    assert_eq!(state("https://down.example"), Some(BreakerState::Open));
    assert_eq!(state("https://up.example"), Some(BreakerState::Closed));
    advance(Duration::from_secs(60)).await;
    call("down.example", StatusCode::OK).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_set_by_hand_is_not_forgotten() {
    let slots = PerKey::<ConcurrencyGuard>::each(Concurrency::limit(16)).unwrap();
    let ask = |host: &str| {
        let request = HttpRequest::get(host).body(()).unwrap();
        drop(slots.subject(&request));
    };
    ask("https://a.example/");
    slots.get(&Key::new("https://a.example")).unwrap().resize(2).unwrap();
    for n in 0..200 {
        ask(&format!("https://h{n}.example/"));
    }
    assert!(slots.len() < 200, "others are");
    assert_eq!(slots.get(&Key::new("https://a.example")).unwrap().snapshot().limit, 2);
}

#[test]
fn settings_of_a_set_are_found_wrong_before_the_first_request() {
    let set = |limit| {
        PerKey::<_>::try_each(move || {
            let breaker = BreakerGuard::new(CircuitBreaker::new())?;
            Ok((breaker, ConcurrencyGuard::new(Concurrency::limit(limit))?))
        })
    };
    assert!(set(1).is_ok_and(|set| set.is_empty()));
    assert!(set(0).is_err());
}

#[test]
fn guards_that_give_turns_are_made_of_their_settings() {
    use crate::cooldown::{CoolDown, CoolDownGuard, PacedGuard};
    use crate::rate_limit::{RateLimit, RateLimitGuard};

    let (rate, rest) = (RateLimit::per_second(5), CoolDown::new());
    assert!(PerKey::<RateLimitGuard>::each(rate).is_ok());
    assert!(PerKey::<CoolDownGuard>::each(rest).is_ok());
    assert!(PerKey::<PacedGuard>::each((rate, rest)).is_ok());
    assert!(PerKey::<PacedGuard>::each((RateLimit::per_second(0), rest)).is_err());
}
