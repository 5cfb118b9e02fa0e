use ::http::{Method, StatusCode};
use mainstay_policy::backoff::Backoff;
use mainstay_policy::fallback::FallbackOn;
use mainstay_policy::hedge::Hedge;

use super::*;
use crate::http::{IdempotencyKeys, RetryRules, When};
use crate::pipeline::FixedAnswer;

/// Without waits, so that sums are round.
fn at_once(attempts: u32) -> Retry {
    Retry::up_to(attempts).backoff(Backoff::constant(Duration::ZERO)).longest_asked(secs(5))
}

#[test]
fn an_attempt_may_not_take_longer_than_the_call() {
    errs(
        &plain().attempt_timeout(ms(30_001)),
        "attempt-timeout-over-deadline",
        "attempt_timeout",
        "30.001s, but `deadline` ends the whole call after 30s: it never fires",
        "raise `deadline` above 30.001s, or lower `attempt_timeout` below 30s",
    );
    fits(&plain().attempt_timeout(secs(30)));
}

#[test]
fn more_than_one_attempt_needs_something_that_ends_one_that_hangs() {
    let fix = "set `attempt_timeout` to what the slowest good answer takes, and `deadline` to what \
               the caller waits for: 8s and 30s in `standard`";
    let bare = PipelineSpec::named("bare").per_host(|_| plain().per_host);
    warns(
        &bare.clone().retry(Retry::up_to(3)),
        "no-timeout",
        "attempt_timeout",
        "not set, and neither is `deadline`, though `retry.max_attempts` is 3: a call that hangs \
         hangs for ever",
        fix,
    );
    warns(
        &bare.clone().hedge(Hedge::after(secs(1))),
        "no-timeout",
        "attempt_timeout",
        "not set, and neither is `deadline`, though `hedge.extra_attempts` is 1: a call that hangs \
         hangs for ever",
        fix,
    );
    fits(&bare.clone());
    fits(&bare.clone().retry(Retry::up_to(1)));
    fits(&bare.retry(Retry::up_to(3)).attempt_timeout(secs(8)));
}

#[test]
fn an_attempt_that_hangs_must_leave_time_for_another() {
    let spec = PipelineSpec { attempt_timeout: None, ..retried(3) };
    warns(
        &spec,
        "no-attempt-timeout",
        "attempt_timeout",
        "not set, so that an attempt that hangs takes all of `deadline` (30s), and none of the other \
         2 (`retry.max_attempts` is 3) follows",
        "set `attempt_timeout` to 9.9s or less",
    );
    fits(&spec.attempt_timeout(ms(9_900)));
}

#[test]
fn all_attempts_must_fit_the_deadline() {
    warns(
        &retried(4),
        "attempts-not-reached",
        "retry.max_attempts",
        "4, but so many attempts of 8s (`attempt_timeout`) and the waits of `retry.backoff` take up \
         to 32.7s, and `deadline` is 30s: when all time out, the last has 5.3s left",
        "raise `deadline` to 32.7s, or lower `attempt_timeout` to 7.325s, or `retry.max_attempts` \
         to 3",
    );
    warns(
        &plain().retry(at_once(3)).attempt_timeout(secs(15)),
        "attempts-not-reached",
        "retry.max_attempts",
        "3, but so many attempts of 15s (`attempt_timeout`) and the waits of `retry.backoff` take up \
         to 45s, and `deadline` is 30s: when all time out, 2 of them begin",
        "raise `deadline` to 45s, or lower `attempt_timeout` to 10s, or `retry.max_attempts` to 2",
    );
    fits(&plain().retry(at_once(3)).attempt_timeout(secs(10)));
    fits(&retried(4).deadline(ms(32_700)));
}

#[test]
fn an_attempt_whose_hedges_hang_too_must_leave_time_for_the_next() {
    warns(
        &plain().retry(at_once(3)).attempt_timeout(secs(10)).hedge(Hedge::after(secs(5))),
        "attempts-not-reached",
        "retry.max_attempts",
        "3, but an attempt whose hedges time out too takes up to 15s (`attempt_timeout` 10s, \
         `hedge.after` 5s), and `deadline` is 30s: the last attempt does not begin",
        "lower `hedge.after` below 5s, or raise `deadline` above 30s",
    );
    fits(&plain().retry(at_once(3)).attempt_timeout(secs(10)).hedge(Hedge::after(ms(4_999))));
    let learned = Hedge::at_percentile(95.0);
    let spec = plain().retry(at_once(3)).attempt_timeout(secs(10)).hedge(learned);
    assert_eq!(spec.lint()[0].code, "attempts-not-reached");
    fits(&plain().retry(at_once(2)).attempt_timeout(secs(10)).hedge(learned));
}

#[test]
fn absurd_numbers_of_attempts_are_counted_in_no_time() {
    let spec = plain().retry(at_once(u32::MAX)).attempt_timeout(Duration::from_nanos(1));
    let codes: Vec<_> = spec.lint().into_iter().map(|it| it.code).collect();
    assert_eq!(codes, ["budget-too-small"], "4 294 967 295 ns are less than 30 s");
    let spec = plain().retry(Retry::up_to(u32::MAX)).attempt_timeout(Duration::from_nanos(1));
    assert_eq!(spec.lint()[0].code, "attempts-not-reached");
}

