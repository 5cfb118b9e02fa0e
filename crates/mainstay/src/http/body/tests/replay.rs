//! An attempt stops, the next one sends the whole.

use super::super::Superseded;
use super::*;

#[test]
fn a_copy_sends_the_whole_wherever_the_attempt_before_it_stopped() {
    let mut steps = ten_chunks();
    steps.push(Step::Trailers);
    for stopped_after in 0..=12 {
        let first = ReplayBody::new(Script::of(steps.clone()));
        let mut second = copied(&first);
        let mut first = first;
        assert_eq!(next_few(&mut first, stopped_after), seen(&steps)[..stopped_after]);
        drop(first);
        assert_eq!(to_the_end(&mut second), seen(&steps), "stopped after {stopped_after}");
    }
}

#[test]
fn a_copy_of_a_body_that_has_been_read_begins_at_the_beginning() {
    let mut first = ReplayBody::new(Script::of(ten_chunks()));
    let template = copied(&first);
    next_few(&mut first, 3);
    let mut second = copied(&first);
    drop((first, template));
    assert_eq!(to_the_end(&mut second), seen(&ten_chunks()));
}

#[test]
fn a_third_attempt_sends_the_whole_as_well() {
    let template = ReplayBody::new(Script::of(ten_chunks()));
    let (mut first, mut second) = (copied(&template), copied(&template));
    next_few(&mut first, 5);
    drop(first);
    next_few(&mut second, 7);
    drop(second);
    let mut last = template;
    assert_eq!(to_the_end(&mut last), seen(&ten_chunks()));
}

#[test]
fn a_second_attempt_that_stops_earlier_than_the_first_loses_nothing() {
    let template = ReplayBody::new(Script::of(ten_chunks()));
    let (mut first, mut second) = (copied(&template), copied(&template));
    next_few(&mut first, 7);
    next_few(&mut second, 2);
    drop((first, second));
    let mut last = template;
    assert_eq!(to_the_end(&mut last), seen(&ten_chunks()));
}

#[test]
fn an_attempt_dropped_while_the_stream_is_pending_leaves_it_to_the_next() {
    let steps = [data("one"), Step::Waits, Step::Waits, data("two")];
    let script = Script::of(steps.clone());
    let log = script.log();
    let mut first = ReplayBody::new(script);
    let mut second = copied(&first);
    assert_eq!(next_few(&mut first, 2), [Seen::Data("one".into()), Seen::Pending]);
    drop(first);

    let (wakes, waker) = Wakes::new();
    assert_eq!(next_with(&mut second, &waker), Seen::Data("one".into()));
    assert_eq!(next_with(&mut second, &waker), Seen::Pending);
    log.wake();
    assert_eq!(wakes.count(), 1, "the stream wakes who reads it now");
    assert_eq!(next_with(&mut second, &waker), Seen::Data("two".into()));
    assert_eq!(next(&mut second), Seen::End);
}

#[test]
fn an_old_attempt_that_goes_on_polling_is_superseded_and_the_new_one_gets_everything() {
    let mut old = ReplayBody::new(Script::of(ten_chunks()));
    let mut new = copied(&old);
    next_few(&mut old, 3);
    assert_eq!(next_few(&mut new, 4), seen(&ten_chunks())[..4]);

    assert_eq!(next(&mut old), seen(&ten_chunks())[3], "what is kept is still its own");
    assert_eq!(next(&mut old), failed(Superseded));
    assert_eq!(next(&mut old), Seen::End);
    assert!(old.is_end_stream());
    assert_eq!(to_the_end(&mut new), seen(&ten_chunks())[4..]);
}

#[test]
fn an_old_attempt_that_lags_behind_does_not_take_the_stream_from_the_one_that_runs() {
    let steps = [data("a"), data("b"), Step::Waits, data("c")];
    let script = Script::of(steps.clone());
    let log = script.log();
    let mut first = ReplayBody::new(script);
    let (mut lags, mut runs) = (copied(&first), copied(&first));
    next_few(&mut first, 2);
    assert_eq!(next(&mut lags), seen(&steps)[0]);
    let (wakes, waker) = Wakes::new();
    next_few(&mut runs, 2);
    assert_eq!(next_with(&mut runs, &waker), Seen::Pending);

    assert_eq!(next(&mut lags), seen(&steps)[1], "what is kept is still its own");
    assert_eq!(next(&mut lags), failed(Superseded));
    log.wake();
    assert_eq!(wakes.count(), 1);
    assert_eq!(to_the_end(&mut runs), seen(&steps)[2..]);
}

