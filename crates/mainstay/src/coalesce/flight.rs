//! One request that is on its way for many calls.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

use super::flights::Flights;
use crate::http::Key;
use crate::{budget, observe, scope};

/// What is on its way.
pub(super) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One request that is on its way for many calls. Whoever is polled first after it was woken polls
/// it, with nothing locked.
pub(super) struct Flight<T> {
    key: Key,
    home: Arc<Flights<T>>,
    board: Mutex<Board<T>>,
}

struct Board<T> {
    stage: Stage<T>,
    /// The thread that last held it.
    holder: ThreadId,
    /// Whether it was woken since it was last polled.
    is_woken: bool,
    next: u64,
    aboard: BTreeMap<u64, Aboard>,
}

enum Stage<T> {
    /// Who began it has not made it yet, and does something else before.
    Begun,
    /// Somebody makes it or polls it.
    Held,
    /// It waits to be woken and polled.
    Waits(Work<T>),
    /// There was a panic while it was made or polled.
    Broken,
    /// It has ended, and not all know.
    Landed(Arc<T>),
    /// Nobody is left.
    Over,
}

struct Aboard {
    waker: Option<Waker>,
    /// Whether it has a request of its own, to begin anew with.
    has_spare: bool,
}

/// A call's place. Who drops it has left; when the last one does, the flight is over.
pub(super) struct Seat<T> {
    flight: Arc<Flight<T>>,
    number: u64,
}

/// Whether there is a place in a flight.
pub(super) enum Door<T> {
    Open(Seat<T>),
    /// Not for what is a part of it: that would wait for itself.
    Within,
    /// It has ended.
    Closed,
}

/// What somebody aboard finds.
pub(super) enum Found<T> {
    /// The end.
    Landed(T),
    /// It broke, and is to be begun anew with one's own request, through
    /// [`launch`](Seat::launch).
    Broken,
    /// It broke, and nobody has a request left.
    Stranded,
}

enum Look<T> {
    Fly(Work<T>),
    Landed(Arc<T>),
    Broken,
    Stranded,
    Wait,
}

impl<T> Flight<T> {
    /// A flight whose work its first passenger is about to make.
    pub(super) fn begin(key: Key, home: &Arc<Flights<T>>) -> Seat<T> {
        let first = Aboard { waker: None, has_spare: false };
        let board = Board {
            stage: Stage::Begun,
            holder: thread::current().id(),
            is_woken: false,
            next: Seat::<T>::FIRST + 1,
            aboard: BTreeMap::from([(Seat::<T>::FIRST, first)]),
        };
        let flight = Self { key, home: Arc::clone(home), board: Mutex::new(board) };
        Seat { flight: Arc::new(flight), number: Seat::<T>::FIRST }
    }

    /// A place for one more, who has a request of its own.
    pub(super) fn board(self: &Arc<Self>) -> Door<T> {
        let mut board = self.lock();
        match board.stage {
            Stage::Landed(_) | Stage::Over => return Door::Closed,
            // Who is called on the thread that makes it or polls it is called by it.
            Stage::Begun | Stage::Held if board.holder == thread::current().id() => {
                return Door::Within;
            }
            Stage::Begun | Stage::Held | Stage::Waits(_) | Stage::Broken => {}
        }
        let number = board.next;
        board.next += 1;
        board.aboard.insert(number, Aboard { waker: None, has_spare: true });
        Door::Open(Seat { flight: Arc::clone(self), number })
    }

    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    fn lock(&self) -> MutexGuard<'_, Board<T>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Board<T> {
    /// Takes the wakers of all who wait, to be woken when nothing is locked.
    fn wakers(&mut self) -> Vec<Waker> {
        self.aboard.values_mut().filter_map(|one| one.waker.take()).collect()
    }
}

/// All who wait are woken, since nobody knows who is still polled.
impl<T: Send + Sync + 'static> Wake for Flight<T> {
    fn wake(self: Arc<Self>) {
        let mut board = self.lock();
        board.is_woken = true;
        let wakers = board.wakers();
        drop(board);
        wake_all(wakers);
    }
}

/// It is nobody's own: no caller's deadline holds for it, and it is in nobody's report.
fn nobodys<T>(run: impl FnOnce() -> T) -> T {
    observe::apart(|| budget::apart(|| scope::apart(run)))
}

