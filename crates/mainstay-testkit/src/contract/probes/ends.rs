//! Calls that end early: by a drop, by a panic.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::super::bench::Call;
use super::super::scene::{HOUR, Scene, Situation, Step, readied};
use super::super::{Subject, said};
use super::EVEN_AFTERWARDS;
use crate::clock;
use crate::script::PANIC;

/// So often the scripted service is pending before it is ready, and before it answers.
const STUTTER: usize = 2;

pub(in super::super) async fn drops(subject: &Subject) {
    for situation in subject.situations(EVEN_AFTERWARDS) {
        let reference = Reference::of(subject, situation).await;
        for polls in 0..reference.polls {
            for is_woken in [false, true] {
                dropped_after(subject, situation, polls, is_woken, &reference).await;
            }
            if situation == Situation::Waiting && polls > 0 {
                dropped_before_another(subject, polls, reference.polls).await;
            }
        }
    }
}

/// What the state is told to be where no call was dropped.
struct Reference {
    /// In the situation.
    within: String,
    /// When that has ended.
    afterwards: String,
    /// After a call that went to its end.
    completed: String,
    /// So many it took.
    polls: usize,
}

impl Reference {
    async fn of(subject: &Subject, situation: Situation) -> Self {
        let mut scene = Scene::set(subject, situation).await;
        let within = scene.clean();
        scene.leave().await;
        let afterwards = scene.clean();

        let mut scene = Scene::set(subject, situation).await;
        scene.bench.stage.stutters(STUTTER);
        let before = scene.calls();
        let (service, mut call) = scene.called().await;
        let ended = scene.ends(&mut call).await;
        let polls = call.polls();
        drop((service, call));
        let called = scene.calls() - before;
        if situation == Situation::Refused {
            assert!(called == 0, "{situation}: it was let through and ended with {ended:?}");
        } else {
            assert!(ended.is_well(), "{situation}: it ended with {ended:?}");
            let is_tried = situation != Situation::Again || called >= 2;
            assert!(is_tried, "{situation}: there was {called} attempt");
        }
        if situation == Situation::Waiting {
            assert!(scene.has_left, "{situation}: it did not wait");
        }
        Self { within, afterwards, completed: scene.clean(), polls }
    }
}

async fn dropped_after(
    subject: &Subject,
    situation: Situation,
    polls: usize,
    is_woken: bool,
    reference: &Reference,
) {
    let woken = if is_woken { " and a wake-up" } else { "" };
    let when = format!("{situation}, dropped after {polls} of {} polls{woken}", reference.polls);
    let mut scene = Scene::set(subject, situation).await;
    scene.bench.stage.stutters(STUTTER);
    let before = scene.calls();
    let (service, mut call) = scene.called().await;
    let steps = if is_woken { polls } else { polls.saturating_sub(1) };
    if has_ended(&mut scene, &mut call, steps).await {
        return;
    }
    // Whatever it waits for after the last poll has not come to pass.
    if !is_woken && polls > 0 && call.poll().is_ready() {
        return;
    }
    let has_gone_on = scene.woken_after.is_some_and(|woken| call.polls() > woken);
    drop(call);
    tokio::task::yield_now().await;

    let clean = scene.clean();
    let expected = if scene.has_left { &reference.afterwards } else { &reference.within };
    // A further attempt that was sent may have been paid for.
    let is_paid = situation == Situation::Again && clean == reference.completed;
    assert!(clean == *expected || is_paid, "{when}: expected {expected}, found {clean}");
    let (in_flight, held) = (scene.bench.stage.seen().in_flight, scene.held.len());
    assert!(in_flight == held, "{when}: the call beneath goes on");
    drop(service);
    let is_sent = scene.calls() > before;
    scene.leave().await;
    let begun = clock::now();
    scene.next_goes_well(&when).await;
    let waited = clock::now() - begun;
    // Who starts nothing takes no turn along that it had not been given.
    let may_wait = is_sent || has_gone_on || situation == Situation::Again;
    assert!(may_wait || waited.is_zero(), "{when}: for the next call that is a wait of {waited:?}");
}

