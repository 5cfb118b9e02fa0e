use std::time::Duration;

use super::*;

/// Ten slices of a second.
fn window() -> Window<2> {
    Window::new(Cut::of_time(Duration::from_secs(10)), [true, true])
}

fn at(second: u64) -> Moment {
    Moment::from_nanos(second * 1_000_000_000)
}

fn total(window: &Window<2>, second: u64) -> u64 {
    window.counts(0, at(second)).total
}

#[test]
fn a_word_gives_back_what_was_packed() {
    for (tag, total, hits) in [(0, 0, 1), (4_095, Slice::MOST, 7), (9, 1, 0)] {
        let slice = Slice { tag, total, hits };
        assert_eq!(slice.pack(0).map(Slice::unpack), Some(slice));
        assert_eq!(slice.pack(slice.pack(0).unwrap()), None);
    }
}

#[test]
fn two_kinds_are_counted_apart() {
    let window = window();
    for (failed, slow) in [(true, false), (true, true), (false, true), (true, false)] {
        window.record([failed, slow], at(5));
    }
    assert_eq!(window.counts(0, at(5)), Counts { total: 4, hits: 3 });
    assert_eq!(window.counts(1, at(5)), Counts { total: 4, hits: 2 });
    window.clear();
    assert_eq!((window.counts(0, at(5)), window.counts(1, at(5))), Default::default());
}

#[test]
fn a_kind_that_nobody_asked_for_is_not_counted() {
    let window = Window::new(Cut::of_results(10), [true, false]);
    window.record([true, true], at(5));
    assert_eq!((window.counts(0, at(5)).hits, window.counts(1, at(5))), (1, Counts::default()));
}

#[test]
fn a_result_that_comes_late_counts_as_one_of_now() {
    let window = window();
    window.record([false, false], at(20_000));
    window.record([true, false], at(19_999));
    window.record([true, false], at(3));
    assert_eq!(window.counts(0, at(20_009)), Counts { total: 3, hits: 2 });
    assert_eq!(window.counts(0, at(20_010)), Counts::default());
}

/// Tags go round after 4096 slices; a slice that the ring has passed is empty by then, whether
/// or not anything was ever recorded in it.
#[test]
fn what_the_ring_has_passed_is_gone_for_good() {
    let window = window();
    window.record([true, true], at(3));
    for step in [4, 9, 10, 11, 40_960] {
        let before = total(&window, 3);
        window.record([false, false], at(3 + step));
        assert!(before <= 1 && total(&window, 3 + 40_960) <= 1);
        window.clear();
        window.record([true, true], at(3 + step));
    }
    // A slice that was counted in once, and from then on only passed by.
    let window = self::window();
    window.record([true, true], at(4));
    for n in 1..=4_096 {
        window.record([false, false], at(3 + 5 * n));
    }
    let now = 4 + 5 * 4_096; // the same slot and the same tag
    window.record([false, false], at(now));
    assert_eq!((window.counts(0, at(now)).hits, window.counts(1, at(now)).hits), (0, 0));
}

#[test]
fn after_a_pause_of_any_length_just_what_is_young_enough_is_held() {
    for pause in 1..9_000 {
        let window = window();
        for second in 100..110 {
            window.record([true, true], at(second));
        }
        let now = 109 + pause;
        window.record([false, false], at(now));
        let held = 10_u64.saturating_sub(pause);
        let expected = Counts { total: held + 1, hits: held };
        assert_eq!(window.counts(0, at(now)), expected, "after {pause} slices");
        assert_eq!(window.counts(1, at(now)), expected, "after {pause} slices");
    }
}

#[test]
fn what_nobody_has_asked_for_since_is_not_taken_for_new() {
    let window = window();
    window.record([true, true], at(3));
    let same_slot_and_tag = 3 + 20_480;
    assert_eq!(total(&window, same_slot_and_tag), 0);
    window.record([false, false], at(same_slot_and_tag));
    assert_eq!(window.counts(0, at(same_slot_and_tag)), Counts { total: 1, hits: 0 });
}

#[test]
fn a_result_counts_in_the_slice_that_it_names() {
    let window = window();
    assert_eq!(window.record([true, true], at(20)), 20);
    assert_eq!(window.record([true, true], at(19)), 20); // late, so one of now
    assert_eq!(window.number(at(21)), 21);
    assert_eq!(window.record([true, true], at(21)), 21);
}

/// A thread that was held up between taking its number and counting.
#[test]
fn who_comes_late_wipes_nothing_newer() {
    let newer = Slice { tag: Slice::tag(20), total: 3, hits: 2 };
    assert_eq!(newer.with(10, true), Slice { total: 4, hits: 3, ..newer });
    assert_eq!(newer.with(20, true), Slice { total: 4, hits: 3, ..newer });
    assert_eq!(newer.with(30, true), Slice { tag: Slice::tag(30), total: 1, hits: 1 });
    let around = Slice { tag: 2, total: 3, hits: 2 };
    assert!(around.is_before(4_096 + 12) && !around.is_before(4_096 + 2));
    assert!(!around.is_before(4_090)); // which is behind it, across the end of the tags
    let empty = Slice { tag: 9, total: 0, hits: 0 };
    assert_eq!(empty.with(5, false), Slice { tag: 5, total: 1, hits: 0 });
}

