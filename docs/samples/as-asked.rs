// The pipeline of the sample's `client` has no finding; in time that takes no time it waits as long
// as a server asks, and gives a `POST` one attempt.
// the sample
let again = |status: u16| http::Response::builder().status(status);
let body = http_body_util::Full::<bytes::Bytes>::from;
let script = mainstay_testkit::Script::<http::Request<reqwest::Body>, _, std::io::Error>::strict([
    mainstay_testkit::Step::answers(again(502).body(body(""))?),
    mainstay_testkit::Step::answers(again(429).header("retry-after", "7").body(body(""))?),
    mainstay_testkit::Step::fails(std::io::ErrorKind::ConnectionReset.into()),
    mainstay_testkit::Step::answers(again(200).body(body("well"))?),
    mainstay_testkit::Step::answers(again(502).body(body(""))?),
]);
let pipeline = client.pipeline().clone();
assert!(pipeline.spec().lint().is_empty(), "{:?}", pipeline.spec().lint());
let client = mainstay::client::Client::builder().pipeline(pipeline).over(script.service()).build()?;
mainstay_testkit::instantly(async {
    let before = tokio::time::Instant::now();
    let answer = client.get("https://api.example.com/users/1").send().await?;
    assert!(before.elapsed() >= std::time::Duration::from_secs(7));
    assert_eq!(answer.text().await?, "well");
    let posted = client.post("https://api.example.com/users").send().await?;
    assert_eq!(posted.status(), 502);
    Ok::<(), mainstay::BoxError>(())
})?;
