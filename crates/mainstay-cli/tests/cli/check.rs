//! Commands about files of pipelines.

use serde_json::Value;

use crate::{Dir, run};

const GOOD: &str = "\
[pipelines.github]
extends = \"standard\"
for_hosts = [\"api.github.com\"]
";

#[test]
fn a_good_file_is_good() {
    let dir = Dir::new("good");
    let file = dir.file("good.toml", GOOD);
    let ran = run(["check", &file]);
    assert_eq!((ran.code, ran.out), (Some(0), format!("{file}: 1 pipeline, 0 warnings\n")));
}

#[test]
fn all_that_is_wrong_is_said_with_its_place() {
    let dir = Dir::new("wrong");
    let file = dir.file("wrong.toml", "[pipelines.a]\nretry = { max_atempts = 4 }\ndeadline = 3\n");
    let ran = run(["check", &file]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.out,
        format!(
            "\
error: there is no setting `max_atempts`
 --> {file}:2:11
  |
2 | retry = {{ max_atempts = 4 }}
  |           ^^^^^^^^^^^ pipelines.a.retry.max_atempts
help: did you mean `max_attempts`?

error: `deadline` cannot be a whole number
 --> {file}:3:12
  |
3 | deadline = 3
  |            ^ pipelines.a.deadline
help: a number needs its unit: write \"3s\" or \"3ms\"
"
        )
    );

    for args in [&["explain", &file][..], &["fetch", "--config", &file, "http://a"]] {
        let said = run(args.iter().copied());
        assert_eq!(said.code, Some(2));
        assert_eq!(said.err, ran.out, "it is said the same way wherever the file is read");
    }

    let ran = run(["check", &file, "--format", "json"]);
    let said: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(ran.code, Some(1));
    assert_eq!(said["valid"], false);
    assert_eq!(said["problems"][0]["line"], 2);
    assert_eq!(said["problems"][0]["column"], 11);
    assert_eq!(said["problems"][1]["path"], "pipelines.a.deadline");
}

#[test]
fn what_does_not_fit_together_is_said_alike_by_who_needs_the_file() {
    let dir = Dir::new("unfit");
    let text = "[pipelines.a]\ndeadline = \"2s\"\nattempt_timeout = \"9s\"\n";
    let file = dir.file("unfit.toml", text);
    let checked = run(["check", &file]);
    assert_eq!(checked.code, Some(1));
    assert!(checked.out.starts_with("error[attempt-timeout-over-deadline]: "), "{}", checked.out);
    for args in [&["explain", &file][..], &["fetch", "--config", &file, "http://a"]] {
        let ran = run(args.iter().copied());
        assert_eq!((ran.code, ran.err), (Some(2), checked.out.clone()), "{args:?}");
    }
}

#[test]
fn warnings_fail_only_who_wants_that() {
    let dir = Dir::new("warns");
    let file = dir.file("w.toml", "[pipelines.a]\nextends = \"standard\"\ndeadline = \"9s\"\n");
    let ran = run(["check", &file]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(ran.out.starts_with("warning["), "{}", ran.out);
    assert_eq!(run(["check", &file, "--deny-warnings"]).code, Some(1));
}

#[test]
fn a_file_that_is_not_there_is_bad_usage() {
    let dir = Dir::new("no-file");
    for file in ["no.toml", &dir.path("")] {
        let checked = run(["check", file]);
        assert_eq!(checked.code, Some(2), "{file}");
        assert!(checked.err.starts_with(&format!("error: {file}: ")), "{}", checked.err);
        for args in [&["explain", file][..], &["fetch", "--config", file, "http://a"]] {
            let ran = run(args.iter().copied());
            assert_eq!((ran.code, &ran.err), (Some(2), &checked.err), "{args:?}");
        }
    }
}

#[test]
fn a_pipeline_is_explained_as_text_and_as_json() {
    let dir = Dir::new("explains");
    let file = dir.file("good.toml", GOOD);
    let ran = run(["explain", &file, "github"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.starts_with("pipeline `github`, "), "{}", ran.out);

    let said = run(["explain", &file, "github", "--format", "json"]).out;
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["name"], "github");
    let said = run(["explain", &file, "--format", "json"]).out;
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()[0]["name"], "github");
    let said = run(["explain", "--format", "json", "--preset", "bulk_crawl"]).out;
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()[0]["name"], "bulk_crawl");

    let ran = run(["explain", &file, "gitlab"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("has no pipeline `gitlab`; it has `github`"), "{}", ran.err);
    assert!(ran.err.contains("and with mainstay come standard, "), "{}", ran.err);
}

#[test]
fn a_pipeline_that_comes_with_it_is_found_as_fetch_finds_it() {
    let dir = Dir::new("presets");
    let file = dir.file("good.toml", GOOD);
    let calls = [["--preset", "bulk-crawl"], ["--preset", "bulk_crawl"], [&file, "bulk-crawl"]];
    for args in calls {
        let ran = run(["explain"].into_iter().chain(args));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(ran.out.starts_with("pipeline `bulk_crawl`, "), "{}", ran.out);
    }
    assert!(run(["explain", &file, "standard"]).out.starts_with("pipeline `standard`, "));
}

#[test]
fn without_a_file_the_standard_pipeline_is_explained() {
    let ran = run(["explain"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.starts_with("pipeline `standard`, "), "{}", ran.out);
}

#[test]
fn the_schema_and_the_completions_are_printed() {
    let schema: Value = serde_json::from_str(&run(["schema"]).out).unwrap();
    assert_eq!(schema["required"][0], "pipelines");
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(["completions", shell]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.out.contains("per-host"), "{shell}");
    }
}

#[test]
fn help_is_enough_to_work_from() {
    let ran = run(["fetch", "--help"]);
    assert_eq!(ran.code, Some(0));
    for word in ["--rate-total", "--resume", "--output-dir", "Examples:", "Exit codes: 0 "] {
        assert!(ran.out.contains(word), "{word}");
    }
    assert_eq!(run([]).code, Some(2));
    assert_eq!(run(["fetch"]).code, Some(2));
    assert_eq!(run(["fetch", "--rate", "50", "http://a"]).code, Some(2));
}
