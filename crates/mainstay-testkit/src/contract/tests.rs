mod again;
mod ending;
mod fault;
mod towers;
mod toy;

use std::panic::catch_unwind;

use again::{OneInstance, PAUSE, Pauses, Twice};
use fault::Fault;
use toy::Toy;

use super::*;

/// One at a time, the others wait.
fn waiting(fault: Fault) -> Subject {
    toy(true, fault).waiting(State::in_flight(1)).build_unshared()
}

/// One at a time, the others are refused.
fn refusing(fault: Fault) -> Subject {
    toy(false, fault).refusing(State::in_flight(1)).build_unshared()
}

type Text = &'static str;

fn toy(waits: bool, fault: Fault) -> SubjectBuilder<Toy, Text, Text, Text> {
    Subject::of("toy", move || Toy::new(1, waits, fault), || "ask", || Ok("answer"), || "dead")
        .clean(Toy::snapshot)
}

/// What the probe says that fails; it must be the probe of this name.
#[track_caller]
fn caught(probe: fn(&Subject), name: &str, subject: &Subject) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| probe(subject)));
    let panic = panic.expect_err("the probe finds nothing wrong");
    let text = said(&*panic).to_owned();
    let start = format!("toy, probe `{name}`: ");
    assert!(text.starts_with(&start), "{text}");
    text[start.len()..].to_owned()
}

#[track_caller]
fn assert_says(text: &str, part: &str) {
    assert!(text.contains(part), "{text:?} does not say {part:?}");
}

#[test]
fn a_layer_that_keeps_the_contract_passes() {
    check(&waiting(Fault::None));
    check(&refusing(Fault::None));
}

#[test]
fn readiness_that_is_not_the_inner_one_s_is_caught() {
    for (fault, expected) in [
        (Fault::IsAlwaysReady, "the inner service is not ready"),
        (
            Fault::ChangesTheError,
            "is dead with \"dead\", and `poll_ready` gave Ready(Err(\"\\\"mine",
        ),
        (Fault::SwallowsTheError, "is dead with \"dead\", and `poll_ready` gave Pending"),
        (Fault::RefusesInReady, "a call that is refused: the inner service is not ready"),
        (Fault::TakesInReady, "let through: a `poll_ready` that is pending changed this"),
        (Fault::TakesWhenReady, "let through: a service that is ready and was not called changed"),
        (Fault::TakesWhenDead, "let through: a `poll_ready` that failed changed this"),
        (Fault::LeaksWhenDroppedReady, "was not called changed this when it was dropped"),
        (Fault::WaitsInReady, "the inner service is ready, and `poll_ready` gave Pending"),
    ] {
        assert_says(&caught(readiness, "readiness", &refusing(fault)), expected);
    }
}

#[test]
fn a_call_that_nobody_made_ready_is_caught() {
    let expected = "was called and is not ready";
    assert_says(&caught(unready, "unready", &refusing(Fault::BorrowsReadiness)), expected);
    assert_says(&caught(unready, "unready", &waiting(Fault::CallsUnreadyAfterTheWait)), expected);
    let one = Subject::of("toy", || OneInstance, || "ask", || Ok("answer"), || "dead");
    assert_says(&caught(unready, "unready", &one.lets_all_through().build_unshared()), expected);
}

#[test]
fn a_place_that_an_idle_one_keeps_is_caught() {
    let text = caught(strands, "strands", &waiting(Fault::WaitsWithItsReadiness));
    assert_says(&text, "a call that must wait: it has ended or waits, its idle service keeps");
    let text = caught(strands, "strands", &refusing(Fault::RefusesWithItsReadiness));
    assert_says(&text, "a call that is refused: it has ended or waits, its idle service keeps");
    let text = caught(strands, "strands", &waiting(Fault::ForgetsTheSecond));
    assert_says(&text, "of two calls that waited over one place, so many are stuck");
}

