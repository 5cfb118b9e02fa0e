//! Many calls of a client.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, Ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::http::{Extensions, HeaderMap, Method, Request};
use pin_project_lite::pin_project;

use super::Client;
use super::error::ClientError;
use super::request::RequestBuilder;
use super::send::{Asking, Sending};
use crate::batch::{
    BODY, Batch, ByIndex, CollectBody, ItemError, Kept, Naming, Readiness, Then, Until, WithIds,
    Work,
};
use crate::coalesce::{CollectFuture, read};
use crate::guard::Now;
use crate::http::reqwest::leave_url;
use crate::http::{Copies, Key, Origin, RequestView, ResponseView};
use crate::pipeline::Pipeline;

/// Many calls of a client; made by [`Client::batch`].
pub type ClientBatch<N = ByIndex> = Batch<Then<OfClient, CollectBody>, OfClient, Asks<N>>;

impl Client {
    /// Many calls, so many at a time: of URLs, of paths beneath the base, or of requests that are
    /// put together and not sent.
    ///
    /// The [pipeline](Self::pipeline) is asked who would have to wait, so a host that is slow or
    /// cools down does not hold up the others. Bodies are collected, so a result holds no
    /// connection; [`stream_bodies`](Batch::stream_bodies) leaves them to you. All else is as in any
    /// [batch](crate::batch).
    ///
    /// ```
    /// use mainstay::client::Client;
    /// use std::time::Duration;
    ///
    /// # async fn docs(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let paths = (1..=1_000).map(|id| format!("/users/{id}"));
    /// let batch = client.batch().concurrency(50).deadline(Duration::from_secs(60));
    /// let users = batch.error_for_status().all_or_nothing(paths).await?;
    /// println!("{:?}", users[0].body());
    ///
    /// let orders = ["apples", "pears"].map(|what| {
    ///     (what, client.post("/orders").json(what).idempotency_key(what)) // it is not sent yet
    /// });
    /// let mut results = client.batch().with_ids().as_completed(orders);
    /// while let Some(done) = results.next().await {
    ///     match done.result {
    ///         Ok(answer) => println!("{}: {}", done.id, answer.status()),
    ///         Err(error) => eprintln!("{}: {error}", done.id),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch(&self) -> ClientBatch {
        let work = OfClient { is_status_an_error: false, limit: BODY };
        let asks = |names| Asks { client: self.clone(), names };
        Batch::new(work, work).then(CollectBody { limit: BODY }).naming(asks)
    }
}

/// What a batch of a client can be asked for: a URL or a path beneath the base, which is a `GET`; a
/// request that is put together; one of reqwest's or of `http`'s.
///
/// ```
/// # async fn docs(client: mainstay::client::Client) {
/// use mainstay::client::IntoCall;
///
/// let call = "/users/1".into_call(&client); // as `client.get("/users/1").send()`
/// # drop(call);
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that a client can be asked for",
    note = "it can be asked for URLs (`&str`, `String`) and for requests such as `client.get(url)`",
    note = "inputs with something beside the request are for `with_ids()`, and whatever else for `Batch::calls(|input| ..)`"
)]
pub trait IntoCall {
    /// The call, before it is sent.
    fn into_call(self, client: &Client) -> Sending;
}

impl IntoCall for &str {
    fn into_call(self, client: &Client) -> Sending {
        client.get(self).send()
    }
}

impl IntoCall for String {
    fn into_call(self, client: &Client) -> Sending {
        client.get(self).send()
    }
}

impl IntoCall for ::reqwest::Url {
    fn into_call(self, client: &Client) -> Sending {
        client.execute(::reqwest::Request::new(Method::GET, self))
    }
}

impl IntoCall for RequestBuilder {
    fn into_call(self, _: &Client) -> Sending {
        self.send()
    }
}

impl IntoCall for Sending {
    fn into_call(self, _: &Client) -> Sending {
        self
    }
}

impl IntoCall for ::reqwest::Request {
    fn into_call(self, client: &Client) -> Sending {
        client.execute(self)
    }
}

impl<B: Into<::reqwest::Body>> IntoCall for Request<B> {
    fn into_call(self, client: &Client) -> Sending {
        client.sends(self.map(Into::into))
    }
}

/// One that can be cloned, such as a `String` out of a list that is kept.
impl<T: IntoCall + Clone> IntoCall for &T {
    fn into_call(self, client: &Client) -> Sending {
        self.clone().into_call(client)
    }
}

/// Inputs are made calls of a client; made by [`Client::batch`].
#[derive(Clone, Debug)]
pub struct Asks<N> {
    client: Client,
    names: N,
}

impl<N, Input> Naming<Input> for Asks<N>
where
    N: Naming<Input, Request: IntoCall>,
{
    type Id = N::Id;
    type Request = Sending;

    fn name(&self, input: Input) -> (N::Id, Sending) {
        let (id, request) = self.names.name(input);
        (id, request.into_call(&self.client).for_layers_to_see())
    }
}

impl<W, R> Batch<W, R, Asks<ByIndex>> {
    /// Inputs are pairs of an id and a request; the id comes back with the result.
    pub fn with_ids(self) -> Batch<W, R, Asks<WithIds>> {
        self.naming(|Asks { client, .. }| Asks { client, names: WithIds })
    }

