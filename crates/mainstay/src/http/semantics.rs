//! HTTP as a protocol of the layers.

use std::future::Future;
use std::time::Duration;

use ::http::{HeaderMap, Method, StatusCode};
use http_body::Body;
use mainstay_policy::Outcome;
use mainstay_policy::retry::Repeat;

use super::attempt::{Attempt, End};
use super::body::{Copies, drain};
use super::failure::{Cause, Failure};
use super::grpc::{self, Pushback};
use super::hints::Hints;
use super::idempotency::{IDEMPOTENCY_KEY, IdempotencyKeys};
use super::rules::RetryRules;
use super::server_word::ServerWord;
use super::status;
use super::view::{RequestView, ResponseView};
use crate::deadline::Deadline;
use crate::error::{CallError, Reason, Refused};
use crate::protocol::{Discard, EndOfBody, Ending, Protocol};

/// What HTTP requests, responses and errors mean to the layers.
///
/// ```
/// use http::{Request, Response};
/// use mainstay::http::Http;
/// use mainstay::policy::Outcome;
/// use mainstay::Error;
/// use std::io;
/// use std::time::Duration;
///
/// let http = Http::new();
/// let request = Request::post("https://api.example.com/orders").body("{}")?;
/// let response = Response::builder().status(503).header("retry-after", "2").body(())?;
///
/// let about = http.about(&request);
/// let ending = http.end(&about, Ok::<_, &Error<io::Error>>(&response));
/// assert_eq!(ending.outcome(), Outcome::Transient);
/// assert_eq!(ending.wait(), Some(Duration::from_secs(2)));
/// assert!(!ending.may_be_repeated()); // a POST that may have been processed
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Http {
    rules: RetryRules,
    keys: Option<IdempotencyKeys>,
}

impl Http {
    /// HTTP with the standard rules, and no keys minted.
    pub const fn new() -> Self {
        Self { rules: RetryRules::standard(), keys: None }
    }

    /// Other rules for which requests may be sent again.
    pub fn rules(mut self, rules: RetryRules) -> Self {
        self.rules = rules;
        self
    }

