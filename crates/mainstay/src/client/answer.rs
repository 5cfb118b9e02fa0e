//! An answer on its way back through the layers.

use ::http::{Extensions, HeaderMap, Response, StatusCode, Version};

use crate::error::Lifted;
use crate::http::ResponseView;
use crate::pipeline::{FixedAnswer, FromFixed, PipelineAnswer, PipelineBody};

/// An answer of reqwest's, of which it is known whether somebody beneath may have followed redirects.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: ::reqwest::Response,
    pub(super) follows_redirects: bool,
}

impl ResponseView for Answer {
    type Body = ::reqwest::Body;

    #[inline]
    fn status(&self) -> StatusCode {
        self.response.status()
    }

    #[inline]
    fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    fn extensions_mut(&mut self) -> Option<&mut Extensions> {
        Some(self.response.extensions_mut())
    }

    #[inline]
    fn version(&self) -> Version {
        self.response.version()
    }

    #[inline]
    fn may_follow_redirects(&self) -> bool {
        self.follows_redirects
    }

    fn into_http(self) -> Response<::reqwest::Body> {
        self.response.into()
    }
}

impl PipelineAnswer<Lifted> for Answer {
    type Out = Self;

    #[inline]
    fn pass(self) -> Self {
        self
    }

    fn watch(
        self,
        watch: impl FnOnce(::reqwest::Body) -> PipelineBody<::reqwest::Body, Lifted>,
    ) -> Self {
        let response = PipelineAnswer::<Lifted>::watch(self.response, watch);
        Self { response, ..self }
    }
}

impl FromFixed for Answer {
    fn fixed(answer: &FixedAnswer) -> Self {
        Self { response: FromFixed::fixed(answer), follows_redirects: false }
    }
}
