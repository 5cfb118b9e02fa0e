//! Where inputs come from: the command line, a file, a pipe. Read by a thread of their own, no
//! faster than they are taken.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{self, BufRead, BufReader, Read};
use std::mem;
use std::path::Path;
use std::thread;

use tokio::sync::mpsc::{Receiver, channel};

use super::files::file_name;
use super::job::{Defaults, Job, Name};
use super::resume::Kept;

/// How many inputs are handed over at a time, since each time one thread wakes another.
const AT_A_TIME: usize = 64;
/// How many times so many are read ahead.
const AHEAD: usize = 4;
/// The longest line, in bytes.
const LONGEST: u64 = 64 << 20;

/// What is sent by the thread that reads.
pub(crate) enum Input {
    Jobs(Vec<Job>),
    /// Nothing comes after this; so many were sent.
    Ended(Result<u64, Wrong>),
}

/// Why there are no more inputs, though there may be.
#[derive(Clone, Debug)]
pub(crate) enum Wrong {
    /// They are not those of the output that is gone on with, or fewer.
    Others(String),
    /// They cannot be read.
    Ended(String),
}

/// Where inputs come from.
pub(crate) struct Source {
    pub(crate) urls: Vec<String>,
    pub(crate) file: Option<Box<dyn Read + Send>>,
    pub(crate) defaults: Defaults,
    /// Where bodies go into files, of which each input has its own, the names that none can have.
    pub(crate) taken: Option<Vec<String>>,
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
        let takes = |jobs| sender.blocking_send(Input::Jobs(jobs)).is_ok();
        let mut reader = Reader::new(kept, takes);
        let ended = match reader.read(source) {
            Ok(()) => reader.kept.rest().map(|()| reader.sent).map_err(Wrong::Others),
            Err(Stop::Wrong(what)) => Err(what),
            Err(Stop::Unwanted) => return,
        };
        // Whoever does not wait for it any more has no use for it.
        let _ = sender.blocking_send(Input::Ended(ended));
    });
    receiver
}

/// Reads all of it, and says whether it is the input of what is kept.
pub(crate) fn fits(source: Source, kept: Kept) -> Result<Kept, String> {
    let mut reader = Reader::new(kept, |_| true);
    match reader.read(source) {
        Err(Stop::Wrong(Wrong::Others(what) | Wrong::Ended(what))) => Err(what),
        Ok(()) | Err(Stop::Unwanted) => reader.kept.rest().map(|()| reader.kept),
    }
}

/// How many inputs there are in a file.
pub(crate) fn count(file: &Path) -> io::Result<u64> {
    let (mut lines, mut line) = (BufReader::with_capacity(1 << 16, File::open(file)?), Vec::new());
    let mut count = 0;
    while next_line(&mut lines, &mut line, LONGEST)?.is_some() {
        count += u64::from(!is_left_out(&line));
    }
    Ok(count)
}

/// Reads a line as far as it may be long, and past the rest. Whether that was all of it; `None` if
/// there are no more.
fn next_line(
    lines: &mut impl BufRead,
    line: &mut Vec<u8>,
    longest: u64,
) -> io::Result<Option<bool>> {
    line.clear();
    let read = lines.by_ref().take(longest).read_until(b'\n', line)? as u64;
    let is_whole = line.ends_with(b"\n") || read < longest;
    if !is_whole {
        lines.skip_until(b'\n')?;
    }
    Ok((read > 0).then_some(is_whole))
}

/// Whether a line says nothing. What a comment is written in does not matter.
fn is_left_out(line: &[u8]) -> bool {
    let (text, is_text) = match std::str::from_utf8(line) {
        Ok(text) => (trimmed(text), true),
        Err(error) => {
            let text = std::str::from_utf8(&line[..error.valid_up_to()]).unwrap_or_default();
            (trimmed(text), false)
        }
    };
    text.starts_with('#') || (text.is_empty() && is_text)
}

fn trimmed(line: &str) -> &str {
    line.trim_start_matches('\u{feff}').trim()
}

struct Reader<F> {
    /// Takes what is to be fetched, and says whether it wants more.
    takes: F,
    kept: Kept,
    /// Stands for the ids that there were; two that stand for the same are as good as never met.
    ids: Seen,
    /// The same for the files that bodies go into, if they do.
    files: Option<Seen>,
    taken: Vec<String>,
    /// How many there were, and how many of them are to be fetched.
    read: u64,
    sent: u64,
    /// Those that have not been handed over.
    jobs: Vec<Job>,
}

type Seen = HashSet<u128, BuildHasherDefault<DefaultHasher>>;

enum Stop {
    /// Nobody takes inputs any more.
    Unwanted,
    Wrong(Wrong),
}

