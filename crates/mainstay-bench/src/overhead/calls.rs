//! How calls are made, by one thread and by two.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tower::Service;

use crate::clock;

/// So many calls, one after the other.
#[inline(never)]
pub(crate) fn calls<S: Service<u64, Response = u64>>(mut service: S, n: u64) -> u64 {
    let mut cx = Context::from_waker(Waker::noop());
    let mut sum = 0;
    for i in 0..n {
        let _ = service.poll_ready(&mut cx);
        let call = pin!(service.call(i));
        if let Poll::Ready(Ok(value)) = call.poll(&mut cx) {
            sum += value;
        }
    }
    sum
}

/// How long two threads must run together.
const TOGETHER: Duration = Duration::from_millis(20);
/// How many calls lie between two looks at the clock.
const AT_A_TIME: u64 = 500;

/// How many calls so many threads make in a second through one stack, all of them running all the
/// time: they begin together, and the first that has had enough of it ends it for all.
pub(crate) fn rate<S>(service: S, threads: usize, calls: fn(S, u64) -> u64) -> f64
where
    S: Clone + Send + 'static,
{
    let begin = Arc::new(Barrier::new(threads));
    let is_over = Arc::new(AtomicBool::new(false));
    let running: Vec<_> = (0..threads)
        .map(|_| {
            let (service, begin) = (service.clone(), Arc::clone(&begin));
            let is_over = Arc::clone(&is_over);
            let runtime = Handle::current();
            thread::spawn(move || {
                let _entered = runtime.enter(); // others make a timer for each call
                begin.wait();
                let mut made = 0_u32;
                let taken = clock::time_until(TOGETHER, &is_over, || {
                    black_box(calls(service.clone(), AT_A_TIME));
                    made += 1;
                });
                f64::from(made) / taken.as_secs_f64()
            })
        })
        .collect();
    drop(service);
    let rates = running.into_iter().filter_map(|thread| thread.join().ok());
    rates.sum::<f64>() * AT_A_TIME as f64
}
