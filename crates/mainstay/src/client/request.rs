//! A request, as it is put together.

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, Version};
use serde::Serialize;

use super::Client;
use super::download::Download;
use super::error::{Asked, ClientError};
use super::send::Sending;
use super::wishes::Wishes;
use crate::BoxError;
use crate::http::{IDEMPOTENCY_KEY, IdempotencyKeys, Key, RetryRules};
use crate::pipeline::Pipeline;

/// The verbs of reqwest's own builder, which does what they say; both clients have them.
///
/// What is wrong with one of them is told when the request is sent.
macro_rules! verbs {
    () => {
        /// Adds a field, also where there is one of that name.
        pub fn header<K, V>(self, name: K, value: V) -> Self
        where
            HeaderName: TryFrom<K, Error: Into<::http::Error>>,
            HeaderValue: TryFrom<V, Error: Into<::http::Error>>,
        {
            let name = HeaderName::try_from(name).map_err(Into::into);
            self.field(name.and_then(|name| {
                let value = HeaderValue::try_from(value).map_err(Into::into)?;
                Ok((name, value))
            }))
        }

        /// Puts these fields in the place of those of their names.
        pub fn headers(self, fields: HeaderMap) -> Self {
            self.with(|request| request.headers(fields))
        }

        /// Says who asks, by name and password.
        pub fn basic_auth(
            self,
            user: impl std::fmt::Display,
            password: Option<impl std::fmt::Display>,
        ) -> Self {
            self.with(|request| request.basic_auth(user, password))
        }

        /// Says who asks, by a token.
        pub fn bearer_auth(self, token: impl std::fmt::Display) -> Self {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            self.field(value.map_err(Into::into).map(|mut value| {
                value.set_sensitive(true);
                (::http::header::AUTHORIZATION, value)
            }))
        }

        /// Adds these pairs to the query of the URL.
        pub fn query<T: Serialize + ?Sized>(self, pairs: &T) -> Self {
            self.writes(|request| request.query(pairs))
        }

        /// A body: of bytes, which can be sent again, or a stream, which is sent once.
        pub fn body(self, body: impl Into<::reqwest::Body>) -> Self {
            self.with(|request| request.body(body))
        }

        /// This as a body of JSON.
        pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
            self.writes(|request| request.json(value))
        }

        /// This as a body as HTML's forms send it.
        pub fn form<T: Serialize + ?Sized>(self, fields: &T) -> Self {
            self.writes(|request| request.form(fields))
        }

        /// A body of many parts, files among them. It is a stream, and sent once.
        pub fn multipart(self, form: ::reqwest::multipart::Form) -> Self {
            self.with(|request| request.multipart(form))
        }

        /// Which HTTP it is to go by.
        pub fn version(self, version: Version) -> Self {
            self.with(|request| request.version(version))
        }
    };
}
#[cfg(feature = "blocking")]
pub(super) use verbs;

/// A request that is put together, and then sent.
///
/// Of the body in memory and of everything else a copy can be sent again; of a stream none can, so a
/// call with one has one attempt.
#[derive(Debug)]
#[must_use = "nothing is sent until `send` is awaited"]
pub struct RequestBuilder {
    client: Client,
    request: Result<::reqwest::RequestBuilder, ClientError>,
    wishes: Wishes,
}

impl RequestBuilder {
    pub(super) fn new(
        client: Client,
        request: Result<::reqwest::RequestBuilder, ClientError>,
    ) -> Self {
        Self { client, request, wishes: Wishes::default() }
    }

    fn with(
        mut self,
        change: impl FnOnce(::reqwest::RequestBuilder) -> ::reqwest::RequestBuilder,
    ) -> Self {
        self.request = self.request.map(change);
        self
    }

    /// Adds a field, or says of which request it is none. reqwest would forget which it was.
    pub(super) fn field(mut self, field: Result<(HeaderName, HeaderValue), ::http::Error>) -> Self {
        self.request = self.request.and_then(|request| match field {
            Ok((name, value)) => Ok(request.header(name, value)),
            Err(why) => Err(invalid(&request.build().map_err(not_built)?, why.into())),
        });
        self
    }

    /// Writes a value into the request, or says of which request it is none.
    pub(super) fn writes(
        mut self,
        change: impl FnOnce(::reqwest::RequestBuilder) -> ::reqwest::RequestBuilder,
    ) -> Self {
        self.request = self.request.and_then(|request| {
            let (client, request) = request.build_split();
            let request = request.map_err(not_built)?;
            let before = ::reqwest::Request::new(request.method().clone(), request.url().clone());
            let request = ::reqwest::RequestBuilder::from_parts(client, request);
            let (client, written) = change(request).build_split();
            let request = written.map_err(|why| invalid(&before, why.into()))?;
            Ok(::reqwest::RequestBuilder::from_parts(client, request))
        });
        self
    }

