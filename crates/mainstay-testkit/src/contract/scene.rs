//! A bench in one of the situations that a call can find itself in.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Poll;
use std::time::Duration;

use super::Subject;
use super::bench::{Act, AnyService, Bench, Call, Condition, Ended, Kind};
use crate::{Polled, clock};

/// Longer than anything is waited for.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);

/// Time enough for a wake-up that need not wait for a timer.
const SECOND: Duration = Duration::from_secs(1);

/// So often nothing is polled that gets anywhere.
const MOST_POLLS: usize = 10_000;

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Situation {
    /// It is let through and answered.
    Plain,
    /// It is answered by a further attempt.
    Again,
    /// It must wait before.
    Waiting,
    /// It is refused.
    Refused,
    /// It is the first after a time of refusals, which ended by itself.
    Afterwards,
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "a call that is let through",
            Self::Again => "a call that needs a further attempt",
            Self::Waiting => "a call that must wait",
            Self::Refused => "a call that is refused",
            Self::Afterwards => "the first call after refusals",
        })
    }
}

impl Subject {
    /// The situations among these that the subject can be brought into.
    pub(super) fn situations<const N: usize>(
        &self,
        among: [Situation; N],
    ) -> impl Iterator<Item = Situation> {
        let (again, waits, refuses) = (self.tries_again, self.waits, self.refuses);
        let recovers = self.recovers;
        among.into_iter().filter(move |situation| match situation {
            Situation::Plain => true,
            Situation::Again => again,
            Situation::Waiting => waits,
            Situation::Refused => refuses,
            Situation::Afterwards => recovers,
        })
    }
}

pub(super) struct Scene {
    pub(super) bench: Bench,
    pub(super) situation: Situation,
    /// The calls in flight that keep the layer in its state.
    pub(super) held: Vec<Call>,
    /// Whether the state has ended.
    pub(super) has_left: bool,
    /// How often the call had been polled that the end of the state woke.
    pub(super) woken_after: Option<usize>,
}

/// What a poll led to.
pub(super) enum Step {
    Pending,
    Ended(Ended),
    Panicked(Box<dyn Any + Send>),
}

impl Scene {
    /// A layer of its own in this situation; what is called from here on is answered well.
    pub(super) async fn set(subject: &Subject, situation: Situation) -> Self {
        let bench = (subject.make)();
        let mut scene =
            Self { bench, situation, held: Vec::new(), has_left: true, woken_after: None };
        if let Some(condition) = scene.condition() {
            (condition.enter)();
            match condition.kind {
                Kind::ByHand => {}
                Kind::InFlight(calls) => scene.hold(calls).await,
                Kind::After { calls, .. } => {
                    for _ in 0..calls {
                        scene.called_and_ended().await;
                    }
                }
            }
        }
        scene.has_left = false;
        if situation == Situation::Afterwards {
            scene.leave().await;
        }
        let again = situation == Situation::Again;
        (scene.bench.script)(if again { Act::AnswersAgainFirst } else { Act::AnswersWell });
        scene
    }

    pub(super) fn condition(&self) -> Option<&Condition> {
        match self.situation {
            Situation::Plain | Situation::Again => None,
            Situation::Waiting => self.bench.waiting.as_ref(),
            Situation::Refused | Situation::Afterwards => self.bench.refusing.as_ref(),
        }
    }

    /// Whether the state ends by itself, in time.
    pub(super) fn ends_in_time(&self) -> bool {
        matches!(self.condition(), Some(Condition { kind: Kind::After { .. }, .. }))
    }

    pub(super) fn clean(&self) -> String {
        (self.bench.clean)()
    }

    pub(super) fn calls(&self) -> usize {
        self.bench.stage.seen().calls
    }

