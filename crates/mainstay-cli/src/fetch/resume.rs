//! `--resume`: what an earlier run has finished is kept, and everything else is done again.
//!
//! ```text
//! out.jsonl        what the last run that was not resumed has written, perhaps torn at its end
//! out.jsonl.part   what is kept of it, and what this run adds; it takes its place at the end
//! ```
//!
//! A run that is killed leaves both, and the next one reads both. So nothing is lost at any moment,
//! whichever of them the machine stops in.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::digest::Digest;
use super::id::Id;
use super::job::Name;
use super::record::Record;

/// Which records are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// Those that another run would bring again.
    Final,
    /// Those that succeeded.
    Succeeded,
}

/// What an earlier run has finished.
#[derive(Default)]
pub(crate) struct Kept {
    /// By index, or by id where there is one: what stands for the request.
    finished: HashMap<Known, Finished>,
    before: Before,
}

/// What an earlier run comes to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Before {
    /// How many of the records that are kept failed for good.
    pub(crate) failed: u64,
    pub(crate) records: u64,
    /// How long they are in the part.
    pub(crate) bytes: u64,
}

#[derive(PartialEq, Eq, Hash, Clone)]
enum Known {
    Index(u64),
    Id(String),
}

struct Finished {
    request: Digest,
    url: Arc<str>,
    is_met: bool,
}

impl Kept {
    pub(crate) const fn before(&self) -> Before {
        self.before
    }

    /// Whether this input has been finished. `Err` if the output is that of another input.
    pub(crate) fn has(&mut self, name: &Name) -> Result<bool, String> {
        let Some(finished) = self.finished.get_mut(&known(name.id.as_ref(), name.index)) else {
            return Ok(false);
        };
        finished.is_met = true;
        if finished.request == name.digest {
            return Ok(true);
        }
        Err(format!(
            "the output does not fit the input: {} was {} there, and is {} here, or has another \
             method or body",
            called(name.id.as_ref(), name.index),
            finished.url,
            name.url,
        ))
    }

    /// After the last input: whether all that is kept was among them.
    pub(crate) fn rest(&self) -> Result<(), String> {
        match self.finished.iter().find(|(_, finished)| !finished.is_met) {
            None => Ok(()),
            Some((known, finished)) => {
                let called = match known {
                    Known::Index(index) => format!("input {index}"),
                    Known::Id(id) => format!("the id {id}"),
                };
                Err(format!(
                    "the output does not fit the input: {called} ({}) is in the output alone",
                    finished.url
                ))
            }
        }
    }

    fn keeps(&mut self, record: &Record) -> bool {
        let known = known(record.id.as_ref(), record.index);
        let (request, url) = (record.request, Arc::clone(&record.url));
        if self.finished.contains_key(&known) {
            return false;
        }
        self.before.failed += u64::from(!record.ok);
        self.before.records += 1;
        self.finished.insert(known, Finished { request, url, is_met: false });
        true
    }
}

fn known(id: Option<&Id>, index: u64) -> Known {
    id.map_or(Known::Index(index), |id| Known::Id(id.known()))
}

fn called(id: Option<&Id>, index: u64) -> String {
    id.map_or_else(|| format!("input {index}"), |id| format!("the id {id}"))
}

/// The file that a resumed run writes.
pub(crate) fn part_of(output: &Path) -> PathBuf {
    with(output, ".part")
}

/// What becomes that file once it is whole.
pub(crate) fn next_of(output: &Path) -> PathBuf {
    with(output, ".part.next")
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Puts what is kept of the output and of its part into the part, and opens that for more.
pub(crate) fn resume(output: &Path, keep: Keep) -> Result<(Kept, File), String> {
    let part = part_of(output);
    let next = next_of(output);
    let cannot = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| format!("{path}: {error}")
    };
    let mut kept = Kept::default();
    let mut copy = BufWriter::new(File::create(&next).map_err(cannot(&next))?);
    // What was added last goes first: of two records of one input it is the one that counts.
    for path in [&part, &output.to_owned()] {
        match File::open(path) {
            Ok(file) => copy_kept(file, path, keep, &mut kept, &mut copy)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot(path)(error)),
        }
    }
    let copied = copy.into_inner().map_err(|error| cannot(&next)(error.into_error()))?;
    copied.sync_all().map_err(cannot(&next))?;
    fs::rename(&next, &part).map_err(cannot(&part))?;
    Ok((kept, copied))
}

/// Copies the records that are kept; a last line without an end was torn, and is left out.
fn copy_kept(
    file: File,
    path: &Path,
    keep: Keep,
    kept: &mut Kept,
    copy: &mut impl Write,
) -> Result<(), String> {
    let (mut lines, mut line) = (BufReader::with_capacity(1 << 16, file), Vec::new());
    for number in 1_u64.. {
        line.clear();
        let wrong = |what: String| format!("{}:{number}: {what}", path.display());
        lines.read_until(b'\n', &mut line).map_err(|error| wrong(error.to_string()))?;
        if !line.ends_with(b"\n") {
            break;
        }
        let record: Record = serde_json::from_slice(&line)
            .map_err(|error| wrong(format!("this is no line of an output: {error}")))?;
        let is_kept = match keep {
            Keep::Final => record.is_final(),
            Keep::Succeeded => record.ok,
        };
        // A body that somebody has taken away is to be fetched again.
        let is_kept = is_kept && record.path.as_ref().is_none_or(|path| Path::new(path).exists());
        if is_kept && kept.keeps(&record) {
            copy.write_all(&line).map_err(|error| wrong(error.to_string()))?;
            kept.before.bytes += line.len() as u64;
        }
    }
    Ok(())
}

/// What was added turned out to be of other inputs: the part is as it was.
pub(crate) fn undo(output: &Path, before: Before) -> io::Result<()> {
    OpenOptions::new().write(true).open(part_of(output))?.set_len(before.bytes)
}

/// The run has come to its end: the part takes the place of the output.
pub(crate) fn finish(output: &Path) -> io::Result<()> {
    fs::rename(part_of(output), output)
}
