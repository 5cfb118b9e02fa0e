//! Refusals as answers, for stacks on the side of a server.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::header::RETRY_AFTER;
use ::http::{HeaderValue, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::{BoxError, CallError, Error, Reason, Refused};

/// Answers what our layers refuse with a 429 or a 503 and Retry-After, where a server needs an
/// answer to everything.
///
/// It goes outside of the layers whose refusals it answers, and gives back the error type that
/// was there before them: `Infallible`, for axum.
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use mainstay::http::AnswerRefusalsLayer;
/// use mainstay::{Error, LiftLayer};
/// use std::convert::Infallible;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let hello = service_fn(|_: Request<()>| async {
///     Ok::<_, Infallible>(Response::new(String::from("hello")))
/// });
/// let service = ServiceBuilder::new()
///     .layer(AnswerRefusalsLayer::new())
///     // Layers that may refuse go here.
///     .layer(LiftLayer::new())
///     .service(hello);
/// let Ok(answer) = service.oneshot(Request::new(())).await;
/// assert_eq!(answer.status(), StatusCode::OK);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// | refused because of | status |
/// |---|---|
/// | a rate limit, a cool-down | 429 |
/// | all else | 503 |
///
/// Retry-After is in whole seconds, rounded up and never 0, where the refusal says when.
/// [`AnswerRefusalsLayer::with`] takes a function for other answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnswerRefusalsLayer<A = Plainly> {
    answer: A,
}

impl AnswerRefusalsLayer {
    /// Answers by the table above, with an empty body.
    #[must_use]
    pub const fn new() -> Self {
        Self { answer: Plainly }
    }
}

impl<A> AnswerRefusalsLayer<A> {
    /// Answers with what this function makes of a refusal.
    pub const fn with<B>(answer: A) -> Self
    where
        A: Fn(&Refused) -> Response<B>,
    {
        Self { answer }
    }
}

impl<S, A: Clone> Layer<S> for AnswerRefusalsLayer<A> {
    type Service = AnswerRefusals<S, A>;

    fn layer(&self, inner: S) -> Self::Service {
        AnswerRefusals { inner, answer: self.answer.clone(), refused: None }
    }
}

/// The answer to a refusal.
pub trait Answer<B> {
    /// Makes it.
    fn answer(&self, refused: &Refused) -> Response<B>;
}

/// The answers of [`AnswerRefusalsLayer::new`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Plainly;

impl<B: Default> Answer<B> for Plainly {
    fn answer(&self, refused: &Refused) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = match refused.reason() {
            Reason::NoTurn | Reason::CoolingDown => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        if let Some(wait) = refused.retry_in() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }
}

impl<B, F: Fn(&Refused) -> Response<B>> Answer<B> for F {
    fn answer(&self, refused: &Refused) -> Response<B> {
        self(refused)
    }
}

/// Rounded up: who comes back a moment too soon is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    let part = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(part).max(1)
}

/// An error that is either a refusal or something that stays when refusals are answered.
pub trait TakeRefusal: Sized {
    /// What stays.
    type Rest;

    /// Takes the refusal out.
    ///
    /// # Errors
    ///
    /// What stays, if this is no refusal.
    fn take_refusal(self) -> Result<Refused, Self::Rest>;
}

impl<E> TakeRefusal for Error<E> {
    type Rest = E;

    fn take_refusal(self) -> Result<Refused, E> {
        match self {
            Self::Refused(refused) => Ok(refused),
            Self::Inner(error) => Err(error),
        }
    }
}

impl TakeRefusal for BoxError {
    type Rest = Self;

    fn take_refusal(self) -> Result<Refused, Self> {
        self.refused().cloned().ok_or(self)
    }
}

/// What [`AnswerRefusalsLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct AnswerRefusals<S, A = Plainly> {
    inner: S,
    answer: A,
    /// Said by a `poll_ready` beneath; the call that it was asked for gets the answer.
    refused: Option<Refused>,
}

