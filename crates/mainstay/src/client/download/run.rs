//! A download, from its first request to its last byte.

use std::fmt;
use std::time::Duration;

use ::http::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use ::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;

use super::error::{DownloadError, Unfit};
use super::note::Known;
use super::plan::{Asks, Does, Plan};
use super::sink::Sink;
use super::{Downloaded, Progress, Settings, Tells};
use crate::client::Client;
use crate::client::body::Bounded;
use crate::client::error::{Asked, ClientError};
use crate::client::report::Reported;
use crate::client::request::RequestBuilder;
use crate::client::send::Sending;
use crate::client::wishes::Wishes;
use crate::deadline::Deadline;
use crate::http::Cause;
use crate::{chance, clock};

/// A wait that a refusal asks for is waited for up to this.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

pub(super) struct Run {
    client: Client,
    request: ::reqwest::Request,
    wishes: Wishes,
    settings: Settings,
    tells: Tells,
    plan: Plan,
    /// When the time of all of it is over.
    ends: Option<Deadline>,
    status: StatusCode,
    headers: HeaderMap,
}

/// How a request of it ended.
enum End {
    Whole,
    /// It was cut off, so.
    Cut(ClientError),
}

impl Run {
    pub(super) fn new(
        request: RequestBuilder,
        settings: Settings,
        tells: Tells,
    ) -> Result<Self, DownloadError> {
        let not_asked = |source| DownloadError::Call { bytes: 0, source };
        let built = request.built().map_err(|(_, error)| not_asked(error));
        let (client, mut request, mut wishes) = built?;
        let invalid = |why: &str| not_asked(ClientError::invalid(why.into()));
        if request.headers().contains_key(RANGE) {
            return Err(invalid("a download asks for ranges itself"));
        }
        if request.try_clone().is_none() {
            return Err(invalid(
                "a download cannot be asked for twice with a body that is a stream",
            ));
        }
        // What is packed on its way is as long as nobody knows.
        let plain = HeaderValue::from_static("identity");
        request.headers_mut().entry(ACCEPT_ENCODING).or_insert(plain);
        wishes.is_status_an_error = false;
        let ends = wishes.timeout.map(Deadline::within);
        let plan = Plan::new(settings.patience);
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        Ok(Self { client, request, wishes, settings, tells, plan, ends, status, headers })
    }

    pub(super) async fn run(mut self, sink: &mut Sink<'_>) -> Result<Downloaded, DownloadError> {
        if self.plan.have > 0 && self.plan.is_whole() {
            // What was there from before is all of it, and only its name was not given.
            return Ok(self.done());
        }
        loop {
            let cut = match self.ask(sink).await? {
                End::Whole => break,
                End::Cut(cut) => cut,
            };
            let is_asked_once = *self.request.method() != Method::GET;
            let wait = self.plan.cut().filter(|_| !is_asked_once).map(|fruitless| {
                let wait = self.settings.backoff.delay(fruitless + 1, None, chance::draw());
                let asked = cut.refused().and_then(|refused| refused.retry_in());
                wait.max(asked.unwrap_or_default().min(LONGEST_ASKED))
            });
            let has_time = |wait: &Duration| self.ends.is_none_or(|ends| ends.left() > *wait);
            match wait.filter(has_time) {
                Some(wait) => clock::sleep(wait).await,
                None => {
                    let Plan { fruitless, have, total, .. } = self.plan;
                    let cuts = fruitless.max(1);
                    return Err(DownloadError::Cut { cuts, bytes: have, total, source: cut });
                }
            }
        }
        Ok(self.done())
    }

    fn done(self) -> Downloaded {
        let Plan { have, resumes, restarts, .. } = self.plan;
        let Self { status, headers, .. } = self;
        Downloaded { bytes: have, resumes, restarts, status, headers }
    }

