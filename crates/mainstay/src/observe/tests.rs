use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::{Request, Response};
use mainstay_policy::Outcome;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::*;
use crate::error::Reason;
use crate::retry::{Backoff, Retry, RetryLayer};
use crate::scope::Scope;
use crate::{Error, LiftLayer, Refused};

mod guards;
mod levels;
mod listener;
#[cfg(feature = "metrics")]
mod metrics;
mod reports;
mod spans;

type Req = Request<()>;
type Answer = Result<Response<String>, Error<Infallible>>;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What a stack of layers might tell while it answers.
fn stack<F>(
    of: impl Fn(Req) -> F + Clone,
) -> impl Service<Req, Response = Response<String>, Error = Error<Infallible>, Future = F> + Clone
where
    F: Future<Output = Answer>,
{
    service_fn(of)
}

fn well() -> Answer {
    Ok(Response::new("well".to_owned()))
}

fn status(code: u16) -> Answer {
    Ok(Response::builder().status(code).body("ill".to_owned()).unwrap())
}

fn get() -> Req {
    Request::get("https://ana:secret@api.example.com/users?token=secret").body(()).unwrap()
}

fn open() -> Refused {
    Refused::new("circuit breaker", Reason::Open).named("billing").with_retry_in(ms(1_500))
}

/// It fails, it waits, it succeeds.
fn at_the_second_attempt()
-> impl Service<Req, Response = Response<String>, Error = Error<Infallible>, Future: Send> + Clone {
    let settings = Retry::up_to(2).backoff(Backoff::constant(ms(100)));
    RetryLayer::new(settings).unwrap().layer(stack(|_| async {
        if Scope::current().attempt == 2 {
            return well();
        }
        tokio::time::sleep(ms(20)).await;
        status(503)
    }))
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