impl<S, A> AnswerRefusals<S, A> {
    /// The service beneath.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service beneath.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service beneath.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, A, Req, B> Service<Req> for AnswerRefusals<S, A>
where
    S: Service<Req, Response = Response<B>>,
    S::Error: TakeRefusal,
    A: Answer<B> + Clone,
{
    type Response = Response<B>;
    type Error = <S::Error as TakeRefusal>::Rest;
    type Future = AnswerRefusalsFuture<S::Future, A>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.refused = None;
        if let Err(error) = ready!(self.inner.poll_ready(cx)) {
            self.refused = Some(error.take_refusal()?);
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let state = match self.refused.take() {
            Some(refused) => State::Refused { refused },
            None => State::Called { inner: self.inner.call(request) },
        };
        AnswerRefusalsFuture { state, answer: self.answer.clone() }
    }
}

pin_project! {
    /// The response future of [`AnswerRefusals`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct AnswerRefusalsFuture<F, A = Plainly> {
        #[pin]
        state: State<F>,
        answer: A,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F> {
        Called { #[pin] inner: F },
        Refused { refused: Refused },
    }
}

impl<F, A, B, E> Future for AnswerRefusalsFuture<F, A>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: TakeRefusal,
    A: Answer<B>,
{
    type Output = Result<Response<B>, E::Rest>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let refused = match this.state.project() {
            StateProj::Refused { refused } => return Poll::Ready(Ok(this.answer.answer(refused))),
            StateProj::Called { inner } => match ready!(inner.poll(cx)) {
                Ok(response) => return Poll::Ready(Ok(response)),
                Err(error) => error.take_refusal()?,
            },
        };
        Poll::Ready(Ok(this.answer.answer(&refused)))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tower::{ServiceExt, service_fn};

    use super::*;

    type Answered = Result<Response<String>, Error<Infallible>>;

    async fn answer(refused: Refused) -> Response<String> {
        let refuses = service_fn(move |()| {
            let refused = refused.clone();
            async move { Answered::Err(refused.into()) }
        });
        let Ok(response) = AnswerRefusalsLayer::new().layer(refuses).oneshot(()).await;
        response
    }

    fn retry_after(response: &Response<String>) -> Option<&str> {
        response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn a_refusal_is_answered_by_the_table() {
        for (reason, status) in [
            (Reason::NoTurn, 429),
            (Reason::CoolingDown, 429),
            (Reason::Open, 503),
            (Reason::NoSlot, 503),
            (Reason::Throttled, 503),
            (Reason::Deadline, 503),
            (Reason::TimedOut, 503),
            (Reason::Panicked, 503),
            (Reason::Closed, 503),
            (Reason::Other("full moon"), 503),
        ] {
            let answer = answer(Refused::new("guard", reason)).await;
            assert_eq!((answer.status().as_u16(), retry_after(&answer)), (status, None));
        }
    }

    #[tokio::test]
    async fn retry_after_is_rounded_up_and_never_zero() {
        for (wait, seconds) in [
            (Duration::ZERO, "1"),
            (Duration::from_nanos(1), "1"),
            (Duration::from_secs(1), "1"),
            (Duration::from_millis(1001), "2"),
            (Duration::MAX, "18446744073709551615"),
        ] {
            let answer = answer(Refused::new("guard", Reason::Open).with_retry_in(wait)).await;
            assert_eq!(retry_after(&answer), Some(seconds));
        }
    }

    #[tokio::test]
    async fn an_answer_passes_and_so_does_another_error() {
        let echo = service_fn(|result: Result<&'static str, &'static str>| async move {
            match result {
                Ok(text) => Ok(Response::new(text.to_owned())),
                Err(text) => Err(BoxError::from(text)),
            }
        });
        let service = AnswerRefusalsLayer::new().layer(echo);
        assert_eq!(service.clone().oneshot(Ok("well")).await.unwrap().body(), "well");
        assert_eq!(service.oneshot(Err("ill")).await.unwrap_err().to_string(), "ill");
    }

    #[tokio::test]
    async fn a_refusal_in_a_box_is_answered() {
        let refuses = service_fn(|()| async {
            Err::<Response<String>, _>(BoxError::from(Refused::new("guard", Reason::Open)))
        });
        let answer = AnswerRefusalsLayer::new().layer(refuses).oneshot(()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_refusal_that_was_lifted_and_then_boxed_is_answered() {
        let refuses = service_fn(|()| async {
            let lifted = Error::<std::io::Error>::from(Refused::new("guard", Reason::Open));
            Err::<Response<String>, _>(BoxError::from(lifted))
        });
        let answer = AnswerRefusalsLayer::new().layer(refuses).oneshot(()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_function_makes_other_answers() {
        let refuses =
            service_fn(|()| async { Answered::Err(Refused::new("guard", Reason::Open).into()) });
        let layer = AnswerRefusalsLayer::with(|refused: &Refused| {
            Response::new(format!("sorry: {}", refused.reason()))
        });
        let Ok(answer) = layer.layer(refuses).oneshot(()).await;
        assert_eq!(answer.body(), "sorry: the circuit is open");
    }

    #[tokio::test]
    async fn a_refusal_by_poll_ready_is_the_answer_to_the_call() {
        #[derive(Debug)]
        struct NotReady;
        impl Service<()> for NotReady {
            type Response = Response<String>;
            type Error = Error<Infallible>;
            type Future = std::future::Pending<Answered>;
            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
                Poll::Ready(Err(Refused::new("guard", Reason::NoTurn).into()))
            }
            fn call(&mut self, (): ()) -> Self::Future {
                panic!("it was not ready")
            }
        }
        let Ok(answer) = AnswerRefusalsLayer::new().layer(NotReady).oneshot(()).await;
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    }

    #[test]
    fn the_service_beneath_can_be_had() {
        let mut service = AnswerRefusalsLayer::new().layer(7);
        *service.get_mut() += 1;
        assert_eq!((*service.get_ref(), service.into_inner()), (8, 8));
    }
}
