use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::*;

fn at(millis: u64) -> Moment {
    Moment::ORIGIN + Duration::from_millis(millis)
}

/// A scheduler, and what it has started, by number.
struct Batch {
    scheduler: Scheduler<&'static str>,
    running: BTreeMap<u64, Start>,
}

/// What is to be done next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    Start(u64),
    Pull,
    WaitUntil(Moment),
    Wait,
    Done(End),
}

fn batch(settings: Schedule) -> Batch {
    Batch { scheduler: Scheduler::new(settings, at(0)).unwrap(), running: BTreeMap::new() }
}

impl Batch {
    fn next(&mut self, now: Moment) -> Next {
        match self.scheduler.next(now) {
            Turn::Start(start) => {
                let input = start.input();
                assert!(self.running.insert(input, start).is_none(), "{input} was started twice");
                Next::Start(input)
            }
            Turn::Pull => Next::Pull,
            Turn::WaitUntil(moment) => Next::WaitUntil(moment),
            Turn::Wait => Next::Wait,
            Turn::Done(end) => Next::Done(end),
        }
    }

    fn pulled(&mut self, key: &'static str) -> u64 {
        self.scheduler.pulled(key)
    }

    fn finished(&mut self, input: u64, ended: Ended) {
        self.scheduler.finished(self.running.remove(&input).unwrap(), ended);
    }

    /// Whether it is held back until then.
    fn holds_back(&mut self, input: u64, until: Until) -> bool {
        match self.scheduler.blocked(self.running.remove(&input).unwrap(), until) {
            Held::Back => true,
            Held::Not(start) => {
                self.running.insert(input, start);
                false
            }
        }
    }
}

impl Deref for Batch {
    type Target = Scheduler<&'static str>;

    fn deref(&self) -> &Self::Target {
        &self.scheduler
    }
}

impl DerefMut for Batch {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.scheduler
    }
}

