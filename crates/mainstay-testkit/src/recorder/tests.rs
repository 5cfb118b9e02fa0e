use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::instrument::WithSubscriber;
use tracing::{debug, info_span, warn};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn events_are_kept_with_their_time_their_level_and_their_fields() {
    let recorder = Recorder::new();
    let _listening = recorder.listens();
    clock::sleep(SECOND).await;
    let name: Option<&str> = None;
    warn!(target: "one", layer = "breaker", took = 0.5, name, shown = %"x", seen = ?"y", n = 7, "told");
    let fields =
        [("layer", "breaker"), ("took", "0.5"), ("shown", "x"), ("seen", "\"y\""), ("n", "7")];
    let expected = Told {
        at: SECOND,
        level: Level::WARN,
        target: "one",
        message: "told".to_owned(),
        fields: fields.map(|(name, value)| (name, value.to_owned())).into(),
        span: None,
    };
    assert_eq!(recorder.events(), std::slice::from_ref(&expected));
    assert_eq!(expected.field("layer"), Some("breaker"));
    assert_eq!(
        expected.to_string(),
        "    1.000 s WARN  one: told layer=breaker took=0.5 shown=x seen=\"y\" n=7"
    );
    recorder.forgets();
    assert!(recorder.events().is_empty());
}

#[test]
fn it_listens_to_its_thread_and_only_while_it_does() {
    let recorder = Recorder::new();
    debug!("before");
    {
        let _listening = recorder.listens();
        debug!("meanwhile");
        std::thread::spawn(|| debug!("elsewhere")).join().unwrap();
    }
    debug!("afterwards");
    let messages: Vec<_> = recorder.events().into_iter().map(|event| event.message).collect();
    assert_eq!(messages, ["meanwhile"]);
}

#[tokio::test]
async fn a_future_brings_it_along() {
    let recorder = Recorder::new();
    let tells = async { debug!("elsewhere") };
    std::thread::spawn({
        let tells = tells.with_subscriber(recorder.clone());
        move || tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(tells)
    })
    .join()
    .unwrap();
    recorder.told("elsewhere").once();
}

#[test]
fn one_of_a_target_keeps_that_and_what_is_beneath_it() {
    let recorder = Recorder::of("one");
    let _listening = recorder.listens();
    debug!(target: "one", "kept");
    debug!(target: "one::two", "kept");
    debug!(target: "ones", "not kept");
    debug!(target: "two::one", "not kept");
    recorder.told("kept").times(2);
    recorder.told("not kept").never();
}

#[test]
fn spans_are_kept_with_what_was_recorded_last_and_know_when_they_are_over() {
    let recorder = Recorder::new();
    let _listening = recorder.listens();
    let outer = info_span!("call", status = tracing::field::Empty, name = "one");
    let inside = outer.enter();
    let inner = info_span!("attempt", n = 1);
    inner.in_scope(|| debug!("in the attempt"));
    debug!("in the call");
    debug!(parent: &inner, "of the attempt");
    outer.record("status", 503);
    outer.record("status", 200);
    assert_eq!(tracing::Span::current().metadata().unwrap().name(), "call");
    drop(inside);
    debug!("outside");

    let [call, attempt] = &recorder.spans()[..] else { panic!("there are two") };
    assert_eq!(
        (call.name, call.parent, attempt.name, attempt.parent),
        ("call", None, "attempt", Some(0))
    );
    assert_eq!((call.field("status"), call.field("name")), (Some("200"), Some("one")));
    let of: Vec<_> = recorder.events().iter().map(|event| event.span).collect();
    assert_eq!(of, [Some(1), Some(0), Some(1), None]);

    let clone = outer.clone();
    drop((outer, inner));
    let is_closed = |n: usize| recorder.spans()[n].is_closed;
    assert!(!is_closed(0) && is_closed(1));
    drop(clone);
    assert!(is_closed(0));
}

#[track_caller]
fn fails(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it does not fail");
    crate::contract::said(&*panic).to_owned()
}

#[test]
fn what_should_be_so_and_is_not_fails_with_all_that_was_told() {
    let recorder = Recorder::new();
    let _listening = recorder.listens();
    debug!(layer = "retry", "waits");
    debug!(layer = "retry", n = 2, "sent again");
    debug!(layer = "hedge", "waits");

    assert_eq!(recorder.told("waits").with("layer", "hedge").only().level, Level::DEBUG);
    recorder.told("sent again").with("n", 2).times(1);
    recorder.told("waits").without("n").times(2);
    recorder.told("waits").with("layer", "retry").with("n", 2).never();
    assert_eq!(recorder.told("waits").count(), 2);
    assert_eq!(recorder.told("waits").found().len(), 2);

    let text = fails(|| recorder.told("waits").once());
    assert!(text.starts_with("\"waits\" was told 2 times and not 1; told was:\n"), "{text}");
    assert!(text.contains("sent again layer=retry n=2\n"), "{text}");
    let text = fails(|| recorder.told("waits").with("layer", "retry").without("n").never());
    assert!(text.starts_with("\"waits\" with layer=retry without n was told 1 times"), "{text}");
}

#[test]
fn an_order_is_kept_whatever_comes_between() {
    let recorder = Recorder::new();
    let _listening = recorder.listens();
    for message in ["one", "two", "three", "two"] {
        debug!("{message}");
    }
    recorder.told_in_order(&["one", "three", "two"]);
    recorder.told_in_order(&["two", "two"]);
    let text = fails(|| recorder.told_in_order(&["three", "one"]));
    assert!(text.starts_with("\"one\" was not told behind [\"three\"]; told was:\n"), "{text}");
}
