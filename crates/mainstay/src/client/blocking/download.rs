//! Downloads that block their thread.

use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mainstay_policy::backoff::Backoff;
use tokio::io::AsyncWrite;

use super::Client;
use crate::client::download::{Download as Inner, DownloadError, Downloaded, Progress};
use crate::observe::CallReport;

/// A response that is written to a file or a writer as it comes; see
/// [the other one](crate::client::Download).
#[derive(Debug)]
#[must_use = "nothing is sent until it is told where to write"]
pub struct Download {
    client: Client,
    inner: Inner,
}

impl Download {
    pub(super) const fn new(client: Client, inner: Inner) -> Self {
        Self { client, inner }
    }

    fn with(self, change: impl FnOnce(Inner) -> Inner) -> Self {
        Self { inner: change(self.inner), ..self }
    }

    /// So many cuts in a row that bring nothing new are borne.
    pub fn patience(self, cuts: u32) -> Self {
        self.with(|download| download.patience(cuts))
    }

    /// How long to wait after a cut.
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.with(|download| download.backoff(backoff))
    }

    /// A body that says nothing for so long is cut off.
    pub fn silence(self, time: Duration) -> Self {
        self.with(|download| download.silence(time))
    }

    /// What is larger than so many bytes is an error.
    pub fn at_most(self, bytes: u64) -> Self {
        self.with(|download| download.at_most(bytes))
    }

    /// Tells this how far it is.
    pub fn on_progress(self, run: impl FnMut(Progress) + Send + 'static) -> Self {
        self.with(|download| download.on_progress(run))
    }

    /// Gives this the report of each of its requests, however it ended.
    pub fn on_report(self, run: impl FnMut(&CallReport) + Send + 'static) -> Self {
        self.with(|download| download.on_report(run))
    }

    /// Keeps what there is of a file until all of it is there, and goes on with it later; see
    /// [the other one](crate::client::Download::kept).
    pub fn kept(self) -> Self {
        self.with(Inner::kept)
    }

    /// Writes it to a file of this name, which is there only when all of it is.
    ///
    /// # Errors
    ///
    /// Those of [the other one](crate::client::Download::to_file).
    pub fn to_file(self, path: impl AsRef<Path>) -> Result<Downloaded, DownloadError> {
        self.client.thread.waits(self.inner.to_file(path))
    }

    /// Writes it to this, in order. While it blocks, no timeout ends that.
    ///
    /// # Errors
    ///
    /// Those of [the other one](crate::client::Download::to_writer).
    pub fn to_writer<W: Write + Send>(self, writer: &mut W) -> Result<Downloaded, DownloadError> {
        self.client.thread.waits(self.inner.to_writer(&mut Blocks(writer)))
    }
}

/// A writer that blocks, which it may, for nothing else runs on the thread that waits.
struct Blocks<'a, W>(&'a mut W);

impl<W: Write> AsyncWrite for Blocks<'_, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
