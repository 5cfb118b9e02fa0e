//! State belongs to the layer.

use super::super::Subject;
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
            if situation == Situation::Refused {
                scene.ends(&mut call).await;
            } else {
                drop(call.poll());
            }
            let is_kept_out = scene.calls() == before;
            assert!(is_kept_out, "{situation}: another service of {whose} let it through");
        }
        drop(services);
        scene.next_goes_well("after calls at several services of one layer").await;
    }
}
