use std::time::Duration;

use mainstay::timeout::TimeoutLayer;
use tower::{Service, ServiceBuilder};

fn takes<S: Service<&'static str>>(_: S) {}

fn main() {
    let parse = tower::service_fn(|text: &'static str| async move { text.parse::<u32>() });
    takes(ServiceBuilder::new().layer(TimeoutLayer::new(Duration::from_secs(5))).service(parse));
}
