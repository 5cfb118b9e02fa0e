//! Disks that are full, and paths where nobody may write.

use std::io::ErrorKind;
use std::path::Path;

use mainstay::client::download::Doing;

use super::*;

/// Three thousand bytes.
async fn small() -> Files {
    let file = bytes(3_000, 1);
    Files::new(move |_, asked| gives(&file, "\"one\"", asked, 3_000)).await
}

async fn fails(path: &Path, server: &Files) -> (Doing, Option<ErrorKind>, String) {
    let error = finishes(server.download().to_file(path)).await.unwrap_err();
    let (kind, text) = (error.io_kind(), error.to_string());
    let DownloadError::File { doing, .. } = error else { panic!("{text}") };
    (doing, kind, text)
}

#[tokio::test]
async fn where_nobody_can_write_nothing_is_asked_for() {
    let (server, folder) = (small().await, Folder::new());
    let missing = folder.file().join("deeper");
    let (doing, kind, text) = fails(&missing, &server).await;
    assert_eq!((doing, kind), (Doing::Create, Some(ErrorKind::NotFound)));
    assert_eq!(text, format!("{missing:?} cannot be created"));

    std::fs::create_dir(folder.file()).unwrap();
    let (doing, kind, _) = fails(&folder.file(), &server).await;
    assert_eq!((doing, kind), (Doing::Create, Some(ErrorKind::IsADirectory)));
    let (_, kind, _) = fails(Path::new("/"), &server).await;
    assert_eq!(kind, Some(ErrorKind::IsADirectory));
    assert!(server.ranges().is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_writer_that_is_full_says_so() {
    let server = small().await;
    let mut full = tokio::fs::OpenOptions::new().write(true).open("/dev/full").await.unwrap();
    let error = finishes(server.download().to_writer(&mut full)).await.unwrap_err();
    assert_eq!(error.io_kind(), Some(ErrorKind::StorageFull));
    assert_eq!(error.to_string(), "the writer does not take the download");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("No space left"));
}

/// The test below runs this in a process whose files may not grow beyond 512 KiB.
const IN_A_SMALL_DISK: &str = "MAINSTAY_TESTS_IN_A_SMALL_DISK";

#[cfg(unix)]
#[tokio::test]
async fn a_disk_that_is_full_leaves_nothing_behind() {
    const NAME: &str = "download::disk::a_disk_that_is_full_leaves_nothing_behind";

    if std::env::var_os(IN_A_SMALL_DISK).is_some() {
        let (file, folder) = (bytes(2 << 20, 1), Folder::new());
        let server = Files::new(move |_, asked| gives(&file, "\"one\"", asked, 2 << 20)).await;
        let (doing, kind, text) = fails(&folder.file(), &server).await;
        assert_eq!((doing, kind), (Doing::Write, Some(ErrorKind::FileTooLarge)));
        assert_eq!(text, format!("{:?} cannot be written", folder.file()));
        assert!(folder.names().is_empty());
        return;
    }
    // Ignored, the signal of a file that is too large becomes an error of the write.
    let limited = "trap '' XFSZ; ulimit -f 1024; exec \"$@\"";
    let test = std::env::current_exe().unwrap();
    let ran = tokio::task::spawn_blocking(move || {
        std::process::Command::new("sh")
            .args(["-c", limited, "sh"])
            .arg(test)
            .args(["--exact", NAME])
            .env(IN_A_SMALL_DISK, "1")
            .output()
    });
    let ran = finishes(ran).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn a_download_that_is_dropped_leaves_nothing_behind() {
    let folder = Folder::new();
    let url = serve(|connection| connection.says_nothing()).await;
    let download = tokio::spawn(client().get(&url).download().to_file(folder.file()));
    finishes(until(|| !folder.names().is_empty())).await;
    download.abort();
    assert!(finishes(download).await.unwrap_err().is_cancelled());
    finishes(until(|| folder.names().is_empty())).await; // a thread for files removes it
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}