    /// A clone of each URL comes back with its result; requests that cannot be cloned come
    /// [with an id](Self::with_ids).
    pub fn keep_inputs(self) -> Batch<W, R, Asks<Kept>> {
        self.naming(|Asks { client, .. }| Asks { client, names: Kept })
    }
}

/// Calls of clients, as the work of a batch; made by [`Client::batch`].
#[derive(Clone, Copy, Debug)]
pub struct OfClient {
    is_status_an_error: bool,
    /// The most that is read of what an error has to say.
    limit: usize,
}

impl<R, N> Batch<Then<OfClient, CollectBody>, R, N> {
    /// A body of more bytes than this fails.
    pub fn collect_bodies(self, limit: usize) -> Self {
        self.working(|Then { work, .. }| Then {
            work: OfClient { limit, ..work },
            step: CollectBody { limit },
        })
    }

    /// An answer of 4xx or 5xx is a failure, once no further attempt would better it: the
    /// [`ClientError`] of its call, which has the answer with its body in it.
    pub fn error_for_status(self) -> Self {
        self.working(|then| Then {
            work: OfClient { is_status_an_error: true, ..then.work },
            step: then.step,
        })
    }

    /// Leaves bodies to whoever gets the results, or to [`map_async`](Batch::map_async): they are
    /// reqwest's own responses. A place in the batch is free as soon as the head is there.
    ///
    /// Unless they are read in the latter, results come [as completed](Batch::as_completed) alone:
    /// whatever keeps them would keep their connections.
    pub fn stream_bodies(self) -> Batch<OfClient, R, N> {
        self.working(|then| then.work)
    }
}

impl Work<Sending> for OfClient {
    type Answer = ::reqwest::Response;
    type Error = ClientError;
    type Future = OfClientFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ItemError<ClientError>>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut call: Sending) -> OfClientFuture {
        if let Some((_, (_, wishes))) = call.asking_mut() {
            if self.is_status_an_error {
                wishes.is_status_an_error = Some(true);
            }
        }
        OfClientFuture { state: State::Calls { call }, limit: self.limit }
    }
}

/// Each call is asked for by its own pipeline.
impl Readiness<Sending> for OfClient {
    fn key(&mut self, call: &Sending) -> Option<Key> {
        let (pipeline, asking) = passes(call)?;
        pipeline.key_of(asking)
    }

    fn waits_until(&mut self, call: &Sending, now: &Now) -> Option<Until> {
        let (pipeline, asking) = passes(call)?;
        pipeline.waits_until(asking, now)
    }
}

/// What a call will pass. None, if there is something wrong with it.
fn passes(call: &Sending) -> Option<(&Pipeline, &Asking)> {
    let (client, asking) = call.asking()?;
    Some((asking.1.pipeline.as_ref().unwrap_or_else(|| client.pipeline()), asking))
}

/// As the layers will see it, but for what is added when it is sent.
impl RequestView for Asking {
    fn method(&self) -> &Method {
        self.0.method()
    }

    fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.0.headers_mut()
    }

    fn origin(&self) -> Option<Origin<'_>> {
        self.0.origin()
    }

    fn extensions(&self) -> Option<&Extensions> {
        Some(&self.1.extensions)
    }

    fn copies(&self) -> Copies {
        self.0.copies()
    }

    fn copy(&self) -> Option<Self> {
        Some((self.0.copy()?, self.1.clone()))
    }
}

pin_project! {
    /// A call of a client in a batch. An answer that is an error is read in the place of its call,
    /// so that the error holds no connection however long it is kept.
    #[must_use = "futures do nothing unless polled"]
    pub struct OfClientFuture {
        #[pin]
        state: State,
        limit: usize,
    }
}

pin_project! {
    #[project = StateProj]
    enum State {
        Calls { #[pin] call: Sending },
        Reads { error: Option<ClientError>, url: ::reqwest::Url, #[pin] answer: Reading },
    }
}

type Reading =
    CollectFuture<Ready<Result<::http::Response<::reqwest::Body>, Infallible>>, ::reqwest::Body>;

#[expect(clippy::expect_used, reason = "a future that is polled after its end may panic")]
impl Future for OfClientFuture {
    type Output = Result<::reqwest::Response, ItemError<ClientError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let reads = match this.state.as_mut().project() {
                StateProj::Calls { call } => match ready!(call.poll(cx)) {
                    Ok(answer) => return Poll::Ready(Ok(answer)),
                    Err(mut error) => match error.take_response() {
                        None => return Poll::Ready(Err(ItemError::Call(error))),
                        Some(answer) => State::Reads {
                            error: Some(error),
                            url: answer.url().clone(),
                            answer: read(answer.into_http(), *this.limit),
                        },
                    },
                },
                StateProj::Reads { error, url, answer } => {
                    let Ok(mut answer) = ready!(answer.poll(cx));
                    leave_url(answer.extensions_mut(), url.clone());
                    let mut error = error.take().expect("polled after it was ready");
                    error.keep_response(answer.map(::reqwest::Body::wrap).into());
                    return Poll::Ready(Err(ItemError::Call(error)));
                }
            };
            this.state.set(reads);
        }
    }
}

impl fmt::Debug for OfClientFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfClientFuture").finish_non_exhaustive()
    }
}
