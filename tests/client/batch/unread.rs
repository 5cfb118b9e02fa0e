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

/// Sixty-four slots, and nothing else that takes time into account.
fn slots(hold: Hold) -> PipelineSpec {
    let slots = Concurrency::limit(64).max_waiting(1_000).max_wait(LONG);
    PipelineSpec::named("slots").per_host(|host| host.hold(hold).concurrency(slots))
}

#[tokio::test]
async fn five_hundred_heads_are_gathered_unread() {
    let server = large().await;
    let (heads, refused) = heads(&server, slots(Hold::Head)).await;
    assert_eq!((heads.len(), refused.len()), (CALLS, 0));
    for head in heads {
        assert_eq!(finishes(head.bytes()).await.unwrap().len(), 1 << 20);
    }
}

#[tokio::test]
async fn where_bodies_hold_slots_an_unread_one_gives_its_slot_back() {
    let server = large().await;
    let hold = Hold::Body { idle: Duration::from_millis(50) };
    let (heads, refused) = heads(&server, slots(hold)).await;
    assert_eq!((heads.len(), refused.len()), (CALLS, 0));
}

/// Paused time, and no socket.
#[tokio::test(start_paused = true)]
async fn where_bodies_hold_slots_for_long_a_batch_ends_in_its_time_and_says_what_did_not() {
    let server = tower::service_fn(|_: Request<reqwest::Body>| async {
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::from("unread")))
    });
    let pipeline = slots(Hold::Body { idle: LONG * 2 }).build().unwrap();
    let client = Client::builder().over(server).pipeline(pipeline).build().unwrap();
    let batch = client.batch().stream_bodies().concurrency(500).deadline(LONG / 6);
    let mut results = batch.as_completed((0..CALLS).map(|_| "http://host/"));
    let (began, mut held, mut late) = (tokio::time::Instant::now(), Vec::new(), 0);
    while let Some(done) = results.next().await {
        match done.result {
            Ok(head) => held.push(head),
            // What is on its way at the end says itself what it waited for.
            Err(ItemError::Call(error)) => {
                assert_eq!(error.refused().unwrap().reason(), Reason::Deadline);
                late += 1;
            }
            Err(ItemError::Deadline) => late += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((held.len(), late, began.elapsed()), (64, CALLS - 64, LONG / 6));

    // Whoever asks nobody is told what was waited for.
    let batch = Batch::calls(|()| client.get("http://host/").send()).concurrency(500);
    let all = batch.keep_everything([()]).await;
    let Err(ItemError::Call(error)) = &all[0].result else { panic!("{all:?}") };
    assert_eq!(error.refused().unwrap().reason(), Reason::NoSlot);
    assert_eq!(held.len(), 64);
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
