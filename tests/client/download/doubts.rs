//! Of what an answer says, a download believes what it can; for how long, its time and the server say.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::StatusCode;
use mainstay::client::download::Stopped;
use mainstay::pipeline::Pipeline;
use tokio::io::AsyncWrite;
use tokio::time::Instant;
use tower::service_fn;

use super::*;

type Answer = (u16, Vec<(&'static str, &'static str)>, &'static str);

/// When a server was asked.
type Asked = Arc<Mutex<Vec<Instant>>>;

fn from(answers: Vec<Answer>) -> (Download, Asked) {
    within(None, answers)
}

/// A download from a server that is none, and gives these answers in turn. There is no pipeline that
/// would ask again by itself.
fn within(time: Option<Duration>, answers: Vec<Answer>) -> (Download, Asked) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    let service = service_fn(move |_: http::Request<reqwest::Body>| {
        let mut asked = notes.lock().unwrap();
        let (status, fields, body) = &answers[asked.len().min(answers.len() - 1)];
        asked.push(Instant::now());
        let mut answer = Response::builder().status(*status);
        for (name, value) in fields {
            answer = answer.header(*name, *value);
        }
        let answer = answer.body((*body).to_owned());
        async { Ok::<_, Infallible>(answer.unwrap()) }
    });
    let mut client = Client::builder().pipeline(Pipeline::named("bare").build().unwrap());
    if let Some(time) = time {
        client = client.timeout(time);
    }
    let client = client.over(service).build().unwrap();
    let download = client.get("http://mock/").download().patience(1);
    (download.backoff(Backoff::constant(MS)), asked)
}

async fn written(answers: Vec<Answer>) -> (Result<u32, DownloadError>, String) {
    let mut written = Vec::new();
    let done = from(answers).0.to_writer(&mut written).await;
    (done.map(|done| done.resumes()), String::from_utf8(written).unwrap())
}

const THEN: (&str, &str) = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
const NOW: (&str, &str) = ("date", "Sun, 06 Nov 2005 08:49:37 GMT");
const TAG: (&str, &str) = ("etag", "\"a\"");
const TEN: (&str, &str) = ("content-length", "10");
const LATER: (&str, &str) = ("content-range", "bytes 5-9/10");

#[tokio::test(start_paused = true)]
async fn a_part_that_does_not_say_of_what_it_is_is_not_put_to_what_is_there() {
    let first = || (200, vec![TEN, TAG], "aaaaa");
    let (done, text) = written(vec![first(), (206, vec![LATER, TAG], "aaaaa")]).await;
    assert_eq!((done.unwrap(), &*text), (1, "aaaaaaaaaa"));
    let (done, text) = written(vec![first(), (206, vec![LATER], "bbbbb")]).await;
    assert!(matches!(done, Err(DownloadError::Changed { written: 5 })) && text == "aaaaa");

    let first = || (200, vec![TEN, THEN, NOW], "aaaaa");
    let (done, _) = written(vec![first(), (206, vec![LATER], "aaaaa")]).await;
    assert_eq!(done.unwrap(), 1, "a date may be left out");
    let packed = vec![LATER, THEN, ("content-encoding", "gzip")];
    let (done, text) = written(vec![first(), (206, packed, "bbbbb")]).await;
    assert!(matches!(done, Err(DownloadError::Changed { written: 5 })) && text == "aaaaa");
}

#[tokio::test(start_paused = true)]
async fn what_is_packed_though_it_was_asked_for_as_it_is_is_an_error() {
    let (done, text) = written(vec![(200, vec![("content-encoding", "gzip")], "packed")]).await;
    let error = done.unwrap_err();
    assert!(matches!(&error, DownloadError::Packed { how } if how == "gzip") && text.is_empty());
    assert_eq!(
        error.to_string(),
        "the download is packed (\"gzip\"), though it was asked for as it is; \
         with an `accept-encoding` of its own it is taken so"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_made_for_a_request_is_an_answer_too() {
    // Of a 204, nothing is all that there is.
    for (status, body) in [(200, "done"), (201, "done"), (202, "done"), (203, "done"), (204, "")] {
        let mut text = Vec::new();
        let done = from(vec![(status, vec![], body)]).0.to_writer(&mut text).await.unwrap();
        assert_eq!((done.status().as_u16(), &*text), (status, body.as_bytes()));
    }
    let (done, _) = written(vec![(206, vec![], "a part")]).await;
    assert!(matches!(done, Err(DownloadError::Call { .. })));
}

#[tokio::test(start_paused = true)]
async fn it_is_not_asked_for_again_sooner_than_the_server_says() {
    let answers = |wait| {
        let (first, busy) =
            ((200, vec![TEN, TAG], "aaaaa"), (503, vec![("retry-after", wait)], ""));
        vec![first, busy, (206, vec![LATER, TAG], "aaaaa")]
    };
    let (download, asked) = from(answers("3"));
    download.to_writer(&mut Vec::new()).await.unwrap();
    let asked = asked.lock().unwrap().clone();
    assert_eq!((asked[1] - asked[0], asked[2] - asked[1]), (MS, 3_000 * MS));

    let (download, asked) = from(answers("61"));
    let error = download.to_writer(&mut Vec::new()).await.unwrap_err();
    let DownloadError::Cut { why, source, bytes: 5, .. } = &error else { panic!("{error}") };
    assert_eq!(*why, Stopped::Asked(61_000 * MS));
    assert_eq!(source.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(
        error.to_string(),
        "the download was cut off with nothing new, at 5 of 10 bytes; \
         it was not to be asked for again for 61s"
    );
    assert_eq!(asked.lock().unwrap().len(), 2);
}

/// A writer that takes all of it or nothing, and never says that it is through.
struct Stuck {
    takes: bool,
}

impl AsyncWrite for Stuck {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.takes { Poll::Ready(Ok(bytes.len())) } else { Poll::Pending }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_does_not_hold_it_up_for_longer_than_its_time() {
    for takes in [false, true] {
        let (began, time) = (Instant::now(), 300 * MS);
        let (download, _) = within(Some(time), vec![(200, vec![TEN], "0123456789")]);
        let error = finishes(download.to_writer(&mut Stuck { takes })).await.unwrap_err();
        let DownloadError::Cut { why: Stopped::Time, source, .. } = error else {
            panic!("{error}")
        };
        assert!(source.is_timeout());
        assert_eq!(began.elapsed(), time);
    }
}

/// Each of its requests is answered in time.
#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_client_is_for_all_of_a_download() {
    let (began, cut) = (Instant::now(), (206, vec![LATER, TAG], ""));
    let (download, asked) = within(Some(1_000 * MS), vec![(200, vec![TEN, TAG], "aaaaa"), cut]);
    let download = download.patience(99).backoff(Backoff::constant(300 * MS));
    let error = finishes(download.to_writer(&mut Vec::new())).await.unwrap_err();
    assert!(matches!(error, DownloadError::Cut { why: Stopped::Time, bytes: 5, .. }), "{error}");
    assert_eq!((asked.lock().unwrap().len(), began.elapsed()), (4, 900 * MS));
}
