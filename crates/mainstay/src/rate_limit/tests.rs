use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use ::http::{Request, Response};
use tokio::task::JoinSet;
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok, task};
use tower::{Service, ServiceExt, service_fn};

use super::*;
use crate::error::{CallError, Error, Reason, Refused};
use crate::guard::{Admission, Ask, Guard};
use crate::observe::testing::heard;
use crate::{BoxError, LiftLayer};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn limit(settings: RateLimit) -> Arc<RateLimitGuard> {
    Arc::new(RateLimitGuard::new(settings).unwrap())
}

async fn waits(guard: Arc<RateLimitGuard>, ask: Ask) -> Result<(), Refused> {
    Guard::<()>::admit(&*guard, &(), ask).await
}

fn asked(guard: &RateLimitGuard, ask: Ask) -> Admission<()> {
    Guard::<()>::try_admit(guard, &(), ask, &Now::default())
}

fn until(time: Duration) -> Ask {
    Ask { until: clock::now() + time, ..Ask::default() }
}

/// Counts how often a future is polled.
async fn counted<F: Future>(future: F) -> (F::Output, u32) {
    let (mut future, mut polls) = (pin!(future), 0);
    let output = std::future::poll_fn(|cx| {
        polls += 1;
        future.as_mut().poll(cx)
    })
    .await;
    (output, polls)
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_start_in_order_each_within_a_millisecond_of_its_time() {
    let guard = limit(RateLimit::per_second(100));
    let begin = clock::now();
    let mut calls = JoinSet::new();
    for n in 0..10_000_u64 {
        let call = counted(waits(Arc::clone(&guard), Ask::default()));
        calls.spawn(async move {
            let (granted, polls) = call.await;
            granted.unwrap();
            (n, clock::now().since(begin), polls)
        });
    }
    for expected in 0..10_000 {
        let (n, at, polls) = calls.join_next().await.unwrap().unwrap();
        let exact = ms(10) * u32::try_from(expected).unwrap();
        assert_eq!(n, expected);
        assert!((exact..exact + ms(1)).contains(&at), "{n} started at {at:?}");
        assert!(polls <= 3, "{n} was polled {polls} times");
    }
    assert_eq!(guard.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn five_thousand_leave_and_the_others_close_up_exactly() {
    let guard = limit(RateLimit::per_second(100));
    let begin = clock::now();
    let mut calls: VecDeque<_> =
        (0..10_000).map(|_| task::spawn(waits(Arc::clone(&guard), Ask::default()))).collect();
    assert_ready!(calls[0].poll()).unwrap();
    for call in calls.iter_mut().skip(1) {
        assert_pending!(call.poll());
    }
    let mut n = 0;
    calls.retain(|_| {
        n += 1;
        n % 2 == 0
    });
    assert_eq!((calls.len(), guard.waiting()), (5_000, 5_000));
    let mut joined = JoinSet::new();
    for (n, call) in calls.into_iter().enumerate() {
        joined.spawn(async move {
            call.await.unwrap();
            (n, clock::now().since(begin))
        });
    }
    for expected in 0..5_000 {
        let (n, at) = joined.join_next().await.unwrap().unwrap();
        let exact = ms(10) * u32::try_from(expected + 1).unwrap();
        assert_eq!(n, expected);
        assert!((exact..exact + ms(1)).contains(&at), "{n} started at {at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_first_in_line_has_a_timer() {
    let guard = limit(RateLimit::per_second(1));
    let mut calls: Vec<_> =
        (0..1_000).map(|_| task::spawn(waits(Arc::clone(&guard), Ask::default()))).collect();
    assert_ready!(calls.remove(0).poll()).unwrap();
    for call in &mut calls {
        assert_pending!(call.poll());
    }
    advance(Duration::from_secs(3_600)).await;
    assert_eq!(calls.iter().filter(|call| call.is_woken()).count(), 1);
    assert!(calls[0].is_woken());
}

#[tokio::test(start_paused = true)]
async fn a_strict_limit_holds_in_every_window() {
    let guard = limit(RateLimit::per(7, ms(100)).strict());
    let begin = clock::now();
    let mut calls = JoinSet::new();
    for n in 0..500_u64 {
        let guard = Arc::clone(&guard);
        calls.spawn(async move {
            // They come in clumps, and not when a window begins.
            tokio::time::sleep_until(clock::after(ms(37 * (n / 60)))).await;
            waits(guard, Ask::default()).await.unwrap();
            clock::now().since(begin)
        });
    }
    let mut starts = Vec::new();
    while let Some(start) = calls.join_next().await {
        starts.push(start.unwrap());
    }
    starts.sort_unstable();
    for window in starts.windows(8) {
        assert!(window[7] - window[0] >= ms(100), "{window:?}");
    }
    let last = starts[499];
    assert!(last < ms(100) * 73, "it took {last:?}, which wastes windows");
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_does_not_pass_one_who_stands_in_line() {
    let guard = limit(RateLimit::per_second(10));
    assert_eq!(asked(&guard, Ask::default()), Admission::Go(()));
    let mut first = task::spawn(waits(Arc::clone(&guard), Ask::default()));
    assert_pending!(first.poll());
    advance(ms(101)).await;
    assert_eq!(asked(&guard, Ask::default()), Admission::Wait);
    assert_ready!(first.poll()).unwrap();
    assert_eq!(guard.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_could_not_start_in_time_is_refused_at_once_and_told_when_it_could() {
    let guard = limit(RateLimit::per_second(10));
    assert_eq!(asked(&guard, Ask::default()), Admission::Go(()));
    let mut standing: Vec<_> =
        (0..4).map(|_| task::spawn(waits(Arc::clone(&guard), Ask::default()))).collect();
    for call in &mut standing {
        assert_pending!(call.poll());
    }
    // Four stand before it, a tenth of a second each, and the next is due in a tenth.
    let Admission::Refuse(refused) = asked(&guard, until(ms(500))) else { panic!("too late") };
    assert_eq!((refused.reason(), refused.retry_in()), (Reason::NoTurn, Some(ms(500))));
    assert_eq!(asked(&guard, until(ms(501))), Admission::Wait);
    let glanced = Guard::<()>::glance(&*guard, &(), until(ms(500)), &Now::default());
    assert_eq!(glanced, Err(refused));
}

#[tokio::test(start_paused = true)]
async fn bounds_of_the_line_are_kept() {
    let guard = RateLimitGuard::new(RateLimit::per_second(10)).unwrap();
    let guard = Arc::new(guard.named("orders").max_waiting(2).max_wait(ms(250)));
    assert_eq!(asked(&guard, Ask::default()), Admission::Go(()));
    let mut calls: Vec<_> =
        (0..3).map(|_| task::spawn(waits(Arc::clone(&guard), Ask::default()))).collect();
    assert_pending!(calls[0].poll());
    assert_pending!(calls[1].poll());
    let full = assert_ready_err!(calls[2].poll());
    assert_eq!((full.name(), full.retry_in()), (Some("orders"), Some(ms(300))));
    let Admission::Refuse(late) = asked(&guard, Ask::default()) else { panic!("too late") };
    assert_eq!(late.retry_in(), Some(ms(300)));
}

#[tokio::test(start_paused = true)]
async fn the_first_in_line_that_leaves_wakes_the_next_who_starts_at_its_time() {
    let guard = limit(RateLimit::per_second(10));
    assert_eq!(asked(&guard, Ask::default()), Admission::Go(()));
    let mut first = task::spawn(waits(Arc::clone(&guard), Ask::default()));
    let mut second = task::spawn(waits(Arc::clone(&guard), Ask::default()));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    drop(first);
    assert!(second.is_woken());
    assert_pending!(second.poll());
    advance(ms(101)).await;
    assert!(second.is_woken());
    assert_ready!(second.poll()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_changed_limit_counts_for_those_who_stand_in_line() {
    let guard = limit(RateLimit::per_minute(1));
    assert_eq!(asked(&guard, Ask::default()), Admission::Go(()));
    let mut call = task::spawn(waits(Arc::clone(&guard), Ask::default()));
    assert_pending!(call.poll());
    guard.change(RateLimit::per_second(10)).unwrap();
    assert!(call.is_woken());
    assert_pending!(call.poll());
    advance(ms(101)).await;
    assert_ready!(call.poll()).unwrap();

    guard.change(RateLimit::per_minute(1)).unwrap();
    let mut call = task::spawn(waits(Arc::clone(&guard), Ask::default()));
    assert_pending!(call.poll());
    advance(ms(50_000)).await;
    assert_pending!(call.poll());
    assert!(guard.change(RateLimit::per_second(0)).is_err());
    assert!(guard.change(RateLimit::per_second(9).strict()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_call_may_cost_more_than_others_and_more_than_there_ever_is() {
    let guard = limit(RateLimit::per_second(10).burst(3));
    let costs = |cost| Ask { cost, ..Ask::default() };
    assert_eq!(asked(&guard, costs(3)), Admission::Go(()));
    let mut call = task::spawn(waits(Arc::clone(&guard), costs(2)));
    assert_pending!(call.poll());
    advance(ms(199)).await;
    assert_pending!(call.poll());
    advance(ms(2)).await;
    assert_ready!(call.poll()).unwrap();
    let Admission::Refuse(never) = asked(&guard, costs(4)) else { panic!("it never could") };
    assert_eq!(never.retry_in(), None);
}

/// Answers with what is left, which each call has one less of.
fn tells(
    left: u32,
) -> impl Fn(Request<()>) -> std::future::Ready<Result<Response<()>, BoxError>> + Clone {
    let left = Arc::new(std::sync::atomic::AtomicU32::new(left));
    move |_| {
        let left = left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed).saturating_sub(1);
        let answer =
            Response::builder().header("ratelimit-remaining", left).header("ratelimit-reset", 30);
        std::future::ready(Ok(answer.body(()).unwrap()))
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_server_says_is_left_is_not_exceeded() {
    let layer = RateLimitLayer::new(RateLimit::per_second(1_000).burst(100)).unwrap();
    let mut service = layer.layer(service_fn(tells(3)));
    for _ in 0..3 {
        service.ready().await.unwrap().call(Request::new(())).await.unwrap();
    }
    let held = layer.handle().snapshot().told.unwrap();
    assert_eq!(held.left, 0);
    let mut call = task::spawn(service.ready().await.unwrap().call(Request::new(())));
    assert_pending!(call.poll());
    advance(ms(29_999)).await;
    assert_pending!(call.poll());
    layer.handle().forget_told();
    assert!(call.is_woken());
    assert_ready_ok!(call.poll());
}

/// C10, axum#2634: one layer value, many services.
#[tokio::test(start_paused = true)]
async fn every_service_of_a_layer_shares_one_limit() {
    let layer = RateLimitLayer::new(RateLimit::per_minute(5).burst(5)).unwrap();
    let well = service_fn(|_: Request<()>| async { Ok::<_, BoxError>(Response::new(())) });
    let mut started = 0;
    for _ in 0..10 {
        let mut service = layer.clone().layer(well);
        for _ in 0..5 {
            let mut call = task::spawn(service.ready().await.unwrap().call(Request::new(())));
            started += u32::from(call.poll().is_ready());
        }
    }
    assert_eq!(started, 5);
}

/// B9: readiness costs nothing, so who readies and leaves has taken nothing.
#[tokio::test(start_paused = true)]
async fn readiness_takes_no_turn() {
    let layer = RateLimitLayer::new(RateLimit::per_minute(1)).unwrap();
    let well = service_fn(|_: Request<()>| async { Ok::<_, BoxError>(Response::new(())) });
    let mut service = layer.layer(well);
    for _ in 0..10 {
        service.clone().ready().await.unwrap();
    }
    service.ready().await.unwrap().call(Request::new(())).await.unwrap();
}

/// B8: a thousand who wait are each polled a few times, not all at each step.
#[tokio::test(start_paused = true)]
async fn waiters_of_a_strict_limit_are_polled_a_few_times_each() {
    let guard = limit(RateLimit::per_second(10).strict());
    let mut calls = JoinSet::new();
    for _ in 0..1_000 {
        calls.spawn(counted(waits(Arc::clone(&guard), Ask::default())));
    }
    let mut polls = 0;
    while let Some(call) = calls.join_next().await {
        polls += call.unwrap().1;
    }
    assert!(polls <= 3_000, "{polls} polls");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_reaches_the_caller_through_its_own_error() {
    let layer = RateLimitLayer::new(RateLimit::per_minute(1)).unwrap();
    let fails = service_fn(|_: Request<()>| async { Err::<Response<()>, _>(std::fmt::Error) });
    let mut service = layer.layer(LiftLayer::new().layer(fails));
    let failed = service.ready().await.unwrap().call(Request::new(())).await.unwrap_err();
    assert_eq!(failed, Error::Inner(std::fmt::Error));
    let scope = crate::scope::Scope::current().until(clock::now() + ms(10));
    let call = scope.around(|| service.call(Request::new(())));
    let refused = call.await.unwrap_err();
    assert_eq!(refused.refused().map(Refused::reason), Some(Reason::NoTurn));
}

/// A dropped waiter takes nothing with it, at whichever poll.
#[tokio::test(start_paused = true)]
async fn who_leaves_at_any_poll_leaves_nothing_behind() {
    for polls in 0..3 {
        let guard = limit(RateLimit::per_second(10));
        assert_eq!(asked(&guard, Ask::default()), Admission::Go(()));
        let mut call = task::spawn(waits(Arc::clone(&guard), Ask::default()));
        for _ in 0..polls {
            assert_pending!(call.poll());
        }
        drop(call);
        assert_eq!(guard.waiting(), 0);
        advance(ms(101)).await;
        assert_eq!(asked(&guard, Ask::default()), Admission::Go(()));
    }
}

#[tokio::test(start_paused = true)]
async fn in_shadow_it_says_whom_it_would_hold_up_by_its_name() {
    let guard = RateLimitGuard::new(RateLimit::per_second(1)).unwrap().named("orders");
    let shadow = RateLimitLayer::of(guard, Http::new()).shadow();
    let _ = heard();
    for _ in 0..2 {
        let (guard, now) = (shadow.guard(), Now::default());
        let subject = Guard::<()>::subject(guard, &());
        let asked = Guard::<()>::try_admit(guard, &subject, Ask::default(), &now);
        assert!(matches!(asked, Admission::Go(_)));
    }
    assert_eq!(heard(), ["WouldWait { layer: \"rate limit\", name: Some(\"orders\") }"]);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert!(RateLimitLayer::new(RateLimit::per_second(0)).is_err());
}

/// Answers come in any order; what was said later of the same reset does not bring back more.
#[tokio::test(start_paused = true)]
async fn of_what_a_server_says_is_left_until_one_reset_the_least_counts() {
    let layer = RateLimitLayer::new(RateLimit::per_second(1_000).burst(100)).unwrap();
    let says = |left: u32| {
        let answer = Response::builder().header("ratelimit-remaining", left);
        let answer = answer.header("ratelimit-reset", 30).body(()).unwrap();
        layer.layer(service_fn(move |_: Request<()>| {
            std::future::ready(Ok::<_, BoxError>(answer.clone()))
        }))
    };
    for (left, held) in [(50, 50), (20, 20), (40, 19), (30, 18), (5, 5)] {
        says(left).ready().await.unwrap().call(Request::new(())).await.unwrap();
        assert_eq!(layer.handle().snapshot().told.unwrap().left, held, "after {left}");
    }
}
