//! Many threads at one guard, each with a runtime of its own, some of whose calls are dropped.

use std::thread;
use std::time::Duration;

use super::*;
use crate::concurrency::{Concurrency, ConcurrencyGuard};
use crate::rate_limit::{RateLimit, RateLimitGuard};

const THREADS: u64 = 4;
const CALLS: u64 = 2_000;

/// Answers when it has been polled twice, so that calls overlap also on one thread.
#[derive(Clone, Copy)]
struct Yields;

impl Service<Request> for Yields {
    type Response = Request;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Request, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(request)
        })
    }
}

/// Every third call is dropped after as many polls as its number says.
async fn polled_a_little<F: Future + Unpin>(mut call: F, polls: u64) {
    for _ in 0..polls {
        let polled = std::future::poll_fn(|cx| {
            Poll::Ready(std::pin::Pin::new(&mut call).poll(cx).is_ready())
        });
        if polled.await {
            return;
        }
        tokio::task::yield_now().await;
    }
}

fn hammer<G: Guard<Request> + Clone + Send + Sync + 'static>(guard: &G) {
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let layer = GuardLayer::of(guard.clone(), Plain);
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                runtime.unwrap().block_on(async {
                    let calls = (0..CALLS).map(|n| {
                        let mut service = layer.layer(Yields);
                        let call = Box::pin(service.call("x"));
                        async move {
                            match (n + thread) % 3 {
                                0 => polled_a_little(call, n % 4).await,
                                _ => drop(call.await.unwrap()),
                            }
                        }
                    });
                    futures_util::future::join_all(calls).await;
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn slots_are_all_back_and_nobody_waits_for_ever() {
    let most = u32::try_from(THREADS * CALLS).unwrap();
    let settings = Concurrency::limit(3).max_waiting(most).max_wait(Duration::from_secs(600));
    let guard = Arc::new(ConcurrencyGuard::new(settings).unwrap());
    hammer(&guard);
    let after = guard.snapshot();
    assert_eq!((after.in_use, after.waiting), (0, 0));
}

#[test]
fn the_line_is_empty_and_nobody_stands_for_ever() {
    let guard = Arc::new(RateLimitGuard::new(RateLimit::per_second(1_000_000).burst(50)).unwrap());
    hammer(&guard);
    assert_eq!(guard.waiting(), 0);
}
