//! `--output-dir`: bodies as files, streamed and resumed.

use std::time::Duration;

use mainstay_testkit::server::{Content, Faulty, Reply};
use serde_json::json;

use crate::begun::Begun;
use crate::{Dir, mainstay, run, run_with};

const LENGTH: usize = 3_000_000;

fn content() -> Content {
    Content::new(bytes()).etag("\"one\"")
}

/// Bytes in which a piece that is out of its place can be seen.
fn bytes() -> Vec<u8> {
    (0..=250_u8).flat_map(|byte| [byte; 7]).cycle().take(LENGTH).collect()
}

fn is_whole(dir: &Dir, name: &str) -> bool {
    std::fs::read(dir.path(name)).is_ok_and(|read| read == bytes())
}

#[test]
fn a_body_is_a_file_with_its_name_once_all_of_it_is_there() {
    let content = content();
    let api = Faulty::start(move |request| match (request.path(), request.nth_of_path()) {
        ("/big.iso", 0) => content.answers(request).closes_at(1_000_000),
        ("/big.iso", 1) => content.answers(request).resets_at(500_000),
        ("/big.iso", _) => content.answers(request),
        ("/404", _) => Reply::status(404),
        ("/503", _) => Reply::status(503),
        _ => Reply::ok("{}"),
    })
    .unwrap();
    let dir = Dir::new("files");
    let (pages, output) = (dir.path("pages"), dir.path("out.jsonl"));
    let urls = ["/big.iso", "/404", "/a.json", "/503"].map(|path| api.url(path));
    let args = ["fetch", "--output-dir", &pages, "-o", &output, "--order", "input"];
    let ran = run(args.into_iter().chain(urls.iter().map(String::as_str)));
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let records = crate::records(&dir.read("out.jsonl"));
    assert_eq!((&records[0]["ok"], &records[0]["attempts"]), (&json!(true), &json!(3)));
    assert_eq!(records[0]["path"], dir.path("pages/000000.iso"));
    assert!(records[0].get("body").is_none());
    assert!(is_whole(&dir, "pages/000000.iso"));
    assert_eq!(
        (&records[1]["status"], &records[1]["error"]["kind"]),
        (&json!(404), &json!("status"))
    );
    assert_eq!(dir.read("pages/000002.json"), "{}");
    assert_eq!(records[3]["error"]["kind"], "unavailable");
    assert_eq!(records[3]["attempts"], 3);
}

#[test]
fn a_file_that_was_begun_is_gone_on_with_by_another_run() {
    let content = content();
    let api = Faulty::start(move |request| match request.number() {
        0 => content.answers(request).stalls_at(1_000_000),
        _ => content.answers(request),
    })
    .unwrap();
    let dir = Dir::new("begun");
    let (pages, output) = (dir.path("pages"), dir.path("out.jsonl"));
    let url = api.url("/big");
    let args = ["fetch", "--output-dir", &pages, "-o", &output, &url];
    let mut begun = Begun::of(&mut mainstay(args));
    let part = dir.path("pages/000000.part");
    begun.until(|| std::fs::metadata(&part).is_ok_and(|data| data.len() > 0));
    drop(begun);
    assert!(dir.has("pages/000000.part.validator") && !dir.has("pages/000000"));

    let ran = run(args.into_iter().chain(["--resume"]));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(is_whole(&dir, "pages/000000"));
    assert!(!dir.has("pages/000000.part") && !dir.has("pages/000000.part.validator"));
    let range = api.log()[1].request.header("range").unwrap().to_owned();
    assert!(range.starts_with("bytes=") && range != "bytes=0-", "{range}");

    std::fs::remove_file(dir.path("pages/000000")).unwrap();
    assert_eq!(run(args.into_iter().chain(["--resume"])).code, Some(0));
    assert!(is_whole(&dir, "pages/000000"), "what somebody took away is fetched again");
}

#[test]
fn every_success_is_one_and_a_failure_leaves_no_file() {
    let api = Faulty::start(|request| match request.path() {
        "/made" => Reply::status(201).body("made"),
        "/done" => Reply::status(204),
        _ => Reply::status(404).body("no such thing"),
    })
    .unwrap();
    let (dir, urls) = (Dir::new("made"), ["/made", "/done", "/404"].map(|path| api.url(path)));
    let pages = dir.path("pages");
    let args = ["fetch", "--output-dir", &pages, "-X", "POST", "--order", "input"];
    let records = run(args.into_iter().chain(urls.iter().map(String::as_str))).records();
    assert_eq!((&records[0]["status"], &records[0]["ok"]), (&json!(201), &json!(true)));
    assert_eq!((&records[1]["status"], &records[1]["ok"]), (&json!(204), &json!(true)));
    assert_eq!(records[2]["ok"], false);
    assert_eq!(dir.read("pages/000000"), "made");
    assert_eq!(dir.read("pages/000001"), "");
    let files = std::fs::read_dir(&pages).unwrap().count();
    assert_eq!(files, 2, "neither a body of an error, nor an empty part");
}

