//! Words that code may not say, except in the room that is theirs.

use std::collections::BTreeSet;

use crate::code::{Source, has_word};
use crate::{POLICY, assert_none, workspace};

/// Only in a file called `clock.rs`.
const CLOCK: [&str; 7] = [
    "Instant::now",
    "SystemTime",
    "UNIX_EPOCH",
    ".elapsed(",
    "thread::sleep",
    "time::sleep",
    "time::sleep_until",
];

/// Only in a file called `chance.rs`.
const CHANCE: [&str; 5] = ["fastrand", "rand::", "thread_rng", "RandomState", "getrandom"];

/// Each draws a random state when it is made.
const HASHED: [&str; 2] = ["HashMap", "HashSet"];

const LOCKS: [&str; 3] = ["Mutex", "RwLock", ".lock()"];

/// Where the policy's locks are named.
const SYNC: &str = "sync.rs";

/// The files of the policy that may lock, and why.
const MAY_LOCK: [(&str, &str); 1] = [("live.rs", "orders changes of settings; no call takes it")];

/// What only plumbing does: wait and tell.
const PLUMBING: [&str; 7] =
    ["async", "await", "print!", "println!", "eprint!", "eprintln!", "dbg!"];

/// Where a file names time or chance, and that is not its room.
fn time_and_chance(source: &Source) -> Vec<String> {
    let is_pure = source.member == POLICY;
    let mut refused = Vec::new();
    if is_pure || source.name() != "clock.rs" {
        refused.extend(CLOCK);
    }
    if is_pure || source.name() != "chance.rs" {
        refused.extend(CHANCE);
    }
    if is_pure {
        refused.extend(HASHED);
    }
    said(source, &refused)
}

/// Where a file of the policy locks, waits or prints.
fn impurities(source: &Source) -> Vec<String> {
    let mut refused = PLUMBING.to_vec();
    if !MAY_LOCK.iter().any(|(path, _)| *path == source.path) {
        let may_name = source.path == SYNC;
        refused.extend(LOCKS.iter().filter(|word| !may_name || word.starts_with('.')));
    }
    said(source, &refused)
}

fn said(source: &Source, words: &[&str]) -> Vec<String> {
    let code = source.code();
    // A set, because a path that a `use` spells out may stand on its line as well.
    let said: BTreeSet<_> = code
        .iter()
        .flat_map(|(number, line)| {
            let said = words.iter().filter(|word| has_word(line, word));
            said.map(move |word| (number, word))
        })
        .collect();
    said.iter().map(|(number, word)| format!("{}:{number} says {word}", source.place())).collect()
}

#[test]
fn clocks_and_chance_are_named_only_in_their_rooms() {
    assert_none(&workspace::sources().iter().flat_map(time_and_chance).collect::<Vec<_>>());
}

#[test]
fn each_word_of_clocks_and_chance_is_refused() {
    for word in CLOCK.iter().chain(&CHANCE) {
        let line = format!("    let x = some{word});");
        let line = if word.starts_with('.') { line } else { line.replace("some", "some::") };
        let judged = time_and_chance(&Source::new("mainstay", "retry/mod.rs", &line));
        assert_eq!(judged, [format!("mainstay/src/retry/mod.rs:1 says {word}")]);
    }
}

#[test]
fn a_clock_brought_in_by_a_group_is_refused() {
    let text = "use std::time::{\n    Duration, SystemTime,\n};\nuse tokio::{time::{self, sleep}};";
    assert_eq!(
        time_and_chance(&Source::new("mainstay", "hedge.rs", text)),
        [
            "mainstay/src/hedge.rs:1 says SystemTime",
            "mainstay/src/hedge.rs:2 says SystemTime",
            "mainstay/src/hedge.rs:4 says time::sleep",
        ]
    );
}

#[test]
fn the_rooms_of_time_and_chance_name_their_own_and_the_policy_has_no_such_room() {
    let judge = |member, path| {
        let text = "Instant::now(); fastrand::u64(..); HashMap::new();";
        words(&time_and_chance(&Source::new(member, path, text)))
    };
    assert_eq!(judge("mainstay", "clock.rs"), ["fastrand"]);
    assert_eq!(judge("mainstay", "batch/chance.rs"), ["Instant::now"]);
    assert_eq!(judge("mainstay", "o_clock.rs"), ["Instant::now", "fastrand"]);
    for path in ["clock.rs", "chance.rs", "retry.rs"] {
        assert_eq!(judge(POLICY, path), ["HashMap", "Instant::now", "fastrand"]);
    }
}

#[test]
fn comments_tests_and_words_that_only_look_alike_may_stand() {
    let text = "
//! Reads no SystemTime.
let draw = operand::new(brand::NEW, elapsed, elapsed()); // not rand::random()
let instant = Instant::nowhere(HashMapper);
#[cfg(test)]
mod tests {
    thread::sleep(SECOND);
}
";
    assert_none(&time_and_chance(&Source::new(POLICY, "draw.rs", text)));
}

#[test]
fn the_policy_neither_waits_nor_prints_and_locks_only_to_order_changes() {
    let sources = workspace::sources();
    let policy = || sources.iter().filter(|source| source.member == POLICY);
    assert_none(&policy().flat_map(impurities).collect::<Vec<_>>());

    for (path, _) in MAY_LOCK {
        let locks = policy().any(|source| source.path == path && !said(source, &LOCKS).is_empty());
        assert!(locks, "{path} may lock and does not: strike it from the list");
    }
}

#[test]
fn a_lock_a_wait_and_a_print_are_refused_in_the_policy() {
    let judge = |path| {
        let text = "use std::sync::{Mutex, RwLock};\nlock.lock();\nasync { x.await };\ndbg!(x);";
        words(&impurities(&Source::new(POLICY, path, text)))
    };
    let always = ["async", "await", "dbg!"];
    assert_eq!(judge("retry.rs"), [&["Mutex", "RwLock", ".lock()"], &always[..]].concat());
    assert_eq!(judge("budget/sync.rs"), judge("retry.rs"));
    assert_eq!(judge(SYNC), [&[".lock()"], &always[..]].concat());
    for (path, _) in MAY_LOCK {
        assert_eq!(judge(path), always);
    }
}

#[test]
fn what_only_sounds_like_a_lock_a_wait_or_a_print_may_stand() {
    let text = "asynchronous(); Mutexes.lock(key); line.unlock(); awaited; // println!(.await)";
    assert_none(&impurities(&Source::new(POLICY, "turn.rs", text)));
}

/// What each violation says was said.
fn words(violations: &[String]) -> Vec<String> {
    let words = violations.iter().filter_map(|violation| violation.rsplit(' ').next());
    words.map(str::to_owned).collect()
}
