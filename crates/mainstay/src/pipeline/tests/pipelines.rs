//! Many pipelines, by the host of the request.

use super::*;

#[tokio::test(start_paused = true)]
async fn each_request_goes_through_the_pipeline_for_its_host() {
    let pipelines = Pipelines::new(PipelineSpec::standard()).unwrap();
    let teapot = FixedAnswer::new(StatusCode::IM_A_TEAPOT);
    let spec = PipelineSpec::named("teapots").fallback(teapot);
    let some = pipelines.add(spec.clone(), ["*.teapot.example"]).unwrap();
    let service = pipelines.layer(service_fn(|_: Request<Body>| async {
        let mut answer = Response::new(Body::default());
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        Ok::<_, Infallible>(answer)
    }));
    let status = async |host: &str| {
        let request = Request::post(format!("https://{host}/")).body(Body::default()).unwrap();
        service.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(status("a.teapot.example").await, StatusCode::IM_A_TEAPOT);
    assert_eq!(status("b.example").await, StatusCode::SERVICE_UNAVAILABLE);
    pipelines.add(spec, ["b.example"]).unwrap();
    assert_eq!(status("a.teapot.example").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status("b.example").await, StatusCode::IM_A_TEAPOT);
    // The other one may have been forgotten when this one came.
    assert!(some.host(&key("b.example")).is_some());

    pipelines.close().await;
    let request = Request::get("https://b.example/").body(Body::default()).unwrap();
    assert!(service.oneshot(request).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn errors_that_can_carry_a_refusal_stay_what_they_are() {
    type Unread = http_body_util::combinators::UnsyncBoxBody<Bytes, crate::BoxError>;

    let pipelines = Pipelines::new(PipelineSpec::standard()).unwrap();
    let service = service_fn(|request: Request<Body>| async move {
        match request.uri().host() {
            Some("broken.example") => Err(crate::BoxError::from("broken")),
            _ => Ok(Response::new(Unread::default())),
        }
    });
    let mut kept = pipelines.keep_error().keep_body_error().layer(service);
    let error = kept.ready().await.unwrap().call(get("broken.example")).await.unwrap_err();
    assert_eq!(error.to_string(), "broken");
    let answer = kept.call(get("a.example")).await.unwrap();
    let read = http_body_util::BodyExt::collect(answer.into_body()).await;
    let read: Result<_, crate::BoxError> = read.map(|body| body.to_bytes());
    assert!(read.unwrap().is_empty());
    let refused = pipelines.keep_body_error().layer(service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(Unread::default()))
    }));
    pipelines.close().await;
    assert!(matches!(refused.oneshot(get("a.example")).await, Err(Error::Refused(_))));
    let error = kept.call(get("a.example")).await.unwrap_err();
    assert!(CallError::refused(&error).is_some());
}

/// A host that goes elsewhere from now on.
#[tokio::test(start_paused = true)]
async fn a_service_that_asks_one_host_only_goes_through_the_pipeline_that_is_for_it_now() {
    let pipelines = Pipelines::new(PipelineSpec::named("others")).unwrap();
    let mut service = pipelines.layer(service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(Body::default()))
    }));
    let mut calls = async || service.ready().await.unwrap().call(get("a.example")).await.unwrap();
    calls().await;
    let own = pipelines.add(PipelineSpec::named("own"), ["a.example"]).unwrap();
    calls().await;
    assert!(own.host(&key("a.example")).is_some());
}