fn wake_all(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

impl<T> Seat<T> {
    /// Of whoever began the flight.
    const FIRST: u64 = 0;

    pub(super) const fn flight(&self) -> &Arc<Flight<T>> {
        &self.flight
    }

    /// Makes the work; if that panics, the flight is broken.
    pub(super) fn launch(&self, make: impl FnOnce() -> Work<T>) {
        let breaks = Breaks(self);
        let work = nobodys(make);
        mem::forget(breaks);
        let mut board = self.flight.lock();
        board.stage = Stage::Waits(work);
        board.is_woken = true;
        let wakers = board.wakers();
        drop(board);
        wake_all(wakers);
    }

    /// What there is to do for one who is polled.
    fn look(&self, cx: &Context<'_>) -> Look<T> {
        // Cloned before and dropped after the lock is held: a waker is somebody else's code.
        let waker = cx.waker().clone();
        let mut board = self.flight.lock();
        let Board { stage, holder, is_woken, aboard, .. } = &mut *board;
        let (is_last, any_spare) = (aboard.len() == 1, aboard.values().any(|one| one.has_spare));
        let Some(own) = aboard.get_mut(&self.number) else { return Look::Stranded };
        let old = own.waker.replace(waker);
        let look = match mem::replace(stage, Stage::Held) {
            Stage::Waits(work) if *is_woken => {
                *holder = thread::current().id();
                *is_woken = false;
                Look::Fly(work)
            }
            Stage::Broken if mem::take(&mut own.has_spare) => {
                *holder = thread::current().id();
                Look::Broken
            }
            Stage::Broken if !any_spare => {
                *stage = Stage::Broken;
                Look::Stranded
            }
            Stage::Landed(end) if is_last => {
                *stage = Stage::Over;
                Look::Landed(end)
            }
            Stage::Landed(end) => {
                *stage = Stage::Landed(Arc::clone(&end));
                Look::Landed(end)
            }
            unchanged => {
                *stage = unchanged;
                Look::Wait
            }
        };
        drop(board);
        drop(old);
        look
    }

    /// It has not ended: whoever is polled next after it was woken goes on with it.
    fn put_back(&self, work: Work<T>) {
        let mut board = self.flight.lock();
        board.stage = Stage::Waits(work);
        // Those who looked meanwhile found nothing to do.
        let wakers = if board.is_woken { board.wakers() } else { Vec::new() };
        drop(board);
        wake_all(wakers);
    }

    /// It has ended, for all.
    fn land(&self, end: T) -> Arc<T> {
        let end = Arc::new(end);
        let mut board = self.flight.lock();
        // Whoever comes now must see that it has ended, also where nobody else is aboard.
        board.stage = match board.aboard.len() {
            1 => Stage::Over,
            _ => Stage::Landed(Arc::clone(&end)),
        };
        let wakers = board.wakers();
        drop(board);
        self.flight.home.remove(&self.flight);
        wake_all(wakers);
        end
    }
}

impl<T: Clone + Send + Sync + 'static> Seat<T> {
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Found<T>> {
        let mut work = match self.look(cx) {
            Look::Wait => return Poll::Pending,
            Look::Broken => return Poll::Ready(Found::Broken),
            Look::Stranded => return Poll::Ready(Found::Stranded),
            Look::Landed(end) => return Poll::Ready(Found::Landed(Arc::unwrap_or_clone(end))),
            Look::Fly(work) => work,
        };
        let waker = Waker::from(Arc::clone(&self.flight));
        let breaks = Breaks(self);
        let polled = nobodys(|| work.as_mut().poll(&mut Context::from_waker(&waker)));
        match polled {
            Poll::Pending => {
                mem::forget(breaks);
                self.put_back(work);
                Poll::Pending
            }
            Poll::Ready(end) => {
                nobodys(|| drop(work)); // which gives back what it held, before anybody goes on
                mem::forget(breaks);
                Poll::Ready(Found::Landed(Arc::unwrap_or_clone(self.land(end))))
            }
        }
    }
}

impl<T> Seat<T> {
    /// Leaves, once.
    fn leave(&self, breaks_it: bool) {
        let mut board = self.flight.lock();
        let Some(own) = board.aboard.remove(&self.number) else { return };
        // Who began it and leaves before it is made, as in a panic, leaves nobody who makes it.
        let was_to_make_it = self.number == Self::FIRST && matches!(board.stage, Stage::Begun);
        if breaks_it || was_to_make_it {
            board.stage = Stage::Broken;
        }
        let is_over = board.aboard.is_empty();
        let left = is_over.then(|| mem::replace(&mut board.stage, Stage::Over));
        // Of a broken flight, somebody begins anew, or all who are left are stranded.
        let is_broken = matches!(board.stage, Stage::Broken);
        let wakers = if is_broken { board.wakers() } else { Vec::new() };
        drop(board);
        if is_over {
            self.flight.home.remove(&self.flight);
        }
        drop(own);
        nobodys(|| drop(left));
        wake_all(wakers);
    }
}

impl<T> Drop for Seat<T> {
    fn drop(&mut self) {
        self.leave(false);
    }
}

/// Dropped only where something unwinds: the flight is broken, and who broke it has left, whether
/// or not its future is kept.
struct Breaks<'a, T>(&'a Seat<T>);

impl<T> Drop for Breaks<'_, T> {
    fn drop(&mut self) {
        self.0.leave(true);
    }
}

impl<T> fmt::Debug for Seat<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("number", &self.number).finish_non_exhaustive()
    }
}