/// Starts what can be started, with inputs from this row until it ends; says what was started, and
/// the turn that nothing could be started at.
fn started(batch: &mut Batch, keys: &mut &[&'static str], now: Moment) -> (Vec<u64>, Next) {
    let mut started = Vec::new();
    loop {
        match batch.next(now) {
            Next::Start(input) => started.push(input),
            Next::Pull => match keys.split_first() {
                Some((key, rest)) => {
                    batch.pulled(key);
                    *keys = rest;
                }
                None => batch.no_more(),
            },
            turn @ (Next::Wait | Next::WaitUntil(_) | Next::Done(_)) => return (started, turn),
        }
    }
}

#[test]
fn inputs_of_one_key_are_pulled_as_they_are_started_and_in_their_order() {
    let mut batch = batch(Schedule::new().concurrency(2));
    let mut keys = &["a"; 5][..];
    assert_eq!(started(&mut batch, &mut keys, at(0)), (vec![0, 1], Next::Wait));
    assert_eq!(keys.len(), 3, "nothing is pulled that has no place");
    batch.finished(1, Ended::Well);
    assert_eq!(started(&mut batch, &mut keys, at(1)).0, [2]);
    batch.finished(0, Ended::Badly);
    batch.finished(2, Ended::Well);
    assert_eq!(started(&mut batch, &mut keys, at(2)).0, [3, 4]);
    batch.finished(3, Ended::Well);
    batch.finished(4, Ended::Well);
    assert_eq!(started(&mut batch, &mut keys, at(3)).1, Next::Done(End::Complete));
    let snapshot = batch.snapshot();
    assert_eq!((snapshot.succeeded, snapshot.failed, snapshot.running), (4, 1, 0));
}

#[test]
fn a_slow_host_holds_no_more_than_its_share_while_others_wait() {
    let mut batch = batch(Schedule::new().concurrency(4));
    let mut keys = &["slow", "quick"].repeat(8)[..];
    assert_eq!(started(&mut batch, &mut keys, at(0)).0, [0, 1, 2, 3]);
    // The quick one's calls end and those of the slow one do not: what comes in their places is of
    // the quick one again.
    for (ended, next) in [(1, 5), (3, 7), (5, 9), (7, 11)] {
        batch.finished(ended, Ended::Well);
        assert_eq!(started(&mut batch, &mut keys, at(1)).0, [next]);
    }
}

#[test]
fn a_host_may_have_every_place_that_no_other_can_take() {
    let mut batch = batch(Schedule::new().concurrency(4).look_ahead(2));
    let mut keys = &["b", "a", "a", "a", "a", "a"][..];
    assert_eq!(started(&mut batch, &mut keys, at(0)).0, [0, 1, 2, 3]);
    batch.finished(0, Ended::Well);
    assert_eq!(started(&mut batch, &mut keys, at(0)).0, [4]);
}

/// The order in which inputs are started by a batch of one place, each when the one before has ended.
fn one_by_one(batch: &mut Batch, keys: &[&'static str]) -> Vec<u64> {
    let (mut keys, mut order) = (keys, Vec::new());
    loop {
        let (started, turn) = started(batch, &mut keys, at(0));
        if turn == Next::Done(End::Complete) {
            return order;
        }
        started.iter().for_each(|input| batch.finished(*input, Ended::Well));
        order.extend(started);
    }
}

#[test]
fn of_hosts_that_run_as_many_the_one_passed_over_for_longest_is_next() {
    let keys = ["a", "a", "a", "b", "b", "c"];
    let mut known = batch(Schedule::new().concurrency(1));
    keys.iter().for_each(|key| _ = known.pulled(key));
    assert_eq!(one_by_one(&mut known, &[]), [0, 3, 5, 1, 4, 2]);

    let mut unknown = batch(Schedule::new().concurrency(1));
    let as_they_come = one_by_one(&mut unknown, &keys);
    assert_eq!(
        as_they_come,
        [0, 1, 2, 3, 4, 5],
        "no key has more than its share, so none is sought"
    );
}

#[test]
fn a_key_that_is_new_or_comes_again_stands_behind_those_that_wait() {
    let mut batch = batch(Schedule::new().concurrency(1));
    batch.pulled("gone");
    assert_eq!(batch.next(at(0)), Next::Start(0));
    batch.finished(0, Ended::Well);
    batch.pulled("waits");
    batch.pulled("waits");
    assert_eq!(batch.next(at(0)), Next::Start(1));
    batch.pulled("new");
    batch.pulled("gone");
    batch.finished(1, Ended::Well);
    assert_eq!(one_by_one(&mut batch, &[]), [2, 3, 4]);
}

#[test]
fn a_blocked_host_is_passed_by_until_its_moment() {
    let mut batch = batch(Schedule::new().concurrency(2).look_ahead(2));
    let mut keys = &["a", "a", "b", "b"][..];
    assert_eq!((batch.next(at(0)), batch.pulled("a")), (Next::Pull, 0));
    keys = &keys[1..];
    assert_eq!(batch.next(at(0)), Next::Start(0));
    assert!(batch.holds_back(0, Until::At(at(50))));
    assert_eq!(started(&mut batch, &mut keys, at(0)), (vec![], Next::WaitUntil(at(50))));
    assert_eq!(batch.snapshot().waiting, 2, "the look-ahead is full of it");
    assert_eq!(started(&mut batch, &mut keys, at(49)).0, []);
    assert_eq!(started(&mut batch, &mut keys, at(50)), (vec![0, 1], Next::Wait));
}

#[test]
fn what_would_have_had_to_wait_until_now_is_started() {
    let mut batch = batch(Schedule::new());
    batch.pulled("a");
    assert_eq!(batch.next(at(5)), Next::Start(0));
    assert!(!batch.holds_back(0, Until::At(at(5))));
    assert_eq!(batch.snapshot().running, 1);
}

#[test]
fn who_waits_for_an_end_waits_for_one_of_its_own_host_or_not_at_all() {
    let mut batch = batch(Schedule::new().concurrency(3));
    batch.no_more();
    ["a", "a", "b"].iter().for_each(|key| _ = batch.pulled(key));
    assert_eq!(batch.next(at(0)), Next::Start(0));
    assert!(!batch.holds_back(0, Until::AnEnd), "none of its own would ever end");
    assert_eq!(batch.next(at(0)), Next::Start(2));
    assert_eq!(batch.next(at(0)), Next::Start(1));
    assert!(batch.holds_back(1, Until::AnEnd));
    assert_eq!(batch.next(at(0)), Next::Wait);
    batch.finished(2, Ended::Well);
    assert_eq!(batch.next(at(0)), Next::Wait, "that was another's");
    batch.finished(0, Ended::Well);
    assert_eq!(batch.next(at(0)), Next::Start(1));
}

#[test]
fn an_input_that_is_not_there_yet_holds_nobody_up() {
    let mut batch = batch(Schedule::new().concurrency(2));
    assert_eq!(batch.next(at(0)), Next::Pull);
    batch.none_yet();
    assert_eq!(batch.next(at(0)), Next::Wait);
    batch.ask_again();
    assert_eq!(batch.next(at(0)), Next::Pull);
    batch.pulled("a");
    batch.none_yet();
    assert_eq!(batch.next(at(0)), Next::Start(0));
    assert_eq!(batch.next(at(0)), Next::Wait);
    batch.no_more();
    batch.ask_again();
    assert_eq!(batch.next(at(0)), Next::Wait, "what has ended does not go on");
}

#[test]
fn in_input_order_nothing_is_pulled_beyond_the_window() {
    let mut batch = batch(Schedule::new().concurrency(2).window(3).in_order());
    let mut keys = &["a"; 9][..];
    assert_eq!(started(&mut batch, &mut keys, at(0)).0, [0, 1]);
    batch.finished(1, Ended::Well);
    assert_eq!(started(&mut batch, &mut keys, at(0)).0, [2]);
    batch.finished(2, Ended::Well);
    assert!(batch.is_held_up() && batch.snapshot().is_held_up);
    assert_eq!(started(&mut batch, &mut keys, at(0)), (vec![], Next::Wait));
    batch.finished(0, Ended::Well);
    assert_eq!(started(&mut batch, &mut keys, at(0)).0, []);
    batch.yielded();
    assert_eq!(started(&mut batch, &mut keys, at(0)).0, [3]);
    batch.yielded();
    batch.yielded();
    assert_eq!(started(&mut batch, &mut keys, at(0)).0, [4]);
    assert!(!batch.is_held_up());
}

#[test]
fn as_completed_nobody_waits_for_results_to_be_given_out() {
    let mut batch = batch(Schedule::new().concurrency(1).window(1));
    for input in 0..9 {
        batch.pulled("a");
        assert_eq!(batch.next(at(0)), Next::Start(input));
        batch.finished(input, Ended::Well);
    }
    assert!(!batch.is_held_up());
}

#[test]
fn the_end_that_was_asked_for_ends_all() {
    for (stop, ended, end) in [
        (StopAt::FirstFailure, Ended::Badly, End::Failed(1)),
        (StopAt::FirstSuccess, Ended::Well, End::Succeeded(1)),
    ] {
        let other = if ended == Ended::Well { Ended::Badly } else { Ended::Well };
        let mut batch = batch(Schedule::new().stop_at(stop));
        ["a", "a", "a", "a"].iter().for_each(|key| _ = batch.pulled(key));
        batch.no_more();
        let _ = started(&mut batch, &mut &[][..], at(0));
        batch.finished(0, other);
        assert_eq!(batch.next(at(0)), Next::Wait);
        batch.finished(1, ended);
        batch.finished(2, ended);
        assert_eq!(batch.next(at(0)), Next::Done(end), "the first one counts");
        assert_eq!(batch.next(at(0)), Next::Done(end), "and nothing is started any more");
    }
}

#[test]
fn when_the_time_is_over_it_is_over_and_before_it_says_when() {
    let mut batch = batch(Schedule::new().concurrency(1).deadline(Duration::from_millis(30)));
    let mut keys = &["a"; 5][..];
    assert_eq!(started(&mut batch, &mut keys, at(0)), (vec![0], Next::WaitUntil(at(30))));
    assert_eq!(started(&mut batch, &mut keys, at(29)), (vec![], Next::WaitUntil(at(30))));
    assert_eq!(batch.next(at(30)), Next::Done(End::Deadline));
    assert_eq!(batch.next(at(3)), Next::Done(End::Deadline), "time does not come back");
}

#[test]
fn what_is_seen_to_have_ended_when_the_time_is_over_counts() {
    let mut batch = batch(Schedule::new().deadline(Duration::from_millis(30)));
    let _ = started(&mut batch, &mut &["a", "a"][..], at(0));
    assert_eq!(batch.next(at(31)), Next::Done(End::Deadline));
    batch.finished(0, Ended::Well);
    assert_eq!(batch.next(at(31)), Next::Done(End::Deadline));
    batch.finished(1, Ended::Well);
    assert_eq!(batch.next(at(31)), Next::Done(End::Complete));
}

#[test]
fn what_ended_before_the_deadline_is_complete_also_behind_it() {
    let mut batch = batch(Schedule::new().deadline(Duration::from_millis(30)));
    let _ = started(&mut batch, &mut &["a"][..], at(0));
    batch.finished(0, Ended::Well);
    assert_eq!(batch.next(at(31)), Next::Done(End::Complete));
}

#[test]
fn a_host_that_would_open_too_late_holds_nothing_back() {
    let mut batch = batch(Schedule::new().deadline(Duration::from_millis(30)));
    let _ = started(&mut batch, &mut &["a", "b"][..], at(0));
    assert!(!batch.holds_back(0, Until::At(at(30))), "it is refused, and others are looked for");
    assert!(batch.holds_back(1, Until::At(at(29))));
}

#[test]
fn a_moment_that_comes_after_a_later_one_counts_as_the_later() {
    let mut batch = batch(Schedule::new());
    batch.pulled("a");
    batch.none_yet();
    assert_eq!(batch.next(at(20)), Next::Start(0));
    assert_eq!(batch.next(at(5)), Next::Wait);
    assert!(!batch.holds_back(0, Until::At(at(15))), "that was before the latest moment");
}

#[test]
fn what_it_says_depends_on_the_time_only_with_a_deadline_or_a_host_that_opens() {
    assert!(batch(Schedule::new().deadline(Duration::from_millis(30))).heeds_time());
    let mut batch = batch(Schedule::new());
    let _ = started(&mut batch, &mut &["a", "b"][..], at(0));
    assert!(!batch.heeds_time());
    assert!(batch.holds_back(0, Until::At(at(9))) && batch.heeds_time());
    assert_eq!(batch.next(at(9)), Next::Start(0));
    assert!(!batch.heeds_time());
}

/// What has changed: the key, what waits, runs, went well and failed, and when it opens.
fn news(batch: &mut Batch) -> Vec<(&'static str, [u64; 4], Option<Moment>)> {
    let mut all: Vec<_> = batch
        .news()
        .map(|(_, key)| {
            let key = key.expect("few keys are all remembered");
            let counts = [key.waiting, key.running, key.succeeded, key.failed];
            (key.key, counts, key.opens)
        })
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn of_each_key_is_told_what_has_changed_since_it_was_asked_last() {
    let mut batch = batch(Schedule::new().concurrency(3));
    let _ = started(&mut batch, &mut &["a", "b", "a", "a"][..], at(0));
    assert_eq!(news(&mut batch), [("a", [0, 2, 0, 0], None), ("b", [0, 1, 0, 0], None)]);
    assert_eq!(news(&mut batch), []);
    batch.finished(0, Ended::Well);
    batch.finished(2, Ended::Badly);
    assert_eq!(news(&mut batch), [("a", [0, 0, 1, 1], None)]);
    assert!(batch.holds_back(1, Until::At(at(9))));
    assert_eq!(news(&mut batch), [("b", [1, 0, 0, 0], Some(at(9)))]);
    let mut keys = &["a"][..];
    let _ = started(&mut batch, &mut keys, at(9));
    assert_eq!(news(&mut batch), [("a", [0, 1, 1, 1], None), ("b", [0, 1, 0, 0], None)]);
}

#[test]
fn of_very_many_keys_those_without_inputs_are_forgotten() {
    let mut batch = Scheduler::new(Schedule::new().concurrency(1), at(0)).unwrap();
    let mut known = BTreeMap::new();
    for key in 0..5_000_u32 {
        batch.pulled(key);
        let Turn::Start(start) = batch.next(at(0)) else { panic!("it is free") };
        let begun: Vec<_> = batch.news().filter_map(|(_, news)| news).collect();
        assert_eq!((begun[0].running, begun[0].succeeded), (1, 0), "none of another key's");
        batch.finished(start, Ended::Well);
        for (number, news) in batch.news() {
            match news {
                Some(news) => _ = known.insert(number, news),
                None => _ = known.remove(&number),
            }
        }
        assert!(known.len() <= lanes::KEPT);
    }
    assert!(known.values().all(|key| (key.running, key.succeeded) == (0, 1)));
}

#[test]
fn settings_that_cannot_work_make_no_scheduler() {
    assert!(Scheduler::<u8>::new(Schedule::new().concurrency(0), at(0)).is_err());
}
