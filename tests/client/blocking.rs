//! Calls that block their thread. The servers run on threads of their own.

use std::io::{self, Read};

use http_body_util::BodyExt;
use mainstay::client::blocking::Client;
use mainstay::client::{ClientError, Reported};
use tokio::runtime::Runtime;

use super::*;
use crate::download::{Files, Folder, bytes, gives};
use crate::socket::{nobody, serve};

fn blocking() -> Client {
    builder().build_blocking().unwrap()
}

/// Runs this beside a runtime with servers in it, which ends with it.
fn beside<T>(server: impl Future<Output = T>, run: impl FnOnce(T)) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(async { finishes(server).await });
    run(server);
    runtime.shutdown_background();
}

#[test]
fn a_call_is_sent_again_as_by_the_other_client() {
    beside(statuses(&[503, 503, 200]), |(server, counts)| {
        let client = blocking();
        let answer = client.get(&server.url).report().send().unwrap();
        assert_eq!((answer.status().as_u16(), counts.take()), (200, 3));
        assert_eq!(answer.report().unwrap().attempts(), 3);
        assert_eq!(answer.url().as_str(), server.url);
        assert_eq!(client.pipeline().hosts().len(), 1);
    });
}

#[test]
fn an_error_says_what_the_other_client_s_does() {
    beside(async { nobody() }, |(_port, url)| {
        let error = blocking().post(&url).body("x").send().unwrap_err();
        assert!(error.is_connect() && error.attempts() == 3, "{error}");
    });
}

#[test]
fn a_body_can_be_read_when_its_client_is_gone() {
    let echo = Server::answers(Speaks::Http1, |_, request| async move {
        let sent = request.into_body().collect().await.unwrap().to_bytes();
        Response::new(Full::from(sent))
    });
    beside(echo, |server| {
        let sent = bytes(1 << 20, 5);
        let mut answer = blocking().put(&server.url).body(sent.clone()).send().unwrap();
        let mut read = Vec::new();
        answer.read_to_end(&mut read).unwrap();
        assert!(read == sent);

        let json = blocking().post(&server.url).json(&["a", "b"]).send().unwrap();
        assert_eq!(json.json::<Vec<String>>().unwrap(), ["a", "b"]);
    });
}

#[test]
fn a_body_that_falls_silent_fails_by_the_timers_of_the_client_s_thread() {
    let silent = serve(|mut connection| async move {
        connection.reads_request_to("").await;
        connection.writes(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf").await;
        connection.says_nothing().await;
    });
    beside(silent, |url| {
        let answer = blocking().get(&url).read_timeout(Duration::from_millis(100)).send().unwrap();
        assert!(ClientError::from(answer.text().unwrap_err()).is_timeout());
    });
}

/// Gives so many bytes, and then says that it is over.
fn reads(bytes: &'static [u8]) -> impl Read + Send {
    bytes
}

#[test]
fn what_blocks_can_be_read_while_it_is_sent() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unreadable"))
        }
    }

    let echo = Server::answers(Speaks::Http1, |_, request| async move {
        let length = request.headers().get("content-length").cloned();
        let Ok(sent) = request.into_body().collect().await else { return server::status(400) };
        let answer = Response::builder().header("length", format!("{length:?}"));
        answer.body(Full::from(sent.to_bytes())).unwrap()
    });
    beside(echo, |server| {
        let put = || blocking().put(&server.url);
        let answer = put().body_from(reads(b"in pieces").chain(reads(b", two"))).send().unwrap();
        assert_eq!(answer.headers()["length"], "None");
        assert_eq!(answer.text().unwrap(), "in pieces, two");
        let answer = put().body_from_sized(reads(b"nine bytes"), 10).send().unwrap();
        assert_eq!(answer.headers()["length"], "Some(\"10\")");
        for wrong in [
            put().body_from_sized(reads(b"nine bytes"), 11),
            put().body_from_sized(reads(b"nine bytes"), 9),
            put().body_from(Fails),
        ] {
            assert_eq!(wrong.send().unwrap_err().attempts(), 1);
        }
    });
}

