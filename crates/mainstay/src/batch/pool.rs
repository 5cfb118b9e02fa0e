//! Futures that are polled in place, those alone that were woken.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::under::Under;

/// Futures that are polled in place, those alone that were woken.
///
/// A place is kept when its future has ended, so the next one in it allocates nothing.
pub(super) struct Pool<F, A> {
    places: Vec<Place<F, A>>,
    free: Vec<usize>,
    /// Who is polled next. Who is woken meanwhile comes in behind them when this is polled again, so
    /// that one that wakes itself holds nobody up.
    round: VecDeque<usize>,
    /// Who came last, until somebody is polled.
    fresh: Option<usize>,
    /// Who ended last had only just come.
    was_fresh: bool,
    bells: Arc<Bells>,
}

struct Place<F, A> {
    future: Pin<Box<Option<F>>>,
    about: Option<A>,
    bell: Arc<Bell>,
    waker: Waker,
}

/// Wakes one place.
struct Bell {
    place: usize,
    has_rung: AtomicBool,
    bells: Arc<Bells>,
}

/// Who was woken, and the task that is to be told.
#[derive(Default)]
struct Bells {
    rung: Mutex<Rung>,
}

#[derive(Default)]
struct Rung {
    places: VecDeque<usize>,
    task: Option<Waker>,
}

/// What a future came to, or the panic that it ended in.
pub(super) type Came<T> = Result<T, Box<dyn Any + Send>>;

/// Runs what is somebody else's, and may panic.
pub(super) fn caught<T>(run: impl FnOnce() -> T) -> Came<T> {
    catch_unwind(AssertUnwindSafe(run))
}

impl<F: Future, A> Pool<F, A> {
    pub(super) fn new() -> Self {
        let (places, free) = (Vec::new(), Vec::new());
        let bells = Arc::default();
        Self { places, free, round: VecDeque::new(), fresh: None, was_fresh: false, bells }
    }

    /// Takes a future, which is polled in this round: next, so that what it takes is taken before
    /// another is started; but not if the one before it ended at once, or those who were woken would
    /// wait as long as there are such.
    pub(super) fn put(&mut self, about: A, future: F) {
        let number = self.free.pop().unwrap_or_else(|| self.add());
        let place = &mut self.places[number];
        place.future.set(Some(future));
        place.about = Some(about);
        if !place.bell.has_rung.swap(true, Ordering::AcqRel) {
            match std::mem::take(&mut self.was_fresh) {
                true => self.round.push_back(number),
                false => {
                    self.round.push_front(number);
                    self.fresh = Some(number);
                }
            }
        }
    }

    /// Takes in who was woken; from now on this task is.
    ///
    /// Also where there are others to be polled still: whoever was woken while nobody polled has
    /// woken the task then, and will not do so again.
    pub(super) fn listen(&mut self, cx: &Context<'_>) {
        let mut rung = self.bells.lock();
        match &mut rung.task {
            Some(task) => task.clone_from(cx.waker()),
            None => rung.task = Some(cx.waker().clone()),
        }
        if self.round.is_empty() {
            std::mem::swap(&mut self.round, &mut rung.places);
        } else if !rung.places.is_empty() {
            self.round.append(&mut rung.places);
        }
    }

    /// Polls who is left in this round, until one has ended.
    pub(super) fn poll_one(&mut self, under: &mut Under) -> Option<(A, Came<F::Output>)> {
        while let Some(number) = self.round.pop_front() {
            let is_fresh = self.fresh.take() == Some(number);
            let place = &mut self.places[number];
            place.bell.has_rung.store(false, Ordering::Release);
            let Place { future, waker, .. } = place;
            let mut cx = Context::from_waker(waker);
            // As in a task of its own, a panic ends this one and nobody else; so does one of its drop.
            let polled = caught(|| {
                let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Pending };
                let polled = under.poll(&mut cx, |cx| running.poll(cx));
                if polled.is_ready() {
                    future.set(None);
                }
                polled
            });
            let came = match polled {
                Ok(Poll::Pending) => continue,
                Ok(Poll::Ready(output)) => Ok(output),
                Err(panic) => {
                    // Whatever panics again says nothing more.
                    let _ = place.empties();
                    Err(panic)
                }
            };
            self.free.push(number);
            self.was_fresh = is_fresh;
            if let Some(about) = place.about.take() {
                return Some((about, came));
            }
        }
        None
    }

    /// Drops all futures; says what they were about.
    pub(super) fn clear(&mut self) -> Vec<A> {
        self.round.clear();
        self.free.clear();
        let places = std::mem::take(&mut self.places).into_iter();
        let about = places.filter_map(|mut place| {
            // They end by something else than a panic in their drop.
            let _ = place.empties();
            place.about
        });
        about.collect()
    }

    fn add(&mut self) -> usize {
        let number = self.places.len();
        let bells = Arc::clone(&self.bells);
        let bell = Arc::new(Bell { place: number, has_rung: AtomicBool::new(false), bells });
        let waker = Waker::from(Arc::clone(&bell));
        self.places.push(Place { future: Box::pin(None), about: None, bell, waker });
        number
    }
}

impl<F, A> Place<F, A> {
    /// Drops what is in it, which may panic.
    fn empties(&mut self) -> Came<()> {
        caught(|| self.future.set(None))
    }
}

impl Bells {
    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.has_rung.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut rung = self.bells.lock();
        rung.places.push_back(self.place);
        let task = rung.task.take();
        drop(rung);
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl<F, A> fmt::Debug for Pool<F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.places.len() - self.free.len();
        f.debug_struct("Pool").field("running", &running).finish_non_exhaustive()
    }
}
