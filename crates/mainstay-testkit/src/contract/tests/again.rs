//! A layer that tries again after an error, one that lets calls wait for a while after one, and one
//! whose clones share an instance.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use super::toy::Inner;
use crate::clock;

pub(super) const PAUSE: Duration = Duration::from_secs(10);

/// What is wrong with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    None,
    /// Calls for a further attempt without asking whether the service is ready.
    CallsUnready,
    /// Keeps the service of the first attempt ready for the second.
    KeepsReadiness,
    /// A pause between attempts that is dropped is never said to be over.
    LeaksInThePause,
    /// Answers for the server.
    MakesAnAnswerUp,
    /// Its pause has no end.
    NeverWakes,
    /// A call that waits and is dropped holds up those that come after it.
    TakesATurnAlong,
    /// The first call after a pause keeps others out until it has ended, and if it is dropped, for
    /// ever.
    KeepsTheFirstPlace,
    /// Lets nothing through again after a pause.
    NeverEnds,
}

type Text = &'static str;
type Ends = Pin<Box<dyn Future<Output = Result<Text, Text>> + Send>>;

/// A second attempt, after a pause.
#[derive(Clone, Debug)]
pub(super) struct Twice {
    pub(super) fault: Fault,
    pausing: Arc<AtomicUsize>,
}

impl Twice {
    pub(super) fn new(fault: Fault) -> Self {
        Self { fault, pausing: Arc::default() }
    }

    pub(super) fn snapshot(&self) -> String {
        format!("{} pause", self.pausing.load(Ordering::SeqCst))
    }
}

/// Both layers, as services.
#[derive(Clone, Debug)]
pub(super) struct Over<T> {
    inner: Inner,
    toy: T,
}

impl Layer<Inner> for Twice {
    type Service = Over<Self>;

    fn layer(&self, inner: Inner) -> Over<Self> {
        Over { inner, toy: self.clone() }
    }
}

/// One more pauses, until it is dropped.
struct Pausing(Arc<AtomicUsize>);

impl Pausing {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Pausing {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Service<Text> for Over<Twice> {
    type Response = Text;
    type Error = Text;
    type Future = Ends;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Text>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Text) -> Ends {
        let first = self.inner.call(request);
        let mut service = self.inner.clone();
        let Twice { fault, pausing } = self.toy.clone();
        Box::pin(async move {
            let Err(_) = first.await else { return Ok("answer") };
            match fault {
                Fault::MakesAnAnswerUp => return Ok("made up"),
                Fault::NeverWakes => std::future::pending().await,
                _ => {}
            }
            if fault == Fault::KeepsReadiness {
                service.ready().await?;
            }
            if fault == Fault::LeaksInThePause {
                pausing.fetch_add(1, Ordering::SeqCst);
                clock::sleep(PAUSE).await;
                pausing.fetch_sub(1, Ordering::SeqCst);
            } else {
                let _pausing = Pausing::new(&pausing);
                clock::sleep(PAUSE).await;
            }
            if fault != Fault::CallsUnready {
                service.ready().await?;
            }
            service.call(request).await
        })
    }
}

/// Nothing is let through for a while after an error.
#[derive(Clone, Debug)]
pub(super) struct Pauses {
    pub(super) fault: Fault,
    pub(super) refuses: bool,
    is_closed: Arc<AtomicBool>,
    /// Until the first call after a pause.
    is_half: Arc<AtomicBool>,
    /// By a call that keeps others out.
    is_taken: Arc<AtomicBool>,
}

impl Pauses {
    pub(super) fn new(fault: Fault, refuses: bool) -> Self {
        let [is_closed, is_half, is_taken] = Default::default();
        Self { fault, refuses, is_closed, is_half, is_taken }
    }

    pub(super) fn set(&self, is_closed: bool) {
        self.is_closed.store(is_closed, Ordering::SeqCst);
    }
}

impl Layer<Inner> for Pauses {
    type Service = Over<Self>;

    fn layer(&self, inner: Inner) -> Over<Self> {
        Over { inner, toy: self.clone() }
    }
}

impl Service<Text> for Over<Pauses> {
    type Response = Text;
    type Error = Text;
    type Future = Ends;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Text>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Text) -> Ends {
        let Pauses { fault, refuses, is_closed, is_half, is_taken } = self.toy.clone();
        if is_closed.load(Ordering::SeqCst) || is_taken.load(Ordering::SeqCst) {
            let mut service = self.inner.clone();
            self.inner = service.clone();
            return Box::pin(async move {
                if refuses {
                    return Err("closed");
                }
                let turn = (fault == Fault::TakesATurnAlong).then(|| Turn(is_taken));
                clock::sleep(PAUSE).await;
                service.ready().await?;
                std::mem::forget(turn);
                service.call(request).await
            });
        }
        let call = self.inner.call(request);
        Box::pin(async move {
            let is_first = is_half.swap(false, Ordering::SeqCst);
            let keeps = is_first && fault == Fault::KeepsTheFirstPlace;
            if keeps {
                is_taken.store(true, Ordering::SeqCst);
            }
            let end = call.await;
            is_taken.store(false, Ordering::SeqCst);
            if end.is_err() {
                is_half.store(true, Ordering::SeqCst);
                is_closed.store(true, Ordering::SeqCst);
                if fault != Fault::NeverEnds {
                    tokio::spawn(async move {
                        clock::sleep(PAUSE).await;
                        is_closed.store(false, Ordering::SeqCst);
                    });
                }
            }
            end
        })
    }
}

/// Whoever drops it keeps others out for a pause.
struct Turn(Arc<AtomicBool>);

impl Drop for Turn {
    fn drop(&mut self) {
        let is_taken = Arc::clone(&self.0);
        is_taken.store(true, Ordering::SeqCst);
        tokio::spawn(async move {
            clock::sleep(PAUSE).await;
            is_taken.store(false, Ordering::SeqCst);
        });
    }
}

/// All clones of a service have one instance, and so one readiness.
#[derive(Clone, Debug)]
pub(super) struct OneInstance;

#[derive(Clone, Debug)]
pub(super) struct One(Arc<Mutex<Inner>>);

impl Layer<Inner> for OneInstance {
    type Service = One;

    fn layer(&self, inner: Inner) -> One {
        One(Arc::new(Mutex::new(inner)))
    }
}

impl Service<Text> for One {
    type Response = Text;
    type Error = Text;
    type Future = <Inner as Service<Text>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Text>> {
        self.0.lock().unwrap().poll_ready(cx)
    }

    fn call(&mut self, request: Text) -> Self::Future {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).call(request)
    }
}
