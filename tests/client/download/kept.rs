//! Downloads of which what is there stays, for another process to go on with.

use std::fs;

use super::*;

/// A file of which the first request gets 400 bytes, and the second nothing; the rest is answered as
/// it should be, by then of this.
async fn breaks_off(then: &Bytes, tag: &'static str) -> Files {
    let (before, then) = (bytes(1_000, 1), then.clone());
    Files::new(move |number, asked| match number {
        0 => gives(&before, "\"a\"", asked, 400),
        1 => Gives { status: 404, fields: HeaderMap::new(), says: Some(0), body: Bytes::new() },
        _ => gives(&then, tag, asked, 1_000),
    })
    .await
}

/// Begins it, as a process that ends before it is whole.
async fn begins(server: &Files, folder: &Folder) {
    let begun = server.download().patience(0).kept().to_file(folder.file());
    finishes(begun).await.unwrap_err();
    assert_eq!(names(folder), ["file.part", "file.part.validator"]);
}

fn names(folder: &Folder) -> Vec<String> {
    let mut names = folder.names();
    names.sort();
    names
}

fn part(folder: &Folder, end: &str) -> std::path::PathBuf {
    folder.file().with_file_name(format!("file.part{end}"))
}

#[tokio::test]
async fn what_is_there_is_gone_on_with() {
    let (file, folder) = (bytes(1_000, 1), Folder::new());
    let server = breaks_off(&file, "\"a\"").await;
    begins(&server, &folder).await;
    let done = finishes(server.download().kept().to_file(folder.file())).await.unwrap();
    assert_eq!((done.bytes(), done.resumes(), done.restarts()), (1_000, 1, 0));
    assert!(folder.read() == file && names(&folder) == ["file"]);
    assert_eq!(server.ranges()[2].as_deref(), Some("bytes=400-"));
}

#[tokio::test]
async fn what_has_changed_meanwhile_begins_anew() {
    let (new, folder) = (bytes(700, 2), Folder::new());
    let server = breaks_off(&new, "\"b\"").await;
    begins(&server, &folder).await;
    let done = finishes(server.download().kept().to_file(folder.file())).await.unwrap();
    assert_eq!((done.bytes(), done.restarts()), (700, 1));
    assert!(folder.read() == new && names(&folder) == ["file"]);
}

#[tokio::test]
async fn what_nobody_knows_the_origin_of_begins_anew() {
    let (file, folder) = (bytes(1_000, 1), Folder::new());
    for note in ["http://elsewhere/ 1\n1000\n\"a\"\n", "torn", ""] {
        let server = breaks_off(&file, "\"a\"").await;
        begins(&server, &folder).await;
        fs::write(part(&folder, ".validator"), note).unwrap();
        finishes(server.download().kept().to_file(folder.file())).await.unwrap();
        assert!(folder.read() == file && names(&folder) == ["file"]);
        assert_eq!(server.ranges()[2], None, "{note:?}");
        fs::remove_file(folder.file()).unwrap();
    }
}

#[tokio::test]
async fn what_is_longer_than_it_may_be_begins_anew_and_of_what_is_whole_the_last_byte_is_asked_for()
{
    let (file, folder) = (bytes(1_000, 1), Folder::new());
    let server = breaks_off(&file, "\"a\"").await;
    begins(&server, &folder).await;
    let note = fs::read(part(&folder, ".validator")).unwrap();
    fs::write(part(&folder, ""), [&file[..], b"x"].concat()).unwrap();
    finishes(server.download().kept().to_file(folder.file())).await.unwrap();
    assert!(folder.read() == file && server.ranges()[2].is_none());

    fs::rename(folder.file(), part(&folder, "")).unwrap();
    fs::write(part(&folder, ".validator"), note).unwrap();
    let done = finishes(server.download().kept().to_file(folder.file())).await.unwrap();
    assert_eq!((done.bytes(), done.resumes(), done.status().as_u16()), (1_000, 1, 206));
    assert_eq!(server.ranges()[3].as_deref(), Some("bytes=999-"));
    assert!(folder.read() == file && names(&folder) == ["file"]);
}

