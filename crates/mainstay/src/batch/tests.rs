use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::time::sleep;
use tower::{Service, service_fn};

use super::*;
use crate::clock;

mod bodies;
mod drops;
mod endings;
mod hosts;
mod inputs;
mod steps;
mod under;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a server has on its way.
#[derive(Clone, Default)]
struct Server {
    live: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    started: Arc<AtomicUsize>,
}

struct Live(Arc<AtomicUsize>);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Server {
    /// Answers in so many milliseconds; what is divided by ten without a rest fails.
    fn service(
        &self,
    ) -> impl Service<
        u64,
        Response = u64,
        Error = Odd,
        Future: Future<Output = Result<u64, Odd>> + Send,
    > + Clone
    + use<> {
        let server = self.clone();
        service_fn(move |time: u64| {
            let live = server.enters();
            async move {
                sleep(ms(time)).await;
                drop(live);
                if time % 10 == 0 { Err(Odd) } else { Ok(time) }
            }
        })
    }

    fn enters(&self) -> Live {
        self.started.fetch_add(1, SeqCst);
        self.most.fetch_max(self.live.fetch_add(1, SeqCst) + 1, SeqCst);
        Live(Arc::clone(&self.live))
    }

    fn live(&self) -> usize {
        self.live.load(SeqCst)
    }

    fn most(&self) -> usize {
        self.most.load(SeqCst)
    }

    fn started(&self) -> usize {
        self.started.load(SeqCst)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it is odd")]
struct Odd;

/// Answers at once.
fn echo<T: Send + 'static>()
-> impl Service<T, Response = T, Error = Infallible, Future: Send> + Clone {
    service_fn(|request: T| std::future::ready(Ok(request)))
}

/// How long it took.
async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let began = clock::now();
    let value = tokio::time::timeout(Duration::from_secs(3_600), future).await.expect("it hangs");
    (value, clock::now().since(began))
}
