use std::time::Duration;

use http::{Request, Response};
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};
use mainstay::timeout::TimeoutLayer;
use mainstay::{LiftLayer, Over};
use tower::{Layer, ServiceBuilder, ServiceExt};

fn main() {
    let parse = tower::service_fn(|text: &'static str| async move { text.parse::<u32>() });
    let lifted = LiftLayer::new().layer(parse);
    let _ = TimeoutLayer::new(Duration::from_secs(5)).over(lifted).oneshot("7");

    let server = tower::service_fn(|_: Request<String>| async {
        Ok::<_, std::io::Error>(Response::new(String::new()))
    });
    let limit = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
    let lifted = ServiceBuilder::new().layer(LiftLayer::new()).service(server);
    let stack = ServiceBuilder::new().layer(TimeoutLayer::new(Duration::from_secs(5)));
    let _ = stack.layer(limit).over(lifted).oneshot(Request::new(String::new()));
}
