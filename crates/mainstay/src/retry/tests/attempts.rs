//! How many attempts there are, and of what.

use http_body_util::BodyExt;

use super::*;
use crate::http::{Http, IdempotencyKeys, RetryRules};

#[tokio::test(start_paused = true)]
async fn a_call_that_keeps_failing_is_sent_three_times_and_its_last_answer_comes_back_unchanged() {
    let server = Server::always(Reply::Says(503, "x-server", "seven".to_owned()));
    let answer = called(&layer(Retry::default()), &server, get()).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["x-server"], "seven");
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "3", "of the third");
    assert_eq!(server.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_last_error_comes_back_unchanged() {
    let server = Server::replies([Reply::Status(503), resets(), resets()]);
    let error = called(&layer(plain(3)), &server, get()).await.unwrap_err();
    let kind = error.into_inner().map(|error| error.kind());
    assert_eq!(kind, Some(std::io::ErrorKind::ConnectionReset));
    assert_eq!(server.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_used_up_its_attempts_is_told_so() {
    for attempts in [1, 2] {
        let server = Server::always(Reply::Status(503));
        crate::observe::testing::heard();
        called(&layer(plain(attempts)).named("users"), &server, get()).await.unwrap();
        let expected = crate::observe::Event::NotRetried {
            layer: LAYER,
            name: Some("users"),
            attempts,
            why: Stop::AttemptsSpent,
        };
        assert_eq!(crate::observe::testing::heard().pop(), Some(format!("{expected:?}")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_the_call() {
    let server = Server::replies([resets(), Reply::Status(503), Reply::Status(200), resets()]);
    assert_eq!(said(called(&layer(plain(9)), &server, get()).await), Ok(200));
    assert_eq!(server.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_asking_again_cannot_change_is_returned_at_once() {
    for status in [200, 304, 400, 401, 404, 409, 501] {
        let server = Server::always(Reply::Status(status));
        assert_eq!(said(called(&layer(plain(3)), &server, get()).await), Ok(status));
        assert_eq!(server.count(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_sends_the_whole_request() {
    let server = Server::always(Reply::Status(503));
    called(&layer(plain(3)), &server, request(Method::PUT)).await.unwrap();
    assert!(server.seen().iter().all(|seen| seen.body == "body"));
}

#[tokio::test(start_paused = true)]
async fn layers_further_in_are_told_which_attempt_it_is() {
    let server = Server::always(Reply::After(ms(5), Box::new(Reply::Status(503))));
    called(&layer(plain(3)), &server, get()).await.unwrap();
    let attempts: Vec<_> = server.seen().iter().map(|seen| seen.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(crate::scope::Scope::current().attempt, 1);
}

/// reqwest-retry sends it again.
#[tokio::test(start_paused = true)]
async fn a_post_that_may_have_been_processed_is_not_sent_again() {
    for reply in [Reply::Status(503), Reply::Status(500), resets()] {
        let server = Server::always(reply);
        let _ = called(&layer(plain(3)), &server, request(Method::POST)).await;
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_that_was_not_processed_is_sent_again() {
    for reply in [Reply::Status(429), Reply::Fails(std::io::ErrorKind::ConnectionRefused)] {
        let server = Server::replies([reply, Reply::Status(200)]);
        assert_eq!(said(called(&layer(plain(3)), &server, request(Method::POST)).await), Ok(200));
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_has_the_idempotency_key_of_its_call() {
    let http = Http::new().idempotency_keys(IdempotencyKeys::new());
    let layer = layer(plain(3)).protocol(http);
    let server = Server::always(Reply::Status(503));
    called(&layer, &server, request(Method::POST)).await.unwrap();
    called(&layer, &server, request(Method::POST)).await.unwrap();
    let keys: Vec<_> = server.seen().into_iter().map(|seen| seen.key.unwrap()).collect();
    assert_eq!(keys.len(), 6, "a key makes a POST repeatable");
    assert!(keys[..3].iter().all(|key| *key == keys[0]));
    assert!(keys[3..].iter().all(|key| *key == keys[3]) && keys[0] != keys[3]);
}

#[tokio::test(start_paused = true)]
async fn rules_of_one_s_own_decide() {
    let layer =
        layer(plain(3)).protocol(Http::new().rules(RetryRules::standard().never(Method::GET)));
    let server = Server::always(Reply::Status(503));
    called(&layer, &server, get()).await.unwrap();
    assert_eq!(server.count(), 1);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let says = RetryLayer::new(Retry::up_to(0)).unwrap_err().to_string();
    assert_eq!(says, "`max_attempts` is 0, but must be at least 1");
    let nothing = RetryBudget::new().reserve(0);
    assert!(crate::budget::per_host(nothing).is_err());
}

#[test]
fn the_service_beneath_can_be_had() {
    let mut service = layer(plain(3)).layer(7);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (8, 8));
}
