//! What does a server get, and what do its callers, when it is down for a minute?
//!
//! `cargo run --example what_does_an_outage_cost_a_pipeline`
//!
//! A hundred calls a second go through `Pipeline::standard()`, in paused time. The server is well for
//! ten seconds, answers every request with a 503 for sixty, and is well again.
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Full;
use mainstay::breaker::{BreakerGuard, BreakerState};
use mainstay::budget::RetryBudget;
use mainstay::http::Key;
use mainstay::pipeline::{HostHandle, Pipeline, PipelineSpec};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};
use tower::{Layer, ServiceExt, service_fn};

/// How many calls are made in a second.
pub(crate) const CALLS: u32 = 100;
/// The seconds in which the server is down.
pub(crate) const OUTAGE: std::ops::Range<usize> = 10..70;
/// How many seconds there are in all.
pub(crate) const SECONDS: usize = 120;

/// What happened in one second.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Second {
    /// How many requests the server got.
    pub(crate) sent: u32,
    /// How many of them were a second or third attempt.
    pub(crate) extra: u32,
    /// How many calls ended in it that were not sent at all.
    pub(crate) refused: u32,
    /// How many calls ended well in it, of which some have waited.
    pub(crate) well: u32,
    /// What the breaker was at its end.
    pub(crate) breaker: Option<BreakerState>,
}

type Seconds = Arc<Mutex<Vec<Second>>>;

/// How often a call was sent.
#[derive(Clone, Default)]
struct Sent(Arc<AtomicU32>);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build()?;
    let standard = runtime.block_on(outage(&Pipeline::standard()));
    let without = runtime.block_on(outage(&without_breaker().build()?));

    println!("{CALLS} calls a second; the server is down from {OUTAGE:?} s.\n");
    println!("            the standard pipeline                   without its breaker");
    println!("second      sent  extra  refused  well  breaker       sent  extra  well");
    let rows = [0..10, 10..11, 11..15, 15..30, 30..50, 50..70, 70..72, 72..75, 75..80, 80..120];
    for seconds in rows {
        let (one, other) = (sum(&standard[seconds.clone()]), sum(&without[seconds.clone()]));
        let breaker =
            format!("{:?}", standard[seconds.end - 1].breaker.unwrap_or(BreakerState::Closed));
        println!(
            "{:>3}..{:<3} {:>8} {:>6} {:>8} {:>5}  {breaker:<10} {:>7} {:>6} {:>5}",
            seconds.start,
            seconds.end,
            one.sent,
            one.extra,
            one.refused,
            one.well,
            other.sent,
            other.extra,
            other.well,
        );
    }
    for (name, seconds) in [("the standard pipeline", &standard), ("without the breaker", &without)]
    {
        let (load, most, again) = (load(seconds), most_extra(), well_again_after(seconds));
        println!("\n{name}:");
        println!("  the outage costs the server {load:.2} times its usual load");
        println!(
            "  {} extra attempts in it, and {most} were the most",
            sum(&seconds[OUTAGE]).extra
        );
        println!(
            "  it serves all again {again} s after it is well, and never gets more than {} in a second",
            busiest(seconds)
        );
        assert!(sum(&seconds[OUTAGE]).extra <= most);
    }
    assert!(load(&standard) < 0.1, "a server that is down is left alone");
    Ok(())
}

/// The standard pipeline, of which only the budget bounds what an outage costs.
pub(crate) fn without_breaker() -> PipelineSpec {
    PipelineSpec::standard().rename("without breaker").per_host(|mut host| {
        host.circuit_breaker = None;
        host
    })
}

/// What happens in each second.
pub(crate) async fn outage(pipeline: &Pipeline) -> Vec<Second> {
    let began = Instant::now();
    let seconds = Seconds::new(Mutex::new(vec![Second::default(); SECONDS]));
    let server = {
        let seconds = Arc::clone(&seconds);
        service_fn(move |request: Request<Full<Bytes>>| {
            let sent = request.extensions().get::<Sent>();
            let before = sent.map_or(0, |sent| sent.0.fetch_add(1, Relaxed));
            let is_down = note(&seconds, began, |second| {
                second.sent += 1;
                second.extra += u32::from(before > 0);
            });
            async move {
                sleep(Duration::from_millis(20)).await;
                let mut answer = Response::new(Full::<Bytes>::default());
                if is_down {
                    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                }
                Ok::<_, Infallible>(answer)
            }
        })
    };
    let service = pipeline.layer(server);
    let mut calls = JoinSet::new();
    let mut ticks = interval(Duration::from_secs(1) / CALLS);
    for _ in 0..SECONDS {
        for _ in 0..CALLS {
            ticks.tick().await;
            let (service, seconds, sent) = (service.clone(), Arc::clone(&seconds), Sent::default());
            let mut request = Request::new(Full::default());
            *request.uri_mut() = Uri::from_static("http://api.example.com/");
            request.extensions_mut().insert(sent.clone());
            calls.spawn(async move {
                let end = service.oneshot(request).await;
                let is_well = end.is_ok_and(|answer| answer.status().is_success());
                note(&seconds, began, |second| {
                    second.well += u32::from(is_well);
                    second.refused += u32::from(sent.0.load(Relaxed) == 0);
                });
            });
        }
        let host = pipeline.host(&Key::new("http://api.example.com"));
        let breaker = host.as_ref().and_then(HostHandle::circuit_breaker).map(BreakerGuard::state);
        note(&seconds, began, |second| second.breaker = breaker);
    }
    while calls.join_next().await.is_some() {}
    let seconds = lock(&seconds);
    seconds.clone()
}

/// Notes something in the second that it is; whether the server is down in it.
fn note(seconds: &Seconds, began: Instant, note: impl FnOnce(&mut Second)) -> bool {
    let now = usize::try_from(began.elapsed().as_secs()).unwrap_or(SECONDS);
    if let Some(second) = lock(seconds).get_mut(now) {
        note(second);
    }
    OUTAGE.contains(&now)
}

fn lock(seconds: &Seconds) -> MutexGuard<'_, Vec<Second>> {
    seconds.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All of them together.
pub(crate) fn sum(seconds: &[Second]) -> Second {
    seconds.iter().fold(Second::default(), |sum, second| Second {
        sent: sum.sent + second.sent,
        extra: sum.extra + second.extra,
        refused: sum.refused + second.refused,
        well: sum.well + second.well,
        breaker: second.breaker,
    })
}

/// How many times its usual load the server gets while it is down.
pub(crate) fn load(seconds: &[Second]) -> f64 {
    f64::from(sum(&seconds[OUTAGE]).sent) / f64::from(most_calls())
}

/// The most attempts beyond the first that the budget allows in the outage.
pub(crate) fn most_extra() -> u32 {
    let RetryBudget { ratio, reserve, .. } = RetryBudget::new();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let earned = (ratio * f64::from(most_calls())) as u32;
    earned + reserve
}

fn most_calls() -> u32 {
    CALLS * u32::try_from(OUTAGE.len()).unwrap_or(u32::MAX)
}

/// After how many seconds of being well the server serves as many calls a second as are made.
pub(crate) fn well_again_after(seconds: &[Second]) -> usize {
    let well = &seconds[OUTAGE.end..];
    well.iter().position(|second| second.well >= CALLS).unwrap_or(SECONDS)
}

/// The most requests that the server gets in a second.
pub(crate) fn busiest(seconds: &[Second]) -> u32 {
    seconds.iter().map(|second| second.sent).max().unwrap_or(0)
}
