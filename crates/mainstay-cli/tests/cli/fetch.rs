//! What is written of each input, in which order, and what is sent.

use std::time::Duration;

use mainstay_testkit::server::{Faulty, Reply};
use serde_json::{Value, json};

use crate::{Dir, run, run_with};

fn api() -> Faulty {
    Faulty::start(|request| match (request.path(), request.nth_of_path()) {
        ("/503", 0 | 1) => Reply::status(503),
        ("/429", 0) => Reply::status(429).header("retry-after", "1"),
        ("/404", _) => Reply::status(404).body("no such thing"),
        ("/cut", 0) => Reply::ok("a body that breaks off").closes_at(5),
        ("/cut", _) => Reply::ok("a body that breaks off"),
        ("/bytes", _) => Reply::ok(&[0xff_u8, 0xfe][..]),
        ("/slow", _) => Reply::ok("slow").after(Duration::from_millis(300)),
        ("/never", _) => Reply::never(),
        ("/down", _) => Reply::status(503),
        _ => Reply::ok("well"),
    })
    .unwrap()
}

#[track_caller]
fn by_path<'a>(records: &'a [Value], path: &str) -> &'a Value {
    let ends = |record: &&Value| record["url"].as_str().is_some_and(|url| url.ends_with(path));
    records.iter().find(ends).expect("a record of it")
}

#[test]
fn every_input_ends_as_one_line() {
    let api = api();
    let urls = ["/a", "/503", "/429", "/404", "/cut", "/bytes"].map(|path| api.url(path));
    let ran = run(["fetch"].into_iter().chain(urls.iter().map(String::as_str)));
    assert_eq!(ran.code, Some(1), "the 404 failed: {}", ran.err);
    let records = ran.records();
    assert_eq!(records.len(), 6);

    let well = by_path(&records, "/a");
    assert_eq!(well["index"], 0);
    assert_eq!(well["id"], Value::Null);
    assert_eq!((&well["status"], &well["ok"]), (&json!(200), &json!(true)));
    assert_eq!((&well["attempts"], &well["error"]), (&json!(1), &Value::Null));
    assert_eq!(well["body"], "well");

    let again = by_path(&records, "/503");
    assert_eq!((&again["ok"], &again["attempts"]), (&json!(true), &json!(3)));
    let throttled = by_path(&records, "/429");
    assert_eq!((&throttled["ok"], &throttled["attempts"]), (&json!(true), &json!(2)));
    assert!(throttled["waited_ms"].as_f64().unwrap() >= 1_000.0, "{throttled}");
    let cut = by_path(&records, "/cut");
    assert_eq!((&cut["body"], &cut["attempts"]), (&json!("a body that breaks off"), &json!(2)));

    let missing = by_path(&records, "/404");
    assert_eq!((&missing["status"], &missing["ok"]), (&json!(404), &json!(false)));
    assert_eq!(missing["error"]["kind"], "status");
    assert_eq!((&missing["body"], &missing["attempts"]), (&json!("no such thing"), &json!(1)));
    let bytes = by_path(&records, "/bytes");
    assert_eq!((&bytes["body"], &bytes["encoding"]), (&json!("//4="), &json!("base64")));
    assert_eq!(api.requests(), 1 + 3 + 2 + 1 + 2 + 1);
}

#[test]
fn what_may_not_be_repeated_is_sent_once() {
    let api = api();
    let ran = run(["fetch", "--data", "x", &api.url("/down")]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.records()[0]["error"]["kind"], "unavailable");
    assert_eq!(api.requests(), 1);

    run(["fetch", "--data", "x", "--retry-unsafe", &api.url("/down")]);
    assert_eq!(api.requests(), 1 + 3);
    run(["fetch", "--data", "x", "-H", "idempotency-key: 7", &api.url("/down")]);
    assert_eq!(api.requests(), 4 + 3);
    run(["fetch", "--attempts", "1", &api.url("/down")]);
    assert_eq!(api.requests(), 7 + 1);
}

