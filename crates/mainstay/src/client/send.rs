//! A call, from its request to the answer that its caller gets.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use ::http::header::{Entry, HeaderMap};
use tower_layer::Layer;
use tower_service::Service;

use super::body::Bounded;
use super::error::{Asked, ClientError};
use super::outgoing::Outgoing;
use super::redirect::Follow;
use super::sent::counted;
use super::wishes::Wishes;
use super::{Client, Stack};
use crate::http::reqwest::with_body;
use crate::http::{CallOptions, RequestView};
use crate::observe::WithReport;

impl Client {
    /// Makes a call.
    pub(super) async fn call(
        &self,
        request: ::reqwest::Request,
        mut wishes: Wishes,
    ) -> Result<::reqwest::Response, ClientError> {
        let defaults = &self.shared.defaults;
        let mut outgoing = Outgoing::new(request);
        outgoing.redirects = wishes.redirects.unwrap_or(defaults.redirects);
        outgoing.write_timeout = defaults.write_timeout;
        default_headers(outgoing.request.headers_mut(), &self.shared.headers);
        let options = wishes.options(defaults.timeout);
        outgoing.extensions = std::mem::take(&mut wishes.extensions);
        let ends = options.as_ref().and_then(CallOptions::deadline);
        if let Some(options) = options {
            outgoing.extensions.insert(options);
        }
        if wishes.is_report {
            outgoing.extensions.insert(WithReport);
        }
        let asked = Asked {
            method: outgoing.method().clone(),
            url: outgoing.request.url().clone(),
            is_once: is_once(&outgoing),
        };

        let own = wishes.pipeline.as_ref().map(|pipeline| self.through(pipeline));
        let mut service = own.unwrap_or_else(|| self.shared.stack.clone());
        let mut sent = 0;
        let ready = poll_fn(|cx| service.poll_ready(cx)).await;
        let (end, report) = match ready {
            Err(dead) => (Err(dead), None),
            Ok(()) => {
                let mut call = pin!(counted(&mut sent, || service.call(outgoing)));
                poll_fn(|cx| counted(&mut sent, || call.as_mut().poll_end(cx))).await
            }
        };
        let mut response = match end {
            Ok(answer) => answer.response,
            Err(error) => return Err(ClientError::failed(error).of_call(asked, sent, report)),
        };
        if wishes.is_status_an_error || defaults.is_status_an_error {
            let status = response.status();
            if status.is_client_error() || status.is_server_error() {
                return Err(ClientError::answered(response).of_call(asked, sent, report));
            }
        }
        if let Some(report) = report {
            response.extensions_mut().insert(report);
        }
        let read_timeout = wishes.read_timeout.or(defaults.read_timeout);
        if ends.is_none() && read_timeout.is_none() {
            return Ok(response);
        }
        let read_timeout = read_timeout.unwrap_or(Duration::MAX);
        Ok(with_body(response, |body| {
            ::reqwest::Body::wrap(Bounded::new(body, read_timeout, ends))
        }))
    }

    /// The layers of this client around another pipeline.
    fn through(&self, pipeline: &crate::pipeline::Pipeline) -> Stack {
        let transport = self.shared.stack.get_ref().get_ref().get_ref().clone();
        self.shared.observe.layer(Follow::new(pipeline.layer(transport)))
    }
}

/// Adds what the request does not say itself.
fn default_headers(headers: &mut HeaderMap, defaults: &HeaderMap) {
    for (name, value) in defaults {
        if let Entry::Vacant(vacant) = headers.entry(name) {
            vacant.insert(value.clone());
        }
    }
}

/// Whether it is not sent again where it may have been done.
fn is_once(outgoing: &Outgoing) -> bool {
    !outgoing.method().is_idempotent() && !outgoing.headers().contains_key("idempotency-key")
}
