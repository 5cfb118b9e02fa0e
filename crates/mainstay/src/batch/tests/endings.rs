use super::*;

#[tokio::test(start_paused = true)]
async fn results_come_as_they_are_there_and_know_their_input() {
    let server = Server::default();
    let mut results = Batch::over(server.service()).concurrency(3).as_completed([31, 10, 22, 3]);
    let mut seen = Vec::new();
    while let Some(done) = results.next().await {
        seen.push((done.index, done.result.ok()));
    }
    assert_eq!(seen, [(1, None), (3, Some(3)), (2, Some(22)), (0, Some(31))]);
    assert_eq!((server.most(), server.live()), (3, 0));
    assert!(!results.is_cut_short());
}

#[tokio::test(start_paused = true)]
async fn in_input_order_the_slow_are_waited_for() {
    let server = Server::default();
    let mut results = Batch::over(server.service()).concurrency(3).in_order([31, 11, 22, 3]);
    let mut seen = Vec::new();
    let (_, took) = timed(async {
        while let Some(done) = results.next().await {
            assert_eq!(done.index, seen.len() as u64);
            seen.push(done.result.unwrap());
        }
    })
    .await;
    assert_eq!((seen, took), (vec![31, 11, 22, 3], ms(31)));
}

#[tokio::test(start_paused = true)]
async fn in_input_order_no_more_than_the_window_is_pulled_and_progress_says_so() {
    let (server, mut pulled) = (Server::default(), 0);
    let inputs = std::iter::repeat_with(|| {
        pulled += 1;
        if pulled == 1 { 1_001 } else { 1 }
    });
    let batch = Batch::over(server.service()).concurrency(2).window(5);
    let progress = batch.progress();
    let mut results = batch.in_order(inputs.take(100));
    let first = tokio::time::timeout(ms(1_000), results.next()).await;
    assert!(first.is_err());
    let counts = progress.counts();
    assert_eq!((counts.done, counts.running, counts.waiting), (4, 1, 0));
    assert!(counts.is_held_up);
    assert_eq!(server.started(), 5);
    for index in 0..100 {
        assert_eq!(results.next().await.unwrap().index, index);
    }
    assert!(results.next().await.is_none());
    drop(results);
    assert_eq!(pulled, 100);
}

#[tokio::test(start_paused = true)]
async fn the_first_success_is_enough_and_the_rest_is_dropped() {
    let server = Server::default();
    let batch = Batch::over(server.service()).with_ids();
    let inputs = [("fails", 10), ("slow", 999), ("wins", 21), ("late", 22)];
    let (won, took) = timed(batch.first_success(inputs)).await;
    assert_eq!(won.unwrap(), Success { index: 2, id: "wins", answer: 21 });
    assert_eq!((took, server.live(), server.started()), (ms(21), 0, 4));
}

#[tokio::test(start_paused = true)]
async fn where_none_succeeds_the_last_failure_says_why() {
    let server = Server::default();
    let error = Batch::over(server.service()).first_success([30, 20, 10]).await.unwrap_err();
    assert_eq!(error.to_string(), "none of 3 inputs succeeded");
    let last = error.last.unwrap();
    assert_eq!((last.index, last.error.into_call()), (0, Some(Odd)));
    let nothing = Batch::over(server.service()).first_success([]).await.unwrap_err();
    assert!(nothing.tried == 0 && nothing.last.is_none());
}

#[tokio::test(start_paused = true)]
async fn all_or_nothing_is_all() {
    let server = Server::default();
    let batch = Batch::over(server.service()).concurrency(2);
    assert_eq!(batch.all_or_nothing([31, 11, 22, 3]).await.unwrap(), [31, 11, 22, 3]);
}

#[tokio::test(start_paused = true)]
async fn all_or_nothing_is_nothing_after_the_first_failure() {
    let server = Server::default();
    let batch = Batch::over(server.service()).concurrency(2);
    let (failed, took) = timed(batch.all_or_nothing([999, 7, 10, 1, 1])).await;
    let failed = failed.unwrap_err();
    assert_eq!((failed.index, failed.error.into_call()), (2, Some(Odd)));
    assert_eq!((took, server.live(), server.started()), (ms(17), 0, 3));
}

