//! One span for each call.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio_test::{assert_pending, task};

use super::listener::Listener;
use super::*;
use crate::deadline::DeadlineLayer;

#[tokio::test(start_paused = true)]
async fn the_span_says_where_the_call_went_how_it_ended_and_what_it_took() {
    let (listener, _guard) = Listener::listens();
    let layer = ObserveLayer::new().named("users");
    layer.layer(at_the_second_attempt()).oneshot(get()).await.unwrap();

    let told = listener.told();
    let fields: Vec<_> = told.spans[0].iter().map(|(name, value)| (*name, &**value)).collect();
    assert_eq!(
        fields,
        [
            ("http.request.method", "GET"),
            ("http.response.status_code", "200"),
            ("mainstay.attempts", "2"),
            ("mainstay.name", "users"),
            ("mainstay.outcome", "success"),
            ("mainstay.waited", "0.1"),
            ("server.address", "api.example.com"),
            ("server.port", "443"),
        ]
    );
    assert_eq!((told.spans.len(), told.closed), (1, 1));
    assert!(told.events.iter().all(|(_, span, _)| *span == Some(1)), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_query_a_user_or_a_header_is_in_any_field() {
    let (listener, _guard) = Listener::listens();
    let mut request = get();
    request.headers_mut().insert("authorization", "Bearer secret".parse().unwrap());
    let layer = ObserveLayer::new().report(true);
    layer.layer(at_the_second_attempt()).oneshot(request).await.unwrap();
    let told = format!("{:?}", listener.told());
    assert!(told.contains("api.example.com"), "{told}");
    for private in ["secret", "ana", "token", "users", "Bearer"] {
        assert!(!told.contains(private), "{private} in {told}");
    }
}

#[tokio::test]
async fn the_type_of_an_error_is_its_status_its_refusal_or_its_cause() {
    let (listener, _guard) = Listener::listens();
    let error_type = |told: listener::Told| told.spans[0]["error.type"].clone();
    let layer = ObserveLayer::new();

    let ill = layer.layer(stack(|_| async { status(503) }));
    ill.oneshot(get()).await.unwrap();
    assert_eq!(error_type(listener.told()), "503");

    let grpc = layer.layer(stack(|_| async {
        let head = Response::builder().version(::http::Version::HTTP_2);
        let head = head.header("content-type", "application/grpc");
        Ok(head.header("grpc-status", "14").body(String::new()).unwrap())
    }));
    grpc.oneshot(get()).await.unwrap();
    assert_eq!(error_type(listener.told()), "transient");

    let refusing = layer.layer(stack(|_| async { Err(open().into()) }));
    refusing.oneshot(get()).await.unwrap_err();
    let told = listener.told();
    assert_eq!(told.spans[0]["mainstay.attempts"], "0");
    assert_eq!(error_type(told), "open");

    let reset = std::io::ErrorKind::ConnectionReset;
    let broken =
        service_fn(
            move |_: Req| async move { Err::<Response<()>, _>(std::io::Error::from(reset)) },
        );
    let broken = layer.layer(LiftLayer::new().layer(broken));
    broken.oneshot(get()).await.unwrap_err();
    assert_eq!(error_type(listener.told()), "broken");
}

#[tokio::test]
async fn a_call_that_is_dropped_was_abandoned_and_what_its_drop_tells_is_in_its_span() {
    struct Tells;
    impl Drop for Tells {
        fn drop(&mut self) {
            tell(Event::Refused(&open()));
        }
    }
    let (listener, _guard) = Listener::listens();
    let hangs = stack(|_| async {
        let _tells = Tells;
        std::future::pending().await
    });
    let mut call = task::spawn(ObserveLayer::new().layer(hangs).call(get()));
    assert_pending!(call.poll());
    drop(call);
    let told = listener.told();
    assert_eq!(told.spans[0]["mainstay.outcome"], "abandoned");
    assert_eq!((told.events.len(), told.events[0].1), (1, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_deadline_ends_has_timed_out() {
    let (layer, reports) = reporting();
    let call =
        DeadlineLayer::new(ms(100)).layer(layer.layer(stack(|_| std::future::pending::<Answer>())));
    assert!(call.oneshot(get()).await.is_err());
    assert_eq!(only(&reports).outcome(), Outcome::Transient);
}

#[test]
fn a_panic_passes_on_and_ends_the_span() {
    let (listener, _guard) = Listener::listens();
    let (layer, reports) = reporting();
    let mut panics = layer.layer(stack(|_| async { panic!("inside") }));
    let mut call = task::spawn(panics.call(get()));
    assert!(catch_unwind(AssertUnwindSafe(|| call.poll())).is_err());
    assert!(!log::is_kept(), "what comes after is of no call");
    assert_eq!(only(&reports).outcome(), Outcome::Transient);
    drop(call);
    assert_eq!(reports.lock().unwrap().len(), 1, "it is told of once");
    assert_eq!(listener.told().spans[0]["error.type"], "panic");
}

#[test]
fn a_call_that_panics_at_once_passes_it_on_and_is_told_of() {
    fn refuses_to_start(_: Req) -> std::future::Ready<Answer> {
        panic!("at once")
    }
    let (layer, reports) = reporting();
    let mut panics = layer.layer(stack(refuses_to_start));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(panics.call(get())))).is_err());
    assert_eq!(only(&reports).outcome(), Outcome::Transient);
}