#[test]
fn a_body_begins_when_it_is_first_polled_whenever_it_was_made() {
    let mut template = ReplayBody::new(Script::of(ten_chunks()));
    let mut attempt = copied(&template);
    next_few(&mut attempt, 3);
    next(&mut template);
    assert_eq!(next(&mut attempt), failed(Superseded));
    assert_eq!(to_the_end(&mut template), seen(&ten_chunks())[1..]);
}

#[test]
fn an_old_attempt_that_waits_for_the_stream_is_woken_to_hear_of_its_end() {
    let script = Script::of([Step::Waits, Step::Waits, data("all")]);
    let log = script.log();
    let mut old = ReplayBody::new(script);
    let mut new = copied(&old);
    let (old_wakes, waker) = Wakes::new();
    assert_eq!(next_with(&mut old, &waker), Seen::Pending);
    assert_eq!(old_wakes.count(), 0);

    let (new_wakes, waker) = Wakes::new();
    assert_eq!(next_with(&mut new, &waker), Seen::Pending);
    assert_eq!(old_wakes.count(), 1);
    assert_eq!(next(&mut old), failed(Superseded));
    drop(old);

    log.wake();
    assert_eq!(new_wakes.count(), 1);
    assert_eq!(next_with(&mut new, &waker), Seen::Data("all".into()));
}

#[test]
fn the_reason_of_a_superseded_body_is_found_by_its_type() {
    let script = Script::of([data("a"), Step::Waits, data("b")]);
    let mut old = ReplayBody::new(script);
    let mut new = copied(&old);
    next(&mut old);
    next_few(&mut new, 2);
    let polled = Pin::new(&mut old).poll_frame(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Some(Err(error))) = polled else { panic!("{polled:?}") };
    assert!(error.is::<Superseded>());
}

#[test]
fn copies_of_what_has_been_read_to_its_end_are_read_side_by_side() {
    let mut steps = ten_chunks();
    steps.push(Step::Trailers);
    let mut first = ReplayBody::new(Script::of(steps.clone()));
    let mut others = [copied(&first), copied(&first), copied(&first)];
    assert_eq!(copies(&first), Copies::Afterwards);
    to_the_end(&mut first);
    assert_eq!(copies(&first), Copies::Alongside);
    assert_eq!(copies(&others[0]), Copies::Alongside);

    for item in seen(&steps) {
        for copy in &mut others {
            assert_eq!(next(copy), item);
        }
    }
}

#[test]
fn a_stream_that_has_ended_is_let_go_while_copies_remain() {
    let script = Script::of(ten_chunks()).sized();
    let log = script.log();
    let mut first = ReplayBody::new(script);
    let second = copied(&first);
    next_few(&mut first, 10);
    assert!(log.is_alone(), "it said that it is at its end");
    assert_eq!(copies(&second), Copies::Alongside);
}

#[test]
fn a_dropped_body_leaves_no_waker_behind_and_takes_none_but_its_own() {
    let script = Script::of([Step::Waits, Step::Waits, Step::Waits]);
    let log = script.log();
    let mut old = ReplayBody::new(script);
    let (mut new, mut third, mut last) = (copied(&old), copied(&old), copied(&old));
    let (new_wakes, waker) = Wakes::new();
    assert_eq!(next(&mut old), Seen::Pending);
    assert_eq!(next_with(&mut new, &waker), Seen::Pending);
    drop((old, waker));
    let (third_wakes, waker) = Wakes::new();
    assert_eq!(next_with(&mut third, &waker), Seen::Pending);
    assert_eq!(new_wakes.count(), 1);

    drop((third, waker));
    log.wake(); // the script's own clone of it
    assert_eq!(Arc::strong_count(&third_wakes), 1);
    assert_eq!(to_the_end(&mut last), [Seen::End]);
}