#[test]
fn what_a_dropped_or_refused_call_leaves_behind_is_caught() {
    let text = caught(drops, "drops", &waiting(Fault::LeaksWhenDropped));
    assert_says(&text, "a call that is let through, dropped after 0 of 3 polls: expected 1 free");
    let text = caught(drops, "drops", &waiting(Fault::LeaksWhenDroppedInTheQueue));
    assert_says(&text, "a call that must wait, dropped after 1 of");
    let text = caught(drops, "drops", &waiting(Fault::LeaksWhenDroppedAfterItsWake));
    assert_says(&text, "a call that must wait, dropped after 1 of 6 polls and a wake-up: expected");
    let text = caught(drops, "drops", &refusing(Fault::LeaksWhenRefused));
    assert_says(&text, "a call that is refused, dropped after 0 of 1 polls: expected 0 free");
    let text = caught(drops, "drops", &waiting(Fault::Detaches));
    assert_says(&text, "the call beneath goes on");
}

#[test]
fn one_that_waits_behind_a_dropped_one_and_is_forgotten_is_caught() {
    let text = caught(drops, "drops", &waiting(Fault::WakesOneWhoMayBeGone));
    assert_says(&text, "behind one that was dropped after 2 of");
    let text = caught(drops, "drops", &waiting(Fault::RefusesTheSecond));
    assert_says(&text, "of 6 polls, and ended with the error \"refused\"");
}

#[test]
fn a_state_that_is_not_what_was_said_is_caught() {
    let text = caught(drops, "drops", &waiting(Fault::LetsAllIn));
    assert_says(&text, "a call that must wait: it did not wait");
    for (probe, name) in [(unready as fn(&Subject), "unready"), (panics, "panics")] {
        let text = caught(probe, name, &waiting(Fault::LetsAllIn));
        assert_says(&text, "a call that must wait: it did not wait");
    }
    let text = caught(drops, "drops", &refusing(Fault::LetsAllIn));
    assert_says(&text, "a call that is refused: it was let through and ended with an answer");
    let never = toy(true, Fault::None).refusing(State::in_flight(1)).build_unshared();
    assert_says(&caught(drops, "drops", &never), "nobody wakes it, and it has not ended");
    let many = toy(true, Fault::None).waiting(State::in_flight(2)).build_unshared();
    assert_says(&caught(drops, "drops", &many), "so many calls should be in flight to begin with");
    let many = toy(false, Fault::None).refusing(State::in_flight(2)).build_unshared();
    assert_says(&caught(drops, "drops", &many), "a call that is to stay in flight ended");
}

#[test]
fn a_waker_that_is_not_replaced_is_caught() {
    for fault in [Fault::KeepsTheFirstWaker, Fault::KeepsTheFirstWakerAndHasATimer] {
        let text = caught(wakers, "wakers", &waiting(fault));
        assert_says(&text, "it waited in two tasks, and is not woken when it need not");
    }
    let text = caught(wakers, "wakers", &waiting(Fault::KeepsTheFirstWakerOfTheSecond));
    assert_says(&text, "it waited in two tasks behind another, and is not woken when it need not");
    let text = caught(wakers, "wakers", &waiting(Fault::LetsNobodyKnowThatItIsReady));
    assert_says(&text, "`poll_ready`: the task that polled last is not woken");
    let text = caught(wakers, "wakers", &waiting(Fault::RunsWithTheFirstWaker));
    assert_says(&text, "a call that is answered: the task that polled last is not woken");
}

#[test]
fn wakes_and_polls_for_nothing_are_caught() {
    let text = caught(spins, "spins", &waiting(Fault::SpinsWhileItWaits));
    assert_says(&text, "a call that waits: woken 11 times for nothing in an hour, 0 are fair");
    let text = caught(spins, "spins", &waiting(Fault::SpinsWhileItRuns));
    assert_says(&text, "a call that nobody answers: woken 11 times");
    let text = caught(spins, "spins", &waiting(Fault::SpinsUntilItIsReady));
    assert_says(&text, "`poll_ready` was woken while the inner service was not ready");
    let text = caught(spins, "spins", &waiting(Fault::PollsTheCallTooOften));
    assert_says(&text, "the call beneath was polled 10 times, 3 are fair");
}

