// Twenty `urls` of each of two hosts, which the sample calls four at a time, or fewer.
let start = || {
    use mainstay_testkit::server::{Faulty, Reply};
    Faulty::start(|_| Reply::ok("a page").after(std::time::Duration::from_millis(20)))
};
let (one, other) = (start()?, start()?);
let urls: Vec<_> = (0..40).map(|n| [&one, &other][n % 2].url("/")).collect();
let before = tokio::time::Instant::now();
// the sample
assert!(before.elapsed() >= 5 * std::time::Duration::from_millis(20), "four at a time");
assert_eq!((one.requests(), other.requests()), (20, 20));