#[test]
fn a_wait_that_is_asked_for_must_fit_the_deadline() {
    warns(
        &plain().retry(Retry::up_to(3)),
        "asked-over-deadline",
        "retry.longest_asked",
        "60s, but `deadline` ends the whole call after 30s: no wait that long is ever begun",
        "lower `retry.longest_asked` to 22s, or raise `deadline` above 60s",
    );
    fits(&plain().retry(Retry::up_to(3).longest_asked(secs(30))));
}

#[test]
fn a_retry_needs_a_method_that_may_be_repeated() {
    let none = RetryRules::standard()
        .known_methods()
        .cloned()
        .fold(RetryRules::standard(), RetryRules::never);
    errs(
        &retried(3).rules(none.clone()),
        "retry-of-nothing",
        "retry.max_attempts",
        "3, but `rules` never repeat any method: there is no second attempt",
        "let `rules` repeat GET, or leave `retry` out",
    );
    fits(&retried(3).rules(none.idempotent(Method::GET)));
}

#[test]
fn what_stays_as_it_is_need_not_be_repeated() {
    let rules = |status| RetryRules::standard().status(status, When::Always);
    let bad = rules(StatusCode::BAD_REQUEST);
    warns(
        &retried(3).rules(bad.clone()),
        "repeats-what-stays",
        "rules.status",
        "400 is repeated, up to `retry.max_attempts` (3): the same request gets the same answer",
        "take 400 out of `rules.status`, or say \"never\" there",
    );
    let two = bad.status(StatusCode::UNPROCESSABLE_ENTITY, When::IfIdempotent);
    warns(
        &retried(3).rules(two),
        "repeats-what-stays",
        "rules.status",
        "400 and 422 are repeated, up to `retry.max_attempts` (3): the same request gets the same \
         answer",
        "take 400 and 422 out of `rules.status`, or say \"never\" there",
    );
    fits(&retried(3).rules(rules(StatusCode::CONFLICT)));
    fits(
        &retried(3)
            .rules(rules(StatusCode::BAD_REQUEST).status(StatusCode::BAD_REQUEST, When::Never)),
    );
}

#[test]
fn a_backoff_that_is_meant_to_grow_must_have_room() {
    let spec = |backoff| plain().retry(Retry::up_to(3).backoff(backoff).longest_asked(secs(20)));
    warns(
        &spec(Backoff::exponential(secs(1)).cap(secs(1))),
        "backoff-does-not-grow",
        "retry.backoff.cap",
        "1s, as long as `retry.backoff.base`: no wait is longer than the first",
        "raise `retry.backoff.cap` to 2s, or say that the backoff is constant",
    );
    warns(
        &spec(Backoff::exponential(secs(1)).factor(1.0)),
        "backoff-does-not-grow",
        "retry.backoff.factor",
        "1, so that every wait is as long as `retry.backoff.base` (1s)",
        "raise `retry.backoff.factor` to 2, or say that the backoff is constant",
    );
    fits(&spec(Backoff::exponential(secs(1)).cap(ms(1_001))));
    fits(&spec(Backoff::constant(secs(1))));
}

#[test]
fn a_hedge_must_come_before_the_end() {
    errs(
        &plain().hedge(Hedge::after(secs(8))),
        "hedge-never-fires",
        "hedge.after",
        "8s, but `attempt_timeout` ends what hangs after 8s: no hedge ever goes out",
        "lower `hedge.after` to 2.666s, or raise `attempt_timeout` above 8s",
    );
    // A hedge that never goes out makes no attempt longer.
    let retried = plain().retry(at_once(3)).hedge(Hedge::after(secs(8)));
    assert_eq!(retried.lint().len(), 1);
    let spec = PipelineSpec { attempt_timeout: None, ..plain() };
    let late = Hedge::at_percentile(90.0).min_delay(secs(40)).max_delay(secs(50));
    errs(
        &spec.hedge(late),
        "hedge-never-fires",
        "hedge.min_delay",
        "40s, but `deadline` ends what hangs after 30s: no hedge ever goes out",
        "lower `hedge.min_delay` to 10s, or raise `deadline` above 40s",
    );
    fits(&plain().hedge(Hedge::after(ms(7_999))));
    fits(&plain().hedge(Hedge::at_percentile(90.0)));
}

#[test]
fn all_hedges_must_come_before_the_end() {
    warns(
        &plain().hedge(Hedge::after(secs(3)).extra_attempts(3)),
        "hedges-not-reached",
        "hedge.extra_attempts",
        "3, one every 3s (`hedge.after`), but `attempt_timeout` ends what hangs after 8s: 2 at most \
         can go out",
        "lower `hedge.extra_attempts` to 2, or `hedge.after` to 2s",
    );
    fits(&plain().hedge(Hedge::after(secs(2)).extra_attempts(3)));
}