#[test]
fn a_download_goes_on_where_it_was_cut_off() {
    let file = bytes(5_000, 1);
    let of = file.clone();
    let server = Files::new(move |_, asked| gives(&of, "\"one\"", asked, 2_000));
    beside(server, |server| {
        let mut written = Vec::new();
        let download = blocking().get(&server.url).download().backoff(Backoff::constant(MS));
        let done = download.to_writer(&mut written).unwrap();
        assert_eq!((done.bytes(), done.resumes()), (5_000, 2));
        assert!(written == file);

        let (folder, told) = (Folder::new(), Counts::default());
        let counts = told.clone();
        let download = blocking().get(&server.url).download().backoff(Backoff::constant(MS));
        let download = download.on_report(move |_| counts.one_more());
        download.to_file(folder.file()).unwrap();
        assert!(folder.read() == file && told.take() == 3);
        std::fs::write(folder.file().with_file_name("file.part"), "not of ours").unwrap();
        let error = blocking().get(&server.url).download().kept().to_file(folder.file());
        assert_eq!(error.unwrap_err().io_kind(), Some(io::ErrorKind::AlreadyExists));
    });
}

#[test]
fn what_is_kept_of_a_download_is_gone_on_with() {
    let file = bytes(5_000, 1);
    let of = file.clone();
    let server = Files::new(move |number, asked| {
        let at_most = [2_000, 0].get(number).copied().unwrap_or(5_000);
        gives(&of, "\"one\"", asked, at_most)
    });
    beside(server, |server| {
        let (folder, reports) = (Folder::new(), Counts::default());
        let download = || {
            let reports = reports.clone();
            let download = blocking().get(&server.url).download().backoff(Backoff::constant(MS));
            download.kept().patience(0).on_report(move |_| reports.one_more())
        };
        download().to_file(folder.file()).unwrap_err();
        assert_eq!(reports.take(), 2);
        let done = download().to_file(folder.file()).unwrap();
        assert_eq!((done.bytes(), done.resumes(), reports.take()), (5_000, 1, 1));
        assert!(folder.read() == file);
    });
}

#[test]
fn a_batch_runs_while_somebody_blocks_on_it() {
    beside(statuses(&[503, 200]), |(server, counts)| {
        let client = blocking();
        let urls = || (0..20).map(|_| &server.url);
        let answers = client.block_on(client.batch().concurrency(5).all_or_nothing(urls()));
        assert!(answers.unwrap().iter().all(|answer| answer.status() == 200));
        assert_eq!(counts.take(), 21);

        let mut results = client.batch().as_completed(urls());
        let mut got = 0;
        while let Some(done) = client.block_on(results.next()) {
            assert!(done.result.is_ok());
            got += 1;
        }
        let awaited = client.block_on(client.get_ref().get(&server.url).send());
        assert_eq!((got, awaited.unwrap().status().as_u16(), counts.take()), (20, 200, 21));
    });
}

#[test]
fn threads_share_a_client_and_what_it_knows() {
    beside(statuses(&[200]), |(server, counts)| {
        let client = blocking();
        std::thread::scope(|scope| {
            for clone in [client.clone(), client.clone(), client.clone()] {
                let url = &server.url;
                scope.spawn(move || {
                    for _ in 0..10 {
                        assert_eq!(clone.get(url).send().unwrap().text().unwrap(), "");
                    }
                });
            }
        });
        assert_eq!((counts.take(), client.pipeline().hosts().len()), (30, 1));
    });
}

/// In a thread for what blocks it may stand, in a task it may not.
#[tokio::test]
async fn it_can_be_called_where_blocking_is_allowed() {
    let (server, counts) = statuses(&[200]).await;
    let call = move || blocking().get(&server.url).send().map(|answer| answer.status().as_u16());
    assert_eq!(finishes(tokio::task::spawn_blocking(call)).await.unwrap().unwrap(), 200);
    assert_eq!(counts.take(), 1);
    let within = std::panic::catch_unwind(|| drop(blocking().get("http://127.0.0.1/").send()));
    assert!(within.is_err());
}
