//! `--resume`: every input exactly once in the end, whatever happened to the runs before.

use std::collections::BTreeSet;
use std::time::Duration;

use mainstay_testkit::server::{Faulty, Reply};

use crate::begun::Begun;
use crate::{Dir, Ran, mainstay, records, run, run_with};

const INPUTS: usize = 300;

fn slow() -> Faulty {
    Faulty::start(|_| Reply::ok("well").after(Duration::from_millis(20))).unwrap()
}

fn urls(api: &Faulty) -> String {
    (0..INPUTS).map(|n| api.url(&format!("/{n}\n"))).collect()
}

/// Starts a run, and kills it as soon as the server has seen so many requests.
fn kill_after(api: &Faulty, args: &[&str], requests: usize) {
    let goal = api.requests() + requests;
    Begun::of(&mut mainstay(args.iter().copied())).until(|| api.requests() >= goal);
}

#[track_caller]
fn assert_each_once(text: &str) {
    let records = records(text);
    let indices: BTreeSet<u64> = records.iter().map(|it| it["index"].as_u64().unwrap()).collect();
    assert_eq!((records.len(), indices.len()), (INPUTS, INPUTS));
    assert!(records.iter().all(|record| record["ok"] == true));
}

#[test]
fn runs_that_were_killed_are_gone_on_with() {
    for order in ["completion", "input"] {
        let (api, dir) = (slow(), Dir::new(&format!("killed-{order}")));
        let (input, output) = (dir.file("in.txt", &urls(&api)), dir.path("out.jsonl"));
        let run_it =
            ["fetch", "-i", &input, "-o", &output, "--order", order, "--concurrency", "16"];
        let resumes: Vec<&str> = run_it.into_iter().chain(["--resume"]).collect();
        kill_after(&api, &run_it, 80);
        kill_after(&api, &resumes, 80);
        let before = api.requests();
        let ran = run(resumes);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert_each_once(&dir.read("out.jsonl"));
        assert!(api.requests() - before < INPUTS, "what had ended was not asked for again");
        assert!(!dir.has("out.jsonl.part"));
        if order == "input" {
            let records = records(&dir.read("out.jsonl"));
            assert!(records.is_sorted_by_key(|record| record["index"].as_u64()));
        }
    }
}

#[test]
fn a_torn_line_is_cut_and_a_record_is_never_there_twice() {
    let (api, dir) = (slow(), Dir::new("torn"));
    let (input, output) = (dir.file("in.txt", &urls(&api)), dir.path("out.jsonl"));
    let args = ["fetch", "-i", &input, "-o", &output];
    assert_eq!(run(args).code, Some(0));
    let whole = dir.read("out.jsonl");
    let torn = whole.len() - 10;
    dir.file("out.jsonl", &whole[..torn]);
    let before = api.requests();
    assert_eq!(run(args.into_iter().chain(["--resume"])).code, Some(0));
    assert_each_once(&dir.read("out.jsonl"));
    assert_eq!(api.requests() - before, 1);
}

#[test]
fn an_output_of_another_input_is_refused_and_kept() {
    let (api, dir) = (slow(), Dir::new("other"));
    let output = dir.path("out.jsonl");
    let resume = |text: &str| -> Ran {
        let input = dir.file("in.txt", text);
        run(["fetch", "-i", &input, "-o", &output, "--resume"])
    };
    let [a, b] = ["/a", "/b"].map(|path| api.url(path));
    assert_eq!(resume(&format!("{a}\n{b}\n")).code, Some(0));
    let known = dir.read("out.jsonl");
    let before = api.requests();

    let ran = resume(&format!("{b}\n{a}\n"));
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("the output does not fit the input: input 0 was"), "{}", ran.err);
    let ran = resume(&format!("{a}\n"));
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("is in the output alone"), "{}", ran.err);
    assert_eq!(dir.read("out.jsonl"), known);
    let new = format!("{{\"url\":\"{}\",\"id\":\"new\"}}", api.url("/new"));
    let ran = resume(&format!("{new}\n{a}\n"));
    assert_eq!(ran.code, Some(2));
    assert_eq!(api.requests(), before, "it is known before anything is fetched");

    let output = dir.file("no.jsonl", "{\"some\":\"json\"}\n");
    let ran = run(["fetch", "-o", &output, "--resume", &a]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("no.jsonl:1: this is no line of an output"), "{}", ran.err);
    let mut left: Vec<_> = std::fs::read_dir(dir.path("")).unwrap().collect();
    left.sort_by_key(|file| file.as_ref().unwrap().file_name());
    let left = left.into_iter().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.collect::<Vec<_>>(), ["in.txt", "no.jsonl", "out.jsonl"]);
}

