//! A service that does what the test says, and watches whoever calls it.

mod service;
mod stage;
mod steps;

pub use service::{Scripted, ScriptedFuture};
pub use stage::Seen;
pub(crate) use stage::{PANIC, Stage};
pub use steps::Step;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use steps::{Curtain, Steps};

/// Says what a [`Scripted`] service does, and what has been done to it.
///
/// A call waits until the test answers it, unless [`answers`](Script::answers) says what becomes of
/// all, or [`strict`](Script::strict) what becomes of each.
///
/// ```
/// use mainstay_testkit::{Polled, Script};
/// use tower::{Service, ServiceExt};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let script = Script::<&str, &str, &str>::new();
/// let mut service = script.service();
///
/// let mut call = Polled::new(service.ready().await?.call("how are you?"));
/// assert!(call.poll().is_pending());
///
/// let arrival = script.next().ok_or("nothing came")?;
/// assert_eq!(*arrival.request(), "how are you?");
/// arrival.answer("well");
/// assert!(call.is_woken());
/// assert!(call.poll().is_ready());
/// # Ok::<(), &str>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Script<Req, Res, E> {
    stage: Arc<Stage>,
    lines: Arc<Lines<Req, Res, E>>,
    curtain: Option<Arc<Curtain<Req, Res, E>>>,
}

/// What of a script depends on the types.
struct Lines<Req, Res, E> {
    said: Mutex<Said<Req, Res, E>>,
}

struct Said<Req, Res, E> {
    /// None where it is not strict.
    steps: Option<Steps<Req, Res, E>>,
    answer: Option<Arc<Answer<Req, Res, E>>>,
    death: Option<Arc<dyn Fn() -> E + Send + Sync>>,
    arrived: VecDeque<Arrival<Req, Res, E>>,
    waiting: Vec<Waker>,
}

type Answer<Req, Res, E> = dyn Fn(Req) -> Result<Res, E> + Send + Sync;

impl<Req, Res, E> Lines<Req, Res, E> {
    fn lock(&self) -> MutexGuard<'_, Said<Req, Res, E>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Req, Res, E> Default for Script<Req, Res, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Req, Res, E> Script<Req, Res, E> {
    /// A script whose calls wait to be answered by hand.
    #[must_use]
    pub fn new() -> Self {
        let arrived = VecDeque::new();
        let said = Said { steps: None, answer: None, death: None, arrived, waiting: Vec::new() };
        let lines = Arc::new(Lines { said: Mutex::new(said) });
        Self { stage: Arc::default(), lines, curtain: None }
    }

    /// A script that says what each call meets, in the order of the calls, and nothing more: a call
    /// beyond them panics, and so does the end of the script if some were not used.
    ///
    /// ```
    /// use mainstay_testkit::{Script, Step, instantly};
    /// use std::time::Duration;
    /// use tower::ServiceExt;
    ///
    /// let script = Script::<&str, &str, &str>::strict([
    ///     Step::fails("ill"),
    ///     Step::answers("well").after(Duration::from_secs(5)),
    /// ]);
    /// instantly(async {
    ///     assert_eq!(script.service().oneshot("how are you?").await, Err("ill"));
    ///     assert_eq!(script.service().oneshot("and now?").await, Ok("well"));
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// The script is over when its last clone is dropped, whatever services there are; that panics
    /// if steps are left, and names the line of the first, or if there were calls beyond them, and
    /// names the line of this call. A test that panics anyway is left to its own words.
    #[track_caller]
    #[must_use = "the script is over when it is dropped"]
    pub fn strict(steps: impl IntoIterator<Item = Step<Req, Res, E>>) -> Self {
        let script = Self::new();
        script.lines.lock().steps = Some(Steps::new(steps));
        let curtain = Some(Arc::new(Curtain(Arc::clone(&script.lines))));
        Self { curtain, ..script }
    }

