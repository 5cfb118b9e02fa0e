//! Calls that nobody answers, and that end by themselves.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::super::Subject;
use super::super::bench::{Act, Ended};
use super::super::scene::{Scene, Situation, is_woken_within};
use crate::clock;

pub(in super::super) async fn ends(subject: &Subject) {
    if let Some(after) = subject.times_out {
        is_woken_at_its_end(subject, after).await;
        ends_although_the_budget_is_spent(subject, after).await;
    }
}

async fn is_woken_at_its_end(subject: &Subject, after: Duration) {
    let mut scene = Scene::set(subject, Situation::Plain).await;
    let before = scene.clean();
    (scene.bench.script)(Act::Holds);
    let begun = clock::now();
    let (_service, mut call) = scene.called().await;
    for _ in 0..2 {
        call.change_waker();
        assert!(call.poll().is_pending(), "a call that nobody answers ended at once");
    }
    let ended = loop {
        let woken = is_woken_within(after + SLACK, &call).await;
        assert!(woken, "a call that nobody answers should end after {after:?}, and is not woken");
        if let Poll::Ready(ended) = call.poll() {
            break ended;
        }
    };
    let took = clock::now() - begun;
    let in_time = (after..=after + SLACK).contains(&took);
    assert!(in_time, "a call that nobody answers ended after {took:?} instead of {after:?}");
    drop(call);
    has_failed(&scene, &ended, &before);
    (scene.bench.script)(Act::AnswersWell);
    scene.next_goes_well("after a call that nobody answered").await;
}

/// A timer asks for tokio's budget too, and what lies beneath may have used it up.
#[expect(clippy::panic, reason = "a test fails by panicking")]
async fn ends_although_the_budget_is_spent(subject: &Subject, after: Duration) {
    let scene = Scene::set(subject, Situation::Plain).await;
    let before = scene.clean();
    (scene.bench.script)(Act::Holds);
    scene.bench.stage.is_greedy();
    let (_service, mut call) = scene.called().await;
    let first = poll_fn(|_| Poll::Ready(call.poll_on_budget())).await;
    assert!(first.is_pending(), "a call that nobody answers ended at once");
    clock::sleep(after + SLACK).await;
    let last = poll_fn(|_| Poll::Ready(call.poll_on_budget())).await;
    let Poll::Ready(ended) = last else {
        panic!("a call beneath that uses up tokio's budget at each poll is never ended");
    };
    drop(call);
    has_failed(&scene, &ended, &before);
}

#[track_caller]
fn has_failed(scene: &Scene, ended: &Ended, before: &str) {
    assert!(!ended.is_well(), "a call that nobody answered ended with {ended:?}");
    let in_flight = scene.bench.stage.seen().in_flight;
    assert_eq!(in_flight, 0, "a call that nobody answered has ended, and the one beneath goes on");
    let clean = scene.clean();
    assert!(clean == before, "after a call that ended by itself: expected {before}, found {clean}");
}

/// A timer of tokio may be so late.
const SLACK: Duration = Duration::from_millis(2);
