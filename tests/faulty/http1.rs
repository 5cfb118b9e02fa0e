//! What HTTP/1.1 alone can say, and what stands on the wire.

use mainstay_testkit::server::{Reply, Speaks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// All that the server says to this, until it closes.
async fn answer(server: &Faulty, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    finishes(stream.read_to_end(&mut said)).await.unwrap();
    String::from_utf8(said).unwrap()
}

const LAST: &str = "GET / HTTP/1.1\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn every_byte_is_as_it_was_said() {
    for (reply, expected) in [
        (
            Reply::ok("well").header("X-Odd", "caf\u{e9}"),
            "HTTP/1.1 200 OK\r\nX-Odd: caf\u{e9}\r\ncontent-length: 4\r\nconnection: close\r\n\r\nwell",
        ),
        (
            Reply::status(999).header("", ""),
            "HTTP/1.1 999 \r\n: \r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        ),
        (
            Reply::status(200).frames(["one", "seventeen letters"]).trailer("x-sum", "7"),
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
             3\r\none\r\n11\r\nseventeen letters\r\n0\r\nx-sum: 7\r\n\r\n",
        ),
        (Reply::ok("well").to_the_end(), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nwell"),
        (
            Reply::ok("well").claims(2),
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nwell",
        ),
        (
            Reply::status(200).frames(["one"]).header("transfer-encoding", "gzip"),
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\nconnection: close\r\n\r\none",
        ),
        (
            Reply::status(204).early(103, &[("link", "</a>")]),
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
             HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
        ),
        (Reply::raw("SSH-2.0-OpenSSH_9.9\r\n"), "SSH-2.0-OpenSSH_9.9\r\n"),
        (Reply::ok("well").half_head(), "HTTP/1.1 200 OK\r\ncontent-len"),
        (Reply::closes(), ""),
        (
            Reply::status(200).frames(["one", "two"]).closes_at(4),
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
             3\r\none\r\n1\r\nt\r\n",
        ),
    ] {
        let server = Faulty::start(move |_| reply.clone()).unwrap();
        let said = answer(&server, LAST).await;
        assert!(said.starts_with(expected), "{said:?} is not {expected:?}");
        assert!(said == expected || expected.ends_with("-len"), "{said:?}");
    }
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_their_order() {
    let server = Faulty::start(|request| Reply::ok(request.path().to_owned())).unwrap();
    let requests = "POST /1 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n\
                    POST /2 HTTP/1.1\r\ncontent-length: 3\r\n\r\ntwo\
                    HEAD /3 HTTP/1.1\r\n\r\nGET /4 HTTP/1.0\r\n\r\n";
    let said = answer(&server, requests).await;
    let behind_heads = said.split("\r\n\r\n").skip(1);
    let beginnings: Vec<_> = behind_heads.map(|rest| &rest[..2.min(rest.len())]).collect();
    assert_eq!(beginnings, ["/1", "/2", "HT", "/4"]);
    let read: Vec<_> = server.log().iter().map(|exchange| exchange.body_read).collect();
    assert_eq!(read, [3, 3, 0, 0]);
}

#[tokio::test]
async fn a_client_of_old_gets_no_chunks() {
    let server = Faulty::start(|_| Reply::status(200).frames(["one", "two"])).unwrap();
    let said = answer(&server, "GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(said, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nonetwo");
}

#[tokio::test]
async fn what_is_no_http_is_answered_with_a_400_and_told_from_tls() {
    for (sent, speaks) in [
        ("hello\r\n\r\n", Speaks::Nonsense),
        ("GET / HTTP/1.1\r\ncontent-length: many\r\n\r\n", Speaks::Nonsense),
        ("\u{16}\u{3}\u{1}", Speaks::Tls),
    ] {
        let server = Faulty::start(|_| Reply::ok("well")).unwrap();
        assert!(answer(&server, sent).await.starts_with("HTTP/1.1 400 Bad Request\r\n"));
        assert_eq!(server.connections()[0].speaks, Some(speaks));
        assert_eq!(server.requests(), 0);
    }
}

#[tokio::test]
async fn whoever_waits_for_leave_to_send_gets_it_once_the_body_is_read() {
    const HEAD: &str = "POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    let server = Faulty::start(|request| match request.number() {
        0 => Reply::of_body(Reply::ok),
        _ => Reply::status(417).reads_nothing(),
    })
    .unwrap();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(HEAD.as_bytes()).await.unwrap();
    let mut said = [0; 25];
    finishes(stream.read_exact(&mut said)).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"four").await.unwrap();
    let mut rest = [0; 42];
    finishes(stream.read_exact(&mut rest)).await.unwrap();
    assert!(rest.ends_with(b"\r\n\r\nfour"));

    stream.write_all(HEAD.as_bytes()).await.unwrap();
    let mut said = String::new();
    finishes(stream.read_to_string(&mut said)).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 417 Expectation Failed\r\n"));
    assert_eq!(server.log()[1].body_read, 0);
}

/// An answer that is whole, over a connection that closes without a word: what pools fall for.
#[tokio::test]
async fn a_connection_can_close_behind_a_whole_answer_without_saying_so() {
    let server = Faulty::start(|_| Reply::ok("well").closes_at(4)).unwrap();
    let request = "GET / HTTP/1.1\r\n\r\n";
    let said = answer(&server, request).await;
    assert_eq!(said, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell");
}
