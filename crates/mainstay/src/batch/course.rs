//! A batch on its way: inputs are pulled, started and polled until the scheduler says that it is
//! over.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use mainstay_policy::Moment;
use mainstay_policy::batch::{End, Ended, Held, Schedule, Scheduler, Turn};

use super::ended::{Completed, ItemError, Panicked};
use super::inputs::Naming;
use super::pool::Pool;
use super::progress::{Board, Progress, State};
use super::readiness::Readiness;
use super::work::{Item, Work};
use crate::clock;
use crate::http::Key;

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
    pool: Pool<Item<W, Req, F>, (u64, Id)>,
    /// What is given out when the time is over.
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

/// What a batch is made of.
pub(super) struct Parts<W, R, N> {
    pub(super) schedule: Schedule,
    pub(super) work: W,
    pub(super) readiness: R,
    pub(super) naming: N,
    pub(super) board: Board,
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
        let Parts { schedule, work, readiness, naming, board } = parts;
        let scheduler = Scheduler::new(schedule.fitted(), clock::now());
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
            pool: Pool::new(),
            rest: VecDeque::new(),
            alarm: clock::Alarm::default(),
            board,
            end: None,
        }
    }

    /// Moves it on until an input has ended; `None` when it is over.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Option<Completed<T, E, Id>>> {
        let polled = self.poll(cx);
        let Self { scheduler, total, .. } = self;
        self.board.tell(|| State { snapshot: scheduler.snapshot(), total: *total });
        polled
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Completed<T, E, Id>>> {
        self.scheduler.ask_again();
        self.pool.listen(cx);
        loop {
            if self.end.is_some() {
                return Poll::Ready(self.rest.pop_front());
            }
            let until = self.starts_one(cx);
            if let Some(((index, id), came)) = self.pool.poll_one() {
                let result =
                    came.unwrap_or_else(|panic| Err(ItemError::Panicked(Panicked::new(panic))));
                let ended = if result.is_ok() { Ended::Well } else { Ended::Badly };
                self.scheduler.finished(index, ended);
                return Poll::Ready(Some(Completed::new(index, id, result)));
            }
            if let Some(until) = until {
                std::task::ready!(self.alarm.poll(until, cx));
            }
        }
    }

    /// Starts an input if one may start, or says when to look again. If it is over, gives up what
    /// is left.
    ///
    /// No more than one: what it takes before its host is seen when it has been polled.
    fn starts_one(&mut self, cx: &mut Context<'_>) -> Option<Moment> {
        let now = clock::now();
        loop {
            match self.scheduler.next(now) {
                Turn::Pull => self.pull(cx),
                Turn::Start(input) => match self.start(input, now) {
                    Held::Back => {}
                    Held::Not => return None,
                },
                Turn::WaitUntil(moment) => return Some(moment),
                Turn::Wait => return Some(Moment::MAX),
                Turn::Done(end) => {
                    self.over(end);
                    return None;
                }
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
                let index = self.scheduler.pulled(self.readiness.key(&request));
                if let Some((before, id, request)) = self.fresh.replace((index, id, request)) {
                    self.waiting.insert(before, (id, request));
                }
            }
        }
    }

    fn start(&mut self, input: u64, now: Moment) -> Held {
        let fresh = self.fresh.take_if(|fresh| fresh.0 == input);
        let taken = fresh.map(|(_, id, request)| (id, request));
        let Some((id, request)) = taken.or_else(|| self.waiting.remove(&input)) else {
            return Held::Not;
        };
        if let Some(until) = self.readiness.waits_until(&request, now) {
            if self.scheduler.blocked(input, until) == Held::Back {
                self.waiting.insert(input, (id, request));
                return Held::Back;
            }
        }
        self.pool.put((input, id), Item::new(self.work.clone(), request));
        Held::Not
    }

    /// Nothing is started any more, and what runs is dropped.
    fn over(&mut self, end: End) {
        self.end = Some(end);
        self.inputs = None;
        let running = self.pool.clear();
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let waiting = waiting.map(|(index, (id, _))| (index, id));
        let fresh = self.fresh.take().map(|(index, id, _)| (index, id));
        if end == End::Deadline {
            let mut rest: Vec<_> = running.into_iter().chain(waiting).chain(fresh).collect();
            rest.sort_unstable_by_key(|(index, _)| *index);
            let late = |(index, id)| Completed::new(index, id, Err(ItemError::Deadline));
            self.rest = rest.into_iter().map(late).collect();
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
