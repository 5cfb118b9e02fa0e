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
    for note in [None, Some("http://elsewhere/\n1000\netag: \"a\"\n"), Some("torn")] {
        let server = breaks_off(&file, "\"a\"").await;
        begins(&server, &folder).await;
        match note {
            None => fs::remove_file(part(&folder, ".validator")).unwrap(),
            Some(note) => fs::write(part(&folder, ".validator"), note).unwrap(),
        }
        finishes(server.download().kept().to_file(folder.file())).await.unwrap();
        assert!(folder.read() == file && names(&folder) == ["file"]);
        assert_eq!(server.ranges()[2], None, "{note:?}");
        fs::remove_file(folder.file()).unwrap();
    }
}

#[tokio::test]
async fn what_is_longer_than_it_may_be_begins_anew_and_what_is_whole_only_gets_its_name() {
    let (file, folder) = (bytes(1_000, 1), Folder::new());
    let server = breaks_off(&file, "\"a\"").await;
    begins(&server, &folder).await;
    fs::write(part(&folder, ""), [&file[..], b"x"].concat()).unwrap();
    finishes(server.download().kept().to_file(folder.file())).await.unwrap();
    assert!(folder.read() == file && server.ranges().len() == 3);

    fs::rename(folder.file(), part(&folder, "")).unwrap();
    fs::write(part(&folder, ".validator"), format!("{}\n1000\netag: \"a\"\n", server.url)).unwrap();
    let done = finishes(server.download().kept().to_file(folder.file())).await.unwrap();
    assert_eq!((done.bytes(), server.ranges().len()), (1_000, 3));
    assert!(folder.read() == file && names(&folder) == ["file"]);
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
