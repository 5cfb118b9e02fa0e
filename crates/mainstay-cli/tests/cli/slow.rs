//! Readers that do not read, and runs that end with much in hand.

use std::time::Duration;

use mainstay_testkit::server::{Faulty, Reply};

use crate::begun::Begun;
use crate::{Dir, mainstay, records, run};

const MIB: usize = 1 << 20;

/// Answers all with so many bytes, `/never` not at all; `/gone` with a 404 after them, `/later` a
/// while after that.
fn api(length: usize) -> Faulty {
    Faulty::start(move |request| match request.path() {
        "/never" => Reply::never(),
        "/gone" => Reply::status(404).after(Duration::from_millis(100)),
        "/later" => Reply::ok("").after(Duration::from_millis(700)),
        _ => Reply::ok("x".repeat(length)),
    })
    .unwrap()
}

fn urls(api: &Faulty, paths: &[&str], many: usize) -> Vec<String> {
    let others = (0..many).map(|number| api.url(&format!("/{number}")));
    paths.iter().map(|path| api.url(path)).chain(others).collect()
}

/// Begins to fetch these.
fn begun(args: &[&str], urls: &[String]) -> Begun {
    let args = ["fetch"].into_iter().chain(args.iter().copied());
    Begun::of(&mut mainstay(args.chain(urls.iter().map(String::as_str))))
}

/// Some time passes: more than twice as long as any of these may take for an attempt.
fn later(api: &Faulty) {
    assert_eq!(run(["fetch", &api.url("/later")]).code, Some(0));
}

fn failed(text: &str) -> usize {
    records(text).iter().filter(|record| record["ok"] == false).count()
}

#[test]
fn a_failure_ends_it_however_much_waits_to_be_written() {
    let api = api(MIB);
    let dir = Dir::new("fail-fast");
    let output = dir.path("out.jsonl");
    let mut urls = urls(&api, &[], 24);
    urls.insert(12, api.url("/gone"));
    for order in ["completion", "input"] {
        let args = ["--fail-fast", "--order", order, "--overwrite", "-o", &output];
        assert_eq!(begun(&args, &urls).ended().code, Some(1), "{order}");
        assert_eq!(failed(&dir.read("out.jsonl")), 1, "{order}");
    }
}

#[test]
fn who_reads_late_makes_nothing_fail() {
    let api = api(MIB);
    for order in ["completion", "input"] {
        let args =
            ["--order", order, "--timeout", "300ms", "--attempts", "1", "--concurrency", "4"];
        let begun = begun(&args, &urls(&api, &[], 24));
        later(&api);
        let records = begun.ended().records();
        assert_eq!(records.iter().filter(|it| it["ok"] == true).count(), 24, "{order}");
        assert!(records.iter().all(|it| it["elapsed_ms"].as_f64() < Some(600.0)), "{order}");
    }
}

#[test]
fn who_does_not_read_is_not_fetched_for() {
    let api = api(MIB);
    for order in ["completion", "input"] {
        let before = api.requests();
        let mut begun = begun(&["--order", order, "--concurrency", "4"], &urls(&api, &[], 100));
        begun.until(|| api.requests() - before >= 8);
        later(&api);
        // 16 MiB, and what is on its way, beside the one that is being written.
        let sent = api.requests() - before;
        assert!(sent < 30, "{order}: {sent}");
        drop(begun.out());
        assert_eq!(begun.ended().code, Some(1), "{order}");
    }
}

#[test]
fn ctrl_c_keeps_what_waits_for_its_turn() {
    let api = api(4);
    let dir = Dir::new("turns");
    let output = dir.path("out.jsonl");
    let mut begun = begun(&["--order", "input", "-o", &output], &urls(&api, &["/never"], 50));
    begun.until(|| api.requests() == 51);
    later(&api);
    begun.signal("-INT");
    assert_eq!(begun.ended().code, Some(130));
    let records = records(&dir.read("out.jsonl"));
    let places: Vec<_> = records.iter().filter_map(|record| record["index"].as_u64()).collect();
    assert_eq!(places, (1..=50).collect::<Vec<_>>());
}

#[test]
fn ctrl_c_keeps_what_nobody_has_read_yet() {
    let api = api(MIB);
    let mut begun = begun(&["--concurrency", "13"], &urls(&api, &["/never"], 12));
    begun.until(|| api.requests() == 13);
    later(&api);
    begun.signal("-INT");
    let ended = begun.ended();
    assert_eq!((ended.code, ended.records().len()), (Some(130), 12), "{}", ended.err);
}

#[test]
fn ctrl_c_while_the_last_is_written_tears_nothing() {
    let api = api(MIB);
    let mut begun = begun(&[], &urls(&api, &[], 3));
    begun.until(|| api.requests() == 3);
    later(&api);
    begun.signal("-INT");
    let ended = begun.ended();
    assert_eq!((ended.code, ended.records().len()), (Some(0), 3), "{}", ended.err);
    assert!(ended.err.contains("3 ended in "), "{}", ended.err);
}

#[test]
fn who_reads_no_more_is_not_waited_for() {
    let api = api(4);
    for order in ["completion", "input"] {
        let args = ["--order", order, "--timeout", "1h", "--deadline", "2h", "--concurrency", "2"];
        let mut begun = begun(&args, &[api.url("/a"), api.url("/never")]);
        drop(begun.out());
        assert_eq!(begun.ended().code, Some(1), "{order}");
    }
}
