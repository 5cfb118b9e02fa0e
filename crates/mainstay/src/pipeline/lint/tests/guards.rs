use mainstay_policy::adaptive::{AdaptiveLimit, Aimd};
use mainstay_policy::breaker::{CircuitBreaker, Span};
use mainstay_policy::concurrency::Concurrency;
use mainstay_policy::rate_limit::RateLimit;
use mainstay_policy::throttle::Throttle;

use super::*;
use crate::pipeline::{GuardKind, Hold};

fn breaker() -> CircuitBreaker {
    CircuitBreaker::new().window(Span::Time(secs(20)))
}

fn guarded(breaker: CircuitBreaker) -> PipelineSpec {
    with(plain(), |host| host.circuit_breaker(breaker))
}

#[test]
fn a_queue_may_not_be_stood_in_for_longer_than_the_call() {
    let too_long = "40s, but `deadline` ends the whole call after 30s: nobody waits that long";
    let fix = |name: &str| {
        let name = name.trim_start_matches("per_host.");
        format!("lower `{name}` to 22s, or raise `deadline` above 40s")
    };
    let adaptive = |wait| AdaptiveLimit::aimd(Aimd::new()).max_wait(wait);
    let fixed = |wait| Concurrency::limit(5).max_wait(wait);
    for (name, spec) in [
        ("per_host.concurrency.max_wait", with(plain(), |host| host.concurrency(fixed(secs(40))))),
        ("per_host.adaptive.max_wait", with(plain(), |host| host.adaptive(adaptive(secs(40))))),
        ("per_host.line.max_wait", with(plain(), |host| host.max_wait(secs(40)))),
    ] {
        warns(&spec, "queue-wait-over-deadline", name, too_long, &fix(name));
    }
    fits(&with(plain(), |host| host.concurrency(fixed(secs(30)))));
    fits(&with(plain(), |host| host.concurrency(fixed(secs(40)).max_waiting(0))));
}

#[test]
fn a_line_needs_turns() {
    let none = |host: HostSpec| HostSpec { cool_down: None, ..host };
    let fix = |name: &str| {
        format!(
            "set `cool_down`, or leave `{name}` out; slots have lines of their own, \
             such as `concurrency.max_waiting`"
        )
    };
    let because = "but neither `rate_limit` nor `cool_down` is set: there is no line";
    warns(
        &with(plain(), |host| none(host).max_waiting(50)),
        "line-without-turns",
        "per_host.line.max_waiting",
        &format!("50, {because}"),
        &fix("line.max_waiting"),
    );
    warns(
        &with(plain(), |host| none(host).max_wait(secs(5))),
        "line-without-turns",
        "per_host.line.max_wait",
        &format!("5s, {because}"),
        &fix("line.max_wait"),
    );
    fits(&with(plain(), |host| host.max_wait(secs(5)).max_waiting(50)));
}

#[test]
fn a_rate_must_limit_something() {
    let fix = "set `rate_limit` to what the server takes, such as 50 in 1s, or leave it \
               out: something else bounds what is sent";
    warns(
        &with(plain(), |host| host.rate_limit(RateLimit::per(50, Duration::from_nanos(500)))),
        "rate-limits-nothing",
        "per_host.rate_limit",
        "50 in 500ns are 100000000 a second, which no process starts: it limits nothing",
        fix,
    );
    let slots = |count| {
        let limit = RateLimit::per_second(count);
        with(plain(), |host| host.rate_limit(limit).concurrency(2))
    };
    warns(
        &slots(20_001),
        "rate-limits-nothing",
        "per_host.rate_limit",
        "20001 in 1s are 20001 a second, but `concurrency.limit` (2) lets 20000 start even \
         if each answer takes only 100µs: it limits nothing",
        fix,
    );
    fits(&slots(20_000));
    fits(&with(plain(), |host| host.rate_limit(RateLimit::per_second(999_999))));
}

#[test]
fn a_429_must_be_heard_by_all() {
    let fix = "set `cool_down`: unless the server names a time, it leaves it alone for 1s";
    let alone = |spec: PipelineSpec| with(spec, |host| HostSpec { cool_down: None, ..host });
    warns(
        &alone(retried(3)),
        "throttled-alone",
        "per_host.cool_down",
        "not set, so that a 429 holds back the call that got it, and the others go on, each up to 3 \
         times (`retry.max_attempts`)",
        fix,
    );
    let limited = with(alone(plain()), |host| host.rate_limit(RateLimit::per_minute(300)));
    warns(
        &limited,
        "throttled-alone",
        "per_host.cool_down",
        "not set, so that a 429 holds back the call that got it, and the others go on at 300 in 60s \
         (`rate_limit`)",
        fix,
    );
    fits(&alone(plain()));
    fits(&with(alone(retried(3)), |host| host.throttle(Throttle::new())));
    fits(&with(alone(retried(3)), |host| host.adaptive(AdaptiveLimit::aimd(Aimd::new()))));
}

