use std::time::Duration;

use ::http::StatusCode;
use mainstay_policy::adaptive::{AdaptiveLimit, Aimd};
use mainstay_policy::breaker::CircuitBreaker;
use mainstay_policy::cooldown::CoolDown;
use mainstay_policy::hedge::Hedge;
use mainstay_policy::rate_limit::RateLimit;
use mainstay_policy::retry::Retry;
use mainstay_policy::throttle::Throttle;

use super::*;
use crate::http::{IdempotencyKeys, RetryRules, When};
use crate::pipeline::FixedAnswer;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn rich() -> PipelineSpec {
    PipelineSpec::named("github")
        .fallback(FixedAnswer::new(StatusCode::OK).body("[]"))
        .deadline(secs(20))
        .retry(Retry::up_to(3).longest_asked(secs(15)))
        .hedge(Hedge::at_percentile(99.0).max_delay(secs(2)))
        .idempotency_keys(IdempotencyKeys::new())
        .rules(
            RetryRules::standard()
                .status(StatusCode::CONFLICT, When::IfIdempotent)
                .decide(|_| None),
        )
        .per_host(|host| {
            host.concurrency(16)
                .rate_limit(RateLimit::per_second(50).burst(10))
                .max_wait(secs(5))
                .cool_down(CoolDown::new())
                .throttle(Throttle::new())
                .shadow(GuardKind::Throttle)
                .circuit_breaker(CircuitBreaker::new())
        })
        .host("uploads.github.com", |host| {
            let host = host.rate_limit(RateLimit::per_minute(2).strict());
            HostSpec { throttle: None, ..host }
        })
        .attempt_timeout(secs(4))
}

/// The explanation as a page has it, where the memory depends on the machine.
fn explained(spec: &PipelineSpec) -> String {
    let text = spec.explain().to_string();
    let is_of_memory = |line: &&str| line.trim_start().starts_with("memory for each host");
    let (memory, line) = ("  memory for each host        N kB", text.lines().find(is_of_memory));
    text.replace(line.expect("it says how much memory it takes"), memory)
}

#[test]
fn the_standard_pipeline_is_explained_to_people() {
    let text = explained(&PipelineSpec::standard());
    assert_eq!(text, include_str!("tests/standard.txt").trim_end(), "\n{text}");
}

#[test]
fn a_rich_pipeline_is_explained_to_people() {
    let text = explained(&rich());
    assert_eq!(text, include_str!("tests/rich.txt").trim_end(), "\n{text}");
}

#[test]
fn a_pipeline_is_explained_to_programs() {
    let spec = PipelineSpec::named("a \"b\"")
        .attempt_timeout(secs(2))
        .per_host(|host| host.concurrency(3).shadow(GuardKind::Concurrency))
        .host("*.c", |host| host.concurrency(4));
    let json = spec.explain().to_json();
    let parts = "[\
        {\"part\": \"concurrency\", \"place\": \"host\", \"does\": \"lets so many attempts be in \
        flight; others wait for a slot\", \"shadow\": true, \"function\": false, \"settings\": [\
        {\"path\": \"per_host.concurrency.limit\", \"value\": 3, \"default\": false}, \
        {\"path\": \"per_host.concurrency.max_waiting\", \"value\": 10000, \"default\": true}, \
        {\"path\": \"per_host.concurrency.max_wait\", \"value\": \"10s\", \"default\": true}, \
        {\"path\": \"per_host.hold.until\", \"value\": \"head\", \"default\": true}]}, \
        {\"part\": \"attempt_timeout\", \"place\": \"attempt\", \"does\": \"ends an attempt whose \
        answer has not begun by then\", \"shadow\": false, \"function\": false, \"settings\": [\
        {\"path\": \"attempt_timeout\", \"value\": \"2s\", \"default\": false}]}]";
    assert!(
        json.starts_with(&format!(
            "{{\"name\": \"a \\\"b\\\"\", \"parts\": {parts}, \"off\": [{{\"part\": \"fallback\", "
        )),
        "{json}"
    );
    let memory = spec.bounds().memory.at_most().expect("it is bounded");
    let end = format!(
        "\"hosts\": [{{\"pattern\": \"*.c\", \"settings\": [\
         {{\"path\": \"hosts.\\\"*.c\\\".concurrency.limit\", \"value\": 4, \"default\": false}}]}}], \
         \"bounds\": {{\"attempts\": {{\"at_most\": 1}}, \"time_seconds\": {{\"at_most\": 2.002}}, \
         \"load\": {{\"at_most\": 1.0}}, \"reserve\": {{\"at_most\": 0}}, \
         \"load_without_budget\": {{\"at_most\": 1.0}}, \
         \"slots\": {{\"unbounded\": \"neither `concurrency` nor `adaptive` limits it\"}}, \
         \"memory_bytes\": {{\"at_most\": {memory}}}}}, \"findings\": []}}"
    );
    assert!(json.ends_with(&end), "{json}");
}

#[test]
fn a_finding_is_there_for_programs_too() {
    let json = PipelineSpec::named("a").deadline(Duration::ZERO).explain().to_json();
    let findings = "\"findings\": [{\"code\": \"bad-setting\", \"severity\": \"error\", \"setting\": \
                    \"deadline\", \"what\": \"`deadline` is 0ns\", \"fix\": \"it must be longer than \
                    nothing\"}]}";
    assert!(json.ends_with(findings), "{json}");
}

#[test]
fn a_line_says_what_there_is_from_the_outermost_to_the_innermost() {
    let line = |spec: PipelineSpec| spec.to_string();
    assert_eq!(
        line(rich()),
        "github: fallback 200 > deadline 20s > retry 3 > hedge p99 > per host (concurrency 16 > \
         cool-down + rate 50/s burst 10 > throttle in shadow > breaker, 1 host otherwise) > attempt \
         timeout 4s"
    );
    let adaptive = AdaptiveLimit::aimd(Aimd::new());
    let other = PipelineSpec::named("a")
        .hedge(Hedge::after(secs(1)))
        .without_budget()
        .per_host(|host| host.adaptive(adaptive).rate_limit(RateLimit::per(3, secs(2)).strict()))
        .body_idle(secs(30));
    assert_eq!(
        line(other),
        "a: hedge after 1s > no budget > per host (adaptive 1 to 200 > rate 3/2s strict) > body idle \
         30s"
    );
    assert_eq!(line(PipelineSpec::named("a")), "a: nothing");
    let host = |host: HostSpec| host.concurrency(1);
    let two = PipelineSpec::named("a").host("b", host).host("c", host);
    assert_eq!(line(two), "a: per host (nothing, 2 hosts otherwise)");
}

#[test]
fn every_part_that_a_file_knows_is_explained() {
    let mut keys: Vec<_> = parts::ALL.iter().map(|part| part.key).collect();
    keys.extend(["per_host", "hosts", "hold", "line", "shadow"]);
    let spec = rich();
    for entry in spec.settings() {
        let own = match entry.path.keys() {
            [first, key, ..] if first == "per_host" => key,
            [first, ..] => first,
            [] => continue,
        };
        assert!(keys.contains(&own.as_str()), "{own}");
    }
}
