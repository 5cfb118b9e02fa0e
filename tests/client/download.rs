//! Downloads that are cut off, of files that change, from servers that know no ranges.

#[path = "download/disk.rs"]
mod disk;
#[path = "download/doubts.rs"]
mod doubts;
#[path = "download/files.rs"]
mod files;
#[path = "download/kept.rs"]
mod kept;

use std::sync::Mutex;

use http::{HeaderMap, header};
use mainstay::client::{Download, DownloadError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::socket::serve;
pub(crate) use files::Folder;

/// Bytes of which no two pieces are equal.
pub(crate) fn bytes(len: usize, seed: u64) -> Bytes {
    let mut state = seed | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(len).collect()
}

/// What a server gives of a file, and where it cuts it off.
#[derive(Clone)]
pub(crate) struct Gives {
    status: u16,
    fields: HeaderMap,
    /// As long as it says to be; in chunks if it does not say.
    says: Option<usize>,
    body: Bytes,
}

/// A server of one file, which answers by how many requests came before.
pub(crate) struct Files {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Files {
    pub(crate) async fn new(
        gives: impl Fn(usize, &HeaderMap) -> Gives + Clone + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (gives, seen) = (gives.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    let mut stream = BufStream::new(stream);
                    while let Some(asked) = reads_head(&mut stream).await {
                        let before = seen.lock().unwrap().len();
                        seen.lock().unwrap().push(asked.clone());
                        if !writes(&mut stream, gives(before, &asked)).await {
                            break;
                        }
                    }
                });
            }
        });
        Self { url, asked }
    }

    fn download(&self) -> Download {
        let backoff = Backoff::constant(MS);
        client().get(&self.url).download().backoff(backoff).patience(3)
    }

    /// Which ranges were asked for.
    fn ranges(&self) -> Vec<Option<String>> {
        let range = |asked: &HeaderMap| asked.get(header::RANGE)?.to_str().ok().map(str::to_owned);
        self.asked.lock().unwrap().iter().map(range).collect()
    }
}

/// The fields of a request, whose body is left where it is.
async fn reads_head(stream: &mut BufStream<TcpStream>) -> Option<HeaderMap> {
    let (mut fields, mut line) = (HeaderMap::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) => {
                let name: header::HeaderName = name.parse().unwrap();
                fields.append(name, value.parse().unwrap());
            }
            None if line == "\r\n" => return Some(fields),
            None => {} // the request itself
        }
    }
}

/// Whether all of it was given.
async fn writes(stream: &mut BufStream<TcpStream>, gives: Gives) -> bool {
    let Gives { status, fields, says, body } = gives;
    let mut head = format!("HTTP/1.1 {status} -\r\n");
    for (name, value) in &fields {
        head += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    let (how, end) = match says {
        Some(says) => (format!("content-length: {says}\r\n\r\n"), ""),
        None => {
            (format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len()), "\r\n0\r\n\r\n")
        }
    };
    for piece in [head.as_bytes(), how.as_bytes(), &body, end.as_bytes()] {
        let _ = stream.write_all(piece).await; // a client that gives up is no fault of the server's
    }
    let _ = stream.flush().await;
    says.is_none_or(|says| says == body.len())
}

/// From where a request asks.
fn from(asked: &HeaderMap) -> usize {
    let range = asked.get(header::RANGE).map_or("bytes=0-", |range| range.to_str().unwrap());
    range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap()
}

