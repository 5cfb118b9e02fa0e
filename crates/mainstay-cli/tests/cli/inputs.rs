//! Inputs that are broken: each says what is wrong with it, and the rest goes on.

use mainstay_testkit::server::{Faulty, Greeting, Reply};
use serde_json::json;

use crate::{Dir, run, run_with};

fn well() -> Faulty {
    Faulty::start(|_| Reply::ok("well")).unwrap()
}

#[test]
fn a_line_that_is_no_input_says_which_it_is() {
    let api = well();
    let good = api.url("/a");
    let lines = format!(
        "{good}\n{good}\n{good}\n{good}\n{good}\n{good}\nexample.com/x\n{{\"url\": \n\
         {{\"url\": \"{good}\", \"methd\": \"PUT\"}}\nftp://a/b\n{good}\n"
    );
    let ran = run_with(["fetch", "-i", "-", "--order", "input"], lines.as_bytes());
    assert_eq!(ran.code, Some(1));
    let records = ran.records();
    assert_eq!(records.len(), 11);
    let message = |n: usize| records[n]["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(message(6), "line 7: `example.com/x` is no URL: it begins with http:// or https://");
    assert!(message(7).starts_with("line 8: no JSON: "), "{}", message(7));
    assert!(message(8).contains("unknown field `methd`"), "{}", message(8));
    assert_eq!(message(9), "line 10: `ftp://a/b` is neither http:// nor https://");
    assert_eq!(records[10]["ok"], true);
    assert_eq!(api.requests(), 7);
}

#[test]
fn a_line_with_a_mistake_still_says_what_it_calls_itself() {
    let api = well();
    let (url, secret) = (api.url("/a"), api.url("/a").replace("http://", "http://me:secret@"));
    let lines = format!(
        "{{\"id\":\"x\",\"url\":\"{secret}\",\"methd\":\"PUT\"}}\n\
         {{\"id\":7,\"url\":\"{url}\",\"headers\":null,\"body\":null}}\n\"http://a\"\n"
    );
    let ran = run_with(["fetch", "-i", "-", "--order", "input"], lines.as_bytes());
    let records = ran.records();
    assert_eq!((&records[0]["id"], &records[0]["url"]), (&json!("x"), &json!(url)));
    assert!(!ran.out.contains("secret"), "{}", ran.out);
    assert_eq!((&records[1]["id"], &records[1]["ok"]), (&json!(7), &json!(true)));
    let message = records[2]["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("is no URL: it begins with http:// or https://"), "{message}");
}

#[test]
fn neither_a_password_nor_a_whole_book_is_said_of_a_line_that_is_no_url() {
    let long = "x".repeat(10_000);
    let lines = format!(
        "ftp://me:s3cret@h/x\nme:s3cret@h/x\n{{\"url\":\"ftp://me:s3cret@h/\"}}\n{long}\n\
         {{\"url\":\"http://h/\",\"method\":\"{long} \"}}\n\
         {{\"url\":\"http://h/\",\"headers\":\"x-key: s3cret\"}}\n\
         {{\"url\":\"http://h/\",\"{long}\":1}}\n"
    );
    let ran = run_with(["fetch", "-i", "-", "--order", "input"], lines.as_bytes());
    assert!(!ran.out.contains("s3cret"), "{}", ran.out);
    assert_eq!(ran.records().len(), 7);
    let message = ran.records()[5]["error"]["message"].to_string();
    assert!(message.contains("`headers` is an object"), "{message}");
    assert!(ran.out.lines().all(|line| line.len() < 1_000), "{}", ran.out);
    assert_eq!(ran.records()[0]["url"], "ftp://…@h/x");
}

#[test]
fn a_comment_may_be_written_in_anything() {
    let api = well();
    let ran = run_with(["fetch", "-i", "-"], &[b"# caf\xe9\n", api.url("/a").as_bytes()].concat());
    assert_eq!((ran.code, ran.records().len()), (Some(0), 1), "{}", ran.out);
}

#[test]
fn an_id_is_for_one_input() {
    let api = well();
    let url = api.url("/a");
    let lines = format!("{{\"url\":\"{url}\",\"id\":7}}\n{{\"url\":\"{url}\",\"id\":7}}\n");
    let ran = run_with(["fetch", "-i", "-", "--order", "input"], lines.as_bytes());
    let records = ran.records();
    assert_eq!(records[0]["ok"], true);
    assert_eq!(records[1]["error"]["kind"], "input");
    assert_eq!(records[1]["error"]["message"], "line 2: the id 7 is that of another input");
    assert_eq!(api.requests(), 1);
}

#[test]
fn what_has_no_connection_says_why_and_the_rest_goes_on() {
    let api = well();
    let tls = Faulty::builder().greets(|_| Greeting::tls_alert()).start(|_| Reply::ok("")).unwrap();
    let safe = tls.url("/").replace("http://", "https://");
    let args = ["fetch", "--order", "input", "--attempts", "1", "http://127.0.0.1:1/"];
    let urls = ["http://no-such-host.invalid/", &safe, &api.url("/a")];
    let ran = run(args.into_iter().chain(urls));
    let records = ran.records();
    let kind = |n: usize| records[n]["error"]["kind"].as_str().unwrap().to_owned();
    let message = |n: usize| records[n]["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(kind(0), "connect");
    assert!(message(0).contains("Connection refused"), "{}", message(0));
    assert_eq!(kind(1), "connect");
    assert!(message(1).contains("dns error"), "{}", message(1));
    assert_eq!(kind(2), "tls", "{}", message(2));
    assert_eq!(records[3]["ok"], true);
}

#[test]
fn what_cannot_be_read_or_written_is_said_before_the_first_request() {
    let (api, dir) = (well(), Dir::new("files"));
    let (url, nowhere) = (api.url("/a"), dir.path("no/such/dir.jsonl"));
    for (args, says) in [
        (vec!["--input", "no-such-file"], "no-such-file cannot be read: No such file"),
        (vec!["--output", &nowhere, &url], "dir.jsonl cannot be written: No such file"),
        (vec!["--data", "@no-such-file", &url], "the body no-such-file cannot be read"),
        (vec!["--json", "{", &url], "--json: "),
        (vec!["--timeout", "0s", &url], "'--timeout <TIME>': it must be longer than nothing"),
        (vec!["--rate", "0/s", &url], "'--rate <RATE>': "),
        (vec!["--first", "--resume", &url], "'--first' cannot be used with '--resume"),
        (vec!["--resume", &url], "--resume needs an --output that is a file"),
        (vec!["--config", "no.toml", &url], "no.toml"),
        (vec!["--pipeline", "no", &url], "there is no pipeline `no` without --config"),
    ] {
        let ran = run(["fetch"].into_iter().chain(args));
        assert_eq!(ran.code, Some(2), "{says}");
        assert!(ran.err.contains(says), "{says}: {}", ran.err);
    }
    let input = dir.file("in.txt", &url);
    let ran = run(["fetch", "--input", &input, "--output", &input, "--overwrite"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("written over the input"), "{}", ran.err);
    assert_eq!(dir.read("in.txt"), url);
    for part in ["out.part", "out.part.next"] {
        let (input, output) = (dir.file(part, &url), dir.path("out"));
        let ran = run(["fetch", "--input", &input, "--output", &output, "--overwrite"]);
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert_eq!(dir.read(part), url);
    }
    assert_eq!(api.requests(), 0);
}

#[test]
fn an_output_that_is_there_is_not_lost() {
    let (api, dir) = (well(), Dir::new("kept"));
    let output = dir.file("out.jsonl", "something\n");
    let ran = run(["fetch", "--output", &output, &api.url("/a")]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("--resume"), "{}", ran.err);
    assert_eq!(dir.read("out.jsonl"), "something\n");
    let ran = run(["fetch", "--output", &output, "--overwrite", &api.url("/a")]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(dir.read("out.jsonl").lines().count(), 1);
}