#[test]
fn what_is_sent_is_what_was_asked_for() {
    let api = api();
    let lines = format!(
        "# a comment\n\n{}\n{}\n{}\n",
        api.url("/plain"),
        json!({"url": api.url("/put"), "method": "put", "headers": {"x-a": "1", "x-b": [1, "2"]},
               "body": {"n": 1}, "id": "one"}),
        json!({"url": api.url("/text"), "body": "text", "id": 2}),
    );
    let ran =
        run_with(["fetch", "--input", "-", "-H", "x-a: all", "--order", "input"], lines.as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let records = ran.records();
    assert_eq!(records[1]["id"], "one");
    assert_eq!(records[2]["id"], 2);

    let log = api.log();
    let of = |path: &str| log.iter().find(|seen| seen.request.path() == path).unwrap();
    assert_eq!(of("/plain").request.method(), "GET");
    assert_eq!(of("/plain").request.header("x-a"), Some("all"));
    let put = of("/put");
    assert_eq!(put.request.method(), "PUT");
    assert_eq!(put.request.header("x-a"), Some("1"));
    let both = put.request.headers().get_all("x-b").iter();
    assert_eq!(both.collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(put.request.header("content-type"), Some("application/json"));
    assert_eq!(put.body_read, r#"{"n":1}"#.len() as u64);
    assert_eq!(of("/text").request.method(), "POST");
}

#[test]
fn a_password_is_sent_as_a_header_and_not_written() {
    let api = api();
    let url = api.url("/a").replace("http://", "http://me:se%63ret@");
    let ran = run(["fetch", &url]);
    assert_eq!(api.log()[0].request.header("authorization"), Some("Basic bWU6c2VjcmV0"));
    assert!(!ran.out.contains("se%63ret") && !ran.out.contains("secret"), "{}", ran.out);
}

#[test]
fn the_output_is_in_the_order_that_was_asked_for() {
    let api = api();
    let urls = ["/slow", "/a", "/b"].map(|path| api.url(path));
    let indices = |order: &str| -> Vec<u64> {
        let args = ["fetch", "--order", order].into_iter().chain(urls.iter().map(String::as_str));
        run(args).records().iter().map(|record| record["index"].as_u64().unwrap()).collect()
    };
    assert_eq!(indices("input"), [0, 1, 2]);
    assert_eq!(indices("completion").last(), Some(&0));
}

#[test]
fn the_first_success_ends_the_rest_and_so_does_the_first_failure() {
    let api = api();
    let urls = ["/never", "/404", "/slow"].map(|path| api.url(path));
    let with = |flag: &'static str| {
        run(["fetch", flag].into_iter().chain(urls.iter().map(String::as_str)))
    };
    let ran = with("--first");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.records().last().unwrap()["ok"], true);
    let ran = with("--fail-fast");
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.records().len(), 1);
    let ran = run(["fetch", "--first", &urls[1]]);
    assert_eq!(ran.code, Some(1), "none succeeded");
}

#[test]
fn a_failure_ends_the_rest_whatever_stands_before_it() {
    let api = api();
    let urls = ["/a", "/never", "/404", "/slow"].map(|path| api.url(path));
    let args = ["fetch", "--fail-fast", "--order", "input", "--timeout", "5s", "--attempts", "1"];
    let ran = run(args.into_iter().chain(urls.iter().map(String::as_str)));
    assert_eq!(ran.code, Some(1));
    let records = ran.records();
    let last = records.last().unwrap();
    assert_eq!((&last["index"], &last["status"]), (&json!(2), &json!(404)), "{}", ran.out);
    assert!(records.len() <= 2, "neither what runs nor what comes later is waited for");
}

