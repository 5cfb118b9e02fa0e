//! What the layers see of an input: a request of reqwest, as it is sent, and a place for their
//! options, which that has none of.

use http::{Extensions, HeaderMap, Method};
use mainstay::http::{Copies, Origin, RequestView};

/// A request on its way to a server.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) request: reqwest::Request,
    pub(crate) options: Extensions,
}

impl Ask {
    pub(crate) fn new(request: reqwest::Request) -> Self {
        Self { request, options: Extensions::new() }
    }
}

impl RequestView for Ask {
    fn method(&self) -> &Method {
        self.request.method()
    }

    fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.request.headers_mut()
    }

    fn origin(&self) -> Option<Origin<'_>> {
        self.request.origin()
    }

    fn extensions(&self) -> Option<&Extensions> {
        Some(&self.options)
    }

    fn extensions_mut(&mut self) -> Option<&mut Extensions> {
        Some(&mut self.options)
    }

    fn copies(&self) -> Copies {
        self.request.copies()
    }

    fn copy(&self) -> Option<Self> {
        Some(Self { request: self.request.copy()?, options: self.options.clone() })
    }
}
