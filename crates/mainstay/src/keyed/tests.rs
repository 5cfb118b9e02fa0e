use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ::http::Request;
use tokio::time::advance;

use super::*;
use crate::observe::testing::heard;

/// At rest whenever its test says so; by default always.
#[derive(Debug, Default)]
struct State {
    busy_until: AtomicU64,
}

impl State {
    fn is_busy_until(&self, moment: Moment) {
        self.busy_until.store(moment.as_nanos(), Relaxed);
    }
}

impl AtRest for State {
    fn at_rest_from(&self) -> Option<Moment> {
        let from = Moment::from_nanos(self.busy_until.load(Relaxed));
        (from < Moment::MAX).then_some(from)
    }
}

type Made = Arc<Mutex<Vec<String>>>;

/// States by host, and for which keys they were made.
fn by_host() -> (Keyed<State>, Made) {
    let made = Made::default();
    let notes = Arc::clone(&made);
    let keyed = Keyed::new(ByHost, move |key: &Key| {
        notes.lock().unwrap().push(key.to_string());
        State::default()
    });
    (keyed, made)
}

fn to(host: &str) -> Request<()> {
    Request::get(format!("https://{host}/path")).body(()).unwrap()
}

fn key(host: &str) -> Key {
    Key::new(format!("https://{host}"))
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn the_spellings_of_one_host_find_one_state() {
    let (keyed, made) = by_host();
    let first = keyed.of(&to("api.example.com"));
    for spelled in
        ["api.example.com", "API.example.com", "api.example.com:443", "ana@api.example.com"]
    {
        for _ in 0..2 {
            assert!(Arc::ptr_eq(&first, &keyed.of(&to(spelled))), "{spelled}");
        }
    }
    assert!(!Arc::ptr_eq(&first, &keyed.of(&to("www.example.com"))));
    assert_eq!(*made.lock().unwrap(), ["https://api.example.com", "https://www.example.com"]);
    assert_eq!(keyed.len(), 2);
}

/// Scheme and authority are remembered one behind the other.
#[test]
fn what_reads_the_same_without_its_seam_is_another_spelling() {
    let state = Arc::new(State::default());
    let seen = Spelling::new(Origin::new("https", "ab"), &state);
    assert!(seen.state(Origin::new("https", "ab")).is_some());
    assert!(seen.state(Origin::new("http", "sab")).is_none());
    assert!(seen.state(Origin::new("https", "abc")).is_none());
}

#[test]
fn a_key_of_one_s_own_finds_its_state() {
    let by_path = |request: &Request<()>| Key::new(request.uri().path());
    let keyed = Keyed::new(by_path, |_| State::default());
    let [one, other] = ["/a", "/b"].map(|path| Request::get(path).body(()).unwrap());
    assert!(Arc::ptr_eq(&keyed.of(&one), &keyed.of(&one)));
    assert!(!Arc::ptr_eq(&keyed.of(&one), &keyed.of(&other)));
    assert!(keyed.get(&Key::new("/a")).is_some());
    assert!(keyed.get(&Key::new("/c")).is_none());
    let mut keys: Vec<_> = keyed.states().into_iter().map(|(key, _)| key).collect();
    keys.sort();
    assert_eq!(keys, [Key::new("/a"), Key::new("/b")]);
}

#[tokio::test(start_paused = true)]
async fn what_is_at_rest_leaves_two_for_one_that_comes() {
    let (keyed, _) = by_host();
    for n in 0..500 {
        keyed.of(&to(&n.to_string())).is_busy_until(clock::now() + secs(5));
    }
    assert_eq!(keyed.len(), 500);
    advance(secs(5)).await;
    for n in 500..2_500 {
        let before = keyed.len();
        keyed.of(&to(&n.to_string())).is_busy_until(clock::now() + secs(5));
        assert!(keyed.len() + 1 >= before, "two at most");
    }
    assert_eq!(keyed.len(), 2_000, "all who were there before have left");
    assert!(heard().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_held_or_not_at_rest_stays() {
    let (keyed, made) = by_host();
    let held = keyed.of(&to("held"));
    keyed.of(&to("busy")).is_busy_until(clock::now() + secs(60));
    keyed.of(&to("never")).is_busy_until(Moment::MAX);
    for n in 0..2_000 {
        keyed.of(&to(&n.to_string()));
    }
    assert!(Arc::ptr_eq(&held, &keyed.of(&to("held"))));
    keyed.of(&to("busy"));
    keyed.of(&to("never"));
    assert_eq!(made.lock().unwrap().len(), 2_003);

    drop(held);
    advance(secs(61)).await;
    for n in 0..2_000 {
        keyed.of(&to(&n.to_string()));
    }
    assert!(keyed.get(&key("held")).is_none());
    assert!(keyed.get(&key("busy")).is_none());
    assert!(keyed.get(&key("never")).is_some());
}

/// Requests that are no more than a host, since a million of them are made.
struct Spelled;

impl KeyBy<String> for Spelled {
    fn key(&self, host: &String) -> Key {
        Origin::new("https", host).key()
    }

    fn spelled<'a>(&self, host: &'a String) -> Option<Origin<'a>> {
        Some(Origin::new("https", host))
    }
}

#[test]
fn a_million_hosts_seen_take_no_more_room_than_those_in_use() {
    const LIVE: usize = 10_000;
    let keyed = Keyed::new(Spelled, |_| State::default());
    let live: Vec<_> = (0..LIVE).map(|n| keyed.of(&format!("live-{n}"))).collect();
    let mut most = (0, 0);
    for n in 0..1_000_000 - LIVE {
        keyed.of(&n.to_string());
        if n % 1_000 == 0 {
            let spellings = keyed.shards.iter().map(|shard| read(&shard.spellings).len()).sum();
            most = (keyed.len().max(most.0), Ord::max(spellings, most.1));
        }
    }
    assert!(most.0 <= LIVE * 5 / 4, "{most:?} of {LIVE}");
    assert!(most.1 <= LIVE * 5 / 4, "{most:?} of {LIVE}");
    for (n, state) in live.iter().enumerate() {
        assert!(Arc::ptr_eq(state, &keyed.get(&key(&format!("live-{n}"))).unwrap()));
    }
    assert!(heard().is_empty());
}

#[tokio::test(start_paused = true)]
async fn over_the_most_the_soonest_at_rest_leaves_and_that_is_told() {
    let (keyed, _) = by_host();
    let keyed = keyed.at_most(3);
    for (host, time) in [("late", 30), ("soon", 10), ("later", 40)] {
        keyed.of(&to(host)).is_busy_until(clock::now() + secs(time));
    }
    assert!(heard().is_empty());
    drop(keyed.of(&to("new")));
    assert_eq!(keyed.len(), 3);
    assert!(keyed.get(&key("soon")).is_none());
    let [told] = &heard()[..] else { panic!("it is told once") };
    assert!(told.starts_with("Warning { layer: \"keyed state\""), "{told}");
    assert!(told.ends_with("took: Some(10s) }"), "{told}");

    keyed.of(&to("new")).is_busy_until(Moment::MAX);
    drop(keyed.of(&to("newer")));
    assert!(keyed.get(&key("late")).is_none());
    assert!(keyed.get(&key("new")).is_some(), "it may not be forgotten while others may");
}

#[tokio::test(start_paused = true)]
async fn what_is_held_stays_even_over_the_most_and_what_is_let_go_makes_room() {
    let (keyed, _) = by_host();
    let keyed = keyed.at_most(2);
    let hosts = ["a", "b", "c", "d"];
    let busy = |host: &&str| {
        let state = keyed.of(&to(host));
        state.is_busy_until(clock::now() + secs(60));
        state
    };
    let held: Vec<_> = hosts.iter().map(busy).collect();
    assert_eq!(keyed.len(), 4);
    drop(held);
    busy(&"e");
    assert_eq!(keyed.len(), 3, "two leave for one that comes");
    busy(&"f");
    assert_eq!(keyed.len(), 2);
}

#[test]
fn spellings_are_not_remembered_without_end() {
    let keyed = Keyed::new(Spelled, |_| State::default()).at_most(64);
    let held = keyed.of(&"example.com".to_owned());
    for zeros in 0..1_000 {
        assert!(Arc::ptr_eq(&held, &keyed.of(&format!("example.com:{}443", "0".repeat(zeros)))));
    }
    let spellings: usize = keyed.shards.iter().map(|shard| read(&shard.spellings).len()).sum();
    assert!(spellings <= 64 * SPELLINGS, "{spellings}");
    assert_eq!(keyed.len(), 1);
}

/// At rest when it was looked at in the map, and no more when it was out of it.
#[test]
fn who_is_no_longer_at_rest_when_it_leaves_stays() {
    let state = Arc::new(State::default());
    let kept = unless_held(state, |_| false).unwrap_err();
    let other = Arc::clone(&kept);
    assert!(unless_held(kept, |_| true).is_err());
    assert!(unless_held(other, |_| true).is_ok());
}

/// A maker that asks for the same state while it makes it, as another thread might.
#[test]
fn nobody_s_code_runs_under_a_lock_and_who_is_slower_takes_what_the_faster_one_made() {
    let keyed: Arc<std::sync::OnceLock<Keyed<State>>> = Arc::default();
    let (inside, faster) = (Arc::clone(&keyed), Arc::new(Mutex::new(None)));
    let made_inside = Arc::clone(&faster);
    let keyed = keyed.get_or_init(|| {
        Keyed::new(ByHost, move |_| {
            if made_inside.lock().unwrap().is_none() {
                *made_inside.lock().unwrap() = Some(None);
                let found = inside.get().unwrap().of(&to("x"));
                *made_inside.lock().unwrap() = Some(Some(found));
            }
            State::default()
        })
    });
    let found = keyed.of(&to("x"));
    let faster = faster.lock().unwrap().take().unwrap().unwrap();
    assert!(Arc::ptr_eq(&found, &faster));
    assert!(Arc::ptr_eq(&found, &keyed.of(&to("x"))));
    assert_eq!(keyed.len(), 1);
}

#[test]
fn what_is_at_rest_makes_room_without_a_word() {
    let (keyed, _) = by_host();
    let keyed = keyed.at_most(1);
    for n in 0..100 {
        keyed.of(&to(&n.to_string()));
    }
    assert_eq!(keyed.len(), 1);
    assert!(heard().is_empty());
}

#[test]
fn a_maker_that_panics_leaves_the_others_alone() {
    let keyed = Keyed::new(ByHost, |made_for: &Key| {
        assert_ne!(*made_for, key("bad"));
        State::default()
    });
    keyed.of(&to("good"));
    assert!(catch_unwind(AssertUnwindSafe(|| keyed.of(&to("bad")))).is_err());
    keyed.of(&to("good"));
    assert_eq!((keyed.len(), keyed.get(&key("bad")).is_none()), (1, true));
}

#[test]
fn all_are_at_rest_when_the_last_is_and_none_is_held() {
    // Far from now, whatever time the tests before it took.
    let (keyed, _) = by_host();
    let rest = || keyed.all_at_rest_from(State::at_rest_from);
    assert_eq!(rest(), Some(Moment::MIN));
    keyed.of(&to("a")).is_busy_until(Moment::ORIGIN + secs(86_400));
    let b = keyed.of(&to("b"));
    b.is_busy_until(Moment::ORIGIN + secs(80_000));
    assert_eq!(rest(), None);
    drop(b);
    assert_eq!(rest(), Some(Moment::ORIGIN + secs(86_400)));
    keyed.of(&to("b")).is_busy_until(Moment::MAX);
    assert_eq!(rest(), None);
}

#[test]
fn threads_that_come_at_the_same_time_find_the_same_state() {
    let (keyed, _) = by_host();
    let barrier = std::sync::Barrier::new(4);
    let found: Vec<_> = std::thread::scope(|scope| {
        let find = || {
            barrier.wait();
            (0..500).map(|n| keyed.of(&to(&n.to_string()))).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(find)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for states in &found[1..] {
        assert!(states.iter().zip(&found[0]).all(|(one, other)| Arc::ptr_eq(one, other)));
    }
    assert_eq!(keyed.len(), 500);
}
