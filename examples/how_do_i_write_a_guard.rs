//! How do I write a guard of my own, and stack it with the others?
//!
//! `cargo run --example how_do_i_write_a_guard`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::convert::Infallible;
use std::error::Error as StdError;
use std::sync::atomic::{AtomicU32, Ordering};

use http::{Request, Response};
use mainstay::breaker::{BreakerGuard, CircuitBreaker};
use mainstay::guard::{Admission, Ask, Guard, GuardLayer, Now};
use mainstay::{Ending, LiftLayer, Reason, Refused};
use tower::{Layer, ServiceExt, service_fn};

/// Lets so many calls through and no more: what was paid for.
struct Prepaid(AtomicU32);

impl<Req> Guard<Req> for Prepaid {
    type Subject = ();
    type Permit = u32;
    type Held = ();

    fn subject(&self, _: &Req) {}

    fn try_admit(&self, (): &(), ask: Ask, _: &Now) -> Admission<u32> {
        let paid = |left: u32| left.checked_sub(ask.cost);
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid) {
            Ok(_) => Admission::Go(ask.cost),
            Err(_) => Admission::Refuse(Refused::new("prepaid", Reason::Other("nothing is left"))),
        }
    }

    fn settle(&self, (): &(), paid: u32, ending: &Ending, _: &Now) {
        if ending.outcome() == mainstay::policy::Outcome::Refused {
            self.0.fetch_add(paid, Ordering::Relaxed); // another guard refused it: it was not sent
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError>> {
    let guards = (Prepaid(AtomicU32::new(2)), BreakerGuard::new(CircuitBreaker::new())?);
    let server =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new("an answer")) });
    let service = GuardLayer::new(guards).layer(LiftLayer::new().layer(server));

    for _ in 0..3 {
        match service.clone().oneshot(Request::new(())).await {
            Ok(answer) => println!("{}", answer.body()),
            Err(error) => println!(
                "{error}: {}",
                error.source().map_or_else(String::new, |it| it.to_string())
            ),
        }
    }
    Ok(())
}
