//! nginx that limits.

use std::time::Instant;

use mainstay::batch::{Batch, Completed};
use mainstay::pipeline::Pipeline;
use mainstay_testkit::server::{Faulty, Reply};
use tower::Layer;

use crate::calls::{bare, get, ms, ours, patient};
use crate::nginx::Nginx;

const CALLS: usize = 400;
/// At once.
const MANY: u32 = 16;

/// Answers "well" to whoever it lets through.
fn well(limit: &str) -> String {
    // `return` comes before limits are looked at, so it stands behind a file that is not there.
    format!(
        "location / {{ {limit} try_files /none @well; }}\nlocation @well {{ return 200 well; }}"
    )
}

/// Takes 20 in a second, and a burst of 10.
async fn twenty_per_second(status: u16, limit: &str) -> Nginx {
    let zone = "limit_req_zone $server_port zone=one:1m rate=20r/s;";
    let http = format!("{zone} limit_req_status {status};");
    Nginx::starts(&http, &well(&format!("limit_req zone=one burst=10{limit};"))).await
}

fn urls(nginx: &Nginx, calls: usize) -> Vec<String> {
    (0..calls).map(|n| nginx.url(&format!("/{n}"))).collect()
}

/// How many of these calls are answered well, over hyper's client and this pipeline.
async fn wells(pipeline: &Pipeline, calls: u32, urls: Vec<String>) -> usize {
    let inputs = urls.into_iter().map(|url| get(&url));
    let batch = Batch::through(pipeline.layer(bare())).concurrency(calls);
    count(&batch.error_for_status().keep_everything(inputs).await)
}

fn count<T, E>(done: &[Completed<T, E>]) -> usize {
    done.iter().filter(|done| done.result.is_ok()).count()
}

/// Says what came of it, and how many requests were too many, of how many.
fn shows(what: &str, wells: usize, nginx: &Nginx, refused: u16, began: Instant) -> (usize, usize) {
    let (refused, seconds) = (nginx.answered(refused), began.elapsed().as_secs_f64());
    let all = nginx.log().len();
    println!("    {what}: {wells} well; {refused} of {all} requests too many; {seconds:.1} s");
    (refused, all)
}

/// Whether so many in a hundred were too many at most. A machine that stalls has callers come in
/// crowds, which no gate sees to; so there are two rounds.
fn is_few(what: &str, (refused, all): (usize, usize), most_in_100: usize, is_last: bool) -> bool {
    let is_few = refused * 100 <= all * most_in_100;
    assert!(is_few || !is_last, "{what}: {refused} of {all}");
    is_few
}

/// It says nothing on how long to wait: the cool-down learns it.
pub(crate) async fn a_batch_learns_the_rate_of_limit_req() {
    let alone = async {
        let (nginx, began) = (twenty_per_second(429, "").await, Instant::now());
        let inputs = urls(&nginx, CALLS).into_iter().map(|url| get(&url));
        let batch = Batch::http(bare()).concurrency(MANY).error_for_status();
        let wells = count(&batch.keep_everything(inputs).await);
        shows("no pipeline", wells, &nginx, 429, began);
        assert!(wells < CALLS / 2, "it mostly fails");
    };
    let over_hyper = |what: &'static str, limit: &'static str, most_in_100: usize| async move {
        for is_last in [false, true] {
            let (nginx, began) = (twenty_per_second(429, limit).await, Instant::now());
            let pipeline = patient(MANY).build().unwrap();
            let wells = wells(&pipeline, MANY, urls(&nginx, CALLS)).await;
            let refused = shows(what, wells, &nginx, 429, began);
            assert_eq!(wells, CALLS);
            if is_few(what, refused, most_in_100, is_last) {
                return;
            }
        }
    };
    let over_ours = async {
        for is_last in [false, true] {
            let (nginx, began) = (twenty_per_second(429, "").await, Instant::now());
            let client = ours(&patient(MANY).build().unwrap());
            let batch = client.batch().concurrency(MANY).error_for_status();
            let wells = count(&batch.keep_everything(urls(&nginx, CALLS)).await);
            let refused = shows("our client", wells, &nginx, 429, began);
            assert_eq!(wells, CALLS);
            if is_few("our client", refused, 5, is_last) {
                return;
            }
        }
    };
    alone.await;
    tokio::join!(
        over_hyper("over hyper", "", 5),
        // What comes at once is refused at once, each time until the rate is known.
        over_hyper("over hyper, nodelay", " nodelay", 10),
        over_ours,
    );
}

/// nginx's default, which looks as if it were down: the breaker holds calls back.
pub(crate) async fn a_batch_gets_through_a_limit_that_says_503() {
    let gets_through = |what: &'static str, more: &'static str| async move {
        let (nginx, began) = (twenty_per_second(503, more).await, Instant::now());
        let pipeline = patient(MANY).build().unwrap();
        let wells = wells(&pipeline, MANY, urls(&nginx, 60)).await;
        let (refused, all) = shows(what, wells, &nginx, 503, began);
        assert!(wells == 60 && refused > 0 && refused < all / 2, "{what}: {refused} of {all}");
    };
    let asked = "; add_header retry-after 1 always";
    tokio::join!(gets_through("503", ""), gets_through("503 with Retry-After", asked));
}

/// It takes eight at once; so do eight slots.
pub(crate) async fn limit_conn_is_kept_within_by_as_many_slots() {
    let upstream = Faulty::start(|_| Reply::ok("well").after(ms(20))).unwrap();
    let http = format!(
        "limit_conn_zone $server_port zone=one:1m; limit_conn_status 503;\n         upstream slow {{ server {}; }}",
        upstream.address()
    );
    let server = "location / { limit_conn one 8; proxy_pass http://slow; }";
    let mut refused = Vec::new();
    for (slots, expected) in [(64, None), (8, Some(1_000))] {
        let (nginx, began) = (Nginx::starts(&http, server).await, Instant::now());
        let spec = patient(slots).per_host(|mut host| {
            host.circuit_breaker = None; // it would hide how many are refused
            host
        });
        let wells = wells(&spec.build().unwrap(), 64, urls(&nginx, 1_000)).await;
        refused.push(shows(&format!("{slots} slots"), wells, &nginx, 503, began).0);
        assert!(expected.is_none_or(|expected| wells == expected));
    }
    assert!(refused[0] > 100 && refused[1] == 0, "{refused:?}");
}
