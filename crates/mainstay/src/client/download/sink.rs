//! Where a download goes.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::error::DownloadError;
use super::note::Known;
use super::part::Part;
use crate::clock::Timer;
use crate::deadline::Deadline;

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
            Self::File(part) => part.begin_anew().await,
            Self::Writer(_) if written == 0 => Ok(()),
            Self::Writer(_) => Err(DownloadError::Changed { written }),
        }
    }

    /// What is written from now on is of this.
    pub(super) async fn is_of(&mut self, known: Option<Known>) -> Result<(), DownloadError> {
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

    /// All of it was written.
    pub(super) async fn flush(&mut self) -> Result<(), DownloadError> {
        match self {
            Self::File(part) => part.flush().await,
            Self::Writer(writer) => writer.flush().await.map_err(DownloadError::Writer),
        }
    }

    pub(super) async fn finish(self) -> Result<(), DownloadError> {
        match self {
            Self::File(part) => part.finish().await,
            Self::Writer(_) => Ok(()),
        }
    }
}

/// Nothing, if the time is over first: what writes may take for ever.
pub(super) async fn within<T>(ends: Option<Deadline>, does: impl Future<Output = T>) -> Option<T> {
    let (mut does, mut timer) = (pin!(does), Timer::default());
    poll_fn(|cx| match (does.as_mut().poll(cx), ends) {
        (Poll::Ready(done), _) => Poll::Ready(Some(done)),
        (Poll::Pending, Some(ends)) => timer.poll(ends.moment(), cx).map(|()| None),
        (Poll::Pending, None) => Poll::Pending,
    })
    .await
}

impl fmt::Debug for Sink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(part) => part.fmt(f),
            Self::Writer(_) => f.write_str("a writer"),
        }
    }
}