impl<F: FnMut(Vec<Job>) -> bool> Reader<F> {
    fn new(kept: Kept, takes: F) -> Self {
        let (ids, jobs) = (Seen::default(), Vec::with_capacity(AT_A_TIME));
        Self { takes, kept, ids, files: None, taken: Vec::new(), read: 0, sent: 0, jobs }
    }

    fn read(&mut self, source: Source) -> Result<(), Stop> {
        let Source { urls, file, defaults, taken } = source;
        (self.files, self.taken) = (taken.is_some().then(Seen::default), taken.unwrap_or_default());
        for url in &urls {
            let job = self.checked(Job::of_url(url, self.read, &defaults));
            self.send(job)?;
        }
        let Some(file) = file else { return self.hand_over() };
        let (mut lines, mut line) = (BufReader::with_capacity(1 << 16, file), Vec::new());
        for number in 1_u64.. {
            // What comes next may take its time.
            if !lines.buffer().contains(&b'\n') {
                self.hand_over()?;
            }
            let read = next_line(&mut lines, &mut line, LONGEST)
                .map_err(|error| Stop::Wrong(Wrong::Ended(format!("line {number}: {error}"))))?;
            let Some(is_whole) = read else { break };
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
        if is_left_out(line) {
            return Ok(());
        }
        let index = self.read;
        let job = match (is_whole, std::str::from_utf8(line)) {
            (false, _) => Job::wrong(index, "", format!("more than {LONGEST} bytes")),
            (true, Err(_)) => Job::wrong(index, "", "no UTF-8".to_owned()),
            (true, Ok(text)) => Job::of_line(trimmed(text), index, defaults),
        };
        let job = self.checked(job);
        self.send(Job { ask: job.ask.map_err(|what| format!("line {number}: {what}")), ..job })
    }

    /// The same input, unless another before it has its id or its file.
    fn checked(&mut self, job: Job) -> Job {
        let Name { index, id, url, .. } = &job.name;
        if let Some(id) = id {
            if !self.ids.insert(stands_for(&id.known())) {
                return Job::wrong(*index, url, format!("the id {id} is that of another input"));
            }
        }
        if let Some(files) = self.files.as_mut().filter(|_| job.ask.is_ok()) {
            let file = file_name(&job.name).to_string_lossy().into_owned();
            // There are disks to which `A` is `a`.
            let small = file.to_lowercase();
            let whose = match self.taken.contains(&small) {
                true => Some("this run itself"),
                false if !files.insert(stands_for(&small)) => Some("another input"),
                false => None,
            };
            if let Some(whose) = whose {
                let what = format!("its body would go into the file of {whose}, {file}");
                return Job { ask: Err(what), ..job };
            }
        }
        job
    }

    fn send(&mut self, job: Job) -> Result<(), Stop> {
        self.read += 1;
        if self.kept.has(&job.name).map_err(|what| Stop::Wrong(Wrong::Others(what)))? {
            return Ok(());
        }
        self.sent += 1;
        self.jobs.push(job);
        if self.jobs.len() == AT_A_TIME { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> Result<(), Stop> {
        let jobs = mem::replace(&mut self.jobs, Vec::with_capacity(AT_A_TIME));
        if jobs.is_empty() || (self.takes)(jobs) { Ok(()) } else { Err(Stop::Unwanted) }
    }
}

/// A number for a text, of which it is next to impossible that another has the same.
fn stands_for(text: &str) -> u128 {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let (one, other) = (hasher.hash_one(text), hasher.hash_one((text, "and again")));
    u128::from(one) << 64 | u128::from(other)
}

/// Whether it is one that can be read again from its beginning.
pub(crate) fn is_file(file: &Path) -> bool {
    file != Path::new("-") && file.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_of_a_line_than_it_may_have() {
        let (mut lines, mut line) = (&b"abcdef\nabcd\nabc\n\nab"[..], Vec::new());
        let mut next = || {
            let is_whole = next_line(&mut lines, &mut line, 4).unwrap();
            is_whole.map(|is_whole| (line.clone(), is_whole))
        };
        let read = |text: &str, is_whole| Some((text.as_bytes().to_vec(), is_whole));
        assert_eq!(next(), read("abcd", false));
        assert_eq!(next(), read("abcd", false));
        assert_eq!(next(), read("abc\n", true));
        assert_eq!(next(), read("\n", true));
        assert_eq!(next(), read("ab", true));
        assert_eq!(next(), None);
    }

    #[test]
    fn a_comment_and_nothing_at_all_are_left_out() {
        for nothing in
            [&b""[..], b" \t\n", b"\xef\xbb\xbf\n", b"# caf\xe9\n", b"\xef\xbb\xbf # \xff"]
        {
            assert!(is_left_out(nothing), "{nothing:?}");
        }
        for line in [&b"caf\xe9"[..], b"\xff", b" \xff# a", b"http://a/#b"] {
            assert!(!is_left_out(line), "{line:?}");
        }
    }
}
