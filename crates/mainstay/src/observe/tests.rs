use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::{Request, Response};
use mainstay_policy::Outcome;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::*;
use crate::error::Reason;
use crate::{Error, LiftLayer, Refused};

mod guards;
mod levels;
mod listener;
#[cfg(feature = "metrics")]
mod metrics;
mod reports;
mod spans;

type Req = Request<()>;
type Answer = Result<Response<&'static str>, Error<Infallible>>;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What a stack of layers might tell while it answers.
fn stack<F>(
    of: impl Fn(Req) -> F + Clone,
) -> impl Service<Req, Response = Response<&'static str>, Error = Error<Infallible>, Future = F> + Clone
where
    F: Future<Output = Answer>,
{
    service_fn(of)
}

fn well() -> Answer {
    Ok(Response::new("well"))
}

fn status(code: u16) -> Answer {
    Ok(Response::builder().status(code).body("ill").unwrap())
}

fn get() -> Req {
    Request::get("https://ana:secret@api.example.com/users?token=secret").body(()).unwrap()
}

fn open() -> Refused {
    Refused::new("circuit breaker", Reason::Open).named("billing").with_retry_in(ms(1_500))
}

/// As a retry would: it fails, it waits, it succeeds.
async fn at_the_second_attempt(_: Req) -> Answer {
    tell(Event::Ended { attempt: 1, outcome: Outcome::Transient, took: Some(ms(20)) });
    {
        let _wait = Wait::begins("retry", None, Some(ms(100)));
        tokio::time::sleep(ms(100)).await;
    }
    tell(Event::Again { layer: "retry", name: None, attempt: 2 });
    tell(Event::Ended { attempt: 2, outcome: Outcome::Success, took: None });
    well()
}

/// Where the reports of a layer are kept.
type Reports = Arc<Mutex<Vec<CallReport>>>;

fn reporting() -> (ObserveLayer, Reports) {
    let reports = Reports::default();
    let kept = Arc::clone(&reports);
    let layer = ObserveLayer::new().named("users");
    (layer.on_report(move |report| kept.lock().unwrap().push(report.clone())), reports)
}

fn only(reports: &Reports) -> CallReport {
    let reports = reports.lock().unwrap();
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports[0].clone()
}
