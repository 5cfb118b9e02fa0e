//! Bodies that go into files, as they come, and are gone on with where they were cut off.

use std::error::Error as StdError;
use std::mem;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Request;
use mainstay::client::download::Stopped;
use mainstay::client::{Client, ClientError, DownloadError};
use mainstay::http::{ByHost, Cause, KeyBy, RetryRules};
use mainstay::observe::CallReport;
use mainstay::pipeline::Pipelines;
use mainstay::policy::Outcome;

use super::digest::Digest;
use super::failure::{kind_of, millis, of_answer, plainly, refusal};
use super::job::{Job, Name};
use super::record::{Kind, Record, Wrong};
use crate::clock;

/// Sends inputs, and puts the bodies of their answers into files.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) client: Client,
    pub(crate) pipelines: Pipelines,
    pub(crate) dir: Arc<Path>,
    /// What the flags say; bodies have no other end in time unless one is asked for.
    pub(crate) attempts: Option<NonZeroU32>,
    pub(crate) deadline: Option<Duration>,
}

/// How many requests of one input were sent, redirects among them.
#[derive(Clone, Default)]
struct Sent(Arc<AtomicU32>);

/// Counts a request for its input, where it is sent.
pub(super) fn counted<B>(request: Request<B>) -> Request<B> {
    if let Some(Sent(sent)) = request.extensions().get() {
        sent.fetch_add(1, Relaxed);
    }
    request
}

impl Files {
    /// The record of an input, whatever becomes of it.
    pub(crate) async fn call(self, job: Job) -> Record {
        let Job { name, ask, is_given_up, .. } = job;
        let path = self.dir.join(file_name(&name));
        let record = Record::of(name);
        let mut request = match ask {
            Ok(ask) => ask.request,
            Err(what) => return record.failed(Kind::Input, what),
        };
        let pipeline = self.pipelines.of_host(ByHost.key(&request).as_str());
        let mut asks = self.client.request(request.method().clone(), request.url().as_str());
        asks = asks.headers(mem::take(request.headers_mut())).pipeline(&pipeline);
        if let Some(body) = request.body_mut().take() {
            asks = asks.body(body);
        }
        if is_given_up.into_inner() {
            asks = asks.rules(RetryRules::standard().never(request.method().clone()));
        }
        let sent = Sent::default();
        let told = Arc::new(Mutex::new((Outcome::Fatal, Duration::ZERO)));
        let adds = Arc::clone(&told);
        asks = asks.extension(sent.clone());
        if let Some(deadline) = self.deadline {
            asks = asks.timeout(deadline);
        }
        let mut download = asks.download();
        if let Some(attempts) = self.attempts {
            download = download.patience(attempts.get() - 1);
        }
        let download = download.kept().on_report(move |report: &CallReport| {
            let mut told = adds.lock().unwrap_or_else(PoisonError::into_inner);
            *told = (report.outcome(), told.1 + report.waited());
        });
        let began = clock::now();
        let done = download.to_file(&path).await;
        let elapsed = clock::since(began);
        let (outcome, waited) = *told.lock().unwrap_or_else(PoisonError::into_inner);
        let record = match done {
            Ok(done) => {
                let path = Some(path.to_string_lossy().into_owned());
                Record { status: Some(done.status().as_u16()), ok: true, path, ..record }
            }
            Err(error) => failed(record, error, outcome),
        };
        record.took(sent.0.load(Relaxed), elapsed, waited)
    }
}

