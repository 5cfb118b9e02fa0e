use std::time::Duration;

use ::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use ::http::{Method, StatusCode};
use mainstay_policy::adaptive::{AdaptiveLimit, Aimd, Gradient2};
use mainstay_policy::backoff::{Backoff, Jitter};
use mainstay_policy::breaker::{CircuitBreaker, Span};
use mainstay_policy::concurrency::Concurrency;
use mainstay_policy::fallback::FallbackOn;
use mainstay_policy::hedge::Hedge;
use mainstay_policy::rate_limit::RateLimit;
use mainstay_policy::retry::Retry;
use mainstay_policy::throttle::Throttle;

use super::part::fields_of;
use super::read::Reading;
use super::tree::{Member, Node, Tree};
use super::{Entry, Setting, Value};
use crate::http::{IdempotencyKeys, RetryRules, ServerWord, When, grpc};
use crate::pipeline::{FixedAnswer, GuardKind, Hold, PipelineSpec};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_a_pipeline_lists_makes_the_same_pipeline() {
    for spec in all() {
        let listed = spec.settings();
        let mut read = PipelineSpec::named(spec.name.clone());
        let mut reading = Reading::default();
        read.read(&table(&listed), &mut reading);
        assert_eq!(reading.faults, []);
        assert_eq!(read, spec);
        assert_eq!(read.settings(), listed);
    }
}

#[test]
fn every_setting_of_the_table_is_listed_by_some_pipeline() {
    let listed: Vec<_> = all().iter().flat_map(PipelineSpec::settings).collect();
    let is_listed =
        |name: &str| listed.iter().any(|entry| entry.path.keys().contains(&name.to_owned()));
    let mut left: Vec<_> = fields_of::<PipelineSpec>();
    while let Some(field) = left.pop() {
        assert!(field.is_alias || is_listed(field.name), "{}", field.name);
        let mut shape = field.shape;
        while let super::Shape::Optional(inner, _) | super::Shape::Map(_, inner) = shape {
            shape = *inner;
        }
        if let super::Shape::Part(_, fields) = shape {
            left.extend(fields);
        }
    }
}

#[test]
fn what_is_as_it_would_be_anyhow_is_said_to_be() {
    let spec = PipelineSpec::named("a")
        .retry(Retry::up_to(4))
        .per_host(|host| host.concurrency(16).rate_limit(RateLimit::per_second(5)))
        .host("b.example", |host| host.concurrency(2));
    let listed = spec.settings();
    for (path, value, is_default) in [
        ("deadline", "false", true),
        ("retry", "true", false),
        ("retry.max_attempts", "4", false),
        ("retry.backoff.base", "\"100ms\"", true),
        ("retry.longest_asked", "\"1m\"", true),
        ("budget", "true", true),
        ("budget.ratio", "0.2", true),
        ("per_host.concurrency.limit", "16", false),
        ("per_host.concurrency.max_waiting", "10000", true),
        ("per_host.rate_limit.rate", "\"5/s\"", false),
        ("per_host.rate_limit.burst", "1", true),
        ("hosts.\"b.example\".concurrency.limit", "2", false),
        ("hosts.\"b.example\".rate_limit.rate", "\"5/s\"", true),
    ] {
        let entry = listed.iter().find(|entry| entry.path.to_string() == path);
        let entry = entry.unwrap_or_else(|| panic!("{path} is not listed"));
        assert_eq!((&*entry.value.to_string(), entry.is_default), (value, is_default), "{path}");
    }
}

#[test]
fn what_the_policy_says_is_said_of_the_name_in_the_file() {
    let spec = PipelineSpec::named("a")
        .retry(Retry::up_to(0).backoff(Backoff::linear(SECOND).cap(SECOND / 2)))
        .hedge(Hedge::after(Duration::ZERO))
        .per_host(|host| host.rate_limit(RateLimit::per(0, SECOND)))
        .host("b", |host| host.concurrency(0).rate_limit(RateLimit::per_second(1)));
    let wrong = spec.wrong();
    let said: Vec<_> = wrong.iter().map(|wrong| (wrong.path.to_string(), &*wrong.what)).collect();
    let said: Vec<_> = said.iter().map(|(path, what)| (&**path, *what)).collect();
    assert_eq!(
        said,
        [
            ("retry.max_attempts", "`max_attempts` is 0"),
            ("retry.backoff.cap", "`cap` is 500ms"),
            ("hedge.after", "the delay of `after` is 0ns"),
            ("per_host.rate_limit.rate", "the count of `rate` is 0"),
            ("hosts.b.concurrency.limit", "`limit` is 0"),
        ]
    );
}

