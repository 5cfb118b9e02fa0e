use http::{Request, Response};
use mainstay::Over;
use mainstay::concurrency::{Concurrency, ConcurrencyLayer};

fn main() {
    let server = tower::service_fn(|_: Request<String>| async {
        Ok::<_, std::io::Error>(Response::new(String::new()))
    });
    let limit = ConcurrencyLayer::new(Concurrency::limit(1)).unwrap();
    let _ = limit.over(server);
}
