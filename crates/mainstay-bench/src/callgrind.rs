//! Instructions of a call, by callgrind.

use std::env;
use std::process::{Command, Stdio};

use crate::overhead::cases::Case;

/// How many instructions one call takes, if there is a callgrind to count them.
pub(crate) fn instructions(case: &Case) -> Option<f64> {
    between(&|calls| vec!["run".into(), case.name.into(), calls.to_string()])
}

/// The same for whatever this program does so often, when it is given these arguments.
pub(crate) fn between(arguments: &dyn Fn(u64) -> Vec<String>) -> Option<f64> {
    let (few, many) = (1_000, 11_000);
    let (low, high) = (total(&arguments(few))?, total(&arguments(many))?);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    // Of a program that measures its clock first there may be fewer in the longer run.
    Some(high.checked_sub(low)? as f64 / (many - few) as f64)
}

fn total(arguments: &[String]) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().ok()?)
        .args(arguments)
        .stdout(Stdio::null())
        .output()
        .ok()?;
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = says.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(' ').next()?.trim().parse().ok()
}
