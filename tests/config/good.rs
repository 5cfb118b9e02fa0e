//! Files that are right, and the pipelines that they make.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use mainstay::adaptive::{AdaptiveLimit, Gradient2};
use mainstay::breaker::{CircuitBreaker, Span};
use mainstay::budget::RetryBudget;
use mainstay::concurrency::Concurrency;
use mainstay::cooldown::CoolDown;
use mainstay::fallback::FallbackOn;
use mainstay::hedge::Hedge;
use mainstay::http::{IdempotencyKeys, RetryRules, ServerWord, When, grpc};
use mainstay::pipeline::config::Config;
use mainstay::pipeline::{FixedAnswer, GuardKind, Hold, HostPattern, PipelineSpec, Severity};
use mainstay::policy::backoff::{Backoff, Jitter};
use mainstay::rate_limit::RateLimit;
use mainstay::retry::Retry;
use mainstay::throttle::Throttle;

const SECOND: Duration = Duration::from_secs(1);

fn read(text: &str) -> Config {
    Config::from_toml(text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// The only pipeline of a file, which is called `a`.
fn only(settings: &str) -> PipelineSpec {
    let config = read(&format!("[pipelines.a]\n{settings}"));
    config.get("a").unwrap().clone()
}

fn named() -> PipelineSpec {
    PipelineSpec::named("a")
}

#[test]
fn the_file_of_the_design_makes_the_pipeline_of_the_design() {
    let config = read(
        r#"
        [pipelines.github]
        extends = "standard"
        deadline = "20s"
        attempt_timeout = "5s"
        retry = { max_attempts = 4, longest_asked = "10s", backoff = { base = "100ms", cap = "5s", jitter = "full" } }
        per_host = { concurrency = 16, rate_limit = { per_second = 50, burst = 10 } }

        [pipelines.github.hosts."uploads.github.com"]
        rate_limit = { per_second = 2 }
        "#,
    );
    let backoff = Backoff::exponential(SECOND / 10).cap(SECOND * 5).jitter(Jitter::Full);
    let built = PipelineSpec::standard()
        .rename("github")
        .deadline(SECOND * 20)
        .attempt_timeout(SECOND * 5)
        .retry(Retry::up_to(4).backoff(backoff).longest_asked(SECOND * 10))
        .per_host(|host| host.concurrency(16).rate_limit(RateLimit::per_second(50).burst(10)))
        .host("uploads.github.com", |host| host.rate_limit(RateLimit::per_second(2).burst(10)));
    assert_eq!(config.get("github"), Some(&built));
    assert_eq!(config.get("gitlab"), None);
}

#[test]
fn every_setting_can_stand_in_a_file() {
    let config = read(include_str!("everything.toml"));
    let spec = config.get("a").unwrap();
    let backoff = Backoff::exponential(SECOND / 8).factor(1.5).jitter(Jitter::Equal);
    let hedge = Hedge::at_percentile(99.5).max_delay(SECOND * 2 / 5).min_delay(SECOND / 500);
    let hedge = hedge.min_observations(300).memory(SECOND * 120).extra_attempts(2);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    let on = FallbackOn::new().transient(false).refused(false).fatal(true);
    let open_time = Backoff::exponential(SECOND * 2).cap(SECOND * 20).jitter(Jitter::Equal);
    let built = named()
        .deadline(SECOND * 90)
        .attempt_timeout(SECOND * 5 / 2)
        .body_idle(SECOND * 30)
        .retry(Retry::up_to(7).longest_asked(SECOND * 3).backoff(backoff))
        .budget(RetryBudget::new().ratio(0.1).reserve(50))
        .hedge(hedge)
        .fallback(FixedAnswer::new(StatusCode::OK).headers(headers).body("later").on(on))
        .idempotency_keys(
            IdempotencyKeys::new().header(HeaderName::from_static("paypal-request-id")).bare(),
        )
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
        .per_host(|host| {
            host.concurrency(Concurrency::limit(3).max_waiting(4).max_wait(SECOND * 5))
                .hold(Hold::Body { idle: SECOND * 12 })
                .rate_limit(RateLimit::per_minute(300).strict().pace(true))
                .max_waiting(8)
                .max_wait(SECOND * 9)
                .cool_down(
                    CoolDown::new()
                        .max(SECOND * 120)
                        .unasked(SECOND * 2)
                        .ramp(SECOND)
                        .step(SECOND / 20),
                )
                .throttle(
                    Throttle::new()
                        .per_accepted(1.5)
                        .window(SECOND * 60)
                        .max_rejection(0.5)
                        .min_requests(20),
                )
                .circuit_breaker(
                    CircuitBreaker::new()
                        .consecutive_failures(None)
                        .failure_ratio(Some(0.25))
                        .slow_calls(SECOND, 0.5)
                        .min_calls(20)
                        .window(Span::Calls(50))
                        .open_time(open_time)
                        .probes(5)
                        .probe_time(SECOND * 30)
                        .abandoned_after(None),
                )
                .shadow(GuardKind::Turns)
                .shadow(GuardKind::Throttle)
        });
    assert_eq!(*spec, built);
    let json = Config::from_json(include_str!("everything.json"));
    let json = json.unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(json.get("a"), Some(spec));
}

#[test]
fn what_is_short_is_the_same_as_what_is_long() {
    for (short, long) in [
        ("retry = 4", "retry = { max_attempts = 4 }"),
        ("hedge = \"50ms\"", "hedge = { after = \"50ms\" }"),
        ("retry = true", "retry = {}"),
        ("per_host.concurrency = 16", "per_host.concurrency = { limit = 16 }"),
        ("per_host.rate_limit = \"50/s\"", "per_host.rate_limit = { rate = \"50/s\" }"),
        ("per_host.rate_limit = \"50/s\"", "per_host.rate_limit = { per_second = 50 }"),
        ("per_host.rate_limit = \"50/min\"", "per_host.rate_limit = { per_minute = 50 }"),
        ("per_host.rate_limit = \"50/h\"", "per_host.rate_limit = { per_hour = 50 }"),
        (
            "per_host.rate_limit = \"9/250ms\"",
            "per_host.rate_limit = { count = 9, period = \"250ms\" }",
        ),
        ("per_host.adaptive = \"aimd\"", "per_host.adaptive = { aimd = {} }"),
        ("per_host.hold = \"body\"", "per_host.hold = { idle = \"30s\" }"),
        ("per_host.circuit_breaker = true", "per_host.circuit_breaker = {}"),
        ("per_host.shadow = [\"cool_down\"]", "per_host.shadow = [\"rate_limit\"]"),
        (
            "per_host.rate_limit = { rate = \"1/s\", max_wait = \"5s\" }",
            "per_host = { rate_limit = \"1/s\", line = { max_wait = \"5s\" } }",
        ),
    ] {
        assert_eq!(only(short), only(long), "{short}");
    }
    let hedged = named().hedge(Hedge::after(SECOND / 20));
    assert_eq!(only("hedge = \"50ms\""), hedged);
    let adaptive = AdaptiveLimit::gradient2(Gradient2::new().queue(8));
    assert_eq!(
        only("per_host.adaptive = { gradient2 = { queue = 8 } }"),
        named().per_host(|host| host.adaptive(adaptive))
    );
}

#[test]
fn false_turns_off_what_would_be_on() {
    let spec = only(
        "extends = \"standard\"\nretry = false\nbudget = false\nper_host.circuit_breaker = false\n",
    );
    let standard = PipelineSpec::standard();
    assert_eq!((spec.retry, spec.budget, spec.deadline), (None, None, standard.deadline));
    assert_eq!(spec.per_host.circuit_breaker, None);
    assert_eq!(spec.per_host.cool_down, standard.per_host.cool_down);
}

#[test]
fn a_pipeline_begins_with_what_it_extends_and_changes_what_it_names() {
    let config = read(
        r#"
        [pipelines.child]
        extends = "parent"
        retry.backoff.cap = "2s"
        per_host.concurrency = 8
        rules.status = { "409" = false, "425" = "never" }

        [pipelines.child.hosts."b.example"]
        rate_limit = "3/s"
        [pipelines.child.hosts."a.example"]
        concurrency.max_wait = "1s"

        [pipelines.parent]
        extends = "standard"
        retry.max_attempts = 2
        rules.status = { "409" = "if_idempotent" }

        [pipelines.parent.hosts."a.example"]
        rate_limit = "5/s"
        "#,
    );
    let standard = PipelineSpec::standard();
    let backoff = Backoff::standard().cap(SECOND * 2);
    let child = standard
        .clone()
        .rename("child")
        .retry(Retry::up_to(2).backoff(backoff).longest_asked(SECOND * 20))
        .rules(RetryRules::standard().status(StatusCode::TOO_EARLY, When::Never))
        .per_host(|host| host.concurrency(8))
        // What is nearer goes first; what stands before every host is beneath all of them.
        .host("b.example", |host| host.rate_limit(RateLimit::per_second(3)))
        .host("a.example", |host| {
            host.rate_limit(RateLimit::per_second(5))
                .concurrency(Concurrency::limit(8).max_wait(SECOND))
        });
    assert_eq!(config.get("child"), Some(&child));
    let names: Vec<_> = config.iter().map(|configured| &*configured.spec.name).collect();
    assert_eq!(names, ["child", "parent"]);
}

#[test]
fn a_pipeline_may_have_the_name_of_the_preset_that_it_extends() {
    let config = read("[pipelines.standard]\nextends = \"standard\"\nattempt_timeout = \"7s\"\n");
    let built = PipelineSpec::standard().attempt_timeout(SECOND * 7);
    assert_eq!(config.get("standard"), Some(&built));
}

#[test]
fn a_hedge_and_a_limit_can_become_ones_of_another_kind() {
    let config = read(
        r#"
        [pipelines.base]
        hedge = "50ms"
        per_host.rate_limit = { rate = "50/s", strict = true }
        [pipelines.a]
        extends = "base"
        hedge.percentile = 90
        per_host.rate_limit.burst = 5
        [pipelines.b]
        extends = "a"
        hedge = "70ms"
        per_host.rate_limit.strict = true
        "#,
    );
    let (a, b) = (config.get("a").unwrap(), config.get("b").unwrap());
    assert_eq!(a.hedge, Some(Hedge::at_percentile(90.0)));
    assert_eq!(a.per_host.rate_limit, Some(RateLimit::per_second(50).burst(5)));
    assert_eq!(b.hedge, Some(Hedge::after(SECOND * 7 / 100)));
    assert_eq!(b.per_host.rate_limit, Some(RateLimit::per_second(50).strict()));
}

#[test]
fn a_file_says_which_hosts_a_pipeline_is_for() {
    let config = read("[pipelines.a]\nfor_hosts = [\"api.github.com\", \"*.GitHub.com\"]\n");
    let hosts = &config.iter().next().unwrap().for_hosts;
    assert_eq!(*hosts, ["api.github.com", "*.github.com"].map(HostPattern::new));
}

#[test]
fn json_says_the_same_as_toml() {
    let json = r#"{
        "$schema": "pipeline.schema.json",
        "pipelines": { "a": {
            "retry": { "max_attempts": 4, "backoff": { "factor": 1.5 } },
            "hosts": { "b": { "concurrency": 2 } }
        } }
    }"#;
    let toml = "retry = { max_attempts = 4, backoff.factor = 1.5 }\nhosts.b.concurrency = 2\n";
    let config = Config::from_json(json).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(config.get("a"), Some(&only(toml)));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let says = |path: &str| Config::from_file(path).unwrap_err().to_string();
    let gone = says("/nowhere/pipelines.toml");
    assert!(gone.starts_with("error: the file cannot be read: "), "{gone}");
    assert!(gone.ends_with("--> /nowhere/pipelines.toml\n"), "{gone}");
    let here = says(concat!(env!("CARGO_MANIFEST_DIR"), "/config/good.rs"));
    assert!(here.starts_with("error: this is neither TOML nor JSON\n"), "{here}");
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let padding = "#".repeat(Config::LARGEST);
    let says = Config::from_toml(&format!("[pipelines.a]\n{padding}")).unwrap_err().to_string();
    assert!(says.starts_with("error: the file is larger than 1 MiB"), "{}", &says[..200]);
    let fits = format!("[pipelines.a]\n{}", &padding[..Config::LARGEST - 14]);
    assert!(Config::from_toml(&fits).is_ok());
}

#[test]
fn what_the_linter_warns_of_keeps_nothing_from_being_read_and_has_its_place() {
    let config = read(
        "[pipelines.a]\nextends = \"standard\"\nbudget = false\nretry = 30\n\n\
         [pipelines.b]\nextends = \"a\"\n",
    );
    let warned = config.warnings().iter().map(|warning| {
        assert_eq!(warning.severity, Severity::Warning);
        let line = warning.place.as_ref().map(|place| place.line);
        (warning.code.unwrap_or_default(), &*warning.path, line)
    });
    let warned: Vec<_> = warned.collect();
    assert!(warned.contains(&("no-budget", "pipelines.a.budget", Some(3))), "{warned:?}");
    assert!(!warned.iter().any(|(_, path, _)| path.starts_with("pipelines.b")), "{warned:?}");
    assert!(warned.is_sorted_by_key(|(.., line)| *line), "{warned:?}");
}
