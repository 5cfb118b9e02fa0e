//! What a run says of itself while it goes on.

use std::net::TcpListener;
use std::time::Duration;

use mainstay_testkit::server::{Faulty, Reply};

use crate::{Dir, run};

#[test]
fn no_end_is_promised_to_those_that_wait_for_a_host_that_is_down() {
    let api = Faulty::start(|request| match request.path() {
        "/last" => Reply::ok("").after(Duration::from_secs(3)),
        _ => Reply::never(),
    });
    let api = api.unwrap();
    // A port that was free a moment ago, and nobody is told of.
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut urls = vec![api.url("/last")];
    urls.extend((0..40).map(|number| api.url(&format!("/{number}"))));
    urls.extend((0..60).map(|number| format!("http://{down}/{number}")));
    let dir = Dir::new("progress");
    let input = dir.file("urls.txt", &urls.join("\n"));
    let ran = run(["fetch", "--input", &input, "--first", "--progress", "always"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains(" of 101, "), "{}", ran.err);
    assert!(ran.err.contains("/s, over "), "{}", ran.err);
}
