//! Which requests may be sent again, and after which ends.

mod methods;

use std::fmt;
use std::sync::Arc;

use ::http::{Method, StatusCode};
use mainstay_policy::Outcome;

use super::attempt::{Attempt, End};
use super::failure::{Cause, Failure, Reached};
use super::server_word::ServerWord;
use super::when::When;
use super::{grpc, status};
use methods::{by_rfc, is_safe};

/// Which requests may be sent again, and after which ends.
///
/// | end of the attempt | GET HEAD OPTIONS TRACE PUT DELETE QUERY, or with an `Idempotency-Key` | POST PATCH and unknown methods |
/// |---|---|---|
/// | never sent, not processed, 425, 429 | again | again |
/// | 408, 500, 502, 503, 504, reset, end of file, timeout | again | no |
/// | other statuses | no | no |
///
/// Out of a client that may follow redirects, as reqwest's does, the first row is as the second;
/// see [`without_redirects`](RetryRules::without_redirects).
///
/// For gRPC, `RESOURCE_EXHAUSTED` stands in the first row; `UNKNOWN`, `DEADLINE_EXCEEDED`,
/// `INTERNAL` and `UNAVAILABLE` in the second.
///
/// Every cell can be changed, and each is a setter here:
///
/// ```
/// use http::{Method, StatusCode};
/// use mainstay::http::{End, RetryRules, ServerWord, When};
///
/// let rules = RetryRules::standard()
///     .status(StatusCode::CONFLICT, When::IfIdempotent) // a lock that somebody else holds
///     .idempotent(Method::PATCH)                        // ours sets fields to values
///     .obey(ServerWord::XShouldRetry)                   // the server knows best
///     .decide(|attempt| match attempt.end {
///         End::Answer { headers, .. } if headers.contains_key("x-maintenance") => Some(When::Never),
///         _ => None, // as the rest says
///     });
/// # let _ = rules;
/// ```
#[derive(Clone, Default)]
pub struct RetryRules {
    pub(crate) statuses: Vec<(StatusCode, When)>,
    pub(crate) codes: Vec<(grpc::Code, When)>,
    pub(crate) methods: Vec<(Method, Twice)>,
    pub(crate) at_once: Vec<Method>,
    pub(crate) maybe_processed: Option<When>,
    pub(crate) redirects: Option<bool>,
    pub(crate) limits_by_403: bool,
    pub(crate) words: Vec<ServerWord>,
    decide: Option<Decide>,
}

/// What asking twice by a method does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Twice {
    Nothing,
    Harm,
    /// It is not to be done whatever happens.
    Forbidden,
}

type Decide = Arc<dyn Fn(&Attempt<'_>) -> Option<When> + Send + Sync>;

/// The same if they say the same, where a function is only the same as itself.
impl PartialEq for RetryRules {
    fn eq(&self, other: &Self) -> bool {
        let decides = match (&self.decide, &other.decide) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, Some(_)) | (Some(_), None) => false,
        };
        decides
            && self.statuses == other.statuses
            && self.codes == other.codes
            && self.methods == other.methods
            && self.at_once == other.at_once
            && self.maybe_processed == other.maybe_processed
            && self.redirects == other.redirects
            && self.limits_by_403 == other.limits_by_403
            && self.words == other.words
    }
}

