// Afterwards has the `service` of the sample answer a request.
// the sample
let called = tower::ServiceExt::oneshot(service, http::Request::new(String::new())).await?;
