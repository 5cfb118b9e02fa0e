//! Redirects, each a call of its own.

use http::{Request, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use mainstay::client::Reported;
use mainstay::http::Cause;

use super::*;
use crate::socket::nobody;

/// Leads from `/<status>/<rest>` to `rest`, and says what arrives anywhere else.
async fn leads() -> Server {
    Server::answers(Speaks::Http1, |_, request: Request<Incoming>| async move {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        if let Some((status, to)) = path.split_once('/') {
            let to = if to.contains(':') { to.to_owned() } else { format!("/{to}") };
            let answer = Response::builder().status(status.parse::<u16>().unwrap());
            return answer.header("location", to).body(Full::default()).unwrap();
        }
        let secret = request.headers().get(header::AUTHORIZATION);
        let secret = secret.map_or("-", |value| value.to_str().unwrap()).to_owned();
        let kind = request.headers().contains_key(header::CONTENT_TYPE);
        let method = request.method().clone();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Response::new(Full::from(format!("{method} /{path} {secret} {kind} {body:?}")))
    })
    .await
}

async fn text(response: reqwest::Response) -> String {
    finishes(response.text()).await.unwrap()
}

#[tokio::test]
async fn none_is_followed_unless_it_is_said_how_many() {
    let server = leads().await;
    let client = builder().base_url(&server.url).build().unwrap();
    let answer = finishes(client.get("/302/here").send()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["location"]),
        (302, &"/here".parse().unwrap())
    );
    let answer = finishes(client.get("/302/here").redirects(1).send()).await.unwrap();
    assert_eq!(answer.url().path(), "/here");
    assert_eq!(text(answer).await, "GET /here - false \"\"");
}

#[tokio::test]
async fn what_is_asked_by_and_sent_along_is_as_the_status_says() {
    let server = leads().await;
    let client = builder().base_url(&server.url).redirects(3).build().unwrap();
    for (status, arrives) in [
        (301, "GET /here - false \"\""),
        (302, "GET /here - false \"\""),
        (303, "GET /here - false \"\""),
        (307, "POST /here - true \"\\\"well\\\"\""),
        (308, "POST /here - true \"\\\"well\\\"\""),
    ] {
        let answer = finishes(client.post(format!("/{status}/here")).json("well").send()).await;
        assert_eq!(text(answer.unwrap()).await, arrives, "{status}");
    }
    let put = finishes(client.put("/301/302/308/here").body("well").send()).await.unwrap();
    assert_eq!(text(put).await, "PUT /here - false \"well\"");
    let stream = || reqwest::Body::wrap(Full::<Bytes>::from("once"));
    let gone = finishes(client.put("/307/here").body(stream()).send()).await.unwrap();
    assert_eq!(gone.status(), 307, "the body is gone, so the answer is the answer");
    let seen = finishes(client.put("/303/here").body(stream()).send()).await.unwrap();
    assert_eq!(text(seen).await, "GET /here - false \"\"");
}

#[tokio::test]
async fn a_secret_stays_with_the_host_that_it_was_meant_for() {
    let (here, there) = (leads().await, leads().await);
    let client = builder().redirects(3).build().unwrap();
    let get = |url: String| client.get(url).bearer_auth("secret").send();
    let answer = finishes(get(format!("{}302/303/end", here.url))).await.unwrap();
    assert_eq!(text(answer).await, "GET /end Bearer secret false \"\"");
    let answer = finishes(get(format!("{}302/{}end", here.url, there.url))).await.unwrap();
    assert_eq!(text(answer).await, "GET /end - false \"\"");
}

