use std::time::Duration;

use super::*;
use crate::{clock, instantly};
use tower::ServiceExt;

const SECOND: Duration = Duration::from_secs(1);

fn call(script: &Plain, request: u8) -> Polled<impl Future<Output = Result<u8, &'static str>>> {
    Polled::new(script.service().oneshot(request))
}

#[test]
fn each_call_meets_its_step() {
    let script = Plain::strict([
        Step::answers(1),
        Step::fails("ill"),
        Step::ends(|request| if request == 7 { Ok(8) } else { Err("no seven") }),
        Step::hangs(),
        Step::panics("so it was said"),
    ]);
    assert_eq!(script.left(), 5);
    assert_eq!(call(&script, 0).poll(), Poll::Ready(Ok(1)));
    assert_eq!(call(&script, 0).poll(), Poll::Ready(Err("ill")));
    assert_eq!(call(&script, 7).poll(), Poll::Ready(Ok(8)));
    let mut hangs = call(&script, 0);
    assert!(hangs.poll().is_pending() && !hangs.is_woken());
    assert_eq!(panic_of(|| _ = call(&script, 0).poll()), "so it was said");
    assert_eq!((script.left(), script.seen().calls), (0, 5));
}

#[test]
fn a_step_takes_the_time_that_it_is_given() {
    let script =
        Plain::strict([Step::answers(1).after(SECOND), Step::panics("late").after(2 * SECOND)]);
    instantly(async {
        let begin = clock::now();
        assert_eq!(call(&script, 0).poll(), Poll::Pending); // and the first is gone
        let late = tokio::spawn(script.service().oneshot(0)).await.unwrap_err();
        assert!(late.is_panic());
        assert_eq!(clock::now().duration_since(begin), 2 * SECOND);
    });
}

#[test]
fn a_call_beyond_the_steps_panics_and_so_does_the_end() {
    let line = line!() + 1;
    let script = Plain::strict([Step::answers(1)]);
    assert_eq!(call(&script, 0).poll(), Poll::Ready(Ok(1)));
    let text = panic_of(|| _ = call(&script, 0).poll());
    let place = format!("{}:{line}:", file!());
    assert!(text.starts_with(&place), "{text}");
    assert!(text.ends_with("call 2 was not expected: there are 1 steps"), "{text}");
    let clone = script.clone();
    drop(script);
    let text = panic_of(|| drop(clone));
    assert!(text.starts_with(&place), "{text}");
    assert!(text.ends_with("1 calls came that were not expected"), "{text}");
}

#[test]
fn a_step_that_is_not_used_fails_the_end_and_names_its_line() {
    let script = Plain::strict([
        Step::answers(1),
        Step::answers(2), // the line
        Step::hangs(),
    ]);
    let line = line!() - 3;
    let service = script.service();
    assert_eq!(call(&script, 0).poll(), Poll::Ready(Ok(1)));
    let text = panic_of(|| drop(script));
    assert!(text.starts_with(&format!("{}:{line}:", file!())), "{text}");
    assert!(text.ends_with("2 steps were not used, the first of them this one"), "{text}");
    drop(service);
}

#[test]
fn a_test_that_panics_anyway_is_left_to_its_own_words() {
    let text = panic_of(|| {
        let _script = Plain::strict([Step::answers(1)]);
        panic!("{}", "its own words");
    });
    assert_eq!(text, "its own words");
}

#[test]
fn a_call_that_was_not_expected_gives_its_place_back() {
    let script = Plain::strict([]);
    script.has_places(1);
    for _ in 0..2 {
        assert!(panic_of(|| _ = call(&script, 0).poll()).contains("not expected"));
    }
    assert_eq!(script.seen().in_flight, 0);
    drop(panic_of(|| drop(script)));
}
