//! What arrives, and what comes back.

use std::collections::BTreeMap;

use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use hyper_util::rt::TokioExecutor;
use mainstay::observe::CallReport;
use tower::{Service, ServiceExt, service_fn};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Answers with what it got: the request line, the fields that begin with `x-`, the body.
async fn echo() -> Server {
    Server::answers(Speaks::Http1, |_, request| async move {
        let (head, body) = request.into_parts();
        let mut text = format!("{} {}\n", head.method, head.uri);
        for (name, value) in &head.headers {
            if !["host", "content-length", "transfer-encoding"].contains(&name.as_str()) {
                text += &format!("{name}: {}\n", value.to_str().unwrap());
            }
        }
        text += &String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes());
        Response::builder().header("content-type", "text/plain").body(Full::from(text)).unwrap()
    })
    .await
}

#[tokio::test]
async fn a_request_arrives_as_it_was_put_together() {
    let server = echo().await;
    let client = builder()
        .base_url(format!("{}v1", server.url))
        .default_header("x-default", "kept")
        .default_header("accept", "text/plain")
        .user_agent("tests/1")
        .build()
        .unwrap();
    let answer = client
        .post("/users")
        .query(&[("page", "2"), ("name", "a b")])
        .header("x-default", "its own")
        .bearer_auth("a-token")
        .json(&BTreeMap::from([("name", "Ana")]))
        .send();
    let answer = finishes(answer).await.unwrap();
    assert_eq!(answer.url().as_str(), format!("{}v1/users?page=2&name=a+b", server.url));
    assert_eq!(
        finishes(answer.text()).await.unwrap(),
        "POST /v1/users?page=2&name=a+b\nx-default: its own\nauthorization: Bearer a-token\n\
         content-type: application/json\naccept: text/plain\nuser-agent: tests/1\n{\"name\":\"Ana\"}"
    );

    let form = finishes(client.put("forms").form(&[("a", "1 2")]).send()).await.unwrap();
    let text = finishes(form.text()).await.unwrap();
    assert!(text.starts_with("PUT /v1/forms\n") && text.ends_with("\na=1+2"), "{text}");
    assert!(text.contains("x-default: kept\n"), "{text}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn all_values_of_a_default_field_are_sent_or_none_of_them() {
    let server = echo().await;
    let mut fields = HeaderMap::new();
    for (name, value) in [("x-tag", "one"), ("x-other", "1"), ("x-tag", "two"), ("x-tag", "three")]
    {
        fields.append(name, value.parse().unwrap());
    }
    let client = builder().base_url(&server.url).default_headers(fields).build().unwrap();
    let tags = |text: String| {
        let lines = text.lines().filter_map(|line| line.strip_prefix("x-tag: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for (call, arrive) in [
        (client.get("/"), &["one", "two", "three"][..]),
        (client.get("/").header("x-tag", "its own"), &["its own"]),
    ] {
        let text = finishes(finishes(call.send()).await.unwrap().text()).await.unwrap();
        assert_eq!(tags(text), arrive);
    }
}

#[tokio::test]
async fn a_file_of_many_parts_arrives() {
    let server = echo().await;
    let form = reqwest::multipart::Form::new().text("name", "Ana").text("city", "Sines");
    let answer = finishes(client().post(&server.url).multipart(form).send()).await.unwrap();
    let text = finishes(answer.text()).await.unwrap();
    assert!(text.contains("name=\"name\"\r\n\r\nAna\r\n"), "{text}");
    assert!(text.contains("name=\"city\"\r\n\r\nSines\r\n"), "{text}");
}

#[tokio::test]
async fn a_user_in_the_url_is_who_asks_and_is_not_in_the_url_any_more() {
    let server = echo().await;
    let url = server.url.replace("http://", "http://ana:secret@");
    let answer = finishes(client().get(url).send()).await.unwrap();
    assert_eq!(answer.url().as_str(), server.url);
    let text = finishes(answer.text()).await.unwrap();
    assert!(text.contains("authorization: Basic YW5hOnNlY3JldA=="), "{text}");
}

#[tokio::test]
async fn a_user_in_the_base_is_who_asks_whoever_makes_the_request() {
    let server = echo().await;
    let base = server.url.replace("http://", "http://ana:secret@");
    let client = builder().base_url(base).build().unwrap();
    let basic = "authorization: Basic YW5hOnNlY3JldA==";
    let get = |own: Option<&str>| {
        let request = own
            .into_iter()
            .fold(Request::get("/x"), |request, own| request.header("authorization", own));
        client.service().oneshot(request.body(reqwest::Body::default()).unwrap())
    };
    let text = finishes(client.get("/x").send()).await.unwrap().text();
    assert!(finishes(text).await.unwrap().contains(basic));
    for (own, arrives) in [(None, basic), (Some("its own"), "authorization: its own")] {
        let body = finishes(get(own)).await.unwrap().into_body().collect();
        let text = finishes(body).await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains(arrives) && text.matches("authorization").count() == 1, "{text}");
    }
}

#[tokio::test]
async fn json_is_read_into_what_is_asked_for() {
    let server = Server::answers(Speaks::Http1, |_, _| async {
        Response::new(Full::<Bytes>::from("{\"id\":\"7\",\"name\":\"Ana\"}"))
    })
    .await;
    let client = builder().base_url(&server.url).build().unwrap();
    let user = finishes(client.get("/users/7").send()).await.unwrap();
    let user: BTreeMap<String, String> = finishes(user.json()).await.unwrap();
    assert_eq!(user["name"], "Ana");
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_known() {
    let server = Server::answers(server::HTTP2, |_, request| async move {
        Response::new(Full::<Bytes>::from(format!("{:?}", request.version())))
    })
    .await;
    let client = builder().http2_prior_knowledge().build().unwrap();
    let answer = finishes(client.get(&server.url).send()).await.unwrap();
    assert_eq!(finishes(answer.text()).await.unwrap(), "HTTP/2.0");
}

/// Paused time, and no socket.
#[tokio::test(start_paused = true)]
async fn a_mock_stands_in_for_a_server() {
    #[derive(Clone, PartialEq, Debug)]
    struct Tenant(&'static str);

    let mock = service_fn(|request: Request<reqwest::Body>| async move {
        let tenant = request.extensions().get::<Tenant>().cloned();
        let said = format!("{} of {tenant:?}", request.uri());
        Ok::<_, std::convert::Infallible>(Response::new(said))
    });
    let client = Client::builder().base_url("https://mock/v1").over(mock).build().unwrap();
    let answer = client.get("users").extension(Tenant("acme")).send().await.unwrap();
    assert_eq!(answer.url().as_str(), "https://mock/v1/users");
    assert_eq!(answer.text().await.unwrap(), "https://mock/v1/users of Some(Tenant(\"acme\"))");
}

#[tokio::test]
async fn hyper_s_client_can_stand_at_the_bottom() {
    let (server, counts) = statuses(&[503, 200]).await;
    let hyper = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .retry_canceled_requests(false)
        .build_http::<reqwest::Body>();
    let client = builder().over(hyper).build().unwrap();
    let answer = finishes(client.get(&server.url).send()).await.unwrap();
    assert_eq!((answer.status().as_u16(), counts.take()), (200, 2));
    assert_eq!(answer.url().as_str(), server.url);

    let safe = server.url.replace("http://", "https://");
    let error = finishes(client.get(safe).send()).await.unwrap_err();
    assert_eq!(error.cause(), mainstay::http::Cause::Connect);
    assert!(error.to_string().ends_with("brings TLS, such as `rustls`"), "{error}");
}

#[tokio::test]
async fn it_is_a_service_of_tower_s_whose_calls_may_say_what_they_want() {
    use mainstay::http::CallOptions;
    use mainstay::observe::WithReport;

    let server = echo().await;
    let client = builder()
        .base_url(&server.url)
        .default_header("x-default", "kept")
        .timeout(LONG)
        .build()
        .unwrap();
    let mut service = client.service();
    let mut request = Request::post("/users?page=2").body("in memory".into()).unwrap();
    request.extensions_mut().insert(CallOptions::new().within(LONG / 2).cost(2));
    request.extensions_mut().insert(WithReport);
    let answer = finishes(service.ready().await.unwrap().call(request)).await.unwrap();
    assert_eq!(answer.extensions().get::<CallReport>().unwrap().attempts(), 1);
    let text = finishes(answer.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(text, "POST /users?page=2\nx-default: kept\naccept: */*\nin memory");

    let mut late = Request::get("/").body("".into()).unwrap();
    late.extensions_mut().insert(CallOptions::new().within(Duration::ZERO));
    let error = finishes(service.call(late)).await.unwrap_err();
    assert_eq!(error.refused().unwrap().reason(), mainstay::Reason::Deadline);
}

/// Paused time, and no socket.
#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_request_that_is_built_and_executed_is_that_of_its_call() {
    let silent = service_fn(|_: Request<reqwest::Body>| async {
        std::future::pending::<Result<Response<String>, std::convert::Infallible>>().await
    });
    let client = Client::builder().over(silent).build().unwrap();
    let request = client.get("http://silent/").timeout(12 * SECOND).build().unwrap();
    assert_eq!(request.timeout(), Some(&(12 * SECOND)));
    let began = tokio::time::Instant::now();
    let error = finishes(client.execute(request)).await.unwrap_err();
    assert!(error.is_timeout() && began.elapsed() == 12 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_request_of_reqwest_s_is_sent_as_it_is() {
    let server = echo().await;
    let mut request = reqwest::Request::new(http::Method::GET, server.url.parse().unwrap());
    *request.headers_mut() = HeaderMap::from_iter([(
        http::HeaderName::from_static("x-one"),
        http::HeaderValue::from_static("1"),
    )]);
    let answer = finishes(client().execute(request)).await.unwrap();
    assert_eq!(finishes(answer.text()).await.unwrap(), "GET /\nx-one: 1\naccept: */*\n");
}
