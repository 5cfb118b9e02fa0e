mod scenes;

use mainstay_policy::adaptive::{AdaptiveLimit, Aimd};
use mainstay_policy::backoff::{Backoff, Jitter};
use mainstay_policy::budget::RetryBudget;
use mainstay_policy::concurrency::Concurrency;
use mainstay_policy::cooldown::CoolDown;
use mainstay_policy::hedge::Hedge;
use mainstay_policy::rate_limit::RateLimit;
use mainstay_policy::retry::Retry;

use super::*;
use crate::pipeline::Hold;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn named() -> PipelineSpec {
    PipelineSpec::named("a")
}

#[test]
fn one_attempt_costs_one_attempt() {
    let bounds = named().bounds();
    assert_eq!(bounds.attempts, Bound::AtMost(1));
    assert_eq!((bounds.load, bounds.reserve), (Bound::AtMost(1.0), Bound::AtMost(0)));
    assert!(matches!(bounds.time, Bound::Unbounded(_)));
    assert!(matches!(bounds.slots, Bound::Unbounded(_)));
}

#[test]
fn every_attempt_of_a_retry_has_its_hedges() {
    let spec = named().retry(Retry::up_to(3)).hedge(Hedge::after(ms(10)).extra_attempts(2));
    let bounds = spec.bounds();
    assert_eq!(bounds.attempts, Bound::AtMost(9));
    assert_eq!((bounds.load, bounds.reserve), (Bound::AtMost(1.2), Bound::AtMost(100)));
    assert_eq!(bounds.load_without_budget, Bound::AtMost(9.0));
    let bounds = spec.without_budget().bounds();
    assert_eq!((bounds.load, bounds.reserve), (Bound::AtMost(9.0), Bound::AtMost(0)));
}

#[test]
fn a_budget_that_pays_for_all_bounds_nothing() {
    let spec = named().retry(Retry::up_to(2)).budget(RetryBudget::new().ratio(1.0));
    let bounds = spec.bounds();
    assert_eq!((bounds.load, bounds.reserve), (Bound::AtMost(2.0), Bound::AtMost(0)));
}

#[test]
fn a_deadline_is_the_longest_that_a_call_takes() {
    let spec = PipelineSpec::bulk_crawl();
    assert_eq!(spec.bounds().time, Bound::AtMost(secs(300)));
}

#[test]
fn without_a_deadline_all_that_can_follow_one_another_is_added() {
    let spec = named().attempt_timeout(secs(2));
    assert_eq!(spec.bounds().time, Bound::AtMost(ms(2_002)));
    let backoff = Backoff::exponential(ms(400)).cap(secs(1));
    let retried = spec.retry(Retry::up_to(4).backoff(backoff).longest_asked(secs(5)));
    // Four attempts, and after each but the last what was asked and an envelope.
    let waits = ms(5_402 + 5_802 + 6_002);
    assert_eq!(retried.bounds().time, Bound::AtMost(ms(4 * 2_002) + waits));

    // Without jitter nothing is added to what was asked.
    let plain = Retry::up_to(2).backoff(backoff.jitter(Jitter::None)).longest_asked(secs(5));
    let plain = named().attempt_timeout(secs(2)).retry(plain);
    assert_eq!(plain.bounds().time, Bound::AtMost(ms(2 * 2_002 + 5_002)));

    let queued = retried.clone().per_host(|host| {
        let slots = Concurrency::limit(4).max_wait(secs(3));
        host.concurrency(slots).cool_down(CoolDown::new()).max_wait(secs(6))
    });
    let each = ms(3_002 + 6_002 + 2_002);
    assert_eq!(queued.bounds().time, Bound::AtMost(4 * each + waits));
    let hedged = queued.clone().hedge(Hedge::after(secs(1)));
    assert_eq!(hedged.bounds().time, Bound::AtMost(8 * each + waits));

    let shadows =
        queued.per_host(|host| host.shadow(GuardKind::Concurrency).shadow(GuardKind::Turns));
    assert_eq!(shadows.bounds().time, retried.bounds().time);
    assert!(matches!(shadows.bounds().slots, Bound::Unbounded(_)));
}

#[test]
fn reading_a_failed_answer_takes_its_time() {
    let retry = Retry::up_to(2).backoff(Backoff::constant(ms(1))).longest_asked(ms(2));
    let spec = named().attempt_timeout(secs(1)).retry(retry);
    assert_eq!(spec.bounds().time, Bound::AtMost(ms(2 * 1_002 + 102)));
}

#[test]
fn a_line_without_an_end_is_as_long_as_it_takes() {
    let limited = |host: HostSpec| host.rate_limit(RateLimit::per_second(5));
    let spec = named().attempt_timeout(secs(1)).per_host(limited);
    assert!(matches!(spec.bounds().time, Bound::Unbounded(why) if why.contains("line.max_wait")));
    let nobody = spec.per_host(|host| host.max_waiting(0));
    assert_eq!(nobody.bounds().time, Bound::AtMost(ms(1_002)));
}

#[test]
fn numbers_without_measure_saturate() {
    let retry = Retry::up_to(u32::MAX).backoff(Backoff::constant(Duration::MAX));
    let spec = named().attempt_timeout(Duration::MAX).retry(retry.longest_asked(Duration::MAX));
    let bounds = spec.hedge(Hedge::after(ms(1)).extra_attempts(u32::MAX)).bounds();
    assert_eq!(bounds.attempts, Bound::AtMost(u64::from(u32::MAX) << 32));
    assert_eq!(bounds.time, Bound::AtMost(Duration::MAX));
}

#[test]
fn every_host_has_its_own_bounds_and_the_whole_has_the_largest() {
    let spec = named()
        .attempt_timeout(secs(1))
        .per_host(|host| host.concurrency(Concurrency::limit(4).max_wait(secs(2))))
        .host("small.example", |host| host.concurrency(Concurrency::limit(1).max_wait(secs(9))))
        .host("free.example", |_| HostSpec::default());
    assert_eq!(spec.bounds_of("https://a.example").slots, Bound::AtMost(4));
    assert_eq!(spec.bounds_of("https://small.example").slots, Bound::AtMost(1));
    assert_eq!(spec.bounds_of("https://small.example").time, Bound::AtMost(ms(9_002 + 1_002)));
    assert!(matches!(spec.bounds_of("https://free.example").slots, Bound::Unbounded(_)));
    let whole = spec.bounds();
    assert!(matches!(whole.slots, Bound::Unbounded(_)));
    assert_eq!(whole.time, Bound::AtMost(ms(9_002 + 1_002)));
}

#[test]
fn an_adaptive_limit_may_rise_to_its_most() {
    let adaptive = |host: HostSpec| host.adaptive(AdaptiveLimit::aimd(Aimd::new()).max(90));
    assert_eq!(named().per_host(adaptive).bounds().slots, Bound::AtMost(90));
}

#[test]
fn what_a_strict_limit_remembers_is_counted() {
    let memory = |spec: PipelineSpec| spec.bounds().memory.at_most().expect("it is bounded");
    let of = |limit| memory(named().per_host(|host| host.rate_limit(limit)));
    let smooth = of(RateLimit::per_minute(60_000));
    let strict = of(RateLimit::per_minute(60_000).strict());
    assert_eq!(strict - smooth, 480_000);
    assert!(memory(PipelineSpec::standard()) < 20_000);
    let held = named().per_host(|host| host.hold(Hold::Body { idle: secs(1) }));
    assert_eq!(memory(held), memory(named()));
}
