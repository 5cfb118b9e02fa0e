//! What of a script does not depend on its types: readiness, counts, panics.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What a panic of a script says.
pub(crate) const PANIC: &str = "the scripted service panics";

/// What has been done to the services of a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Seen {
    /// How often readiness was asked for.
    pub ready_polls: usize,
    /// How many calls there were.
    pub calls: usize,
    /// How often the futures of the calls were polled, all together.
    pub polls: usize,
    /// How many calls have not ended yet.
    pub in_flight: usize,
    /// How many futures were dropped before they ended.
    pub abandoned: usize,
    /// How many instances were dropped ready and uncalled.
    pub uncalled: usize,
}

/// The server that all services of a script are.
#[derive(Debug, Default)]
pub(crate) struct Stage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    instances: u64,
    is_withheld: bool,
    stutter: usize,
    is_greedy: bool,
    panics_in_call: bool,
    panics_in_poll: bool,
    places: Places,
    wakers: BTreeMap<u64, Waker>,
    seen: Seen,
}

/// Places among the ready and the called.
#[derive(Debug, Default)]
struct Places {
    /// None where there is no limit.
    most: Option<usize>,
    taken: usize,
    queue: VecDeque<u64>,
    /// Given to those who had asked.
    given: Vec<u64>,
}

impl Places {
    /// Gives what is free to those who asked first.
    fn give(&mut self) {
        while self.most.is_none_or(|most| self.taken + self.given.len() < most) {
            let Some(next) = self.queue.pop_front() else { return };
            self.given.push(next);
        }
    }

    fn take(&mut self, instance: u64) -> bool {
        if let Some(at) = self.given.iter().position(|given| *given == instance) {
            self.given.remove(at);
        } else if self.queue.contains(&instance) {
            return false;
        } else {
            self.queue.push_back(instance);
            self.give();
            return self.given.contains(&instance) && self.take(instance);
        }
        self.taken += 1;
        true
    }

    fn forget(&mut self, instance: u64) {
        self.queue.retain(|queued| *queued != instance);
        self.given.retain(|given| *given != instance);
        self.give();
    }
}

/// A place, held by an instance that is ready and then by the future of its call.
#[derive(Debug)]
pub(super) struct Place(Arc<Stage>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.places.taken -= 1;
            state.places.give();
            state.wakers_of_given()
        });
    }
}

impl State {
    fn wakers_of_given(&mut self) -> Vec<Waker> {
        let given = self.places.given.iter();
        given.filter_map(|instance| self.wakers.remove(instance)).collect()
    }

    fn all_wakers(&mut self) -> Vec<Waker> {
        mem::take(&mut self.wakers).into_values().collect()
    }
}

impl Stage {
    /// Changes the state, and wakes whom the change concerns when the lock is free again.
    fn change(&self, change: impl FnOnce(&mut State) -> Vec<Waker>) {
        let wakers = change(&mut self.lock());
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn seen(&self) -> Seen {
        self.lock().seen
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Seen)) {
        count(&mut self.lock().seen);
    }

    pub(crate) fn panics_in_call(&self) {
        self.lock().panics_in_call = true;
    }

    pub(crate) fn panics_in_poll(&self) {
        self.lock().panics_in_poll = true;
    }

    /// Whether a panic that was asked for has not come yet.
    pub(crate) fn is_armed(&self) -> bool {
        let state = self.lock();
        state.panics_in_call || state.panics_in_poll
    }

    pub(super) fn takes_panic_in_call(&self) -> bool {
        mem::take(&mut self.lock().panics_in_call)
    }

    pub(super) fn takes_panic_in_poll(&self) -> bool {
        mem::take(&mut self.lock().panics_in_poll)
    }

    pub(crate) fn stutters(&self, times: usize) {
        self.lock().stutter = times;
    }

    pub(super) fn stutter(&self) -> usize {
        self.lock().stutter
    }

    /// Each poll of a call uses up what budget its task has with tokio.
    pub(crate) fn is_greedy(&self) {
        self.lock().is_greedy = true;
    }

    pub(super) fn takes_budget(&self, cx: &mut Context<'_>) {
        if !self.lock().is_greedy {
            return;
        }
        while pin!(tokio::task::coop::consume_budget()).poll(cx).is_ready() {}
    }

    pub(crate) fn withholds_readiness(&self) {
        self.lock().is_withheld = true;
    }

    pub(crate) fn gives_readiness(&self) {
        self.change(|state| {
            state.is_withheld = false;
            state.all_wakers()
        });
    }

    pub(crate) fn has_places(&self, places: usize) {
        self.change(|state| {
            state.places.most = Some(places);
            state.places.give();
            state.wakers_of_given()
        });
    }

    pub(crate) fn wakes_all(&self) {
        self.change(State::all_wakers);
    }

    /// The number of a new instance.
    pub(super) fn enrol(&self) -> u64 {
        let mut state = self.lock();
        state.instances += 1;
        state.instances
    }

    pub(super) fn discharge(&self, instance: u64) {
        self.change(|state| {
            state.places.forget(instance);
            let own = state.wakers.remove(&instance);
            drop(own);
            state.wakers_of_given()
        });
    }

    pub(super) fn poll_place(self: &Arc<Self>, instance: u64, cx: &Context<'_>) -> Poll<Place> {
        let waker = cx.waker().clone();
        let mut state = self.lock();
        if !state.is_withheld && state.places.take(instance) {
            state.wakers.remove(&instance);
            return Poll::Ready(Place(Arc::clone(self)));
        }
        state.wakers.insert(instance, waker);
        Poll::Pending
    }
}
