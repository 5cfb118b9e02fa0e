//! HTTP as a protocol of the layers.

mod bodies;

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Method, StatusCode};
use mainstay_policy::Outcome;
use mainstay_policy::retry::Repeat;

use super::attempt::{Attempt, End};
use super::body::Copies;
use super::failure::{Cause, Failure};
use super::grpc::{self, Pushback};
use super::hints::Hints;
use super::idempotency::{IDEMPOTENCY_KEY, IdempotencyKeys, has};
use super::options::CallOptions;
use super::rules::RetryRules;
use super::server_word::ServerWord;
use super::status;
use super::view::{RequestView, ResponseView};
use crate::deadline::Deadline;
use crate::error::{CallError, Reason, Refused};
use crate::protocol::{Ending, Protocol};

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
    #[inline]
    pub fn prepare<Req: RequestView>(&self, request: &mut Req) {
        if let Some(keys) = &self.keys {
            let rules = CallOptions::of(request).and_then(|options| options.rules.as_deref());
            if !rules.unwrap_or(&self.rules).is_idempotent(request.method()) {
                keys.mint(request.headers_mut());
            }
        }
    }

    /// What a request costs where calls are counted.
    #[inline]
    pub(crate) fn cost<Req: RequestView>(&self, request: &Req) -> u32 {
        CallOptions::of(request).and_then(|options| options.cost).unwrap_or(1)
    }

    /// What must be known of the request when an attempt has ended.
    #[inline]
    pub fn about<Req: RequestView>(&self, request: &Req) -> About {
        let mut about = self.about_but_keys(request);
        self.look_for_key(&mut about, request);
        about
    }

    /// The same, but that no key is looked for in the header fields, which costs more than the rest.
    /// Unless [keys matter](Self::keys_matter) otherwise, a copy of the request, without which
    /// nothing is repeated, says it in time.
    #[inline]
    pub(crate) fn about_but_keys<Req: RequestView>(&self, request: &Req) -> About {
        let method = request.method();
        let options = CallOptions::of(request);
        let rules = options.and_then(|options| options.rules.clone());
        let is_idempotent = rules.as_deref().unwrap_or(&self.rules).is_idempotent(method)
            || options.is_some_and(|options| options.is_keyed);
        let is_in_memory = request.copies() == Copies::Alongside;
        About { method: method.clone(), is_idempotent, is_in_memory, rules }
    }

    /// Looks for a key in the header fields of this request, unless it is idempotent anyway.
    #[inline]
    pub(crate) fn look_for_key<Req: RequestView>(&self, about: &mut About, request: &Req) {
        about.is_idempotent = about.is_idempotent || self.is_keyed(request.headers());
    }

    /// Whether a key on a request may matter to more than whether a failure that may pass is
    /// repeated: to what users say of answers.
    #[inline]
    pub(crate) fn keys_matter(&self, about: &About) -> bool {
        self.rules_of(about).may_repeat_successes()
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
    #[inline(always)]
    pub fn answer<Res: ResponseView>(&self, about: &About, answer: &Res) -> Ending {
        let (status, headers) = (answer.status(), answer.headers());
        let head = grpc::Head::read(status, answer.version(), headers);
        let grpc = head.code();
        let hints = Hints::read(headers);
        let is_limit = status == StatusCode::TOO_MANY_REQUESTS
            || self.rules_of(about).may_be_limit(status) && hints.wait().is_some();
        let outcome = match grpc {
            Some(code) => code.outcome(),
            None if is_limit => Outcome::Throttled,
            None => status::outcome(status),
        };
        let follows_redirects = answer.may_follow_redirects();
        let end = End::Answer { status, headers, grpc, is_limit, follows_redirects };
        let repeat = self.repeat(about, outcome, end);
        let asked = match outcome {
            Outcome::Success => None,
            _ => pushback(self.rules_of(about), headers),
        };
        Ending::of(outcome, repeat, hints, asked, head == grpc::Head::Open)
    }

    /// The rules for this call.
    #[inline]
    fn rules_of<'a>(&'a self, about: &'a About) -> &'a RetryRules {
        about.rules.as_deref().unwrap_or(&self.rules)
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
            pushback(&self.rules, trailers).max(Hints::read(trailers).wait()).max(head.wait())
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
        let outcome = failure.outcome();
        Ending::new(outcome).with_repeat(self.repeat(about, outcome, End::Failure(failure)))
    }

    #[inline]
    fn repeat(&self, about: &About, outcome: Outcome, end: End<'_>) -> Repeat {
        let rules = self.rules_of(about);
        if outcome == Outcome::Success && !rules.may_repeat_successes() {
            return Repeat::Forbidden; // the way of nearly every answer
        }
        match rules.may_repeat(&Attempt::new(&about.method, about.is_idempotent, end)) {
            true => Repeat::Allowed,
            false => Repeat::Forbidden,
        }
    }

    fn is_keyed(&self, headers: &HeaderMap) -> bool {
        self.keys
            .as_ref()
            .map_or_else(|| has(headers, &IDEMPOTENCY_KEY), |keys| keys.is_on(headers))
    }
}

/// The wait of a pushback that is obeyed.
#[inline]
fn pushback(rules: &RetryRules, fields: &HeaderMap) -> Option<Duration> {
    if rules.obeys(ServerWord::GrpcPushback) { obeyed(fields) } else { None }
}

fn obeyed(fields: &HeaderMap) -> Option<Duration> {
    match Pushback::read(fields)? {
        Pushback::Wait(wait) => Some(wait),
        Pushback::DoNotRetry => None,
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
#[derive(Clone, PartialEq, Debug)]
pub struct About {
    method: Method,
    is_idempotent: bool,
    is_in_memory: bool,
    /// Rules for this call alone.
    rules: Option<Arc<RetryRules>>,
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

    #[inline]
    fn copy(&self, request: &Req) -> Option<Req> {
        request.copy()
    }

    fn prepare(&self, request: &mut Req) {
        self.prepare(request);
    }

    fn cost(&self, request: &Req) -> u32 {
        self.cost(request)
    }

    #[inline]
    fn deadline(&self, request: &Req) -> Option<Deadline> {
        let extensions = request.extensions()?;
        if extensions.is_empty() {
            return None; // and nothing is looked for
        }
        let own = extensions.get::<CallOptions>().and_then(|options| options.deadline);
        match (extensions.get::<Deadline>().copied(), own) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
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
        self.rules_of(about).may_ever_repeat(&about.method)
    }

    fn may_send_twice(&self, about: &About) -> bool {
        about.is_idempotent && self.rules_of(about).may_be_at_once(&about.method)
    }

    fn end(&self, about: &About, end: Result<&Res, &E>) -> Ending {
        self.end(about, end)
    }
}

#[cfg(test)]
mod tests;
