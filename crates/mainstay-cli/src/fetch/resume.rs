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
use std::sync::{Arc, Mutex, PoisonError};

use super::arrange::arrange;
use super::digest::Digest;
use super::id::Id;
use super::job::Name;
use super::record::{Kind, Record};

/// Which records are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// Those that another run would bring again.
    Final,
    /// Those that succeeded.
    Succeeded,
}

/// What an earlier run came to.
#[derive(Default)]
pub(crate) struct Kept {
    inputs: HashMap<Known, Earlier>,
    before: Before,
}

/// What of it stays in the output.
#[derive(Clone, Default)]
pub(crate) struct Before {
    /// How many of the records that are kept failed for good.
    pub(crate) failed: u64,
    pub(crate) records: u64,
    /// How long they are in the part.
    bytes: u64,
    /// There was a part before this run.
    is_part: bool,
    /// The places of those that have an id, where they are others now.
    moved: Arc<Mutex<HashMap<Known, u64>>>,
}

#[derive(PartialEq, Eq, Hash, Clone)]
enum Known {
    Index(u64),
    Id(String),
}

struct Earlier {
    request: Digest,
    url: Arc<str>,
    index: u64,
    /// It has finished.
    is_kept: bool,
    is_met: bool,
}

impl Kept {
    pub(crate) fn before(&self) -> Before {
        self.before.clone()
    }

    /// Whether nothing is known of an earlier run.
    pub(crate) fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Whether this input has been finished. `Err` if the output is that of another input.
    pub(crate) fn has(&mut self, name: &Name) -> Result<bool, String> {
        let known = Known::by(name.id.as_ref(), name.index);
        let Some(earlier) = self.inputs.get_mut(&known) else {
            return Ok(false);
        };
        earlier.is_met = true;
        // An id says all: where it leads to may be signed anew.
        if name.id.is_none() && earlier.request != name.digest {
            return Err(format!(
                "the output does not fit the input: input {} was {} there, and is {} here, or has \
                 another method or body",
                name.index, earlier.url, name.url,
            ));
        }
        if earlier.is_kept && earlier.index != name.index {
            let mut moved = self.before.moved.lock().unwrap_or_else(PoisonError::into_inner);
            moved.insert(known, name.index);
        }
        Ok(earlier.is_kept)
    }

    /// After the last input: whether all that there were are among them.
    pub(crate) fn rest(&self) -> Result<(), String> {
        match self.inputs.iter().find(|(_, earlier)| !earlier.is_met) {
            None => Ok(()),
            Some((known, earlier)) => {
                let called = match known {
                    Known::Index(index) => format!("input {index}"),
                    Known::Id(id) => format!("the id {id}"),
                };
                Err(format!(
                    "the output does not fit the input: {called} ({}) is in the output alone",
                    earlier.url
                ))
            }
        }
    }

    /// Takes note of a record, and says whether it is one more that is kept.
    fn adds(&mut self, record: &Record, is_kept: bool) -> bool {
        // What was no input may have been mended, and then it is another.
        if record.error.as_ref().is_some_and(|wrong| wrong.kind == Kind::Input) {
            return false;
        }
        let known = Known::by(record.id.as_ref(), record.index);
        let is_more = is_kept && self.inputs.get(&known).is_none_or(|earlier| !earlier.is_kept);
        if is_more || !self.inputs.contains_key(&known) {
            let (request, index, url) = (record.request, record.index, Arc::clone(&record.url));
            self.inputs.insert(known, Earlier { request, url, index, is_kept, is_met: false });
        }
        self.before.failed += u64::from(is_more && !record.ok);
        self.before.records += u64::from(is_more);
        is_more
    }
}

impl Known {
    fn by(id: Option<&Id>, index: u64) -> Self {
        id.map_or(Self::Index(index), |id| Self::Id(id.known()))
    }
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

/// What is kept, beside the part until it is known that the output is that of the input.
pub(crate) struct Next {
    part: PathBuf,
    file: File,
    path: Gone,
}

/// A file that is gone in the end, unless it has another name by then.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        // It is written anew by whoever comes next.
        let _ = fs::remove_file(&self.0);
    }
}

impl Next {
    /// Makes it the part, and opens it for more.
    pub(crate) fn takes_place(self) -> Result<File, String> {
        let Self { part, file, path } = self;
        fs::rename(&path.0, &part).map_err(|error| format!("{}: {error}", part.display()))?;
        Ok(file)
    }
}

/// The file that an output leads to, which another is to take the place of; not that of a device.
pub(crate) fn plain(output: &Path) -> Result<PathBuf, String> {
    match output.metadata() {
        Ok(there) if !there.is_file() => {
            Err(format!("--resume needs an --output that is a file: {} is none", output.display()))
        }
        Ok(_) => output.canonicalize().map_err(|error| format!("{}: {error}", output.display())),
        Err(_) => Ok(output.to_owned()),
    }
}

/// Reads the output and its part, and copies what is kept of them.
pub(crate) fn resume(output: &Path, keep: Keep) -> Result<(Kept, Next), String> {
    let (part, path) = (part_of(output), next_of(output));
    let cannot = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| format!("{path}: {error}")
    };
    let mut kept = Kept::default();
    kept.before.is_part = part.exists();
    let mut copy = BufWriter::new(File::create(&path).map_err(cannot(&path))?);
    let path = Gone(path);
    // What was added last goes first: of two records of one input it is the one that counts.
    for from in [&part, &output.to_owned()] {
        match File::open(from) {
            Ok(file) => copy_kept(file, from, keep, &mut kept, &mut copy)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot(from)(error)),
        }
    }
    let file = copy.into_inner().map_err(|error| cannot(&path.0)(error.into_error()))?;
    file.sync_all().map_err(cannot(&path.0))?;
    Ok((kept, Next { part, file, path }))
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
        if kept.adds(&record, is_kept) {
            copy.write_all(&line).map_err(|error| wrong(error.to_string()))?;
            kept.before.bytes += line.len() as u64;
        }
    }
    Ok(())
}

/// What was added turned out to be of other inputs: the part is as it was, or there is none again.
pub(crate) fn undo(output: &Path, before: &Before) -> io::Result<()> {
    let part = part_of(output);
    match before.is_part {
        true => OpenOptions::new().write(true).open(part)?.set_len(before.bytes),
        false => fs::remove_file(part),
    }
}

/// The run has come to its end: the part takes the place of the output.
pub(crate) fn finish(output: &Path, is_sorted: bool, before: &Before) -> io::Result<()> {
    let part = part_of(output);
    let moved = before.moved.lock().unwrap_or_else(PoisonError::into_inner);
    if is_sorted || !moved.is_empty() {
        let place = |id: Option<&Id>, index| *moved.get(&Known::by(id, index)).unwrap_or(&index);
        arrange(&part, &next_of(output), is_sorted, place)?;
    }
    // On the disk before it has the name of what is there.
    OpenOptions::new().write(true).open(&part)?.sync_all()?;
    fs::rename(part, output)
}
