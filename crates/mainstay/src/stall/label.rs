//! What a request is called in a warning.

use std::borrow::Cow;

use ::http::Method;

use crate::http::{Http, RequestView};

/// What to call a request in a warning, where that costs nothing. For a protocol of your own, an
/// empty implementation says nothing.
pub trait Label<Req> {
    /// A word or two. It ends up in logs.
    fn label(&self, request: &Req) -> Option<Cow<'static, str>> {
        let _ = request;
        None
    }
}

/// Says the method.
impl<Req: RequestView> Label<Req> for Http {
    fn label(&self, request: &Req) -> Option<Cow<'static, str>> {
        Some(label(request.method()))
    }
}

/// A method, without a copy of it unless it is an unusual one.
fn label(method: &Method) -> Cow<'static, str> {
    Cow::Borrowed(match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => return Cow::Owned(method.as_str().to_owned()),
    })
}
