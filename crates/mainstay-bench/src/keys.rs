//! A million hosts that come by once each: what a new one costs, and what of them is kept.

use std::collections::VecDeque;
use std::hint::black_box;
use std::num::NonZeroU32;

use bytes::Bytes;
use governor::{Quota, RateLimiter};
use http::Request;
use http_body_util::Full;
use mainstay::budget::{Budget, RetryBudget};
use mainstay::http::ByHost;
use mainstay::keyed::Keyed;
use mainstay::pipeline::Pipeline;
use tower::Layer;

use crate::clock;
use crate::overhead::cases::OURS;
use crate::overhead::http::{BareHttp, called};
use crate::report::{Report, Row};

const SEEN: u32 = 1_000_000;
/// So many matter at a time.
const HELD: usize = 10_000;

pub(crate) fn suite(report: Report) {
    report.begins("keys", "a host that is new; ratio: to making its request");
    let made = measured(|| (|host| drop(black_box(request(host))), || 0));
    let rows = [
        ("request", "nobody", made),
        ("budgets, 10^4 held", OURS, measured(budgets)),
        ("standard pipeline", OURS, measured(pipeline)),
        ("keyed", "governor", measured(|| governed(false))),
        ("keyed, looked through", "governor", measured(|| governed(true))),
    ];
    for (case, peer, cost) in rows {
        report.row(&Row {
            nanos: Some(cost.nanos),
            allocations: Some(cost.allocations),
            ratio: Some(cost.nanos / made.nanos),
            more: vec![("kept", cost.kept as f64), ("held MiB", cost.bytes / f64::from(1 << 20))],
            ..Row::new("keys", case, peer)
        });
    }
    report.ends();
}

#[derive(Clone, Copy, Default)]
struct Cost {
    nanos: f64,
    allocations: f64,
    /// What lies on the heap once all have come by.
    bytes: f64,
    kept: usize,
}

/// Lets all of them come by.
fn measured<C: FnMut(u32), K: Fn() -> usize>(begin: impl FnOnce() -> (C, K)) -> Cost {
    let mut cost = Cost::default();
    let mut held = None;
    let counted = allocation_counter::measure(|| {
        let (mut comes, kept) = begin();
        let taken = clock::time(|| (0..SEEN).for_each(&mut comes));
        cost.nanos = taken.as_secs_f64() * 1e9 / f64::from(SEEN);
        cost.kept = kept();
        held = Some((comes, kept)); // what it holds is counted before it goes
    });
    cost.allocations = counted.count_total as f64 / f64::from(SEEN);
    cost.bytes = counted.bytes_current as f64;
    cost
}

fn request(host: u32) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    if let Ok(uri) = format!("http://{host}.example.com/").parse() {
        *request.uri_mut() = uri;
    }
    request
}

/// The last ten thousand are held by somebody, as by a call on its way.
fn budgets() -> (impl FnMut(u32), impl Fn() -> usize) {
    #[expect(clippy::unwrap_used, reason = "the settings are written here")]
    let budgets = Keyed::new(ByHost, |_| Budget::new(RetryBudget::new()).unwrap());
    let budgets = std::sync::Arc::new(budgets);
    let (all, mut held) = (std::sync::Arc::clone(&budgets), VecDeque::with_capacity(HELD));
    let comes = move |host| {
        if held.len() == HELD {
            held.pop_front();
        }
        let budget = budgets.of(&request(host));
        budget.deposit();
        held.push_back(budget);
    };
    (comes, move || all.len())
}

fn pipeline() -> (impl FnMut(u32), impl Fn() -> usize) {
    let pipeline = Pipeline::standard();
    let mut service = pipeline.layer(BareHttp);
    (
        move |host| {
            called(&mut service, request(host));
        },
        move || pipeline.hosts().len(),
    )
}

fn governed(looks_through: bool) -> (impl FnMut(u32), impl Fn() -> usize) {
    // What it knows of a host is worth nothing after a millisecond, so that it can be forgotten.
    let limiter = RateLimiter::keyed(Quota::per_second(NonZeroU32::MIN.saturating_add(999)));
    let limiter = std::sync::Arc::new(limiter);
    let all = std::sync::Arc::clone(&limiter);
    let comes = move |host: u32| {
        let request = request(host);
        let _ = limiter.check_key(&request.uri().host().unwrap_or_default().to_owned());
        if looks_through && host as usize % HELD == 0 {
            limiter.retain_recent();
        }
    };
    (comes, move || all.len())
}
