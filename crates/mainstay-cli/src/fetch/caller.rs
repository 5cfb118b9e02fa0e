//! One input: sent through its pipeline, and its record made.

use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use mainstay::http::{CallOptions, Cause, Failure, Hints, RetryRules};
use mainstay::observe::{CallReport, ObserveLayer};
use mainstay::pipeline::PipelinesService;
use mainstay::policy::Outcome;
use mainstay::rate_limit::RateLimitLayer;
use mainstay::timeout::TimeoutLayer;
use mainstay::{CallError, Error, LiftLayer, Reason, Refused};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tower_layer::Layer;
use tower_service::Service;

use super::flags::Fetch;
use super::hosts::{Hosts, Total};
use super::job::Job;
use super::overlay;
use super::record::{Kind, Record, Wrong};
use super::transport::{TooLarge, Transport, said};
use crate::clock;

/// Sends inputs.
#[derive(Clone)]
pub(crate) struct Caller<S> {
    service: S,
}

/// What sends the inputs of a run.
pub(crate) type Pipelined = Caller<PipelinesService<Beneath>>;

/// What one attempt passes beneath the pipelines.
pub(crate) type Beneath = BoxCloneSyncService<Request<Full<Bytes>>, Response<Full<Bytes>>, Failed>;
/// How an attempt fails.
type Failed = Error<reqwest::Error>;

/// What sends the inputs of a run, and what knows which of them would have to wait.
pub(crate) fn of(fetch: &Fetch) -> Result<(Pipelined, Hosts), String> {
    let transport = LiftLayer::new().layer(Transport::new(fetch.http2, fetch.max_body)?);
    let Some(limit) = fetch.rate_total else {
        let pipelines = overlay::pipelines(fetch, |spec| spec)?;
        let service = pipelines.layer(BoxCloneSyncService::new(transport));
        return Ok((Caller::new(service), Hosts { pipelines, total: None, patience: PATIENCE }));
    };
    // A turn is waited for in an attempt, since attempts are what is counted, and beyond the time of
    // the attempt, which is for the server. So that time moves beneath the limit.
    let longest = Mutex::new(Duration::ZERO);
    let pipelines = overlay::pipelines(fetch, |mut spec| {
        let mut longest = longest.lock().unwrap_or_else(PoisonError::into_inner);
        *longest = spec.attempt_timeout.take().unwrap_or(Duration::MAX).max(*longest);
        spec
    })?;
    let longest = longest.into_inner().unwrap_or_else(PoisonError::into_inner);
    let layer = RateLimitLayer::new(limit).map_err(|wrong| format!("--rate-total: {wrong}"))?;
    let total = Total { guard: layer.handle(), limit };
    let beneath = layer.layer(TimeoutLayer::new(longest).layer(transport));
    let service = pipelines.layer(BoxCloneSyncService::new(beneath));
    Ok((Caller::new(service), Hosts { pipelines, total: Some(total), patience: PATIENCE }))
}

/// How long an input waits for a server that is down before it is refused like any other call, so
/// that a host which is gone for good does not hold its inputs for ever.
const PATIENCE: Duration = Duration::from_secs(30);

impl<S> Caller<S> {
    pub(crate) const fn new(service: S) -> Self {
        Self { service }
    }
}

impl<S, B> Caller<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Error: CallError,
    B: Body<Data = Bytes>,
    B::Error: StdError + 'static,
{
    /// The record of an input, whatever becomes of it.
    pub(crate) async fn call(self, job: Job) -> Record {
        let Job { name, ask, is_given_up, .. } = job;
        let record = Record::of(name);
        let mut request = match ask {
            Ok(request) => request,
            Err(what) => return record.failed(Kind::Input, what),
        };
        if is_given_up.into_inner() {
            let never = RetryRules::standard().never(request.method().clone());
            request.extensions_mut().insert(CallOptions::new().rules(never));
        }
        let report = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&report);
        let observed = ObserveLayer::new().on_report(move |report: &CallReport| {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.clone());
        });
        let began = clock::now();
        let answer = observed.layer(self.service).oneshot(request).await;
        let elapsed = clock::since(began);
        let report = report.lock().unwrap_or_else(PoisonError::into_inner).take();
        let record = match answer {
            Ok(answer) => {
                let outcome = report.as_ref().map_or(Outcome::Fatal, CallReport::outcome);
                answered(record, answer, outcome).await
            }
            Err(error) => failed(record, &error),
        };
        let (attempts, waited) =
            report.map_or_else(Default::default, |report| (report.attempts(), report.waited()));
        record.took(attempts, elapsed, waited)
    }
}

