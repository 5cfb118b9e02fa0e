//! What an error says.

use std::error::Error;

use http::Request;
use mainstay::client::{ClientError, ReqwestService};
use mainstay::http::{Cause, RetryRules};
use mainstay::pipeline::Pipeline;
use mainstay::{CallError, Reason};
use tower::service_fn;

use super::*;
use crate::socket::{nobody, serve};

/// An error with all that lies beneath.
fn told(error: &(dyn Error + 'static)) -> String {
    let beneath = std::iter::successors(Some(error), |error| (*error).source());
    beneath.map(|error| format!("{error}\n{error:?}")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn neither_it_nor_what_lies_beneath_says_a_password_or_a_query() {
    let (_port, url) = nobody();
    let with_secrets =
        url.replace("http://", "http://ana:tell-nobody@") + "users?token=tell-nobody";
    let error = finishes(client().get(with_secrets).send()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "GET {url}users?…: no connection, after 3 attempts; is the address right, and does \
             something listen there?"
        )
    );
    assert!(!told(&error).contains("tell-nobody"), "{}", told(&error));
    assert!(told(&error).contains("onnection refused"), "{}", told(&error));
}

/// The same where there is no request yet, no answer, or another service at the bottom.
#[tokio::test]
async fn whatever_is_said_of_a_url_has_no_secrets() {
    let (_port, url) = nobody();
    let leads = service_fn(|_: Request<reqwest::Body>| async {
        let leads = Response::builder().status(302).header("location", "ftp://x/?tell-nobody");
        Ok::<_, std::convert::Infallible>(leads.body(Full::<Bytes>::default()).unwrap())
    });
    let followed = builder().over(leads).redirects(1).build().unwrap();
    let reqwest = reqwest::Client::builder().no_proxy().build().unwrap();
    let over = builder().over(ReqwestService::new(reqwest)).build().unwrap();
    for error in [
        finishes(followed.get("http://a/").send()).await.unwrap_err(),
        finishes(over.get(format!("{url}?tell-nobody")).send()).await.unwrap_err(),
        finishes(client().get("/users?tell-nobody").send()).await.unwrap_err(),
    ] {
        assert!(!told(&error).contains("tell-nobody"), "{}", told(&error));
    }

    let base = "http://ana:tell-nobody@a.example/";
    let client = builder().base_url(base).build().unwrap();
    let no_base = builder().base_url(format!("{base}?x=1")).build().unwrap_err();
    for debug in [
        format!("{:?}", builder().base_url(base)),
        format!("{client:?} {:?} {:?}", client.get("/x"), client.service()),
        told(&no_base),
    ] {
        assert!(debug.contains("a.example") && !debug.contains("tell-nobody"), "{debug}");
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_says_what_is_wrong_with_it() {
    let client = client();
    let error = finishes(client.get("/users").send()).await.unwrap_err();
    assert_eq!(error.to_string(), "it cannot be sent");
    assert!(error.source().unwrap().to_string().starts_with("\"/users\" is no URL"));
    let post = || client.post("http://127.0.0.1/x?key=1");
    for bad in [
        post().header("a b", "c"),
        post().header("a", "b\n").header("a b", "c"),
        post().bearer_auth("as it was read from a file\n"),
        post().idempotency_key("one\n"),
        post().query("no pairs"),
        post().form(&7),
        post().json(&std::collections::BTreeMap::from([([1], 1)])),
    ] {
        let error = bad.build().unwrap_err();
        assert_eq!((error.cause(), error.attempts()), (Cause::Invalid, 0));
        assert_eq!(error.to_string(), "POST http://127.0.0.1/x?…: it cannot be sent");
        assert!(error.source().is_some());
    }
    let error = finishes(client.get("ftp://127.0.0.1/").send()).await.unwrap_err();
    assert_eq!((error.cause(), error.attempts()), (Cause::Invalid, 1));
}

#[tokio::test]
async fn a_post_that_broke_off_says_what_would_let_it_be_sent_again() {
    let url = serve(|mut connection| async move {
        connection.reads_request_to("ping").await;
        connection.resets();
    })
    .await;
    let error = finishes(client().post(&url).body("ping").send()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("POST {url}: the connection broke; it may")), "{text}");
    assert!(text.ends_with("an idempotency key would allow that"), "{text}");
    assert_eq!((error.cause(), error.attempts()), (Cause::Broken, 1));
}

#[tokio::test]
async fn a_status_is_an_error_where_it_was_asked_to_be_and_its_answer_can_be_read() {
    let (server, counts) = statuses(&[503, 503, 404]).await;
    let client = client();
    let call = client.get(&server.url).error_for_status().report();
    let error = finishes(call.send()).await.unwrap_err();
    let text = format!("GET {}: it was answered with 404 Not Found, after 3 attempts", server.url);
    assert_eq!(error.to_string(), text);
    assert_eq!((error.status().unwrap().as_u16(), error.attempts(), counts.take()), (404, 3, 3));
    assert_eq!(error.report().unwrap().attempts(), 3);
    assert_eq!(error.into_response().unwrap().url().as_str(), server.url);

    let always = builder().error_for_status(true).build().unwrap();
    let error = finishes(always.get(&server.url).send()).await.unwrap_err();
    assert!(error.source().is_none() && error.status().is_some());
}

/// Paused time, and no socket.
#[tokio::test(start_paused = true)]
async fn a_refusal_says_when_it_would_be_taken() {
    let down = service_fn(|_: Request<reqwest::Body>| async {
        Ok::<_, std::convert::Infallible>(server::status(500))
    });
    let client = Client::builder().base_url("http://down").over(down).build().unwrap();
    for _ in 0..5 {
        assert_eq!(client.post("/").send().await.unwrap().status(), 500);
    }
    let once = client.get("/").timeout(MS); // too short to wait the breaker out
    let error: ClientError = once.send().await.unwrap_err();
    assert_eq!(error.refused().unwrap().reason(), Reason::Open);
    assert_eq!((error.cause(), error.attempts()), (Cause::Refused, 0));
    let text = error.to_string();
    assert!(text.starts_with("GET http://down/: it was refused; it would be taken in "), "{text}");
    let source = error.source().unwrap().to_string();
    assert!(
        source.starts_with("circuit breaker \"standard\" of http://down: the circuit"),
        "{source}"
    );
    assert!(CallError::refused(&error).is_some());
}

/// Reports and attempts of errors count what was sent.
#[tokio::test]
async fn the_report_of_a_failed_call_is_in_its_error() {
    let (_port, url) = nobody();
    let error = finishes(client().get(&url).report().send()).await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!((report.attempts(), error.attempts()), (3, 3), "{report}");
}

#[tokio::test]
async fn a_post_is_sent_again_as_somebody_else_s_service_says_that_it_follows_redirects_or_not() {
    let (_port, url) = nobody();
    let reqwest = reqwest::Client::builder().no_proxy().build().unwrap();
    let over = |rules| {
        let pipeline = quick().rules(rules).build().unwrap();
        builder().pipeline(pipeline).over_reqwest(reqwest.clone()).build().unwrap()
    };
    let error = finishes(over(RetryRules::standard()).post(&url).send()).await.unwrap_err();
    assert_eq!(error.attempts(), 1);
    let none = RetryRules::standard().without_redirects();
    let error = finishes(over(none).post(&url).send()).await.unwrap_err();
    assert_eq!(error.attempts(), 3);
}

#[test]
fn a_client_that_cannot_be_built_says_which_setting_is_wrong() {
    let error = Client::builder().base_url("api.example.com").build().unwrap_err();
    assert_eq!(error.to_string(), "the base URL \"api.example.com\" cannot be used");
    assert!(error.source().is_some());
    let error = Client::builder().default_header("a b", "c").build().unwrap_err();
    assert_eq!(error.to_string(), "a default header field cannot be sent");
    let debug = format!("{:?}", Client::builder().default_header("authorization", "secret"));
    assert!(!debug.contains("secret"), "{debug}");
    let client = Client::builder().default_header("x-key", "secret").build().unwrap();
    assert!(!format!("{client:?}").contains("secret"), "{client:?}");
    assert_eq!(client.pipeline().name(), Pipeline::standard().name());
}
