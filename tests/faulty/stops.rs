//! A server that is dropped is gone, and tells what went wrong in its script.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use mainstay_testkit::server::Reply;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

#[tokio::test]
async fn when_it_is_dropped_its_port_its_connections_and_its_script_are_gone() {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let server = Faulty::start(move |_| {
        let _held = &held;
        Reply::never()
    })
    .unwrap();
    let address = server.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    finishes(server.sees(1)).await;
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(server);
    assert_eq!(Arc::strong_count(&alive), 1);
    // The end, in good order or not.
    assert_eq!(finishes(stream.read(&mut [0])).await.unwrap_or(0), 0);
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn a_script_that_panics_fails_the_test_when_the_server_is_dropped() {
    for client in both() {
        let server = Faulty::start(|request| {
            assert_eq!(request.path(), "/expected", "the path is another");
            Reply::ok("well")
        })
        .unwrap();
        get(&client, &server).await.unwrap_err();
        let panic = catch_unwind(AssertUnwindSafe(|| drop(server))).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("the path is another"));
    }
}

#[tokio::test]
async fn what_http2_cannot_say_fails_the_test() {
    for reply in [Reply::status(1_000), Reply::ok("well").header("a b", "c")] {
        let server = Faulty::start(move |_| reply.clone()).unwrap();
        get(&http2_client(), &server).await.unwrap_err();
        let panic = catch_unwind(AssertUnwindSafe(|| drop(server))).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.starts_with("this cannot be said in HTTP/2"), "{text}");
    }
}

#[test]
fn it_needs_no_runtime_of_the_test() {
    use std::io::{Read as _, Write as _};
    let server = Faulty::start(|_| Reply::ok("well").last()).unwrap();
    let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.ends_with("\r\n\r\nwell"));
}

#[tokio::test]
async fn a_log_keeps_as_much_as_it_was_told() {
    let server = Faulty::builder().keeps(2).start(|_| Reply::ok("well").last()).unwrap();
    let client = http1_client();
    for _ in 0..5 {
        get(&client, &server).await.unwrap().bytes().await.unwrap();
    }
    finishes(server.idles()).await;
    let numbers: Vec<_> = server.log().iter().map(|exchange| exchange.request.number()).collect();
    assert_eq!((numbers, server.requests()), (vec![3, 4], 5));
    assert_eq!(server.connections().len(), 2);
}