/// Polls a call so many times, until it is woken again. Chance, in a backoff or so, may have made it
/// shorter than another.
async fn has_ended(scene: &mut Scene, call: &mut Call, steps: usize) -> bool {
    for _ in 0..steps {
        match scene.step(call).await {
            Step::Pending => {}
            Step::Ended(_) => return true,
            Step::Panicked(panic) => resume_unwind(panic),
        }
    }
    false
}

/// Another that waits behind it is woken all the same.
async fn dropped_before_another(subject: &Subject, polls: usize, of: usize) {
    let mut scene = Scene::set(subject, Situation::Waiting).await;
    scene.bench.stage.stutters(STUTTER);
    let (_first, mut call) = scene.called().await;
    let has_place = call.poll().is_pending();
    let (_second, mut behind) = scene.called().await;
    // A layer may let only one wait.
    if !has_place || behind.poll().is_ready() {
        return;
    }
    if has_ended(&mut scene, &mut call, polls - 1).await {
        return;
    }
    drop(call);
    let when = format!("it waited behind one that was dropped after {polls} of {of} polls");
    scene.wakes_when_it_ends(&behind, &when).await;
    let ended = scene.ends(&mut behind).await;
    assert!(ended.is_well(), "{when}, and ended with {ended:?}");
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Call,
    Poll,
}

pub(in super::super) async fn panics(subject: &Subject) {
    for situation in subject.situations([Situation::Plain, Situation::Waiting]) {
        for place in [Place::Call, Place::Poll] {
            panicked(subject, situation, place).await;
        }
    }
}

async fn panicked(subject: &Subject, situation: Situation, place: Place) {
    let mut scene = Scene::set(subject, situation).await;
    scene.leave().await;
    let expected = subject.after_panic.clone().unwrap_or_else(|| scene.clean());

    let mut scene = Scene::set(subject, situation).await;
    let when = format!("{situation}, a panic in a {place:?}").to_lowercase();
    let mut service = (scene.bench.service)();
    readied(&mut *service).await;
    if situation == Situation::Plain {
        arm(&scene, place);
    }
    let mut kept = None;
    let panic = match catch_unwind(AssertUnwindSafe(|| service.call())) {
        Err(panic) => Some(panic),
        Ok(mut call) => {
            if situation == Situation::Waiting {
                assert!(call.poll().is_pending(), "{situation}: it did not wait");
                // Those in flight end first; the panic is for the one that waits.
                scene.leave().await;
                arm(&scene, place);
            }
            let panic = loop {
                match scene.step(&mut call).await {
                    Step::Pending => {}
                    // It was answered by another's call, so there is nothing to panic.
                    Step::Ended(_) if scene.bench.stage.is_armed() => return,
                    Step::Ended(_) => break None,
                    Step::Panicked(panic) => break Some(panic),
                }
            };
            kept = Some(call);
            panic
        }
    };
    let is_ours = panic.as_ref().is_some_and(|panic| said(&**panic).contains(PANIC));
    assert!(is_ours, "{when}: it did not reach the caller");
    let clean = scene.clean();
    assert!(clean == expected, "{when}, its future is kept: expected {expected}, found {clean}");
    drop(kept);
    let clean = scene.clean();
    assert!(clean == expected, "{when}, then a drop: expected {expected}, found {clean}");
    if subject.after_panic.is_some() {
        clock::sleep(HOUR).await; // it may refuse for a while
    }
    readied(&mut *service).await;
    let mut next = service.call();
    let ended = scene.ends(&mut next).await;
    assert!(ended.is_well(), "{when}: the next call of the same service ended with {ended:?}");
}

fn arm(scene: &Scene, place: Place) {
    match place {
        Place::Call => scene.bench.stage.panics_in_call(),
        Place::Poll => scene.bench.stage.panics_in_poll(),
    }
}
