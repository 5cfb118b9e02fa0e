//! A batch before it begins.

use std::sync::Arc;
use std::time::Duration;

use mainstay_policy::batch::Schedule;

use super::inputs::{ByIndex, Kept, WithIds};
use super::progress::{Board, Progress};
use super::readiness::{Blind, FairBy};
use super::steps::{CollectBody, ErrorForStatus, Map, MapAsync, MapBlocking};
use super::work::{Call, Calls, Streamed, Then};
use crate::budget::Budget;
use crate::http::ByHost;

/// Many calls through one service; the [module](super) has an example.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`concurrency`](Batch::concurrency) | 64 | keeps a fast server busy and a slow one alive |
/// | [`look_ahead`](Batch::look_ahead) | 16 × `concurrency` | finds work for other hosts while one cools down for some seconds, and what waits is small |
/// | [`window`](Batch::window) | 4 × `concurrency` | in input order, a call that takes four times as long as the others holds nobody up |
/// | [`deadline`](Batch::deadline) | none | only its user knows how long the whole may take |
/// | [`budget`](Batch::budget) | none | layers have their own |
/// | [`collect_bodies`](Batch::collect_bodies) | 8 MiB each, for HTTP | memory is this times the concurrency at worst |
///
/// Numbers that cannot work are made ones that do: a concurrency of zero is one, and a window that
/// the concurrency does not fit in is as large as that.
#[derive(Debug)]
#[must_use = "a batch does nothing before an ending is chosen"]
pub struct Batch<W, R = Blind, N = ByIndex> {
    schedule: Schedule,
    work: W,
    readiness: R,
    naming: N,
    budget: Option<Arc<Budget>>,
    board: Board,
}

/// What a batch is made of.
pub(super) struct Parts<W, R, N> {
    pub(super) schedule: Schedule,
    pub(super) work: W,
    pub(super) readiness: R,
    pub(super) naming: N,
    pub(super) budget: Option<Arc<Budget>>,
    pub(super) board: Board,
}

/// The most that is read of each body unless something else is said.
pub(crate) const BODY: usize = 8 << 20;

/// Calls whose bodies are collected.
type Collecting<S> = Then<Call<S>, CollectBody>;

impl<S> Batch<Call<S>> {
    /// Calls of any service. Nothing is known of its requests, so they start in their order; say
    /// [`fair_by`](Batch::fair_by) or [`asking`](Batch::asking) if there is more to know.
    pub fn over(service: S) -> Self {
        Self::new(Call(service), Blind)
    }
}

impl<F> Batch<Calls<F>> {
    /// What an asynchronous function does with each input. Nothing is known of whom it asks, so
    /// inputs start in their order.
    ///
    /// ```
    /// use mainstay::batch::Batch;
    /// # use std::io;
    /// # async fn size(shelf: &[&str], number: usize) -> io::Result<usize> { Ok(shelf[number].len()) }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let shelf = ["ant", "beetle"]; // what the function needs it may borrow
    /// let sizes = Batch::calls(|number| size(&shelf, number)).all_or_nothing(0..2).await?;
    /// assert_eq!(sizes, [3, 6]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn calls(call: F) -> Self {
        Self::new(Calls(call), Blind)
    }
}

impl<S> Batch<Collecting<S>, FairBy<ByHost>> {
    /// Calls of an HTTP service, shared fairly between hosts. Bodies are collected, so a result
    /// holds no connection.
    pub fn http(service: S) -> Self {
        let step = CollectBody { limit: BODY };
        Self::new(Then { work: Call(service), step }, FairBy::new(ByHost))
    }
}

impl<S: Clone> Batch<Collecting<S>, S> {
    /// The same through a service that knows which of its hosts would have a call wait: one of a
    /// [`Pipeline`](crate::pipeline::Pipeline), of [`Pipelines`](crate::pipeline::Pipelines) or of a
    /// client.
    ///
    /// Who would wait for a slot, a turn, a cool-down or a breaker does that without a place in the
    /// batch, and lets those of other hosts by.
    pub fn through(service: S) -> Self {
        let step = CollectBody { limit: BODY };
        Self::new(Then { work: Call(service.clone()), step }, service)
    }
}

impl<W, R> Batch<W, R> {
    pub(crate) fn new(work: W, readiness: R) -> Self {
        let (schedule, board) = (Schedule::new(), Board::new());
        Self { schedule, work, readiness, naming: ByIndex, budget: None, board }
    }

    /// Inputs are pairs of an id and a request; the id comes back with the result.
    pub fn with_ids(self) -> Batch<W, R, WithIds> {
        self.naming(|_| WithIds)
    }

    /// A clone of each request comes back with its result.
    pub fn keep_inputs(self) -> Batch<W, R, Kept> {
        self.naming(|_| Kept)
    }
}

impl<W, R, N> Batch<W, R, N> {
    /// At most so many calls at once.
    pub const fn concurrency(mut self, calls: u32) -> Self {
        self.schedule = self.schedule.concurrency(calls);
        self
    }

