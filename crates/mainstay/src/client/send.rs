//! A call, from its request to the answer that its caller gets.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::header::{Entry, HeaderMap};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::body::Bounded;
use super::error::{Asked, ClientError};
use super::outgoing::{Ended, Outgoing};
use super::redirect::Follow;
use super::sent::counted;
use super::wishes::{Defaults, Wishes};
use super::{Client, Stack};
use crate::deadline::Deadline;
use crate::http::reqwest::with_body;
use crate::http::{CallOptions, IDEMPOTENCY_KEY, RequestView};
use crate::observe::{CallReport, WithReport};
use crate::pipeline::Pipeline;

type Call = <Stack as Service<Outgoing>>::Future;

pin_project! {
    /// A call on its way; made by [`RequestBuilder::send`](super::RequestBuilder::send).
    ///
    /// Written by hand, because an async function keeps room for each value and for all that it is
    /// moved to, and whoever makes thousands of calls moves each of these.
    #[must_use = "nothing is sent until it is awaited"]
    pub struct Sending {
        client: Client,
        #[pin]
        state: State,
        // Known from the first poll on.
        known: Option<Known>,
        sent: u32,
    }
}

pin_project! {
    #[project = StateProj]
    enum State {
        Begins { wished: Option<Wished> },
        // Until the service is ready: the client's own, or that of the call alone.
        Waits { service: Stack, outgoing: Option<Outgoing>, is_own: bool },
        Calls { #[pin] call: Call },
        Ended,
    }
}

/// A request and what is wished of its call, or what is wrong with them.
pub(super) type Wished = Result<(::reqwest::Request, Wishes), ClientError>;

/// What must be known when it has ended.
struct Known {
    asked: Asked,
    is_status_an_error: bool,
    read_timeout: Option<Duration>,
    ends: Option<Deadline>,
}

impl Sending {
    pub(super) const fn new(client: Client, wished: Wished) -> Self {
        let state = State::Begins { wished: Some(wished) };
        Self { client, state, known: None, sent: 0 }
    }
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl Future for Sending {
    type Output = Result<::reqwest::Response, ClientError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (end, report) = loop {
            let next = match this.state.as_mut().project() {
                StateProj::Begins { wished } => {
                    let (request, mut wishes) = wished.take().expect("it begins once")?;
                    let outgoing = Some(this.client.outgoing(request, &mut wishes, this.known));
                    let other = wishes.pipeline.as_ref().map(|other| this.client.through(other));
                    let is_own = other.is_none();
                    let service = other.unwrap_or_else(|| this.client.stack());
                    State::Waits { service, outgoing, is_own }
                }
                StateProj::Waits { service, outgoing, is_own } => {
                    if let Err(dead) = ready!(service.poll_ready(cx)) {
                        break (Err(dead), None);
                    }
                    let outgoing = outgoing.take().expect("it is sent once");
                    let call = counted(this.sent, || service.call(outgoing));
                    if *is_own {
                        this.client.remembers(service);
                    }
                    State::Calls { call }
                }
                StateProj::Calls { mut call } => {
                    break ready!(counted(this.sent, || call.as_mut().poll_end(cx)));
                }
                StateProj::Ended => unreachable_end(),
            };
            this.state.set(next);
        };
        this.state.set(State::Ended);
        let known = this.known.take().expect("it has begun");
        Poll::Ready(known.end(end, *this.sent, report))
    }
}

#[cold]
#[expect(clippy::panic, reason = "a future that is polled after its end may panic")]
fn unreachable_end() -> State {
    panic!("polled after it was ready")
}

impl Known {
    /// What the caller gets.
    fn end(
        self,
        end: Ended,
        sent: u32,
        report: Option<CallReport>,
    ) -> Result<::reqwest::Response, ClientError> {
        let response = match end {
            Ok(answer) => answer.response,
            Err(error) => {
                let is_over = self.ends.is_some_and(|ends| ends.left().is_zero());
                let error = ClientError::failed(error, is_over);
                return Err(error.of_call(self.asked, sent, report));
            }
        };
        let mut response = self.bounded(response);
        let status = response.status();
        if self.is_status_an_error && (status.is_client_error() || status.is_server_error()) {
            return Err(ClientError::answered(response).of_call(self.asked, sent, report));
        }
        if let Some(report) = report {
            response.extensions_mut().insert(report);
        }
        Ok(response)
    }

    /// A body whose time may be over, of whatever answer.
    fn bounded(&self, response: ::reqwest::Response) -> ::reqwest::Response {
        if self.ends.is_none() && self.read_timeout.is_none() {
            return response;
        }
        let read_timeout = self.read_timeout.unwrap_or(Duration::MAX);
        with_body(response, |body| {
            ::reqwest::Body::wrap(Bounded::new(body, read_timeout, self.ends))
        })
    }
}

impl Client {
    /// The request as it goes out, with what all have in common, and what is kept of it.
    fn outgoing(
        &self,
        request: ::reqwest::Request,
        wishes: &mut Wishes,
        known: &mut Option<Known>,
    ) -> Outgoing {
        let Defaults { timeout, read_timeout, write_timeout, redirects, is_status_an_error } =
            self.shared.defaults;
        let mut outgoing = Outgoing::new(request);
        outgoing.redirects = wishes.redirects.unwrap_or(redirects);
        if outgoing.redirects > 0 {
            let pipeline = wishes.pipeline.as_ref().unwrap_or(&self.shared.pipeline);
            outgoing.head_by = pipeline.deadline().map(Deadline::within);
        }
        outgoing.write_timeout = write_timeout;
        default_headers(outgoing.request.headers_mut(), &self.shared.headers);
        let options = wishes.options_within(timeout);
        let is_keyed = options.as_ref().is_some_and(|options| options.is_keyed);
        outgoing.extensions = mem::take(&mut wishes.extensions);
        let ends = options.as_ref().and_then(CallOptions::deadline);
        if let Some(options) = options {
            outgoing.extensions.insert(options);
        }
        if wishes.is_report {
            outgoing.extensions.insert(WithReport);
        }
        *known = Some(Known {
            asked: Asked {
                method: outgoing.method().clone(),
                url: outgoing.request.url().clone(),
                is_once: !is_keyed && is_once(&outgoing),
            },
            is_status_an_error: wishes.is_status_an_error.unwrap_or(is_status_an_error),
            read_timeout: wishes.read_timeout.or(read_timeout),
            ends,
        });
        outgoing
    }

    /// What a call passes, which may know where the last one went.
    fn stack(&self) -> Stack {
        self.shared.warm.get().unwrap_or(&self.shared.stack).clone()
    }

    /// The first one that was called knows where it went, and most calls of a client go there too.
    fn remembers(&self, called: &Stack) {
        if self.shared.warm.get().is_none() {
            let _ = self.shared.warm.set(called.clone()); // or another one was quicker
        }
    }

    /// The layers of this client around another pipeline.
    fn through(&self, pipeline: &Pipeline) -> Stack {
        let transport = self.shared.stack.get_ref().get_ref().get_ref().clone();
        self.shared.observe.layer(Follow::new(pipeline.layer(transport)))
    }
}

/// Adds what the request does not say itself.
pub(super) fn default_headers(headers: &mut HeaderMap, defaults: &HeaderMap) {
    let mut added = None;
    for (name, value) in defaults {
        match headers.entry(name) {
            Entry::Vacant(vacant) => {
                vacant.insert(value.clone());
                added = Some(name);
            }
            // Values of one name stand behind one another.
            Entry::Occupied(mut values) if added == Some(name) => values.append(value.clone()),
            Entry::Occupied(_) => {}
        }
    }
}

/// Whether it is not sent again where it may have been done.
fn is_once(outgoing: &Outgoing) -> bool {
    !outgoing.method().is_idempotent() && !outgoing.headers().contains_key(IDEMPOTENCY_KEY)
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Begins { .. } => "Sending(not yet)",
            State::Waits { .. } => "Sending(until its service is ready)",
            State::Calls { .. } => "Sending(called)",
            State::Ended => "Sending(ended)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As an async function it has two thousand.
    #[test]
    fn a_call_takes_little_room() {
        assert!(size_of::<Sending>() <= 640, "{} bytes", size_of::<Sending>());
    }
}
