use std::task::Poll;

use tokio_test::task;

use super::*;

/// Dropped after each number of polls that it can be dropped after.
#[tokio::test(start_paused = true)]
async fn a_batch_that_is_dropped_stops_every_attempt() {
    for in_order in [false, true] {
        let mut polls = 0;
        loop {
            let server = Server::default();
            let inputs = (1..20).map(|n| n * 7 % 11);
            let batch = Batch::over(server.service()).concurrency(4);
            let is_over = match in_order {
                false => polled(batch.as_completed(inputs), polls).await,
                true => polled(batch.in_order(inputs), polls).await,
            };
            assert_eq!(server.live(), 0, "after {polls} polls");
            if is_over {
                break;
            }
            polls += 1;
        }
        assert!(polls > 20);
    }
}

async fn polled(results: impl futures_core::Stream, polls: usize) -> bool {
    let mut results = task::spawn(results);
    for _ in 0..polls {
        match results.poll_next() {
            Poll::Ready(None) => return true,
            Poll::Ready(Some(_)) => {}
            Poll::Pending => tokio::time::advance(ms(1)).await,
        }
    }
    false
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_stops_every_attempt_too() {
    let server = Server::default();
    let all = Batch::over(server.service()).all_or_nothing([999; 10]);
    assert!(tokio::time::timeout(ms(5), all).await.is_err());
    assert_eq!((server.started(), server.live()), (10, 0));
}
