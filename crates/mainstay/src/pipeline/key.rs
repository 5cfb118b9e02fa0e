//! What state a pipeline keeps per.

use std::fmt;
use std::sync::Arc;

use ::http::{Extensions, HeaderMap, Method};

use crate::http::{ByHost, CallOptions, Key, KeyBy, Origin, RequestView};

/// What there is to see of a request for whoever chooses its key.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// What is asked.
    pub method: &'a Method,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// Where it goes, if it says so.
    pub origin: Option<Origin<'a>>,
    /// What its sender left for layers, where the type of the request has such a place.
    pub extensions: Option<&'a Extensions>,
}

type Choose = Arc<dyn Fn(&RequestHead<'_>) -> Key + Send + Sync>;

/// The key that the call asks for, else the one that is chosen, else the host.
#[derive(Clone, Default)]
pub(super) struct PipelineKey {
    choose: Option<Choose>,
}

impl PipelineKey {
    pub(super) fn by(choose: impl Fn(&RequestHead<'_>) -> Key + Send + Sync + 'static) -> Self {
        Self { choose: Some(Arc::new(choose)) }
    }
}

impl<Req: RequestView> KeyBy<Req> for PipelineKey {
    fn key(&self, request: &Req) -> Key {
        if let Some(key) = CallOptions::of(request).and_then(|options| options.key.as_ref()) {
            return key.clone();
        }
        let Some(choose) = &self.choose else { return ByHost.key(request) };
        choose(&RequestHead {
            method: request.method(),
            headers: request.headers(),
            origin: request.origin(),
            extensions: request.extensions(),
        })
    }

    #[inline]
    fn spelled<'a>(&self, request: &'a Req) -> Option<Origin<'a>> {
        let is_asked = CallOptions::of(request).is_some_and(|options| options.key.is_some());
        if self.choose.is_some() || is_asked { None } else { ByHost.spelled(request) }
    }
}

impl fmt::Debug for PipelineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.choose.is_some() { "PipelineKey(chosen)" } else { "PipelineKey(host)" })
    }
}
