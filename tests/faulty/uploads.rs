//! How requests are read.

use mainstay_testkit::server::{Gate, Reply};

use super::*;

const BIG: usize = 20_000_000;

#[tokio::test]
async fn a_body_that_is_not_read_stays_where_it_is() {
    // Over HTTP/1.1 only what arrives with the end behind it can tell that the client is gone.
    for (client, length) in both().into_iter().zip([1_000, BIG]) {
        let builder = Faulty::builder().window(10_000);
        let server = builder.start(|_| Reply::never().reads_nothing()).unwrap();
        let call = tokio::spawn(client.post(server.url("/")).body(vec![0; length]).send());
        finishes(server.sees(1)).await;
        assert_eq!((server.log()[0].body_read, server.log()[0].end), (0, End::Running));
        call.abort();
        let only = only(&server).await;
        assert_eq!((only.body_read, only.end), (0, End::ClientGone));
    }
}

#[tokio::test]
async fn an_answer_can_come_before_the_body_was_read() {
    for client in both() {
        let builder = Faulty::builder().receive_buffer(4_096);
        let server = builder.start(|_| Reply::status(413).reads_nothing()).unwrap();
        let send = client.post(server.url("/")).body(vec![0; BIG]).send();
        assert_eq!(finishes(send).await.unwrap().status(), 413);
        assert_eq!(only(&server).await.body_read, 0);
    }
}

#[tokio::test]
async fn a_body_is_read_slowly() {
    const PAUSE: Duration = Duration::from_millis(20);
    for client in both() {
        let server =
            Faulty::start(|_| Reply::of_body(Reply::ok).reads_slowly(1_000, PAUSE)).unwrap();
        let send = client.post(server.url("/")).body(text(3_000)).send();
        let answer = finishes(send).await.unwrap();
        assert_eq!(finishes(answer.bytes()).await.unwrap(), text(3_000));
        assert!(only(&server).await.took.unwrap() >= 3 * PAUSE);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_in_its_body_is_noticed() {
    for client in both() {
        let gate = Gate::shut();
        let held = gate.clone();
        let server = Faulty::start(move |_| Reply::ok("well").behind(&held)).unwrap();
        let body = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let body = reqwest::Body::wrap_stream(body);
        let call = tokio::spawn(client.post(server.url("/")).body(body).send());
        finishes(server.sees(1)).await;
        call.abort();
        assert_eq!(only(&server).await.end, End::ClientGone);
    }
}
