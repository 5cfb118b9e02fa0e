//! What the server does with connections, and when it is down.

use mainstay_testkit::server::{Greeting, Reply, Speaks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

fn greets(greeting: Greeting) -> Faulty {
    let builder = Faulty::builder().greets(move |_| greeting.clone());
    builder.start(|_| Reply::ok("well")).unwrap()
}

#[tokio::test]
async fn a_connection_is_served_or_not_by_how_many_came_before() {
    let builder = Faulty::builder().greets(|before| match before {
        0 => Greeting::Resets,
        1 => Greeting::Closes,
        _ => Greeting::Serves,
    });
    let (server, client) = (builder.start(|_| Reply::ok("well")).unwrap(), http1_client());
    for _ in 0..2 {
        get(&client, &server).await.unwrap_err();
    }
    assert_eq!(get(&client, &server).await.unwrap().status(), 200);
    assert_eq!((server.connections().len(), server.requests()), (3, 1));
    assert_eq!(server.connections()[2].speaks, Some(Speaks::Http1));
}

#[tokio::test]
async fn a_silent_one_says_nothing_until_the_client_goes() {
    for client in both() {
        let server = greets(Greeting::Silent);
        let call = tokio::spawn(client.get(server.url("/")).send());
        finishes(server.until_connections(|all| !all.is_empty())).await;
        assert!(server.connections()[0].is_open);
        call.abort();
        drop(client);
        finishes(server.until_connections(|all| !all[0].is_open)).await;
        assert_eq!((server.requests(), server.open()), (0, 0));
    }
}

/// The hello of a client of TLS, or what of it a server looks at first.
const HELLO: [u8; 11] = [22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3];

#[tokio::test]
async fn a_handshake_of_tls_fails_with_an_alert_or_with_nonsense() {
    for (greeting, expected) in [
        (Greeting::tls_alert(), &[21, 3, 3, 0, 2, 2, 40][..]),
        (Greeting::Says(Bytes::from_static(b"nonsense")), b"nonsense"),
    ] {
        let server = greets(greeting);
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(&HELLO).await.unwrap();
        let mut said = Vec::new();
        finishes(stream.read_to_end(&mut said)).await.unwrap();
        assert_eq!(said, expected);
        assert_eq!(server.connections()[0].speaks, Some(Speaks::Tls));
    }
}

#[tokio::test]
async fn a_server_that_is_down_refuses_and_comes_back_on_the_same_port() {
    for client in both() {
        let server = Faulty::start(|request| match request.number() {
            0 => Reply::never(),
            _ => Reply::ok("well"),
        })
        .unwrap();
        let running = tokio::spawn(client.get(server.url("/")).send());
        finishes(server.sees(1)).await;
        server.goes_down().unwrap();
        assert_eq!((server.open(), server.log()[0].end), (0, End::BrokenOff));
        finishes(running).await.unwrap().unwrap_err();
        for _ in 0..2 {
            server.goes_down().unwrap(); // it already is
            let error = get(&client, &server).await.unwrap_err();
            assert!(error.is_connect(), "{error:?}");
        }
        server.comes_back().unwrap();
        server.comes_back().unwrap();
        assert_eq!(get(&client, &server).await.unwrap().status(), 200);
        assert_eq!(server.requests(), 2);
    }
}

#[tokio::test]
async fn connections_can_be_cut_while_the_port_stays_open() {
    for client in both() {
        let server = Faulty::start(|_| Reply::ok("well")).unwrap();
        get(&client, &server).await.unwrap().bytes().await.unwrap();
        server.cuts_connections();
        assert_eq!(server.open(), 0);
        // The client may take its connection for open.
        if get(&client, &server).await.is_err() {
            get(&client, &server).await.unwrap();
        }
        assert_eq!(server.connections().len(), 2);
    }
}
