// A tower service `client` that answers `42`.
let client = tower::service_fn(|_: http::Request<String>| async {
    let answer = http_body_util::Full::<bytes::Bytes>::from("42");
    Ok::<_, std::convert::Infallible>(http::Response::new(answer))
});
{
    // the sample
}
