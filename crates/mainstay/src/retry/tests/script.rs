//! A server that replies by a script and remembers what came.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::{HeaderValue, Response};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use mainstay_policy::Moment;
use tower_service::Service;

use super::{Req, Res, TestError};
use crate::scope::Scope;
use crate::{Error, Refused, clock};

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Status(u16),
    /// A status and a header field.
    Says(u16, &'static str, String),
    /// An answer whose body never ends.
    Endless(u16),
    Fails(std::io::ErrorKind),
    Refuses(Refused),
    Hangs,
    PanicsInCall,
    PanicsInPoll,
    /// Replies so after a time.
    After(Duration, Box<Reply>),
}

/// A request that came.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Seen {
    pub(super) at: Moment,
    pub(super) attempt: u32,
    pub(super) body: Bytes,
    pub(super) key: Option<HeaderValue>,
}

#[derive(Debug, Default)]
struct Script {
    /// The last one is given again and again.
    replies: VecDeque<Reply>,
    seen: Vec<Seen>,
    /// How often an instance may become ready before there is an error.
    dies_after: Option<u32>,
    pending: u32,
    /// Bodies of answers that are still there.
    bodies: Arc<()>,
    /// Attempts that are in flight.
    running: Arc<()>,
}

/// Each instance must be made ready for each call.
#[derive(Debug)]
pub(super) struct Server {
    script: Arc<Mutex<Script>>,
    is_ready: bool,
}

impl Server {
    pub(super) fn replies(replies: impl IntoIterator<Item = Reply>) -> Self {
        let script = Script { replies: replies.into_iter().collect(), ..Script::default() };
        Self { script: Arc::new(Mutex::new(script)), is_ready: false }
    }

    pub(super) fn always(reply: Reply) -> Self {
        Self::replies([reply])
    }

    /// Becomes ready so often, then fails.
    pub(super) fn dies_after(self, times: u32) -> Self {
        self.script.lock().unwrap().dies_after = Some(times);
        self
    }

    /// The next so many questions whether it is ready are answered with "not yet".
    pub(super) fn is_pending(&self, times: u32) {
        self.script.lock().unwrap().pending = times;
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }

    pub(super) fn count(&self) -> usize {
        self.script.lock().unwrap().seen.len()
    }

    /// How long after the attempt before each further one came.
    pub(super) fn waits(&self) -> Vec<Duration> {
        let seen = self.seen();
        seen.windows(2).map(|two| two[1].at.since(two[0].at)).collect()
    }

    /// How many answers somebody still holds.
    pub(super) fn answers_held(&self) -> usize {
        Arc::strong_count(&self.script.lock().unwrap().bodies) - 1
    }

    pub(super) fn running(&self) -> usize {
        Arc::strong_count(&self.script.lock().unwrap().running) - 1
    }
}

impl Clone for Server {
    fn clone(&self) -> Self {
        Self { script: Arc::clone(&self.script), is_ready: false }
    }
}

impl Service<Req> for Server {
    type Response = Res;
    type Error = TestError;
    type Future = Running;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        let mut script = self.script.lock().unwrap();
        if script.pending > 0 {
            script.pending -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match &mut script.dies_after {
            Some(0) => return Poll::Ready(Err(Error::Inner(std::io::Error::other("dead")))),
            Some(times) => *times -= 1,
            None => {}
        }
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Running {
        assert!(std::mem::take(&mut self.is_ready), "this instance was not made ready");
        let attempt = Scope::current().attempt;
        let key = request.headers().get("idempotency-key").cloned();
        let whole = tokio_test::task::spawn(request.into_body().collect()).poll();
        let Poll::Ready(Ok(whole)) = whole else { panic!("the body is in memory") };
        let mut script = self.script.lock().unwrap();
        let seen = Seen { at: clock::now(), attempt, body: whole.to_bytes(), key };
        script.seen.push(seen);
        let reply = match script.replies.len() {
            1 => script.replies[0].clone(),
            _ => script.replies.pop_front().expect("no reply is left"),
        };
        let held = Arc::clone(&script.bodies);
        let running = Arc::clone(&script.running);
        drop(script);
        if let Reply::PanicsInCall = reply {
            panic!("in call");
        }
        let future = Box::pin(async move {
            let _running = running;
            replies(reply, held, attempt).await
        });
        Running { future, attempt }
    }
}

/// Checks that it is polled in the scope that it was made in.
pub(super) struct Running {
    future: Pin<Box<dyn Future<Output = Result<Res, TestError>> + Send>>,
    attempt: u32,
}

impl Future for Running {
    type Output = Result<Res, TestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert_eq!(Scope::current().attempt, self.attempt);
        self.future.as_mut().poll(cx)
    }
}

async fn replies(mut reply: Reply, held: Arc<()>, attempt: u32) -> Result<Res, TestError> {
    while let Reply::After(time, then) = reply {
        clock::sleep(time).await;
        reply = *then;
    }
    let with = |status: u16, is_endless| {
        let mut answer = Response::new(Body { held, rest: Some(attempt), is_endless });
        *answer.status_mut() = status.try_into().unwrap();
        Ok(answer)
    };
    match reply {
        Reply::Status(status) => with(status, false),
        Reply::Endless(status) => with(status, true),
        Reply::Says(status, name, value) => with(status, false).map(|mut answer: Res| {
            answer.headers_mut().insert(name, value.try_into().unwrap());
            answer
        }),
        Reply::Fails(kind) => Err(Error::Inner(kind.into())),
        Reply::Refuses(refused) => Err(refused.into()),
        Reply::Hangs => std::future::pending().await,
        Reply::PanicsInPoll => panic!("in poll"),
        Reply::PanicsInCall | Reply::After(..) => unreachable!(),
    }
}

/// The body of an answer: the number of its attempt.
#[derive(Debug)]
pub(super) struct Body {
    #[expect(dead_code, reason = "it is counted")]
    held: Arc<()>,
    rest: Option<u32>,
    is_endless: bool,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.rest.take() {
            Some(attempt) => Poll::Ready(Some(Ok(Frame::data(attempt.to_string().into())))),
            None if self.is_endless => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}
