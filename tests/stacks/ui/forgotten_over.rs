use std::time::Duration;

use mainstay::Over;
use mainstay::timeout::TimeoutLayer;

fn main() {
    let parse = tower::service_fn(|text: &'static str| async move { text.parse::<u32>() });
    let _ = TimeoutLayer::new(Duration::from_secs(5)).over(parse);
}
