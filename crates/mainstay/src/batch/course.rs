//! A batch on its way: inputs are pulled, started and polled until the scheduler says that it is
//! over.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use mainstay_policy::Moment;
use mainstay_policy::batch::{End, Ended, Held, Scheduler, Start, Turn};

use super::builder::Parts;
use super::ended::{Completed, ItemError, Panicked};
use super::inputs::Naming;
use super::pool::{Came, Pool, caught};
use super::progress::{Board, Progress};
use super::readiness::Readiness;
use super::under::Under;
use super::work::{Item, Work};
use crate::clock;
use crate::guard::Now;
use crate::http::Key;
use crate::scope::run_out;

/// A batch on its way.
pub struct Course<I, W, R, N, Id, Req, F, T, E> {
    scheduler: Scheduler<Option<Key>>,
    /// None once they have ended, or nobody wants more.
    inputs: Option<Pin<Box<I>>>,
    total: Option<u64>,
    naming: N,
    work: W,
    readiness: R,
    /// What was pulled last, which mostly is started next.
    fresh: Option<(u64, Id, Req)>,
    /// What was pulled before and waits.
    waiting: BTreeMap<u64, (Id, Req)>,
    /// Of which of those the key could not be had.
    broken: BTreeMap<u64, Panicked>,
    pool: Pool<Item<W, Req, F>, (Start, Id)>,
    under: Under,
    /// What has ended without being polled to its end: by a panic, or because the time was over.
    rest: VecDeque<Completed<T, E, Id>>,
    alarm: clock::Alarm,
    board: Board,
    end: Option<End>,
}

/// A batch of such inputs through such work.
pub(super) type CourseOf<I, W, R, N> = Course<
    I,
    W,
    R,
    N,
    <N as Naming<<I as Stream>::Item>>::Id,
    RequestOf<I, N>,
    <W as Work<RequestOf<I, N>>>::Future,
    <W as Work<RequestOf<I, N>>>::Answer,
    <W as Work<RequestOf<I, N>>>::Error,
>;

pub(super) type RequestOf<I, N> = <N as Naming<<I as Stream>::Item>>::Request;

/// What there is to do beside polling those who run.
enum Next {
    /// Poll them: one has been started.
    Poll,
    /// Wait for them until then.
    Wait(Moment),
    /// Give them up.
    Over(End),
}

