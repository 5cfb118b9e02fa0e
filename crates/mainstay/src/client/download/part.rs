//! A file that is not there yet.

use std::fs::OpenOptions;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use tokio::fs::{self, File};
use tokio::io::{self, AsyncSeekExt, AsyncWriteExt, BufWriter};
use tokio::task::spawn_blocking;

use super::error::{Doing, DownloadError};
use crate::chance;

/// How much is written at a time.
const AT_A_TIME: usize = 256 * 1024;

/// A file under another name, removed unless it gets its own.
#[derive(Debug)]
pub(super) struct Part {
    file: BufWriter<File>,
    temporary: Temporary,
    path: PathBuf,
}

/// Removed with this.
#[derive(Debug)]
struct Temporary(Option<PathBuf>);

impl Part {
    pub(super) async fn create(path: &Path) -> Result<Self, DownloadError> {
        let fails = |error| DownloadError::file(Doing::Create, path, error);
        if path.file_name().is_none() || fs::metadata(path).await.is_ok_and(|it| it.is_dir()) {
            return Err(fails(io::ErrorKind::IsADirectory.into()));
        }
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
        Ok(Self { file, temporary, path: path.to_owned() })
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        let written = self.file.write_all(bytes).await;
        written.map_err(|error| DownloadError::file(Doing::Write, &self.path, error))
    }

    /// Nothing was written.
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
        let Self { file, temporary, path } = &mut self;
        let written = async {
            file.flush().await?;
            // A disk may say only now that it is full.
            file.get_mut().sync_all().await
        };
        written.await.map_err(|error| DownloadError::file(Doing::Write, path, error))?;
        if let Some(name) = &temporary.0 {
            let renamed = fs::rename(name, &path).await;
            renamed.map_err(|error| DownloadError::file(Doing::Rename, path, error))?;
        }
        temporary.0 = None;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.0 {
            let _ = std::fs::remove_file(name); // there is nobody to tell, and nothing more to do
        }
    }
}