    /// Mints a key for each call that is not idempotent.
    pub fn idempotency_keys(mut self, keys: IdempotencyKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Gives the request what all attempts of its call must have in common. To be asked once per
    /// call, before the first.
    pub fn prepare<Req: RequestView>(&self, request: &mut Req) {
        if let Some(keys) = &self.keys {
            if !self.rules.is_idempotent(request.method()) {
                keys.mint(request.headers_mut());
            }
        }
    }

    /// What must be known of the request when an attempt has ended.
    pub fn about<Req: RequestView>(&self, request: &Req) -> About {
        let method = request.method();
        let is_idempotent = self.rules.is_idempotent(method) || self.is_keyed(request.headers());
        let is_in_memory = request.copies() == Copies::Alongside;
        About { method: method.clone(), is_idempotent, is_in_memory }
    }

    /// What the end of an attempt says.
    pub fn end<Res, E>(&self, about: &About, end: Result<&Res, &E>) -> Ending
    where
        Res: ResponseView,
        E: CallError,
    {
        match end {
            Ok(answer) => self.answer(about, answer),
            Err(error) => {
                let failure = Failure::of(error.as_error());
                let ending = self.failure(about, failure);
                match error.refused() {
                    Some(refused) if failure.cause() == Cause::Refused => waited(ending, refused),
                    _ => ending,
                }
            }
        }
    }

    /// What an answer says.
    pub fn answer<Res: ResponseView>(&self, about: &About, answer: &Res) -> Ending {
        let (status, headers) = (answer.status(), answer.headers());
        let head = grpc::Head::read(status, answer.version(), headers);
        let grpc = head.code();
        let hints = Hints::read(headers);
        let is_limit = status == StatusCode::TOO_MANY_REQUESTS
            || self.rules.may_be_limit(status) && hints.wait().is_some();
        let outcome = match grpc {
            Some(code) => code.outcome(),
            None if is_limit => Outcome::Throttled,
            None => status::outcome(status),
        };
        let follows_redirects = answer.may_follow_redirects();
        let end = End::Answer { status, headers, grpc, is_limit, follows_redirects };
        let ending = self.ending(about, outcome, end).with_hints(hints);
        let ending = if head == grpc::Head::Open { ending.still_open() } else { ending };
        match self.pushback(headers) {
            Some(wait) if outcome != Outcome::Success => ending.with_wait(wait),
            _ => ending,
        }
    }

    /// The wait of a pushback that is obeyed.
    fn pushback(&self, fields: &HeaderMap) -> Option<Duration> {
        if !self.rules.obeys(ServerWord::GrpcPushback) {
            return None;
        }
        match Pushback::read(fields)? {
            Pushback::Wait(wait) => Some(wait),
            Pushback::DoNotRetry => None,
        }
    }

    /// What the end of a body says, after an answer whose head said this.
    ///
    /// A body that broke is told as the failure that broke it. gRPC's status is in the trailers,
    /// and what it asks for there and in the head is waited for by whoever comes next. Nothing of
    /// it leads to another attempt: the caller has the head, and perhaps more.
    pub fn end_of_body(
        &self,
        head: &Ending,
        end: Result<Option<&HeaderMap>, &(dyn std::error::Error + 'static)>,
    ) -> Ending {
        let outcome = match end {
            Ok(trailers) if head.is_open() => grpc::Code::at_the_end(trailers).outcome(),
            Ok(_) => head.outcome(),
            Err(error) => Failure::of(error).outcome(),
        };
        let ending = Ending::new(outcome).with_repeat(Repeat::Forbidden);
        let asked = end.ok().flatten().filter(|_| head.is_open()).and_then(|trailers| {
            self.pushback(trailers).max(Hints::read(trailers).wait()).max(head.wait())
        });
        match asked {
            Some(wait) if outcome != Outcome::Success => ending.with_wait(wait),
            _ => ending,
        }
    }

    /// What the error says that there is instead of an answer.
    pub fn failure(&self, about: &About, failure: Failure) -> Ending {
        // Where the body cannot fail, it was the connection.
        let failure = match failure.cause() {
            Cause::GivenUp if about.is_in_memory => failure.with_cause(Cause::Broken),
            _ => failure,
        };
        self.ending(about, failure.outcome(), End::Failure(failure))
    }

    fn ending(&self, about: &About, outcome: Outcome, end: End<'_>) -> Ending {
        let attempt = Attempt::new(&about.method, about.is_idempotent, end);
        let repeat = match self.rules.may_repeat(&attempt) {
            true => Repeat::Allowed,
            false => Repeat::Forbidden,
        };
        Ending::new(outcome).with_repeat(repeat)
    }

    fn is_keyed(&self, headers: &HeaderMap) -> bool {
        match &self.keys {
            Some(keys) => keys.is_on(headers),
            None => headers.contains_key(IDEMPOTENCY_KEY),
        }
    }
}

/// A breaker and a cool-down can be waited out, where nothing was sent; a queue that was full is not
/// stood in again.
fn waited(ending: Ending, refused: &Refused) -> Ending {
    match (refused.reason(), refused.retry_in()) {
        (Reason::Open | Reason::CoolingDown, Some(wait)) if ending.may_be_repeated() => {
            ending.with_wait(wait)
        }
        _ => ending,
    }
}

/// What [`Http`] keeps of a request while it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct About {
    method: Method,
    is_idempotent: bool,
    is_in_memory: bool,
}

impl About {
    /// What was asked.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Whether asking twice is as good as asking once: by the method, or by a key.
    #[must_use]
    pub const fn is_idempotent(&self) -> bool {
        self.is_idempotent
    }
}

/// What a request costs where calls are counted, if it is not 1: an extension of the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost(
    /// In the units of a rate limit.
    pub u32,
);

impl<Req, Res, E> Protocol<Req, Res, E> for Http
where
    Req: RequestView,
    Res: ResponseView,
    E: CallError,
{
    type About = About;

    fn copies(&self, request: &Req) -> Copies {
        request.copies()
    }

    fn copy(&self, request: &Req) -> Option<Req> {
        request.copy()
    }

    fn prepare(&self, request: &mut Req) {
        self.prepare(request);
    }

    fn cost(&self, request: &Req) -> u32 {
        request
            .extensions()
            .and_then(|extensions| extensions.get::<Cost>())
            .map_or(1, |cost| cost.0)
    }

    fn deadline(&self, request: &Req) -> Option<Deadline> {
        request.extensions()?.get().copied()
    }

    fn set_deadline(&self, request: &mut Req, deadline: Deadline) {
        if let Some(extensions) = request.extensions_mut() {
            extensions.insert(deadline);
        }
    }

    fn about(&self, request: &Req) -> About {
        self.about(request)
    }

    fn may_repeat(&self, about: &About) -> bool {
        self.rules.may_ever_repeat(&about.method)
    }

    fn may_send_twice(&self, about: &About) -> bool {
        about.is_idempotent && self.rules.may_be_at_once(&about.method)
    }

    fn end(&self, about: &About, end: Result<&Res, &E>) -> Ending {
        self.end(about, end)
    }
}

/// Reads the rest of a failed answer, within limits, so that its connection can be used again.
impl<Res: ResponseView> Discard<Res> for Http
where
    Res::Body: Body + Send + 'static,
{
    fn discard(&self, answer: Res) -> impl Future<Output = ()> + Send + 'static
    where
        Res: Send + 'static,
    {
        drain(answer.into_http())
    }
}

impl EndOfBody for Http {
    fn end_of_body(&self, head: &Ending, trailers: Option<&HeaderMap>) -> Ending {
        self.end_of_body(head, Ok(trailers))
    }
}

#[cfg(test)]
mod tests;
