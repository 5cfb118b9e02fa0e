//! Which failed calls are sent again, how often, and when?
//!
//! `cargo run --example what_happens_to_a_failed_call`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use mainstay::retry::{Retry, RetryLayer};
use mainstay::{BoxError, LiftLayer};
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// A status, and what Retry-After says with it.
type Answer = (u16, Option<&'static str>);

const STORIES: [(Method, &[Answer]); 7] = [
    (Method::GET, &[(503, None), (503, None), (200, None)]),
    (Method::GET, &[(503, None), (503, None), (503, None)]),
    (Method::GET, &[(404, None)]),
    (Method::GET, &[(503, Some("2")), (200, None)]),
    (Method::GET, &[(503, Some("3600"))]),
    (Method::POST, &[(503, None)]),
    (Method::POST, &[(429, Some("1.5")), (200, None)]),
];

fn main() -> Result<(), BoxError> {
    // A paused clock does not make anybody wait.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let retry = RetryLayer::new(Retry::up_to(3))?;
    println!("A call may have three attempts.\n");
    for (method, answers) in STORIES {
        let times = runtime.block_on(call(retry.clone(), &method, answers))?;
        let told: Vec<_> = times
            .iter()
            .zip(answers)
            .map(|(seconds, (status, asked))| match asked {
                Some(asked) => format!("{seconds:.3} s: {status}, Retry-After: {asked}"),
                None => format!("{seconds:.3} s: {status}"),
            })
            .collect();
        println!("{:>4}  {}", method.as_str(), told.join("  |  "));
    }
    println!("\nA 503 to a POST leaves open whether the order was taken; a 429 does not.");
    Ok(())
}

/// When the server got the requests of one call, in seconds from its beginning.
async fn call(
    retry: RetryLayer,
    method: &Method,
    answers: &'static [Answer],
) -> Result<Vec<f64>, BoxError> {
    let (began, times) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&times);
    let server = service_fn(move |_: Request<Full<Bytes>>| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(began.elapsed().as_secs_f64());
        let (status, asked) = answers.get(seen.len() - 1).copied().unwrap_or((500, None));
        let mut answer = Response::builder().status(status);
        if let Some(asked) = asked {
            answer = answer.header("retry-after", asked);
        }
        std::future::ready(answer.body(Full::<Bytes>::default()))
    });
    let service = ServiceBuilder::new().layer(retry).layer(LiftLayer::new()).service(server);
    let request = Request::builder().method(method).uri("https://api.example.com/orders");
    service.oneshot(request.body(Full::from("{}"))?).await?;
    let times = times.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(times.clone())
}
