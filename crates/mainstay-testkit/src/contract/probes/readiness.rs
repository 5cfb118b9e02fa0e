//! Who is ready, who is called, and who keeps a place from others.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::super::Subject;
use super::super::bench::{Act, AnyService, Call, Kind};
use super::super::scene::{HOUR, Scene, Situation, is_woken_within, readied};
use super::ALL;
use crate::{Polled, clock};

/// Often enough that whatever is taken each time runs out.
const MANY: usize = 100;

pub(in super::super) async fn readiness(subject: &Subject) {
    for situation in subject.situations([Situation::Plain, Situation::Waiting, Situation::Refused])
    {
        only_forwards(subject, situation).await;
        changes_nothing(subject, situation).await;
    }
}

async fn only_forwards(subject: &Subject, situation: Situation) {
    let scene = Scene::set(subject, situation).await;
    let before = scene.clean();
    let mut service = (scene.bench.service)();
    scene.bench.stage.withholds_readiness();
    let mut ready = Polled::new(poll_fn(|cx| service.poll_ready(cx)));
    for _ in 0..MANY {
        let polled = ready.poll();
        assert!(
            polled.is_pending(),
            "{situation}: the inner service is not ready, and `poll_ready` gave {polled:?}"
        );
    }
    assert_eq!(scene.clean(), before, "{situation}: a `poll_ready` that is pending changed this");
    scene.bench.stage.gives_readiness();
    let polled = ready.poll();
    assert!(
        polled == Poll::Ready(Ok(())),
        "{situation}: the inner service is ready, and `poll_ready` gave {polled:?}"
    );

    let scene = Scene::set(subject, situation).await;
    (scene.bench.script)(Act::Dies);
    let mut service = (scene.bench.service)();
    let polled = Polled::new(poll_fn(|cx| service.poll_ready(cx))).poll();
    let death = &scene.bench.death;
    // Another layer may have put the error into one of its own, or taken it out.
    let is_it = |error: &String| error.contains(death) || death.contains(error);
    assert!(
        matches!(&polled, Poll::Ready(Err(error)) if is_it(error)),
        "{situation}: the inner service is dead with {death}, and `poll_ready` gave {polled:?}"
    );
    assert_eq!(scene.clean(), before, "{situation}: a `poll_ready` that failed changed this");
}

async fn changes_nothing(subject: &Subject, situation: Situation) {
    let scene = Scene::set(subject, situation).await;
    let before = scene.clean();
    let mut services: Vec<_> = vec![(scene.bench.service)()];
    for _ in 0..MANY {
        services.extend(services.first().map(|service| service.twin()));
    }
    for service in &mut services {
        for _ in 0..2 {
            readied(&mut **service).await;
        }
    }
    let what = format!("{situation}: a service that is ready and was not called changed this");
    assert_eq!(scene.clean(), before, "{what}");
    drop(services);
    assert_eq!(scene.clean(), before, "{what} when it was dropped");
}

pub(in super::super) async fn unready(subject: &Subject) {
    for situation in subject.situations(ALL) {
        let mut scene = Scene::set(subject, situation).await;
        // The readiness of one is not that of its clones, nor the other way round.
        let mut service = (scene.bench.service)();
        readied(&mut *service).await;
        let mut twin = service.twin();
        readied(&mut *twin).await;
        for one in &mut [service, twin] {
            let mut call = one.call();
            scene.ends(&mut call).await;
        }
        scene.next_goes_well("after a call beside a ready clone").await;
    }
    for situation in subject.situations([Situation::Waiting, Situation::Again]) {
        waits_for_readiness(subject, situation).await;
    }
}

async fn waits_for_readiness(subject: &Subject, situation: Situation) {
    let mut scene = Scene::set(subject, situation).await;
    let (_service, mut call) = scene.called().await;
    scene.bench.stage.withholds_readiness();
    let polled = call.poll();
    assert!(
        situation == Situation::Again || polled.is_pending(),
        "{situation}: it did not wait, it ended with {polled:?}"
    );
    scene.leave().await;
    let mut ended = polled.is_ready();
    while !ended && is_woken_within(HOUR, &call).await {
        ended = call.poll().is_ready();
    }
    scene.bench.stage.gives_readiness();
    if !ended {
        scene.ends(&mut call).await;
    }
    scene.next_goes_well("after a call that waited for the service beneath").await;
}

pub(in super::super) async fn strands(subject: &Subject) {
    if subject.tries_again {
        pauses_without_a_place(subject).await;
    }
    for situation in subject.situations(ALL) {
        for is_dropped in [false, true] {
            strands_nothing(subject, situation, is_dropped).await;
        }
    }
}

/// Between two attempts a call keeps no place. It may be so quick that there is no pause.
async fn pauses_without_a_place(subject: &Subject) {
    let mut scene = Scene::set(subject, Situation::Again).await;
    scene.bench.stage.has_places(1);
    let (_idle, mut call) = scene.called().await;
    for _ in 0..MANY {
        if call.poll().is_ready() {
            break;
        }
        if call.is_woken() {
            continue;
        }
        let mut other = (scene.bench.service)();
        let polled = Polled::new(poll_fn(|cx| other.poll_ready(cx))).poll();
        assert!(
            polled == Poll::Ready(Ok(())),
            "{}: it pauses and keeps the one place that the server has; another gets {polled:?}",
            Situation::Again
        );
        drop(other);
        let is_woken = is_woken_within(HOUR, &call).await;
        assert!(is_woken, "{}: nobody wakes it from its pause", Situation::Again);
    }
    scene.next_goes_well("after a pause over a server with one place").await;
}

async fn strands_nothing(subject: &Subject, situation: Situation, is_dropped: bool) {
    let mut scene = Scene::set(subject, situation).await;
    let taken = match scene.condition().map(|condition| condition.kind) {
        Some(Kind::InFlight(calls)) => calls,
        _ => 0,
    };
    scene.bench.stage.has_places(taken + 1);

    let (_idle, mut call) = scene.called().await;
    let mut first = None;
    if is_dropped {
        drop(call);
    } else if situation == Situation::Waiting {
        assert!(call.poll().is_pending(), "{situation}: it did not wait");
        first = Some(call);
    } else {
        scene.ends(&mut call).await;
    }
    let mut other = (scene.bench.service)();
    let polled = Polled::new(poll_fn(|cx| other.poll_ready(cx))).poll();
    assert!(
        polled == Poll::Ready(Ok(())),
        "{situation}: it has {}, its idle service keeps the one place that the server has, and \
         another gets {polled:?}",
        if is_dropped { "been dropped" } else { "ended or waits" }
    );
    if let Some(first) = first {
        all_get_through(&mut scene, first, &mut *other).await;
    }
    drop(other);
    scene.next_goes_well("over a server with one place").await;
}

/// Two that wait for the same, over one place.
async fn all_get_through(scene: &mut Scene, first: Call, other: &mut dyn AnyService) {
    let mut second = other.call();
    let mut calls: Vec<Call> = vec![first];
    if second.poll().is_pending() {
        calls.push(second);
    }
    scene.leave().await;
    for _ in 0..HOUR.as_secs() {
        calls.retain_mut(|call| !(call.is_woken() && call.poll().is_ready()));
        if calls.is_empty() {
            return;
        }
        clock::sleep(Duration::from_secs(1)).await;
    }
    let stuck = calls.len();
    assert_eq!(stuck, 0, "of two calls that waited over one place, so many are stuck");
}