    /// Gives the whole so long from the moment it begins. What has not ended by then fails with
    /// [`ItemError::Deadline`](super::ItemError::Deadline); what has not been pulled by then never
    /// is. Layers of ours beneath know the time that is left, as beneath a
    /// [`DeadlineLayer`](crate::deadline::DeadlineLayer).
    pub const fn deadline(mut self, time: Duration) -> Self {
        self.schedule = self.schedule.deadline(time);
        self
    }

    /// Bounds the attempts beyond the first that layers of ours beneath make for all inputs together:
    /// retries and hedges are paid from this one and from their own. It is shared if it is an `Arc`.
    ///
    /// As a [deadline](crate::deadline), it does not reach other tasks.
    pub fn budget(mut self, budget: impl Into<Arc<Budget>>) -> Self {
        self.budget = Some(budget.into());
        self
    }

    /// In input order, pulls no input that is so far ahead of the next result.
    pub const fn window(mut self, inputs: u32) -> Self {
        self.schedule = self.schedule.window(inputs);
        self
    }

    /// At most so many inputs are pulled that cannot be started yet. More of them find work for
    /// other hosts for longer, while one that has a lot to do is slow or cools down.
    pub const fn look_ahead(mut self, inputs: u32) -> Self {
        self.schedule = self.schedule.look_ahead(inputs);
        self
    }

    /// Shares places fairly between these keys.
    pub fn fair_by<K>(self, key: K) -> Batch<W, FairBy<K>, N> {
        self.asking(FairBy::new(key))
    }

    /// Asks this before each start, as [`through`](Batch::through) asks the service: for pipelines
    /// that lie deeper in a stack.
    pub fn asking<Q>(self, readiness: Q) -> Batch<W, Q, N> {
        let Self { schedule, work, naming, budget, board, .. } = self;
        Batch { schedule, work, readiness, naming, budget, board }
    }

    /// Inputs are called and taken in another way.
    pub(crate) fn naming<M>(self, change: impl FnOnce(N) -> M) -> Batch<W, R, M> {
        let Self { schedule, work, readiness, naming, budget, board } = self;
        Batch { schedule, work, readiness, naming: change(naming), budget, board }
    }

    /// Makes something of each answer, in the place of its call. Its error is that of the service,
    /// or one that can be made of it.
    ///
    /// If it panics, that input fails and no other; so it is with whatever panics for an input: the
    /// service, the key that it is asked for, or what is dropped when it has ended.
    pub fn map<T, U, X, F: Fn(T) -> Result<U, X>>(self, map: F) -> Batch<Then<W, Map<F>>, R, N> {
        self.then(Map(map))
    }

    /// The same with something that takes its time: reading a body, another call. It may not block.
    pub fn map_async<T, Fut, F: Fn(T) -> Fut>(self, map: F) -> Batch<Then<W, MapAsync<F>>, R, N> {
        self.then(MapAsync(map))
    }

    /// The same with something that blocks or computes for long: it runs on tokio's threads for
    /// that. If the batch is dropped, what has begun there runs on to its end.
    pub fn map_blocking<T, U, X, F>(self, map: F) -> Batch<Then<W, MapBlocking<F>>, R, N>
    where
        F: Fn(T) -> Result<U, X>,
    {
        self.then(MapBlocking(map))
    }

    pub(crate) fn then<P>(self, step: P) -> Batch<Then<W, P>, R, N> {
        self.working(|work| Then { work, step })
    }

    /// Something else is done for each input.
    pub(crate) fn working<V>(self, change: impl FnOnce(W) -> V) -> Batch<V, R, N> {
        let Self { schedule, work, readiness, naming, budget, board } = self;
        Batch { schedule, work: change(work), readiness, naming, budget, board }
    }

    /// Follows the batch from elsewhere.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.board.watch()
    }

    /// How it goes through its inputs, changed by this.
    pub(super) fn parts(self, change: impl FnOnce(Schedule) -> Schedule) -> Parts<W, R, N> {
        let Self { schedule, work, readiness, naming, budget, board } = self;
        Parts { schedule: change(schedule), work, readiness, naming, budget, board }
    }
}

impl<S, R, N> Batch<Call<S>, R, N> {
    /// Reads the body of each answer in the place of its call; one of more bytes than this fails.
    pub fn collect_bodies(self, limit: usize) -> Batch<Collecting<S>, R, N> {
        self.then(CollectBody { limit })
    }
}

impl<S, R, N> Batch<Collecting<S>, R, N> {
    /// A body of more bytes than this fails.
    pub const fn collect_bodies(mut self, limit: usize) -> Self {
        self.work.step = CollectBody { limit };
        self
    }

    /// An answer of 4xx or 5xx is a failure, [`ItemError::Status`](super::ItemError::Status). Without
    /// this every answer is a success, whatever it says.
    pub fn error_for_status(self) -> Batch<Then<Collecting<S>, ErrorForStatus>, R, N> {
        self.then(ErrorForStatus)
    }

    /// Leaves bodies to whoever gets the results, or to [`map_async`](Batch::map_async). A place in
    /// the batch is free as soon as the head is there.
    ///
    /// Unless they are read in the latter, results come [as completed](Batch::as_completed) alone:
    /// whatever keeps them would keep their connections.
    pub fn stream_bodies(self) -> Batch<Streamed<S>, R, N> {
        self.working(|Then { work: Call(service), .. }| Streamed(service))
    }
}
