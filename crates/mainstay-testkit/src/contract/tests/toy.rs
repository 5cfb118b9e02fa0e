//! A limit of concurrency that can be broken in one way at a time.

use std::collections::BTreeMap;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::time::Sleep;
use tower_layer::Layer;
use tower_service::Service;

use super::fault::Fault;
use crate::{Scripted, clock};

pub(super) type Inner = Scripted<&'static str, &'static str, &'static str>;

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub(super) struct Toy {
    slots: Arc<Slots>,
    limit: usize,
    waits: bool,
    fault: Fault,
}

#[derive(Debug, Default)]
struct Slots(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    free: usize,
    next: usize,
    wakers: BTreeMap<usize, Waker>,
    leaked: Vec<String>,
    wakes_one: bool,
    forgets: bool,
    is_poisoned: bool,
}

impl Slots {
    fn new(free: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Queue { free, ..Queue::default() })))
    }

    fn take(self: &Arc<Self>) -> Option<Slot> {
        let mut queue = self.0.lock().unwrap();
        queue.free = queue.free.checked_sub(1)?;
        Some(Slot(Arc::clone(self)))
    }
}

#[derive(Debug)]
struct Slot(Arc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        let mut queue = self.0.0.lock().unwrap();
        queue.free += 1;
        let mut wakers = mem::take(&mut queue.wakers);
        if queue.wakes_one {
            let others = wakers.split_off(&(wakers.keys().next().copied().unwrap_or(0) + 1));
            queue.wakers = if queue.forgets { BTreeMap::new() } else { others };
        }
        drop(queue);
        wakers.into_values().for_each(Waker::wake);
    }
}

impl Toy {
    pub(super) fn new(limit: usize, waits: bool, fault: Fault) -> Self {
        let slots = Slots::new(limit);
        let mut queue = slots.0.lock().unwrap();
        queue.forgets = fault == Fault::ForgetsTheSecond;
        queue.wakes_one = queue.forgets || fault == Fault::WakesOneWhoMayBeGone;
        drop(queue);
        Self { slots, limit, waits, fault }
    }

    pub(super) fn snapshot(&self) -> String {
        let queue = self.slots.0.lock().unwrap();
        format!("{} free, {} wait, {:?}", queue.free, queue.wakers.len(), queue.leaked)
    }
}

impl Layer<Inner> for Toy {
    type Service = ToyService;

    fn layer(&self, inner: Inner) -> ToyService {
        let mut toy = self.clone();
        if self.fault == Fault::SharesNothing {
            toy.slots = Slots::new(self.limit);
        }
        ToyService { inner, toy, taken: Arc::default(), leaks: None }
    }
}

#[derive(Clone, Debug)]
pub(super) struct ToyService {
    inner: Inner,
    toy: Toy,
    taken: Arc<Mutex<Option<Slot>>>,
    leaks: Option<Arc<Leak>>,
}

/// Remembers its drop.
#[derive(Debug)]
struct Leak(Arc<Slots>);

impl Drop for Leak {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().leaked.push("ready".into());
    }
}

impl ToyService {
    fn take_early(&self) {
        let taken = &mut *self.taken.lock().unwrap();
        *taken = taken.take().or_else(|| self.toy.slots.take());
    }
}