    /// Asks for what is not there yet, and writes what comes.
    async fn ask(&mut self, sink: &mut Sink<'_>) -> Result<End, DownloadError> {
        let asks = self.plan.asks();
        let response = match self.send(&asks).await {
            Ok(response) => response,
            Err(error) => return self.not_answered(error),
        };
        let had = self.plan.have;
        let skips = match self.plan.answered(&asks, response.status(), response.headers()) {
            Does::GoesOn => 0,
            Does::Skips(bytes) => bytes,
            Does::BeginsAnew => {
                sink.begin_anew(had).await?;
                sink.is_of(self.plan.known().as_ref()).await?;
                self.status = response.status();
                self.headers.clone_from(response.headers());
                0
            }
            Does::AsksAnew => {
                sink.begin_anew(had).await?;
                let why = Box::new(Unfit::Part);
                return Ok(End::Cut(ClientError::cut_off(why, response.url())));
            }
            Does::Fails => {
                let (method, url) = (self.request.method().clone(), response.url().clone());
                let asked = Asked { method, url, is_once: false };
                let error = ClientError::answered(response).of_call(asked, 1, None);
                return self.not_answered(error);
            }
        };
        if self.plan.total.is_some_and(|total| total > self.settings.at_most) {
            return Err(DownloadError::TooLarge { at_most: self.settings.at_most });
        }
        self.read(response, skips, sink).await
    }

    async fn send(&mut self, asks: &Asks) -> Result<::reqwest::Response, ClientError> {
        let Some(mut request) = self.request.try_clone() else {
            return Err(ClientError::invalid("the request cannot be copied".into()));
        };
        if let Asks::From { range, if_range } = asks {
            let range =
                HeaderValue::try_from(range).map_err(|error| ClientError::invalid(error.into()))?;
            request.headers_mut().insert(RANGE, range);
            request.headers_mut().insert(IF_RANGE, if_range.clone());
        }
        let mut wishes = self.wishes.clone();
        wishes.timeout = self.ends.map(|ends| ends.left());
        wishes.is_report |= self.tells.report.is_some();
        let answer = Sending::new(self.client.clone(), Ok((request, wishes))).await;
        if let Some(tell) = &mut self.tells.report {
            let report = answer.as_ref().map_or_else(ClientError::report, Reported::report);
            report.into_iter().for_each(tell);
        }
        answer
    }

    /// Where it is from, as far as it may be noted.
    pub(super) fn url(&self) -> String {
        let mut url = self.request.url().clone();
        // Every URL of HTTP could have one.
        let _ = url.set_password(None);
        url.to_string()
    }

    /// So many bytes of this are there from before.
    pub(super) fn goes_on_from(&mut self, have: u64, known: Known) {
        self.plan.goes_on_from(have, known);
    }

    /// A first request that fails has failed; a later one may come too soon.
    fn not_answered(&self, error: ClientError) -> Result<End, DownloadError> {
        let may_pass = match error.cause() {
            Cause::Status(status) => {
                status.is_server_error() || matches!(status.as_u16(), 408 | 429)
            }
            Cause::Invalid | Cause::GivenUp | Cause::Redirects | Cause::Malformed => false,
            _ => true,
        };
        if may_pass && self.has_begun() {
            return Ok(End::Cut(error));
        }
        Err(DownloadError::Call { bytes: self.plan.have, source: error })
    }

    fn has_begun(&self) -> bool {
        self.plan.have > 0 || self.plan.restarts > 0
    }

    async fn read(
        &mut self,
        response: ::reqwest::Response,
        mut skips: u64,
        sink: &mut Sink<'_>,
    ) -> Result<End, DownloadError> {
        let url = response.url().clone();
        let body = Response::from(response).into_body();
        let mut body = Bounded::new(body, self.settings.silence, self.ends);
        while let Some(frame) = body.frame().await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return Ok(End::Cut(ClientError::of_body(error, &url))),
            };
            let Ok(mut data) = frame.into_data() else { continue };
            let skipped = skips.min(data.len() as u64);
            skips -= skipped;
            // It is no longer than the piece.
            drop(data.split_to(usize::try_from(skipped).unwrap_or(data.len())));
            if data.is_empty() {
                continue;
            }
            let bytes = data.len() as u64;
            if self.plan.have.saturating_add(bytes) > self.settings.at_most {
                return Err(DownloadError::TooLarge { at_most: self.settings.at_most });
            }
            sink.write(&data).await?;
            self.plan.wrote(bytes);
            if let Some(tell) = &mut self.tells.progress {
                tell(Progress { bytes: self.plan.have, total: self.plan.total });
            }
        }
        if self.plan.is_whole() && skips == 0 {
            return Ok(End::Whole);
        }
        Ok(End::Cut(ClientError::cut_off(Box::new(Unfit::Length), &url)))
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("plan", &self.plan).finish_non_exhaustive()
    }
}
