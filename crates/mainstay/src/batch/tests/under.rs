use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use mainstay_policy::backoff::Backoff;
use mainstay_policy::budget::{Budget, RetryBudget};
use std::panic::AssertUnwindSafe;
use tokio_test::{assert_pending, task};
use tower::Layer;

use super::*;
use crate::breaker::CircuitBreaker;
use crate::http::Key;
use crate::pipeline::{Pipeline, PipelineService, PipelineSpec};
use crate::retry::Retry;
use crate::scope;

fn get(host: &str) -> Request<Full<Bytes>> {
    Request::get(format!("https://{host}")).body(Full::default()).unwrap()
}

/// Fails so many times in a row, and then not.
fn through(
    spec: PipelineSpec,
    server: &Server,
    fails: usize,
) -> PipelineService<
    impl Service<
        Request<Full<Bytes>>,
        Response = Response<Full<Bytes>>,
        Error = Infallible,
        Future: Send,
    >
    + Clone
    + Send
    + 'static
    + use<>,
> {
    let server = server.clone();
    spec.build().unwrap().layer(service_fn(move |_: Request<Full<Bytes>>| {
        let live = server.enters();
        let mut answer = Response::new(Full::default());
        if server.started() <= fails {
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        async move {
            sleep(ms(10)).await;
            drop(live);
            Ok(answer)
        }
    }))
}

fn retrying(wait: u64) -> PipelineSpec {
    let backoff = Backoff::constant(ms(wait));
    Pipeline::named("api").retry(Retry::up_to(3).backoff(backoff))
}

#[tokio::test(start_paused = true)]
async fn layers_beneath_know_when_the_time_of_the_batch_is_over() {
    let server = Server::default();
    let batch = |deadline| {
        let service = through(retrying(500), &server, usize::MAX);
        Batch::http(service).deadline(ms(deadline)).keep_everything([get("a.example")])
    };
    let (all, took) = timed(batch(300)).await;
    assert!(all[0].result.is_ok(), "no wait is begun that could not end in time");
    assert_eq!((server.started(), took), (1, ms(10)));
    let (_, took) = timed(batch(600)).await;
    assert_eq!((server.started(), took), (3, ms(520)));
}

#[tokio::test(start_paused = true)]
async fn what_the_deadline_ends_has_timed_out_and_was_not_given_up() {
    let breaker = CircuitBreaker::new().consecutive_failures(Some(1));
    let pipeline =
        Pipeline::named("api").per_host(|host| host.circuit_breaker(breaker)).build().unwrap();
    let hangs = service_fn(|_: Request<Full<Bytes>>| async {
        sleep(ms(999_999)).await;
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let batch = Batch::http(pipeline.layer(hangs)).deadline(ms(50));
    let all = batch.keep_everything([get("a.example")]).await;
    assert!(matches!(all[0].result, Err(ItemError::Deadline)));
    let host = pipeline.host(&Key::new("https://a.example")).unwrap();
    assert_eq!(host.circuit_breaker().unwrap().state(), crate::policy::breaker::BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_budget_bounds_the_further_attempts_of_the_whole_batch() {
    let server = Server::default();
    let budget = Arc::new(Budget::new(RetryBudget::new().ratio(0.1).reserve(5)).unwrap());
    while let Some(extra) = budget.withdraw() {
        extra.spend();
    }
    let batch = Batch::http(through(retrying(1), &server, usize::MAX));
    let batch = batch.budget(Arc::clone(&budget)).concurrency(10);
    let progress = batch.progress();
    let hosts = ["a.example", "b.example"];
    let all = batch.keep_everything((0..100).map(|n| get(hosts[n % 2]))).await;
    assert_eq!(all.len(), 100);
    assert_eq!((server.started(), progress.counts().retried), (110, 10));
    assert_eq!(budget.snapshot().available, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_sees_each_host_and_what_was_sent_again() {
    let server = Server::default();
    let batch = Batch::http(through(retrying(500), &server, 2)).concurrency(2);
    let progress = batch.progress();
    let inputs = ["a.example", "b.example", "a.example", "a.example"].map(get);
    let mut results = batch.as_completed(inputs);
    assert!(tokio::time::timeout(ms(100), results.next()).await.is_err());
    let hosts = progress.hosts();
    let names: Vec<_> = hosts.iter().map(|host| host.host.as_ref().unwrap().as_str()).collect();
    assert_eq!(names, ["https://a.example", "https://b.example"]);
    assert_eq!((hosts[0].running, hosts[1].running), (1, 1));
    while results.next().await.is_some() {}
    let hosts = progress.hosts();
    assert_eq!(
        hosts.iter().map(|host| (host.done, host.failed)).collect::<Vec<_>>(),
        [(3, 0), (1, 0)]
    );
    assert_eq!(progress.counts().retried, 2);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_held_back_says_for_how_long() {
    let rate = crate::rate_limit::RateLimit::per_second(1);
    let spec = Pipeline::named("api").per_host(|host| host.rate_limit(rate));
    let batch = Batch::through(through(spec, &Server::default(), 0)).concurrency(1);
    let progress = batch.progress();
    let mut results = batch.as_completed([get("a.example"), get("a.example")]);
    results.next().await.unwrap();
    assert!(tokio::time::timeout(ms(90), results.next()).await.is_err());
    let hosts = progress.hosts();
    assert_eq!((hosts[0].waiting, hosts[0].opens_in), (1, Some(ms(900))));
    assert!(results.next().await.unwrap().result.is_ok());
}

/// A batch is a part of whatever polls it, and one of its calls says nothing of the others.
#[tokio::test(start_paused = true)]
async fn a_call_that_stands_in_a_queue_says_nothing_of_the_batch() {
    let one = Pipeline::named("api").per_host(|host| host.concurrency(1));
    let batch = Batch::http(through(one, &Server::default(), 0));
    let mut results = task::spawn(batch.as_completed([get("a.example"), get("a.example")]));
    let (polled, beneath) = scope::attempt(|| results.poll_next());
    assert_pending!(polled);
    assert!(!beneath.is_queued);
}

#[tokio::test(start_paused = true)]
async fn inputs_that_panic_end_the_batch_and_whatever_runs() {
    let server = Server::default();
    let inputs = (0..5).map(|n| if n == 3 { panic!("no more") } else { 999 });
    let all = Batch::over(server.service()).keep_everything(inputs);
    let end = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(all)).await;
    assert!(end.is_err());
    assert_eq!((server.started(), server.live()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn progress_is_a_stream_that_ends_with_the_batch() {
    use futures_util::StreamExt;
    let batch = Batch::over(Server::default().service()).concurrency(1);
    let progress = batch.progress();
    let counting = tokio::spawn(progress.map(|counts| counts.done).collect::<Vec<_>>());
    let work = tokio::spawn(async move { batch.keep_everything([1, 2, 3]).await.len() });
    assert_eq!(work.await.unwrap(), 3);
    let (counted, _) = timed(counting).await;
    let counted = counted.unwrap();
    assert!(counted.is_sorted() && counted.last() == Some(&3), "{counted:?}");

    let batch = Batch::over(Server::default().service()).concurrency(1).deadline(ms(5));
    let mut progress = batch.progress();
    let mut results = batch.in_order([3, 3, 3]);
    while results.next().await.is_some() {}
    assert_eq!(progress.next().await.unwrap().done, 1);
    let (next, _) = timed(progress.next()).await;
    assert_eq!(next, None, "though the results are still there");
    drop(results);

    let dropped = Batch::over(Server::default().service());
    let mut progress = dropped.progress();
    drop(dropped);
    assert_eq!(Box::pin(progress.next()).await, None);
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_is_woken_by_what_is_new_and_by_nothing_else() {
    let batch = Batch::over(Server::default().service()).concurrency(1);
    let mut follower = task::spawn(batch.progress());
    let mut results = task::spawn(batch.as_completed([3, 3]));
    assert_pending!(follower.poll_next());
    assert_pending!(results.poll_next());
    assert!(follower.is_woken());
    assert!(follower.poll_next().is_ready());
    assert_pending!(follower.poll_next());
    assert_pending!(results.poll_next());
    assert!(!follower.is_woken(), "nothing has changed");
    tokio::time::advance(ms(3)).await;
    assert!(results.poll_next().is_ready() && follower.is_woken());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_refused_was_not_sent_again() {
    let breaker = CircuitBreaker::new().consecutive_failures(Some(1));
    let server = Server::default();
    let spec = retrying(1).per_host(|host| host.circuit_breaker(breaker));
    let batch = Batch::http(through(spec, &server, 9));
    let progress = batch.progress();
    let _ = batch.keep_everything([get("a.example")]).await;
    assert_eq!(progress.counts().retried, server.started() as u64 - 1);
}