impl Service<&'static str> for ToyService {
    type Response = &'static str;
    type Error = &'static str;
    type Future = ToyFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        match self.toy.fault {
            Fault::IsAlwaysReady => return Poll::Ready(Ok(())),
            Fault::ChangesTheError => return self.inner.poll_ready(cx).map_err(|_| "mine"),
            Fault::SwallowsTheError => {
                return match self.inner.poll_ready(cx) {
                    Poll::Ready(Err(_)) => Poll::Pending,
                    polled => polled,
                };
            }
            Fault::LetsNobodyKnowThatItIsReady => {
                return self.inner.poll_ready(&mut Context::from_waker(Waker::noop()));
            }
            Fault::SpinsUntilItIsReady => cx.waker().wake_by_ref(),
            Fault::RefusesInReady if self.toy.slots.take().is_none() => {
                return Poll::Ready(Err("full"));
            }
            Fault::WaitsInReady if self.toy.slots.take().is_none() => return Poll::Pending,
            Fault::TakesWhenReady => {
                ready!(self.inner.poll_ready(cx))?;
                self.take_early();
            }
            Fault::TakesInReady => self.take_early(),
            Fault::TakesWhenDead => {
                let polled = self.inner.poll_ready(cx);
                if let Poll::Ready(Err(_)) = polled {
                    self.take_early();
                }
                return polled;
            }
            Fault::LeaksWhenDroppedReady => {
                ready!(self.inner.poll_ready(cx))?;
                let slots = &self.toy.slots;
                self.leaks.get_or_insert_with(|| Arc::new(Leak(Arc::clone(slots))));
            }
            _ => {}
        }
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: &'static str) -> ToyFuture {
        let Toy { slots, waits, fault, .. } = self.toy.clone();
        let mut future = ToyFuture {
            slots,
            fault,
            number: None,
            was_behind: false,
            state: State::Over,
            polls: 0,
            timer: None,
            waker: None,
        };
        if future.slots.0.lock().unwrap().is_poisoned {
            future.state = State::Refuses;
            return future;
        }
        let slot = self.taken.lock().unwrap().take().or_else(|| future.slots.take());
        if let (Some(slot), true) = (&slot, fault == Fault::BorrowsReadiness) {
            future.state = State::Asks {
                slot: Slot(Arc::clone(&slot.0)),
                service: self.inner.clone(),
                request,
            };
        }
        match slot {
            Some(slot) if fault == Fault::BorrowsReadiness => {
                mem::forget(slot);
                future
            }
            Some(slot) if fault == Fault::RefusesAtPanics => {
                let call = AssertUnwindSafe(|| self.inner.call(request));
                future.state = match catch_unwind(call) {
                    Ok(call) => State::Runs { call, slot: Some(slot) },
                    Err(_) => State::Refuses,
                };
                future
            }
            Some(slot) => {
                let call = self.inner.call(request);
                future.state = State::Runs { call, slot: Some(slot) };
                future
            }
            None if fault == Fault::LetsAllIn => {
                future.slots.0.lock().unwrap().free += 1;
                let call = self.inner.call(request);
                future.state = State::Runs { call, slot: future.slots.take() };
                future
            }
            None => {
                let clone = self.inner.clone();
                let readied = mem::replace(&mut self.inner, clone);
                let service = match fault {
                    Fault::WaitsWithItsReadiness => readied,
                    Fault::RefusesWithItsReadiness => mem::replace(&mut self.inner, readied),
                    _ => self.inner.clone(),
                };
                if fault == Fault::LeaksWhenRefused && !waits {
                    future.slots.0.lock().unwrap().leaked.push("refused".into());
                }
                future.state = match waits {
                    true => State::Waits { service, request },
                    false => State::Refuses,
                };
                future
            }
        }
    }
}

pub(super) struct ToyFuture {
    slots: Arc<Slots>,
    fault: Fault,
    /// Its place in the queue.
    number: Option<usize>,
    was_behind: bool,
    state: State,
    polls: usize,
    timer: Option<Pin<Box<Sleep>>>,
    waker: Option<Waker>,
}

