//! What can be fallen back on.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::http::Copies;
use crate::protocol::{Ending, Protocol};

/// A call that has failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failed<Res, E> {
    /// The answer or error with which it ended, to be handed on where there is nothing better.
    pub end: Result<Res, E>,
    /// What that says.
    pub ending: Ending,
    /// Whether its request may be sent to somebody else: what may have been done already may not,
    /// unless it may be done twice.
    pub may_be_sent_again: bool,
}

/// What is fallen back on.
pub trait Instead<Req, Res, E> {
    /// What it must know of a request when that is gone.
    type Kept;

    /// Ends with what is answered instead.
    type Future: Future<Output = Result<Res, E>>;

    /// Looks at a request before it is sent, at every call: what it costs, every call costs.
    fn keep<P: Protocol<Req, Res, E>>(&self, request: &Req, protocol: &P) -> Self::Kept;

    /// Whether it can answer instead of the failure, which is handed on where it cannot; by default
    /// it always can.
    fn serves<P>(&self, kept: &Self::Kept, failed: &Failed<Res, E>, protocol: &P) -> bool
    where
        P: Protocol<Req, Res, E>,
    {
        let _ = (kept, failed, protocol);
        true
    }

    /// Answers instead of the failure.
    fn instead(&self, kept: Self::Kept, failed: Failed<Res, E>) -> Self::Future;
}

/// Falls back on a copy of this answer.
pub const fn value<Res>(answer: Res) -> Value<Res> {
    Value { answer }
}

/// Falls back on what the function makes of the failure.
pub const fn function<F>(answer: F) -> Function<F> {
    Function { answer }
}

/// Falls back on what a function makes of the failure and of what another kept of the request.
///
/// ```
/// use http::{Request, Response, Uri};
/// use mainstay::fallback::{Failed, FallbackLayer, with};
///
/// let layer = FallbackLayer::new(with(
///     |request: &Request<String>| request.uri().clone(),
///     |uri: Uri, failed: Failed<Response<String>, mainstay::BoxError>| match uri.path() {
///         "/rates" => Ok(Response::new("1.0".to_owned())),
///         _ => failed.end,
///     },
/// ));
/// # let _ = layer;
/// ```
pub const fn with<K, F>(keep: K, answer: F) -> With<K, F> {
    With { keep, answer }
}

/// Falls back on another service, which is sent a copy of the request.
///
/// The copy is made before each call, since the request is gone when it has failed; where it cannot
/// be copied, a failure stays what it is. So it does where the request may have been processed and
/// may not be processed twice, as a `POST` that timed out, unless [`Other::also_twice`] says
/// otherwise. The service is cloned for each call that it gets.
pub const fn service<S>(service: S) -> Other<S> {
    Other { service, also_twice: false }
}

/// A copy of an answer; made by [`value`].
#[derive(Clone, Debug)]
pub struct Value<Res> {
    answer: Res,
}

impl<Req, Res: Clone, E> Instead<Req, Res, E> for Value<Res> {
    type Kept = ();
    type Future = Ready<Result<Res, E>>;

    fn keep<P: Protocol<Req, Res, E>>(&self, _: &Req, _: &P) {}

    fn instead(&self, (): (), _: Failed<Res, E>) -> Self::Future {
        ready(Ok(self.answer.clone()))
    }
}

/// What a function makes of a failure; made by [`function`].
#[derive(Clone)]
pub struct Function<F> {
    answer: F,
}

impl<F, Req, Res, E> Instead<Req, Res, E> for Function<F>
where
    F: Fn(Failed<Res, E>) -> Result<Res, E>,
{
    type Kept = ();
    type Future = Ready<Result<Res, E>>;

    fn keep<P: Protocol<Req, Res, E>>(&self, _: &Req, _: &P) {}

    fn instead(&self, (): (), failed: Failed<Res, E>) -> Self::Future {
        ready((self.answer)(failed))
    }
}

impl<F> fmt::Debug for Function<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Function")
    }
}

/// What a function makes of a failure and of what another kept; made by [`with`].
#[derive(Clone)]
pub struct With<K, F> {
    keep: K,
    answer: F,
}

impl<K, Kept, F, Req, Res, E> Instead<Req, Res, E> for With<K, F>
where
    K: Fn(&Req) -> Kept,
    F: Fn(Kept, Failed<Res, E>) -> Result<Res, E>,
{
    type Kept = Kept;
    type Future = Ready<Result<Res, E>>;

    fn keep<P: Protocol<Req, Res, E>>(&self, request: &Req, _: &P) -> Kept {
        (self.keep)(request)
    }

    fn instead(&self, kept: Kept, failed: Failed<Res, E>) -> Self::Future {
        ready((self.answer)(kept, failed))
    }
}

impl<K, F> fmt::Debug for With<K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("With")
    }
}

/// Another service; made by [`service`].
#[derive(Clone, Debug)]
pub struct Other<S> {
    service: S,
    also_twice: bool,
}

impl<S> Other<S> {
    /// Also sends what may have been processed already, whatever it does: where the other service
    /// tells that it has been done, or where it does no harm.
    #[must_use]
    pub const fn also_twice(mut self) -> Self {
        self.also_twice = true;
        self
    }
}

impl<S, Req> Instead<Req, S::Response, S::Error> for Other<S>
where
    S: Service<Req> + Clone,
{
    type Kept = Option<Req>;
    type Future = OtherFuture<S, Req, S::Future, Result<S::Response, S::Error>>;

    fn keep<P>(&self, request: &Req, protocol: &P) -> Option<Req>
    where
        P: Protocol<Req, S::Response, S::Error>,
    {
        protocol.copy(request)
    }

    fn serves<P>(
        &self,
        kept: &Option<Req>,
        failed: &Failed<S::Response, S::Error>,
        protocol: &P,
    ) -> bool
    where
        P: Protocol<Req, S::Response, S::Error>,
    {
        // A copy of a stream may have become useless while the call read it.
        (self.also_twice || failed.may_be_sent_again)
            && kept.as_ref().is_some_and(|copy| protocol.copies(copy) != Copies::Never)
    }

    fn instead(&self, kept: Option<Req>, failed: Failed<S::Response, S::Error>) -> Self::Future {
        let state = match kept {
            Some(request) => {
                State::Readying { service: self.service.clone(), request: Some(request) }
            }
            None => State::Failed { end: Some(failed.end) },
        };
        OtherFuture { state }
    }
}

pin_project! {
    /// The answer of another service; the future of [`Other`].
    #[must_use = "futures do nothing unless polled"]
    pub struct OtherFuture<S, Req, F, T> {
        #[pin]
        state: State<S, Req, F, T>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Req, F, T> {
        // Nobody asked whether there is a copy.
        Failed { end: Option<T> },
        Readying { service: S, request: Option<Req> },
        Running { #[pin] future: F },
    }
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl<S, Req> Future for OtherFuture<S, Req, S::Future, Result<S::Response, S::Error>>
where
    S: Service<Req>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Failed { end } => {
                    return Poll::Ready(end.take().expect("polled after it was ready"));
                }
                StateProj::Readying { service, request } => {
                    std::task::ready!(service.poll_ready(cx))?;
                    let future = service.call(request.take().expect("polled after it was ready"));
                    state.set(State::Running { future });
                }
                StateProj::Running { future } => return future.poll(cx),
            }
        }
    }
}

impl<S, Req, F, T> fmt::Debug for OtherFuture<S, Req, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtherFuture")
    }
}