    verbs!();

    /// The call with its body must end in so long, all attempts and waits included. Where the
    /// pipeline's deadline gives its head less, that counts.
    pub const fn timeout(mut self, time: Duration) -> Self {
        self.wishes.timeout = Some(time);
        self
    }

    /// The body fails when it says nothing for so long while it is read.
    pub const fn read_timeout(mut self, silence: Duration) -> Self {
        self.wishes.read_timeout = Some(silence);
        self
    }

    /// Follows so many redirects; see [`ClientBuilder::redirects`](super::ClientBuilder::redirects).
    pub const fn redirects(mut self, most: u32) -> Self {
        self.wishes.redirects = Some(most);
        self
    }

    /// Goes through this pipeline in place of the client's.
    pub fn pipeline(mut self, pipeline: &Pipeline) -> Self {
        self.wishes.pipeline = Some(pipeline.clone());
        self
    }

    /// Other rules for whether it may be sent again.
    pub fn rules(mut self, rules: impl Into<Arc<RetryRules>>) -> Self {
        self.wishes.rules(rules);
        self
    }

    /// What it costs where calls are counted, in the units of a rate limit; 1 unless set.
    pub fn cost(mut self, cost: u32) -> Self {
        self.wishes.cost(cost);
        self
    }

    /// Whose state it shares in the pipeline, in place of its host's.
    pub fn key(mut self, key: Key) -> Self {
        self.wishes.key(key);
        self
    }

    /// By this the server knows it if it comes again, so that it may be sent again: the name that
    /// you have for what is to be done once. Only for servers that promise to honour it.
    pub fn idempotency_key(self, key: impl AsRef<str>) -> Self {
        match HeaderValue::try_from(key.as_ref()) {
            Ok(key) => self.keyed(HeaderMap::from_iter([(IDEMPOTENCY_KEY, key)])),
            Err(error) => self.field(Err(error.into())),
        }
    }

    /// The same with a key that no other call has, in the field that this says.
    pub fn unique_key(self, keys: &IdempotencyKeys) -> Self {
        let mut fields = HeaderMap::new();
        keys.mint(&mut fields);
        self.keyed(fields)
    }

    fn keyed(mut self, key: HeaderMap) -> Self {
        self.wishes.keyed();
        self.headers(key)
    }

    /// An answer whose status is 400 or more is an error, once no further attempt would better it.
    /// The answer is [in it](ClientError::into_response).
    pub const fn error_for_status(mut self) -> Self {
        self.wishes.is_status_an_error = Some(true);
        self
    }

    /// A report of the call is made: in the answer, by [`Reported`](super::Reported), or in the
    /// error.
    pub const fn report(mut self) -> Self {
        self.wishes.is_report = true;
        self
    }

    /// Leaves something for layers and services of your own, among the request's extensions.
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.wishes.extensions.insert(value);
        self
    }

    /// The request as reqwest has it, to look at, or to [execute](Client::execute) later. Of what was
    /// said of the call only the timeout goes along: reqwest has no place for the rest. What
    /// [`send`](Self::send) gives has all of it, and can be kept as well until it is awaited.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn build(self) -> Result<::reqwest::Request, ClientError> {
        let (_, mut request, wishes) = self.built().map_err(|(_, error)| error)?;
        *request.timeout_mut() = wishes.timeout;
        Ok(request)
    }

    /// Sends it, and waits for the head of the answer: at the first poll, not before.
    ///
    /// Its errors are those of calls without an answer: none of the attempts had one, or none was let
    /// go. An answer that says that it went wrong is an answer.
    pub fn send(self) -> Sending {
        match self.built() {
            Ok((client, request, wishes)) => Sending::new(client, Ok((request, wishes))),
            Err((client, error)) => Sending::new(client, Err(error)),
        }
    }

    /// Writes the body to a file or a writer as it comes, and goes on where it is cut off.
    ///
    /// A [timeout](Self::timeout) is then that of all of it, however many requests it takes.
    pub fn download(self) -> Download {
        Download::new(self)
    }

    pub(super) fn built(
        self,
    ) -> Result<(Client, ::reqwest::Request, Wishes), (Client, ClientError)> {
        match self.request.and_then(|request| request.build().map_err(not_built)) {
            Ok(request) => Ok((self.client, request, self.wishes)),
            Err(error) => Err((self.client, error)),
        }
    }
}

/// What is wrong with this request.
fn invalid(request: &::reqwest::Request, why: BoxError) -> ClientError {
    let (method, url) = (request.method().clone(), request.url().clone());
    ClientError::invalid(why).of_call(Asked { method, url, is_once: false }, 0, None)
}

/// What is wrong with a request of which nothing is left.
fn not_built(why: ::reqwest::Error) -> ClientError {
    ClientError::invalid(why.without_url().into())
}
