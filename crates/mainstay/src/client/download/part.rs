//! A file that is not there yet.

use std::fs::{self, Metadata, OpenOptions};
use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use ::reqwest::Url;
use tokio::fs::File;
use tokio::io::{self, AsyncSeekExt, AsyncWriteExt, BufWriter};
use tokio::task::spawn_blocking;

use super::error::{Doing, DownloadError};
use super::note::{Known, Note, Noted};
use crate::chance;

/// How much is written at a time.
const AT_A_TIME: usize = 256 * 1024;

/// A file under another name, removed unless it gets its own, or is kept.
#[derive(Debug)]
pub(super) struct Part {
    file: BufWriter<File>,
    temporary: Temporary,
    path: PathBuf,
    kept: Option<Kept>,
}

/// Where a part is that is kept, and what is noted of it.
#[derive(Clone, Debug)]
struct Kept {
    part: PathBuf,
    note: Note,
}

/// Removed with this.
#[derive(Debug)]
struct Temporary(Option<PathBuf>);

impl Part {
    pub(super) async fn create(path: &Path) -> Result<Self, DownloadError> {
        let fails = |error| DownloadError::file(Doing::Create, path, error);
        is_no_directory(path).await?;
        // No other download has this name, and nobody waits there with a link to elsewhere.
        let name = format!(".download-{:016x}.part", chance::unique() >> 64);
        let name = path.with_file_name(name);
        // Whoever is dropped meanwhile leaves to this thread what it has made, and it removes it.
        let created = blocks(move || {
            let file = OpenOptions::new().write(true).create_new(true).open(&name)?;
            Ok((file, Temporary(Some(name))))
        });
        let (file, temporary) = created.await.map_err(fails)?;
        let file = BufWriter::with_capacity(AT_A_TIME, File::from_std(file));
        Ok(Self { file, temporary, path: path.to_owned(), kept: None })
    }

    /// One that stays as `NAME.part` until it is whole, and how much there is of what from before.
    ///
    /// What is there stays as it is until an answer takes its place.
    pub(super) async fn keep(
        path: &Path,
        url: &Url,
    ) -> Result<(Self, Option<(u64, Known)>), DownloadError> {
        let fails = |error| DownloadError::file(Doing::Create, path, error);
        is_no_directory(path).await?;
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let kept = Kept { note: Note::beside(&part, url), part };
        let opens = kept.clone();
        let (file, before) = blocks(move || opens.open()).await.map_err(fails)?;
        let file = BufWriter::with_capacity(AT_A_TIME, File::from_std(file));
        let (path, kept) = (path.to_owned(), Some(kept));
        Ok((Self { file, temporary: Temporary(None), path, kept }, before))
    }

    /// What is written from now on comes after so many bytes.
    pub(super) async fn goes_on_from(&mut self, have: u64) -> Result<(), DownloadError> {
        let sought = self.file.seek(SeekFrom::Start(have)).await;
        sought.map(|_| ()).map_err(|error| DownloadError::file(Doing::Write, &self.path, error))
    }

    /// What is written from now on is of this.
    pub(super) async fn is_of(&mut self, known: Option<Known>) -> Result<(), DownloadError> {
        let Some(Kept { note, .. }) = self.kept.clone() else { return Ok(()) };
        let noted = blocks(move || note.write(known.as_ref())).await;
        noted.map_err(|error| DownloadError::file(Doing::Write, &self.path, error))
    }

    /// What is there of it will be gone on with.
    pub(super) async fn leave(&mut self) {
        let Some(Kept { part, note }) = self.kept.clone() else { return };
        // What is not written is asked for again.
        let _ = self.file.flush().await;
        if self.file.get_ref().metadata().await.is_ok_and(|it| it.len() == 0) {
            // There is nothing to be gone on with, and nobody to tell where it stays.
            let _ = blocks(move || fs::remove_file(part).and_then(|()| note.remove())).await;
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        let written = self.file.write_all(bytes).await;
        written.map_err(|error| DownloadError::file(Doing::Write, &self.path, error))
    }

    pub(super) async fn flush(&mut self) -> Result<(), DownloadError> {
        let written = self.file.flush().await;
        written.map_err(|error| DownloadError::file(Doing::Write, &self.path, error))
    }

    /// Nothing was written. What is noted of it may stay: of nothing, nobody goes on with it.
    pub(super) async fn begin_anew(&mut self) -> Result<(), DownloadError> {
        let emptied = async {
            self.file.flush().await?;
            self.file.get_mut().set_len(0).await?;
            self.file.seek(SeekFrom::Start(0)).await
        };
        match emptied.await {
            Ok(_) => Ok(()),
            Err(error) => Err(DownloadError::file(Doing::Write, &self.path, error)),
        }
    }

    /// All of it is there, so it gets its name.
    pub(super) async fn finish(mut self) -> Result<(), DownloadError> {
        let Self { file, temporary, path, kept } = &mut self;
        let written = async {
            file.flush().await?;
            // A disk may say only now that it is full.
            file.get_mut().sync_all().await
        };
        written.await.map_err(|error| DownloadError::file(Doing::Write, path, error))?;
        let name = temporary.0.as_ref().or(kept.as_ref().map(|kept| &kept.part));
        if let Some(name) = name {
            let renamed = tokio::fs::rename(name, &path).await;
            renamed.map_err(|error| DownloadError::file(Doing::Rename, path, error))?;
        }
        temporary.0 = None;
        if let Some(Kept { note, .. }) = kept.take() {
            // It is of nothing that is there; the next one finds that out too.
            let _ = blocks(move || note.remove()).await;
        }
        Ok(())
    }
}

impl Kept {
    fn open(&self) -> io::Result<(fs::File, Option<(u64, Known)>)> {
        let file = opens_plain(&self.part)?;
        let have = file.metadata()?.len();
        let known = match self.note.read()? {
            // Others call their files so, too.
            Noted::Nothing if have > 0 => {
                return Err(taken(&self.part, "no download has noted of what it is"));
            }
            Noted::Of(known) if have > 0 => Some((have, known)),
            Noted::Nothing | Noted::Other | Noted::Of(_) => None,
        };
        Ok((file, known))
    }
}

/// Opens what lies there, or makes it; whatever a link leads to is neither made nor opened.
fn opens_plain(name: &Path) -> io::Result<fs::File> {
    let mut opens = OpenOptions::new();
    match opens.write(true).clone().create_new(true).open(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let lies = fs::symlink_metadata(name)?;
    if lies.is_file() {
        let file = opens.open(name)?;
        // It may have become a link in between.
        if is_same(&lies, &file.metadata()?) {
            return Ok(file);
        }
    }
    Err(taken(name, "it is no plain file"))
}

#[cfg(unix)]
fn is_same(lies: &Metadata, open: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    (lies.dev(), lies.ino()) == (open.dev(), open.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, open: &Metadata) -> bool {
    open.is_file()
}

fn taken(name: &Path, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("{name:?} is there, and {why}"))
}

/// Runs this on a thread that may block.
async fn blocks<T: Send + 'static>(
    does: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(does).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

async fn is_no_directory(path: &Path) -> Result<(), DownloadError> {
    if path.file_name().is_none() || tokio::fs::metadata(path).await.is_ok_and(|it| it.is_dir()) {
        let error = io::ErrorKind::IsADirectory.into();
        return Err(DownloadError::file(Doing::Create, path, error));
    }
    Ok(())
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.0 {
            let _ = fs::remove_file(name); // there is nobody to tell, and nothing more to do
        }
    }
}
