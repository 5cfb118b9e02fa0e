//! Where a download goes.

use std::fmt;

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::error::DownloadError;
use super::note::Known;
use super::part::Part;

/// A file, or what somebody gave us to write to.
pub(super) enum Sink<'a> {
    File(Box<Part>),
    Writer(&'a mut (dyn AsyncWrite + Unpin + Send)),
}

impl Sink<'_> {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        match self {
            Self::File(part) => part.write(bytes).await,
            Self::Writer(writer) => writer.write_all(bytes).await.map_err(DownloadError::Writer),
        }
    }

    /// What was written does not count, if that can be.
    pub(super) async fn begin_anew(&mut self, written: u64) -> Result<(), DownloadError> {
        match self {
            _ if written == 0 => Ok(()),
            Self::File(part) => part.begin_anew().await,
            Self::Writer(_) => Err(DownloadError::Changed { written }),
        }
    }

    /// What is written from now on is of this.
    pub(super) async fn is_of(&mut self, known: Option<&Known>) -> Result<(), DownloadError> {
        match self {
            Self::File(part) => part.is_of(known).await,
            Self::Writer(_) => Ok(()),
        }
    }

    /// It came to nothing, for now.
    pub(super) async fn leave(&mut self) {
        match self {
            Self::File(part) => part.leave().await,
            Self::Writer(_) => {}
        }
    }

    pub(super) async fn finish(self) -> Result<(), DownloadError> {
        match self {
            Self::File(part) => part.finish().await,
            Self::Writer(writer) => writer.flush().await.map_err(DownloadError::Writer),
        }
    }
}

impl fmt::Debug for Sink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(part) => part.fmt(f),
            Self::Writer(_) => f.write_str("a writer"),
        }
    }
}
