//! Many calls of a client: what goes in, what comes back, and what the server sees of it.

#[path = "batch/drops.rs"]
mod drops;
#[path = "batch/hosts.rs"]
mod hosts;
#[path = "batch/unread.rs"]
mod unread;

use std::error::Error;

use futures_util::StreamExt;
use http::{Method, Request, StatusCode};
use mainstay::BoxError;
use mainstay::batch::{Batch, ItemError};
use mainstay::budget::{Budget, RetryBudget};
use mainstay::client::{ClientError, Reported};
use mainstay::http::Cause;

use super::*;
use crate::socket::nobody;

/// Says what it was asked.
async fn echo() -> Server {
    Server::answers(Speaks::Http1, |_, request| async move {
        Response::new(Full::<Bytes>::from(format!("{} {}", request.method(), request.uri())))
    })
    .await
}

fn under(server: &Server) -> Client {
    builder().base_url(&server.url).build().unwrap()
}

fn text(answer: Response<Bytes>) -> Result<String, ClientError> {
    Ok(String::from_utf8_lossy(answer.body()).into_owned())
}

#[tokio::test]
async fn whatever_can_be_asked_for_is_an_input() {
    let server = echo().await;
    let client = under(&server);
    let batch = || client.batch().map(text);
    let paths = finishes(batch().all_or_nothing(["/a", "b?c=d"])).await.unwrap();
    assert_eq!(paths, ["GET /a", "GET /b?c=d"]);
    let kept = vec![format!("{}whole", server.url), "/path".to_owned()];
    for borrowed in [true, false] {
        let urls = match borrowed {
            true => finishes(batch().all_or_nothing(&kept)).await,
            false => finishes(batch().all_or_nothing(kept.clone())).await,
        };
        assert_eq!(urls.unwrap(), ["GET /whole", "GET /path"]);
    }
    let builders = [client.put("/1").query(&[("page", 2)]), client.delete("/2")];
    let builders = finishes(batch().all_or_nothing(builders)).await.unwrap();
    assert_eq!(builders, ["PUT /1?page=2", "DELETE /2"]);
    let http = [Request::patch("/3").body("x").unwrap()];
    assert_eq!(finishes(batch().all_or_nothing(http)).await.unwrap(), ["PATCH /3"]);
    let of_reqwest = reqwest::Request::new(Method::HEAD, server.url.parse().unwrap());
    assert_eq!(finishes(batch().all_or_nothing([of_reqwest])).await.unwrap(), [""]);
    let calls = [client.post("/4").send()];
    assert_eq!(finishes(batch().all_or_nothing(calls)).await.unwrap(), ["POST /4"]);
}

#[tokio::test]
async fn every_ending_gives_what_its_inputs_are_called() {
    let server = echo().await;
    let client = under(&server);
    let paths = || (0..20).map(|n| format!("/{n}"));
    let asked = |path: &String| format!("GET {path}");
    let batch = || client.batch().keep_inputs().concurrency(7).map(text);

    let in_order: Vec<_> = finishes(batch().in_order(paths()).collect()).await;
    let everything = finishes(batch().keep_everything(paths())).await;
    for results in [in_order, everything] {
        let ids: Vec<_> = results.iter().map(|done| done.id.clone()).collect();
        assert_eq!(ids, paths().collect::<Vec<_>>());
        assert!(results.iter().all(|done| *done.result.as_ref().unwrap() == asked(&done.id)));
    }
    let mut completed: Vec<_> = finishes(batch().as_completed(paths()).collect()).await;
    completed.sort_by_key(|done| done.index);
    assert!(completed.iter().all(|done| *done.result.as_ref().unwrap() == asked(&done.id)));
    assert_eq!(completed.len(), 20);

    let first = finishes(client.batch().with_ids().first_success([(7, client.get("/7"))])).await;
    let first = first.unwrap();
    assert_eq!((first.id, text(first.answer).unwrap()), (7, "GET /7".to_owned()));
}

#[tokio::test]
async fn an_input_that_cannot_be_sent_fails_alone() {
    let server = echo().await;
    let client = client();
    let inputs = [server.url.clone(), "/no-base".to_owned()];
    let all = finishes(client.batch().keep_everything(inputs)).await;
    assert!(all[0].result.is_ok());
    let Err(ItemError::Call(error)) = &all[1].result else { panic!("{:?}", all[1]) };
    assert_eq!(error.cause(), Cause::Invalid);

    let mapped = client.batch().map(|answer: Response<Bytes>| match answer.status() {
        StatusCode::OK => panic!("nobody expected it to be well"),
        _ => Ok::<_, ClientError>(()),
    });
    let all = finishes(mapped.keep_everything([&server.url])).await;
    assert!(matches!(all[0].result, Err(ItemError::Panicked(_))), "{all:?}");
}

#[tokio::test]
async fn errors_say_what_those_of_the_client_say() {
    let (_port, url) = nobody();
    let failed = finishes(client().batch().all_or_nothing([&url])).await.unwrap_err();
    let says = format!("GET {url}: no connection, after 3 attempts");
    assert!(failed.error.to_string().starts_with(&says), "{}", failed.error);
    let source = failed.source().unwrap();
    assert!(source.to_string().starts_with(&says), "{source}");
    let ItemError::Call(error) = failed.error else { panic!("{:?}", failed.error) };
    assert!(error.is_connect());
}

