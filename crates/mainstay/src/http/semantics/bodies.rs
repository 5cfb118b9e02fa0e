//! What the body of an answer means.

use std::future::Future;

use ::http::HeaderMap;
use http_body::Body;

use super::Http;
use crate::http::ResponseView;
use crate::http::body::drain;
use crate::protocol::{Discard, EndOfBody, Ending};

/// Reads the rest of a failed answer, within limits, so that its connection can be used again.
impl<Res: ResponseView> Discard<Res> for Http
where
    Res::Body: Body + Send + 'static,
{
    fn discard(&self, answer: Res) -> impl Future<Output = ()> + Send + 'static
    where
        Res: Send + 'static,
    {
        drain(answer.into_http())
    }
}

impl EndOfBody for Http {
    fn end_of_body(&self, head: &Ending, trailers: Option<&HeaderMap>) -> Ending {
        self.end_of_body(head, Ok(trailers))
    }
}
