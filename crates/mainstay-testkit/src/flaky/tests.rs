use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use tower::ServiceExt;
use tower_service::Service;

use super::*;
use crate::clock;
use crate::contract::{self, Subject};
use crate::{Polled, Script, finishes};

const MS: Duration = Duration::from_millis(1);

fn script() -> Script<u32, u32, &'static str> {
    let script = Script::new();
    script.answers(Ok);
    script
}

/// How each of so many calls ends; nothing is said of one that hangs.
async fn ends(
    flaky: &FlakyLayer<&'static str>,
    calls: u32,
) -> Vec<Option<Result<u32, &'static str>>> {
    let (script, mut ends) = (script(), Vec::new());
    for request in 0..calls {
        let mut call = Polled::new(flaky.layer(script.service()).oneshot(request));
        let end = match call.poll() {
            Poll::Ready(end) => Some(end),
            Poll::Pending => tokio::time::timeout(100 * MS, poll_fn(|_| call.poll())).await.ok(),
        };
        ends.push(end);
    }
    ends
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_deals_the_same_fates_and_one_setting_does_not_shift_another() {
    let flaky = |seed| FlakyLayer::seeded(seed).fails(30.0, || "ill");
    let first = ends(&flaky(7), 100).await;
    assert_eq!(ends(&flaky(7), 100).await, first);
    assert_ne!(ends(&flaky(8), 100).await, first);
    let more = ends(&flaky(7).hangs(20.0), 100).await;
    let fails = |ends: &[Option<Result<u32, &'static str>>]| -> Vec<_> {
        (0..100).filter(|n| ends[*n] == Some(Err("ill"))).collect()
    };
    assert_eq!(fails(&more), fails(&first));
    assert!(more.contains(&None));
}

#[tokio::test(start_paused = true)]
async fn the_shares_are_those_that_were_set() {
    let flaky = FlakyLayer::seeded(7).fails(10.0, || "ill").hangs(5.0);
    let ends = ends(&flaky, 1_000).await;
    let dealt = flaky.dealt();
    assert!((70..130).contains(&dealt.failed) && (30..70).contains(&dealt.hung), "{dealt:?}");
    assert_eq!(dealt.calls, 1_000);
    assert_eq!(ends.iter().filter(|end| **end == Some(Err("ill"))).count(), dealt.failed);
    assert_eq!(ends.iter().filter(|end| end.is_none()).count(), dealt.hung);
}

#[tokio::test(start_paused = true)]
async fn a_late_call_is_sent_at_once_and_ends_later() {
    let (script, flaky) = (script(), FlakyLayer::seeded(7).late(100.0, 5 * MS, 6 * MS));
    let mut call = Polled::new(flaky.layer(script.service()).oneshot(1));
    assert!(call.poll().is_pending());
    assert_eq!((script.seen().calls, script.seen().in_flight), (1, 0));
    let begin = clock::now();
    finishes(call.woken()).await;
    let waited = clock::now().duration_since(begin);
    assert!((5 * MS..=7 * MS).contains(&waited), "{waited:?}");
    assert_eq!(call.poll(), Poll::Ready(Ok(1)));
    assert_eq!(flaky.dealt().late, 1);
}

#[test]
fn a_call_that_panics_or_fails_does_not_reach_the_service_and_gives_its_place_back() {
    let (script, panics) = (script(), FlakyLayer::seeded(7).panics(100.0));
    let fails = FlakyLayer::seeded(7).fails(100.0, || "ill");
    script.has_places(1);
    let (mut panicking, mut failing) =
        (panics.layer(script.service()), fails.layer(script.service()));
    for _ in 0..2 {
        assert!(Polled::new(poll_fn(|cx| panicking.poll_ready(cx))).poll().is_ready());
        let mut call = Polled::new(panicking.call(1));
        catch_unwind(AssertUnwindSafe(|| call.poll())).unwrap_err();
        assert!(Polled::new(poll_fn(|cx| failing.poll_ready(cx))).poll().is_ready());
        assert_eq!(Polled::new(failing.call(1)).poll(), Poll::Ready(Err("ill")));
    }
    assert_eq!(script.seen().calls, 0);
    assert_eq!((panics.dealt().panicked, fails.dealt().failed), (2, 2));
}

#[test]
fn an_instance_that_is_not_ready_has_itself_asked_again() {
    let (script, flaky) = (script(), FlakyLayer::<&str>::seeded(7).unready(50.0));
    let mut service = flaky.layer(script.service());
    let mut pending = 0;
    for _ in 0..100 {
        let mut ready = Polled::new(poll_fn(|cx| Service::<u32>::poll_ready(&mut service, cx)));
        if ready.poll().is_pending() {
            assert!(ready.is_woken());
            pending += 1;
        }
    }
    assert_eq!(flaky.dealt().unready, pending);
    assert!((30..70).contains(&pending), "{pending}");
}

#[test]
fn without_a_fate_it_keeps_the_contract() {
    let layer = || FlakyLayer::seeded(7);
    let subject = Subject::of("FlakyLayer", layer, || 1, || Ok(2), || "dead");
    contract::check(&subject.lets_all_through().build());
}