#[test]
fn a_breaker_s_window_must_see_attempts_that_time_out() {
    warns(
        &guarded(breaker().window(Span::Time(secs(15)))),
        "breaker-window-too-short",
        "per_host.circuit_breaker.window",
        "15s, less than twice `attempt_timeout` (8s): an attempt that began with the window and times \
         out says so when most of it has gone",
        "raise `circuit_breaker.window` to 16s, or lower `attempt_timeout` to 7.5s",
    );
    fits(&guarded(breaker().window(Span::Time(secs(16)))));
    fits(&guarded(breaker().window(Span::Calls(20))));
    fits(&guarded(breaker().window(Span::Time(secs(15))).failure_ratio(None)));
}

#[test]
fn the_rate_must_let_enough_calls_into_the_window() {
    let with_rate = |limit, breaker| with(guarded(breaker), |host| host.rate_limit(limit));
    let slow = RateLimit::per_minute(12);
    let why = "10, but `rate_limit` lets at most 5 start in \
               `circuit_breaker.window` (20s), so ratios never count";
    let fix = "lower `circuit_breaker.min_calls` to 5, or raise \
               `circuit_breaker.window` to 45s";
    let (code, name) = ("min-calls-not-reached", "per_host.circuit_breaker.min_calls");
    let what = format!("{why}: only 5 failures in a row open it");
    warns(&with_rate(slow, breaker()), code, name, &what, fix);
    let what = format!("{why}: nothing opens it");
    errs(&with_rate(slow, breaker().consecutive_failures(None)), code, name, &what, fix);

    let strict = RateLimit::per(2, secs(10)).strict();
    warns(
        &with_rate(strict, breaker()),
        code,
        name,
        "10, but `rate_limit` lets at most 6 start in `circuit_breaker.window` \
         (20s), so ratios never count: only 5 failures in a row open it",
        "lower `circuit_breaker.min_calls` to 6, or raise `circuit_breaker.window` \
         to 50s",
    );
    fits(&with_rate(slow, breaker().min_calls(5)));
    fits(&with_rate(slow, breaker().window(Span::Time(secs(45)))));
    fits(&with_rate(slow.burst(6), breaker()));
    fits(&with_rate(slow, breaker().failure_ratio(None)));
    fits(&with_rate(strict, breaker().window(Span::Time(secs(50)))));
}

#[test]
fn slots_must_let_enough_hanging_calls_into_the_window() {
    let with_slots = |slots| with(guarded(breaker()), |host| host.concurrency(slots));
    warns(
        &with_slots(3),
        "min-calls-not-reached",
        "per_host.circuit_breaker.min_calls",
        "10, but when attempts hang, `concurrency.limit` (3) lets at most 9 time out \
         (`attempt_timeout`, 8s) in `circuit_breaker.window` (20s), so ratios do not count \
         then: only 5 failures in a row open it",
        "lower `circuit_breaker.min_calls` to 6, or raise `circuit_breaker.window` \
         to 32s",
    );
    fits(&with_slots(4));
    fits(&with(guarded(breaker().min_calls(12)), |host| host.concurrency(4)));
}

#[test]
fn a_call_must_be_able_to_be_slow() {
    errs(
        &guarded(breaker().slow_calls(secs(9), 0.5)),
        "slow-calls-not-counted",
        "per_host.circuit_breaker.slow_calls.longer_than",
        "9s, but `attempt_timeout` ends each attempt after 8s: none is ever that slow",
        "lower `circuit_breaker.slow_calls.longer_than` below 8s, or raise \
         `attempt_timeout` above 9s",
    );
    fits(&guarded(breaker().slow_calls(secs(8), 0.5)));
}

#[test]
fn a_probe_must_have_as_much_time_as_an_attempt() {
    warns(
        &guarded(breaker().probe_time(secs(7))),
        "probe-given-up-early",
        "per_host.circuit_breaker.probe_time",
        "7s, but an attempt may take 8s (`attempt_timeout`): a probe that takes longer is given up, \
         and its answer does not close the breaker",
        "raise `circuit_breaker.probe_time` to 8s, or lower `attempt_timeout` to 7s",
    );
    fits(&guarded(breaker().probe_time(secs(8))));
}

#[test]
fn one_limit_of_concurrency_is_enough() {
    let both = with(plain(), |host| {
        host.concurrency(16).adaptive(AdaptiveLimit::aimd(Aimd::new()).max(100))
    });
    errs(
        &both,
        "two-limits",
        "per_host.adaptive",
        "up to 100, but `concurrency` is set to 16 as well: both say how many may be in \
         flight",
        "leave `concurrency` or `adaptive` out, or put one of them in \
         `shadow`",
    );
    fits(&with(both, |host| host.shadow(GuardKind::Adaptive)));
}

