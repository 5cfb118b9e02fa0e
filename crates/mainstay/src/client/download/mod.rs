//! Downloads that go on where they were cut off.
//!
//! ```
//! # use mainstay::client::Client;
//! # async fn docs(client: Client) -> Result<(), Box<dyn std::error::Error>> {
//! let done = client.get("https://example.com/big.iso").download().to_file("big.iso").await?;
//! println!("{} bytes, cut off {} times", done.bytes(), done.resumes());
//! # Ok(())
//! # }
//! ```
//!
//! # How it goes on
//!
//! A body that breaks off, or falls silent, is asked for again from where it ended (`Range`), but
//! only if it is still the same (`If-Range`). For that the server must have said how long it is, and
//! by what it can be known again: a strong `ETag`, or a `Last-Modified` that is older than the
//! answer. What comes back must fit: the place, the length, and the validator. Where one of them
//! does not, or where the server knows no ranges, it begins anew, and nothing of before is kept.
//!
//! The waits between are those of a [`Backoff`]; after [so many](Download::patience) cuts in a row
//! that brought nothing new, the download fails. Each request is a call of its own through the
//! pipeline, and whatever is not GET is asked for once.
//!
//! # What is on the disk
//!
//! The file has another name beside the final one, `.download-….part`, until all of it is there and
//! written through; then it takes the final name, and the place of what had it. A download that
//! fails or is dropped removes it. Only where the process is killed it stays. One that is
//! [kept](Download::kept) stays in any case, and is gone on with.

mod error;
mod note;
mod part;
mod plan;
mod run;
mod sink;
mod validator;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use ::http::{HeaderMap, StatusCode};
use mainstay_policy::backoff::Backoff;
use tokio::io::AsyncWrite;

use super::request::RequestBuilder;
use crate::observe::CallReport;
pub use error::{Doing, DownloadError};
use part::Part;
use run::Run;
use sink::Sink;

/// A response that is written to a file or a writer as it comes; made by
/// [`RequestBuilder::download`].
///
/// | setting | unless set | why |
/// |---|---|---|
/// | patience | 5 cuts in a row that bring nothing | a server that is restarted is back after two or three |
/// | waits | 100 ms → 5 s, full jitter | those of a retry |
/// | silence | 30 s | a connection that died is noticed, one that is slow is not taken for it |
/// | size | none | |
#[must_use = "nothing is sent until it is told where to write"]
pub struct Download {
    request: RequestBuilder,
    settings: Settings,
    is_kept: bool,
    tells: Tells,
}

/// Who is told how it goes.
#[derive(Default)]
struct Tells {
    progress: Option<Box<dyn FnMut(Progress) + Send>>,
    report: Option<TellReport>,
}

type TellReport = Box<dyn FnMut(&CallReport) + Send>;

#[derive(Clone, Copy, Debug)]
struct Settings {
    patience: u32,
    backoff: Backoff,
    silence: Duration,
    at_most: u64,
}

impl Download {
    pub(super) fn new(request: RequestBuilder) -> Self {
        let settings = Settings {
            patience: 5,
            backoff: Backoff::standard(),
            silence: Duration::from_secs(30),
            at_most: u64::MAX,
        };
        Self { request, settings, is_kept: false, tells: Tells::default() }
    }

    /// So many cuts in a row that bring nothing new are borne; with one more it fails.
    pub const fn patience(mut self, cuts: u32) -> Self {
        self.settings.patience = cuts;
        self
    }

    /// How long to wait after a cut; it grows with those that brought nothing new.
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.settings.backoff = backoff;
        self
    }

    /// A body that says nothing for so long is cut off.
    pub const fn silence(mut self, time: Duration) -> Self {
        self.settings.silence = time;
        self
    }

    /// What is larger than so many bytes is an error.
    pub const fn at_most(mut self, bytes: u64) -> Self {
        self.settings.at_most = bytes;
        self
    }

    /// Tells this how far it is, with each piece that was written.
    pub fn on_progress(mut self, run: impl FnMut(Progress) + Send + 'static) -> Self {
        self.tells.progress = Some(Box::new(run));
        self
    }

    /// Gives this the report of each of its requests, however it ended.
    pub fn on_report(mut self, run: impl FnMut(&CallReport) + Send + 'static) -> Self {
        self.tells.report = Some(Box::new(run));
        self
    }

    /// Keeps what there is of a file, as `NAME.part`, until all of it is there: whoever downloads the
    /// same to the same name later goes on with it, in another process too. What it is of stands
    /// beside it, in `NAME.part.validator`.
    ///
    /// A name is for one download at a time.
    pub const fn kept(mut self) -> Self {
        self.is_kept = true;
        self
    }

    /// Writes it to a file of this name, which is there only when all of it is.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written, which is known before anything is sent, unless the disk is
    /// full; where the answer is none of success; where it was cut off too often.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<Downloaded, DownloadError> {
        let (path, is_kept) = (path.as_ref(), self.is_kept);
        let mut run = self.prepared()?;
        let part = match is_kept {
            false => Part::create(path).await?,
            true => {
                let (part, before) = Part::keep(path, &run.url()).await?;
                if let Some((have, known)) = before {
                    run.goes_on_from(have, known);
                }
                part
            }
        };
        let mut sink = Sink::File(Box::new(part));
        match run.run(&mut sink).await {
            Ok(done) => sink.finish().await.map(|()| done),
            Err(error) => {
                sink.leave().await;
                Err(error)
            }
        }
    }

    /// Writes it to this, in order. What was written cannot be taken back, so a body that has
    /// changed after it was cut off is an error.
    ///
    /// # Errors
    ///
    /// Where it cannot be written to; where the answer is none of success; where it was cut off too
    /// often, or has changed.
    pub async fn to_writer<W>(self, writer: &mut W) -> Result<Downloaded, DownloadError>
    where
        W: AsyncWrite + Unpin + Send,
    {
        let mut sink = Sink::Writer(writer);
        let done = self.prepared()?.run(&mut sink).await?;
        sink.finish().await?;
        Ok(done)
    }

    fn prepared(self) -> Result<Run, DownloadError> {
        Run::new(self.request, self.settings, self.tells)
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("request", &self.request)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// How far a download is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// So many bytes are there.
    pub bytes: u64,
    /// Of so many, if that is known.
    pub total: Option<u64>,
}

/// A download that is there.
#[derive(Clone, Debug)]
pub struct Downloaded {
    bytes: u64,
    resumes: u32,
    restarts: u32,
    status: StatusCode,
    headers: HeaderMap,
}

impl Downloaded {
    /// How many bytes it has.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How often it went on where it had been cut off.
    #[must_use]
    pub const fn resumes(&self) -> u32 {
        self.resumes
    }

    /// How often it began anew, because it could not go on.
    #[must_use]
    pub const fn restarts(&self) -> u32 {
        self.restarts
    }

    /// The status of the answer in which it began: 200, or another of success.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The header fields of the answer in which it began.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}
