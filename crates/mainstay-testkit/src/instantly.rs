//! A test in which no wait takes any time.

use std::future::Future;
use std::time::Duration;

use crate::{clock, finishes_within};

/// More than any call may wait.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs a test in which no wait takes any time, for a plain `#[test]`: backoffs, deadlines, turns of
/// a rate limit and the delays of scripted services pass as soon as there is nothing else to do, in
/// their order and with the settings as they are.
///
/// ```
/// use mainstay_testkit::instantly;
/// use std::time::Duration;
/// use tokio::time::{Instant, sleep};
///
/// let waited = instantly(async {
///     let begin = Instant::now();
///     sleep(Duration::from_secs(60)).await;
///     begin.elapsed()
/// });
/// assert_eq!(waited, Duration::from_secs(60)); // by tokio's clock, and at once by yours
/// ```
///
/// It is a runtime of its own with paused time, and the same can be had with
/// `#[tokio::test(start_paused = true)]`. Beyond that, a test that has not ended after a day of such
/// time fails, and names the line of this call; and there are no sockets, so that a forgotten real
/// client fails at once and not by a timeout that cannot be explained.
///
/// What is not waited for with tokio's clock is not seen: `std::time::Instant` stands still, a
/// thread of its own takes the time that it takes while the clock runs ahead, and
/// `std::thread::sleep` sleeps. Only for what runs in `spawn_blocking` does the clock wait.
///
/// # Panics
///
/// If the test does or does not end; inside of a runtime; where it asks for a socket.
#[track_caller]
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub fn instantly<F: Future>(test: F) -> F::Output {
    let test = finishes_within(DAY, test);
    match clock::paused() {
        Ok(runtime) => runtime.block_on(test),
        Err(error) => panic!("no runtime: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn waits_pass_in_their_order_and_take_no_time() {
        let (order, waited) = instantly(async {
            let begin = clock::now();
            let (send, mut order) = tokio::sync::mpsc::unbounded_channel();
            for hours in [3, 1, 2] {
                let send = send.clone();
                tokio::spawn(async move {
                    clock::sleep(DAY / 24 * hours).await;
                    send.send(hours).unwrap();
                });
            }
            drop(send);
            let mut came = Vec::new();
            while let Some(hours) = order.recv().await {
                came.push(hours);
            }
            (came, clock::now().duration_since(begin))
        });
        assert_eq!(order, [1, 2, 3]);
        assert_eq!(waited, DAY / 8);
    }

    #[test]
    fn a_test_without_end_fails_and_names_its_line() {
        let line = line!() + 1;
        let panic = catch_unwind(AssertUnwindSafe(|| instantly(pending::<()>()))).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.starts_with(&format!("{}:{line}:", file!())), "{text}");
        assert!(text.ends_with("not finished within 86400s"), "{text}");
    }

    #[test]
    #[cfg(feature = "server")]
    fn there_are_no_sockets() {
        let connects = async { tokio::net::TcpStream::connect("127.0.0.1:1").await.is_ok() };
        let panic = catch_unwind(AssertUnwindSafe(|| instantly(connects))).unwrap_err();
        let text = crate::contract::said(&*panic);
        assert!(text.contains("IO is disabled"), "{text}");
    }
}
