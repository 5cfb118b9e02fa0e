//! The batch asks the pipeline of each call who would have to wait.
//!
//! Paused time, and no socket.

use std::collections::BTreeMap;

use mainstay::cooldown::CoolDown;
use mainstay::http::Key;
use mainstay::pipeline::{HostTurns, Pipeline};
use mainstay::rate_limit::RateLimit;
use tokio::time::{Instant, sleep};
use tower::service_fn;

use super::*;

/// A server that takes a hundred milliseconds, or two seconds where the host is this.
fn over(spec: PipelineSpec, slow: &'static str) -> Client {
    let server = service_fn(move |request: Request<reqwest::Body>| async move {
        let is_slow = request.uri().host() == Some(slow);
        sleep(Duration::from_millis(if is_slow { 2_000 } else { 100 })).await;
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("well")))
    });
    let client = Client::builder().base_url("http://base.example").over(server);
    client.pipeline(spec.build().unwrap()).build().unwrap()
}

const HOSTS: [&str; 3] = ["http://a.example/", "http://b.example/", "http://c.example/"];

fn cools() -> PipelineSpec {
    Pipeline::named("api").per_host(|host| host.cool_down(CoolDown::new()))
}

/// The first host is to be left alone for five seconds.
async fn cool_down(client: &Client) {
    finishes(client.get(HOSTS[0]).send()).await.unwrap();
    let host = client.pipeline().host(&Key::new("http://a.example")).unwrap();
    match host.turns().unwrap() {
        HostTurns::CoolDown(gate) => _ = gate.close_for(Duration::from_secs(5)),
        other => panic!("{other:?}"),
    }
}

/// When the last call of each host was answered, of eighty calls to each of three, mixed.
async fn last(client: &Client, through: bool) -> BTreeMap<&'static str, Duration> {
    let (began, mut last) = (Instant::now(), BTreeMap::new());
    let inputs = (0..240).map(|n| HOSTS[n % 3]);
    if through {
        let requests = inputs.map(|url| (url, Request::get(url).body("".into()).unwrap()));
        let batch = Batch::through(client.service()).with_ids();
        let mut results = batch.concurrency(60).as_completed(requests);
        while let Some(done) = finishes(results.next()).await {
            assert!(done.result.is_ok());
            last.insert(done.id, began.elapsed());
        }
    } else {
        let batch = client.batch().keep_inputs();
        let mut results = batch.concurrency(60).as_completed(inputs);
        while let Some(done) = finishes(results.next()).await {
            assert!(done.result.is_ok());
            last.insert(done.id, began.elapsed());
        }
    }
    last
}

#[tokio::test(start_paused = true)]
async fn a_host_is_not_slowed_by_one_that_cools_down_and_one_that_is_slow() {
    for through in [false, true] {
        let well = last(&over(cools(), "none"), through).await;
        let client = over(cools(), "b.example");
        cool_down(&client).await;
        let ill = last(&client, through).await;
        let cooled = ill[HOSTS[0]] >= Duration::from_secs(5);
        assert!(cooled && ill[HOSTS[1]] >= Duration::from_secs(2), "{ill:?}");
        // It is even quicker: those that cool down leave their places to it.
        assert!(ill[HOSTS[2]] < well[HOSTS[2]], "{ill:?}, and {well:?} before");
    }
}

/// The keys by which a batch knows what it was asked for.
async fn keys<T>(client: &Client, inputs: Vec<T>) -> Vec<String>
where
    T: mainstay::client::IntoCall,
{
    let batch = client.batch();
    let progress = batch.progress();
    assert!(finishes(batch.all_or_nothing(inputs)).await.is_ok());
    let keys = progress.hosts().into_iter().map(|host| host.host.unwrap().as_str().to_owned());
    keys.collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_asked_for_by_whatever_the_pipeline_keeps_its_state_for() {
    let client = over(cools(), "none");
    assert_eq!(keys(&client, vec!["/path"]).await, ["http://base.example"]);
    let call = client.get("/path").key(Key::new("a tenant"));
    assert_eq!(keys(&client, vec![call]).await, ["a tenant"]);

    // A default field of the client's is there when the pipeline is asked.
    let by_tenant = |head: &mainstay::pipeline::RequestHead<'_>| {
        let tenant = head.headers.get("x-tenant");
        Key::new(tenant.map_or("nobody", |tenant| tenant.to_str().unwrap()))
    };
    let pipeline = Pipeline::named("tenants").build_by(by_tenant).unwrap();
    let echo = service_fn(|_| async { Ok::<_, BoxError>(Response::new(Full::<Bytes>::default())) });
    let client = Client::builder().base_url("http://base.example").over(echo).pipeline(pipeline);
    let client = client.default_header("x-tenant", "acme").build().unwrap();
    assert_eq!(keys(&client, vec!["/path"]).await, ["acme"]);
    let own = client.get("/path").header("x-tenant", "its own");
    assert_eq!(keys(&client, vec![own]).await, ["its own"]);
}

#[tokio::test(start_paused = true)]
async fn the_service_of_a_client_knows_the_host_of_a_path() {
    let client = over(cools(), "none");
    let batch = Batch::through(client.service());
    let progress = batch.progress();
    let inputs = ["/path", HOSTS[0]].map(|url| Request::get(url).body("".into()).unwrap());
    assert_eq!(finishes(batch.all_or_nothing(inputs)).await.unwrap().len(), 2);
    let hosts: Vec<_> = progress.hosts().into_iter().filter_map(|host| host.host).collect();
    assert_eq!(hosts, ["http://a.example", "http://base.example"].map(Key::new));
}

/// The client's pipeline has nobody wait, that of these calls does.
#[tokio::test(start_paused = true)]
async fn a_call_with_a_pipeline_of_its_own_waits_for_that_one_outside() {
    let client = over(cools(), "none");
    let rate = RateLimit::per_second(1);
    let slow = Pipeline::named("slow").per_host(|host| host.rate_limit(rate)).build().unwrap();
    let inputs = (0..40).map(|n| {
        let call = client.get(HOSTS[0]);
        (n, if n % 4 == 0 { call.pipeline(&slow).key(Key::new("slow")) } else { call })
    });
    let mut results = client.batch().with_ids().concurrency(10).as_completed(inputs);
    let (began, mut others) = (Instant::now(), 0);
    while others < 30 {
        let done = finishes(results.next()).await.unwrap();
        others += u32::from(done.id % 4 != 0);
    }
    assert!(began.elapsed() <= Duration::from_millis(400), "{:?}", began.elapsed());
}
