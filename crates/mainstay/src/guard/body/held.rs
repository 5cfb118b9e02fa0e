//! A body that something is held for, and the timer that gives it back.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ::http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use mainstay_policy::Outcome;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use crate::clock;
use crate::guard::Guard;
use crate::guard::live::Lease;
use crate::protocol::{EndOfBody, Ending};

pin_project! {
    /// The body of an answer that guards still hold something for; made by
    /// [`HoldLayer`](super::HoldLayer).
    pub struct HeldBody<B> {
        #[pin]
        body: B,
        hold: Option<Hold>,
    }
}

/// What is held, and the timer that gives it back where nobody reads.
struct Hold {
    timer: Pin<Box<Sleep>>,
    idle: Duration,
    leash: Arc<dyn Leash>,
    /// Wakes the leash.
    idles: Waker,
    reading: Arc<Reading>,
    /// Wakes the reader, by way of what knows that it reads.
    reads: Waker,
}

/// What is held until a body ends, whatever it is.
trait Leash: Send + Sync {
    /// It ended, or broke.
    fn end(&self, end: Result<Option<&HeaderMap>, ()>);
    /// It was dropped before its end.
    fn abandon(&self);
}

/// A [`Lease`] that is shared by a body and its timer.
struct Shared<Req, G: Guard<Req>, P> {
    lease: Mutex<Option<Lease<Req, G, P>>>,
    head: Ending,
    reading: Arc<Reading>,
    request: PhantomData<fn(Req)>,
}

impl<Req, G: Guard<Req>, P> Shared<Req, G, P> {
    fn take(&self) -> Option<Lease<Req, G, P>> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<Req, G, P> Leash for Shared<Req, G, P>
where
    G: Guard<Req> + Send + Sync,
    P: EndOfBody + Send + Sync,
{
    fn end(&self, end: Result<Option<&HeaderMap>, ()>) {
        if let Some(mut lease) = self.take() {
            let ending = match end {
                Ok(trailers) => lease.protocol().end_of_body(&self.head, trailers),
                Err(()) => Ending::new(Outcome::Transient),
            };
            lease.let_go(&ending);
        }
    }

    fn abandon(&self) {
        drop(self.take());
    }
}

/// The timer is not the task's but this: it gives back what is held even where nobody polls.
impl<Req, G, P> Wake for Shared<Req, G, P>
where
    G: Guard<Req> + Send + Sync + 'static,
    P: EndOfBody + Send + Sync + 'static,
    Req: 'static,
{
    fn wake(self: Arc<Self>) {
        if let Some(mut lease) = self.take() {
            // A server that says nothing for so long has failed; a reader that reads nothing has
            // left, and says nothing of the server.
            let outcome = match self.reading.waits_for_server.load(Ordering::Relaxed) {
                true => Outcome::Transient,
                false => Outcome::Abandoned,
            };
            lease.let_go(&Ending::new(outcome));
        }
    }
}

/// One who reads a body: waits for the server, or has been woken and is waited for.
#[derive(Default)]
struct Reading {
    waits_for_server: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Reading {
    /// It looks for more, and is woken when there is some.
    fn begins(&self, cx: &Context<'_>) {
        self.waits_for_server.store(true, Ordering::Relaxed);
        // Cloned before and dropped after the lock is held: a waker is somebody else's code.
        let waker = cx.waker().clone();
        let old = self.lock().replace(waker);
        drop(old);
    }

    /// There is something, or the end.
    fn ends(&self) {
        self.waits_for_server.store(false, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Reading {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    /// The server has done its part, whether the reader comes or not.
    fn wake_by_ref(self: &Arc<Self>) {
        self.ends();
        let waker = self.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Dropped only where a body panics: whoever catches that, the answer has failed.
struct Breaks<'a>(&'a Hold);

impl Drop for Breaks<'_> {
    fn drop(&mut self) {
        self.0.leash.end(Err(()));
    }
}

impl<B: Body> HeldBody<B> {
    /// Nothing is held for it.
    pub(crate) const fn free(body: B) -> Self {
        Self { body, hold: None }
    }

    pub(super) fn held<Req, G, P>(
        body: B,
        lease: Option<Lease<Req, G, P>>,
        head: Ending,
        idle: Duration,
    ) -> Self
    where
        Req: 'static,
        G: Guard<Req> + Send + Sync + 'static,
        P: EndOfBody + Send + Sync + 'static,
    {
        let reading = Arc::<Reading>::default();
        let (lease, read) = (Mutex::new(lease), Arc::clone(&reading));
        let leash = Arc::new(Shared { lease, head, reading: read, request: PhantomData });
        let idles = Waker::from(Arc::clone(&leash));
        let reads = Waker::from(Arc::clone(&reading));
        let timer = Box::pin(clock::sleep(idle));
        let mut hold = Hold { timer, idle, leash, idles, reading, reads };
        hold.watch();
        Self { body, hold: Some(hold) }
    }

    /// The body beneath.
    pub const fn get_ref(&self) -> &B {
        &self.body
    }

    /// The body beneath.
    pub const fn get_mut(&mut self) -> &mut B {
        &mut self.body
    }
}

type Polled<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

impl Hold {
    /// Sets the timer going, whose end wakes the leash and nobody else.
    fn watch(&mut self) {
        // A timer that looked at the budget of the task would wake it at once.
        let timer = self.timer.as_mut();
        if clock::poll(timer, &mut Context::from_waker(&self.idles)).is_ready() {
            self.idles.wake_by_ref(); // no time at all: what is ready at once wakes nobody
        }
    }

    /// Reads on.
    fn read<B: Body>(&self, body: Pin<&mut B>, cx: &Context<'_>) -> Polled<B> {
        self.reading.begins(cx);
        let breaks = Breaks(self);
        let polled = body.poll_frame(&mut Context::from_waker(&self.reads));
        mem::forget(breaks);
        if polled.is_ready() {
            self.reading.ends();
        }
        polled
    }

    /// Something was read: the time begins anew.
    fn touch(&mut self) {
        self.timer.as_mut().reset(clock::after(self.idle));
        self.watch();
    }
}

impl<B: Body> Body for HeldBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B> {
        let mut this = self.project();
        let Some(hold) = this.hold.as_mut() else { return this.body.poll_frame(cx) };
        let polled = hold.read(this.body.as_mut(), cx);
        match &polled {
            Poll::Pending => return polled,
            Poll::Ready(None) => hold.leash.end(Ok(None)),
            Poll::Ready(Some(Err(_))) => hold.leash.end(Err(())),
            Poll::Ready(Some(Ok(frame))) => match frame.trailers_ref() {
                Some(trailers) => hold.leash.end(Ok(Some(trailers))),
                None if this.body.is_end_stream() => hold.leash.end(Ok(None)),
                None => {
                    hold.touch();
                    return polled;
                }
            },
        }
        *this.hold = None;
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body was dropped; where it had come to its end, that was told before.
impl Drop for Hold {
    fn drop(&mut self) {
        self.leash.abandon();
    }
}

impl<B: fmt::Debug> fmt::Debug for HeldBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_held = self.hold.is_some();
        f.debug_struct("HeldBody").field("body", &self.body).field("is_held", &is_held).finish()
    }
}
