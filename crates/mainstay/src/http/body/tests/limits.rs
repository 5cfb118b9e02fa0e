//! How much is kept, and when it is given back.

use super::super::limits::Limits;
use super::super::{Broken, TooLarge};
use super::*;

const MIB: usize = 1024 * 1024;

fn of(limits: &Limits, steps: impl IntoIterator<Item = Step>) -> ReplayBody {
    ReplayBody::within(limits, Script::of(steps))
}

fn tens(chunks: usize) -> Vec<Step> {
    vec![data("ten bytes!"); chunks]
}

#[test]
fn a_body_over_the_limit_is_sent_once_in_full() {
    let mut first = ReplayBody::with_limit(Script::of(tens(5)), 49);
    let mut second = copied(&first);
    assert_eq!(next_few(&mut first, 4), seen(&tens(5))[..4]);
    assert_eq!(copies(&first), Copies::Afterwards);
    assert_eq!(to_the_end(&mut first), seen(&tens(5))[4..]);
    assert_eq!(copies(&first), Copies::Never);
    assert!(copy(&first).is_none());
    assert_eq!(copies(&second), Copies::Never);
    assert_eq!(next(&mut second), failed(TooLarge));
}

#[test]
fn a_body_exactly_at_the_limit_is_kept() {
    let mut first = ReplayBody::with_limit(Script::of(tens(5)), 50);
    let mut second = copied(&first);
    to_the_end(&mut first);
    assert_eq!(copies(&first), Copies::Alongside);
    assert_eq!(to_the_end(&mut second), seen(&tens(5)));
}

#[test]
fn a_limit_of_zero_keeps_nothing_but_empty_bodies() {
    let mut first = ReplayBody::with_limit(Script::of(tens(1)), 0);
    let mut second = copied(&first);
    assert_eq!(to_the_end(&mut first), seen(&tens(1)));
    assert_eq!(next(&mut second), failed(TooLarge));

    let steps = [data(""), data("")];
    let mut first = ReplayBody::with_limit(Script::of(steps.clone()), 0);
    let mut second = copied(&first);
    to_the_end(&mut first);
    assert_eq!(to_the_end(&mut second), seen(&steps));
}

#[test]
fn trailers_weigh_as_much_as_their_names_and_values() {
    let limits = Limits::new("etag".len() + "checksum".len(), MIB);
    let mut first = of(&limits, [Step::Trailers]);
    let _template = copied(&first);
    to_the_end(&mut first);
    assert_eq!(limits.kept(), 12);
    assert_eq!(copies(&first), Copies::Alongside);

    let mut first = of(&limits, [data("a"), Step::Trailers]);
    let mut second = copied(&first);
    to_the_end(&mut first);
    assert_eq!(next(&mut second), failed(TooLarge));
}

#[test]
fn a_body_that_says_that_it_is_larger_is_not_kept_at_all() {
    let limits = Limits::new(49, MIB);
    let body = ReplayBody::within(&limits, Script::of(tens(5)).sized());
    assert_eq!(copies(&body), Copies::Never);
    assert!(copy(&body).is_none());
    let fits = ReplayBody::within(&Limits::new(50, MIB), Script::of(tens(5)).sized());
    assert_eq!(copies(&fits), Copies::Afterwards);
}

#[test]
fn a_body_past_its_limit_frees_what_was_kept_at_once() {
    let limits = Limits::new(25, MIB);
    let mut first = of(&limits, tens(5));
    let _template = copied(&first);
    next_few(&mut first, 2);
    assert_eq!(limits.kept(), 20);
    next(&mut first);
    assert_eq!(limits.kept(), 0);
}

#[test]
fn the_memory_of_what_is_not_kept_is_free() {
    let chunk = Bytes::from(vec![7; 20]);
    let frees = |then: fn(&mut ReplayBody)| {
        let mut first = ReplayBody::with_limit(
            Script::of([Step::Data(chunk.clone()), data("too much"), Step::Fails]),
            27,
        );
        let template = copied(&first);
        next(&mut first);
        assert!(!chunk.is_unique(), "it is kept");
        then(&mut first);
        drop(template);
    };
    frees(|first| {
        next(first);
    });
    assert!(chunk.is_unique());
    frees(|_| {});
    assert!(chunk.is_unique());
}

#[test]
fn nothing_is_kept_of_a_body_without_copies() {
    let limits = Limits::new(MIB, MIB);
    let mut only = of(&limits, tens(5));
    next(&mut only);
    assert_eq!(limits.kept(), 0);
    assert_eq!(copies(&only), Copies::Never);
    assert!(copy(&only).is_none());
    assert_eq!(to_the_end(&mut only), seen(&tens(5))[1..]);
}

#[test]
fn a_body_that_waits_for_its_first_frame_can_still_be_copied() {
    let mut first = ReplayBody::new(Script::of([Step::Waits, data("a")]));
    assert_eq!(next(&mut first), Seen::Pending);
    let mut second = copied(&first);
    assert_eq!(to_the_end(&mut first), seen(&[data("a")]));
    assert_eq!(to_the_end(&mut second), seen(&[data("a")]));
}

