//! Where the lines go. A thread of its own writes them, so that a slow disk or pager holds up
//! nothing that has begun.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;

use super::lines::{Held, Lines};
use super::record::Record;
use super::resume::part_of;
use super::summary::Summary;
use crate::clock;

/// How many lines are written at a time.
const AT_A_TIME: usize = 512;
/// How long lines are gathered when one follows another, since to wake a thread for each costs more
/// than to write it.
const GATHERS: Duration = Duration::from_millis(4);

/// The lines of a run.
pub(crate) struct Output {
    lines: Lines,
    summary: Arc<Mutex<Summary>>,
    writer: JoinHandle<io::Result<()>>,
}

/// Opens an output that there was none of.
pub(crate) fn create(output: &Path, is_replaced: bool) -> Result<Box<dyn Write + Send>, String> {
    if output == Path::new("-") {
        return Ok(Box::new(io::stdout()));
    }
    let cannot =
        |error: io::Error| format!("the output {} cannot be written: {error}", output.display());
    let is_there = fs::metadata(output).is_ok_and(|known| known.is_file() && known.len() > 0);
    if !is_replaced && (is_there || part_of(output).exists()) {
        return Err(format!(
            "the output {} is there already: go on with it with --resume, or lose it with --overwrite",
            output.display()
        ));
    }
    match fs::remove_file(part_of(output)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(cannot(error)),
        _ => {}
    }
    let opened = OpenOptions::new().write(true).create(true).truncate(true).open(output);
    Ok(Box::new(opened.map_err(cannot)?))
}

impl Output {
    /// Begins to write. Each line is there as soon as it is written, and none is torn but by the end
    /// of the process.
    pub(crate) fn to(mut file: Box<dyn Write + Send>) -> Self {
        let (records, mut waiting) = unbounded_channel::<Record>();
        let (held, summary) = (Held::default(), Arc::new(Mutex::new(Summary::default())));
        let (lines, written) = (Lines::to(records, held.clone()), Arc::clone(&summary));
        let writer = thread::spawn(move || {
            let (mut records, mut lines) = (Vec::new(), Vec::new());
            while waiting.blocking_recv_many(&mut records, AT_A_TIME) > 0 {
                let are_many = records.len() > 1;
                write(&mut file, &records, &mut lines)?;
                held.let_go(&records);
                let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                records.drain(..).for_each(|record| written.add(&record));
                drop(written);
                if are_many {
                    clock::pause(GATHERS);
                }
            }
            Ok(())
        });
        Self { lines, summary, writer }
    }

    /// Where records go. Nothing is written after a failure, which [`end`](Self::end) tells.
    pub(crate) fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// What has been written.
    pub(crate) fn summary(&self) -> Summary {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until all is written. Every clone of [`lines`](Self::lines) must be gone.
    pub(crate) fn end(self) -> (Summary, io::Result<()>) {
        let Self { lines, summary, writer } = self;
        drop(lines);
        let ended = writer.join().unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
        let summary = summary.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (summary, ended)
    }
}

/// Writes the lines of these, some at a time.
fn write(file: &mut impl Write, records: &[Record], lines: &mut Vec<u8>) -> io::Result<()> {
    const AS_LONG: usize = 1 << 16;

    for record in records {
        record.write(lines);
        if lines.len() >= AS_LONG {
            file.write_all(lines)?;
            *lines = Vec::new();
        }
    }
    file.write_all(lines)?;
    lines.clear();
    file.flush()
}
