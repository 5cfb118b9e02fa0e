//! What is said to allocate nothing does not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "allocations/batch.rs"]
mod batch;
#[path = "allocations/bodies.rs"]
mod bodies;
#[path = "allocations/drivers.rs"]
mod drivers;
#[path = "allocations/memory.rs"]
mod memory;

use std::io;

use allocation_counter::measure;
use http::{HeaderName, HeaderValue, Request, Response};
use mainstay::Error;
use mainstay::http::{ByHost, Http, KeyBy, Origin, RequestView};
use mainstay::keyed::Keyed;
use mainstay::policy::Outcome;
use mainstay::policy::budget::{Budget, RetryBudget};

type NoError = Error<io::Error>;

/// What an API sends along with every answer.
const ORDINARY: [(&str, &str); 9] = [
    ("date", "Sat, 21 Nov 2026 12:00:00 GMT"),
    ("content-type", "application/json; charset=utf-8"),
    ("content-length", "1834"),
    ("server", "nginx/1.27.2"),
    ("vary", "accept-encoding"),
    ("etag", "W/\"72a-Lzj2\""),
    ("cache-control", "private, max-age=0"),
    ("x-request-id", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
    ("strict-transport-security", "max-age=31536000"),
];

fn answer(status: u16, more: &[(&'static str, &'static str)]) -> Response<()> {
    let mut answer = Response::builder().status(status).body(()).unwrap();
    for (name, value) in ORDINARY.iter().chain(more) {
        let name = HeaderName::from_static(name);
        answer.headers_mut().append(name, HeaderValue::from_static(value));
    }
    answer
}

/// How many allocations it takes to judge the end of a call, and what is said of it.
fn judged(
    http: &Http,
    request: &Request<()>,
    end: Result<&Response<()>, &NoError>,
) -> (u64, Outcome) {
    let mut outcome = Outcome::Abandoned;
    let counted = measure(|| {
        let about = http.about(request);
        outcome = http.end(&about, end).outcome();
    });
    (counted.count_total, outcome)
}

#[test]
fn judging_an_answer_without_hints_allocates_nothing() {
    let http = Http::new();
    for request in [Request::get("/").body(()).unwrap(), Request::post("/").body(()).unwrap()] {
        for (status, outcome) in [
            (200, Outcome::Success),
            (404, Outcome::Fatal),
            (429, Outcome::Throttled),
            (503, Outcome::Transient),
        ] {
            let answer = answer(status, &[]);
            assert_eq!(judged(&http, &request, Ok(&answer)), (0, outcome), "{status}");
        }
    }
}

#[test]
fn judging_an_answer_that_says_retry_after_allocates_nothing() {
    let (http, request) = (Http::new(), Request::get("/").body(()).unwrap());
    for value in ["120", "2.5", "Sat, 21 Nov 2026 12:01:00 GMT"] {
        let answer = answer(503, &[("retry-after", value)]);
        assert_eq!(judged(&http, &request, Ok(&answer)), (0, Outcome::Transient), "{value}");
    }
}

#[test]
fn a_quota_costs_the_box_that_it_is_told_in_and_its_name() {
    let (http, request) = (Http::new(), Request::get("/").body(()).unwrap());
    let plain = [("x-ratelimit-remaining", "17"), ("x-ratelimit-reset", "30")];
    assert_eq!(judged(&http, &request, Ok(&answer(200, &plain))), (1, Outcome::Success));
    let named = [plain[0], plain[1], ("x-ratelimit-resource", "core")];
    assert_eq!(judged(&http, &request, Ok(&answer(200, &named))), (2, Outcome::Success));
}

#[test]
fn judging_an_error_allocates_nothing() {
    let (http, request) = (Http::new(), Request::get("/").body(()).unwrap());
    let error = NoError::Inner(io::Error::from(io::ErrorKind::ConnectionReset));
    assert_eq!(judged(&http, &request, Err(&error)), (0, Outcome::Transient));
}

#[test]
fn a_spelling_costs_nothing_and_a_key_is_made_once() {
    let request = Request::get("https://API.example.com:443/users").body(()).unwrap();
    let spelled = measure(|| {
        assert_eq!(request.origin(), Some(Origin::new("https", "API.example.com:443")));
    });
    assert_eq!(spelled.count_total, 0);
    let made = measure(|| drop(ByHost.key(&request)));
    assert!(made.count_total > 0, "else the counter does not count");
}

#[path = "allocations/hedge.rs"]
mod hedge;
#[test]
fn a_state_is_found_without_an_allocation_as_its_host_was_spelled_before() {
    let budgets = Keyed::new(ByHost, |_| Budget::new(RetryBudget::new()).unwrap());
    let to = |uri: &str| Request::get(uri).body(()).unwrap();
    for request in [to("https://API.example.com:443/users"), to("/users")] {
        let mut held = None;
        assert!(measure(|| held = Some(budgets.of(&request))).count_total > 0, "it is made");
        assert_eq!(measure(|| drop(budgets.of(&request))).count_total, 0);
    }
}

#[path = "allocations/retry.rs"]
mod retry;

mod guards {
    use std::convert::Infallible;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use mainstay::LiftLayer;
    use mainstay::adaptive::{AdaptiveGuard, AdaptiveLimit, AdaptiveLimitLayer, Aimd, Gradient2};
    use mainstay::breaker::{BreakerGuard, CircuitBreaker, CircuitBreakerLayer};
    use mainstay::concurrency::{Concurrency, ConcurrencyGuard, ConcurrencyLayer};
    use mainstay::guard::{GuardLayer, PerKey, Shadow};
    use mainstay::observe::ObserveLayer;
    use mainstay::throttle::{Throttle, ThrottleGuard, ThrottleLayer};
    use tower::{Layer, Service};

    use super::*;

    /// Answers at once.
    #[derive(Clone)]
    struct Answers(u16);

    impl Service<Request<()>> for Answers {
        type Response = Response<()>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response<()>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            let status = http::StatusCode::from_u16(self.0).unwrap();
            let mut answer = Response::new(());
            *answer.status_mut() = status;
            std::future::ready(Ok(answer))
        }
    }

    /// How many allocations a call takes, and whether it was let through. Its host is spelled so
    /// that a key would have to be made.
    fn called<L>(layer: &L, status: u16) -> (u64, bool)
    where
        L: Layer<mainstay::Lift<Answers>>,
        L::Service: Service<Request<()>, Response = Response<()>>,
    {
        let mut service = layer.layer(LiftLayer::new().layer(Answers(status)));
        let mut cx = Context::from_waker(Waker::noop());
        let mut was_sent = false;
        let request = Request::get("https://API.example.com:443/users").body(()).unwrap();
        let counted = measure(|| {
            assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
            let future = pin!(service.call(request));
            was_sent = matches!(future.poll(&mut cx), Poll::Ready(Ok(_)));
        });
        (counted.count_total, was_sent)
    }

    #[test]
    fn a_call_through_a_guard_allocates_nothing() {
        let breaker = CircuitBreakerLayer::new(CircuitBreaker::new()).unwrap();
        let slots = ConcurrencyLayer::new(Concurrency::limit(2)).unwrap();
        let both = GuardLayer::new((
            ConcurrencyGuard::new(Concurrency::limit(2)).unwrap(),
            Some(BreakerGuard::new(CircuitBreaker::new()).unwrap()),
        ));
        called(&breaker, 200); // reads the clock's origin
        assert_eq!(called(&breaker, 200), (0, true));
        assert_eq!(called(&slots, 200), (0, true));
        assert_eq!(called(&both, 200), (0, true));
    }

    #[test]
    fn to_observe_a_call_that_nobody_looks_at_allocates_nothing() {
        let layer = ObserveLayer::new().named("users");
        assert_eq!(called(&layer, 200), (0, true));
        assert_eq!(called(&layer, 503), (0, true));
    }

    #[test]
    fn a_report_costs_its_notes_and_its_place_in_the_answer() {
        let layer = ObserveLayer::new().named("users").report(true);
        called(&layer, 200); // reads the clock's origin
        assert_eq!(called(&layer, 200), (4, true));
    }

    #[test]
    fn a_change_of_state_that_nobody_listens_to_allocates_nothing() {
        let breaker = BreakerGuard::new(CircuitBreaker::new()).unwrap().named("billing");
        let changed = measure(|| {
            breaker.isolate();
            breaker.release();
        });
        assert_eq!(changed.count_total, 0);
    }

    #[test]
    fn a_call_through_a_throttle_allocates_nothing_and_neither_does_its_refusal() {
        let settings = Throttle::new().min_requests(1).per_accepted(1.0).max_rejection(1.0);
        let layer = ThrottleLayer::new(settings).unwrap();
        called(&layer, 200);
        assert_eq!(called(&layer, 200), (0, true));
        let mut refused = 0;
        for _ in 0..200 {
            let (allocated, was_sent) = called(&layer, 503);
            assert_eq!(allocated, 0);
            refused += u32::from(!was_sent);
        }
        assert!(refused > 0);
    }

    #[test]
    fn a_call_through_an_adaptive_limit_allocates_nothing() {
        for limit in [AdaptiveLimit::aimd(Aimd::new()), AdaptiveLimit::gradient2(Gradient2::new())]
        {
            let layer = AdaptiveLimitLayer::new(limit).unwrap();
            called(&layer, 200);
            assert_eq!(called(&layer, 200), (0, true));
            let _watched = layer.handle().watch();
            assert_eq!(called(&layer, 503), (0, true));
        }
    }

    #[test]
    fn a_call_through_guards_per_key_allocates_nothing_once_its_host_is_known() {
        let layer = GuardLayer::new((
            PerKey::<ConcurrencyGuard>::each(Concurrency::limit(2)).unwrap(),
            PerKey::<BreakerGuard>::each(CircuitBreaker::new()).unwrap(),
            PerKey::<ThrottleGuard>::each(Throttle::new()).unwrap(),
            PerKey::<AdaptiveGuard>::each(AdaptiveLimit::aimd(Aimd::new())).unwrap(),
        ));
        assert!(called(&layer, 200).0 > 0, "they are made");
        assert_eq!(called(&layer, 200), (0, true));
    }

    #[test]
    fn a_refusal_per_key_or_in_shadow_allocates_nothing() {
        let settings = CircuitBreaker::new().consecutive_failures(Some(1));
        let breakers = || PerKey::<BreakerGuard>::each(settings).unwrap();
        let (acts, looks_on) =
            (GuardLayer::new(breakers()), GuardLayer::new(Shadow::of(breakers())));
        assert!(called(&acts, 503).1 && called(&looks_on, 503).1);
        assert_eq!(called(&acts, 200), (0, false));
        assert_eq!(called(&looks_on, 200), (0, true));
    }

    #[test]
    fn a_refusal_by_an_open_breaker_allocates_nothing() {
        let settings = CircuitBreaker::new().consecutive_failures(Some(1));
        let layer = CircuitBreakerLayer::new(settings).unwrap();
        assert!(called(&layer, 503).1);
        assert_eq!(called(&layer, 200), (0, false));
    }
}