async fn answered<B>(mut record: Record, answer: Response<B>, outcome: Outcome) -> Record
where
    B: Body<Data = Bytes>,
    B::Error: StdError + 'static,
{
    let (head, body) = answer.into_parts();
    record.status = Some(head.status.as_u16());
    record.ok = head.status.is_success();
    record = match body.collect().await {
        Ok(body) => record.with_body(&body.to_bytes()),
        Err(error) => return record.failed(Kind::Broken, said(&error)),
    };
    if head.extensions.get::<TooLarge>().is_some() {
        record.body = None;
        return record.failed(Kind::TooLarge, "the body has more bytes than --max-body");
    }
    if !record.ok {
        let kind = match outcome {
            Outcome::Throttled => Kind::Throttled,
            Outcome::Transient => Kind::Unavailable,
            _ => Kind::Status,
        };
        let message = status(head.status);
        let wait = Hints::read(&head.headers).wait();
        record.error = Some(Wrong { kind, message, retry_in_ms: wait.map(millis) });
    }
    record
}

fn status(status: StatusCode) -> String {
    status.canonical_reason().map_or_else(
        || status.as_str().to_owned(),
        |reason| format!("{} {reason}", status.as_str()),
    )
}

fn failed(record: Record, error: &impl CallError) -> Record {
    let (kind, retry_in) = match error.refused() {
        Some(refused) => (refusal(refused), refused.retry_in()),
        None => (cause(error.as_error()), None),
    };
    let message = plainly(error.as_error());
    let retry_in_ms = retry_in.map(millis);
    Record { error: Some(Wrong { kind, message, retry_in_ms }), ..record }
}

fn refusal(refused: &Refused) -> Kind {
    match refused.reason() {
        Reason::Open => Kind::CircuitOpen,
        Reason::NoTurn | Reason::NoSlot => Kind::RateLimited,
        Reason::CoolingDown => Kind::CoolingDown,
        Reason::Deadline => Kind::Deadline,
        Reason::TimedOut if refused.layer() == "deadline" => Kind::Deadline,
        Reason::TimedOut => Kind::Timeout,
        Reason::Panicked => Kind::Internal,
        _ => Kind::Refused,
    }
}

fn cause(error: &(dyn StdError + 'static)) -> Kind {
    match Failure::of(error).cause() {
        Cause::Connect if is_tls(error) => Kind::Tls,
        Cause::Connect => Kind::Connect,
        Cause::TimedOut => Kind::Timeout,
        Cause::Malformed | Cause::Redirects => Kind::Malformed,
        Cause::Invalid => Kind::Invalid,
        _ => Kind::Broken,
    }
}

fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    // What an error of `std::io` carries is not among its sources.
    let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>()
        || carried.is_some_and(|carried| is_tls(carried))
        || error.source().is_some_and(is_tls)
}

/// What failed at the bottom, without the frames around it: "the call failed" is in the kind, and
/// the URL in the record.
fn plainly(error: &(dyn StdError + 'static)) -> String {
    let is_frame = |error: &(dyn StdError + 'static)| {
        error.is::<Error<Failed>>()
            || error.is::<Failed>()
            || error.is::<reqwest::Error>()
            || error.is::<hyper_util::client::legacy::Error>()
    };
    let mut error = error;
    while let Some(beneath) = error.source().filter(|_| is_frame(error)) {
        error = beneath;
    }
    said(error)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
