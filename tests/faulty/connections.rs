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
async fn a_port_is_kept_while_its_server_is_down() {
    let server = Faulty::start(|_| Reply::ok("well")).unwrap();
    server.goes_down().unwrap();
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    let error = other.bind(server.address()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
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

/// Why a connection ended, as the client's system tells it, after this was said on it.
async fn ends(server: &Faulty, say: &str) -> Result<(), std::io::ErrorKind> {
    let mut stream = TcpStream::connect(server.address()).await.map_err(|error| error.kind())?;
    let _ = stream.write_all(say.as_bytes()).await;
    let read = finishes(stream.read_to_end(&mut Vec::new())).await;
    read.map(drop).map_err(|error| error.kind())
}

#[tokio::test]
async fn a_reset_is_none_of_the_ends_in_good_order() {
    const GET: &str = "GET / HTTP/1.1\r\n\r\n";
    let reset = Err(std::io::ErrorKind::ConnectionReset);
    for (reply, end) in [
        (Reply::resets(), reset),
        (Reply::ok("well").resets_at(2), reset),
        (Reply::closes(), Ok(())),
        (Reply::ok("well").closes_at(2), Ok(())),
        (Reply::ok("well").half_head(), Ok(())),
        (Reply::ok("well").last(), Ok(())),
    ] {
        let said = format!("{reply:?}");
        let server = Faulty::start(move |_| reply.clone()).unwrap();
        assert_eq!(ends(&server, GET).await, end, "{said}");
    }
    assert_eq!(ends(&greets(Greeting::Resets), "").await, reset);
    assert_eq!(ends(&greets(Greeting::Closes), "").await, Ok(()));
}

/// A socket that is closed with unread bytes sends a reset, and a client that is still sending may
/// lose what was written before it.
#[tokio::test]
async fn whoever_is_still_sending_when_the_answer_comes_is_not_cut_off() {
    let server = Faulty::start(|_| Reply::status(413).reads_nothing()).unwrap();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n").await.unwrap();
    stream.write_all(&[0; 100_000]).await.unwrap();
    let mut said = String::new();
    finishes(stream.read_to_string(&mut said)).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    stream.write_all(&[0; 100_000]).await.expect("it is cut off");
}

/// How much a client can send of a body that nobody reads, at once.
async fn takes(server: &Faulty) -> usize {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.address()).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n").await.unwrap();
    finishes(server.sees(1)).await;
    let mut taken = 0;
    while let Ok(written) = stream.try_write(&[0; 1_000]) {
        taken += written;
    }
    taken
}

#[tokio::test]
async fn how_much_the_system_buffers_can_be_said() {
    let silent = |_: &mainstay_testkit::server::Received| Reply::never().reads_nothing();
    let much = Faulty::start(silent).unwrap();
    let little = Faulty::builder().receive_buffer(4_096).start(silent).unwrap();
    let (much, little) = (takes(&much).await, takes(&little).await);
    assert!(little * 3 < much, "{little} of {much}");
}
