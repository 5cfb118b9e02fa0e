//! Ends that nobody planned: a signal, a reader that has had enough, a disk that is full.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
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
    signal(&child, "-INT");
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
fn to_be_terminated_is_to_be_interrupted() {
    let api = Faulty::start(|_| Reply::never()).unwrap();
    let mut command = mainstay(["fetch", &api.url("/never")]);
    let child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    while api.requests() == 0 {
        std::thread::yield_now();
    }
    signal(&child, "-TERM");
    let ended = ran(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130));
    assert!(ended.err.contains("0 ended in "), "{}", ended.err);
}

#[test]
fn who_presses_ctrl_c_again_does_not_wait_for_a_reader_that_does_not_read() {
    let api = Faulty::start(|_| Reply::ok("x".repeat(1 << 20))).unwrap();
    let mut command = mainstay(["fetch", &api.url("/a")]);
    let mut child = command.stderr(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    // The rest of the line does not fit into the pipe.
    out.read_exact(&mut [0; 10]).unwrap();
    assert!(is_over_after_signals(&mut child));
    assert_eq!(child.wait().unwrap().code(), Some(130));
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

/// Presses Ctrl-C again and again, but not for ever.
fn is_over_after_signals(child: &mut Child) -> bool {
    let is_over = |child: &mut Child| {
        signal(child, "-INT");
        child.try_wait().unwrap().is_some()
    };
    let ends = (0..3_000).any(|_| is_over(child));
    if !ends {
        child.kill().unwrap();
    }
    ends
}

fn signal(child: &Child, which: &str) {
    // It may be over already.
    let _ = Command::new("kill").args([which, &child.id().to_string()]).output().unwrap();
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
