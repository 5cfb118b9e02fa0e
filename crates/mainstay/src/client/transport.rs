//! What sends the attempts: reqwest, or any service of HTTP.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::{Request, Response};
use bytes::Bytes;
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::answer::Answer;
use super::error::TransportError;
use super::outgoing::{End, Outgoing};
use super::sent;
use super::upload::Upload;
use crate::BoxError;
use crate::http::reqwest::leave_url;

/// Answers that a client can take from a service: `http::Response<B>` of any body, and reqwest's own.
pub trait TransportAnswer: sealed::Sealed {
    /// The same as reqwest's own.
    #[doc(hidden)]
    fn answers(self, url: ::reqwest::Url) -> ::reqwest::Response;

    /// Whether redirects may have been followed to get it, without anything that tells.
    #[doc(hidden)]
    const FOLLOWS_REDIRECTS: bool;
}

mod sealed {
    pub trait Sealed {}

    impl<B> Sealed for ::http::Response<B> {}
    impl Sealed for ::reqwest::Response {}
}

impl<B> TransportAnswer for Response<B>
where
    B: Body + Send + Sync + 'static,
    B::Data: Into<Bytes>,
    B::Error: Into<BoxError>,
{
    fn answers(self, url: ::reqwest::Url) -> ::reqwest::Response {
        let mut response = self.map(::reqwest::Body::wrap);
        leave_url(response.extensions_mut(), url);
        response.into()
    }

    const FOLLOWS_REDIRECTS: bool = false;
}

impl TransportAnswer for ::reqwest::Response {
    fn answers(self, _: ::reqwest::Url) -> Self {
        self
    }

    const FOLLOWS_REDIRECTS: bool = true;
}

/// What stands at the bottom of a client.
#[derive(Clone, Debug)]
pub(super) enum Transport {
    /// It follows no redirects and repeats nothing by itself.
    Reqwest(::reqwest::Client),
    Other(Other),
}

impl Transport {
    pub(super) fn other<S>(service: S) -> Self
    where
        S: Service<Request<::reqwest::Body>> + Clone + Send + Sync + 'static,
        S::Response: TransportAnswer,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self::Other(Other { shared: Arc::new(service), own: None })
    }
}

impl Service<Outgoing> for Transport {
    type Response = Answer;
    type Error = TransportError;
    type Future = TransportFuture;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        match self {
            Self::Reqwest(client) => client.poll_ready(cx).map_err(TransportError::Reqwest),
            Self::Other(other) => other.own().poll_ready(cx).map_err(TransportError::Other),
        }
    }

    #[inline]
    fn call(&mut self, mut outgoing: Outgoing) -> TransportFuture {
        sent::one_more();
        let limit = outgoing.write_timeout;
        let upload = limit.and_then(|limit| Upload::watch(&mut outgoing.request, limit));
        let state = match self {
            Self::Reqwest(client) => State::Reqwest { future: client.call(outgoing.request) },
            Self::Other(other) => State::Other { future: other.own().send(outgoing) },
        };
        TransportFuture { state, upload }
    }
}

pin_project! {
    /// An attempt on its way.
    #[must_use = "futures do nothing unless polled"]
    pub(super) struct TransportFuture {
        #[pin]
        state: State,
        upload: Option<Upload>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State {
        Reqwest { #[pin] future: <::reqwest::Client as Service<::reqwest::Request>>::Future },
        Other { future: Boxed },
    }
}

type Boxed = Pin<Box<dyn Future<Output = End> + Send>>;

impl Future for TransportFuture {
    type Output = End;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let this = self.project();
        let polled = match this.state.project() {
            StateProj::Reqwest { future } => future.poll(cx).map(|end| {
                let response = end.map_err(TransportError::Reqwest)?;
                Ok(Answer { response, follows_redirects: false })
            }),
            StateProj::Other { future } => future.as_mut().poll(cx),
        };
        match this.upload {
            Some(upload) if polled.is_pending() => {
                upload.poll(cx).map(|refused| Err(TransportError::Other(refused.into())))
            }
            _ => polled,
        }
    }
}

impl fmt::Debug for TransportFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportFuture").finish_non_exhaustive()
    }
}

/// Any other service, whose type is forgotten.
///
/// What is cloned shares one that nobody calls, and has its own from when it is first asked whether
/// it is ready: most clones are kept for an attempt that never comes.
pub(super) struct Other {
    shared: Arc<dyn Sends>,
    own: Option<Box<dyn Sends>>,
}

impl Other {
    fn own(&mut self) -> &mut dyn Sends {
        &mut **self.own.get_or_insert_with(|| self.shared.copy())
    }
}

impl Clone for Other {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), own: None }
    }
}

impl fmt::Debug for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a service")
    }
}

trait Sends: Send + Sync {
    fn copy(&self) -> Box<dyn Sends>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>>;

    fn send(&mut self, outgoing: Outgoing) -> Boxed;
}

impl<S> Sends for S
where
    S: Service<Request<::reqwest::Body>> + Clone + Send + Sync + 'static,
    S::Response: TransportAnswer,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    fn copy(&self) -> Box<dyn Sends> {
        Box::new(self.clone())
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Service::poll_ready(self, cx).map_err(Into::into)
    }

    fn send(&mut self, outgoing: Outgoing) -> Boxed {
        let url = outgoing.request.url().clone();
        let request = match Request::try_from(outgoing.request) {
            Ok(mut request) => {
                request.extensions_mut().extend(outgoing.extensions);
                request
            }
            Err(invalid) => return Box::pin(async { Err(TransportError::Reqwest(invalid)) }),
        };
        let future = self.call(request);
        Box::pin(async move {
            let response = future.await.map_err(|error| TransportError::Other(error.into()))?;
            let follows_redirects = S::Response::FOLLOWS_REDIRECTS;
            Ok(Answer { response: response.answers(url), follows_redirects })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    static CLONES: AtomicU32 = AtomicU32::new(0);

    struct Counted;

    impl Clone for Counted {
        fn clone(&self) -> Self {
            CLONES.fetch_add(1, Ordering::Relaxed);
            Self
        }
    }

    impl Service<Request<::reqwest::Body>> for Counted {
        type Response = Response<::reqwest::Body>;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Self::Response, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<::reqwest::Body>) -> Self::Future {
            std::future::ready(Ok(Response::new(::reqwest::Body::default())))
        }
    }

    #[test]
    fn only_what_is_asked_to_send_is_a_clone_of_its_own() {
        let transport = Transport::other(Counted);
        let kept: Vec<_> = (0..3).map(|_| transport.clone()).collect();
        assert_eq!(CLONES.load(Ordering::Relaxed), 0);
        let mut sends = kept[0].clone();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for _ in 0..2 {
            assert!(Service::<Outgoing>::poll_ready(&mut sends, &mut cx).is_ready());
            drop(sends.clone());
        }
        assert_eq!(CLONES.load(Ordering::Relaxed), 1);
    }
}
