//! One input: sent through its pipeline, and its record made.

use std::error::Error as StdError;
use std::fs;
use std::future::{Future, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Response, response};
use http_body::Body;
use http_body_util::{BodyExt, Collected, Full};
use mainstay::client::{Client, ReqwestService};
use mainstay::http::{CallOptions, Failure, RetryRules};
use mainstay::pipeline::{Pipelines, PipelinesService};
use mainstay::policy::Outcome;
use mainstay::rate_limit::{RateLimit, RateLimitLayer};
use mainstay::{CallError, Error, Lift, LiftLayer};
use tower::ServiceExt;
use tower::util::{BoxCloneSyncService, Either};
use tower_layer::Layer;
use tower_service::Service;

use super::ask::Ask;
use super::failure::{kind_of, millis, of_answer, plainly, refusal, said};
use super::files::{self, Files};
use super::flags::Fetch;
use super::follow::{Follows, Kept, once};
use super::hosts::{Hosts, Total};
use super::job::Job;
use super::overlay;
use super::record::{Kind, Record, Wrong};
use super::transport::{self, TooLarge, Transport};
use crate::clock;

/// Sends inputs.
#[derive(Clone)]
pub(crate) struct Caller<S> {
    service: S,
    follows: Option<Arc<Follows<S>>>,
}

/// A caller whose inputs pass the pipelines.
pub(crate) type Pipelined = Caller<PipelinesService<Beneath>>;

/// What one attempt passes beneath the pipelines.
pub(crate) type Beneath =
    Either<Lift<Transport>, BoxCloneSyncService<Ask, Response<Full<Bytes>>, Failed>>;
/// How an attempt fails.
type Failed = Error<reqwest::Error>;

/// What sends the inputs of a run.
#[derive(Clone)]
pub(crate) enum Sends {
    /// Bodies go into lines.
    Lines(Pipelined),
    /// Bodies go into files.
    Files(Files),
}

impl Sends {
    /// The record of an input, whatever becomes of it.
    pub(crate) fn call(self, job: Job) -> impl Future<Output = Record> {
        match self {
            Self::Lines(caller) => caller.call(job).left_future(),
            // Three times as large, and moved with every line otherwise.
            Self::Files(files) => files.call(job).boxed().right_future(),
        }
    }
}

/// Both by what the flags say: what sends, and what knows which inputs would have to wait.
pub(crate) fn of(fetch: &Fetch) -> Result<(Sends, Hosts), String> {
    let (pipelines, total) = match fetch.rate_total {
        None => (overlay::pipelines(fetch, |spec| spec)?, None),
        Some(limit) => {
            let (pipelines, total) = limited(fetch, limit)?;
            (pipelines, Some(total))
        }
    };
    let client = transport::client(|builder| match fetch.http2 {
        true => builder.http2_prior_knowledge(),
        false => builder,
    })?;
    let sends = match &fetch.output_dir {
        None => {
            let transport = LiftLayer::new().layer(Transport::new(client, fetch.max_body));
            let beneath = match &total {
                None => Either::Left(transport),
                Some(total) => Either::Right(BoxCloneSyncService::new(total.layer(transport))),
            };
            let caller = Caller::new(pipelines.layer(beneath));
            Sends::Lines(caller.following(&pipelines, fetch.redirects))
        }
        Some(dir) => {
            fs::create_dir_all(dir)
                .map_err(|error| format!("the directory {}: {error}", dir.display()))?;
            let counted = ReqwestService::new(client).map_request(files::counted::<reqwest::Body>);
            let bottom = LiftLayer::new().layer(counted);
            let builder = Client::builder().redirects(fetch.redirects);
            let builder = match &total {
                None => builder.over(bottom),
                Some(total) => builder.over(total.layer(bottom)),
            };
            let client = builder.build().map_err(|error| said(&error))?;
            let (pipelines, dir) = (pipelines.clone(), dir.as_path().into());
            let Fetch { attempts, deadline, .. } = *fetch;
            Sends::Files(Files { client, pipelines, dir, attempts, deadline })
        }
    };
    Ok((sends, Hosts::new(pipelines, total, PATIENCE)))
}

