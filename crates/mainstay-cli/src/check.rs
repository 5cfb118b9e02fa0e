//! `mainstay check`: what is wrong in a file of pipelines.

use std::fs;
use std::path::Path;

use mainstay::pipeline::config::{Config, Problem};
use serde_json::{Value, json};

use crate::args::{Check, Format};
use crate::exit::Exit;
use crate::out;

pub(crate) fn run(check: &Check) -> Exit {
    let read = Config::from_file(&check.file);
    // What cannot be read is no file that something is wrong in.
    let unread = read.as_ref().err().and_then(|_| is_there(&check.file).err());
    if let Some(what) = unread {
        return out::wrong(what);
    }
    let (problems, pipelines) = match &read {
        Ok(config) => (config.warnings(), config.iter().count()),
        Err(wrong) => (wrong.problems(), 0),
    };
    let text = match check.format {
        Format::Json => format!("{:#}\n", as_json(problems, read.is_ok())),
        Format::Text => match &read {
            Ok(_) => as_text(&check.file, problems, pipelines),
            Err(wrong) => out::coloured(&wrong.to_string()),
        },
    };
    let is_refused = read.is_err() || check.deny_warnings && !problems.is_empty();
    match out::whole(&text) {
        Exit::Ok if is_refused => Exit::SomeFailed,
        exit => exit,
    }
}

/// The pipelines of a file, or all that is wrong with it.
pub(crate) fn read(file: &Path) -> Result<Config, String> {
    Config::from_file(file).map_err(|wrong| match is_there(file) {
        Ok(()) => wrong.to_string(),
        Err(what) => what,
    })
}

fn is_there(file: &Path) -> Result<(), String> {
    fs::read(file).map(drop).map_err(|error| format!("{}: {error}", file.display()))
}

fn as_text(file: &Path, warnings: &[Problem], pipelines: usize) -> String {
    let mut text: String = warnings.iter().map(|warning| format!("{warning}\n")).collect();
    text = out::coloured(&text);
    let plural = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    };
    text.push_str(&format!(
        "{}: {}, {}\n",
        file.display(),
        plural(pipelines, "pipeline"),
        plural(warnings.len(), "warning"),
    ));
    text
}

fn as_json(problems: &[Problem], is_valid: bool) -> Value {
    let problems: Vec<Value> = problems
        .iter()
        .map(|problem| {
            json!({
                "severity": problem.severity.to_string(),
                "code": problem.code,
                "message": problem.message,
                "path": problem.path,
                "help": problem.help,
                "line": problem.place.as_ref().map(|place| place.line),
                "column": problem.place.as_ref().map(|place| place.column),
            })
        })
        .collect();
    json!({ "valid": is_valid, "problems": problems })
}
