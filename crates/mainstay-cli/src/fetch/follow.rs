//! Redirects, each a call of its own: it passes the limits of the host that it goes to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use http::{Method, Response};
use http_body::Body;
use mainstay::CallError;
use mainstay::client::{Leads, RedirectError};
use mainstay::http::{ByHost, CallOptions, KeyBy};
use mainstay::observe::{CallReport, ObserveLayer};
use mainstay::pipeline::Pipelines;
use mainstay::policy::Outcome;
use reqwest::{Request, Url};
use tokio::time::Instant;
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use super::ask::Ask;
use crate::clock;

/// Follows redirects.
pub(super) struct Follows<S> {
    service: S,
    pipelines: Pipelines,
    most: u32,
}

/// What is kept of a request in case its answer leads elsewhere.
pub(super) enum Kept {
    /// Nothing but this and its URL, which the record has. Most have no more, and it is no copy.
    Bare(Method),
    Whole(Box<Request>),
}

/// What came of the calls of an input.
#[derive(Clone, Copy)]
pub(super) struct Told {
    /// Of the last one.
    pub(super) outcome: Outcome,
    pub(super) attempts: u32,
    pub(super) waited: Duration,
}

/// A call, and what came of it.
pub(super) fn once<S, B>(
    service: S,
    ask: Ask,
) -> impl Future<Output = (Result<Response<B>, S::Error>, Told)>
where
    S: Service<Ask, Response = Response<B>>,
    S::Error: CallError,
    B: Body,
{
    let told = Arc::new(Mutex::new(Told::nothing()));
    let kept = Arc::clone(&told);
    let observed = ObserveLayer::new().on_report(move |report: &CallReport| {
        let (outcome, attempts, waited) = (report.outcome(), report.attempts(), report.waited());
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = Told { outcome, attempts, waited };
    });
    observed.layer(service).oneshot(ask).map(move |answer| {
        let told = *told.lock().unwrap_or_else(PoisonError::into_inner);
        (answer, told)
    })
}

impl<S, B> Follows<S>
where
    S: Service<Ask, Response = Response<B>> + Clone,
    S::Error: CallError,
    B: Body,
{
    /// So many at most, by the pipelines that the service has.
    pub(super) const fn new(service: S, pipelines: Pipelines, most: u32) -> Self {
        Self { service, pipelines, most }
    }

    /// Follows an answer to where it leads in the end. All together have the deadline of the first.
    pub(super) async fn follow(
        &self,
        mut request: Request,
        mut answer: Response<B>,
        mut told: Told,
        began: Instant,
    ) -> (Result<Result<Response<B>, S::Error>, RedirectError>, Told) {
        let pipeline = self.pipelines.of_host(ByHost.key(&request).as_str());
        let deadline = pipeline.spec().deadline;
        let mut followed = 0;
        while let Some(leads) = Leads::of(request.method(), answer.status(), answer.headers()) {
            if followed == self.most {
                return (Err(RedirectError::TooMany(followed)), told);
            }
            followed += 1;
            if let Err(error) = leads.change(&mut request) {
                return (Err(error), told);
            }
            // Its body is there in one piece.
            let Some(copy) = request.try_clone() else { break };
            let mut ask = Ask::new(copy);
            if let Some(deadline) = deadline {
                let left = deadline.saturating_sub(clock::since(began));
                ask.options.insert(CallOptions::new().within(left));
            }
            let (ended, more) = once(self.service.clone(), ask).await;
            told = told.and(more);
            answer = match ended {
                Ok(answer) => answer,
                failed => return (Ok(failed), told),
            };
        }
        (Ok(Ok(answer)), told)
    }
}

impl Kept {
    pub(super) fn of(request: &Request) -> Option<Self> {
        match request.headers().is_empty() && request.body().is_none() {
            true => Some(Self::Bare(request.method().clone())),
            false => request.try_clone().map(Box::new).map(Self::Whole),
        }
    }

    /// The request, whose URL is this.
    pub(super) fn request(self, url: &str) -> Option<Request> {
        match self {
            Self::Bare(method) => Some(Request::new(method, Url::parse(url).ok()?)),
            Self::Whole(request) => Some(*request),
        }
    }
}

impl Told {
    const fn nothing() -> Self {
        Self { outcome: Outcome::Fatal, attempts: 0, waited: Duration::ZERO }
    }

    /// Of these, and of those after them.
    fn and(self, then: Self) -> Self {
        let (attempts, waited) = (self.attempts + then.attempts, self.waited + then.waited);
        Self { outcome: then.outcome, attempts, waited }
    }
}