/// reqwest adds its own default fields to each request, and each hop is one.
#[test]
fn a_secret_that_would_go_wherever_a_redirect_leads_is_refused() {
    let with = |name: &'static str, value: &'static str| {
        let fields = http::HeaderMap::from_iter([(
            header::HeaderName::from_static(name),
            header::HeaderValue::from_static(value),
        )]);
        builder().reqwest(|reqwest| reqwest.default_headers(fields)).build()
    };
    for name in ["authorization", "cookie", "proxy-authorization"] {
        let error = with(name, "tell-nobody").unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{name}` among reqwest's own")), "{error}");
        assert!(!error.contains("tell-nobody"), "{error}");
    }
    assert!(with("x-note", "\"authorization\": ").is_ok());
}

#[tokio::test]
async fn one_too_many_and_one_that_leads_nowhere_are_errors() {
    let server = leads().await;
    let client = builder().base_url(&server.url).redirects(2).build().unwrap();
    let error = finishes(client.get("/302/302/302/end").send()).await.unwrap_err();
    assert_eq!((error.cause(), error.attempts()), (Cause::Redirects, 3));
    let why = std::error::Error::source(&error).unwrap();
    assert!(why.source().is_none());
    assert_eq!(why.to_string(), "2 redirects were followed, and there is another one");
    let error = finishes(client.get("/302/ftp://there/").send()).await.unwrap_err();
    assert_eq!((error.cause(), error.attempts()), (Cause::Redirects, 1));
}

/// reqwest's own redirects are inside of an attempt: there this POST would be sent twice.
#[tokio::test]
async fn a_post_is_not_sent_again_because_what_it_led_to_failed() {
    let (_port, dead) = nobody();
    let counts = Counts::default();
    let counted = counts.clone();
    let server = Server::answers(Speaks::Http1, move |_, _| {
        counted.one_more();
        let to = dead.clone();
        async move {
            let answer = Response::builder().status(303).header("location", to);
            answer.body(Full::<Bytes>::default()).unwrap()
        }
    })
    .await;
    let client = builder().redirects(5).build().unwrap();
    let call = client.post(&server.url).body("pay").report().send();
    let error = finishes(call).await.unwrap_err();
    assert_eq!((error.cause(), counts.take()), (Cause::Connect, 1));
    assert_eq!(error.attempts(), 4, "the POST, and three attempts of the GET that followed");
}

/// Each hop asks the guards of its own host.
#[tokio::test]
async fn every_host_on_the_way_is_known_to_the_pipeline() {
    let (here, there) = (leads().await, leads().await);
    let client = builder().redirects(3).build().unwrap();
    let call = client.get(format!("{}302/{}end", here.url, there.url)).report();
    let answer = finishes(call.send()).await.unwrap();
    assert_eq!(client.pipeline().hosts().len(), 2);
    assert_eq!(answer.report().unwrap().outcome(), mainstay::policy::Outcome::Success);
}

/// Paused time, and no socket.
#[tokio::test(start_paused = true)]
async fn all_that_are_followed_have_one_deadline_together() {
    let goes_on = tower::service_fn(|_: Request<reqwest::Body>| async {
        tokio::time::sleep(7 * LONG / 60).await;
        let answer = Response::builder().status(302).header("location", "/on");
        Ok::<_, std::convert::Infallible>(answer.body(Full::<Bytes>::default()).unwrap())
    });
    let client = builder().over(goes_on).redirects(20).build().unwrap(); // of 30 s
    let own = PipelineSpec::named("own").deadline(LONG).build().unwrap();
    for (call, ends) in [
        (client.get("http://mock/"), LONG / 2),
        (client.get("http://mock/").timeout(LONG / 6), LONG / 6),
        (client.get("http://mock/").timeout(LONG), LONG / 2),
        (client.get("http://mock/").pipeline(&own), LONG),
    ] {
        let began = tokio::time::Instant::now();
        let error = call.send().await.unwrap_err();
        assert_eq!((error.refused().unwrap().layer(), began.elapsed()), ("deadline", ends));
    }
}

/// What reqwest is told of redirects and retries does not count.
#[tokio::test]
async fn reqwest_s_own_redirects_stay_off() {
    let server = leads().await;
    let client = builder()
        .reqwest(|reqwest| reqwest.redirect(reqwest::redirect::Policy::limited(5)))
        .base_url(&server.url)
        .build()
        .unwrap();
    assert_eq!(finishes(client.get("/302/here").send()).await.unwrap().status(), 302);
}
