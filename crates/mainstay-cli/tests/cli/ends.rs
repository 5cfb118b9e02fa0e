//! Ends that nobody planned: a signal, a reader that has had enough, a disk that is full.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use mainstay_testkit::server::{Faulty, Reply};

use crate::{Dir, mainstay, ran, records, run};

#[test]
fn ctrl_c_keeps_what_has_ended_and_can_be_gone_on_with() {
    let api = Faulty::start(|request| match request.path() {
        "/never" => Reply::never(),
        _ => Reply::ok("well"),
    })
    .unwrap();
    let dir = Dir::new("interrupted");
    let output = dir.path("out.jsonl");
    let urls = ["/a", "/b", "/never"].map(|path| api.url(path));
    let args = ["fetch", "-o", &output].into_iter().chain(urls.iter().map(String::as_str));
    let child = mainstay(args).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    while api.requests() < 3 || dir.read_or_nothing("out.jsonl").lines().count() < 2 {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = ran(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130));
    assert!(ended.err.contains("2 ended in "), "{}", ended.err);
    assert!(ended.err.contains("--resume goes on"), "{}", ended.err);
    assert_eq!(records(&dir.read("out.jsonl")).len(), 2);

    let args = ["fetch", "-o", &output, "--resume", "--timeout", "100ms", "--attempts", "1"];
    let resumed = run(args.into_iter().chain(urls.iter().map(String::as_str)));
    assert_eq!(resumed.code, Some(1));
    assert_eq!(records(&dir.read("out.jsonl")).len(), 3);
    assert_eq!(api.requests(), 4);
}

#[test]
fn a_reader_that_has_had_enough_ends_it() {
    let api = Faulty::start(|_| Reply::ok("well").after(Duration::from_millis(5))).unwrap();
    let dir = Dir::new("pipe");
    let lines: String = (0..10_000).map(|n| api.url(&format!("/{n}\n"))).collect();
    let input = dir.file("in.txt", &lines);
    let mut child = mainstay(["fetch", "-i", &input])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    drop(out);
    let ended = ran(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(1));
    assert!(!ended.err.contains("error"), "{}", ended.err);
    assert!(api.requests() < 10_000);
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_full_is_said() {
    let api = Faulty::start(|_| Reply::ok("well")).unwrap();
    let ran = run(["fetch", "-o", "/dev/full", &api.url("/a")]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("the output /dev/full: No space left"), "{}", ran.err);
}