#[test]
fn an_output_of_another_input_is_refused_though_all_of_it_failed() {
    let (api, dir) = (Faulty::start(|_| Reply::status(503)).unwrap(), Dir::new("other-failed"));
    let output = dir.path("out.jsonl");
    let args = ["fetch", "-o", &output, "--attempts", "1", "--resume"];
    let urls = ["/a", "/b"].map(|path| api.url(path));
    let go = |urls: &[&str]| run(args.into_iter().chain(urls.iter().copied()));
    assert_eq!(go(&[&urls[0], &urls[1]]).code, Some(1));
    let known = dir.read("out.jsonl");

    for others in [&[urls[1].as_str(), &urls[0]][..], &[&urls[0]]] {
        let ran = go(others);
        assert_eq!(ran.code, Some(2));
        assert!(ran.err.contains("the output does not fit the input"), "{}", ran.err);
        assert_eq!(dir.read("out.jsonl"), known);
        assert!(!dir.has("out.jsonl.part") && !dir.has("out.jsonl.part.next"));
    }
    // As a run leaves it that was killed.
    std::fs::rename(&output, dir.path("out.jsonl.part")).unwrap();
    assert_eq!(go(&[&urls[1], &urls[0]]).code, Some(2));
    assert_eq!(dir.read("out.jsonl.part"), known);
    assert!(!dir.has("out.jsonl") && !dir.has("out.jsonl.part.next"));
    assert_eq!(api.requests(), 2);
    assert_eq!(go(&[&urls[0], &urls[1]]).code, Some(1));
    assert_eq!(api.requests(), 4);
}

#[test]
fn a_line_that_was_no_input_can_be_mended() {
    let (api, dir) = (slow(), Dir::new("mended"));
    let (output, url) = (dir.path("out.jsonl"), api.url("/a"));
    let resume = |lines: &str| {
        let input = dir.file("in.txt", lines);
        run(["fetch", "-i", &input, "-o", &output, "--resume"])
    };
    assert_eq!(resume(&format!("{url}\nexample.com\n")).code, Some(1));
    assert_eq!(resume(&format!("{url}\n{url}\n")).code, Some(0));
    assert_eq!(dir.read("out.jsonl").lines().count(), 2);
    assert_eq!(api.requests(), 2);
}

#[test]
fn a_pipe_of_other_inputs_leaves_what_was_there_before() {
    for (other, says) in [("/other\n", "input 1 was"), ("", "is in the output alone")] {
        let (api, dir) = (failing_once(), Dir::new("other-pipe"));
        let output = dir.path("out.jsonl");
        let urls = ["/503", "/b"].map(|path| api.url(path));
        let input = dir.file("in.txt", &urls.join("\n"));
        let args = ["fetch", "-o", &output, "--attempts", "1", "--resume", "-i"];
        let go_on = || run(args.into_iter().chain([input.as_str()]));
        assert_eq!(go_on().code, Some(1));
        let known = dir.read("out.jsonl");

        let mut begun = Begun::of(&mut mainstay(args.into_iter().chain(["-"])));
        begun.writes(format!("{}\n", urls[0]).as_bytes());
        begun.until(|| dir.read_or_nothing("out.jsonl.part").contains("/503"));
        begun.writes(other.replace('/', &api.url("/")).as_bytes());
        let ran = begun.ended();
        assert_eq!(ran.code, Some(2));
        assert!(ran.err.contains("the output does not fit the input"), "{}", ran.err);
        assert!(ran.err.contains(says), "{}", ran.err);
        assert_eq!(dir.read("out.jsonl"), known);
        assert!(!dir.has("out.jsonl.part"));

        let ran = go_on();
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert_eq!(dir.read("out.jsonl").lines().count(), 2);
    }
}

#[test]
fn ids_that_a_pipe_does_not_have_leave_nothing_of_what_it_has() {
    let (api, dir) = (slow(), Dir::new("other-ids"));
    let output = dir.path("out.jsonl");
    let args = ["fetch", "-o", &output, "--resume", "-i", "-"];
    let go = |id: &str| {
        let line = format!("{{\"url\":\"{}\",\"id\":\"{id}\"}}\n", api.url("/"));
        run_with(args, line.as_bytes())
    };
    assert_eq!(go("a").code, Some(0));
    let ran = go("b");
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("is in the output alone"), "{}", ran.err);
    let ran = go("a");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(api.requests(), 2);
}

