//! What a probe must be told of a layer.

use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

use super::bench::{Bench, Maker};
use crate::Scripted;

/// A layer as the probes see it. Built by [`Subject::of`].
///
/// It has no type parameters, so that a list can hold the subjects of many layers.
pub struct Subject {
    pub(super) name: String,
    pub(super) make: Box<dyn Fn() -> Bench>,
    pub(super) waits: bool,
    pub(super) refuses: bool,
    pub(super) tries_again: bool,
    /// Its refusals end by themselves.
    pub(super) recovers: bool,
    pub(super) times_out: Option<Duration>,
    pub(super) is_told: bool,
    pub(super) after_panic: Option<String>,
    pub(super) timers: usize,
    pub(super) polls: usize,
}

impl Subject {
    /// Describes a layer: its name, how one with a state of its own is made, a request for it, how
    /// the scripted service answers, and the error that a dead instance of that service gives.
    ///
    /// The error must be one that is told from others when it is printed with `Debug`.
    pub fn of<L, Req, Res, E>(
        name: impl Into<String>,
        layer: impl Fn() -> L + 'static,
        request: impl Fn() -> Req + 'static,
        answer: impl Fn() -> Result<Res, E> + Send + Sync + 'static,
        death: impl Fn() -> E + Send + Sync + 'static,
    ) -> SubjectBuilder<L, Req, Res, E> {
        SubjectBuilder {
            name: name.into(),
            layer: Box::new(layer),
            told: Told {
                request: Rc::new(request),
                answer: Arc::new(answer),
                death: Arc::new(death),
                again: None,
                clean: Rc::new(|_| String::new()),
                refusing: None,
                waiting: None,
            },
            is_stateless: false,
            after_panic: None,
            times_out: None,
            timers: 0,
            polls: 3,
            sent: PhantomData,
        }
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Builds a [`Subject`]. `Sent` is what the layer sends on for a `Req`, mostly the same type.
#[must_use]
pub struct SubjectBuilder<L, Req, Res, E, Sent = Req> {
    name: String,
    layer: Box<dyn Fn() -> L>,
    told: Told<L, Req, Res, E>,
    is_stateless: bool,
    after_panic: Option<String>,
    times_out: Option<Duration>,
    timers: usize,
    polls: usize,
    sent: PhantomData<fn() -> Sent>,
}

/// What the closures of a subject tell.
pub(super) struct Told<L, Req, Res, E> {
    pub(super) request: Rc<dyn Fn() -> Req>,
    pub(super) answer: Answer<Res, E>,
    pub(super) death: Arc<dyn Fn() -> E + Send + Sync>,
    pub(super) again: Option<Answer<Res, E>>,
    pub(super) clean: Rc<dyn Fn(&L) -> String>,
    pub(super) refusing: Option<Rc<State<L, Res, E>>>,
    pub(super) waiting: Option<Rc<State<L, Res, E>>>,
}

pub(super) type Answer<Res, E> = Arc<dyn Fn() -> Result<Res, E> + Send + Sync>;

impl<L, Req, Res, E> Clone for Told<L, Req, Res, E> {
    fn clone(&self) -> Self {
        Self {
            request: Rc::clone(&self.request),
            answer: Arc::clone(&self.answer),
            death: Arc::clone(&self.death),
            again: self.again.clone(),
            clean: Rc::clone(&self.clean),
            refusing: self.refusing.clone(),
            waiting: self.waiting.clone(),
        }
    }
}

impl<L, Req, Res, E, Sent> SubjectBuilder<L, Req, Res, E, Sent> {
    /// The layer sends on requests of another type.
    pub fn sends<Other>(self) -> SubjectBuilder<L, Req, Res, E, Other> {
        SubjectBuilder {
            name: self.name,
            layer: self.layer,
            told: self.told,
            is_stateless: self.is_stateless,
            after_panic: self.after_panic,
            times_out: self.times_out,
            timers: self.timers,
            polls: self.polls,
            sent: PhantomData,
        }
    }

    /// Tells all state that calls share, as text: permits, places in a queue, a budget. A call that
    /// was dropped or refused, a panic and a readiness that was not used must leave it as it was.
    ///
    /// Leave out what such a call may change: a count of refusals, a moment.
    pub fn clean(mut self, clean: impl Fn(&L) -> String + 'static) -> Self {
        self.told.clean = Rc::new(clean);
        self
    }

    /// How the layer is brought to refuse calls. Out of this state it must let a handful through in
    /// a row.
    pub fn refusing(mut self, state: State<L, Res, E>) -> Self {
        self.told.refusing = Some(Rc::new(state));
        self
    }

    /// How the layer is brought to let calls wait.
    pub fn waiting(mut self, state: State<L, Res, E>) -> Self {
        self.told.waiting = Some(Rc::new(state));
        self
    }

    /// The layer never refuses a call by itself and never lets one wait, so that nothing of that
    /// kind can be probed.
    pub const fn lets_all_through(mut self) -> Self {
        self.is_stateless = true;
        self
    }

    /// An answer after which the layer makes a further attempt.
    pub fn tries_again_after(
        mut self,
        answer: impl Fn() -> Result<Res, E> + Send + Sync + 'static,
    ) -> Self {
        self.told.again = Some(Arc::new(answer));
        self
    }

    /// What [`clean`](SubjectBuilder::clean) tells after a panic of the service beneath, where that
    /// is not what it told before: a breaker counts it as a failure.
    pub fn after_panic(mut self, clean: impl Into<String>) -> Self {
        self.after_panic = Some(clean.into());
        self
    }

    /// A call that nobody answers ends by itself after so long, which must be less than an hour, and
    /// with an error.
    pub const fn times_out(mut self, after: Duration) -> Self {
        self.times_out = Some(after);
        self
    }

    /// How often a call may be woken for nothing in an hour in which nothing happens; by default
    /// never.
    pub const fn timers(mut self, timers: usize) -> Self {
        self.timers = timers;
        self
    }

    /// How many polls a call may need that is answered after its first one; by default 3.
    pub const fn polls(mut self, polls: usize) -> Self {
        self.polls = polls;
        self
    }

    /// The subject. The layer and its service can be shared between threads, cloned and printed, and
    /// the futures sent, printed and moved, as those of the scripted service can.
    #[must_use]
    pub fn build(self) -> Subject
    where
        L: Layer<Scripted<Sent, Res, E>> + Clone + Debug + Send + Sync + 'static,
        L::Service: Service<Req> + Clone + Debug + Send + Sync + 'static,
        <L::Service as Service<Req>>::Error: Debug,
        <L::Service as Service<Req>>::Future: Debug + Send + Unpin + 'static,
        Req: 'static,
        Sent: Send + 'static,
        Res: Send + 'static,
        E: Debug + Send + 'static,
    {
        self.build_unshared()
    }

    /// The subject, of a layer that is not all of what [`build`](SubjectBuilder::build) asks for.
    #[must_use]
    pub fn build_unshared(self) -> Subject
    where
        L: Layer<Scripted<Sent, Res, E>> + Clone + 'static,
        L::Service: Service<Req> + Clone + 'static,
        <L::Service as Service<Req>>::Error: Debug,
        <L::Service as Service<Req>>::Future: 'static,
        Req: 'static,
        Sent: Send + 'static,
        Res: Send + 'static,
        E: Debug + Send + 'static,
    {
        let (waits, refuses) = (self.told.waiting.is_some(), self.told.refusing.is_some());
        let tries_again = self.told.again.is_some();
        let ends_by_itself = |state: &Rc<State<L, Res, E>>| matches!(state.way, Way::After { .. });
        let recovers = self.told.refusing.as_ref().is_some_and(ends_by_itself);
        let maker = Maker { layer: self.layer, told: self.told, sent: self.sent };
        Subject {
            name: self.name,
            make: Box::new(move || maker.bench()),
            waits,
            refuses,
            tries_again,
            recovers,
            times_out: self.times_out,
            is_told: self.is_stateless != (waits || refuses),
            after_panic: self.after_panic,
            timers: self.timers,
            polls: self.polls,
        }
    }
}

impl<L, Req, Res, E, Sent> Debug for SubjectBuilder<L, Req, Res, E, Sent> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How a layer is brought to refuse calls, or to let them wait, and how that ends.
pub struct State<L, Res, E> {
    pub(super) way: Way<L, Res, E>,
}

pub(super) enum Way<L, Res, E> {
    ByHand { enter: Box<dyn Fn(&L)>, leave: Box<dyn Fn(&L)> },
    InFlight(usize),
    After { calls: usize, answer: Answer<Res, E>, lasts: Duration },
}

impl<L, Res, E> State<L, Res, E> {
    /// By the layer's own handle: an isolated breaker, a gate that is closed.
    pub fn by_hand(enter: impl Fn(&L) + 'static, leave: impl Fn(&L) + 'static) -> Self {
        Self { way: Way::ByHand { enter: Box::new(enter), leave: Box::new(leave) } }
    }

    /// While so many calls are in flight; it ends when they are answered.
    #[must_use]
    pub const fn in_flight(calls: usize) -> Self {
        Self { way: Way::InFlight(calls) }
    }

    /// After so many calls that were answered like this. It ends by itself, after this time at the
    /// latest.
    pub fn after(
        calls: usize,
        answer: impl Fn() -> Result<Res, E> + Send + Sync + 'static,
        lasts: Duration,
    ) -> Self {
        Self { way: Way::After { calls, answer: Arc::new(answer), lasts } }
    }
}

impl<L, Res, E> Debug for State<L, Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::ByHand { .. } => f.write_str("State(by hand)"),
            Way::InFlight(calls) => write!(f, "State({calls} in flight)"),
            Way::After { calls, lasts, .. } => write!(f, "State(after {calls}, for {lasts:?})"),
        }
    }
}
