//! Redirects: each a call of its own, whether bodies go into lines or into files.

use std::time::Duration;

use mainstay_testkit::server::{Exchange, Faulty, Reply};
use serde_json::{Value, json};

use crate::{Dir, run, run_with};

fn leads_to(status: u16, to: String) -> Faulty {
    Faulty::start(move |request| match request.path() {
        "/well" => Reply::ok("well"),
        _ => Reply::redirect(status, &to),
    })
    .unwrap()
}

/// The records of these arguments, with bodies in lines and with bodies in files.
fn in_both(test: &str, args: &[&str]) -> [Vec<Value>; 2] {
    let dir = Dir::new(test);
    let pages = dir.path("pages");
    let lines = run(["fetch", "--order", "input"].into_iter().chain(args.iter().copied()));
    let files = ["fetch", "--order", "input", "--output-dir", &pages];
    [lines.records(), run(files.into_iter().chain(args.iter().copied())).records()]
}

#[test]
fn a_redirect_is_an_attempt_and_the_record_is_the_inputs() {
    let other = Faulty::start(|_| Reply::ok("well")).unwrap();
    let first = leads_to(302, other.url("/there"));
    let url = first.url("/here");
    for record in in_both("redirects", &[&url]).concat() {
        assert_eq!((&record["ok"], &record["status"]), (&json!(true), &json!(200)), "{record}");
        assert_eq!((&record["attempts"], &record["url"]), (&json!(2), &json!(url)), "{record}");
    }
    assert_eq!((first.requests(), other.requests()), (2, 2));
}

#[test]
fn a_redirect_has_its_turn_of_the_rate() {
    let api = leads_to(302, "/well".to_owned());
    let lines: String = (0..16).map(|n| api.url(&format!("/{n}\n"))).collect();
    let dir = Dir::new("redirects-rate");
    let (pages, rate) = (dir.path("pages"), ["fetch", "-i", "-", "--rate", "20/s"]);
    for more in [vec![], vec!["--output-dir", &pages]] {
        let before = api.requests();
        let ran = run_with(rate.into_iter().chain(more), lines.as_bytes());
        assert_eq!(ran.code, Some(0), "{}", ran.out);
        let came: Vec<Duration> = at(&api.log()[before..]);
        assert_eq!(came.len(), 32);
        let within = |from: &Duration| {
            came.iter().filter(|at| *at >= from && **at < *from + Duration::from_secs(1)).count()
        };
        let most = came.iter().map(within).max().unwrap();
        assert!(most <= 20 + 1, "{most}");
    }
}

#[test]
fn the_host_that_says_later_is_the_one_that_is_asked_later() {
    let other = Faulty::start(|request| match request.number() % 2 {
        0 => Reply::status(429).header("retry-after", "1"),
        _ => Reply::ok("well"),
    })
    .unwrap();
    let first = leads_to(302, other.url("/there"));
    let (here, well) = (first.url("/here"), first.url("/well"));
    for records in in_both("redirects-429", &["--concurrency", "1", &here, &well]) {
        let attempts: Vec<_> = records.iter().map(|record| &record["attempts"]).collect();
        assert_eq!(attempts, [&json!(3), &json!(1)], "{records:?}");
        assert!(records[0]["waited_ms"].as_f64().unwrap() >= 1_000.0, "{records:?}");
        assert!(records[1]["waited_ms"].as_f64().unwrap() < 500.0, "{records:?}");
    }
    let came = at(&other.log());
    assert!(came.chunks(2).all(|of| of[1] - of[0] >= Duration::from_secs(1)), "{came:?}");
    assert_eq!((first.requests(), came.len()), (4, 4), "what is repeated is the hop");
}

#[test]
fn a_redirect_has_the_method_the_body_and_the_secrets_that_are_for_it() {
    let other = Faulty::start(|_| Reply::ok("well")).unwrap();
    let args = ["-d", "text", "-H", "content-type: text/plain", "-H", "authorization: me"];
    let args = [&args[..], &["-H", "cookie: mine", "-H", "x-a: 1"]].concat();
    for (status, method, body, content_type) in
        [(307, "POST", 4, Some("text/plain")), (303, "GET", 0, None), (302, "GET", 0, None)]
    {
        let first = leads_to(status, other.url("/there"));
        let before = other.requests();
        for record in in_both("redirects-of", &[&args[..], &[&first.url("/here")]].concat()) {
            assert_eq!(record[0]["ok"], true, "{record:?}");
        }
        for seen in &other.log()[before..] {
            let request = &seen.request;
            assert_eq!((request.method().as_str(), seen.body_read), (method, body), "{status}");
            assert_eq!(request.header("content-type"), content_type);
            assert_eq!((request.header("authorization"), request.header("cookie")), (None, None));
            assert_eq!(request.header("x-a"), Some("1"));
        }
    }
    let same = leads_to(308, "/well".to_owned());
    in_both("redirects-same", &[&args[..], &[&same.url("/here")]].concat());
    let log = same.log();
    let well: Vec<_> = log.iter().filter(|seen| seen.request.path() == "/well").collect();
    assert_eq!(well.len(), 2);
    assert!(well.iter().all(|seen| seen.request.header("authorization") == Some("me")));
    assert!(well.iter().all(|seen| seen.request.method() == "POST" && seen.body_read == 4));
}

#[test]
fn too_many_are_malformed_and_with_none_the_redirect_is_the_answer() {
    let api = leads_to(302, "/again".to_owned());
    let url = api.url("/again");
    for record in in_both("redirects-many", &["--redirects", "3", &url]).concat() {
        assert_eq!(record["error"]["kind"], "malformed", "{record}");
        assert_eq!((&record["attempts"], &record["status"]), (&json!(4), &Value::Null));
        let message = record["error"]["message"].as_str().unwrap();
        assert_eq!(message, "3 redirects were followed, and there is another one");
    }
    assert_eq!(api.requests(), 8);
    for record in in_both("redirects-none", &["--redirects", "0", &url]).concat() {
        assert_eq!((&record["ok"], &record["status"]), (&json!(false), &json!(302)), "{record}");
        assert_eq!(record["error"]["kind"], "status");
    }
    assert_eq!(api.requests(), 8 + 2);
}

#[test]
fn all_hops_have_one_deadline() {
    let slow = Faulty::start(|request| {
        let next = request.number() + 1;
        Reply::redirect(302, format!("/{next}")).after(Duration::from_millis(120))
    })
    .unwrap();
    let args = ["--deadline", "300ms", "--redirects", "100", &slow.url("/0")];
    for record in in_both("redirects-time", &args).concat() {
        assert_eq!(record["error"]["kind"], "deadline", "{record}");
    }
    assert!(slow.requests() <= 6, "{}", slow.requests());
}

fn at(log: &[Exchange]) -> Vec<Duration> {
    log.iter().map(|seen| seen.request.at()).collect()
}
