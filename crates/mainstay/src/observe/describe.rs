//! What may be said of a request and an answer to those who look on.

use std::sync::Arc;

use super::CallReport;
use crate::http::{Http, RequestView, ResponseView};

/// What a protocol says of requests and answers to those who look on. For one of your own, an
/// empty implementation says nothing.
///
/// Whatever is said here ends up in logs: no query, no user, no header, no body.
pub trait Describe<Req, Res> {
    /// What a span says of a request.
    fn request<'a>(&self, request: &'a Req) -> Described<'a> {
        let _ = request;
        Described::default()
    }

    /// Whether a report of this very call is wanted.
    fn wants_report(&self, request: &Req) -> bool {
        let _ = request;
        false
    }

    /// The status of an answer, if answers have one.
    fn status(&self, answer: &Res) -> Option<u16> {
        let _ = answer;
        None
    }

    /// Puts the report of its call into an answer, if there is a place for it.
    fn attach(&self, answer: &mut Res, report: CallReport) {
        let _ = (answer, report);
    }
}

/// What a span says of a request; nothing, by default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Described<'a> {
    /// `http.request.method`.
    pub method: Option<&'a str>,
    /// `server.address`.
    pub host: Option<&'a str>,
    /// `server.port`.
    pub port: Option<u16>,
}

/// Asks for the report of one call: an extension of the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WithReport;

/// A shared protocol is the same one.
impl<Req, Res, P: Describe<Req, Res> + ?Sized> Describe<Req, Res> for Arc<P> {
    fn request<'a>(&self, request: &'a Req) -> Described<'a> {
        (**self).request(request)
    }

    fn wants_report(&self, request: &Req) -> bool {
        (**self).wants_report(request)
    }

    fn status(&self, answer: &Res) -> Option<u16> {
        (**self).status(answer)
    }

    fn attach(&self, answer: &mut Res, report: CallReport) {
        (**self).attach(answer, report);
    }
}

/// Says method, host and port; the report goes into the answer's extensions.
impl<Req: RequestView, Res: ResponseView> Describe<Req, Res> for Http {
    fn request<'a>(&self, request: &'a Req) -> Described<'a> {
        let (host, port) = match request.origin() {
            Some(origin) => (Some(origin.host()), origin.port()),
            None => (None, None),
        };
        Described { method: Some(request.method().as_str()), host, port }
    }

    fn wants_report(&self, request: &Req) -> bool {
        request.extensions().is_some_and(|extensions| extensions.get::<WithReport>().is_some())
    }

    fn status(&self, answer: &Res) -> Option<u16> {
        Some(answer.status().as_u16())
    }

    fn attach(&self, answer: &mut Res, report: CallReport) {
        if let Some(extensions) = answer.extensions_mut() {
            extensions.insert(report);
        }
    }
}