#[tokio::test(start_paused = true)]
async fn everything_is_kept_in_its_order() {
    let server = Server::default();
    let results = Batch::over(server.service()).concurrency(2).keep_everything([31, 10, 22]).await;
    let all: Vec<_> = results.into_iter().map(|done| (done.index, done.result.ok())).collect();
    assert_eq!(all, [(0, Some(31)), (1, None), (2, Some(22))]);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_ended_at_the_deadline_fails_and_what_was_not_pulled_never_is() {
    let server = Server::default();
    let batch = || Batch::over(server.service()).concurrency(2).deadline(ms(50));
    let mut pulled = 0;
    let inputs = std::iter::repeat_with(|| {
        pulled += 1;
        29
    });
    let (results, took) = timed(batch().keep_everything(inputs.take(100))).await;
    assert_eq!((took, server.live()), (ms(50), 0));
    let ends: Vec<_> = results.into_iter().map(|done| done.result.ok()).collect();
    assert_eq!(ends, [Some(29), Some(29), None, None]);
    assert_eq!(pulled, 4);

    let mut results = batch().in_order([1, 99, 1]);
    let mut late = Vec::new();
    while let Some(done) = results.next().await {
        late.push(matches!(done.result, Err(ItemError::Deadline)));
    }
    assert_eq!(late, [false, true, false]);
    assert!(results.is_cut_short());

    let failed = batch().all_or_nothing([1, 99, 1]).await.unwrap_err();
    assert!(failed.index == 1 && matches!(failed.error, ItemError::Deadline));
    let failed = batch().first_success([99, 99]).await.unwrap_err();
    assert!(failed.tried == 2 && failed.last.is_some());
    let failed = batch().all_or_nothing(stream(futures_util::stream::pending())).await.unwrap_err();
    assert!(failed.id.is_none() && matches!(failed.error, ItemError::Deadline));
}

/// Its time was over while the caller did something else.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_there_is_not_thrown_away_at_the_deadline() {
    let server = Server::default();
    let batch = || Batch::over(server.service()).deadline(ms(50));
    let mut results = batch().as_completed([7, 49, 999, 48]);
    results.next().await.unwrap();
    tokio::time::advance(ms(60)).await;
    let mut ends = Vec::new();
    while let Some(done) = results.next().await {
        ends.push((done.index, done.result.ok()));
    }
    assert_eq!(ends, [(3, Some(48)), (1, Some(49)), (2, None)]);
    assert!(results.is_cut_short());

    let mut results = batch().as_completed([7, 49]);
    results.next().await.unwrap();
    tokio::time::advance(ms(60)).await;
    assert!(results.next().await.unwrap().result.is_ok());
    assert!(results.next().await.is_none() && !results.is_cut_short());
}

/// While the second is waited for, sixteen are held; then the caller takes its time with each.
#[tokio::test(start_paused = true)]
async fn in_input_order_others_go_on_while_those_that_are_held_are_taken() {
    let server = Server::default();
    let batch = Batch::over(server.service()).concurrency(4).window(16);
    let mut results = batch.in_order((0..40).map(|n| if n == 0 { 101 } else { 1 }));
    for taken in 1..=16 {
        results.next().await.unwrap();
        tokio::time::advance(ms(1)).await;
        assert!(server.started() >= 12 + taken, "{} at {taken}", server.started());
    }
    assert_eq!(server.most(), 4);
}

#[tokio::test(start_paused = true)]
async fn nothing_at_all_is_a_batch_too() {
    let server = Server::default();
    assert!(Batch::over(server.service()).in_order([]).next().await.is_none());
    assert!(Batch::over(server.service()).all_or_nothing([]).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn numbers_that_cannot_work_are_made_ones_that_do() {
    let server = Server::default();
    let batch = Batch::over(server.service()).concurrency(0).window(0).look_ahead(0);
    assert_eq!(batch.all_or_nothing([1, 2, 3]).await.unwrap(), [1, 2, 3]);
    assert_eq!(server.most(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_sees_the_counts_the_rate_and_what_is_left() {
    let server = Server::default();
    let batch = Batch::over(server.service()).concurrency(2);
    let mut progress = batch.progress();
    let mut results = batch.as_completed([100, 100, 99, 1, 1, 1]);
    assert_eq!(progress.counts(), Counts::default());
    for _ in 0..3 {
        results.next().await.unwrap();
    }
    let counts = progress.next().await.unwrap();
    assert_eq!((counts.total, counts.done, counts.failed), (Some(6), 3, 2));
    assert_eq!((counts.running, counts.waiting), (1, 0));
    assert!((counts.rate - 3.0 / 0.101).abs() < 1.0, "{counts:?}");
    assert_eq!(counts.time_left, Some(ms(101)));
    while results.next().await.is_some() {}
    assert_eq!(progress.next().await.unwrap().done, 6);
    drop(results);
    assert_eq!(progress.next().await, None);
}