#[test]
fn a_header_takes_the_place_of_the_one_that_comes_with_json() {
    let api = api();
    let types = |n: usize| -> Vec<String> {
        let log = api.log();
        let types = log[n].request.headers().get_all("content-type").iter();
        types.map(|value| value.to_str().unwrap().to_owned()).collect()
    };
    run(["fetch", "--json", "{}", &api.url("/a")]);
    assert_eq!(types(0), ["application/json"]);
    run([
        "fetch",
        "--json",
        "{}",
        "-H",
        "Content-Type: application/merge-patch+json",
        &api.url("/a"),
    ]);
    assert_eq!(types(1), ["application/merge-patch+json"]);
}

#[test]
fn timeouts_and_limits_are_those_of_the_flags() {
    let api = api();
    let ran = run(["fetch", "--timeout", "100ms", "--attempts", "2", &api.url("/never")]);
    let record = &ran.records()[0];
    assert_eq!(record["error"]["kind"], "timeout");
    assert_eq!(record["attempts"], 2);
    assert_eq!(api.requests(), 2);

    let ran = run(["fetch", "--deadline", "150ms", &api.url("/never")]);
    assert_eq!(ran.records()[0]["error"]["kind"], "deadline");
    let ran = run(["fetch", "--max-body", "3", &api.url("/a")]);
    assert_eq!(ran.records()[0]["error"]["kind"], "too_large");
}

#[test]
fn a_rate_is_kept_by_every_host_and_by_all_together() {
    let (one, other) = (api(), api());
    let lines: String = (0..60).map(|n| [&one, &other][n % 2].url(&format!("/{n}\n"))).collect();
    run_with(["fetch", "-i", "-", "--rate", "20/s"], lines.as_bytes());
    for host in [&one, &other] {
        let most = most_in_a_second(&[host]);
        assert!((15..=20 + 1).contains(&most), "{most}");
    }
    let (one, other) = (api(), api());
    let lines: String = (0..60).map(|n| [&one, &other][n % 2].url(&format!("/{n}\n"))).collect();
    run_with(["fetch", "-i", "-", "--rate-total", "30/s"], lines.as_bytes());
    assert!(most_in_a_second(&[&one, &other]) <= 30 + 1);
}

/// The most requests that came in any window of a second.
fn most_in_a_second(hosts: &[&Faulty]) -> usize {
    let logs = hosts.iter().flat_map(|host| host.log());
    let mut came: Vec<Duration> = logs.map(|seen| seen.request.at()).collect();
    came.sort();
    let within = |from: &Duration| {
        came.iter().filter(|at| *at >= from && **at < *from + Duration::from_secs(1)).count()
    };
    came.iter().map(within).max().unwrap_or_default()
}

#[test]
fn a_pipeline_of_a_file_is_used_by_name_and_by_host() {
    let (api, dir) = (api(), Dir::new("config"));
    let file = dir.file(
        "p.toml",
        "[pipelines.once]\ndeadline = \"5s\"\n[pipelines.twice]\nextends = \"standard\"\n\
         for_hosts = [\"127.0.0.1\"]\nretry = 2\n",
    );
    run(["fetch", "--config", &file, "--pipeline", "once", &api.url("/down")]);
    assert_eq!(api.requests(), 1);
    run(["fetch", "--config", &file, &api.url("/down")]);
    assert_eq!(api.requests(), 1 + 2);
    let ran = run(["fetch", "--config", &file, "--pipeline", "thrice", &api.url("/down")]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("has no pipeline `thrice`"), "{}", ran.err);
}

#[test]
fn the_summary_says_what_failed() {
    let api = api();
    let ran = run(["fetch", &api.url("/a"), &api.url("/404")]);
    assert!(ran.err.contains("2 ended in "), "{}", ran.err);
    assert!(ran.err.contains("1 ok, 1 failed; 2 attempts"), "{}", ran.err);
    assert!(ran.err.contains("failed: status 1 (404: 1)"), "{}", ran.err);
}