#[test]
fn when_all_copies_have_gone_the_rest_is_not_kept() {
    let limits = Limits::new(MIB, MIB);
    let mut first = of(&limits, tens(5));
    let template = copied(&first);
    next_few(&mut first, 2);
    assert_eq!(limits.kept(), 20);
    drop(template);
    next(&mut first);
    assert_eq!(limits.kept(), 0);
    assert_eq!(copies(&first), Copies::Never);
    assert_eq!(to_the_end(&mut first), seen(&tens(5))[3..]);
}

#[test]
fn the_last_copy_gives_back_what_it_has_read() {
    let limits = Limits::new(MIB, MIB);
    let mut first = of(&limits, tens(5));
    let (mut last, template) = (copied(&first), copied(&first));
    next_few(&mut first, 4);
    next_few(&mut last, 1);
    drop((first, template));
    assert_eq!(limits.kept(), 40);
    for left in [20, 10, 0, 0] {
        next(&mut last);
        assert_eq!(limits.kept(), left);
    }
    assert_eq!(next(&mut last), Seen::End);
}

#[test]
fn the_only_body_left_can_be_copied_until_it_is_read() {
    let first = ReplayBody::new(Script::of(tens(5)));
    let mut template = copied(&first);
    let mut first = first;
    to_the_end(&mut first);
    drop(first);
    assert_eq!(copies(&template), Copies::Alongside);
    next(&mut template);
    assert_eq!(copies(&template), Copies::Never);
    assert_eq!(to_the_end(&mut template), seen(&tens(5))[1..]);
}

#[test]
fn a_copy_left_behind_by_a_body_past_its_limit_is_told_so_when_it_is_alone() {
    let mut first = ReplayBody::with_limit(Script::of(tens(5)), 30);
    let mut second = copied(&first);
    next(&mut second);
    next_few(&mut first, 4);
    drop(first);
    assert_eq!(next(&mut second), failed(TooLarge));
}

#[test]
fn a_body_that_would_pass_the_total_is_sent_but_not_kept() {
    let limits = Limits::new(MIB, 40);
    let mut first = of(&limits, tens(3));
    let template = copied(&first);
    to_the_end(&mut first);
    let mut other = of(&limits, tens(3));
    let mut copy_of_other = copied(&other);
    assert_eq!(to_the_end(&mut other), seen(&tens(3)));
    assert_eq!(next(&mut copy_of_other), failed(TooLarge));
    assert_eq!(limits.kept(), 30);

    drop((first, template));
    let mut third = of(&limits, tens(4));
    let _template = copied(&third);
    to_the_end(&mut third);
    assert_eq!(limits.kept(), 40);
    assert_eq!(copies(&third), Copies::Alongside);
}

#[test]
fn the_total_is_given_back_however_a_body_ends() {
    let limits = Limits::new(100, MIB);
    let mut steps = tens(5);
    let kept_after = |steps: Vec<Step>, reads: usize| {
        let mut first = of(&limits, steps);
        let second = copied(&first);
        next_few(&mut first, reads);
        (first, second, limits.kept())
    };
    for reads in 0..=6 {
        let (first, second, kept) = kept_after(steps.clone(), reads);
        assert_eq!(kept, reads.min(5) * 10);
        drop(second);
        drop(first);
        assert_eq!(limits.kept(), 0, "dropped after {reads}");
        let (first, mut second, _) = kept_after(steps.clone(), reads);
        drop(first);
        to_the_end(&mut second);
        assert_eq!(limits.kept(), 0, "read by its last copy after {reads}");
    }
    steps.push(Step::Fails);
    let (_first, mut second, kept) = kept_after(steps.clone(), 6);
    assert_eq!((kept, next(&mut second)), (0, failed(Broken)));

    steps[5] = Step::Panics;
    let (mut first, mut second, _) = kept_after(steps, 5);
    let panics = std::panic::AssertUnwindSafe(|| next(&mut first));
    std::panic::catch_unwind(panics).unwrap_err();
    assert_eq!((limits.kept(), next(&mut second)), (0, failed(Broken)));
}

#[test]
fn what_is_kept_never_passes_the_limit() {
    let limits = Limits::new(100, MIB);
    for size in [1, 7, 30, 50, 99, 100, 101, 500] {
        let mut first = of(&limits, vec![data(vec![0; size]); 200]);
        let _template = copied(&first);
        while next(&mut first) != Seen::End {
            assert!(limits.kept() <= 100, "frames of {size}");
        }
    }
}

#[test]
fn a_body_in_very_many_frames_is_too_large_whatever_it_weighs() {
    let kept = |frames: usize| {
        let mut first = ReplayBody::with_limit(Script::of(vec![data(""); frames]), 3200);
        let _template = copied(&first);
        to_the_end(&mut first);
        copies(&first)
    };
    assert_eq!(kept(164), Copies::Alongside);
    assert_eq!(kept(165), Copies::Never);
}
