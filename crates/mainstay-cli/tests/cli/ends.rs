//! Ends that nobody planned: a signal, a reader that has had enough, a disk that is full.

use std::io::{BufRead, BufReader, Read};
use std::process::Command;
use std::time::Duration;

use mainstay_testkit::server::{Faulty, Reply};

use crate::begun::Begun;
use crate::{Dir, mainstay, records, run};

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
    let mut begun = Begun::of(&mut mainstay(args));
    let lines = || dir.read_or_nothing("out.jsonl").lines().count();
    begun.until(|| api.requests() == 3 && lines() == 2);
    begun.signal("-INT");
    let ended = begun.ended();
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
fn to_be_terminated_is_to_be_interrupted() {
    let api = Faulty::start(|_| Reply::never()).unwrap();
    let mut begun = Begun::of(&mut mainstay(["fetch", &api.url("/never")]));
    begun.until(|| api.requests() > 0);
    begun.signal("-TERM");
    let ended = begun.ended();
    assert_eq!(ended.code, Some(130));
    assert!(ended.err.contains("0 ended in "), "{}", ended.err);
}

#[test]
fn who_presses_ctrl_c_again_does_not_wait_for_a_reader_that_does_not_read() {
    let api = Faulty::start(|_| Reply::ok("x".repeat(1 << 20))).unwrap();
    let mut begun = Begun::of(&mut mainstay(["fetch", &api.url("/a")]));
    let mut out = begun.out();
    // The rest of the line does not fit into the pipe.
    out.read_exact(&mut [0; 10]).unwrap();
    while !begun.is_over() {
        begun.signal("-INT");
    }
    assert_eq!(begun.ended().code, Some(130));
}

#[test]
#[cfg(unix)]
fn a_file_that_nobody_reads_is_not_waited_for() {
    let api = Faulty::start(|_| Reply::ok("well")).unwrap();
    let dir = Dir::new("fifo");
    std::fs::create_dir(dir.path("pages")).unwrap();
    // Who opens it to write waits until somebody reads.
    let made = Command::new("mkfifo").arg(dir.path("pages/000000.part")).status().unwrap();
    assert!(made.success());
    let (pages, urls) = (dir.path("pages"), ["/a", "/b"].map(|path| api.url(path)));
    let ran = run(["fetch", "--order", "input", "--output-dir", &pages, &urls[0], &urls[1]]);
    let [pipe, other] = ran.records().try_into().unwrap();
    assert_eq!((ran.code, pipe["error"]["kind"].as_str()), (Some(1), Some("write")));
    assert_eq!(other["ok"], true);
}

#[test]
fn a_reader_that_has_had_enough_ends_it() {
    let api = Faulty::start(|_| Reply::ok("well").after(Duration::from_millis(5))).unwrap();
    let dir = Dir::new("pipe");
    let lines: String = (0..10_000).map(|n| api.url(&format!("/{n}\n"))).collect();
    let input = dir.file("in.txt", &lines);
    let mut begun = Begun::of(&mut mainstay(["fetch", "-i", &input]));
    let mut first = String::new();
    BufReader::new(begun.out()).read_line(&mut first).unwrap();
    let ended = begun.ended();
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
