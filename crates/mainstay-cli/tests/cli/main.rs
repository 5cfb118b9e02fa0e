//! The command as its user has it: what it prints, and how it exits.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod begun;
mod check;
mod demo;
mod ends;
mod fetch;
mod files;
mod inputs;
mod progress;
mod redirects;
mod resume;
mod slow;
mod words;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use begun::Begun;
use serde_json::Value;

/// The command with these arguments.
fn mainstay<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mainstay"));
    command.args(args).env_remove("NO_COLOR");
    for proxy in
        ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    {
        command.env_remove(proxy);
    }
    command
}

/// What it came to.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    /// The lines of the output.
    #[track_caller]
    fn records(&self) -> Vec<Value> {
        records(&self.out)
    }
}

#[track_caller]
fn records(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn ran(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[track_caller]
fn run<'a>(args: impl IntoIterator<Item = &'a str>) -> Ran {
    Begun::of(&mut mainstay(args)).ended()
}

/// Runs it with this as its standard input.
#[track_caller]
fn run_with<'a>(args: impl IntoIterator<Item = &'a str>, input: &[u8]) -> Ran {
    let mut begun = Begun::of(&mut mainstay(args));
    begun.writes(input);
    begun.ended()
}

/// A directory of its own for each test, gone at its end.
struct Dir(PathBuf);

impl Dir {
    #[track_caller]
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mainstay-cli-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).expect("there is room");
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("it is UTF-8").to_owned()
    }

    #[track_caller]
    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).expect("there is room");
        self.path(name)
    }

    #[track_caller]
    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).expect("it is there")
    }

    fn read_or_nothing(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }

    fn has(&self, name: &str) -> bool {
        Path::new(&self.path(name)).exists()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
