//! Why did this call take so long, and who decided that it should fail?
//!
//! `cargo run --example why_did_it_take_so_long`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::convert::Infallible;
use std::error::Error as StdError;
use std::time::Duration;

use http::{Request, Response};
use mainstay::LiftLayer;
use mainstay::breaker::{CircuitBreaker, CircuitBreakerLayer};
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
use mainstay::observe::ObserveLayer;
use tower::{Layer, ServiceExt, service_fn};

/// Each answer takes this long.
const SLOW: Duration = Duration::from_millis(40);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError>> {
    let observe = ObserveLayer::new().on_report(|report| println!("{report}\n"));
    let slots = ConcurrencyLayer::new(Concurrency::limit(1))?;
    let breaker = CircuitBreakerLayer::new(CircuitBreaker::new().consecutive_failures(Some(2)))?;

    let server = service_fn(|request: Request<&'static str>| async move {
        tokio::time::sleep(SLOW).await;
        let status = if *request.body() == "well" { 200 } else { 503 };
        let mut answer = Response::new(());
        *answer.status_mut() = status.try_into().unwrap_or_default();
        Ok::<_, Infallible>(answer)
    });
    let service = breaker.layer(LiftLayer::new().layer(server));
    let service = observe.layer(slots.layer(service));
    let send = |what| service.clone().oneshot(Request::new(what));

    println!("Three calls at once, and one slot:\n");
    let _ = tokio::join!(send("well"), send("well"), send("well"));

    println!("The server fails, until the breaker opens:\n");
    for _ in 0..3 {
        let _ = send("ill").await;
    }

    println!("And one call that nobody waits for:\n");
    breaker.handle().reset();
    let _ = tokio::time::timeout(SLOW / 2, send("well")).await;
    Ok(())
}