/// Ten answers, of which each is an error with a body of a MiB, one after the other.
#[tokio::test]
async fn an_answer_that_is_an_error_is_read_and_gives_its_connection_back() {
    let server = Server::answers(Speaks::Http1, |_, _| async {
        let body = Full::<Bytes>::from(vec![7; 1 << 20]);
        Response::builder().status(404).body(body).unwrap()
    })
    .await;
    let client = client();
    let batch = client.batch().error_for_status().concurrency(1);
    let all = finishes(batch.keep_everything((0..10).map(|_| &server.url))).await;
    for done in all {
        let Err(ItemError::Call(error)) = done.result else { panic!("{:?}", done.result) };
        let says = format!("GET {}: it was answered with 404 Not Found", server.url);
        assert_eq!((error.to_string(), error.attempts()), (says, 1));
        let answer = error.into_response().unwrap();
        assert_eq!(answer.url().as_str(), server.url);
        assert_eq!(finishes(answer.bytes()).await.unwrap().len(), 1 << 20);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn bodies_have_a_limit_each_or_are_left_as_reqwest_has_them() {
    let server = echo().await;
    let client = under(&server);
    let batch = client.batch().collect_bodies(6);
    let all = finishes(batch.keep_everything(["/a", "/long"])).await;
    assert_eq!(all[0].result.as_ref().unwrap().body(), "GET /a");
    assert!(matches!(all[1].result, Err(ItemError::Body(_))), "{all:?}");

    let mut heads = client.batch().stream_bodies().as_completed(["/a"]);
    let head: reqwest::Response = finishes(heads.next()).await.unwrap().result.unwrap();
    assert_eq!(head.url().as_str(), format!("{}a", server.url));
    assert_eq!(finishes(head.text()).await.unwrap(), "GET /a");
    let read = client
        .batch()
        .stream_bodies()
        .map_async(|head: reqwest::Response| async { Ok::<_, BoxError>(head.text().await?) });
    assert_eq!(finishes(read.all_or_nothing(["/b"])).await.unwrap(), ["GET /b"]);
}

#[tokio::test]
async fn each_input_has_its_report_and_the_server_counts_what_they_say() {
    let counts = Counts::default();
    let counted = counts.clone();
    // Of four requests the first is answered well.
    let server = Server::answers(Speaks::Http1, move |before, _| {
        counted.one_more();
        let status = if before % 4 == 0 { 200 } else { 503 };
        async move { server::status(status) }
    })
    .await;
    let plenty = RetryBudget::new().ratio(1.0).reserve(1_000);
    let pipeline = quick().budget(plenty).per_host(|mut host| {
        host.circuit_breaker = None;
        host
    });
    let client = builder().pipeline(pipeline.build().unwrap()).build().unwrap();
    let batch = client.batch().concurrency(8);
    let progress = batch.progress();
    let calls = (0..100).map(|n| {
        let method = if n % 5 == 0 { Method::POST } else { Method::GET };
        client.request(method, &server.url).report()
    });
    let all = finishes(batch.keep_everything(calls)).await;
    let attempts = |done: &Response<Bytes>| done.report().unwrap().attempts();
    let reported: u32 = all.iter().map(|done| attempts(done.result.as_ref().unwrap())).sum();
    assert!(reported > 150, "{reported}");
    assert_eq!((counts.take(), progress.counts().retried), (reported, u64::from(reported - 100)));
    let posts = all.iter().step_by(5);
    assert!(posts.clone().count() == 20);
    assert!(posts.into_iter().all(|done| attempts(done.result.as_ref().unwrap()) == 1));
}

#[tokio::test]
async fn the_deadline_and_the_budget_of_the_batch_reach_the_pipeline() {
    let (server, counts) = statuses(&[503]).await;
    let client = client();
    let none = Budget::new(RetryBudget::new().ratio(0.0).reserve(1)).unwrap();
    let batch = client.batch().budget(none).concurrency(1);
    let all = finishes(batch.keep_everything((0..4).map(|_| &server.url))).await;
    assert!(all.iter().all(|done| done.result.as_ref().unwrap().status() == 503));
    assert_eq!(counts.take(), 4 + 1);

    // A wait that would not be over in time is not begun, and the answer is given at once.
    let waits = Retry::up_to(3).backoff(Backoff::constant(LONG));
    let pipeline = PipelineSpec::standard().deadline(LONG * 10).retry(waits);
    let client = builder().pipeline(pipeline.build().unwrap()).build().unwrap();
    let batch = client.batch().deadline(LONG / 2);
    let all = finishes(batch.keep_everything([&server.url])).await;
    assert_eq!(all[0].result.as_ref().unwrap().status(), 503);
    assert_eq!(counts.take(), 1);
}

#[tokio::test]
async fn a_function_makes_the_calls_of_each_input() {
    async fn user(client: &Client, id: u32) -> Result<String, ClientError> {
        Ok(client.get(format!("/users/{id}")).error_for_status().send().await?.text().await?)
    }

    let server = echo().await;
    let client = under(&server);
    let users = Batch::calls(|id| user(&client, id)).concurrency(5);
    let users = finishes(users.all_or_nothing(1..=30)).await.unwrap();
    assert_eq!(users.len(), 30);
    assert_eq!(users[29], "GET /users/30");
}
