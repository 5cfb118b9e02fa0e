//! Any error into one that can carry a refusal.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Carry, Lifted};

/// Turns a service's error `E` into [`Error<E>`](crate::Error), so that layers of ours can refuse
/// calls to it.
///
/// Goes to the bottom of a stack, next to the service. It is not needed where the error is
/// already one that [`CallError`](crate::CallError) is implemented for, and of no use over tower's
/// `BoxError`: that carries refusals itself, and is no [`std::error::Error`] that could be lifted.
///
/// ```
/// use mainstay::{Error, LiftLayer};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let parse = service_fn(|text: &'static str| async move { text.parse::<u32>() });
/// let service = ServiceBuilder::new().layer(LiftLayer::new()).service(parse);
/// assert!(matches!(service.oneshot("many").await, Err(Error::Inner(_))));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LiftLayer {
    _private: (),
}

impl LiftLayer {
    /// The layer; there is nothing to set.
    #[must_use]
    pub const fn new() -> Self {
        Self { _private: () }
    }
}

impl<S> Layer<S> for LiftLayer {
    type Service = Lift<S>;

    fn layer(&self, inner: S) -> Lift<S> {
        Lift::of(inner)
    }
}

/// What [`LiftLayer`] makes of a service.
#[derive(Debug)]
pub struct Lift<S, C = Lifted> {
    inner: S,
    carries: PhantomData<fn() -> C>,
}

impl<S, C> Lift<S, C> {
    pub(crate) const fn of(inner: S) -> Self {
        Self { inner, carries: PhantomData }
    }

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

impl<S: Clone, C> Clone for Lift<S, C> {
    fn clone(&self) -> Self {
        Self::of(self.inner.clone())
    }
}

impl<S: Copy, C> Copy for Lift<S, C> {}

impl<S, Req, C> Service<Req> for Lift<S, C>
where
    S: Service<Req>,
    C: Carry<S::Error>,
{
    type Response = S::Response;
    type Error = C::Error;
    type Future = LiftFuture<S::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(C::inner)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        LiftFuture { inner: self.inner.call(request), carries: PhantomData }
    }
}

pin_project! {
    /// The response future of [`Lift`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct LiftFuture<F, C = Lifted> {
        #[pin]
        inner: F,
        carries: PhantomData<fn() -> C>,
    }
}

impl<F, Res, E, C> Future for LiftFuture<F, C>
where
    F: Future<Output = Result<Res, E>>,
    C: Carry<E>,
{
    type Output = Result<Res, C::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map_err(C::inner)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::Error;

    #[tokio::test]
    async fn an_answer_passes_and_an_error_is_lifted() {
        let parse = service_fn(|text: &'static str| async move { text.parse::<u32>() });
        let mut lifted = LiftLayer::new().layer(parse);
        assert_eq!(lifted.ready().await.unwrap().call("7").await, Ok(7));
        let error = lifted.ready().await.unwrap().call("x").await.unwrap_err();
        assert_eq!(error.into_inner(), "x".parse::<u32>().err());
    }

    #[test]
    fn the_service_beneath_can_be_had() {
        let mut lifted = LiftLayer::default().layer(7);
        *lifted.get_mut() += 1;
        assert_eq!((*lifted.get_ref(), lifted.into_inner()), (8, 8));
    }

    #[tokio::test]
    async fn readiness_is_the_inner_one_s() {
        struct Dead;
        impl Service<()> for Dead {
            type Response = Infallible;
            type Error = std::fmt::Error;
            type Future = std::future::Pending<Result<Infallible, std::fmt::Error>>;
            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), std::fmt::Error>> {
                Poll::Ready(Err(std::fmt::Error))
            }
            fn call(&mut self, (): ()) -> Self::Future {
                std::future::pending()
            }
        }
        let mut lifted = LiftLayer::new().layer(Dead);
        assert_eq!(lifted.ready().await.err(), Some(Error::Inner(std::fmt::Error)));
    }
}
