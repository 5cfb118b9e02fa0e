//! A download, from its first request to its last byte.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use ::http::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use ::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use ::reqwest::Url;
use http_body_util::BodyExt;

use super::error::{DownloadError, Stopped, Unfit};
use super::note::Known;
use super::plan::{Asks, Does, Plan};
use super::sink::{Sink, within};
use super::{Downloaded, Progress, Settings, Tells};
use crate::client::Client;
use crate::client::body::Bounded;
use crate::client::error::{Asked, ClientError};
use crate::client::report::Reported;
use crate::client::request::RequestBuilder;
use crate::client::send::Sending;
use crate::client::wishes::Wishes;
use crate::deadline::Deadline;
use crate::error::{Reason, Refused};
use crate::http::{CallOptions, Cause};
use crate::observe::{Event, tell};
use crate::{chance, clock};

/// A wait that is asked for is waited for up to this.
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
    /// The head of the answer in which it began, and how many requests the last call has sent.
    head: Option<(StatusCode, HeaderMap)>,
    sent: u32,
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
        let may_be_packed = request.headers().contains_key(ACCEPT_ENCODING);
        let plain = HeaderValue::from_static("identity");
        request.headers_mut().entry(ACCEPT_ENCODING).or_insert(plain);
        wishes.is_status_an_error = Some(false);
        // From now on, for all requests of it together.
        let options = wishes.options_within(client.shared.defaults.timeout);
        let ends = options.as_ref().and_then(CallOptions::deadline);
        (wishes.timeout, wishes.options) = (None, options);
        let plan = Plan::new(settings.patience, may_be_packed);
        Ok(Self { client, request, wishes, settings, tells, plan, ends, head: None, sent: 0 })
    }

    pub(super) async fn run(mut self, sink: &mut Sink<'_>) -> Result<Downloaded, DownloadError> {
        loop {
            let cut = match self.ask(sink).await? {
                End::Whole => return Ok(self.done()),
                End::Cut(cut) => cut,
            };
            let wait = match self.waits(&cut) {
                Ok(wait) => wait,
                Err(why) => {
                    let Plan { fruitless: cuts, have: bytes, total, .. } = self.plan;
                    return Err(DownloadError::Cut { cuts, bytes, total, why, source: cut });
                }
            };
            drop(cut); // an answer in it holds its connection
            clock::sleep(wait).await;
        }
    }

    /// After how long it is gone on with, or why it is not.
    fn waits(&mut self, cut: &ClientError) -> Result<Duration, Stopped> {
        let fruitless = self.plan.cut();
        if *self.request.method() != Method::GET {
            return Err(Stopped::Once);
        }
        if self.ends.is_some_and(|ends| ends.left().is_zero()) {
            return Err(Stopped::Time);
        }
        let fruitless = fruitless.ok_or(Stopped::Patience)?;
        let asked = cut.asked().unwrap_or_default();
        if asked > LONGEST_ASKED {
            return Err(Stopped::Asked(asked));
        }
        let wait = self.settings.backoff.delay(fruitless + 1, None, chance::draw()).max(asked);
        match self.ends {
            Some(ends) if ends.left() <= wait => Err(Stopped::Time),
            _ => Ok(wait),
        }
    }

    fn done(self) -> Downloaded {
        let Plan { have: bytes, resumes, restarts, .. } = self.plan;
        let (status, headers) = self.head.unwrap_or_default();
        Downloaded { bytes, resumes, restarts, status, headers }
    }

    /// Asks for what is not there yet, and writes what comes.
    async fn ask(&mut self, sink: &mut Sink<'_>) -> Result<End, DownloadError> {
        let asks = self.plan.asks();
        let mut response = match self.send(&asks).await {
            Ok(response) => response,
            Err(error) => return self.not_answered(error),
        };
        let had = self.plan.have;
        let skips = match self.plan.answered(&asks, response.status(), response.headers()) {
            Does::GoesOn => 0,
            Does::Skips(bytes) => bytes,
            Does::BeginsAnew => {
                sink.begin_anew(had).await?;
                sink.is_of(self.plan.known()).await?;
                self.head = None;
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
                let report = response.extensions_mut().remove();
                let error = ClientError::answered(response).of_call(asked, self.sent, report);
                return self.not_answered(error);
            }
            Does::IsPacked(how) => return Err(DownloadError::Packed { how }),
        };
        self.head.get_or_insert_with(|| (response.status(), response.headers().clone()));
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
        wishes.is_report |= self.tells.report.is_some();
        let mut sending = pin!(Sending::new(self.client.clone(), Ok((request, wishes))));
        let answer = sending.as_mut().await;
        self.sent = sending.sent();
        if let Some(tell) = &mut self.tells.report {
            let report = answer.as_ref().map_or_else(ClientError::report, Reported::report);
            report.into_iter().for_each(tell);
        }
        answer
    }

    /// Where it is from.
    pub(super) fn url(&self) -> &Url {
        self.request.url()
    }

    /// So many bytes of this are there from before; says after how many it goes on.
    pub(super) fn goes_on_from(&mut self, there: u64, known: Known) -> u64 {
        self.plan.goes_on_from(there, known)
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
            match within(self.ends, sink.write(&data)).await {
                Some(written) => written?,
                None => return Ok(End::Cut(timed_out(&url))),
            }
            self.plan.wrote(bytes);
            if let Some(tell) = &mut self.tells.progress {
                tell(Progress { bytes: self.plan.have, total: self.plan.total });
            }
        }
        if self.plan.is_whole() && skips == 0 {
            return match within(self.ends, sink.flush()).await {
                Some(flushed) => flushed.map(|()| End::Whole),
                None => Ok(End::Cut(timed_out(&url))),
            };
        }
        Ok(End::Cut(ClientError::cut_off(Box::new(Unfit::Length), &url)))
    }
}

fn timed_out(url: &Url) -> ClientError {
    let refused = Refused::new("timeout of the call", Reason::TimedOut);
    tell(Event::Refused(&refused));
    ClientError::of_body(refused.into(), url)
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("plan", &self.plan).finish_non_exhaustive()
    }
}
