//! State belongs to the layer.

use super::super::Subject;
use super::super::bench::Call;
use super::super::scene::{Scene, Situation, readied};

pub(in super::super) async fn shared(subject: &Subject) {
    for situation in subject.situations([Situation::Waiting, Situation::Refused]) {
        let mut scene = Scene::set(subject, situation).await;
        let before = scene.calls();
        // Those that brought it about are gone or in flight; these are made afterwards.
        let mut services = [(scene.bench.service)(), (scene.bench.service_of_clone)()];
        for (service, whose) in services.iter_mut().zip(["the layer", "a clone of the layer"]) {
            readied(&mut **service).await;
            let mut call = service.call();
            let ended = call.poll();
            assert!(
                scene.calls() == before,
                "{situation}: another service of {whose} let it through"
            );
            if situation == Situation::Waiting {
                assert!(
                    ended.is_pending(),
                    "{situation}: at another service of {whose} it ended with {ended:?}"
                );
            }
            if ended.is_pending() && situation == Situation::Refused {
                refused_later(&mut scene, &mut call).await;
                assert!(scene.calls() == before, "{situation}: at {whose} it got through later");
            }
        }
        drop(services);
        scene.next_goes_well("after calls at several services of one layer").await;
    }
}

async fn refused_later(scene: &mut Scene, call: &mut Call) {
    let ended = scene.ends(call).await;
    assert!(!ended.is_well(), "{}: it went well", scene.situation);
}
