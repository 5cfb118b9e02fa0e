//! What is done for an input while it holds its place: a call, and what is made of the answer.

use std::convert::Infallible;
use std::fmt;
use std::future::{self, Future, Ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::http::Response;
use bytes::Bytes;
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::task::{JoinHandle, spawn_blocking};

use super::ended::{ItemError, Panicked};
use crate::coalesce::{CollectFuture, read};
use crate::error::BoxError;
use crate::http::ResponseView;

/// What is made of an answer.
pub trait Step<T, E> {
    /// What comes of it.
    type Out;
    /// What can go wrong, or did before.
    type Error: From<E>;
    /// It may take its time.
    type Future: Future<Output = Result<Self::Out, ItemError<Self::Error>>>;

    /// Takes an answer.
    fn take(&self, answer: T) -> Self::Future;
}

/// Reads the body of an answer to its end; made by [`Batch::http`](super::Batch::http).
#[derive(Clone, Copy, Debug)]
pub struct CollectBody {
    pub(crate) limit: usize,
}

impl<T, E> Step<T, E> for CollectBody
where
    T: ResponseView,
    T::Body: Body<Error: Into<BoxError>>,
{
    type Out = Response<Bytes>;
    type Error = E;
    type Future = CollectBodyFuture<T::Body, E>;

    fn take(&self, answer: T) -> Self::Future {
        let read = read(answer.into_http(), self.limit);
        CollectBodyFuture { read, error: PhantomData }
    }
}

pin_project! {
    /// Reads a body.
    #[must_use = "futures do nothing unless polled"]
    pub struct CollectBodyFuture<B, E> {
        #[pin]
        read: CollectFuture<Ready<Result<Response<B>, Infallible>>, B>,
        error: PhantomData<fn() -> E>,
    }
}

impl<B: Body<Error: Into<BoxError>>, E> Future for CollectBodyFuture<B, E> {
    type Output = Result<Response<Bytes>, ItemError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match ready!(self.project().read.poll(cx)) {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let (head, body) = answer.into_parts();
        let bytes = body.into_bytes().map_err(ItemError::Body);
        Poll::Ready(bytes.map(|bytes| Response::from_parts(head, bytes)))
    }
}

impl<B, E> fmt::Debug for CollectBodyFuture<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.read, f)
    }
}

/// Fails answers whose status is an error; made by
/// [`Batch::error_for_status`](super::Batch::error_for_status).
#[derive(Clone, Copy, Debug)]
pub struct ErrorForStatus;

impl<T: ResponseView, E> Step<T, E> for ErrorForStatus {
    type Out = T;
    type Error = E;
    type Future = Ready<Result<T, ItemError<E>>>;

    fn take(&self, answer: T) -> Self::Future {
        let status = answer.status();
        let is_error = status.is_client_error() || status.is_server_error();
        future::ready(if is_error { Err(ItemError::Status(status)) } else { Ok(answer) })
    }
}

/// Makes something of an answer; made by [`Batch::map`](super::Batch::map).
#[derive(Clone, Copy)]
pub struct Map<F>(pub(super) F);

impl<T, E, U, X, F> Step<T, E> for Map<F>
where
    F: Fn(T) -> Result<U, X>,
    X: From<E>,
{
    type Out = U;
    type Error = X;
    type Future = Ready<Result<U, ItemError<X>>>;

    fn take(&self, answer: T) -> Self::Future {
        future::ready((self.0)(answer).map_err(ItemError::Call))
    }
}

/// Makes something of an answer, and may wait for it; made by
/// [`Batch::map_async`](super::Batch::map_async).
#[derive(Clone, Copy)]
pub struct MapAsync<F>(pub(super) F);

impl<T, E, U, X, F, Fut> Step<T, E> for MapAsync<F>
where
    F: Fn(T) -> Fut,
    Fut: Future<Output = Result<U, X>>,
    X: From<E>,
{
    type Out = U;
    type Error = X;
    type Future = MapAsyncFuture<Fut>;

    fn take(&self, answer: T) -> Self::Future {
        MapAsyncFuture { inner: (self.0)(answer) }
    }
}

pin_project! {
    /// Makes something of an answer.
    #[must_use = "futures do nothing unless polled"]
    pub struct MapAsyncFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<U, X, F: Future<Output = Result<U, X>>> Future for MapAsyncFuture<F> {
    type Output = Result<U, ItemError<X>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map(|result| result.map_err(ItemError::Call))
    }
}

/// Makes something of an answer on a thread that may block; made by
/// [`Batch::map_blocking`](super::Batch::map_blocking).
#[derive(Clone, Copy)]
pub struct MapBlocking<F>(pub(super) F);

impl<T, E, U, X, F> Step<T, E> for MapBlocking<F>
where
    T: Send + 'static,
    U: Send + 'static,
    X: From<E> + Send + 'static,
    F: Fn(T) -> Result<U, X> + Clone + Send + 'static,
{
    type Out = U;
    type Error = X;
    type Future = Blocking<Result<U, X>>;

    fn take(&self, answer: T) -> Self::Future {
        let map = self.0.clone();
        Blocking { thread: spawn_blocking(move || map(answer)) }
    }
}

/// Something that runs on a thread that may block. Dropped before it has begun it never does.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Blocking<T> {
    thread: JoinHandle<T>,
}

impl<U, X> Future for Blocking<Result<U, X>> {
    type Output = Result<U, ItemError<X>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.thread).poll(cx)) {
            Ok(result) => result.map_err(ItemError::Call),
            Err(error) => Err(ItemError::Panicked(Panicked::new(match error.try_into_panic() {
                Ok(panic) => panic,
                Err(_) => Box::new("the runtime shuts down"),
            }))),
        })
    }
}

impl<T> Drop for Blocking<T> {
    fn drop(&mut self) {
        self.thread.abort();
    }
}

impl<F> fmt::Debug for Map<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Map")
    }
}

impl<F> fmt::Debug for MapAsync<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MapAsync")
    }
}

impl<F> fmt::Debug for MapAsyncFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MapAsyncFuture")
    }
}

impl<F> fmt::Debug for MapBlocking<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MapBlocking")
    }
}
