//! Why a download came to nothing.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::http::HeaderValue;

use crate::client::ClientError;

/// A download that came to nothing; of a file nothing is left, unless it is [kept](super::Download::kept).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// It could not be asked for, or the answer was none of success.
    #[error("the download was not answered{}", After(*.bytes))]
    Call {
        /// So many bytes were there before.
        bytes: u64,
        /// What went wrong.
        #[source]
        source: ClientError,
    },
    /// It was cut off, and is not gone on with.
    #[error("the download was cut off{}{}; {why}", Times(*.cuts), Of(*.bytes, *.total))]
    Cut {
        /// How often in a row with nothing new.
        cuts: u32,
        /// So many bytes were there.
        bytes: u64,
        /// Of so many, if that is known.
        total: Option<u64>,
        /// Why it is not gone on with.
        why: Stopped,
        /// How it was cut off the last time.
        #[source]
        source: ClientError,
    },
    /// It is not any more what was written of it, and what was written cannot be taken back.
    #[error(
        "the download has changed, or cannot go on where it was cut off, and {written} bytes were written: a file could have begun anew"
    )]
    Changed {
        /// So many bytes were written.
        written: u64,
    },
    /// It is larger than it may be.
    #[error("the download is larger than {at_most} bytes")]
    TooLarge {
        /// So large it may be.
        at_most: u64,
    },
    /// It is packed, though it was asked for as it is.
    #[error(
        "the download is packed ({how:?}), though it was asked for as it is; with an `accept-encoding` of its own it is taken so"
    )]
    Packed {
        /// Its `Content-Encoding`.
        how: HeaderValue,
    },
    /// The file cannot be written.
    #[error("{path:?} cannot be {doing}", path = .path)]
    File {
        /// What was being done.
        doing: Doing,
        /// The file's own name.
        path: PathBuf,
        /// Why: the disk is full, say, or nobody may write there.
        #[source]
        source: io::Error,
    },
    /// The writer does not take it.
    #[error("the writer does not take the download")]
    Writer(#[source] io::Error),
}

/// Why a download that was cut off is not gone on with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Stopped {
    /// Its [patience](super::Download::patience) is used up.
    Patience,
    /// What is no GET is asked for once.
    Once,
    /// Its time was over, or would have been before it could be asked for again.
    Time,
    /// It was not to be asked for again for so long.
    Asked(Duration),
}

/// What was being done with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Doing {
    /// It was made, beside its own name, before anything was sent.
    Create,
    /// It was written.
    Write,
    /// All of it was there, and it was given its own name.
    Rename,
}

impl DownloadError {
    pub(super) fn file(doing: Doing, path: &Path, source: io::Error) -> Self {
        Self::File { doing, path: path.to_owned(), source }
    }

    /// The kind of what the disk or the writer said, if it was that.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::File { source, .. } | Self::Writer(source) => Some(source.kind()),
            Self::Call { .. }
            | Self::Cut { .. }
            | Self::Changed { .. }
            | Self::TooLarge { .. }
            | Self::Packed { .. } => None,
        }
    }
}

/// What came back is not what was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("the body is not as long as it was said to be")]
    Length,
    #[error("the part that came is not the one that was asked for, or of something else by now")]
    Part,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Patience => f.write_str("a greater `patience` goes on for longer"),
            Self::Once => f.write_str("what is no GET is asked for once"),
            Self::Time => f.write_str("a greater `timeout` gives it longer"),
            Self::Asked(wait) => write!(f, "it was not to be asked for again for {wait:?}"),
        }
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "created",
            Self::Write => "written",
            Self::Rename => "given its name",
        })
    }
}

struct Times(u32);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" with nothing new"),
            times => write!(f, " {times} times in a row with nothing new"),
        }
    }
}

struct After(u64);

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            bytes => write!(f, ", after {bytes} bytes"),
        }
    }
}

struct Of(u64, Option<u64>);

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(total) => write!(f, ", at {} of {total} bytes", self.0),
            None => write!(f, ", at {} bytes", self.0),
        }
    }
}
