//! What HTTP/2 alone can say.

use mainstay_testkit::server::{Gate, Reply};

use super::*;

/// A connection of the crate `h2`, which tells by which words a stream ended.
async fn connects(server: &Faulty) -> h2::client::SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    send
}

async fn sends(
    send: &mut h2::client::SendRequest<Bytes>,
    path: &str,
) -> h2::client::ResponseFuture {
    let request = http::Request::get(format!("http://localhost{path}")).body(()).unwrap();
    let mut ready = finishes(send.clone().ready()).await.unwrap();
    ready.send_request(request, true).unwrap().0
}

#[tokio::test]
async fn a_stream_is_reset_with_the_reason_that_is_said() {
    for (reply, reason) in [
        (Reply::refuses(), h2::Reason::REFUSED_STREAM),
        (Reply::resets(), h2::Reason::INTERNAL_ERROR),
        (Reply::resets_with(8), h2::Reason::CANCEL),
    ] {
        let server = Faulty::start(move |_| reply.clone()).unwrap();
        let mut send = connects(&server).await;
        let error = finishes(sends(&mut send, "/").await).await.unwrap_err();
        assert!(error.is_reset() && error.is_remote(), "{error}");
        assert_eq!(error.reason(), Some(reason));
    }
}

#[tokio::test]
async fn a_reset_in_a_body_comes_behind_what_was_sent() {
    let server = Faulty::start(|_| Reply::ok(text(100)).resets_at(20)).unwrap();
    let mut send = connects(&server).await;
    let mut body = finishes(sends(&mut send, "/").await).await.unwrap().into_body();
    assert_eq!(finishes(body.data()).await.unwrap().unwrap(), text(20));
    let error = finishes(body.data()).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
}

#[tokio::test]
async fn who_is_behind_a_farewell_was_not_looked_at_and_those_before_are_answered() {
    let gate = Gate::shut();
    let held = gate.clone();
    let server = Faulty::start(move |request| match request.path() {
        "/first" => Reply::ok("well").behind(&held),
        _ => Reply::goes_away(),
    })
    .unwrap();
    let mut send = connects(&server).await;
    let first = sends(&mut send, "/first").await;
    finishes(server.sees(1)).await;
    let second = sends(&mut send, "/second").await;
    let error = finishes(second).await.unwrap_err();
    assert!(error.is_go_away() && error.is_remote(), "{error}");
    assert_eq!(error.reason(), Some(h2::Reason::NO_ERROR));

    gate.open();
    let mut answer = finishes(first).await.unwrap().into_body();
    assert_eq!(finishes(answer.data()).await.unwrap().unwrap(), "well");
    finishes(server.until_connections(|all| !all[0].is_open)).await;
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn half_a_head_and_nonsense_are_the_end_of_the_connection() {
    for reply in [Reply::ok("well").half_head(), Reply::closes()] {
        let server = Faulty::start(move |_| reply.clone()).unwrap();
        let mut send = connects(&server).await;
        let error = finishes(sends(&mut send, "/").await).await.unwrap_err();
        assert!(error.is_io() || error.is_go_away(), "{error}");
    }
    // A reset of stream 0, which is none.
    let nonsense = [0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let server = Faulty::start(move |_| Reply::raw(nonsense.to_vec())).unwrap();
    let mut send = connects(&server).await;
    let error = finishes(sends(&mut send, "/").await).await.unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::PROTOCOL_ERROR));
}

#[tokio::test]
async fn early_heads_and_trailers_are_sent() {
    let server =
        Faulty::start(|_| Reply::ok("well").early(103, &[("link", "</a>")]).trailer("x-sum", "7"))
            .unwrap();
    let mut send = connects(&server).await;
    let mut answer = sends(&mut send, "/").await;
    let early = finishes(std::future::poll_fn(|cx| answer.poll_informational(cx))).await;
    let early = early.unwrap().unwrap();
    assert_eq!(early.status(), 103);
    assert_eq!(early.headers()["link"], "</a>");
    let mut body = finishes(answer).await.unwrap().into_body();
    assert_eq!(finishes(body.data()).await.unwrap().unwrap(), "well");
    let trailers = finishes(body.trailers()).await.unwrap().unwrap();
    assert_eq!(trailers["x-sum"], "7");
    assert_eq!(only(&server).await.end, End::Answered);
}

#[tokio::test]
async fn no_more_run_at_once_than_the_server_allows() {
    let gate = Gate::shut();
    let held = gate.clone();
    let builder = Faulty::builder().streams(1);
    let server = builder.start(move |_| Reply::ok("well").behind(&held)).unwrap();
    let client = http2_client();
    gate.lets_one_through();
    get(&client, &server).await.unwrap(); // the client knows the settings now
    let calls: Vec<_> = (0..2).map(|_| tokio::spawn(client.get(server.url("/")).send())).collect();
    finishes(server.sees(2)).await;
    gate.lets_one_through();
    finishes(server.sees(3)).await;
    assert_eq!(server.log()[1].end, End::Answered);
    gate.open();
    for call in calls {
        assert_eq!(finishes(call).await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(server.connections().len(), 1);
}

#[tokio::test]
async fn requests_beside_each_other_share_a_connection() {
    let gate = Gate::shut();
    let held = gate.clone();
    let server = Faulty::start(move |_| Reply::ok(text(100_000)).behind(&held)).unwrap();
    let client = http2_client();
    let first = tokio::spawn(client.get(server.url("/")).send());
    finishes(server.sees(1)).await;
    let others = (0..50).map(|_| tokio::spawn(client.get(server.url("/")).send()));
    let calls: Vec<_> = std::iter::once(first).chain(others).collect();
    finishes(server.sees(51)).await;
    gate.open();
    for call in calls {
        let answer = finishes(call).await.unwrap().unwrap();
        assert_eq!(finishes(answer.bytes()).await.unwrap(), text(100_000));
    }
    assert_eq!(server.connections().len(), 1);
}

#[tokio::test]
async fn what_runs_beside_a_request_that_closes_the_connection_is_broken_off_too() {
    let server = Faulty::start(|request| match request.path() {
        "/first" => Reply::never(),
        _ => Reply::closes(),
    })
    .unwrap();
    let mut send = connects(&server).await;
    let first = sends(&mut send, "/first").await;
    finishes(server.sees(1)).await;
    let second = sends(&mut send, "/second").await;
    finishes(second).await.unwrap_err();
    finishes(first).await.unwrap_err();
    finishes(server.idles()).await;
    assert!(server.log().iter().all(|exchange| exchange.end == End::BrokenOff));
}
