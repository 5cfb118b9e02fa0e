//! Calls that end early: by a drop, by a panic.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::super::scene::{Scene, Situation, Step, readied};
use super::super::{Subject, said};
use super::ALL;
use crate::script::PANIC;

/// So often the scripted service is pending before it is ready, and before it answers.
const STUTTER: usize = 2;

pub(in super::super) async fn drops(subject: &Subject) {
    for situation in subject.situations(ALL) {
        let reference = Reference::of(subject, situation).await;
        for polls in 0..reference.polls {
            dropped_after(subject, situation, polls, &reference).await;
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
            let expected = if situation == Situation::Again { 2 } else { 1 };
            assert!(called >= expected, "{situation}: there were {called} attempts");
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
    reference: &Reference,
) {
    let when = format!("{situation}, dropped after {polls} of {} polls", reference.polls);
    let mut scene = Scene::set(subject, situation).await;
    scene.bench.stage.stutters(STUTTER);
    let (service, mut call) = scene.called().await;
    for _ in 1..polls {
        match scene.step(&mut call).await {
            Step::Pending => {}
            Step::Ended(_) => return, // chance, in a backoff or so, made it shorter this time
            Step::Panicked(panic) => resume_unwind(panic),
        }
    }
    // Whatever it waits for after the last poll has not come to pass when it is dropped.
    if polls > 0 && call.poll().is_ready() {
        return;
    }
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
    scene.next_goes_well(&when).await;
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Call,
    Poll,
}

pub(in super::super) async fn panics(subject: &Subject) {
    for situation in subject.situations([Situation::Plain, Situation::Waiting]) {
        for place in [Place::Call, Place::Poll] {
            for is_kept in [false, true] {
                panicked(subject, situation, place, is_kept).await;
            }
        }
    }
}

async fn panicked(subject: &Subject, situation: Situation, place: Place, is_kept: bool) {
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
    if !is_kept {
        kept = None;
    }
    let clean = scene.clean();
    let whose = if is_kept { "whose future is kept" } else { "whose future is gone" };
    assert!(clean == expected, "{when}, {whose}: expected {expected}, found {clean}");
    drop(kept);
    let clean = scene.clean();
    assert!(clean == expected, "{when}, and a late drop: expected {expected}, found {clean}");
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
