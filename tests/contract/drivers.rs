//! Drivers that are about time, and about what goes wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mainstay::Error;
use mainstay::chaos::{Chaos, ChaosLayer};
use mainstay::deadline::{Deadline, DeadlineHeaderLayer, DeadlineLayer};
use mainstay::fallback::{Failed, FallbackLayer, function, service};
use mainstay::stall::{Stall, StallLayer};
use mainstay::timeout::{BodyIdleLayer, TimeoutLayer};
use mainstay_testkit::Script;
use mainstay_testkit::contract::{State, Subject};

use super::{Fails, PERIOD, Req, Res, answer, dead, http, request};

/// Longer than any probe takes.
const LONG: Duration = Duration::from_secs(86_400);

pub(super) fn deadline() -> Subject {
    http("DeadlineLayer", || DeadlineLayer::new(PERIOD))
        .lets_all_through()
        .times_out(PERIOD)
        .build()
}

/// By a request whose time is over, since there is nothing to be set in the layer.
pub(super) fn deadline_that_is_over() -> Subject {
    let is_over = Arc::new(AtomicBool::new(false));
    let set = |is: bool| {
        let is_over = Arc::clone(&is_over);
        move |_: &DeadlineLayer| is_over.store(is, Ordering::Relaxed)
    };
    let over = State::by_hand(set(true), set(false));
    let shared = Arc::clone(&is_over);
    let request = move || {
        let mut request = request();
        if is_over.load(Ordering::Relaxed) {
            request.extensions_mut().insert(Deadline::within(Duration::ZERO));
        }
        request
    };
    let (answer, death) = (|| answer(200), || Error::Inner(dead()));
    // The probes may have left another layer in this state.
    let fresh = move || {
        shared.store(false, Ordering::Relaxed);
        DeadlineLayer::per_call()
    };
    Subject::of("DeadlineLayer, over", fresh, request, answer, death).refusing(over).build()
}

pub(super) fn deadline_header() -> Subject {
    http("DeadlineHeaderLayer", DeadlineHeaderLayer::grpc).lets_all_through().build()
}

pub(super) fn timeout() -> Subject {
    http("TimeoutLayer", || TimeoutLayer::new(PERIOD)).lets_all_through().times_out(PERIOD).build()
}

pub(super) fn body_idle() -> Subject {
    http("BodyIdleLayer", || BodyIdleLayer::new(LONG)).lets_all_through().build()
}

pub(super) fn fallback() -> Subject {
    let as_it_was = || FallbackLayer::new(function(|failed: Failed<Res, Fails>| failed.end));
    http("FallbackLayer", as_it_was).lets_all_through().build()
}

/// Whoever is called instead must have been made ready too.
pub(super) fn fallback_on_a_service() -> Subject {
    let other = || {
        let script = Script::<Req, Res, Fails>::new();
        script.answers(|_| answer(200));
        FallbackLayer::new(service(script.service()))
    };
    let (fails, death) = (|| answer(503), || Error::Inner(dead()));
    Subject::of("FallbackLayer, on a service", other, request, fails, death)
        .lets_all_through()
        .build()
}

pub(super) fn stall() -> Subject {
    http("StallLayer", || StallLayer::new(Stall::new()).unwrap()).lets_all_through().build()
}

pub(super) fn chaos() -> Subject {
    let fails = State::by_hand(
        |layer: &ChaosLayer| layer.handle().enable(),
        |layer| layer.handle().disable(),
    );
    http("ChaosLayer", || ChaosLayer::new(Chaos::seeded(1).errors(100.0)).unwrap())
        .clean(|layer| format!("{}", layer.handle().is_on()))
        .refusing(fails)
        .build()
}