#[test]
fn a_shadow_needs_something_that_throws_it() {
    let shadow = |guard| with(plain(), move |host| host.shadow(guard));
    warns(
        &shadow(GuardKind::Throttle),
        "shadow-of-nothing",
        "per_host.shadow",
        "`throttle`, but `throttle` is not set: there is nothing to watch",
        "set `throttle`, or take `throttle` out of `shadow`",
    );
    let turns = |host: HostSpec| HostSpec { cool_down: None, ..host }.shadow(GuardKind::Turns);
    warns(
        &with(plain(), turns),
        "shadow-of-nothing",
        "per_host.shadow",
        "`turns`, but neither `rate_limit` nor `cool_down` is set: there is nothing \
         to watch",
        "set `rate_limit`, or take `turns` out of `shadow`",
    );
    fits(&shadow(GuardKind::Turns));
}

#[test]
fn something_must_be_held_to_the_end_of_a_body() {
    let body = Hold::Body { idle: secs(30) };
    let held = |host: HostSpec| HostSpec { cool_down: None, ..host }.hold(body);
    warns(
        &with(plain().body_idle(secs(30)), held),
        "hold-without-guards",
        "per_host.hold",
        "to the end of the body, but neither `concurrency` nor any other guard is set: \
         nothing is held",
        "set `concurrency`, or leave `hold` out",
    );
    fits(&with(plain().body_idle(secs(30)), |host| held(host).concurrency(9)));
    fits(&with(plain().body_idle(secs(30)), |host| held(host).circuit_breaker(breaker())));
}

#[test]
fn a_body_that_holds_a_slot_must_end() {
    let held = |spec| with(spec, |host| host.concurrency(9).hold(Hold::Body { idle: secs(30) }));
    let (code, name) = ("silent-bodies-hang", "per_host.hold.idle");
    let fix = "set `body_idle` to 30s or less";
    warns(
        &held(plain()),
        code,
        name,
        "30s, after which a body that fell silent gives its slot back, but `body_idle` is not set, so \
         nothing fails it: more are in flight than may be",
        fix,
    );
    warns(
        &held(plain().body_idle(secs(31))),
        code,
        name,
        "30s, after which a body that fell silent gives its slot back, but `body_idle` fails it only \
         after 31s: more are in flight than may be",
        fix,
    );
    fits(&held(plain().body_idle(secs(30))));
}

#[test]
fn a_host_must_not_stand_behind_one_that_matches_it() {
    let slow = |host: HostSpec| host.concurrency(1);
    errs(
        &plain().host("*.example.com", |host| host.concurrency(2)).host("api.example.com", slow),
        "host-not-reached",
        "hosts.\"api.example.com\"",
        "after `hosts.\"*.example.com\"`, which matches all of the same hosts: it is never used",
        "put `hosts.\"api.example.com\"` before `hosts.\"*.example.com\"`, or leave it out",
    );
    errs(
        &plain().host("a.example", |host| host.concurrency(2)).host("A.example", slow),
        "host-not-reached",
        "hosts.\"a.example\"",
        "given twice, and the first that matches counts: this one is never used",
        "put both into one `hosts.\"a.example\"`",
    );
    fits(&plain().host("api.example.com", slow).host("*.example.com", |host| host.concurrency(2)));
    fits(&plain().host("*.a.example", slow).host("b.*", |host| host.concurrency(2)));
}

#[test]
fn a_host_must_be_another_than_the_rest() {
    warns(
        &plain().host("a.example", |host| host),
        "host-like-base",
        "hosts.\"a.example\"",
        "the same as `per_host` in every setting: it changes nothing",
        "change a setting in `hosts.\"a.example\"`, or leave it out",
    );
    // Exempted from what stands before all others there.
    fits(&plain().host("a.example", |host| host).host("*.example", |host| host.concurrency(1)));
}

#[test]
fn what_is_in_shadow_is_in_nobody_s_way() {
    let tried = |guard, change: fn(HostSpec) -> HostSpec| {
        with(guarded(breaker().consecutive_failures(None)), change)
            .per_host(|host| host.shadow(guard))
    };
    let slow = |host: HostSpec| host.rate_limit(RateLimit::per_minute(12)).max_wait(secs(40));
    fits(&tried(GuardKind::Turns, slow));
    let narrow = |host: HostSpec| {
        let limit = RateLimit::per_second(20_001);
        host.concurrency(Concurrency::limit(2).max_wait(secs(40))).rate_limit(limit)
    };
    fits(&tried(GuardKind::Concurrency, narrow));
    let adaptive =
        |host: HostSpec| host.adaptive(AdaptiveLimit::aimd(Aimd::new()).max_wait(secs(40)));
    fits(&tried(GuardKind::Adaptive, adaptive));
}