#[test]
fn the_short_way_of_counting_leads_to_the_same_word() {
    for (tag, total) in [(5, 0), (5, 1), (5, Slice::MOST - 1), (5, Slice::MOST), (4, 7), (6, 7)] {
        let word = Slice { tag, total, hits: total / 2 }.pack(0).unwrap_or_default();
        for hit in [false, true] {
            let counted = AtomicU64::new(word);
            count_anew(&counted, 5, hit);
            let counted = counted.load(Relaxed);
            let short = Slice::one_more(word, 5, hit);
            assert!(short.is_none_or(|short| short == counted), "{tag}, {total}, {hit}");
            assert_eq!(short.is_some(), tag == 5 && (1..Slice::MOST).contains(&total));
        }
    }
}

#[test]
fn a_full_slice_counts_no_more() {
    let full = Slice { tag: 5, total: Slice::MOST, hits: 9 };
    assert_eq!(full.with(5, true), full);
    assert_eq!(full.with(6, true), Slice { tag: 6, total: 1, hits: 1 });
    let almost = Slice { total: Slice::MOST - 1, ..full };
    assert_eq!(almost.with(5, true), Slice { hits: 10, ..full });
}

/// One thousand results, and all of them hits.
fn full(window: &Window<2>, second: u64) {
    (0..1_000).for_each(|_| {
        window.record([true, true], at(second));
    });
}

fn held(window: &Window<2>, second: u64) -> [u64; 2] {
    [0, 1].map(|kind| window.counts(kind, at(second)).total)
}

#[test]
fn cut_otherwise_it_is_empty_and_holds_what_comes_for_as_long_as_it_is_told() {
    let ten = Cut::of_time(Duration::from_secs(10));
    let (minute, calls) = (Cut::of_time(Duration::from_secs(60)), Cut::of_results(640));
    let few = Cut::of_results(3);
    for before in [ten, minute, calls, few] {
        for (after, most, lasts) in
            [(ten, 1_000, 10), (minute, 1_000, 60), (calls, 640, 9_999), (few, 3, 9_999)]
        {
            let window = Window::new(before, [true, true]);
            full(&window, 20_000);
            let is_same = (before.slice, before.count) == (after.slice, after.count);
            window.change(after, [true, true], at(20_000));
            assert_eq!(held(&window, 20_000)[0] == 0, !is_same);
            full(&window, 20_000);
            let holds = held(&window, 20_000)[0];
            assert!((most - after.slice.min(most / 10)..=2_000).contains(&holds), "{holds}");
            assert_eq!(held(&window, 20_000 + lasts * 9 / 10 - 1)[0], holds);
            assert_eq!(held(&window, 20_000 + lasts)[0] == 0, after.by_time);
        }
    }
}

#[test]
fn a_kind_that_is_asked_for_later_is_counted_from_then_on_and_the_other_goes_on() {
    let cut = Cut::of_time(Duration::from_secs(10));
    let window = Window::new(cut, [true, false]);
    full(&window, 20_000);
    for _ in 0..3 {
        window.change(cut, [true, true], at(20_001));
        assert_eq!(held(&window, 20_001), [1_000, 0]);
        window.record([true, true], at(20_001));
        assert_eq!(held(&window, 20_001), [1_001, 1]);
        window.change(cut, [true, false], at(20_001));
        assert_eq!(held(&window, 20_001), [1_001, 0]);
        window.change(cut, [false, false], at(20_001));
        assert_eq!(held(&window, 20_001), [0, 0]);
        window.record([true, true], at(20_001));
        window.change(cut, [true, false], at(20_001));
        assert_eq!(held(&window, 20_001), [0, 0], "nobody counted in between");
        full(&window, 20_001);
    }
}

#[test]
fn numbers_go_on_when_it_is_cut_otherwise_so_that_old_ones_are_old() {
    let window = window();
    let mut last = window.record([true, true], at(20_000));
    for n in 0..1_000 {
        let cut = if n % 2 == 0 { Cut::of_results(7) } else { Cut::of_time(Duration::MAX) };
        window.change(cut, [true, true], at(20_000 + n));
        let number = window.record([true, true], at(20_000 + n));
        assert!(number > last + 64 && number < last + 70);
        assert_eq!(held(&window, 20_000 + n), [1, 1]);
        assert_eq!(window.start(0), Moment::MIN);
        last = number;
    }
}

#[test]
fn slices_begin_and_end_where_they_did_whatever_came_before() {
    let window = window();
    full(&window, 20_000);
    window.change(Cut::of_time(Duration::from_secs(20)), [true, true], at(20_003));
    let number = window.record([true, true], at(20_004));
    assert_eq!(window.start(number), at(20_003));
    assert_eq!(window.start(number + 1), at(20_005));
    assert_eq!(window.start(number - 1), at(20_001));
    assert_eq!((window.number(at(20_005)), window.number(at(9))), (number + 1, number));
    assert_eq!(window.leaves(number), number + 10);
}

#[test]
fn who_was_held_up_while_it_was_cut_otherwise_counts_for_now() {
    let window = window();
    full(&window, 20_000);
    let seen = window.newest();
    window.change(Cut::of_results(7), [true, true], at(20_000));
    assert_eq!(window.advance(seen, at(90_000).as_nanos()), window.newest().number());
    window.change(Cut::of_time(Duration::from_secs(10)), [true, true], at(20_000));
    assert_eq!(window.advance(seen, at(90_000).as_nanos()), window.newest().number());
}

#[test]
fn the_ends_of_numbers_and_of_changes_go_round_or_stay() {
    let last = Newest(u64::MAX);
    assert_eq!((last.changes(), last.changed().changes()), (255, 0));
    assert_eq!(last.changed().number(), last.number());
    assert_eq!(last.at(u64::MAX), last);
    let one = Newest(0).changed().at(7);
    assert_eq!((one.number(), one.changes()), (7, 1));
}