#[test]
fn a_hedge_needs_a_method_that_may_be_sent_twice_at_once() {
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::QUERY];
    let rules = safe.into_iter().fold(RetryRules::standard(), RetryRules::never);
    errs(
        &plain().hedge(Hedge::after(secs(2))).rules(rules.clone()),
        "hedge-of-nothing",
        "hedge.extra_attempts",
        "1, but by `rules` no method may be sent twice at once: no hedge ever goes out",
        "let `rules` send GET twice at once, or leave `hedge` out",
    );
    fits(&plain().hedge(Hedge::after(secs(2))).rules(rules.clone().twice_at_once(Method::PUT)));
    let posts = rules.twice_at_once(Method::POST);
    let spec = plain().hedge(Hedge::after(secs(2))).rules(posts);
    assert_eq!(spec.lint()[0].code, "hedge-of-nothing", "a POST without a key is not idempotent");
    fits(&spec.idempotency_keys(IdempotencyKeys::new()));
}

#[test]
fn hedges_of_retries_multiply() {
    let spec = |attempts, extra| {
        let spec = plain().retry(at_once(attempts)).attempt_timeout(secs(4));
        spec.hedge(Hedge::after(ms(500)).extra_attempts(extra))
    };
    warns(
        &spec(4, 1),
        "hedges-multiply",
        "retry.max_attempts",
        "4, and each may be 2 with `hedge.extra_attempts` (1): one call may be sent 8 times",
        "lower `retry.max_attempts` to 3",
    );
    warns(
        &spec(3, 2),
        "hedges-multiply",
        "retry.max_attempts",
        "3, and each may be 3 with `hedge.extra_attempts` (2): one call may be sent 9 times",
        "lower `retry.max_attempts` to 2, or `hedge.extra_attempts` to 1",
    );
    fits(&spec(3, 1));
    fits(&spec(2, 2));
}

#[test]
fn extra_attempts_need_a_budget() {
    let fix = "set `budget`; with a ratio of 0.2 that is 1.2 times, and 100 attempts in reserve";
    warns(
        &retried(3).without_budget(),
        "no-budget",
        "budget",
        "off, and `retry.max_attempts` is 3: a server that is down gets 3 times its load",
        fix,
    );
    warns(
        &plain().hedge(Hedge::after(secs(1))).without_budget(),
        "no-budget",
        "budget",
        "off, and `hedge.extra_attempts` is 1: a server that is down gets 2 times its load",
        fix,
    );
    warns(
        &plain().retry(at_once(3)).hedge(Hedge::after(secs(1))).without_budget(),
        "no-budget",
        "budget",
        "off, and `retry.max_attempts` is 3 and `hedge.extra_attempts` 1: a server that is down gets \
         6 times its load",
        fix,
    );
    fits(&retried(3));
    fits(&plain().without_budget());
}

#[test]
fn a_budget_must_pay_for_the_attempts() {
    let with = |attempts, ratio| {
        let spec = plain().attempt_timeout(secs(1)).retry(at_once(attempts));
        spec.budget(RetryBudget::new().ratio(ratio))
    };
    warns(
        &with(8, 0.2),
        "budget-too-small",
        "budget.ratio",
        "0.2, which in an outage pays for 1.2 attempts of each call; while it lasts, fewer than one \
         call in 10000 makes more than 6 of its 8 attempts (`retry.max_attempts`)",
        "lower `retry.max_attempts` to 6, or raise `budget.ratio` to 0.37",
    );
    warns(
        &with(3, 0.0),
        "budget-too-small",
        "budget.ratio",
        "0, so that once `budget.reserve` (100) is spent hardly any call has a second of its 3 \
         attempts (`retry.max_attempts`)",
        "raise `budget.ratio` to 0.02",
    );
    fits(&with(6, 0.2));
    fits(&with(8, 0.37));
    fits(&with(3, 0.02));
    fits(&with(2, 0.001));
}

#[test]
fn a_budget_must_pay_for_the_hedges_of_a_percentile() {
    let with = |percentile, ratio| {
        let spec = plain().hedge(Hedge::at_percentile(percentile).min_observations(1_000));
        spec.budget(RetryBudget::new().ratio(ratio))
    };
    warns(
        &with(75.0, 0.2),
        "budget-too-small",
        "budget.ratio",
        "0.2, but a part 0.25 of all calls takes longer than `hedge.percentile` (75) and wants a \
         hedge: most of them are not sent",
        "raise `budget.ratio` above 0.25, or `hedge.percentile` to 90",
    );
    fits(&with(95.0, 0.05));
    fits(&with(99.9, 0.001));
}

#[test]
fn a_fallback_needs_an_end_that_leads_to_it() {
    let nothing = FallbackOn::new().transient(false).throttled(false).refused(false);
    let answer = FixedAnswer::new(StatusCode::OK);
    errs(
        &plain().fallback(answer.clone().on(nothing)),
        "fallback-never-given",
        "fallback.on",
        "empty, so that no end of a call leads to `fallback`: it is never given",
        "set `fallback.on` to [\"transient\", \"throttled\", \"refused\"], as it is unless set, or \
         leave `fallback` out",
    );
    fits(&plain().fallback(answer.on(nothing.fatal(true))));
}
