//! What is the same in both versions of HTTP.

use mainstay_testkit::server::{Content, Gate, Limit, Reply};

use super::*;

#[tokio::test]
async fn a_request_is_answered_as_the_script_says_and_logged() {
    for (client, version) in both().into_iter().zip([http::Version::HTTP_11, http::Version::HTTP_2])
    {
        let server = Faulty::start(|request| {
            assert_eq!((request.path(), request.query()), ("/users", Some("page=2")));
            Reply::status(503).header("retry-after", "1").body("later")
        })
        .unwrap();
        let request = client.put(server.url("/users?page=2")).header("x-from", "test").body("four");
        let answer = finishes(request.send()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (503, version));
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.content_length(), Some(5));
        assert_eq!(finishes(answer.text()).await.unwrap(), "later");

        let only = only(&server).await;
        assert_eq!(said(&only), (Some(503), 5, End::Answered));
        assert_eq!((only.body_read, only.request.method().as_str()), (4, "PUT"));
        assert_eq!(only.request.header("x-from"), Some("test"));
        assert_eq!(only.request.version(), version);
        assert_eq!(only.request.host(), Some(server.address().to_string().as_str()));
        assert!(only.took.is_some_and(|took| only.request.at() + took <= server.now()));
    }
}

#[tokio::test]
async fn requests_are_numbered_in_all_and_of_their_paths_and_connections() {
    for client in both() {
        let server = Faulty::start(|request| {
            let numbers = (request.number(), request.nth_of_path(), request.nth_of_connection());
            Reply::ok(format!("{numbers:?}"))
        })
        .unwrap();
        for (path, expected) in [("/a", "(0, 0, 0)"), ("/b?x", "(1, 0, 1)"), ("/b", "(2, 1, 2)")] {
            let answer = finishes(client.get(server.url(path)).send()).await.unwrap();
            assert_eq!(finishes(answer.text()).await.unwrap(), expected);
        }
        assert_eq!(server.connections().len(), 1);
        assert_eq!(server.connections()[0].requests, 3);
    }
}

#[tokio::test]
async fn an_echo_is_what_was_sent() {
    for client in both() {
        let server = Faulty::start(|_| Reply::of_body(Reply::ok)).unwrap();
        let sent = text(300_000);
        let answer = client.post(server.url("/")).body(sent.clone()).send();
        assert_eq!(finishes(finishes(answer).await.unwrap().bytes()).await.unwrap(), sent);
        assert_eq!(only(&server).await.body_read, 300_000);
    }
}

#[tokio::test]
async fn frames_come_one_by_one_and_have_no_length() {
    for client in both() {
        let server = Faulty::start(|_| Reply::status(200).frames(["one", "two"])).unwrap();
        let answer = get(&client, &server).await.unwrap();
        assert_eq!(answer.content_length(), None);
        assert_eq!(finishes(answer.text()).await.unwrap(), "onetwo");
        assert_eq!(said(&only(&server).await), (Some(200), 6, End::Answered));
    }
}

#[tokio::test]
async fn a_pause_stands_before_each_piece_but_the_first() {
    const PAUSE: Duration = Duration::from_millis(30);
    for client in both() {
        let server = Faulty::start(|_| Reply::ok(text(30)).pieces(10).pause(PAUSE)).unwrap();
        let mut answer = get(&client, &server).await.unwrap();
        assert_eq!(finishes(answer.chunk()).await.unwrap().unwrap(), text(10));
        assert_eq!(reads(answer).await.0.len(), 20);
        assert!(only(&server).await.took.unwrap() >= 2 * PAUSE);
    }
}