impl RetryRules {
    /// The table above.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            statuses: Vec::new(),
            codes: Vec::new(),
            methods: Vec::new(),
            at_once: Vec::new(),
            maybe_processed: None,
            redirects: None,
            limits_by_403: false,
            words: Vec::new(),
            decide: None,
        }
    }

    /// After an answer with this status.
    ///
    /// A status that says "the request is at fault" stays no failure to a circuit breaker.
    #[must_use]
    pub fn status(mut self, status: StatusCode, when: When) -> Self {
        set(&mut self.statuses, status, when);
        self
    }

    /// After this status of gRPC's.
    #[must_use]
    pub fn grpc_code(mut self, code: grpc::Code, when: When) -> Self {
        set(&mut self.codes, code, when);
        self
    }

    /// Requests with this method are idempotent here.
    #[must_use]
    pub fn idempotent(mut self, method: Method) -> Self {
        set(&mut self.methods, method, Twice::Nothing);
        self
    }

    /// Two equal requests with this method may even be on their way at the same time, as a hedge
    /// sends them, if they are idempotent. Without this only those may that change nothing.
    ///
    /// Of two equal `PUT`s the one that was given up may arrive last, after a later one with other
    /// content; of two `DELETE`s one finds nothing; of two `POST`s with one `Idempotency-Key` one is
    /// answered with a 409 while the other is processed.
    #[must_use]
    pub fn twice_at_once(mut self, method: Method) -> Self {
        self.at_once.push(method);
        self
    }

    /// Requests with this method are not idempotent here, whatever RFC 9110 says: a `DELETE` of
    /// "the newest entry".
    #[must_use]
    pub fn not_idempotent(mut self, method: Method) -> Self {
        set(&mut self.methods, method, Twice::Harm);
        self
    }

    /// Requests with this method are sent once, whatever happens and whoever says otherwise; no
    /// copy of them is kept.
    #[must_use]
    pub fn never(mut self, method: Method) -> Self {
        set(&mut self.methods, method, Twice::Forbidden);
        self
    }

    /// After an end without an answer that leaves open whether the server did what was asked: a
    /// reset, an end of file, a timeout.
    #[must_use]
    pub const fn maybe_processed(mut self, when: When) -> Self {
        self.maybe_processed = Some(when);
        self
    }

    /// The client beneath follows no redirects.
    ///
    /// reqwest follows them inside one attempt unless it is told not to. A POST that was processed
    /// and answered with a redirect may then end in the failure of the GET that followed: it could
    /// not be sent, or was answered with a 429. Nothing in error or answer tells. So of all that
    /// comes out of reqwest, only idempotent requests are repeated, until this says that there
    /// are no redirects: for a client with `redirect::Policy::none()`.
    #[must_use]
    pub const fn without_redirects(mut self) -> Self {
        self.redirects = Some(false);
        self
    }

    /// The service beneath may follow redirects inside one attempt, as tower-http's
    /// `FollowRedirect` does; then what was never sent may be a later request than the first.
    #[must_use]
    pub const fn behind_redirects(mut self) -> Self {
        self.redirects = Some(true);
        self
    }

    /// A 403 that says when to come back, or that nothing is left, is a limit and not a missing
    /// permission: so GitHub answers. It is then judged as a 429.
    #[must_use]
    pub const fn limits_by_403(mut self) -> Self {
        self.limits_by_403 = true;
        self
    }

    /// Does what a server says of a failure in so many words, before the table is looked at. Of
    /// several words a "no" counts.
    #[must_use]
    pub fn obey(mut self, word: ServerWord) -> Self {
        if !self.words.contains(&word) {
            self.words.push(word);
        }
        self
    }

    /// Asks a function first; where it says `None`, the server's words and the table decide.
    #[must_use]
    pub fn decide(
        mut self,
        decide: impl Fn(&Attempt<'_>) -> Option<When> + Send + Sync + 'static,
    ) -> Self {
        self.decide = Some(Arc::new(decide));
        self
    }

    /// Whether an answer with this status is a limit if it says when to come back.
    #[inline]
    pub(super) fn may_be_limit(&self, status: StatusCode) -> bool {
        self.limits_by_403 && status == StatusCode::FORBIDDEN
    }

    /// Whether a success may be worth another attempt: only where somebody has said so.
    #[inline]
    pub(super) fn may_repeat_successes(&self) -> bool {
        self.decide.is_some() || !self.statuses.is_empty() || !self.codes.is_empty()
    }

    /// Whether this word of a server's is obeyed.
    #[must_use]
    #[inline]
    pub fn obeys(&self, word: ServerWord) -> bool {
        self.words.contains(&word)
    }

    /// Whether asking twice by this method is as good as asking once.
    #[must_use]
    #[inline]
    pub fn is_idempotent(&self, method: &Method) -> bool {
        get(&self.methods, method).map_or_else(|| by_rfc(method), |twice| twice == Twice::Nothing)
    }

    /// Whether two equal requests with this method may be on their way at the same time, if they are
    /// idempotent.
    #[must_use]
    pub fn may_be_at_once(&self, method: &Method) -> bool {
        self.may_ever_repeat(method) && (is_safe(method) || self.at_once.contains(method))
    }

    /// Whether any end could lead to another attempt; else no copy of a request need be kept.
    #[must_use]
    #[inline]
    pub fn may_ever_repeat(&self, method: &Method) -> bool {
        get(&self.methods, method) != Some(Twice::Forbidden)
    }

    /// Whether the request may be sent again after this attempt.
    #[must_use]
    pub fn may_repeat(&self, attempt: &Attempt<'_>) -> bool {
        self.may_ever_repeat(attempt.method)
            && match self.when(attempt) {
                When::Always => true,
                When::IfIdempotent => attempt.is_idempotent,
                When::Never => false,
            }
    }

    fn when(&self, attempt: &Attempt<'_>) -> When {
        if let Some(when) = self.decide.as_ref().and_then(|decide| decide(attempt)) {
            return when;
        }
        match attempt.end {
            End::Answer { status, headers, grpc, is_limit, follows_redirects } => {
                let is_success = match grpc {
                    Some(code) => code == grpc::Code::OK,
                    None => status::outcome(status) == Outcome::Success,
                };
                // Words are about failures; a success is not worth another attempt.
                let words = self.words.iter().filter(|_| !is_success);
                let said = words.filter_map(|word| word.read(headers)).reduce(When::stricter);
                said.unwrap_or_else(|| match grpc {
                    Some(code) => get(&self.codes, &code)
                        .unwrap_or_else(|| self.unless_redirected(code.when(), follows_redirects)),
                    None if is_limit => {
                        self.of_status(StatusCode::TOO_MANY_REQUESTS, follows_redirects)
                    }
                    None => self.of_status(status, follows_redirects),
                })
            }
            End::Failure(failure) => self.of_failure(failure),
        }
    }

    fn of_status(&self, status: StatusCode, follows_redirects: bool) -> When {
        get(&self.statuses, &status).unwrap_or_else(|| match status.as_u16() {
            425 | 429 => self.unless_redirected(When::Always, follows_redirects),
            408 | 500 | 502 | 503 | 504 => When::IfIdempotent,
            _ => When::Never,
        })
    }

    fn of_failure(&self, failure: Failure) -> When {
        let follows_redirects = failure.may_follow_redirects();
        match failure.cause() {
            Cause::Invalid | Cause::GivenUp | Cause::Redirects => return When::Never,
            Cause::Status(status) => return self.of_status(status, follows_redirects),
            _ => {}
        }
        match failure.reached() {
            Reached::MaybeProcessed => self.maybe_processed.unwrap_or(When::IfIdempotent),
            Reached::NeverSent | Reached::NotProcessed => {
                self.unless_redirected(When::Always, follows_redirects)
            }
        }
    }

    /// What ended unprocessed may be a later request than the first, which has been processed.
    fn unless_redirected(&self, when: When, follows_redirects: bool) -> When {
        if when == When::Always && self.redirects.unwrap_or(follows_redirects) {
            return self.maybe_processed.unwrap_or(When::IfIdempotent);
        }
        when
    }
}

impl fmt::Debug for RetryRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryRules")
            .field("statuses", &self.statuses)
            .field("codes", &self.codes)
            .field("methods", &self.methods)
            .field("at_once", &self.at_once)
            .field("maybe_processed", &self.maybe_processed)
            .field("redirects", &self.redirects)
            .field("limits_by_403", &self.limits_by_403)
            .field("words", &self.words)
            .field("decide", &self.decide.as_ref().map(|_| "a function"))
            .finish()
    }
}

/// Puts a value in the place of the one for the same key.
fn set<K: PartialEq, V>(table: &mut Vec<(K, V)>, key: K, value: V) {
    match table.iter_mut().find(|(known, _)| *known == key) {
        Some((_, old)) => *old = value,
        None => table.push((key, value)),
    }
}

fn get<K: PartialEq, V: Copy>(table: &[(K, V)], key: &K) -> Option<V> {
    table.iter().find(|(known, _)| known == key).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests;