    /// How many steps of a [strict](Self::strict) script are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.lines.lock().steps.as_ref().map_or(0, Steps::left)
    }

    /// A service that follows it. All services of a script are one server: they share its answers,
    /// its readiness and its counts.
    #[must_use]
    pub fn service(&self) -> Scripted<Req, Res, E> {
        Scripted::new(Arc::clone(&self.stage), Arc::clone(&self.lines))
    }

    /// From now on calls are answered like this, at their first poll.
    pub fn answers(&self, answer: impl Fn(Req) -> Result<Res, E> + Send + Sync + 'static) {
        self.lines.lock().answer = Some(Arc::new(answer));
    }

    /// From now on calls wait to be answered by hand.
    pub fn holds(&self) {
        self.lines.lock().answer = None;
    }

    /// The earliest call that nobody has looked at yet, if it waits to be answered by hand.
    #[must_use]
    pub fn next(&self) -> Option<Arrival<Req, Res, E>> {
        self.lines.lock().arrived.pop_front()
    }

    /// Waits for the next call.
    pub async fn arrives(&self) -> Arrival<Req, Res, E> {
        poll_fn(|cx| {
            let mut said = self.lines.lock();
            match said.arrived.pop_front() {
                Some(arrival) => Poll::Ready(arrival),
                None => {
                    said.waiting.push(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// The next call panics, before there is a future.
    pub fn panics_in_call(&self) {
        self.stage.panics_in_call();
    }

    /// The next poll of a future panics.
    pub fn panics_in_poll(&self) {
        self.stage.panics_in_poll();
    }

    /// From now on each instance's readiness, and each call that is answered by itself, is pending
    /// so many times before, and wakes itself each time.
    pub fn stutters(&self, times: usize) {
        self.stage.stutters(times);
    }

    /// From now on no instance gets ready; one that is ready stays so.
    pub fn withholds_readiness(&self) {
        self.stage.withholds_readiness();
    }

    /// From now on every instance gets ready that asks, and those that asked are woken.
    pub fn gives_readiness(&self) {
        self.stage.gives_readiness();
    }

    /// From now on only so many instances are ready or have a call in flight at the same time, as
    /// behind tower's `ConcurrencyLimit`. Who asked first is the next, also if it does not ask
    /// again. An instance that is ready and is not called keeps its place until it is dropped.
    pub fn has_places(&self, places: usize) {
        self.stage.has_places(places);
    }

    /// From now on every instance is dead: its `poll_ready` gives this error.
    pub fn dies(&self, error: impl Fn() -> E + Send + Sync + 'static) {
        self.lines.lock().death = Some(Arc::new(error));
        self.stage.wakes_all();
    }

    /// What has been done to the services so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.stage.seen()
    }

    pub(crate) fn stage(&self) -> Arc<Stage> {
        Arc::clone(&self.stage)
    }
}

impl<Req, Res, E> Clone for Script<Req, Res, E> {
    fn clone(&self) -> Self {
        let (stage, lines) = (Arc::clone(&self.stage), Arc::clone(&self.lines));
        Self { stage, lines, curtain: self.curtain.clone() }
    }
}

impl<Req, Res, E> fmt::Debug for Script<Req, Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("seen", &self.seen()).finish_non_exhaustive()
    }
}

/// A call that has arrived. Whoever drops it without an answer leaves the call hanging.
pub struct Arrival<Req, Res, E> {
    request: Req,
    reply: Arc<Reply<Res, E>>,
}

/// What an arrival and the future of its call share.
struct Reply<Res, E>(Mutex<Replied<Res, E>>);

struct Replied<Res, E> {
    end: Option<End<Res, E>>,
    waker: Option<Waker>,
    polls: usize,
    is_gone: bool,
}

enum End<Res, E> {
    Result(Result<Res, E>),
    Panic(String),
}

impl<Res, E> Reply<Res, E> {
    fn new() -> Self {
        Self(Mutex::new(Replied { end: None, waker: None, polls: 0, is_gone: false }))
    }

    fn lock(&self) -> MutexGuard<'_, Replied<Res, E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, end: End<Res, E>) {
        let mut replied = self.lock();
        replied.end = Some(end);
        let waker = replied.waker.take();
        drop(replied);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<Req, Res, E> Arrival<Req, Res, E> {
    /// The request.
    pub const fn request(&self) -> &Req {
        &self.request
    }

    /// Answers the call.
    pub fn answer(self, answer: Res) -> Req {
        self.end(End::Result(Ok(answer)))
    }

    /// Lets the call fail.
    pub fn fail(self, error: E) -> Req {
        self.end(End::Result(Err(error)))
    }

    /// Lets the next poll of the call's future panic.
    pub fn panic(self, text: impl Into<String>) -> Req {
        self.end(End::Panic(text.into()))
    }

    /// How often the call's future was polled.
    #[must_use]
    pub fn polls(&self) -> usize {
        self.reply.lock().polls
    }

    /// Whether the call's future is gone, so that nobody hears the answer.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.reply.lock().is_gone
    }

    fn end(self, end: End<Res, E>) -> Req {
        self.reply.end(end);
        self.request
    }
}

impl<Req: fmt::Debug, Res, E> fmt::Debug for Arrival<Req, Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival").field("request", &self.request).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