#[tokio::test]
async fn an_answer_waits_for_its_time_and_its_gate() {
    const WAIT: Duration = Duration::from_millis(30);
    for client in both() {
        let gate = Gate::shut();
        let held = gate.clone();
        let server = Faulty::start(move |_| Reply::ok("well").behind(&held).after(WAIT)).unwrap();
        let call = tokio::spawn(client.get(server.url("/")).send());
        finishes(server.sees(1)).await;
        assert_eq!(server.log()[0].end, End::Running);
        let opened = server.now();
        gate.open();
        assert_eq!(finishes(call).await.unwrap().unwrap().status(), 200);
        let only = only(&server).await;
        assert!(only.request.at() + only.took.unwrap() >= opened + WAIT);
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_with_the_client() {
    for client in both() {
        let server = Faulty::start(|_| Reply::never()).unwrap();
        let call = tokio::spawn(client.get(server.url("/")).send());
        finishes(server.sees(1)).await;
        assert_eq!((server.log()[0].end, server.log()[0].took), (End::Running, None));
        call.abort();
        assert_eq!(said(&only(&server).await), (None, 0, End::ClientGone));
    }
}

#[tokio::test]
async fn a_client_that_goes_away_during_a_wait_or_a_pause_is_noticed() {
    for client in both() {
        let replies = [
            Reply::ok("late").after(LONG * 100),
            Reply::ok("late").behind(&Gate::shut()),
            Reply::ok("late").pieces(1).pause(LONG * 100),
            Reply::ok("late").stalls_at(2),
        ];
        for reply in replies {
            let server = Faulty::start(move |_| reply.clone()).unwrap();
            let call = tokio::spawn(get_all(client.clone(), server.url("/")));
            finishes(server.sees(1)).await;
            call.abort();
            assert_eq!(only(&server).await.end, End::ClientGone);
        }
    }
}

async fn get_all(client: reqwest::Client, url: String) {
    let _ = client.get(url).send().await.unwrap().bytes().await;
}

#[tokio::test]
async fn a_body_breaks_off_behind_the_byte_that_is_said() {
    for client in both() {
        let long = Reply::ok(text(100_000));
        for (reply, sent) in [
            (long.clone().closes_at(70_000), 70_000),
            (long.clone().closes_at(0), 0),
            (long.clone().resets_at(1), 1),
            (long.clone().claims(100_001), 100_000),
            (Reply::status(200).endless("abc").closes_at(10), 10),
        ] {
            let is_reset = format!("{reply:?}").contains("Resets");
            let server = Faulty::start(move |_| reply.clone()).unwrap();
            let answer = get(&client, &server).await.unwrap();
            let (read, end) = reads(answer).await;
            assert!(end.is_err(), "of {sent} bytes all were sent");
            // What a reset overtakes is lost.
            assert!(read.len() == sent || is_reset && read.len() < sent, "{} {sent}", read.len());
            let expected = u64::try_from(sent).unwrap();
            let (_, body_sent, end) = said(&only(&server).await);
            assert_eq!(body_sent, expected);
            assert!(end == End::BrokenOff || sent == 100_000);
        }
    }
}

#[tokio::test]
async fn a_body_that_stalls_leaves_what_came_before() {
    for client in both() {
        let server = Faulty::start(|_| Reply::ok(text(50)).stalls_at(20)).unwrap();
        let mut answer = get(&client, &server).await.unwrap();
        assert_eq!(finishes(answer.chunk()).await.unwrap().unwrap(), text(20));
        assert_eq!(server.log()[0].end, End::Running);
        drop(answer);
        assert_eq!(said(&only(&server).await), (Some(200), 20, End::ClientGone));
    }
}

#[tokio::test]
async fn an_endless_body_is_sent_as_long_as_it_is_read() {
    for client in both() {
        let server = Faulty::start(|_| Reply::status(200).endless(text(1_000))).unwrap();
        let mut answer = get(&client, &server).await.unwrap();
        let mut read = 0;
        while read < 10_000_000 {
            read += finishes(answer.chunk()).await.unwrap().unwrap().len();
        }
        drop((answer, client));
        let (_, sent, end) = said(&only(&server).await);
        assert_eq!(end, End::ClientGone);
        assert!(sent >= 10_000_000);
    }
}

#[tokio::test]
async fn what_breaks_off_before_the_head_is_an_error() {
    for client in both() {
        for reply in [
            Reply::closes(),
            Reply::resets(),
            Reply::refuses(),
            Reply::goes_away(),
            Reply::ok("well").half_head(),
            Reply::raw("nonsense, and more of it"),
        ] {
            let server = Faulty::start(move |_| reply.clone()).unwrap();
            get(&client, &server).await.unwrap_err();
            assert_eq!(only(&server).await.end, End::BrokenOff);
        }
    }
}

#[tokio::test]
async fn redirects_and_answers_without_a_body_are_whole() {
    for client in both() {
        let server = Faulty::start(|request| match request.number() {
            0 => Reply::redirect(307, "/there"),
            1 => Reply::status(204),
            2 => Reply::status(304).header("etag", "\"one\""),
            _ => Reply::ok("a body that HEAD does not get"),
        })
        .unwrap();
        let answer = get(&client, &server).await.unwrap();
        assert_eq!(answer.status(), 307);
        assert_eq!(answer.headers()["location"], "/there");
        for status in [204, 304] {
            assert_eq!(get(&client, &server).await.unwrap().status(), status);
        }
        let answer = finishes(client.head(server.url("/")).send()).await.unwrap();
        assert_eq!(answer.headers()["content-length"], "29");
        assert_eq!(finishes(answer.text()).await.unwrap(), "");
        finishes(server.idles()).await;
        assert!(server.log().iter().all(|exchange| exchange.end == End::Answered));
        assert_eq!(server.connections().len(), 1);
    }
}

#[tokio::test]
async fn a_connection_that_takes_no_further_request_says_so() {
    for client in both() {
        let server = Faulty::start(|_| Reply::ok("well").last()).unwrap();
        for connection in 0..3 {
            let answer = get(&client, &server).await.unwrap();
            assert_eq!(finishes(answer.text()).await.unwrap(), "well");
            let before = |all: &[mainstay_testkit::server::Connection]| !all[connection].is_open;
            finishes(server.until_connections(before)).await;
        }
        assert_eq!(server.connections().len(), 3);
    }
}

#[tokio::test]
async fn a_download_that_was_cut_goes_on_where_it_was() {
    for client in both() {
        let file = text(100_000);
        let content = Content::new(file.clone()).etag("\"one\"").last_modified("then");
        let server = Faulty::start(move |request| match request.number() {
            0 => content.answers(request).closes_at(40_000),
            _ => content.answers(request),
        })
        .unwrap();
        let answer = get(&client, &server).await.unwrap();
        assert_eq!(answer.headers()["accept-ranges"], "bytes");
        let etag = answer.headers()["etag"].clone();
        let (mut read, end) = reads(answer).await;
        assert!(end.is_err() && read.len() == 40_000);

        let range = format!("bytes={}-", read.len());
        let request = client.get(server.url("/")).header("range", &range);
        let answer = finishes(request.header("if-range", etag).send()).await.unwrap();
        assert_eq!(answer.status(), 206);
        assert_eq!(answer.headers()["content-range"], "bytes 40000-99999/100000");
        read.extend(finishes(answer.bytes()).await.unwrap());
        assert_eq!(read, file);

        let request = client.get(server.url("/")).header("range", &range);
        let answer = finishes(request.header("if-range", "\"two\"").send()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.content_length()), (200, Some(100_000)));
        let request = client.get(server.url("/")).header("range", "bytes=100000-");
        let answer = finishes(request.send()).await.unwrap();
        assert_eq!(answer.status(), 416);
        assert_eq!(answer.headers()["content-range"], "bytes */100000");
    }
}

#[tokio::test]
async fn a_limit_answers_what_is_too_much_with_a_429_that_says_when() {
    for client in both() {
        let limit = Limit::per(2, Duration::from_secs(3_600));
        let server = Faulty::start(move |request| {
            limit.refuses(request).unwrap_or_else(|| Reply::ok("well"))
        })
        .unwrap();
        for expected in [200, 200, 429] {
            let answer = get(&client, &server).await.unwrap();
            assert_eq!(answer.status(), expected);
            if expected == 429 {
                let seconds: u32 =
                    answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((3_000..=3_600).contains(&seconds));
            }
        }
    }
}

#[tokio::test]
async fn the_same_seed_means_the_same_fate_for_the_same_number() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let builder = Faulty::builder().seed(seed);
        let server = builder.start(|request| {
            let is_ill = request.chance().percent(50.0);
            Reply::status(if is_ill { 503 } else { 200 })
        });
        let (server, client) = (server.unwrap(), http1_client());
        for _ in 0..20 {
            get(&client, &server).await.unwrap();
        }
        let log = server.log();
        runs.push(log.iter().map(|exchange| exchange.status).collect::<Vec<_>>());
    }
    assert!([200, 503].iter().all(|status| runs[0].contains(&Some(*status))));
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}
