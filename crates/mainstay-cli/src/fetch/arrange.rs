//! The lines of an output, each with the place that its input has now, and in their order if that is
//! wanted.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, IntoInnerError, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Deserialize;

use super::id::Id;
use super::record::Record;

/// Where a line is, and where it belongs.
struct Line {
    /// The place of its input, and the one that it says.
    index: u64,
    said: u64,
    at: u64,
    length: u64,
}

#[derive(Deserialize)]
struct Said {
    id: Option<Id>,
    index: u64,
}

/// Writes it anew, by way of `next`, unless all is as it should be. `place` is where an input is, by
/// its id and where it was.
pub(crate) fn arrange(
    path: &Path,
    next: &Path,
    is_sorted: bool,
    place: impl Fn(Option<&Id>, u64) -> u64,
) -> io::Result<()> {
    let mut all = Vec::new();
    let (mut lines, mut line, mut at) = (BufReader::new(File::open(path)?), Vec::new(), 0);
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line)? as u64;
        if length == 0 {
            break;
        }
        let Said { id, index: said } = serde_json::from_slice(&line)?;
        all.push(Line { index: place(id.as_ref(), said), said, at, length });
        at += length;
    }
    let is_in_order = !is_sorted || all.is_sorted_by_key(|line| line.index);
    if is_in_order && all.iter().all(|line| line.index == line.said) {
        return Ok(());
    }
    if is_sorted {
        all.sort_by_key(|line| line.index);
    }
    let (mut from, mut to) = (File::open(path)?, BufWriter::new(File::create(next)?));
    for Line { index, said, at, length } in all {
        from.seek(SeekFrom::Start(at))?;
        let mut one = (&from).take(length);
        if index == said {
            io::copy(&mut one, &mut to)?;
            continue;
        }
        line.clear();
        one.read_to_end(&mut line)?;
        let record = Record { index, ..serde_json::from_slice(&line)? };
        line.clear();
        record.write(&mut line);
        to.write_all(&line)?;
    }
    to.into_inner().map_err(IntoInnerError::into_error)?.sync_all()?;
    fs::rename(next, path)
}
