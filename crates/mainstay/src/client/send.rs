//! A call, from its request to the answer that its caller gets.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::body::Bounded;
use super::error::{Asked, ClientError};
use super::outgoing::{Ended, Outgoing};
use super::redirect::Follow;
use super::sent::counted;
use super::wishes::{Defaults, Wishes, default_headers};
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
        // Until the service is ready.
        Waits { service: Option<Stack>, outgoing: Option<Outgoing> },
        Calls { #[pin] call: Call },
        Ended,
    }
}

/// A request that has not been sent, and what is wished of its call.
pub(super) type Asking = (::reqwest::Request, Wishes);

/// The same, or what is wrong with it.
pub(super) type Wished = Result<Asking, ClientError>;

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

    /// What is going to be asked, and whose call it is; none, once it has begun or where there is
    /// something wrong with it.
    pub(super) const fn asking(&self) -> Option<(&Client, &Asking)> {
        match &self.state {
            State::Begins { wished: Some(Ok(asking)) } => Some((&self.client, asking)),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(super) const fn asking_mut(&mut self) -> Option<(&Client, &mut Asking)> {
        match &mut self.state {
            State::Begins { wished: Some(Ok(asking)) } => Some((&self.client, asking)),
            _ => None,
        }
    }

    /// Whatever a layer may go by is in the request, as it will be when it is sent.
    pub(super) fn for_layers_to_see(mut self) -> Self {
        if let Some((client, (request, wishes))) = self.asking_mut() {
            default_headers(request.headers_mut(), &client.shared.headers);
            if let Some(options) = wishes.options.take() {
                wishes.extensions.insert(options);
            }
        }
        self
    }

    /// How many requests it has sent by now.
    pub(super) const fn sent(&self) -> u32 {
        self.sent
    }
}

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl Future for Sending {
    type Output = Result<::reqwest::Response, ClientError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (end, report) = loop {
            match this.state.as_mut().project() {
                StateProj::Begins { wished } => {
                    let (request, mut wishes) = wished.take().expect("it begins once")?;
                    let own = wishes.pipeline.as_ref().map(|own| this.client.through(own));
                    let mut service = own.unwrap_or_else(|| this.client.stack());
                    let outgoing = this.client.outgoing(request, &mut wishes, this.known);
                    let next = match service.poll_ready(cx) {
                        // At once, so that the request is not put away in between.
                        Poll::Ready(Ok(())) => {
                            State::calls(service, outgoing, this.client, this.sent)
                        }
                        Poll::Ready(Err(dead)) => break (Err(dead), None),
                        Poll::Pending => {
                            let outgoing = Some(outgoing);
                            this.state.set(State::Waits { service: Some(service), outgoing });
                            return Poll::Pending;
                        }
                    };
                    this.state.set(next);
                }
                StateProj::Waits { service, outgoing } => {
                    let ready = service.as_mut().expect("it waits once").poll_ready(cx);
                    if let Err(dead) = ready!(ready) {
                        break (Err(dead), None);
                    }
                    let (service, outgoing) = (service.take(), outgoing.take());
                    let (service, outgoing) = service.zip(outgoing).expect("it is sent once");
                    let next = State::calls(service, outgoing, this.client, this.sent);
                    this.state.set(next);
                }
                StateProj::Calls { mut call } => {
                    break ready!(counted(this.sent, || call.as_mut().poll_end(cx)));
                }
                StateProj::Ended => unreachable_end(),
            }
        };
        this.state.set(State::Ended);
        let known = this.known.take().expect("it has begun");
        Poll::Ready(known.end(end, *this.sent, report))
    }
}

#[cold]
#[expect(clippy::panic, reason = "a future that is polled after its end may panic")]
fn unreachable_end() {
    panic!("polled after it was ready")
}

impl State {
    /// Calls the service, which is ready.
    #[inline]
    fn calls(mut service: Stack, outgoing: Outgoing, client: &Client, sent: &mut u32) -> Self {
        let call = counted(sent, || service.call(outgoing));
        client.remembers(&service);
        Self::Calls { call }
    }
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
        let is_ours = || called.get_ref().get_ref().pipeline().is(&self.shared.pipeline);
        if self.shared.warm.get().is_none() && is_ours() {
            let _ = self.shared.warm.set(called.clone()); // or another one was quicker
        }
    }

    /// The layers of this client around another pipeline.
    fn through(&self, pipeline: &Pipeline) -> Stack {
        let transport = self.shared.stack.get_ref().get_ref().get_ref().clone();
        self.shared.observe.layer(Follow::new(pipeline.layer(transport)))
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