#[test]
fn more_timers_and_polls_are_fair_where_the_subject_says_so() {
    let subject = toy(true, Fault::PollsTheCallTooOften).waiting(State::in_flight(1)).polls(10);
    spins(&subject.build_unshared());
    let strict = toy(true, Fault::None).waiting(State::in_flight(1)).polls(1).build_unshared();
    let text = caught(spins, "spins", &strict);
    assert_says(&text, "a call that is answered after its first poll: it took 2 polls, 1 are fair");
    let ticks =
        toy(true, Fault::SpinsWhileItRuns).waiting(State::in_flight(1)).timers(5).build_unshared();
    assert_says(&caught(spins, "spins", &ticks), "woken 16 times for nothing in an hour, 5 are");
}

#[test]
fn a_call_that_nobody_answers_ends_when_it_was_said() {
    use ending::{AFTER, Ending, Fault};
    let subject = |fault| {
        Subject::of("toy", move || Ending::new(fault), || "ask", || Ok("answer"), || "dead")
            .lets_all_through()
            .times_out(AFTER)
            .build()
    };
    check(&subject(Fault::None));
    for (fault, expected) in [
        (Fault::WakesNobody, "should end after 5s, and is not woken"),
        (Fault::IsEarly, "ended after 4s instead of 5s"),
        (Fault::AnswersWell, "a call that nobody answered ended with an answer"),
        (Fault::LooksAtTheBudget, "uses up tokio's budget at each poll is never ended"),
    ] {
        assert_says(&caught(ends, "ends", &subject(fault)), expected);
    }
}

#[test]
fn a_turn_that_a_dropped_call_takes_along_is_caught() {
    let text = caught(drops, "drops", &pauses(again::Fault::TakesATurnAlong, false));
    assert_says(&text, "for the next call that is a wait of");
}

#[test]
fn a_place_that_the_first_call_after_refusals_keeps_is_caught() {
    let text = caught(drops, "drops", &pauses(again::Fault::KeepsTheFirstPlace, true));
    assert_says(&text, "the first call after refusals, dropped after");
}

#[test]
fn a_panic_that_leaves_something_or_does_not_arrive_is_caught() {
    let text = caught(panics, "panics", &waiting(Fault::KeepsWhatPanicked));
    assert_says(&text, "a panic in a poll, its future is kept: expected 1 free");
    let text = caught(panics, "panics", &waiting(Fault::GivesBackTwiceAfterAPanic));
    assert_says(&text, "a panic in a poll, then a drop: expected 1 free");
    let text = caught(panics, "panics", &waiting(Fault::SwallowsPanics));
    assert_says(&text, "a panic in a poll: it did not reach the caller");
    let text = caught(panics, "panics", &waiting(Fault::IsPoisoned));
    assert_says(&text, "the next call of the same service ended with the error \"refused\"");
    let text = caught(panics, "panics", &waiting(Fault::RefusesAtPanics));
    assert_says(&text, "a panic in a call: it did not reach the caller");
    let other =
        toy(true, Fault::None).waiting(State::in_flight(1)).after_panic("other").build_unshared();
    assert_says(&caught(panics, "panics", &other), "expected other, found 1 free");
}

#[test]
fn a_state_for_each_service_is_caught() {
    let text = caught(shared, "shared", &waiting(Fault::SharesNothing));
    assert_says(&text, "a call that must wait: another service of the layer let it through");
    let text = caught(shared, "shared", &refusing(Fault::SharesNothing));
    assert_says(&text, "a call that is refused: another service of the layer let it through");
}

