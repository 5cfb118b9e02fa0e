//! Where inputs come from: the command line, a file, a pipe. Read by a thread of their own, no
//! faster than they are taken.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::thread;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::job::{Defaults, Job};
use super::resume::Kept;

/// How many inputs are read ahead.
const AHEAD: usize = 256;
/// The longest line, in bytes.
const LONGEST: u64 = 64 << 20;

/// What is sent by the thread that reads.
pub(crate) enum Input {
    Job(Box<Job>),
    /// Nothing comes after this.
    Ended(Result<Ended, String>),
}

/// What had been read when there was no more.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ended {
    pub(crate) inputs: u64,
    /// How many of them an earlier run had finished.
    pub(crate) kept: u64,
}

/// Where inputs come from.
pub(crate) struct Source {
    pub(crate) urls: Vec<String>,
    pub(crate) file: Option<Box<dyn Read + Send>>,
    pub(crate) defaults: Defaults,
}

/// Opens a file; `-` is the standard input.
pub(crate) fn open(file: &Path) -> Result<Box<dyn Read + Send>, String> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let is_file = |opened: File| match opened.metadata() {
        Ok(data) if data.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        _ => Ok(opened),
    };
    match File::open(file).and_then(is_file) {
        Ok(opened) => Ok(Box::new(opened)),
        Err(error) => Err(format!("the input {} cannot be read: {error}", file.display())),
    }
}

/// Begins to read. What an earlier run has finished is left out.
pub(crate) fn read(source: Source, kept: Kept) -> Receiver<Input> {
    let (sender, receiver) = channel(AHEAD);
    thread::spawn(move || {
        let mut reader = Reader { sender, kept, ids: HashSet::default(), ended: Ended::default() };
        let ended = match reader.read(source) {
            Ok(()) => reader.kept.rest().map(|()| reader.ended),
            Err(Stop::Wrong(what)) => Err(what),
            Err(Stop::Unwanted) => return,
        };
        // Whoever does not wait for it any more has no use for it.
        let _ = reader.sender.blocking_send(Input::Ended(ended));
    });
    receiver
}

struct Reader {
    sender: Sender<Input>,
    kept: Kept,
    /// Stands for the ids that there were; two that stand for the same are as good as never met.
    ids: HashSet<u128, BuildHasherDefault<DefaultHasher>>,
    ended: Ended,
}

enum Stop {
    /// Nobody takes inputs any more.
    Unwanted,
    Wrong(String),
}

impl Reader {
    fn read(&mut self, source: Source) -> Result<(), Stop> {
        let Source { urls, file, defaults } = source;
        for url in &urls {
            self.send(Job::of_url(url, self.ended.inputs, &defaults))?;
        }
        let Some(file) = file else { return Ok(()) };
        let (mut lines, mut line) = (BufReader::with_capacity(1 << 16, file), Vec::new());
        for number in 1_u64.. {
            line.clear();
            let stopped = |error: io::Error| Stop::Wrong(format!("line {number}: {error}"));
            let read =
                lines.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(stopped)?;
            if read == 0 {
                break;
            }
            let is_whole = line.ends_with(b"\n") || (read as u64) < LONGEST;
            if !is_whole {
                lines.skip_until(b'\n').map_err(stopped)?;
            }
            self.line(&line, is_whole, number, &defaults)?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        line: &[u8],
        is_whole: bool,
        number: u64,
        defaults: &Defaults,
    ) -> Result<(), Stop> {
        let index = self.ended.inputs;
        let job = match (is_whole, std::str::from_utf8(line)) {
            (false, _) => Job::wrong(index, "", format!("more than {LONGEST} bytes")),
            (true, Err(_)) => Job::wrong(index, "", "no UTF-8".to_owned()),
            (true, Ok(text)) => match text.trim_start_matches('\u{feff}').trim() {
                text if text.is_empty() || text.starts_with('#') => return Ok(()),
                text => Job::of_line(text, index, defaults),
            },
        };
        self.send(Job { ask: job.ask.map_err(|what| format!("line {number}: {what}")), ..job })
    }

    fn send(&mut self, mut job: Job) -> Result<(), Stop> {
        self.ended.inputs += 1;
        if let Some(id) = &job.name.id {
            if !self.ids.insert(stands_for(&id.to_string())) {
                let index = job.name.index;
                job = Job::wrong(
                    index,
                    &job.name.url,
                    format!("the id {id} is that of another input"),
                );
            }
        }
        if self.kept.has(&job.name).map_err(Stop::Wrong)? {
            self.ended.kept += 1;
            return Ok(());
        }
        self.sender.blocking_send(Input::Job(Box::new(job))).map_err(|_| Stop::Unwanted)
    }
}

/// A number for a text, of which it is next to impossible that another has the same.
fn stands_for(text: &str) -> u128 {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let (one, other) = (hasher.hash_one(text), hasher.hash_one((text, "and again")));
    u128::from(one) << 64 | u128::from(other)
}

/// Whether two paths lead to one file.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}
