//! What do the header fields of well-known services ask of a caller, and what does reading cost?
//!
//! `cargo run --release --example what_does_a_server_ask`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Response};
use mainstay::Error;
use mainstay::http::{Hints, Http, Scope};

/// What comes with nearly every answer.
const ORDINARY: &str = "date: Sat, 21 Nov 2026 12:00:00 GMT
content-type: application/json
content-length: 1834
server: nginx
vary: accept-encoding
etag: W/\"72a\"
cache-control: private, max-age=0
x-request-id: 8e03978e-40d5-43dd-bc93-6894a57f9324";

const SERVICES: [(&str, u16, &str); 10] = [
    ("nothing", 200, ""),
    ("a 503", 503, "retry-after: 120"),
    ("a 503 with a date", 503, "retry-after: Sat, 21 Nov 2026 12:01:30 GMT"),
    (
        "GitHub",
        403,
        "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1795263600\nx-ratelimit-resource: core",
    ),
    (
        "Discord",
        429,
        "retry-after: 65\nx-ratelimit-remaining: 0\nx-ratelimit-reset-after: 64.57\nx-ratelimit-scope: user",
    ),
    (
        "OpenAI",
        200,
        "x-ratelimit-remaining-requests: 59\nx-ratelimit-reset-requests: 1s\nx-ratelimit-remaining-tokens: 149984\nx-ratelimit-reset-tokens: 6m0s",
    ),
    (
        "Anthropic",
        429,
        "anthropic-ratelimit-requests-remaining: 0\nanthropic-ratelimit-requests-reset: 2026-11-21T12:00:42Z",
    ),
    ("Azure", 429, "retry-after-ms: 2500\nretry-after: 3"),
    ("Shopify", 429, "retry-after: 2.0\nx-shopify-shop-api-call-limit: 40/40"),
    ("the draft", 200, "ratelimit-policy: \"burst\";q=100;w=60\nratelimit: \"burst\";r=3;t=27"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{:19}{:>6}  {:>9}  {:24}{:>10}", "who", "status", "wait", "left", "reading");
    for (who, status, fields) in SERVICES {
        let answer = answer(status, fields)?;
        let hints = Hints::read(answer.headers());
        let wait = hints.wait().map_or_else(|| "-".to_owned(), |wait| format!("{wait:?}"));
        let cost = cost(&answer)?;
        println!("{who:19}{status:>6}  {wait:>9}  {:24}{cost:>7} ns", left(&hints));
    }
    println!("\nReading is all that judging an answer takes: outcome, repeat and hints.");
    Ok(())
}

fn left(hints: &Hints) -> String {
    let Some(quota) = hints.quota() else { return "-".to_owned() };
    let of = match &quota.scope {
        Scope::Named(name) => format!(" of {name}"),
        Scope::Unsaid => String::new(),
        scope => format!(" of {scope:?}").to_lowercase(),
    };
    match quota.reset {
        Some(reset) => format!("{}{of}, for {reset:?}", quota.left),
        None => format!("{}{of}", quota.left),
    }
}

fn answer(status: u16, fields: &str) -> Result<Response<()>, Box<dyn std::error::Error>> {
    let mut headers = HeaderMap::new();
    for line in ORDINARY.lines().chain(fields.lines()) {
        let (name, value) = line.split_once(": ").ok_or("a field is a name and a value")?;
        headers.append(http::HeaderName::try_from(name)?, value.parse()?);
    }
    let mut answer = Response::builder().status(status).body(())?;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// The best of several rounds, which noise can only make worse.
#[expect(clippy::disallowed_methods, reason = "it measures what the clock on the wall sees")]
fn cost(answer: &Response<()>) -> Result<u128, http::Error> {
    const ROUNDS: u32 = 2_000;

    let (http, request) = (Http::new(), Request::get("https://api.example.com/").body(())?);
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            let about = http.about(black_box(&request));
            let _ = black_box(http.end(&about, Ok::<_, &Error<io::Error>>(black_box(answer))));
        }
        best = best.min(start.elapsed());
    }
    Ok(best.as_nanos() / u128::from(ROUNDS))
}
