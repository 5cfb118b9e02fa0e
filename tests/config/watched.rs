//! A file that changes while it is watched.

use std::path::PathBuf;
use std::time::Duration;

use mainstay::pipeline::config::{Config, ConfigError, Watcher};
use tokio::time::{Instant, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// A file of its own for each test, gone when the test is over.
struct Watched {
    path: PathBuf,
}

impl Watched {
    fn new(test: &str, text: &str) -> Self {
        let name = format!("mainstay-{test}-{}.toml", std::process::id());
        let watched = Self { path: std::env::temp_dir().join(name) };
        watched.write(text);
        watched
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.path, text).unwrap();
    }

    /// As editors do it: another file takes its place.
    fn replace(&self, text: &str) {
        let new = self.path.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &self.path).unwrap();
    }

    async fn open(&self) -> Watcher {
        Watcher::open(&self.path).await.unwrap_or_else(|wrong| panic!("{wrong}")).1
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn retries(attempts: u32) -> String {
    format!("[pipelines.a]\nretry = {attempts}\n")
}

fn attempts(config: Result<Config, ConfigError>) -> Option<u32> {
    let config = config.unwrap_or_else(|wrong| panic!("{wrong}"));
    config.get("a").unwrap().retry.map(|retry| retry.max_attempts)
}

/// Nothing comes of the file for a while.
async fn is_quiet(watcher: &mut Watcher) {
    let told = timeout(SECOND * 60, watcher.changed()).await;
    assert!(told.is_err(), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_once_however_it_was_made() {
    let file = Watched::new("change", &retries(2));
    let mut watcher = file.open().await;
    is_quiet(&mut watcher).await;
    file.write(&retries(3));
    assert_eq!(attempts(watcher.changed().await), Some(3));
    is_quiet(&mut watcher).await;
    file.replace(&retries(4));
    assert_eq!(attempts(watcher.changed().await), Some(4));
    is_quiet(&mut watcher).await;
    file.replace(&retries(4)); // another file that says the same
    is_quiet(&mut watcher).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_counts_once_the_file_is_twice_the_same() {
    let file = Watched::new("half", &retries(2));
    let mut watcher = file.open().await.every(SECOND * 10);
    let begin = Instant::now();
    file.write("[pipelines.a]\n");
    assert!(timeout(SECOND * 15, watcher.changed()).await.is_err());
    file.write(&retries(3));
    assert_eq!(attempts(watcher.changed().await), Some(3));
    assert_eq!(begin.elapsed().as_secs(), 35); // at 10 half of it, at 25 and 35 all
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_wrong_or_gone_is_told_once_and_what_was_before_is_no_change() {
    let file = Watched::new("gone", &retries(2));
    let mut watcher = file.open().await;
    file.write("[pipelines.a]\nretries = 3\n");
    let wrong = watcher.changed().await.unwrap_err().to_string();
    assert!(wrong.contains("there is no setting `retries`"), "{wrong}");
    assert!(wrong.contains(".toml:2:1"), "{wrong}");
    is_quiet(&mut watcher).await;

    std::fs::remove_file(&file.path).unwrap();
    let gone = watcher.changed().await.unwrap_err().to_string();
    assert!(gone.starts_with("error: the file cannot be read"), "{gone}");
    is_quiet(&mut watcher).await;

    file.write(&retries(2));
    assert_eq!(attempts(watcher.changed().await), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_wrong_from_the_beginning_is_not_watched() {
    let file = Watched::new("wrong", "");
    let wrong = Watcher::open(&file.path).await.unwrap_err().to_string();
    assert!(wrong.starts_with("error: there is no pipeline in this file"), "{wrong}");
}
