//! How do I protect a server of mine?
//!
//! `cargo run --example how_do_i_protect_my_server`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::error::Error;
use std::future::IntoFuture;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::routing::get;
use mainstay::LiftLayer;
use mainstay::client::Client;
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
use mainstay::deadline::DeadlineLayer;
use mainstay::guard::{GuardLayer, PerKey};
use mainstay::http::{AnswerRefusalsLayer, Key};
use mainstay::policy::SettingsError;
use mainstay::rate_limit::{RateLimit, RateLimitGuard};
use mainstay_testkit::server::{Faulty, Reply};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tower::ServiceBuilder;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // What our server asks in its turn, and which takes its time.
    let users = Faulty::start(|_| Reply::ok("Ana").after(Duration::from_millis(100)))?;
    let asks = client(users.url("/"))?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, app(asks.clone())?).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(server.into_future());

    // One user asks ten times, at three a second; another one is not held up by that.
    let http = reqwest::Client::builder().no_proxy().build()?;
    let search = |user: &'static str| {
        http.get(format!("{url}/search")).header(header::AUTHORIZATION, user).send()
    };
    for user in ["ana", "ana", "ana", "ana", "ben"] {
        let answer = search(user).await?;
        let after = answer.headers().get(header::RETRY_AFTER);
        println!("search by {user}: {}, Retry-After: {after:?}", answer.status());
    }

    // Two requests at once are worked on and one waits; who comes beyond that is told so at once.
    let mut calls = JoinSet::new();
    for _ in 0..5 {
        calls.spawn(http.get(format!("{url}/user")).send());
    }
    for answer in calls.join_all().await {
        println!("a user: {}", answer?.status());
    }

    let _ = stop.send(());
    server.await??;
    asks.pipeline().close().await; // after the server, whose last handlers still ask
    println!("closed");
    Ok(())
}

fn client(url: String) -> Result<Client, Box<dyn Error>> {
    Ok(Client::builder().base_url(url).reqwest(reqwest::ClientBuilder::no_proxy).build()?)
}

fn app(users: Client) -> Result<Router, SettingsError> {
    // `AnswerRefusalsLayer` outermost, `LiftLayer` innermost; what may refuse stands between them.
    let slots = Concurrency::limit(2).max_waiting(1).max_wait(Duration::from_secs(1));
    let few = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::new())
        .layer(ConcurrencyLayer::new(slots)?)
        .layer(DeadlineLayer::new(Duration::from_millis(300))) // with all that a request asks
        .layer(LiftLayer::new());

    let user = |request: &Request| {
        let user = request.headers().get(header::AUTHORIZATION);
        Key::new(user.and_then(|user| user.to_str().ok()).unwrap_or("nobody"))
    };
    let limit = RateLimit::per_second(3).burst(3);
    let each = PerKey::try_each_by(user, move || Ok(RateLimitGuard::new(limit)?.max_waiting(0)))?;
    let fair = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::new())
        .layer(GuardLayer::new(each))
        .layer(LiftLayer::new());

    Ok(Router::new()
        .route("/user", get(one).layer(few))
        .route("/search", get(|| async { "found" }).layer(fair))
        .with_state(users))
}

/// Its calls end when the time of the request does.
async fn one(State(users): State<Client>) -> Result<String, StatusCode> {
    let answer = users.get("/users/1").send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    answer.text().await.map_err(|_| StatusCode::BAD_GATEWAY)
}