/// It was all there, and only its name was not given.
#[tokio::test]
async fn what_is_whole_but_has_changed_begins_anew() {
    let (new, folder) = (bytes(700, 2), Folder::new());
    let server = breaks_off(&new, "\"b\"").await;
    begins(&server, &folder).await;
    fs::write(part(&folder, ""), bytes(1_000, 1)).unwrap();
    finishes(server.download().kept().to_file(folder.file())).await.unwrap();
    assert!(folder.read() == new && names(&folder) == ["file"]);
}

/// Other programs call their files so, too.
#[tokio::test]
async fn what_no_download_has_noted_anything_of_is_not_touched() {
    let (file, folder) = (bytes(1_000, 1), Folder::new());
    let server = breaks_off(&file, "\"a\"").await;
    fs::write(part(&folder, ""), "somebody else's").unwrap();
    let error = finishes(server.download().kept().to_file(folder.file())).await.unwrap_err();
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::AlreadyExists));
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.ends_with("is there, and no download has noted of what it is"), "{why}");
    assert_eq!(fs::read(part(&folder, "")).unwrap(), b"somebody else's");
    assert!(server.ranges().is_empty());
}

#[tokio::test]
async fn what_is_there_stays_until_an_answer_takes_its_place() {
    let (file, folder) = (bytes(1_000, 1), Folder::new());
    let server = breaks_off(&file, "\"a\"").await;
    begins(&server, &folder).await;
    let there = fs::read(part(&folder, "")).unwrap();
    let (away, _) = statuses(&[404]).await;
    let elsewhere = client().get(&away.url).download().kept();
    finishes(elsewhere.to_file(folder.file())).await.unwrap_err();
    assert!(fs::read(part(&folder, "")).unwrap() == there);
    finishes(server.download().kept().to_file(folder.file())).await.unwrap();
    assert_eq!(server.ranges()[2].as_deref(), Some("bytes=400-"));
}

#[tokio::test]
async fn where_nothing_has_come_nothing_stays() {
    let folder = Folder::new();
    let (away, _) = statuses(&[404]).await;
    let get = client().get(&away.url).download().kept();
    finishes(get.to_file(folder.file())).await.unwrap_err();
    assert!(folder.names().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn no_link_is_followed() {
    use std::os::unix::fs::symlink;

    let (file, folder) = (bytes(1_000, 1), Folder::new());
    let victim = folder.file().with_file_name("victim");
    let server = breaks_off(&file, "\"a\"").await;
    let download = || server.download().kept().patience(0).to_file(folder.file());
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, part(&folder, ".validator")).unwrap();
    finishes(download()).await.unwrap_err();
    assert!(fs::symlink_metadata(part(&folder, ".validator")).unwrap().is_file());
    finishes(download()).await.unwrap();
    fs::remove_file(folder.file()).unwrap();
    for leads in [victim.clone(), folder.file().with_file_name("nowhere")] {
        symlink(&leads, part(&folder, "")).unwrap();
        let error = finishes(download()).await.unwrap_err();
        let why = std::error::Error::source(&error).unwrap().to_string();
        assert!(why.ends_with("is there, and it is no plain file"), "{why}");
        fs::remove_file(part(&folder, "")).unwrap();
    }
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert_eq!((names(&folder), server.ranges().len()), (vec!["victim".to_owned()], 3));
}

#[tokio::test]
async fn what_may_be_secret_in_the_url_is_not_noted() {
    let (file, folder) = (bytes(1_000, 1), Folder::new());
    let server = breaks_off(&file, "\"a\"").await;
    let get = client().get(format!("{}big.iso?signature=secret", server.url)).download();
    finishes(get.patience(0).kept().to_file(folder.file())).await.unwrap_err();
    let note = fs::read_to_string(part(&folder, ".validator")).unwrap();
    assert!(note.contains("/big.iso ") && !note.contains("secret"), "{note}");
}

#[tokio::test]
async fn every_request_of_it_is_reported() {
    let (file, folder) = (bytes(1_000, 1), Folder::new());
    let server = Files::new(move |_, asked| gives(&file, "\"a\"", asked, 400)).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let reports = Arc::clone(&told);
    let download =
        server.download().on_report(move |it| reports.lock().unwrap().push(it.attempts()));
    finishes(download.to_file(folder.file())).await.unwrap();
    let told = told.lock().unwrap();
    assert_eq!(told.iter().sum::<u32>() as usize, server.ranges().len());
    assert_eq!(told.len(), 3);
}
