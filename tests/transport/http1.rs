use std::io::{Read, Write};
use std::sync::mpsc;

use http_body_util::BodyExt;
use mainstay_testkit::server::{Faulty, Greeting, Reply};

use super::*;
use crate::socket::{Connection, nobody, serve};

/// Both clients, against a server that does this.
async fn both(url: String) -> [Cause; 2] {
    [by_hyper(&hyper(), &url).await, by_reqwest(&reqwest(), &url).await]
}

#[tokio::test]
async fn a_port_that_refuses_was_never_sent_to() {
    let (_taken, url) = nobody();
    assert_eq!(both(url).await, [Cause::Connect; 2]);
}

#[tokio::test]
async fn a_reset_before_the_server_reads_anything_leaves_it_open() {
    let url = serve(async |connection: Connection| {
        connection.sees_bytes().await;
        connection.resets();
    });
    assert_eq!(both(url.await).await, [Cause::Broken; 2]);
}

#[tokio::test]
async fn a_reset_as_soon_as_it_connects_leaves_it_open_unless_nothing_was_written() {
    let builder = Faulty::builder().greets(|_| Greeting::Resets);
    let server = builder.start(|_| Reply::status(200)).unwrap();
    for _ in 0..20 {
        for cause in both(server.url("/")).await {
            // Whether the client had begun to write, or even knew that it was connected, is a race,
            // and it knows who won.
            let known = [Cause::Broken, Cause::ClosedBefore, Cause::Connect];
            assert!(known.contains(&cause), "{cause:?}");
        }
    }
}

#[tokio::test]
async fn a_reset_after_the_request_leaves_it_open() {
    let server = Faulty::start(|_| Reply::resets()).unwrap();
    assert_eq!(both(server.url("/")).await, [Cause::Broken; 2]);
}

#[tokio::test]
async fn a_close_after_the_request_leaves_it_open() {
    let server = Faulty::start(|_| Reply::closes()).unwrap();
    assert_eq!(both(server.url("/")).await, [Cause::Broken; 2]);
}

#[tokio::test]
async fn half_a_head_leaves_it_open() {
    let server = Faulty::start(|_| Reply::ok("well").half_head()).unwrap();
    assert_eq!(both(server.url("/")).await, [Cause::Broken; 2]);
}

#[tokio::test]
async fn half_a_body_is_a_body_that_broke() {
    let server = Faulty::start(|_| Reply::ok("half").claims(10)).unwrap();
    let url = server.url("/");
    let answer = hyper().request(post(&url)).await.unwrap();
    let error = answer.into_body().collect().await.unwrap_err();
    assert_eq!(Failure::of(&error).cause(), Cause::Broken);

    let answer = reqwest().post(&url).body("ping").send().await.unwrap();
    let error = answer.bytes().await.unwrap_err();
    assert_eq!(Failure::of(&error).cause(), Cause::Broken);
}

#[tokio::test]
async fn a_reset_in_the_body_is_a_body_that_broke() {
    let frames = Reply::status(200).frames(["half", "and the rest"]);
    let server = Faulty::start(move |_| frames.clone().resets_at(4)).unwrap();
    let answer = hyper().request(post(&server.url("/"))).await.unwrap();
    let error = answer.into_body().collect().await.unwrap_err();
    assert_eq!(Failure::of(&error).cause(), Cause::Broken);
}

#[tokio::test]
async fn what_is_no_http_is_malformed() {
    for nonsense in
        ["SSH-2.0-OpenSSH_9.9\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\n: \r\n\r\n"]
    {
        let server = Faulty::start(move |_| Reply::raw(nonsense)).unwrap();
        assert_eq!(both(server.url("/")).await, [Cause::Malformed; 2], "{nonsense}");
    }
}

/// Serves one connection: answers a request, closes when it is told to, and says so. Then whoever
/// comes. A thread of its own, so that it goes on while the client's only thread waits for it.
fn closes_after_one_answer() -> (String, mpsc::Sender<()>, mpsc::Receiver<()>) {
    let (asks_to_close, close) = mpsc::channel();
    let (says_closed, is_closed) = mpsc::channel();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut read = Vec::new();
            while !read.ends_with(b"\r\n\r\nping") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                read.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            if close.recv().is_err() {
                return;
            }
            drop(stream);
            says_closed.send(()).unwrap();
        }
    });
    (url, asks_to_close, is_closed)
}

/// Looks at the sockets before every task, so that the connection's own task learns of the end and
/// of the next request at the same time.
fn looks_at_sockets_first() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.event_interval(1).enable_all().build().unwrap()
}

/// A connection that is closed while nobody looks: the client takes it for open, and finds out
/// before it has written a byte of the next request.
#[test]
fn a_pooled_connection_found_closed_was_never_sent_to() {
    let (url, asks_to_close, is_closed) = closes_after_one_answer();
    looks_at_sockets_first().block_on(async {
        let client = hyper();
        client.request(post(&url)).await.unwrap().into_body().collect().await.unwrap();
        asks_to_close.send(()).unwrap();
        is_closed.recv().unwrap(); // no task has run meanwhile
        assert_eq!(by_hyper(&client, &url).await, Cause::ClosedBefore);
    });
}

/// reqwest leaves it to hyper-util to send such a request again, which may: it was never sent.
#[test]
fn reqwest_sends_what_a_closed_connection_never_took_again_by_itself() {
    let (url, asks_to_close, is_closed) = closes_after_one_answer();
    looks_at_sockets_first().block_on(async {
        let client = reqwest();
        client.post(&url).body("ping").send().await.unwrap().bytes().await.unwrap();
        asks_to_close.send(()).unwrap();
        is_closed.recv().unwrap();
        assert_eq!(client.post(&url).body("ping").send().await.unwrap().status(), 200);
    });
}