#[test]
fn a_run_that_a_failure_ended_has_its_output_and_can_be_gone_on_with() {
    let (api, dir) = (failing_once(), Dir::new("fail-fast"));
    let output = dir.path("out.jsonl");
    let urls = ["/a", "/503", "/b"].map(|path| api.url(path));
    let args = ["fetch", "-o", &output, "--attempts", "1", "--resume", "--concurrency", "1"];
    let args = args.into_iter().chain(urls.iter().map(String::as_str));
    let ended = run(args.clone().chain(["--fail-fast"]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("--resume goes on with what is left"), "{}", ended.err);
    assert!(!dir.has("out.jsonl"));
    assert_eq!(dir.read("out.jsonl.part").lines().count(), 2);
    assert_eq!(run(args.chain(["--fail-fast"])).code, Some(0));
    assert_eq!(dir.read("out.jsonl").lines().count(), 3);
    assert!(!dir.has("out.jsonl.part"));
    assert_eq!(api.requests(), 2 + 2);
}

#[test]
fn a_run_that_ends_early_puts_nothing_in_the_place_of_the_output() {
    let (api, dir) = (failing_once(), Dir::new("early"));
    let output = dir.path("out.jsonl");
    let was = run(["fetch", "-o", &output, &api.url("/a"), &api.url("/b")]);
    assert_eq!(was.code, Some(0));
    let before = dir.read("out.jsonl");
    // Of another input, whose first failure ends it before all has been read.
    let lines: String =
        (0..2_000).map(|n| format!("{{\"id\":{n},\"url\":\"{}\"}}\n", api.url("/503"))).collect();
    let args = ["fetch", "-i", "-", "-o", &output, "--resume", "--fail-fast", "--attempts", "1"];
    assert_eq!(run_with(args, lines.as_bytes()).code, Some(1));
    assert_eq!(dir.read("out.jsonl"), before);
}

#[test]
#[cfg(unix)]
fn an_output_that_is_a_link_or_no_file_stays_what_it_is() {
    let (api, dir) = (failing_once(), Dir::new("links"));
    let (link, url) = (dir.path("link.jsonl"), api.url("/a"));
    dir.file("real.jsonl", "");
    std::os::unix::fs::symlink(dir.path("real.jsonl"), &link).unwrap();
    assert_eq!(run(["fetch", "-o", &link, "--resume", &url]).code, Some(0));
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(dir.read("real.jsonl").lines().count(), 1);

    let pipe = dir.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let refused = run(["fetch", "-o", &pipe, "--resume", &url]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("pipe is none"), "{}", refused.err);

    let input = dir.file("in.txt", &url);
    std::fs::hard_link(&input, dir.path("twin")).unwrap();
    let twin = run(["fetch", "-i", &input, "-o", &dir.path("twin"), "--overwrite"]);
    assert_eq!((twin.code, dir.read("in.txt")), (Some(2), url));
}

fn failing_once() -> Faulty {
    Faulty::start(|request| match (request.path(), request.nth_of_path()) {
        ("/503", 0) => Reply::status(503),
        _ => Reply::ok("well"),
    })
    .unwrap()
}

#[test]
fn an_id_is_known_wherever_it_stands_and_leads() {
    for order in ["completion", "input"] {
        let (api, dir) = (slow(), Dir::new(&format!("ids-{order}")));
        let output = dir.path("out.jsonl");
        let resume = |ids: &[&str], query: &str| {
            let url = |id| api.url(&format!("/{id}?signed={query}"));
            let lines =
                ids.iter().map(|id| format!("{{\"url\":\"{}\",\"id\":\"{id}\"}}\n", url(id)));
            let input = dir.file("in.jsonl", &lines.collect::<String>());
            run(["fetch", "-i", &input, "-o", &output, "--order", order, "--resume"])
        };
        assert_eq!(resume(&["a", "b"], "one").code, Some(0));
        let ran = resume(&["c", "b", "a"], "two");
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert_eq!(api.requests(), 3);
        let records = records(&dir.read("out.jsonl"));
        let place = |id: &str| records.iter().find(|it| it["id"] == id).unwrap()["index"].clone();
        assert_eq!(["c", "b", "a"].map(place), [0, 1, 2]);
        let is_sorted = records.is_sorted_by_key(|record| record["index"].as_u64());
        assert_eq!((records.len(), is_sorted), (3, order == "input"));
    }
}

#[test]
fn what_failed_for_good_is_asked_again_only_if_that_is_wanted() {
    let dir = Dir::new("failed");
    let api = Faulty::start(|request| match (request.path(), request.nth_of_path()) {
        ("/404", 0) => Reply::status(404),
        ("/503", 0) => Reply::status(503),
        _ => Reply::ok("well"),
    })
    .unwrap();
    let urls = ["/a", "/404", "/503"].map(|path| api.url(path));
    let output = dir.path("out.jsonl");
    let go = |resume: &'static [&'static str]| {
        let args = ["fetch", "-o", &output, "--attempts", "1"].into_iter();
        run(args.chain(resume.iter().copied()).chain(urls.iter().map(String::as_str)))
    };
    assert_eq!(go(&[]).code, Some(1));
    let ran = go(&["--resume"]);
    assert_eq!(ran.code, Some(1), "the 404 is still there: {}", ran.err);
    assert_eq!(api.requests(), 3 + 1);
    let ran = go(&["--resume=failed"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(api.requests(), 4 + 1);
    assert_eq!(dir.read("out.jsonl").lines().count(), 3);
}
