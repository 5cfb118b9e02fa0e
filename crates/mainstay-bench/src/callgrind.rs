//! Instructions of a call, by callgrind.

use std::env;
use std::process::{Command, Stdio};

use crate::cases::Case;

/// How many instructions one call takes, if there is a callgrind to count them.
pub(crate) fn instructions(case: &Case) -> Option<f64> {
    let (few, many) = (1_000, 11_000);
    let (low, high) = (total(case, few)?, total(case, many)?);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Some((high - low) as f64 / (many - few) as f64)
}

fn total(case: &Case, calls: u64) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().ok()?)
        .args([case.name, &calls.to_string()])
        .stdout(Stdio::null())
        .output()
        .ok()?;
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = says.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(' ').next()?.trim().parse().ok()
}
