//! Which requests may be sent again, and after which ends?
//!
//! `cargo run --example what_may_be_repeated`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::io;

use http::{HeaderMap, Method, Request, StatusCode};
use mainstay::http::{About, Attempt, End, Failure, Http, RetryRules, ServerWord, When};

fn main() -> Result<(), http::Error> {
    let http = Http::new();
    let key = ("idempotency-key", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"");
    let requests = [
        ("GET", http.about(&Request::get("/orders").body(())?)),
        ("POST", http.about(&Request::post("/orders").body(())?)),
        ("POST with a key", http.about(&Request::post("/orders").header(key.0, key.1).body(())?)),
    ];

    show("By the standard rules", &RetryRules::standard(), &requests);
    let rules = RetryRules::standard()
        .status(StatusCode::CONFLICT, When::Always)
        .idempotent(Method::POST)
        .obey(ServerWord::XShouldRetry);
    show("Where POST is idempotent, 409 a lock, and the server has a word", &rules, &requests);
    Ok(())
}

fn show(title: &str, rules: &RetryRules, requests: &[(&str, About)]) {
    let (silent, mut no) = (HeaderMap::new(), HeaderMap::new());
    no.insert("x-should-retry", http::HeaderValue::from_static("false"));
    let answer = |status| End::answer(status, &silent);
    let failed = |kind: io::ErrorKind| End::Failure(Failure::of(&io::Error::from(kind)));
    let ends = [
        ("404 Not Found", answer(StatusCode::NOT_FOUND)),
        ("409 Conflict", answer(StatusCode::CONFLICT)),
        ("429 Too Many Requests", answer(StatusCode::TOO_MANY_REQUESTS)),
        ("503 Service Unavailable", answer(StatusCode::SERVICE_UNAVAILABLE)),
        ("503, x-should-retry: false", End::answer(StatusCode::SERVICE_UNAVAILABLE, &no)),
        ("connection refused", failed(io::ErrorKind::ConnectionRefused)),
        ("connection reset", failed(io::ErrorKind::ConnectionReset)),
    ];

    println!("{title}:");
    print!("{:30}", "");
    requests.iter().for_each(|(name, _)| print!("{name:18}"));
    println!();
    for (name, end) in ends {
        print!("  {name:28}");
        for (_, about) in requests {
            let is_idempotent = about.is_idempotent() || rules.is_idempotent(about.method());
            let attempt = Attempt::new(about.method(), is_idempotent, end);
            print!("{:18}", if rules.may_repeat(&attempt) { "again" } else { "no" });
        }
        println!();
    }
    println!();
}