fn fields(fields: &[(&'static str, String)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| ((*name).try_into().unwrap(), value.parse().unwrap()))
        .collect()
}

/// So many bytes of this file from where it is asked for, if it is still this one.
pub(crate) fn gives(file: &Bytes, tag: &str, asked: &HeaderMap, at_most: usize) -> Gives {
    let is_this = asked.get(header::IF_RANGE).is_none_or(|of| of == tag);
    let from = if is_this { from(asked) } else { 0 };
    let part = format!("bytes {from}-{}/{}", file.len() - 1, file.len());
    let tag = ("etag", tag.to_owned());
    let (status, fields) = match from {
        0 => (200, fields(&[tag])),
        _ => (206, fields(&[tag, ("content-range", part)])),
    };
    let body = file.slice(from..file.len().min(from + at_most));
    Gives { status, fields, says: Some(file.len() - from), body }
}

#[tokio::test]
async fn what_is_cut_off_twenty_times_arrives_whole_and_asked_for_once() {
    const CUTS: usize = 20;

    let (file, folder) = (bytes(1 << 20, 7), Folder::new());
    let each = file.len() / CUTS - 1;
    let of = file.clone();
    let server = Files::new(move |_, asked| gives(&of, "\"one\"", asked, each)).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let progress = Arc::clone(&told);
    let download = server.download().on_progress(move |it| progress.lock().unwrap().push(it.bytes));
    let done = finishes(download.to_file(folder.file())).await.unwrap();

    assert_eq!((done.bytes(), done.resumes(), done.restarts()), (1 << 20, 20, 0));
    assert!(folder.read() == file && folder.names() == ["file"]);
    let ranges: Vec<_> = (1..=CUTS).map(|cut| Some(format!("bytes={}-", cut * each))).collect();
    assert_eq!(server.ranges(), [&[None], &ranges[..]].concat());
    let asked = server.asked.lock().unwrap();
    assert!(asked[1..].iter().all(|asked| asked[header::IF_RANGE] == "\"one\""));
    assert!(asked.iter().all(|asked| asked[header::ACCEPT_ENCODING] == "identity"));
    assert_eq!(done.headers()["etag"], "\"one\"");
    let told = told.lock().unwrap();
    assert!(told.is_sorted() && told.last() == Some(&(1 << 20)));
}

#[tokio::test]
async fn what_has_changed_begins_anew() {
    let (old, new, folder) = (bytes(3_000, 1), bytes(1_000, 2), Folder::new());
    let file = new.clone();
    let server = Files::new(move |before, asked| match before {
        0 => gives(&old, "\"old\"", asked, 1_500), // more than the new one has
        _ => gives(&file, "\"new\"", asked, 400),
    })
    .await;
    let done = finishes(server.download().to_file(folder.file())).await.unwrap();
    assert_eq!((done.bytes(), done.resumes(), done.restarts()), (1_000, 2, 1));
    assert_eq!(folder.read(), new);
    assert_eq!(done.headers()["etag"], "\"new\"");
}

#[tokio::test]
async fn a_part_of_something_else_is_not_taken() {
    let (old, new, folder) = (bytes(3_000, 1), bytes(3_000, 2), Folder::new());
    let file = new.clone();
    // It does not know If-Range.
    let server = Files::new(move |before, asked| {
        let mut asked = asked.clone();
        asked.remove(header::IF_RANGE);
        match before {
            0 => gives(&old, "\"old\"", &asked, 1_500),
            _ => gives(&file, "\"new\"", &asked, 3_000),
        }
    })
    .await;
    let done = finishes(server.download().to_file(folder.file())).await.unwrap();
    assert_eq!((done.bytes(), done.resumes(), done.restarts()), (3_000, 0, 1));
    assert_eq!(folder.read(), new);
    assert_eq!(server.ranges(), [None, Some("bytes=1500-".to_owned()), None]);
}

#[tokio::test]
async fn a_range_that_is_refused_begins_anew_also_where_statuses_are_errors() {
    let (old, new, folder) = (bytes(3_000, 1), bytes(1_000, 2), Folder::new());
    let file = new.clone();
    let server = Files::new(move |before, asked| match before {
        0 => gives(&old, "\"old\"", asked, 1_500),
        1 => Gives { status: 416, fields: fields(&[]), says: Some(0), body: Bytes::new() },
        _ => gives(&file, "\"new\"", asked, 1_000),
    })
    .await;
    let client = builder().error_for_status(true).build().unwrap();
    let download = client.get(&server.url).download().backoff(Backoff::constant(MS));
    let done = finishes(download.to_file(folder.file())).await.unwrap();
    assert_eq!((done.bytes(), done.restarts()), (1_000, 1));
    assert_eq!(folder.read(), new);
}

/// Nothing breaks off there, so it is the length that tells.
#[tokio::test]
async fn a_server_that_gives_smaller_parts_than_it_is_asked_for_is_asked_for_the_rest() {
    let (file, folder) = (bytes(3_000, 1), Folder::new());
    let of = file.clone();
    let server = Files::new(move |_, asked| {
        let mut gives = gives(&of, "\"one\"", asked, 1_000);
        if gives.status == 206 {
            gives.says = Some(gives.body.len());
        }
        gives
    })
    .await;
    let done = finishes(server.download().to_file(folder.file())).await.unwrap();
    assert_eq!((done.bytes(), done.resumes()), (3_000, 2));
    assert_eq!(folder.read(), file);
}

#[tokio::test]
async fn a_server_without_ranges_is_asked_for_all_of_it_again() {
    let (file, folder) = (bytes(3_000, 3), Folder::new());
    let of = file.clone();
    let server = Files::new(move |before, _| {
        let body = of.slice(..[2_000, 1_000, 3_000][before]);
        Gives { status: 200, fields: HeaderMap::new(), says: Some(of.len()), body }
    })
    .await;
    let done = finishes(server.download().to_file(folder.file())).await.unwrap();
    assert_eq!((done.bytes(), done.resumes(), done.restarts()), (3_000, 0, 2));
    assert_eq!(folder.read(), file);
    assert_eq!(server.ranges(), [None, None, None]);
}

/// It says by its tag that it is the same, so even a writer can go on.
#[tokio::test]
async fn a_server_that_sends_all_of_the_same_again_is_read_from_where_it_ended() {
    let file = bytes(3_000, 3);
    let of = file.clone();
    let server = Files::new(move |before, _| {
        let fields = fields(&[("etag", "\"same\"".to_owned())]);
        let body = of.slice(..[1_000, 500, 3_000][before]);
        Gives { status: 200, fields, says: Some(of.len()), body }
    })
    .await;
    let mut written = Vec::new();
    let done = finishes(server.download().to_writer(&mut written)).await.unwrap();
    assert_eq!((done.bytes(), done.restarts()), (3_000, 0));
    assert_eq!(written, file);
}

#[tokio::test]
async fn a_writer_cannot_take_back_what_has_changed() {
    let (old, new) = (bytes(3_000, 1), bytes(2_000, 2));
    let first = old.clone();
    let server = Files::new(move |before, asked| match before {
        0 => gives(&old, "\"old\"", asked, 1_500),
        _ => gives(&new, "\"new\"", asked, 2_000),
    })
    .await;
    let mut written = Vec::new();
    let error = finishes(server.download().to_writer(&mut written)).await.unwrap_err();
    assert!(matches!(error, DownloadError::Changed { written: 1_500 }), "{error}");
    assert_eq!(written, first[..1_500]);
}

#[tokio::test]
async fn a_body_without_a_length_is_whole_at_its_end_and_begins_anew_when_it_is_cut_off() {
    let (file, folder) = (bytes(3_000, 3), Folder::new());
    let of = file.clone();
    let tag = || fields(&[("etag", "\"one\"".to_owned())]);
    let server =
        Files::new(move |_, _| Gives { status: 200, fields: tag(), says: None, body: of.clone() })
            .await;
    let done = finishes(server.download().to_file(folder.file())).await.unwrap();
    assert_eq!((done.bytes(), folder.read()), (3_000, file));

    let url = serve(|mut connection| async move {
        connection.reads_request_to("").await;
        let head = b"HTTP/1.1 200 OK\r\netag: \"one\"\r\ntransfer-encoding: chunked\r\n\r\n";
        connection.writes(head).await;
        connection.writes(b"4\r\nhalf\r\n").await;
        connection.closes().await;
    })
    .await;
    let download = client().get(&url).download().backoff(Backoff::constant(MS)).patience(2);
    let error = finishes(download.to_file(folder.file())).await.unwrap_err();
    assert!(
        matches!(error, DownloadError::Cut { cuts: 3, bytes: 4, total: None, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_download_that_comes_no_further_fails_and_leaves_what_was_there_before() {
    let (file, folder) = (bytes(3_000, 1), Folder::new());
    std::fs::write(folder.file(), "yesterday's").unwrap();
    let server = Files::new(move |before, asked| {
        let mut gives = gives(&file, "\"one\"", asked, if before == 0 { 1_200 } else { 0 });
        gives.says = gives.says.map(|says| says.max(1));
        gives
    })
    .await;
    let error = finishes(server.download().to_file(folder.file())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the download was cut off 4 times in a row with nothing new, at 1200 of 3000 bytes; \
         a greater `patience` goes on for longer"
    );
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!((folder.read(), folder.names()), ("yesterday's".into(), vec!["file".to_owned()]));
    assert_eq!(server.ranges().len(), 5);
}

#[tokio::test]
async fn an_answer_that_is_none_of_success_fails_at_once() {
    let folder = Folder::new();
    let (server, counts) = statuses(&[404]).await;
    let download = client().get(&server.url).download();
    let error = finishes(download.to_file(folder.file())).await.unwrap_err();
    let DownloadError::Call { bytes: 0, source } = error else { panic!("{error}") };
    assert_eq!((source.status().unwrap().as_u16(), counts.take()), (404, 1));
    assert_eq!(source.attempts(), 1);
    let (server, counts) = statuses(&[503]).await;
    let download = client().get(&server.url).download();
    let error = finishes(download.to_file(folder.file())).await.unwrap_err();
    let DownloadError::Call { source, .. } = error else { panic!("{error}") };
    assert_eq!((source.attempts(), counts.take()), (3, 3));
    assert!(folder.names().is_empty());
}

#[tokio::test]
async fn a_server_that_is_away_for_a_while_is_waited_for_once_the_download_has_begun() {
    let (file, folder) = (bytes(3_000, 1), Folder::new());
    let of = file.clone();
    let server = Files::new(move |before, asked| {
        let gives = gives(&of, "\"one\"", asked, 2_000);
        match before {
            // Three attempts of one call, and one of the next.
            1..=4 => Gives { status: 502, says: Some(0), body: Bytes::new(), ..gives },
            _ => gives,
        }
    })
    .await;
    let done = finishes(server.download().to_file(folder.file())).await.unwrap();
    assert_eq!((done.bytes(), done.resumes()), (3_000, 1));
    assert_eq!(folder.read(), file);
}

#[tokio::test]
async fn a_body_that_falls_silent_is_cut_off_and_goes_on() {
    let folder = Folder::new();
    let first = Counts::default();
    let url = serve(move |mut connection| {
        first.one_more();
        let is_first = first.0.load(Ordering::SeqCst) == 1;
        async move {
            connection.reads_request_to("").await;
            if is_first {
                let head = b"HTTP/1.1 200 OK\r\netag: \"one\"\r\ncontent-length: 8\r\n\r\nhalf";
                connection.writes(head).await;
            } else {
                let head = b"HTTP/1.1 206 Partial Content\r\netag: \"one\"\r\n\
                    content-range: bytes 4-7/8\r\ncontent-length: 4\r\n\r\nmore";
                connection.writes(head).await;
            }
            connection.says_nothing().await;
        }
    })
    .await;
    let download = client().get(&url).download().silence(Duration::from_millis(100));
    let done = finishes(download.to_file(folder.file())).await.unwrap();
    assert_eq!((done.resumes(), folder.read()), (1, "halfmore".into()));
}

#[tokio::test]
async fn its_time_may_be_over_and_it_may_be_too_large() {
    let folder = Folder::new();
    let url = serve(|mut connection| async move {
        connection.reads_request_to("").await;
        connection
            .writes(b"HTTP/1.1 200 OK\r\netag: \"one\"\r\ncontent-length: 8\r\n\r\nhalf")
            .await;
        connection.says_nothing().await;
    })
    .await;
    let within = client().get(&url).timeout(Duration::from_millis(100)).download();
    let error = finishes(within.to_file(folder.file())).await.unwrap_err();
    let DownloadError::Cut { bytes: 4, total: Some(8), source, .. } = error else {
        panic!("{error}")
    };
    assert!(source.is_timeout());

    let large = client().get(&url).download().at_most(7);
    let error = finishes(large.to_file(folder.file())).await.unwrap_err();
    assert_eq!(error.to_string(), "the download is larger than 7 bytes");
    assert!(folder.names().is_empty());
}

#[tokio::test]
async fn what_cannot_be_asked_for_in_parts_says_so() {
    let folder = Folder::new();
    let client = client();
    let own = client.get("http://127.0.0.1/").header("range", "bytes=1-").download();
    let stream = reqwest::Body::wrap(Full::<Bytes>::default());
    let stream = client.put("http://127.0.0.1/").body(stream).download();
    for download in [own, stream] {
        let error = finishes(download.to_file(folder.file())).await.unwrap_err();
        assert!(matches!(error, DownloadError::Call { .. }), "{error}");
    }
}

/// Twice may do harm.
#[tokio::test]
async fn what_is_no_get_is_asked_for_once() {
    let (file, folder) = (bytes(3_000, 1), Folder::new());
    let server = Files::new(move |_, asked| gives(&file, "\"one\"", asked, 2_000)).await;
    let download = client().post(&server.url).body("make it").download();
    let error = finishes(download.to_file(folder.file())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the download was cut off, at 2000 of 3000 bytes; what is no GET is asked for once"
    );
    assert_eq!(server.ranges().len(), 1);
}
