//! A file that changes while it is used.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Config, ConfigError, file};
use crate::clock;

/// Watches a file of pipelines.
///
/// It reads the file every second, which costs little, and so misses no change, however it was made:
/// editors and deployments put another file in its place, touch its time or leave it alone. A change
/// counts once the file is twice the same, so that one that is half written is mostly not seen.
///
/// ```no_run
/// use mainstay::pipeline::config::{Config, Watcher};
///
/// # async fn run() -> Result<(), mainstay::pipeline::config::ConfigError> {
/// let (config, mut watcher) = Watcher::open("pipelines.toml").await?;
/// # let _ = config;
/// tokio::spawn(async move {
///     loop {
///         match watcher.changed().await {
///             Ok(config) => println!("{} pipelines", config.iter().count()),
///             Err(wrong) => eprintln!("{wrong}"), // what was read last stays in use
///         }
///     }
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Watcher {
    path: PathBuf,
    interval: Duration,
    /// What the file was when it was last told of.
    told: Look,
    /// What it was when it was last looked at, if that is something else.
    next: Option<Look>,
}

/// What a file holds, or why that cannot be said.
type Look = Result<String, ConfigError>;

impl Watcher {
    /// Reads the file, and watches it from now on, every second.
    ///
    /// # Errors
    ///
    /// As [`Config::from_file`].
    pub async fn open(path: impl AsRef<Path>) -> Result<(Config, Self), ConfigError> {
        let path = path.as_ref().to_owned();
        let told = look(&path).await;
        let config = parse(&path, &told)?;
        let interval = Duration::from_secs(1);
        Ok((config, Self { path, interval, told, next: None }))
    }

    /// How often it looks.
    #[must_use]
    pub const fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Waits until the file is another and reads it. A file that is gone or wrong is told of once,
    /// until it is another again: go on with what was read before.
    ///
    /// It may be dropped and called anew at any time.
    ///
    /// # Errors
    ///
    /// As [`Config::from_file`].
    pub async fn changed(&mut self) -> Result<Config, ConfigError> {
        loop {
            clock::sleep(self.interval).await;
            let now = look(&self.path).await;
            if now == self.told {
                self.next = None;
            } else if self.next.as_ref() == Some(&now) {
                self.next = None;
                self.told = now;
                return parse(&self.path, &self.told);
            } else {
                self.next = Some(now);
            }
        }
    }
}

async fn look(path: &Path) -> Look {
    let own = path.to_owned();
    let read = tokio::task::spawn_blocking(move || file::load(&own)).await;
    let ends = |_| Err(file::unreadable(path, "the runtime shuts down".to_owned(), None));
    read.unwrap_or_else(ends)
}

fn parse(path: &Path, look: &Look) -> Result<Config, ConfigError> {
    file::parse(path, look.as_ref().map_err(Clone::clone)?)
}