#[test]
fn no_two_inputs_have_one_file() {
    let api = Faulty::start(|request| Reply::ok(request.path().to_owned())).unwrap();
    let dir = Dir::new("one-file");
    let lines: String = [("7", "/a"), ("\"7\"", "/b"), ("\"x\"", "/x.json"), ("\"X.json\"", "/c")]
        .map(|(id, path)| format!("{{\"id\":{id},\"url\":\"{}\"}}\n", api.url(path)))
        .concat();
    let args = ["fetch", "-i", "-", "--order", "input", "--output-dir", &dir.path("pages")];
    let records = run_with(args, lines.as_bytes()).records();
    let kinds: Vec<_> = records.iter().map(|record| &record["error"]["kind"]).collect();
    assert_eq!(kinds, [&json!(null), &json!("input"), &json!(null), &json!("input")]);
    let message = records[1]["error"]["message"].as_str().unwrap();
    assert_eq!(message, "line 2: its body would go into the file of another input, 7");
    assert_eq!(records[1]["id"], "7");
    assert_eq!(dir.read("pages/7"), "/a");
    assert_eq!(dir.read("pages/x.json"), "/x.json");
}

#[test]
fn no_body_goes_into_the_input_or_the_output() {
    let api = Faulty::start(|_| Reply::ok("a body")).unwrap();
    let dir = Dir::new("own");
    let ids = ["in.jsonl", "OUT.jsonl", "out.jsonl.part.next", "all.toml", "good"];
    let lines: String =
        ids.map(|id| format!("{{\"id\":\"{id}\",\"url\":\"{}\"}}\n", api.url("/a"))).concat();
    dir.file("in.jsonl", &lines);
    dir.file("all.toml", "[pipelines.all]\nextends = \"standard\"\n");
    let args = ["fetch", "-i", "in.jsonl", "-o", "out.jsonl", "-c", "all.toml", "-p", "all"];
    let mut command = mainstay(args.into_iter().chain(["--order", "input", "--output-dir", "."]));
    let ran = Begun::of(command.current_dir(dir.path(""))).ended();
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let records = crate::records(&dir.read("out.jsonl"));
    let kinds: Vec<_> = records.iter().map(|record| &record["error"]["kind"]).collect();
    assert_eq!(kinds[..4], [&json!("input"); 4]);
    assert_eq!(kinds[4], &json!(null));
    let message = records[0]["error"]["message"].as_str().unwrap();
    assert_eq!(message, "line 1: its body would go into the file of this run itself, in.jsonl");
    assert_eq!(dir.read("in.jsonl"), lines);
    assert_eq!(dir.read("good"), "a body");
}

#[test]
fn a_directory_that_cannot_be_is_said_before_the_first_request() {
    let api = Faulty::start(|_| Reply::ok("well")).unwrap();
    let dir = Dir::new("no-dir");
    let file = dir.file("file", "");
    let ran = run(["fetch", "--output-dir", &file, &api.url("/a")]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("the directory "), "{}", ran.err);
    assert_eq!(api.requests(), 0);
}

#[test]
fn an_answer_is_taken_in_files_as_it_is_in_lines() {
    let api = Faulty::start(|request| match request.path() {
        "/404" => Reply::status(404).header("retry-after", "2"),
        "/503" => Reply::status(503).header("retry-after", "3600"),
        "/429" => Reply::status(429).header("retry-after", "3600"),
        _ => Reply::ok("packed").header("content-encoding", "gzip"),
    })
    .unwrap();
    let dir = Dir::new("as-lines");
    let pages = dir.path("pages");
    for (path, kind, message, after) in [
        ("/404", "status", "404 Not Found", 2_000),
        ("/503", "unavailable", "503 Service Unavailable", 3_600_000),
        ("/429", "throttled", "429 Too Many Requests", 3_600_000),
    ] {
        let error = json!({"kind": kind, "message": message, "retry_in_ms": after});
        for more in [vec![], vec!["--output-dir", &pages]] {
            let args = ["fetch"].into_iter().chain(more);
            let records = run(args.chain([api.url(path).as_str()])).records();
            assert_eq!(records[0]["error"], error);
        }
    }
    let packed = run(["fetch", "--output-dir", &pages, &api.url("/packed")]).records();
    assert_eq!(packed[0]["error"]["kind"], "malformed", "{packed:?}");
}

#[test]
fn a_body_has_the_attempts_and_the_deadline_of_the_flags() {
    let content = content();
    let api = Faulty::start(move |request| match request.path() {
        "/cut" => Reply::ok("a body that breaks off").closes_at(5),
        "/trickle" => Reply::ok("slow").pieces(1).pause(Duration::from_millis(300)),
        _ => content.answers(request).stalls_at(1_000_000),
    })
    .unwrap();
    let dir = Dir::new("bounds");
    let pages = dir.path("pages");
    let ran = run(["fetch", "--output-dir", &pages, "--attempts", "2", &api.url("/cut")]);
    let record = &ran.records()[0];
    assert_eq!((&record["ok"], &record["attempts"]), (&json!(false), &json!(3)), "{record}");

    for path in ["/stalls", "/trickle"] {
        let args = ["fetch", "--output-dir", &pages, "--deadline", "700ms", &api.url(path)];
        let record = &run(args).records()[0];
        assert_eq!(record["error"]["kind"], "deadline", "{record}");
        assert!(record["elapsed_ms"].as_f64().unwrap() < 10_000.0, "{record}");
    }
}
