//! Who is woken, and how often.

use std::future::poll_fn;
use std::task::Poll;

use super::super::Subject;
use super::super::bench::{Act, Call};
use super::super::scene::{HOUR, Scene, Situation};
use crate::{Polled, clock};

pub(in super::super) async fn wakers(subject: &Subject) {
    let mut scene = Scene::set(subject, Situation::Plain).await;
    let mut service = (scene.bench.service)();
    scene.bench.stage.withholds_readiness();
    let mut ready = Polled::new(poll_fn(|cx| service.poll_ready(cx)));
    polled_by_two(&mut ready, "`poll_ready`");
    scene.bench.stage.gives_readiness();
    assert!(ready.is_woken(), "`poll_ready`: the task that polled last is not woken");
    drop(ready);

    (scene.bench.script)(Act::Holds);
    let (_service, mut call) = scene.called().await;
    polled_by_two(&mut call, "a call");
    (scene.bench.script)(Act::AnswersHeld);
    assert!(call.is_woken(), "a call that is answered: the task that polled last is not woken");
    scene.ends(&mut call).await;

    if subject.waits {
        let mut scene = Scene::set(subject, Situation::Waiting).await;
        let (_service, mut call) = scene.called().await;
        polled_by_two(&mut call, "a call that must wait");
        scene.wakes_when_it_ends(&call, "it waited in two tasks").await;
        scene.ends(&mut call).await;
        wakes_the_second(subject).await;
    }
}

/// What wakes the first in line may be something else than what wakes those behind it.
async fn wakes_the_second(subject: &Subject) {
    let mut scene = Scene::set(subject, Situation::Waiting).await;
    let (_one, mut first) = scene.called().await;
    let (_other, mut second) = scene.called().await;
    // A layer may let only one wait.
    if first.poll().is_ready() || second.poll().is_ready() {
        return;
    }
    polled_by_two(&mut second, "a call that waits behind another");
    drop(first);
    scene.wakes_when_it_ends(&second, "it waited in two tasks behind another").await;
    scene.ends(&mut second).await;
}

fn polled_by_two<F: Future>(polled: &mut Polled<F>, what: &str) {
    for _ in 0..2 {
        polled.change_waker();
        assert!(polled.poll().is_pending(), "{what}: it cannot have ended yet");
    }
}

pub(in super::super) async fn spins(subject: &Subject) {
    let scene = Scene::set(subject, Situation::Plain).await;
    let mut service = (scene.bench.service)();
    scene.bench.stage.withholds_readiness();
    let mut ready = Polled::new(poll_fn(|cx| service.poll_ready(cx)));
    let wakes = idle_wakes(subject, &scene, &mut ready).await;
    assert_eq!(wakes, 0, "`poll_ready` was woken while the inner service was not ready");
    drop(ready);
    scene.bench.stage.gives_readiness();

    (scene.bench.script)(Act::Holds);
    let (_service, mut call) = scene.called().await;
    let wakes = idle_wakes(subject, &scene, &mut call).await;
    is_fair(subject, wakes, "a call that nobody answers");

    if subject.waits {
        let scene = Scene::set(subject, Situation::Waiting).await;
        (scene.bench.script)(Act::Holds);
        let (_service, mut call) = scene.called().await;
        let wakes = idle_wakes(subject, &scene, &mut call).await;
        is_fair(subject, wakes, "a call that waits");
    }
    few_polls(subject).await;
}

#[track_caller]
fn is_fair(subject: &Subject, wakes: usize, what: &str) {
    let fair = subject.timers;
    assert!(wakes <= fair, "{what}: woken {wakes} times for nothing in an hour, {fair} are fair");
}

/// How often one is woken for nothing in an hour.
async fn idle_wakes<F: Future>(subject: &Subject, scene: &Scene, polled: &mut Polled<F>) -> usize {
    let mut hour = Box::pin(clock::sleep(HOUR));
    let mut wakes = 0;
    let mut calls = scene.calls();
    let mut is_woken = true; // for its first poll
    while is_woken {
        if polled.poll().is_ready() {
            return wakes;
        }
        if polled.polls() > 1 && scene.calls() == calls {
            wakes += 1;
        }
        calls = scene.calls();
        if wakes > subject.timers + MANY {
            return wakes;
        }
        is_woken = poll_fn(|cx| {
            let mut woken = std::pin::pin!(polled.woken());
            if woken.as_mut().poll(cx).is_ready() {
                return Poll::Ready(true);
            }
            hour.as_mut().poll(cx).map(|()| false)
        })
        .await;
    }
    wakes
}

/// Enough to know that it spins.
const MANY: usize = 10;

async fn few_polls(subject: &Subject) {
    let mut scene = Scene::set(subject, Situation::Plain).await;
    (scene.bench.script)(Act::Holds);
    let before = scene.bench.stage.seen().polls;
    let (_service, mut call) = scene.called().await;
    assert!(call.poll().is_pending(), "a call that nobody answers has ended");
    (scene.bench.script)(Act::AnswersHeld);
    scene.ends(&mut call).await;
    has_few_polls(subject, &call, "a call that is answered after its first poll");
    let (beneath, most) = (scene.bench.stage.seen().polls - before, subject.polls);
    assert!(beneath <= most, "the call beneath was polled {beneath} times, {most} are fair");

    if subject.waits {
        let mut scene = Scene::set(subject, Situation::Waiting).await;
        let (_service, mut call) = scene.called().await;
        scene.ends(&mut call).await;
        has_few_polls(subject, &call, "a call that waited once");
    }
}

#[track_caller]
fn has_few_polls(subject: &Subject, call: &Call, what: &str) {
    let (polls, most) = (call.polls(), subject.polls);
    assert!(polls <= most, "{what}: it took {polls} polls, {most} are fair");
}
