//! A file that is not there yet.

use std::fs::OpenOptions;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use tokio::fs::{self, File};
use tokio::io::{self, AsyncSeekExt, AsyncWriteExt, BufWriter};
use tokio::task::spawn_blocking;

use super::error::{Doing, DownloadError};
use super::note::{Known, Note};
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
#[derive(Debug)]
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
        let created = spawn_blocking(move || {
            let file = OpenOptions::new().write(true).create_new(true).open(&name)?;
            Ok((file, Temporary(Some(name))))
        });
        let (file, temporary) =
            created.await.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(fails)?;
        let file = BufWriter::with_capacity(AT_A_TIME, File::from_std(file));
        Ok(Self { file, temporary, path: path.to_owned(), kept: None })
    }

    /// One that stays as `NAME.part` until it is whole, and what there is of it from before.
    pub(super) async fn keep(
        path: &Path,
        url: &str,
    ) -> Result<(Self, Option<(u64, Known)>), DownloadError> {
        let fails = |error| DownloadError::file(Doing::Create, path, error);
        is_no_directory(path).await?;
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let note = Note::beside(&part, url);
        let mut opens = fs::OpenOptions::new();
        opens.write(true).create(true).truncate(false);
        let mut file = opens.open(&part).await.map_err(fails)?;
        let have = file.metadata().await.map_err(fails)?.len();
        let known = note.read().await.filter(|known| 0 < have && have <= known.total);
        if known.is_none() {
            note.remove().await.map_err(fails)?;
            file.set_len(0).await.map_err(fails)?;
        }
        file.seek(SeekFrom::End(0)).await.map_err(fails)?;
        let file = BufWriter::with_capacity(AT_A_TIME, file);
        let (path, kept) = (path.to_owned(), Some(Kept { part, note }));
        let before = known.map(|known| (have, known));
        Ok((Self { file, temporary: Temporary(None), path, kept }, before))
    }

    /// What is written from now on is of this.
    pub(super) async fn is_of(&mut self, known: Option<&Known>) -> Result<(), DownloadError> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let noted = kept.note.write(known).await;
        noted.map_err(|error| DownloadError::file(Doing::Write, &self.path, error))
    }

    /// What is there of it will be gone on with.
    pub(super) async fn leave(&mut self) {
        if let Some(kept) = &self.kept {
            // What is not written is asked for again.
            let _ = self.file.flush().await;
            // Nothing is nothing to go on with.
            if self.file.get_ref().metadata().await.is_ok_and(|data| data.len() == 0) {
                let _ = fs::remove_file(&kept.part).await;
                let _ = kept.note.remove().await;
            }
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        let written = self.file.write_all(bytes).await;
        written.map_err(|error| DownloadError::file(Doing::Write, &self.path, error))
    }

    /// Nothing was written.
    pub(super) async fn begin_anew(&mut self) -> Result<(), DownloadError> {
        self.is_of(None).await?;
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
            let renamed = fs::rename(name, &path).await;
            renamed.map_err(|error| DownloadError::file(Doing::Rename, path, error))?;
        }
        temporary.0 = None;
        if let Some(kept) = kept {
            // It is of nothing that is there; the next one finds that out too.
            let _ = kept.note.remove().await;
        }
        Ok(())
    }
}

async fn is_no_directory(path: &Path) -> Result<(), DownloadError> {
    if path.file_name().is_none() || fs::metadata(path).await.is_ok_and(|it| it.is_dir()) {
        let error = io::ErrorKind::IsADirectory.into();
        return Err(DownloadError::file(Doing::Create, path, error));
    }
    Ok(())
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.0 {
            let _ = std::fs::remove_file(name); // there is nobody to tell, and nothing more to do
        }
    }
}