/// Between them they have every kind of every part.
fn all() -> Vec<PipelineSpec> {
    let presets = PipelineSpec::PRESETS.into_iter().filter_map(PipelineSpec::preset);
    presets.chain([everything(), other_kinds()]).collect()
}

fn everything() -> PipelineSpec {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; \"quoted\""));
    let on = FallbackOn::new().fatal(true).refused(false);
    let backoff = Backoff::exponential(SECOND / 8).factor(1.5).jitter(Jitter::Equal);
    let breaker = CircuitBreaker::new().window(Span::Calls(50)).slow_calls(SECOND, 0.25);
    PipelineSpec::named("everything")
        .fallback(FixedAnswer::new(StatusCode::OK).headers(headers).body("later\n").on(on))
        .deadline(SECOND * 90)
        .retry(Retry::up_to(7).backoff(backoff).longest_asked(SECOND * 3))
        .hedge(Hedge::after(SECOND / 20).extra_attempts(2))
        .without_budget()
        .rules(
            RetryRules::standard()
                .idempotent(Method::PATCH)
                .not_idempotent(Method::DELETE)
                .never(Method::POST)
                .twice_at_once(Method::PUT)
                .status(StatusCode::CONFLICT, When::IfIdempotent)
                .grpc_code(grpc::Code::ABORTED, When::Always)
                .maybe_processed(When::Never)
                .without_redirects()
                .limits_by_403()
                .obey(ServerWord::XShouldRetry),
        )
        .idempotency_keys(
            IdempotencyKeys::new().bare().header(HeaderName::from_static("paypal-request-id")),
        )
        .per_host(|host| {
            host.concurrency(Concurrency::limit(3).max_waiting(4).max_wait(SECOND * 5))
                .hold(Hold::Body { idle: SECOND * 12 })
                .rate_limit(RateLimit::per_minute(300).strict().pace(true))
                .max_waiting(8)
                .max_wait(SECOND * 9)
                .circuit_breaker(breaker.failure_ratio(None).abandoned_after(None))
                .throttle(Throttle::new().per_accepted(1.5))
                .shadow(GuardKind::Turns)
        })
        .host("*.example.com", |host| host.rate_limit(RateLimit::per(2, SECOND * 3)))
        .host("b", |host| host.hold(Hold::Head))
        .attempt_timeout(SECOND / 4)
        .body_idle(SECOND * 30)
}

fn other_kinds() -> PipelineSpec {
    PipelineSpec::named("other")
        .retry(Retry::up_to(2).backoff(Backoff::constant(SECOND)))
        .hedge(Hedge::at_percentile(99.5).max_delay(SECOND))
        .rules(RetryRules::standard().behind_redirects())
        .per_host(|host| {
            host.adaptive(AdaptiveLimit::gradient2(Gradient2::new().tolerance(2.0)).initial(5))
        })
        .host("a", |host| host.adaptive(AdaptiveLimit::aimd(Aimd::new().timeout(SECOND))))
}

/// The tree of a file that says all of this.
fn table(entries: &[Entry]) -> Node {
    let mut root = Node { at: 0..0, tree: Tree::Table(Vec::new()) };
    for entry in entries {
        let keys = entry.path.keys();
        let is_named_within = |other: &Entry| {
            other.path.keys().len() > keys.len() && other.path.keys().starts_with(keys)
        };
        if entry.value == Value::On && entries.iter().any(is_named_within) {
            continue;
        }
        let mut place = &mut root;
        for key in keys {
            let Tree::Table(members) = &mut place.tree else {
                panic!("{} is no table", entry.path)
            };
            let at = members.iter().position(|member| member.key == *key).unwrap_or_else(|| {
                let node = Node { at: 0..0, tree: Tree::Table(Vec::new()) };
                members.push(Member { key: key.clone(), at: 0..0, node });
                members.len() - 1
            });
            place = &mut members[at].node;
        }
        place.tree = tree(&entry.value);
    }
    root
}

fn tree(value: &Value) -> Tree {
    match value {
        Value::Off => Tree::Flag(false),
        Value::On => Tree::Flag(true),
        Value::Flag(flag) => Tree::Flag(*flag),
        Value::Count(count) => Tree::Whole((*count).into()),
        Value::Number(number) => Tree::Number(*number),
        Value::Duration(_) | Value::Rate(_) | Value::Text(_) => Tree::Text(value.bare()),
        Value::List(values) => {
            Tree::List(values.iter().map(|value| Node { at: 0..0, tree: tree(value) }).collect())
        }
    }
}
