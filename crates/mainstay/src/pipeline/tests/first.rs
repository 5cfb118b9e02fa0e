//! The first attempt of a call passes all layers at once; what comes of it is what would come of it
//! layer by layer.

use std::future::pending;
use std::sync::Mutex;

use ::http::Method;
use tokio::time::Instant;

use super::*;
use crate::BoxError;
use crate::budget::RetryBudget;
use crate::cooldown::CoolDown;
use crate::http::{CallOptions, RetryRules, When};
use crate::observe::testing::heard;

/// What a server does with a request.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answer(u16),
    Throttle,
    Break,
    Hang,
}

use Does::{Answer as A, Break, Hang, Throttle};

/// What a host does with the requests of three calls, those that are sent again included.
const COURSES: [&[Does]; 13] = [
    &[],
    &[A(404), A(301)],
    &[A(301)],
    &[A(503)],
    &[A(503), A(503)],
    &[A(503), A(503), A(503)],
    &[Throttle],
    &[Throttle, A(503), Throttle],
    &[Break],
    &[Break, A(500), A(429)],
    &[Hang],
    &[Hang, Hang, Hang],
    &[A(200), Hang, Break, A(503)],
];

fn spec() -> PipelineSpec {
    Pipeline::named("github")
        .deadline(secs(20))
        .retry(attempts(3))
        .budget(RetryBudget::new().reserve(3).ratio(1.0))
        .attempt_timeout(secs(8))
        .per_host(|host| {
            host.concurrency(1).cool_down(CoolDown::new()).circuit_breaker(opens_after(2))
        })
}

/// What is not there, or elsewhere, may be there when an idempotent request asks again.
fn missing_may_come() -> RetryRules {
    RetryRules::standard()
        .status(StatusCode::NOT_FOUND, When::IfIdempotent)
        .status(StatusCode::MOVED_PERMANENTLY, When::IfIdempotent)
}

/// What is held to the end of a body goes through the layers one by one.
fn layer_by_layer(spec: PipelineSpec) -> PipelineSpec {
    spec.per_host(|host| host.hold(Hold::Body { idle: secs(30) }))
}

/// All that can be seen of three calls, one after the other.
async fn seen(
    spec: PipelineSpec,
    method: &Method,
    idempotency: Option<&'static str>,
    course: &'static [Does],
) -> Vec<String> {
    let does = Arc::new(Mutex::new(course.iter()));
    let server = service_fn(move |_: Req| {
        let does = does.lock().unwrap().next().copied().unwrap_or(A(200));
        async move {
            match does {
                A(status) => Ok(Response::builder().status(status).body(Body::default()).unwrap()),
                Throttle => {
                    let response = Response::builder().status(429).header("retry-after", "3");
                    Ok(response.body(Body::default()).unwrap())
                }
                Break => Err(BoxError::from("broken")),
                Hang => pending().await,
            }
        }
    });
    let pipeline = spec.build().unwrap();
    let service = pipeline.keep_error().layer(server);
    let mut seen = Vec::new();
    heard();
    for _ in 0..3 {
        let (mut request, began) = (get("a"), Instant::now());
        *request.method_mut() = method.clone();
        if let Some(key) = idempotency {
            request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        }
        let end = service.clone().oneshot(request).await;
        let said = end.map(|answer| answer.status()).map_err(|error| error.to_string());
        seen.push(format!("{said:?} after {:?}", began.elapsed()));
        seen.append(&mut heard());
        let host = pipeline.host(&key("a")).unwrap();
        let slots = host.concurrency().unwrap().snapshot();
        let breaker = host.circuit_breaker().unwrap().snapshot();
        seen.push(format!("{slots:?} {breaker:?} {:?}", host.budget()));
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_is_seen_as_it_would_be_layer_by_layer() {
    for course in COURSES {
        for (method, key) in
            [(Method::GET, None), (Method::POST, None), (Method::POST, Some("8e03978e"))]
        {
            for spec in [spec(), spec().rules(missing_may_come()), spec().retry(attempts(1))] {
                let at_once = seen(spec.clone(), &method, key, course).await;
                let by_layers = seen(layer_by_layer(spec), &method, key, course).await;
                assert_eq!(at_once, by_layers, "{method} {key:?} {course:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_timer_ends_an_attempt_or_its_call() {
    for (attempt, call, ends) in [(2, 5, 2), (5, 2, 2), (3, 3, 3)] {
        let stand = Stand::new(Pipeline::named("github").attempt_timeout(secs(attempt)));
        let (mut request, began) = (post("a"), Instant::now());
        request.extensions_mut().insert(CallOptions::new().within(secs(call)));
        let refused = said(stand.call(request).await).unwrap_err();
        let layer = if attempt <= call { "attempt timeout" } else { "deadline" };
        assert_eq!((refused.layer(), began.elapsed()), (layer, secs(ends)));
    }
}
