use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use std::collections::BTreeMap;
use tower::Layer;

use super::*;
use crate::breaker::CircuitBreaker;
use crate::cooldown::CoolDown;
use crate::http::Key;
use crate::pipeline::{Pipeline, Pipelines};
use crate::rate_limit::RateLimit;

fn get(host: &str) -> Request<Full<Bytes>> {
    Request::get(format!("https://{host}")).body(Full::default()).unwrap()
}

/// A hundred milliseconds, or two seconds where the host is slow.
fn server(
    slow: &'static str,
) -> impl Service<
    Request<Full<Bytes>>,
    Response = Response<Full<Bytes>>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    service_fn(move |request: Request<Full<Bytes>>| async move {
        let is_slow = request.uri().host() == Some(slow);
        sleep(if is_slow { ms(2_000) } else { ms(100) }).await;
        let mut answer = Response::new(Full::default());
        if request.uri().path() == "/fails" {
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        Ok(answer)
    })
}

const HOSTS: [&str; 3] = ["a.example", "b.example", "c.example"];

/// When the last call of each host was answered, of eighty calls to each of three, mixed.
async fn last<W, R>(batch: Batch<W, R, WithIds>) -> BTreeMap<&'static str, Duration>
where
    W: Work<Request<Full<Bytes>>, Error: std::fmt::Debug>,
    R: Readiness<Request<Full<Bytes>>>,
{
    let inputs = (0..240).map(|n| (HOSTS[n % 3], get(HOSTS[n % 3])));
    let mut results = batch.concurrency(60).as_completed(inputs);
    let (began, mut last) = (clock::now(), BTreeMap::new());
    while let Some(done) = results.next().await {
        assert!(done.result.is_ok());
        last.insert(done.id, clock::now().since(began));
    }
    last
}

#[tokio::test(start_paused = true)]
async fn a_host_is_not_slowed_by_one_that_cools_down_and_one_that_is_slow() {
    let pipeline = || {
        let spec = Pipeline::named("api").per_host(|host| host.cool_down(CoolDown::new()));
        spec.build().unwrap()
    };
    let well = last(Batch::through(pipeline().layer(server("none"))).with_ids()).await;
    assert_eq!(well["c.example"], ms(400));

    let pipeline = pipeline();
    let service = pipeline.layer(server("b.example"));
    let _ = Batch::http(service.clone()).all_or_nothing([get("a.example")]).await.unwrap();
    let host = pipeline.host(&Key::new("https://a.example")).unwrap();
    match host.turns().unwrap() {
        crate::pipeline::HostTurns::CoolDown(gate) => _ = gate.close_for(ms(5_000)),
        other => panic!("{other:?}"),
    }
    let ill = last(Batch::through(service).with_ids()).await;
    assert!(ill["a.example"] >= ms(5_000) && ill["b.example"] >= ms(2_000), "{ill:?}");
    assert!(ill["c.example"] <= well["c.example"] * 21 / 20, "{ill:?}, and {well:?} before");
}

#[tokio::test(start_paused = true)]
async fn by_host_a_slow_one_holds_no_more_than_its_share() {
    let well = last(Batch::http(server("none")).with_ids()).await;
    let ill = last(Batch::http(server("b.example")).with_ids()).await;
    assert!(ill["a.example"] <= well["a.example"] && ill["c.example"] <= well["c.example"]);
    // Who knows nothing of hosts is slowed by each of them.
    let blind = last(Batch::over(server("b.example")).with_ids()).await;
    assert!(blind["a.example"] > well["a.example"] * 2, "{blind:?}");
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_for_a_turn_a_slot_or_a_breaker_takes_no_place() {
    let open = CircuitBreaker::new().consecutive_failures(Some(1));
    let specs = [
        Pipeline::named("rate").per_host(|host| host.rate_limit(RateLimit::per_second(10))),
        Pipeline::named("slots").per_host(|host| host.concurrency(1)),
        Pipeline::named("breaker").per_host(|host| host.circuit_breaker(open)),
    ];
    for spec in specs {
        let pipeline = spec.build().unwrap();
        let service = pipeline.layer(server("none"));
        let first = [get("a.example/fails")];
        let _ = Batch::http(service.clone()).all_or_nothing(first).await.unwrap();
        let inputs = (0..40).map(|n| get(if n < 20 { "a.example" } else { "b.example" }));
        let batch = Batch::through(service).concurrency(2).look_ahead(30).deadline(ms(60_000));
        let progress = batch.progress();
        let mut results = batch.as_completed(inputs);
        let first = results.next().await.unwrap();
        let (counts, name) = (progress.counts(), pipeline.name());
        assert!(counts.waiting >= 18, "{name}: {counts:?}");
        assert!(counts.running <= 1 && first.result.is_ok(), "{name}: {counts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_used_to_the_full() {
    let rate = RateLimit::per_second(10);
    let pipeline = Pipeline::named("api").per_host(|host| host.rate_limit(rate)).build().unwrap();
    let batch = Batch::through(pipeline.layer(server("none"))).concurrency(5);
    let (all, took) = timed(batch.all_or_nothing((0..21).map(|_| get("a.example")))).await;
    assert_eq!(all.unwrap().len(), 21);
    assert!((ms(2_000)..=ms(2_130)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn pipelines_say_it_for_the_pipeline_of_the_host() {
    let pipelines = Pipelines::new(Pipeline::named("others")).unwrap();
    let slow = Pipeline::named("slow").per_host(|host| host.rate_limit(RateLimit::per_second(1)));
    pipelines.add(slow, ["b.example"]).unwrap();
    let inputs = || (0..40).map(|n| (n, get(if n % 4 == 0 { "b.example" } else { "a.example" })));
    let service = pipelines.layer(server("none"));
    let mut results = Batch::through(service).with_ids().concurrency(10).as_completed(inputs());
    let (others, took) = timed(async {
        let mut others = 0;
        while others < 30 {
            others += usize::from(results.next().await.unwrap().id % 4 != 0);
        }
        others
    })
    .await;
    assert!(others == 30 && took <= ms(400), "{took:?}");
    let batch = Batch::http(pipelines.layer(server("none"))).asking(pipelines);
    let all = batch.concurrency(2).all_or_nothing((0..3).map(|_| get("a.example"))).await;
    assert_eq!(all.unwrap().len(), 3);
}
