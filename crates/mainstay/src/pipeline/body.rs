//! The answer of a pipeline: that of the service, one whose body is watched, or a fixed one.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::Response;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::answers::Idle;
use super::spec::FixedAnswer;
use crate::error::{Carry, Lifted};
use crate::guard::HeldBody;
use crate::http::ResponseView;
use crate::timeout::TimeoutBody;

/// Answers that go through a pipeline: `http::Response<B>` for any body, and with the feature
/// `reqwest` that crate's own.
pub trait PipelineAnswer<C>: ResponseView {
    /// What comes out of the pipeline.
    type Out: ResponseView + FromFixed;

    /// The answer as it is.
    fn pass(self) -> Self::Out;

    /// The answer with something around its body.
    fn watch(self, watch: impl FnOnce(Self::Body) -> PipelineBody<Self::Body, C>) -> Self::Out;
}

/// Answers that can be made of nothing.
pub trait FromFixed {
    /// An answer that is always the same.
    fn fixed(answer: &FixedAnswer) -> Self;
}

pin_project! {
    /// The body of an answer that went through a pipeline.
    pub struct PipelineBody<B, C = Lifted> {
        #[pin]
        inner: Inner<B, C>,
    }
}

pin_project! {
    #[project = InnerProj]
    enum Inner<B, C> {
        // As it is.
        Plain { #[pin] body: B },
        // Something is held for it, or it may not be silent for too long.
        Watched { body: Pin<Box<TimeoutBody<HeldBody<B>, C>>> },
        // Not a server's.
        Fixed { bytes: Option<Bytes> },
    }
}

impl<B, C> PipelineBody<B, C> {
    const fn plain(body: B) -> Self {
        Self { inner: Inner::Plain { body } }
    }

    fn fixed(body: Bytes) -> Self {
        Self { inner: Inner::Fixed { bytes: Some(body).filter(|body| !body.is_empty()) } }
    }

    /// A body that holds something, or fails when it is silent for so long.
    pub(super) fn watched(body: HeldBody<B>, idle: Option<&Idle>) -> Self {
        let limit = idle.map_or(Duration::MAX, |idle| idle.limit);
        let name = idle.map(|idle| Arc::clone(&idle.name));
        Self { inner: Inner::Watched { body: Box::pin(TimeoutBody::carrying(body, limit, name)) } }
    }
}

impl<B, C> Body for PipelineBody<B, C>
where
    B: Body,
    B::Data: From<Bytes>,
    C: Carry<B::Error>,
{
    type Data = B::Data;
    type Error = C::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, C::Error>>> {
        match self.project().inner.project() {
            InnerProj::Plain { body } => {
                body.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(C::inner)))
            }
            InnerProj::Watched { body } => body.as_mut().poll_frame(cx),
            InnerProj::Fixed { bytes } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes.into()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Plain { body } => body.is_end_stream(),
            Inner::Watched { body } => body.is_end_stream(),
            Inner::Fixed { bytes } => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Plain { body } => body.size_hint(),
            Inner::Watched { body } => body.size_hint(),
            Inner::Fixed { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
        }
    }
}

impl<B, C> fmt::Debug for PipelineBody<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.inner {
            Inner::Plain { .. } => "PipelineBody(as it is)",
            Inner::Watched { .. } => "PipelineBody(watched)",
            Inner::Fixed { .. } => "PipelineBody(fixed)",
        })
    }
}

impl<B, C> PipelineAnswer<C> for Response<B> {
    type Out = Response<PipelineBody<B, C>>;

    fn pass(self) -> Self::Out {
        self.map(PipelineBody::plain)
    }

    fn watch(self, watch: impl FnOnce(B) -> PipelineBody<B, C>) -> Self::Out {
        self.map(watch)
    }
}

impl<B, C> FromFixed for Response<PipelineBody<B, C>> {
    fn fixed(answer: &FixedAnswer) -> Self {
        let mut response = Response::new(PipelineBody::fixed(answer.body.clone()));
        *response.status_mut() = answer.status;
        response.headers_mut().clone_from(&answer.headers);
        response
    }
}

#[cfg(feature = "reqwest")]
mod of_reqwest {
    use super::*;
    use crate::http::reqwest::with_body;

    /// What comes out is reqwest's own: what watches over its body is inside of it.
    impl<C> PipelineAnswer<C> for ::reqwest::Response
    where
        C: Carry<::reqwest::Error> + 'static,
        C::Error: Into<crate::BoxError>,
    {
        type Out = Self;

        fn pass(self) -> Self {
            self
        }

        fn watch(
            self,
            watch: impl FnOnce(::reqwest::Body) -> PipelineBody<::reqwest::Body, C>,
        ) -> Self {
            with_body(self, |body| ::reqwest::Body::wrap(watch(body)))
        }
    }

    impl FromFixed for ::reqwest::Response {
        fn fixed(answer: &FixedAnswer) -> Self {
            let mut response = Response::new(answer.body.clone());
            *response.status_mut() = answer.status;
            response.headers_mut().clone_from(&answer.headers);
            response.into()
        }
    }
}
