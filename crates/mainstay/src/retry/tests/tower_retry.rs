//! The same decisions in tower's own retry layer.

use tokio_test::{assert_pending, task};
use tower::retry::{RetryLayer as TowerLayer, budget::TpsBudget};

use super::*;
use crate::budget::TowerBudget;
use crate::scope::Scope;

#[tokio::test(start_paused = true)]
async fn tower_s_retry_decides_as_ours_does() {
    let theirs = TowerLayer::new(layer(plain(4)).as_policy());
    let server = Server::always(Reply::Status(503));
    let mut attempts = theirs.layer(server.clone());
    // Only the number of the attempt is not told further in.
    assert_eq!(said(start(&mut attempts, get()).await), Ok(503));
    assert_eq!(server.waits(), [ms(100), ms(200), ms(400)]);
    assert_eq!(said(start(&mut attempts, get()).await), Ok(503));
    assert_eq!(server.count(), 8, "the next call begins at the beginning");
}

#[tokio::test(start_paused = true)]
async fn tower_s_retry_waits_as_long_as_asked_and_within_the_deadline() {
    let theirs = TowerLayer::new(layer(plain(3)).as_policy());
    let asks = || Reply::Says(503, "retry-after", "2".to_owned());
    let server = Server::replies([asks(), Reply::Status(200)]);
    assert_eq!(said(start(&mut theirs.layer(server.clone()), get()).await), Ok(200));
    assert_eq!(server.waits(), [secs(2)]);

    let server = Server::replies([asks(), Reply::Status(200)]);
    let within = Scope::current().until(crate::clock::now() + secs(1));
    let mut service = theirs.layer(server.clone());
    let mut call = task::spawn(within.around(|| start(&mut service, get())));
    let end = within.around(|| call.poll());
    assert_eq!(said(tokio_test::assert_ready!(end)), Ok(503));
    assert_eq!(server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn tower_s_retry_waits_no_longer_beside_work_that_uses_the_budget_of_the_task_up() {
    let theirs = TowerLayer::new(layer(plain(2)).as_policy());
    let server = Server::replies([Reply::Status(503), Reply::Status(200)]);
    let call = start(&mut theirs.layer(server.clone()), get());
    assert_eq!(beside_greedy_work(call).await, Ok(200));
    assert!((ms(100)..ms(120)).contains(&server.waits()[0]), "{:?}", server.waits());
}

#[tokio::test(start_paused = true)]
async fn tower_s_retry_tells_of_its_waits_and_attempts() {
    use crate::observe::Event;
    let theirs = TowerLayer::new(layer(plain(2)).named("users").as_policy());
    let server = Server::replies([Reply::Status(503), Reply::Status(200)]);
    crate::observe::testing::heard();
    start(&mut theirs.layer(server), get()).await.unwrap();
    let (layer, name) = (LAYER, Some("users"));
    let heard = crate::observe::testing::heard();
    let told = [
        Event::Waits { layer, name, wait: Some(ms(100)) },
        Event::Waited { layer, name, took: ms(100) },
        Event::Again { layer, name, attempt: 2 },
    ];
    assert_eq!(heard[1..4], told.map(|event| format!("{event:?}")));
}

#[tokio::test(start_paused = true)]
async fn tower_s_retry_does_not_send_a_post_twice() {
    let theirs = TowerLayer::new(layer(plain(3)).as_policy());
    let server = Server::always(Reply::Status(503));
    assert_eq!(
        said(start(&mut theirs.layer(server.clone()), request(Method::POST)).await),
        Ok(503)
    );
    assert_eq!(server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn tower_s_retry_draws_on_the_same_budget_and_refunds_what_is_dropped() {
    let shared = budget(0.0, 2);
    let ours = layer(plain(3)).budget(Arc::clone(&shared));
    let server = Server::always(Reply::Status(503));
    let mut service = TowerLayer::new(ours.as_policy()).layer(server.clone());
    let mut call = task::spawn(start(&mut service, get()));
    assert_pending!(call.poll());
    assert_eq!((shared.snapshot().available, shared.snapshot().waiting), (1, 1));
    drop(call);
    assert_eq!((shared.snapshot().available, shared.snapshot().waiting), (2, 0));

    called(&ours, &server, get()).await.unwrap();
    assert_eq!(said(start(&mut service, get()).await), Ok(503));
    assert_eq!(server.count(), 1 + 3 + 1, "ours has spent it");
}

#[tokio::test(start_paused = true)]
async fn tower_s_retry_pays_in_for_every_call_also_for_one_that_cannot_be_copied() {
    let shared = budget(1.0, 9);
    while let Some(extra) = shared.withdraw() {
        extra.spend();
    }
    let once = layer(Retry::up_to(1)).budget(Arc::clone(&shared));
    let server = Server::always(Reply::Status(503));
    for layer in [&once, &layer(plain(2)).budget(Arc::clone(&shared))] {
        let mut service = TowerLayer::new(layer.as_policy()).layer(server.clone());
        start(&mut service, get()).await.unwrap();
    }
    assert_eq!(server.count(), 3);
    assert_eq!(shared.snapshot().available, 1, "two calls, of which one took another attempt");
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_tower_s_bounds_our_retries() {
    let theirs = TowerBudget::new(Arc::new(TpsBudget::new(secs(10), 0, 0.5)));
    let at_once = Retry::up_to(2).backoff(Backoff::constant(Duration::ZERO));
    let layer = layer(at_once).budget(theirs);
    let server = Server::always(Reply::Status(503));
    for _ in 0..10 {
        called(&layer, &server, get()).await.unwrap();
    }
    assert_eq!(server.count(), 15);
}
