//! Many answers whose bodies nobody reads yet.

use futures_util::future::join_all;
use mainstay::Reason;
use mainstay::concurrency::Concurrency;
use mainstay::http::Cause;
use mainstay::pipeline::Hold;

use super::*;

const CALLS: usize = 500;

/// Bodies that are far too large to be in flight unread.
async fn large() -> Server {
    Server::answers(Speaks::Http1, |_, _| async {
        Response::new(Full::<Bytes>::from(vec![7; 1 << 20]))
    })
    .await
}

#[tokio::test]
async fn five_hundred_heads_are_gathered_before_any_body_is_read() {
    let (server, client) = (large().await, client());
    let heads = finishes(join_all((0..CALLS).map(|_| client.get(&server.url).send()))).await;
    let heads: Vec<_> = heads.into_iter().map(Result::unwrap).collect();
    assert_eq!(heads.len(), CALLS);
    for head in heads {
        assert_eq!(finishes(head.bytes()).await.unwrap().len(), 1 << 20);
    }
}

#[tokio::test]
async fn where_bodies_hold_slots_one_that_nobody_reads_gives_its_slot_back() {
    let server = large().await;
    let hold = Hold::Body { idle: Duration::from_millis(50) };
    let pipeline = quick()
        .per_host(|host| host.hold(hold).concurrency(Concurrency::limit(64).max_waiting(1_000)));
    let client = builder().pipeline(pipeline.build().unwrap()).build().unwrap();
    let heads = finishes(join_all((0..CALLS).map(|_| client.get(&server.url).send()))).await;
    let heads: Vec<_> = heads.into_iter().map(Result::unwrap).collect();
    assert_eq!(heads.len(), CALLS);
    for head in heads {
        assert_eq!(finishes(head.bytes()).await.unwrap().len(), 1 << 20);
    }
}

#[tokio::test]
async fn who_gets_no_slot_in_time_is_told_so() {
    let server = large().await;
    let pipeline = quick().per_host(|host| {
        let slots = Concurrency::limit(64).max_waiting(1_000);
        host.hold(Hold::Body { idle: LONG }).concurrency(slots.max_wait(Duration::from_millis(50)))
    });
    let client = builder().pipeline(pipeline.build().unwrap()).build().unwrap();
    let heads = finishes(join_all((0..CALLS).map(|_| client.get(&server.url).send()))).await;
    let (heads, late): (Vec<_>, Vec<_>) = heads.into_iter().partition(Result::is_ok);
    assert_eq!((heads.len(), late.len()), (64, CALLS - 64));
    for error in late.into_iter().filter_map(Result::err) {
        assert_eq!((error.cause(), error.attempts()), (Cause::Refused, 0));
        assert_eq!(error.refused().unwrap().reason(), Reason::NoSlot);
        let why = std::error::Error::source(&error).unwrap().to_string();
        assert!(why.contains("no free slot in time"), "{why}");
    }
}
