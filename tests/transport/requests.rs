//! What goes wrong before a socket is in the game, or beside it.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http_body::{Body, Frame};
use http_body_util::StreamBody;
use hyper_util::rt::TokioIo;
use mainstay::http::{Http, Reached, RetryRules};
use mainstay::policy::Outcome;
use mainstay_testkit::server::{Faulty, Reply};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::*;
use crate::socket::nobody;

/// A resolver that answers like this.
struct Names<F>(F);

impl<F, Fut> reqwest::dns::Resolve for Names<F>
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = io::Result<Infallible>> + Send + 'static,
{
    fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let found = (self.0)();
        Box::pin(async move { match found.await? {} })
    }
}

#[tokio::test]
async fn a_name_that_is_not_found_was_never_sent_to() {
    let not_found = Names(|| std::future::ready(Err(io::Error::from(io::ErrorKind::NotFound))));
    let client = reqwest::Client::builder().no_proxy().dns_resolver(not_found).build().unwrap();
    assert_eq!(by_reqwest(&client, "http://nowhere.example/").await, Cause::Connect);
}

#[tokio::test]
async fn a_connect_timeout_was_never_sent_to() {
    let client = reqwest::Client::builder()
        .no_proxy()
        .dns_resolver(Names(std::future::pending))
        .connect_timeout(Duration::from_millis(250))
        .build()
        .unwrap();
    assert_eq!(by_reqwest(&client, "http://nowhere.example/").await, Cause::Connect);
}

