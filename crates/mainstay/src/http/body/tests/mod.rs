//! Scripted bodies, and readers that poll them by hand.

mod drain;
mod ends;
mod laws;
mod layer;
mod limits;
mod race;
mod replay;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use ::http::HeaderMap;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{Copies, ReplayBody, copies, copy};
use crate::BoxError;

/// What a scripted body does when it is polled.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Data(Bytes),
    Trailers,
    /// Pending once; goes on when it is polled again.
    Waits,
    Fails,
    Panics,
}

/// A body that follows a script.
#[derive(Debug)]
pub(super) struct Script {
    steps: VecDeque<Step>,
    size: (u64, Option<u64>),
    tells_its_end: bool,
    log: Log,
}

/// What a test learns of a script's life.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    polls: Arc<AtomicUsize>,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Log {
    pub(super) fn polls(&self) -> usize {
        self.polls.load(Ordering::Relaxed)
    }

    /// Calls the waker of whoever waits for the script.
    pub(super) fn wake(&self) {
        let waker = self.waker.lock().unwrap().take();
        waker.expect("nobody waits").wake();
    }

    /// Whether the script itself is gone.
    pub(super) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.polls) == 1
    }
}

impl Script {
    pub(super) fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = steps.into_iter().collect();
        Self { steps, size: (0, None), tells_its_end: false, log: Log::default() }
    }

    /// Says how many bytes it has, and when they are over.
    pub(super) fn sized(mut self) -> Self {
        let len = |step: &Step| if let Step::Data(data) = step { data.len() as u64 } else { 0 };
        let size = self.steps.iter().map(len).sum();
        self.size = (size, Some(size));
        self.tells_its_end = true;
        self
    }

    pub(super) fn with_size(mut self, lower: u64, upper: Option<u64>) -> Self {
        self.size = (lower, upper);
        self
    }

    pub(super) fn log(&self) -> Log {
        self.log.clone()
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.log.polls.fetch_add(1, Ordering::Relaxed);
        match self.steps.pop_front() {
            Some(Step::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Step::Trailers) => Poll::Ready(Some(Ok(Frame::trailers(trailers())))),
            Some(Step::Waits) => {
                *self.log.waker.lock().unwrap() = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(Step::Fails) => Poll::Ready(Some(Err("the disk is gone".into()))),
            Some(Step::Panics) => panic!("the body panics"),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.tells_its_end && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let mut size = SizeHint::new();
        size.set_lower(self.size.0);
        self.size.1.into_iter().for_each(|upper| size.set_upper(upper));
        size
    }
}

/// Ten chunks of one to ten bytes.
pub(super) fn ten_chunks() -> Vec<Step> {
    (1..=10).map(|n| data(vec![n; usize::from(n)])).collect()
}

pub(super) fn data(bytes: impl Into<Bytes>) -> Step {
    Step::Data(bytes.into())
}

pub(super) fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(::http::header::ETAG, "checksum".parse().unwrap())])
}

/// What a reader sees.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    Data(Bytes),
    Trailers(HeaderMap),
    Failed(String),
    End,
    Pending,
}

/// What a reader of those steps sees, were there nothing between.
pub(super) fn seen(steps: &[Step]) -> Vec<Seen> {
    let seen = steps.iter().filter_map(|step| match step {
        Step::Data(data) => Some(Seen::Data(data.clone())),
        Step::Trailers => Some(Seen::Trailers(trailers())),
        Step::Fails => Some(Seen::Failed("the disk is gone".into())),
        Step::Waits | Step::Panics => None,
    });
    seen.chain([Seen::End]).collect()
}

pub(super) fn failed(error: impl std::error::Error) -> Seen {
    Seen::Failed(error.to_string())
}

/// Polls once, with a waker that nobody hears.
pub(super) fn next(body: &mut ReplayBody) -> Seen {
    next_with(body, Waker::noop())
}

pub(super) fn next_with(body: &mut ReplayBody, waker: &Waker) -> Seen {
    match Pin::new(body).poll_frame(&mut Context::from_waker(waker)) {
        Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
            Ok(data) => Seen::Data(data),
            Err(frame) => Seen::Trailers(frame.into_trailers().unwrap()),
        },
        Poll::Ready(Some(Err(error))) => Seen::Failed(error.to_string()),
        Poll::Ready(None) => Seen::End,
        Poll::Pending => Seen::Pending,
    }
}

pub(super) fn next_few(body: &mut ReplayBody, frames: usize) -> Vec<Seen> {
    (0..frames).map(|_| next(body)).collect()
}

/// Polls to the end or to an error, through what is pending.
pub(super) fn to_the_end(body: &mut ReplayBody) -> Vec<Seen> {
    let mut all = Vec::new();
    while !matches!(all.last(), Some(Seen::End | Seen::Failed(_))) {
        assert!(all.len() < 10_000, "no end");
        all.extend(Some(next(body)).filter(|seen| *seen != Seen::Pending));
    }
    all
}

pub(super) fn copied(body: &ReplayBody) -> ReplayBody {
    copy(body).expect("it can be copied")
}

/// A waker that counts.
#[derive(Debug, Default)]
pub(super) struct Wakes(AtomicUsize);

impl Wakes {
    pub(super) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (Arc::clone(&wakes), Waker::from(wakes))
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