/// A turn is waited for in an attempt, since attempts are what is counted, and beyond the time of
/// the attempt, which is for the server. So that time moves beneath the limit.
fn limited(fetch: &Fetch, limit: RateLimit) -> Result<(Pipelines, Total), String> {
    let longest = Mutex::new(Duration::ZERO);
    let pipelines = overlay::pipelines(fetch, |mut spec| {
        let mut longest = longest.lock().unwrap_or_else(PoisonError::into_inner);
        *longest = spec.attempt_timeout.take().unwrap_or(Duration::MAX).max(*longest);
        spec
    })?;
    let timeout = longest.into_inner().unwrap_or_else(PoisonError::into_inner);
    let turns = RateLimitLayer::new(limit).map_err(|wrong| format!("--rate-total: {wrong}"))?;
    Ok((pipelines, Total { turns, limit, timeout }))
}

/// How long an input waits for a server that is down before it is refused like any other call, so
/// that a host which is gone for good does not hold its inputs for ever.
const PATIENCE: Duration = Duration::from_secs(30);

impl<S> Caller<S> {
    pub(crate) const fn new(service: S) -> Self {
        Self { service, follows: None }
    }
}

impl<S, B> Caller<S>
where
    S: Service<Ask, Response = Response<B>> + Clone,
    S::Error: CallError,
    B: Body<Data = Bytes>,
    B::Error: StdError + 'static,
{
    /// Follows so many redirects, each through these pipelines, which are those of its service.
    fn following(mut self, pipelines: &Pipelines, most: u32) -> Self {
        let follows = || Follows::new(self.service.clone(), pipelines.clone(), most);
        self.follows = (most > 0).then(|| Arc::new(follows()));
        self
    }

    /// The record of an input, whatever becomes of it.
    pub(crate) fn call(self, job: Job) -> impl Future<Output = Record> {
        let Job { name, ask, is_given_up, .. } = job;
        let record = Record::of(name);
        let mut ask = match ask {
            Ok(ask) => *ask,
            Err(what) => return ready(record.failed(Kind::Input, what)).left_future(),
        };
        if is_given_up.into_inner() {
            let never = RetryRules::standard().never(ask.request.method().clone());
            ask.options.insert(CallOptions::new().rules(never));
        }
        self.send(ask, record).right_future()
    }

    fn send(self, ask: Ask, record: Record) -> impl Future<Output = Record> {
        let kept = self.follows.and_then(|follows| Some((follows, Kept::of(&ask.request)?)));
        let call = once(self.service, ask);
        let began = clock::now();
        // What is not named in here is no part of what waits.
        call.then(move |(answer, told)| async move {
            let (ended, told) = match (answer, kept) {
                (Ok(answer), Some((follows, kept))) if answer.status().is_redirection() => {
                    match kept.request(&record.url) {
                        // Apart, since few are redirected.
                        Some(first) => Box::pin(follows.follow(first, answer, told, began)).await,
                        None => (Ok(Ok(answer)), told),
                    }
                }
                (answer, _) => (Ok(answer), told),
            };
            let elapsed = clock::since(began);
            let record = match ended {
                Err(redirect) => record.failed(Kind::Malformed, redirect.to_string()),
                Ok(Err(error)) => failed(record, &error),
                Ok(Ok(answer)) => {
                    let (head, body) = answer.into_parts();
                    answered(record, &head, body.collect().await, told.outcome)
                }
            };
            record.took(told.attempts, elapsed, told.waited)
        })
    }
}

fn answered<E: StdError + 'static>(
    mut record: Record,
    head: &response::Parts,
    body: Result<Collected<Bytes>, E>,
    outcome: Outcome,
) -> Record {
    record.status = Some(head.status.as_u16());
    record.ok = head.status.is_success();
    record = match body {
        Ok(body) => record.with_body(&body.to_bytes()),
        Err(error) => return record.failed(Kind::Broken, said(&error)),
    };
    if head.extensions.get::<TooLarge>().is_some() {
        record.body = None;
        return record.failed(Kind::TooLarge, "the body has more bytes than --max-body");
    }
    if !record.ok {
        record.error = Some(of_answer(head.status, &head.headers, outcome));
    }
    record
}

fn failed(record: Record, error: &impl CallError) -> Record {
    let (kind, retry_in) = match error.refused() {
        Some(refused) => (refusal(refused), refused.retry_in()),
        None => (kind_of(Failure::of(error.as_error()).cause(), error.as_error()), None),
    };
    let message = plainly(error.as_error());
    let retry_in_ms = retry_in.map(millis);
    Record { error: Some(Wrong { kind, message, retry_in_ms }), ..record }
}
