//! As many connections as a benchmark needs.

use mainstay_testkit::server::{Gate, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::*;

/// Each has two descriptors here, and common systems give a process a thousand.
const MANY: usize = 400;

#[tokio::test]
async fn many_requests_that_wait_at_once_are_all_answered() {
    let gate = Gate::shut();
    let held = gate.clone();
    let server = Faulty::start(move |_| Reply::ok("well").behind(&held)).unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..MANY {
        let address = server.address();
        calls.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await.unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).await.unwrap();
            said.ends_with("\r\n\r\nwell")
        });
    }
    finishes(server.sees(MANY)).await;
    assert_eq!(server.open(), MANY);
    gate.open();
    while let Some(is_well) = finishes(calls.join_next()).await {
        assert!(is_well.unwrap());
    }
    finishes(server.until_connections(|all| all.iter().all(|one| !one.is_open))).await;
}