impl<I, W, R, N, Id, Req, F, T, E> Course<I, W, R, N, Id, Req, F, T, E>
where
    I: Stream,
    N: Naming<I::Item, Id = Id, Request = Req>,
    W: Work<Req, Future = F, Answer = T, Error = E>,
    F: Future<Output = Result<T, ItemError<E>>>,
    R: Readiness<Req>,
{
    /// Begins now; nothing is pulled before it is polled.
    #[expect(clippy::expect_used, reason = "settings that have been fitted work")]
    pub(super) fn new(parts: Parts<W, R, N>, inputs: I) -> Self {
        let Parts { schedule, work, readiness, naming, budget, board } = parts;
        let (schedule, now) = (schedule.fitted(), clock::now());
        let until = schedule.deadline.map_or(Moment::MAX, |time| now + time);
        let scheduler = Scheduler::new(schedule, now);
        let (least, most) = inputs.size_hint();
        Self {
            scheduler: scheduler.expect("settings that have been fitted"),
            inputs: Some(Box::pin(inputs)),
            total: most.filter(|most| *most == least).and_then(|most| u64::try_from(most).ok()),
            naming,
            work,
            readiness,
            fresh: None,
            waiting: BTreeMap::new(),
            broken: BTreeMap::new(),
            pool: Pool::new(),
            under: Under { until, budget, retried: 0 },
            rest: VecDeque::new(),
            alarm: clock::Alarm::default(),
            board,
            end: None,
        }
    }

    /// Moves it on until an input has ended; `None` when it is over.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Option<Completed<T, E, Id>>> {
        let polled = self.poll(cx);
        self.board.tell(&mut self.scheduler, self.under.retried, self.total);
        if self.end.is_some() && self.rest.is_empty() {
            self.board.is_over();
        }
        polled
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Completed<T, E, Id>>> {
        self.scheduler.ask_again();
        self.pool.listen(cx);
        loop {
            let next = match self.end {
                None => self.starts_one(cx),
                Some(_) => return Poll::Ready(self.rest.pop_front()),
            };
            if let Some(ended) = self.rest.pop_front() {
                return Poll::Ready(Some(ended));
            }
            // Also where the time is over: an answer that is there is not thrown away.
            if let Some(((start, id), came)) = self.pool.poll_one(&mut self.under) {
                return Poll::Ready(Some(self.ended(start, id, came)));
            }
            match next {
                Next::Poll => {}
                Next::Wait(until) => std::task::ready!(self.alarm.poll(until, cx)),
                Next::Over(end) => self.over(end),
            }
        }
    }

    #[inline]
    fn ended(
        &mut self,
        start: Start,
        id: Id,
        came: Came<Result<T, ItemError<E>>>,
    ) -> Completed<T, E, Id> {
        let result = came.unwrap_or_else(|panic| Err(ItemError::Panicked(Panicked::new(panic))));
        let ended = if result.is_ok() { Ended::Well } else { Ended::Badly };
        let index = start.input();
        self.scheduler.finished(start, ended);
        Completed::new(index, id, result)
    }

    /// Starts an input if one may start, or says what else to do.
    ///
    /// No more than one: what it takes before its host is seen when it has been polled.
    fn starts_one(&mut self, cx: &mut Context<'_>) -> Next {
        let now = Now::default();
        loop {
            // Where nothing depends on it, the clock is not read.
            let moment = if self.scheduler.heeds_time() { now.get() } else { Moment::MIN };
            match self.scheduler.next(moment) {
                Turn::Pull => self.pull(cx),
                Turn::Start(start) => {
                    if self.start(start, &now) {
                        return Next::Poll;
                    }
                }
                Turn::WaitUntil(moment) => return Next::Wait(moment),
                Turn::Wait => return Next::Wait(Moment::MAX),
                Turn::Done(end) => return Next::Over(end),
            }
        }
    }

    fn pull(&mut self, cx: &mut Context<'_>) {
        let Some(inputs) = &mut self.inputs else { return self.scheduler.no_more() };
        match inputs.as_mut().poll_next(cx) {
            Poll::Pending => self.scheduler.none_yet(),
            Poll::Ready(None) => {
                self.inputs = None;
                self.scheduler.no_more();
            }
            Poll::Ready(Some(input)) => {
                let (id, request) = self.naming.name(input);
                let (key, panic) = match caught(|| self.readiness.key(&request)) {
                    Ok(key) => (key, None),
                    Err(panic) => (None, Some(panic)),
                };
                let index = self.scheduler.pulled(key);
                if let Some(panic) = panic {
                    self.broken.insert(index, Panicked::new(panic));
                }
                if let Some((before, id, request)) = self.fresh.replace((index, id, request)) {
                    self.waiting.insert(before, (id, request));
                }
            }
        }
    }

    /// Whether it is started, or has failed before that, and is not held back.
    fn start(&mut self, mut start: Start, now: &Now) -> bool {
        let input = start.input();
        let fresh = self.fresh.take_if(|fresh| fresh.0 == input);
        let taken = fresh.map(|(_, id, request)| (id, request));
        let Some((id, request)) = taken.or_else(|| self.waiting.remove(&input)) else {
            return true;
        };
        let waits = match self.broken.remove(&input) {
            None => caught(|| self.readiness.waits_until(&request, now)),
            Some(panic) => Err(panic.into_panic()),
        };
        let waits = match waits {
            Ok(waits) => waits,
            Err(panic) => return self.fails(start, id, panic),
        };
        if let Some(until) = waits {
            start = match self.scheduler.blocked(start, until) {
                Held::Not(start) => start,
                Held::Back => {
                    self.waiting.insert(input, (id, request));
                    return false;
                }
            };
        }
        let work = match caught(|| self.work.clone()) {
            Ok(work) => work,
            Err(panic) => return self.fails(start, id, panic),
        };
        self.under.begins();
        self.pool.put((start, id), Item::new(work, request));
        true
    }

    #[cold]
    fn fails(&mut self, start: Start, id: Id, panic: Box<dyn Any + Send>) -> bool {
        let failed = self.ended(start, id, Err(panic));
        self.rest.push_back(failed);
        true
    }

    /// Nothing is started any more, and what runs is dropped.
    fn over(&mut self, end: End) {
        self.end = Some(end);
        self.inputs = None;
        let mut running = Vec::new();
        match end {
            End::Deadline => run_out(|| running = self.pool.clear()),
            End::Complete | End::Failed(_) | End::Succeeded(_) => running = self.pool.clear(),
        }
        let running = running.into_iter().map(|(start, id)| (start.input(), id));
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let waiting = waiting.map(|(index, (id, _))| (index, id));
        let fresh = self.fresh.take().map(|(index, id, _)| (index, id));
        if end == End::Deadline {
            let mut rest: Vec<_> = running.chain(waiting).chain(fresh).collect();
            rest.sort_unstable_by_key(|(index, _)| *index);
            let late = |(index, id)| Completed::new(index, id, Err(ItemError::Deadline));
            self.rest.extend(rest.into_iter().map(late));
        }
    }

    /// A result was given out; in input order, that of the first input that had none.
    pub(super) fn yielded(&mut self) {
        self.scheduler.yielded();
    }
}

impl<I, W, R, N, Id, Req, F, T, E> Course<I, W, R, N, Id, Req, F, T, E> {
    /// Follows it.
    pub(super) fn progress(&self) -> Progress {
        self.board.watch()
    }

    /// Why it is over.
    pub(super) const fn end(&self) -> Option<End> {
        self.end
    }
}

impl<I, W, R, N, Id, Req, F, T, E> fmt::Debug for Course<I, W, R, N, Id, Req, F, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Course")
            .field("pool", &self.pool)
            .field("waiting", &self.waiting.len())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