enum State {
    Waits { service: Inner, request: &'static str },
    Asks { slot: Slot, service: Inner, request: &'static str },
    Runs { call: <Inner as Service<&'static str>>::Future, slot: Option<Slot> },
    Refuses,
    Over,
}

impl ToyFuture {
    /// Waits for a slot.
    fn poll_slot(&mut self, cx: &mut Context<'_>) -> Poll<Slot> {
        if let Some(slot) = self.slots.take() {
            self.leave();
            return Poll::Ready(slot);
        }
        let mut queue = self.slots.0.lock().unwrap();
        queue.next += 1;
        let number = *self.number.get_or_insert(queue.next);
        let waker = cx.waker().clone();
        match self.fault {
            Fault::KeepsTheFirstWaker | Fault::KeepsTheFirstWakerAndHasATimer => {
                _ = queue.wakers.entry(number).or_insert(waker);
            }
            Fault::KeepsTheFirstWakerOfTheSecond if number > 1 => {
                _ = queue.wakers.entry(number).or_insert(waker);
            }
            Fault::SpinsWhileItWaits => waker.wake(),
            _ => _ = queue.wakers.insert(number, waker),
        }
        drop(queue);
        if self.fault == Fault::KeepsTheFirstWakerAndHasATimer {
            let timer = self.timer.get_or_insert_with(|| Box::pin(clock::sleep(PATIENCE)));
            _ = timer.as_mut().poll(cx);
        }
        Poll::Pending
    }

    fn leave(&mut self) {
        if let Some(number) = self.number.take() {
            self.was_behind = number > 1;
            self.slots.0.lock().unwrap().wakers.remove(&number);
        }
    }
}

impl Future for ToyFuture {
    type Output = Result<&'static str, &'static str>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match mem::replace(&mut this.state, State::Over) {
                State::Waits { service, request } => match this.poll_slot(cx) {
                    Poll::Ready(_) if this.fault == Fault::RefusesTheSecond && this.was_behind => {
                        return Poll::Ready(Err("refused"));
                    }
                    Poll::Ready(slot) => this.state = State::Asks { slot, service, request },
                    Poll::Pending => {
                        this.state = State::Waits { service, request };
                        return Poll::Pending;
                    }
                },
                State::Asks { slot, mut service, request } => {
                    let is_asked = !matches!(
                        this.fault,
                        Fault::CallsUnreadyAfterTheWait | Fault::BorrowsReadiness
                    );
                    if is_asked && service.poll_ready(cx)?.is_pending() {
                        this.state = State::Asks { slot, service, request };
                        return Poll::Pending;
                    }
                    let call = service.call(request);
                    this.state = State::Runs { call, slot: Some(slot) };
                }
                State::Runs { call, slot } => {
                    this.state = State::Runs { call, slot };
                    return this.poll_call(cx);
                }
                State::Refuses => return Poll::Ready(Err("refused")),
                State::Over => panic!("polled after its end"),
            }
        }
    }
}

impl ToyFuture {
    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Result<&'static str, &'static str>> {
        self.polls += 1;
        let State::Runs { call, slot } = &mut self.state else { return Poll::Pending };
        let polled = match self.fault {
            Fault::KeepsWhatPanicked => Pin::new(call).poll(cx),
            Fault::SpinsWhileItRuns => {
                cx.waker().wake_by_ref();
                Pin::new(call).poll(cx)
            }
            Fault::PollsTheCallTooOften if self.polls == 1 => {
                let mut polls = (0..9).map(|_| Pin::new(&mut *call).poll(cx));
                polls.find(Poll::is_ready).unwrap_or(Poll::Pending)
            }
            Fault::RunsWithTheFirstWaker => {
                let waker = self.waker.get_or_insert_with(|| cx.waker().clone());
                Pin::new(call).poll(&mut Context::from_waker(waker))
            }
            Fault::SwallowsPanics => {
                let poll = AssertUnwindSafe(|| Pin::new(call).poll(cx));
                catch_unwind(poll).unwrap_or(Poll::Ready(Ok("nothing happened")))
            }
            _ => {
                let watched = slot.take(); // back at once if it panics
                let polled = Pin::new(call).poll(cx);
                *slot = watched;
                polled
            }
        };
        let end = ready!(polled);
        self.state = State::Over;
        Poll::Ready(end)
    }
}

impl Drop for ToyFuture {
    fn drop(&mut self) {
        if self.fault == Fault::LeaksWhenDroppedAfterItsWake {
            let queue = self.slots.0.lock().unwrap();
            let is_woken = self.number.is_some_and(|number| !queue.wakers.contains_key(&number));
            drop(queue);
            if is_woken {
                mem::forget(self.slots.take());
            }
        }
        let has_panicked = matches!(self.state, State::Runs { slot: None, .. });
        if self.fault == Fault::IsPoisoned && has_panicked {
            self.slots.0.lock().unwrap().is_poisoned = true;
        }
        if self.fault == Fault::GivesBackTwiceAfterAPanic && has_panicked {
            self.slots.0.lock().unwrap().free += 1;
        }
        if !(self.fault == Fault::LeaksWhenDroppedInTheQueue && self.number.is_some()) {
            self.leave();
        }
        match mem::replace(&mut self.state, State::Over) {
            State::Runs { slot, .. } if self.fault == Fault::LeaksWhenDropped => mem::forget(slot),
            State::Runs { call, .. } if self.fault == Fault::Detaches => mem::forget(call),
            _ => {}
        }
    }
}
