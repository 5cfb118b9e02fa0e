//! One layer with a state of its own over a script, without its types.

use std::fmt::{self, Debug};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

use super::subject::{Answer, State, Told, Way};
use crate::script::Stage;
use crate::{Polled, Script, Scripted};

/// A call in the hands of a probe.
pub(super) type Call = Polled<Pin<Box<dyn Future<Output = Ended>>>>;

/// How a call ended.
pub(super) enum Ended {
    Well,
    /// With an error, as `Debug` prints it.
    Ill(String),
}

impl Ended {
    pub(super) const fn is_well(&self) -> bool {
        matches!(self, Self::Well)
    }
}

impl Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well => f.write_str("an answer"),
            Self::Ill(error) => write!(f, "the error {error}"),
        }
    }
}

/// A service without its types; each has its own readiness.
pub(super) trait AnyService {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>>;
    fn call(&mut self) -> Call;
    fn twin(&self) -> Box<dyn AnyService>;
}

pub(super) struct Bench {
    pub(super) stage: Arc<Stage>,
    /// A service of the layer; over the same script as all others.
    pub(super) service: Box<dyn Fn() -> Box<dyn AnyService>>,
    /// A service of a clone of the layer.
    pub(super) service_of_clone: Box<dyn Fn() -> Box<dyn AnyService>>,
    pub(super) clean: Box<dyn Fn() -> String>,
    pub(super) script: Box<dyn Fn(Act)>,
    /// The error of a dead instance, as `Debug` prints it.
    pub(super) death: String,
    pub(super) refusing: Option<Condition>,
    pub(super) waiting: Option<Condition>,
}

/// What the script is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    AnswersWell,
    /// The first so that there is a further attempt, all others well.
    AnswersAgainFirst,
    Holds,
    /// Whoever is held gets an answer.
    AnswersHeld,
    Dies,
}

/// How a layer gets into a state and out of it.
pub(super) struct Condition {
    pub(super) kind: Kind,
    pub(super) enter: Box<dyn Fn()>,
    pub(super) leave: Box<dyn Fn()>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    ByHand,
    InFlight(usize),
    After { calls: usize, lasts: Duration },
}

pub(super) struct Maker<L, Req, Res, E, Sent> {
    pub(super) layer: Box<dyn Fn() -> L>,
    pub(super) told: Told<L, Req, Res, E>,
    pub(super) sent: PhantomData<fn() -> Sent>,
}

impl<L, Req, Res, E, Sent> Maker<L, Req, Res, E, Sent>
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
    pub(super) fn bench(&self) -> Bench {
        let layer = Rc::new((self.layer)());
        let script = Script::<Sent, Res, E>::new();
        let told = self.told.clone();
        let service = |clones: bool| -> Box<dyn Fn() -> Box<dyn AnyService>> {
            let (layer, script) = (Rc::clone(&layer), script.clone());
            let request = Rc::clone(&told.request);
            Box::new(move || {
                let copy = clones.then(|| L::clone(&layer));
                let service = copy.as_ref().unwrap_or(&layer).layer(script.service());
                Box::new(Typed { service, request: Rc::clone(&request) })
            })
        };
        let condition = |state: &Option<Rc<State<L, Res, E>>>| {
            state.as_ref().map(|state| condition(&layer, &script, state, &told.answer))
        };
        let (clean, counted) = (Rc::clone(&told.clean), Rc::clone(&layer));
        Bench {
            stage: script.stage(),
            service: service(false),
            service_of_clone: service(true),
            clean: Box::new(move || clean(&counted)),
            death: format!("{:?}", (told.death)()),
            refusing: condition(&told.refusing),
            waiting: condition(&told.waiting),
            script: Box::new(move |act| acts(&script, &told, act)),
        }
    }
}

fn acts<L, Req, Res, E, Sent>(script: &Script<Sent, Res, E>, told: &Told<L, Req, Res, E>, act: Act)
where
    Res: 'static,
    E: 'static,
{
    let well = Arc::clone(&told.answer);
    match act {
        Act::AnswersWell => script.answers(move |_| well()),
        Act::AnswersAgainFirst => {
            let again = told.again.clone();
            let is_first = AtomicBool::new(true);
            script.answers(move |_| match &again {
                Some(again) if is_first.swap(false, Ordering::SeqCst) => again(),
                _ => well(),
            });
        }
        Act::Holds => script.holds(),
        Act::AnswersHeld => answer_held(script, &well),
        Act::Dies => {
            let death = Arc::clone(&told.death);
            script.dies(move || death());
        }
    }
}

fn answer_held<Sent, Res, E>(script: &Script<Sent, Res, E>, answer: &Answer<Res, E>) {
    while let Some(arrival) = script.next() {
        match answer() {
            Ok(answer) => drop(arrival.answer(answer)),
            Err(error) => drop(arrival.fail(error)),
        }
    }
}

fn condition<L, Sent, Res, E>(
    layer: &Rc<L>,
    script: &Script<Sent, Res, E>,
    state: &Rc<State<L, Res, E>>,
    well: &Answer<Res, E>,
) -> Condition
where
    L: 'static,
    Sent: 'static,
    Res: 'static,
    E: 'static,
{
    let kind = match &state.way {
        Way::ByHand { .. } => Kind::ByHand,
        Way::InFlight(calls) => Kind::InFlight(*calls),
        Way::After { calls, lasts, .. } => Kind::After { calls: *calls, lasts: *lasts },
    };
    let enter = {
        let (layer, script, state) = (Rc::clone(layer), script.clone(), Rc::clone(state));
        move || match &state.way {
            Way::ByHand { enter, .. } => enter(&layer),
            Way::InFlight(_) => script.holds(),
            Way::After { answer, .. } => {
                let answer = Arc::clone(answer);
                script.answers(move |_| answer());
            }
        }
    };
    let leave = {
        let (layer, script) = (Rc::clone(layer), script.clone());
        let (state, well) = (Rc::clone(state), Arc::clone(well));
        move || match &state.way {
            Way::ByHand { leave, .. } => leave(&layer),
            Way::InFlight(_) => answer_held(&script, &well),
            Way::After { .. } => {}
        }
    };
    Condition { kind, enter: Box::new(enter), leave: Box::new(leave) }
}

struct Typed<S, Req> {
    service: S,
    request: Rc<dyn Fn() -> Req>,
}

impl<S, Req> AnyService for Typed<S, Req>
where
    S: Service<Req> + Clone + 'static,
    S::Error: Debug,
    S::Future: 'static,
    Req: 'static,
{
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        self.service.poll_ready(cx).map_err(|error| format!("{error:?}"))
    }

    fn call(&mut self) -> Call {
        let future = Box::pin(self.service.call((self.request)()));
        Polled::new(Box::pin(Untyped { future }))
    }

    fn twin(&self) -> Box<dyn AnyService> {
        Box::new(Self { service: self.service.clone(), request: Rc::clone(&self.request) })
    }
}

/// A named type, since an async block drops a future that panics, and this one may be kept.
struct Untyped<F> {
    future: Pin<Box<F>>,
}

impl<F, Res, E> Future for Untyped<F>
where
    F: Future<Output = Result<Res, E>>,
    E: Debug,
{
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        self.future.as_mut().poll(cx).map(|end| match end {
            Ok(_) => Ended::Well,
            Err(error) => Ended::Ill(format!("{error:?}")),
        })
    }
}