    async fn hold(&mut self, calls: usize) {
        for _ in 0..calls {
            let (_, mut call) = self.called().await;
            let is_pending = call.poll().is_pending();
            assert!(is_pending, "a call that is to stay in flight ended");
            self.held.push(call);
        }
        assert_eq!(self.calls(), calls, "so many calls should be in flight to begin with");
    }

    /// A service and a call of it, not polled yet.
    pub(super) async fn called(&self) -> (Box<dyn AnyService>, Call) {
        let mut service = (self.bench.service)();
        readied(&mut *service).await;
        let call = service.call();
        (service, call)
    }

    async fn called_and_ended(&mut self) -> Ended {
        let (_service, mut call) = self.called().await;
        self.ends(&mut call).await
    }

    /// Ends the state, if there is one and it has not ended.
    pub(super) async fn leave(&mut self) {
        if self.has_left {
            return;
        }
        self.has_left = true;
        let mut held = std::mem::take(&mut self.held);
        if let Some(condition) = self.condition() {
            (condition.leave)();
            if let Kind::After { lasts, .. } = condition.kind {
                clock::sleep(lasts).await;
            }
        }
        for call in &mut held {
            self.ends(call).await;
        }
    }

    /// Polls a call once. If it is pending and is not woken, whatever it waits for comes to pass.
    pub(super) async fn step(&mut self, call: &mut Call) -> Step {
        match catch_unwind(AssertUnwindSafe(|| call.poll())) {
            Err(panic) => return Step::Panicked(panic),
            Ok(Poll::Ready(ended)) => return Step::Ended(ended),
            Ok(Poll::Pending) => {}
        }
        if !call.is_woken() && self.situation == Situation::Waiting && !self.has_left {
            self.wakes_when_it_ends(call, "it waited").await;
        }
        let is_woken = is_woken_within(HOUR, call).await;
        assert!(is_woken, "{}: nobody wakes it, and it has not ended", self.situation);
        Step::Pending
    }

    /// Ends the state, if it has not ended, which must wake this call, and not some timer of it.
    pub(super) async fn wakes_when_it_ends(&mut self, call: &Call, when: &str) {
        self.woken_after = Some(call.polls());
        let time = if self.ends_in_time() { HOUR } else { SECOND };
        if self.ends_in_time() {
            self.has_left = true;
        } else {
            Box::pin(self.leave()).await;
        }
        let is_woken = is_woken_within(time, call).await;
        assert!(is_woken, "{}: {when}, and is not woken when it need not", self.situation);
    }

    pub(super) async fn ends(&mut self, call: &mut Call) -> Ended {
        for _ in 0..MOST_POLLS {
            match self.step(call).await {
                Step::Pending => {}
                Step::Ended(ended) => return ended,
                Step::Panicked(panic) => resume_unwind(panic),
            }
        }
        resume_unwind(Box::new(format!("{}: polled without end", self.situation)))
    }

    /// A call that must be answered, after the state has ended.
    pub(super) async fn next_goes_well(&mut self, when: &str) {
        self.leave().await;
        let ended = self.called_and_ended().await;
        assert!(matches!(ended, Ended::Well), "{when}, the next call ended with {ended:?}");
    }
}

/// Waits until a service is ready.
pub(super) async fn readied(service: &mut dyn AnyService) {
    let mut ready = Polled::new(poll_fn(|cx| service.poll_ready(cx)));
    for _ in 0..MOST_POLLS {
        match ready.poll() {
            Poll::Ready(Ok(())) => return,
            Poll::Ready(Err(error)) => {
                resume_unwind(Box::new(format!("`poll_ready` gave an error of its own: {error}")))
            }
            Poll::Pending => {}
        }
        let is_woken = is_woken_within(HOUR, &ready).await;
        assert!(is_woken, "`poll_ready` is pending, nobody wakes it, and the inner one is ready");
    }
}

pub(super) async fn is_woken_within<F: Future>(time: Duration, polled: &Polled<F>) -> bool {
    tokio::time::timeout(time, polled.woken()).await.is_ok()
}