#[tokio::test]
async fn a_handshake_that_fails_was_never_sent_to() {
    let fails = tower::service_fn(|_: http::Uri| {
        let bad_certificate = io::Error::new(io::ErrorKind::InvalidData, "unknown issuer");
        std::future::ready(Err::<TokioIo<TcpStream>, _>(bad_certificate))
    });
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(fails);
    let error = client.request(post("http://localhost/")).await.unwrap_err();
    assert_eq!(Failure::of(&error).cause(), Cause::Connect);
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_leaves_it_open() {
    let server = Faulty::start(|_| Reply::never()).unwrap();
    let (client, url) = (reqwest(), server.url("/"));
    let error = client.post(&url).timeout(Duration::from_millis(250)).send().await.unwrap_err();
    assert_eq!(Failure::of(&error).cause(), Cause::TimedOut);

    let client = reqwest::Client::builder().no_proxy().read_timeout(Duration::from_millis(250));
    assert_eq!(by_reqwest(&client.build().unwrap(), &url).await, Cause::TimedOut);
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_late() {
    let server = Faulty::start(|_| Reply::ok("half, and more").stalls_at(4)).unwrap();
    let client = reqwest::Client::builder().no_proxy().read_timeout(Duration::from_millis(250));
    let answer = client.build().unwrap().post(server.url("/")).body("ping").send().await.unwrap();
    let error = answer.bytes().await.unwrap_err();
    assert_eq!(Failure::of(&error).cause(), Cause::TimedOut);
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_is_invalid() {
    let error = hyper().request(post("/no-host")).await.unwrap_err();
    assert_eq!(Failure::of(&error).cause(), Cause::Invalid);
    let error = reqwest().post("no url").send().await.unwrap_err();
    assert_eq!(Failure::of(&error).cause(), Cause::Invalid);
}

/// A body of one chunk, and then this error.
pub(crate) fn broken_body<E>(error: E) -> impl Body<Data = Bytes, Error = E> + Send + Sync + Unpin
where
    E: Send + Sync + Unpin,
{
    let half = Ok(Frame::data(Bytes::from("half")));
    StreamBody::new(futures_util::stream::iter([half, Err(error)]))
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_sender_s_fault() {
    let server = Faulty::start(|_| Reply::never()).unwrap();
    let url = server.url("/");
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    let request = http::Request::post(&url).body(broken_body(reset())).unwrap();
    let error = client.request(request).await.unwrap_err();
    assert_eq!(Failure::of(&error).outcome(), Outcome::Invalid);

    let body = reqwest::Body::wrap(broken_body(reset()));
    let error = reqwest().post(&url).body(body).send().await.unwrap_err();
    assert_eq!(Failure::of(&error).outcome(), Outcome::Invalid);
}

/// A body that is made of another call's answer, and that call cannot connect: half of ours has
/// been sent.
#[tokio::test]
async fn a_failed_connect_in_a_body_is_no_failed_connect_of_the_call() {
    let (_taken, nowhere) = nobody();
    let error = reqwest().get(nowhere).send().await.unwrap_err();
    assert_eq!(Failure::of(&error).cause(), Cause::Connect);

    let server = Faulty::start(|_| Reply::never()).unwrap();
    let body = reqwest::Body::wrap(broken_body(error));
    let error = reqwest().post(server.url("/")).body(body).send().await.unwrap_err();
    let failure = Failure::of(&error);
    assert_eq!(failure.reached(), Reached::MaybeProcessed);
    assert_eq!(failure.outcome(), Outcome::Invalid);
}

/// What the network says of a connection that stands, when a wall in between begins to refuse.
#[tokio::test]
async fn a_connection_that_stood_and_is_refused_leaves_it_open() {
    let stream = TokioIo::new(Refused::default());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let error = sender.send_request(post("/")).await.unwrap_err();
    assert_eq!(Failure::of(&error).cause(), Cause::Broken);
}

/// A connection that takes what is written and then says that it is refused.
#[derive(Default)]
struct Refused {
    is_written: bool,
    reader: Option<Waker>,
}

impl AsyncRead for Refused {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_written {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionRefused)));
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for Refused {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_written = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn too_many_redirects_are_not_worth_another_attempt() {
    let server = Faulty::start(|_| Reply::redirect(307, "/")).unwrap();
    assert_eq!(by_reqwest(&reqwest(), &server.url("/")).await, Cause::Redirects);
}

/// A POST that was answered with "see there", where there is nobody: reqwest's error says that it
/// could not connect, and the POST has been processed.
#[tokio::test]
async fn a_post_whose_redirect_leads_nowhere_is_not_sent_again() {
    let (_taken, nowhere) = nobody();
    let server = Faulty::start(move |_| Reply::redirect(303, &nowhere)).unwrap();
    let url = server.url("/");
    let error = reqwest().post(&url).body("ping").send().await.unwrap_err();
    let failure = Failure::of(&error);
    assert_eq!((failure.cause(), failure.reached()), (Cause::Connect, Reached::NeverSent));

    let http = Http::new();
    let about = http.about(&post(&url));
    assert!(!http.failure(&about, failure).may_be_repeated());
}

/// The same where the GET that followed is answered with "too many requests".
#[tokio::test]
async fn a_post_whose_redirect_is_throttled_is_not_sent_again() {
    let server = Faulty::start(|request| match request.path() {
        "/" => Reply::redirect(303, "/limited"),
        _ => Reply::status(429),
    });
    let server = server.unwrap();
    let url = server.url("/");
    let answer = reqwest().post(&url).body("ping").send().await.unwrap();
    assert_eq!(answer.status(), 429);

    let http = Http::new();
    let about = http.about(&post(&url));
    assert!(!http.answer(&about, &answer).may_be_repeated());
    let without = Http::new().rules(RetryRules::standard().without_redirects());
    assert!(without.answer(&about, &answer).may_be_repeated());
    let error = answer.error_for_status().unwrap_err();
    assert!(!http.failure(&about, Failure::of(&error)).may_be_repeated());
}

#[tokio::test]
async fn a_status_made_into_an_error_is_still_that_status() {
    let server = Faulty::start(|_| Reply::status(503)).unwrap();
    let answer = reqwest().post(server.url("/")).body("ping").send().await.unwrap();
    let error = answer.error_for_status().unwrap_err();
    let status = http::StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(Failure::of(&error).cause(), Cause::Status(status));
}