/// The file of an input: by its id, or else by its place, and with the ending of its URL.
pub(super) fn file_name(name: &Name) -> PathBuf {
    const LONGEST: usize = 80;

    let stem = match &name.id {
        None => format!("{:06}", name.index),
        Some(id) => {
            let text = id.text();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let mut plain: String =
                text.chars().map(|c| if is_plain(c) { c } else { '_' }).take(LONGEST).collect();
            if plain != text || plain.starts_with('.') || is_of_ours(&plain) {
                // Two that look the same now have another name each.
                plain = format!("_{plain}-{}", Digest::of(&[text.as_bytes()]));
            }
            plain
        }
    };
    let path = name.url.split(['?', '#']).next().unwrap_or_default();
    let ending = path.rsplit('/').next().and_then(|last| last.rsplit_once('.')).map(|it| it.1);
    let is_ending =
        |it: &&str| (1..=5).contains(&it.len()) && it.chars().all(|c| c.is_ascii_alphanumeric());
    let ending = ending.filter(|it| !it.eq_ignore_ascii_case("part"));
    match ending.filter(is_ending).filter(|_| path.matches('/').count() > 2) {
        Some(ending) if !stem.ends_with(&format!(".{ending}")) => format!("{stem}.{ending}").into(),
        _ => stem.into(),
    }
}

/// Names that say that a body is not whole.
fn is_of_ours(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".part") || name.ends_with(".part.validator")
}

fn failed(record: Record, error: DownloadError, outcome: Outcome) -> Record {
    match error {
        DownloadError::Cut { why: Stopped::Time, .. } => {
            record.failed(Kind::Deadline, error.to_string())
        }
        DownloadError::Call { source, .. } | DownloadError::Cut { source, .. } => {
            unanswered(record, source, outcome)
        }
        DownloadError::TooLarge { .. } => record.failed(Kind::TooLarge, error.to_string()),
        DownloadError::Packed { .. } => record.failed(Kind::Malformed, error.to_string()),
        DownloadError::File { ref source, .. } => {
            record.failed(Kind::Write, format!("{error}: {source}"))
        }
        _ => record.failed(Kind::Broken, error.to_string()),
    }
}

fn unanswered(mut record: Record, error: ClientError, outcome: Outcome) -> Record {
    let (kind, retry_in, message) = match (error.cause(), error.refused()) {
        (_, Some(refused)) => (refusal(refused), refused.retry_in(), plainly(&error)),
        (Cause::Status(code), None) => {
            let answer = error.into_response();
            let headers = answer.as_ref().map(|answer| answer.headers().clone());
            record.status = Some(code.as_u16());
            record.error = Some(of_answer(code, &headers.unwrap_or_default(), outcome));
            return record;
        }
        (cause, None) => (kind_of(cause, &error), None, beneath(&error)),
    };
    let retry_in_ms = retry_in.map(millis);
    Record { error: Some(Wrong { kind, message, retry_in_ms }), ..record }
}

/// The URL is in the record.
fn beneath(error: &ClientError) -> String {
    error.source().map_or_else(|| error.to_string(), plainly)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn files_are_called_by_id_or_place_and_no_two_are_called_the_same() {
        let called = |id: Option<Value>, url: &str| {
            let id = id.map(|id| serde_json::from_value(id).unwrap());
            let name = Name { index: 7, id, url: url.into(), digest: Digest::of(&[]) };
            file_name(&name).to_str().unwrap().to_owned()
        };
        assert_eq!(called(None, "http://a.example/"), "000007");
        assert_eq!(called(None, "http://a.example"), "000007");
        assert_eq!(called(None, "http://a/x/big.iso?v=1.2"), "000007.iso");
        assert_eq!(called(None, "http://a/x/no.such-ending"), "000007");
        assert_eq!(called(Some(json!("item-1")), "http://a/x.json"), "item-1.json");
        assert_eq!(called(Some(json!("item.json")), "http://a/x.json"), "item.json");
        assert_eq!(called(Some(json!(12)), "http://a/x"), "12");
        assert_eq!(called(None, "http://a/x.part"), "000007");
        let long = "x".repeat(300);
        let odd =
            ["../../etc/passwd", ".hidden", "a/b", "a:b", "", "a.part", "a.PART.validator", &long];
        let mut names: Vec<_> = odd.map(|id| called(Some(json!(id)), "http://a/x")).into();
        assert!(names.iter().all(|name| !name.ends_with(".part") && !name.ends_with("validator")));
        assert!(names.iter().all(|name| !name.contains('/') && !name.starts_with('.')));
        assert!(names.iter().all(|name| name.len() < 120));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), odd.len());
    }
}