#[test]
fn each_broken_layer_fails_the_whole_check() {
    use Fault::*;
    for fault in [IsAlwaysReady, BorrowsReadiness, LeaksWhenDropped, SwallowsPanics, SharesNothing]
    {
        let panic = catch_unwind(|| check(&refusing(fault)));
        assert!(panic.is_err(), "{fault:?}");
    }
}

#[test]
fn a_subject_must_say_what_can_be_probed() {
    for subject in [
        toy(true, Fault::None).build_unshared(),
        toy(true, Fault::None).waiting(State::in_flight(1)).lets_all_through().build_unshared(),
    ] {
        let panic = catch_unwind(AssertUnwindSafe(|| check(&subject))).unwrap_err();
        assert_says(said(&*panic), "toy: say how it refuses or how it waits");
    }
}

fn twice(fault: again::Fault) -> Subject {
    Subject::of("toy", move || Twice::new(fault), || "ask", || Ok("answer"), || "dead")
        .clean(Twice::snapshot)
        .tries_again_after(|| Err("again"))
        .lets_all_through()
        .build_unshared()
}

#[test]
fn a_further_attempt_is_probed_like_the_first() {
    check(&twice(again::Fault::None));
    let text = caught(unready, "unready", &twice(again::Fault::CallsUnready));
    assert_says(&text, "was called and is not ready");
    let text = caught(drops, "drops", &twice(again::Fault::LeaksInThePause));
    assert_says(&text, "a call that needs a further attempt, dropped after ");
    assert_says(&text, "expected 0 pause, found 1 pause");
}

#[test]
fn a_layer_that_does_not_try_again_although_it_was_said_is_caught() {
    let subject = toy(true, Fault::None).waiting(State::in_flight(1));
    let text = caught(drops, "drops", &subject.tries_again_after(|| Err("again")).build_unshared());
    assert_says(&text, "a call that needs a further attempt: it ended with the error \"again\"");
    let text = caught(drops, "drops", &twice(again::Fault::MakesAnAnswerUp));
    assert_says(&text, "a call that needs a further attempt: there was 1 attempt");
    let text = caught(strands, "strands", &twice(again::Fault::NeverWakes));
    assert_says(&text, "a call that needs a further attempt: nobody wakes it from its pause");
}

#[test]
fn a_call_that_pauses_with_a_place_keeps_it_from_others() {
    let text = caught(strands, "strands", &twice(again::Fault::KeepsReadiness));
    assert_says(&text, "a call that needs a further attempt: it pauses and keeps the one place");
}

fn pauses(fault: again::Fault, refuses: bool) -> Subject {
    let layer = move || Pauses::new(fault, refuses);
    let state = State::after(1, || Err("again"), PAUSE * 2);
    let subject = Subject::of("toy", layer, || "ask", || Ok("answer"), || "dead");
    if refuses {
        subject.refusing(state).build_unshared()
    } else {
        subject.waiting(state).build_unshared()
    }
}

#[test]
fn a_state_that_ends_with_time_is_probed_like_others() {
    check(&pauses(again::Fault::None, true));
    check(&pauses(again::Fault::None, false));
    let text = caught(drops, "drops", &pauses(again::Fault::NeverEnds, true));
    assert_says(&text, "the next call ended with the error \"closed\"");
}

#[test]
fn a_state_is_worked_by_hand() {
    let closed = |is_closed| move |layer: &Pauses| layer.set(is_closed);
    let subject = |leaves: bool| {
        let layer = || Pauses::new(again::Fault::None, true);
        Subject::of("toy", layer, || "ask", || Ok("answer"), || "dead")
            .refusing(State::by_hand(closed(true), closed(!leaves)))
            .build_unshared()
    };
    check(&subject(true));
    let text = caught(drops, "drops", &subject(false));
    assert_says(&text, "the next call ended with the error \"closed\"");
}
