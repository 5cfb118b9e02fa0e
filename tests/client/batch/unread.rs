//! Answers that nobody reads, and batches that nobody wants any more.

use mainstay::Reason;
use mainstay::concurrency::Concurrency;
use mainstay::pipeline::Hold;
use tokio::sync::watch;

use super::*;

const CALLS: usize = 500;

/// Bodies that are far too large to be in flight unread.
async fn large() -> Server {
    Server::answers(Speaks::Http1, |_, _| async {
        Response::new(Full::<Bytes>::from(vec![7; 1 << 20]))
    })
    .await
}

/// Five hundred heads where sixty-four calls may be on their way: how many were had, and why the
/// others were not.
async fn heads(
    server: &Server,
    pipeline: PipelineSpec,
) -> (Vec<reqwest::Response>, Vec<ClientError>) {
    let client = builder().pipeline(pipeline.build().unwrap()).build().unwrap();
    let batch = client.batch().stream_bodies().concurrency(500);
    let mut results = batch.as_completed((0..CALLS).map(|_| &server.url));
    let (mut heads, mut refused) = (Vec::new(), Vec::new());
    while let Some(done) = finishes(results.next()).await {
        match done.result {
            Ok(head) => heads.push(head),
            Err(error) => refused.push(error.into_call().unwrap()),
        }
    }
    (heads, refused)
}

fn holds(idle: Duration, wait: Duration) -> PipelineSpec {
    let slots = Concurrency::limit(64).max_waiting(1_000).max_wait(wait);
    quick().per_host(|host| host.hold(Hold::Body { idle }).concurrency(slots))
}

#[tokio::test]
async fn five_hundred_heads_are_gathered_unread() {
    let server = large().await;
    let (heads, refused) = heads(&server, quick()).await;
    assert_eq!((heads.len(), refused.len()), (CALLS, 0));
    for head in heads {
        assert_eq!(finishes(head.bytes()).await.unwrap().len(), 1 << 20);
    }
}

#[tokio::test]
async fn where_bodies_hold_slots_an_unread_one_gives_its_slot_back_or_those_that_wait_are_told() {
    let server = large().await;
    let short = Duration::from_millis(50);
    let (all, refused) = heads(&server, holds(short, LONG)).await;
    assert_eq!((all.len(), refused.len()), (CALLS, 0));

    // Sixty-four are had; a batch that is not to wait for the others ends in time.
    let client = builder().pipeline(holds(LONG, short).build().unwrap()).build().unwrap();
    let batch = client.batch().stream_bodies().concurrency(500).deadline(Duration::from_secs(1));
    let mut results = batch.as_completed((0..CALLS).map(|_| &server.url));
    let (mut held, mut late) = (Vec::new(), 0);
    while let Some(done) = finishes(results.next()).await {
        match done.result {
            Ok(head) => held.push(head),
            Err(ItemError::Call(error)) => {
                assert_eq!(error.refused().unwrap().reason(), Reason::NoSlot);
                late += 1;
            }
            Err(ItemError::Deadline) => late += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((held.len(), late), (64, CALLS - 64));
}

/// Answers the first so many, and never the others; counts those that it has at work.
async fn answers_only(first: usize, at_work: &watch::Sender<usize>) -> Server {
    struct Working(watch::Sender<usize>);
    impl Drop for Working {
        fn drop(&mut self) {
            self.0.send_modify(|count| *count -= 1);
        }
    }

    let at_work = at_work.clone();
    Server::answers(Speaks::Http1, move |before, _| {
        at_work.send_modify(|count| *count += 1);
        let working = Working(at_work.clone());
        async move {
            if before >= first {
                std::future::pending::<()>().await;
            }
            drop(working);
            Response::new(Full::<Bytes>::from("well"))
        }
    })
    .await
}

async fn comes_to(count: &watch::Sender<usize>, wanted: usize) {
    let mut count = count.subscribe();
    finishes(count.wait_for(|count| *count == wanted)).await.unwrap();
}

#[tokio::test]
async fn a_batch_that_is_dropped_leaves_no_attempt_with_the_server() {
    for first in [0, 1, 30] {
        let at_work = watch::Sender::new(0);
        let server = answers_only(first, &at_work).await;
        let client = client();
        let batch = client.batch().concurrency(10);
        let mut results = batch.as_completed((0..60).map(|_| &server.url));
        for _ in 0..first {
            assert!(finishes(results.next()).await.unwrap().result.is_ok());
        }
        tokio::select! {
            () = comes_to(&at_work, 10) => {}
            ended = results.next() => panic!("nothing is answered any more, but {ended:?}"),
        }
        drop(results);
        comes_to(&at_work, 0).await;
    }
}
