//! Adaptive limits before a server that is simulated with plain numbers: so many calls at once it
//! serves well; more it slows down, or says no to.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use mainstay_policy::adaptive::{AdaptiveLimit, AdaptiveSlots, Aimd, Gradient2};
use mainstay_policy::concurrency::Slot;
use mainstay_policy::{Draw, Moment, Outcome};

use crate::ms;

/// How long a call takes that has a server's place to itself.
const SERVICE: Duration = ms(50);
/// How long it takes to be told no.
const NO: Duration = ms(5);

/// What a server does with more than it has room for.
#[derive(Clone, Copy)]
enum Server {
    /// Each call takes longer, in proportion.
    Slows { room: u32 },
    /// Each call above it is refused at once.
    Refuses { room: u32 },
}

impl Server {
    /// How a call ends that begins while it works at so many, this one among them, and when.
    fn answers(self, there: u32) -> (Outcome, Duration) {
        match self {
            Self::Slows { room } if there > room => {
                (Outcome::Success, SERVICE.mul_f64(f64::from(there) / f64::from(room)))
            }
            Self::Refuses { room } if there > room => (Outcome::Throttled, NO),
            Self::Slows { .. } | Self::Refuses { .. } => (Outcome::Success, SERVICE),
        }
    }
}

/// An adaptive limit before a server.
struct World {
    slots: AdaptiveSlots,
    now: Moment,
    dice: Draw,
    /// Calls that the server works at.
    there: u32,
    /// Calls on their way by when they end; each with its number, which leads to the rest of it.
    ends: BinaryHeap<Reverse<(Moment, usize)>>,
    calls: Vec<Option<(Slot, Outcome, Duration)>>,
}

/// What came of a stretch of time.
#[derive(Debug)]
struct Seen {
    /// The mean of the limit over time.
    limit: f64,
    /// Calls that succeeded in a second.
    served: f64,
    /// What part of the calls was dropped.
    dropped: f64,
}

impl World {
    fn new(settings: AdaptiveLimit) -> Self {
        let slots = AdaptiveSlots::new(settings).unwrap();
        let (now, dice) = (Moment::ORIGIN, Draw::new(7));
        Self { slots, now, dice, there: 0, ends: BinaryHeap::new(), calls: Vec::new() }
    }

    fn limit(&self) -> u32 {
        self.slots.snapshot().limit
    }

    /// Lets callers in for so long; so many of them want a slot at all times.
    fn run(&mut self, server: Server, callers: u32, time: Duration) -> Seen {
        let (begin, end) = (self.now, self.now + time);
        let (mut area, mut served, mut dropped) = (0.0, 0.0, 0.0);
        while self.now < end {
            self.begin_calls(server, callers);
            let Some(Reverse((next, number))) = self.ends.pop() else { break };
            area += f64::from(self.limit()) * next.since(self.now).as_secs_f64();
            self.now = next;
            let Some((slot, outcome, took)) = self.calls[number].take() else { continue };
            match outcome {
                Outcome::Success => {
                    served += 1.0;
                    self.there -= 1;
                }
                _ => dropped += 1.0,
            }
            let _ = self.slots.leave(slot, outcome, took, next);
        }
        let seconds = self.now.since(begin).as_secs_f64();
        let calls: f64 = served + dropped;
        Seen { limit: area / seconds, served: served / seconds, dropped: dropped / calls }
    }

    fn begin_calls(&mut self, server: Server, callers: u32) {
        while self.slots.snapshot().in_use < callers {
            let Some(slot) = self.slots.try_enter() else { break };
            let (outcome, mean) = server.answers(self.there + 1);
            self.there += u32::from(outcome == Outcome::Success);
            let draw = self.dice.nth(self.calls.len() as u64);
            let took = draw.between(mean / 2, mean * 3 / 2);
            self.ends.push(Reverse((self.now + took, self.calls.len())));
            self.calls.push(Some((slot, outcome, took)));
        }
    }

    /// How long it takes until the limit is at least (or, falling, at most) so much.
    fn until(&mut self, server: Server, callers: u32, reached: impl Fn(u32) -> bool) -> Duration {
        let begin = self.now;
        while !reached(self.limit()) {
            assert!(self.now.since(begin) < secs(3_600), "it stays at {}", self.limit());
            self.run(server, callers, ms(10));
        }
        self.now.since(begin)
    }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const ALWAYS_WELL: Server = Server::Slows { room: u32::MAX };
const MANY: u32 = 1_000;

fn aimd() -> World {
    World::new(AdaptiveLimit::aimd(Aimd::new()))
}

fn gradient2() -> World {
    World::new(AdaptiveLimit::gradient2(Gradient2::new()))
}

/// Served calls are compared with what the server could do, the limit with its room.
#[track_caller]
fn assert_seen(seen: &Seen, limit: (f64, f64), served: (f64, f64), dropped: (f64, f64)) {
    let within = |figure, (low, high)| (low..=high).contains(&figure);
    let (l, s, d) = (seen.limit, seen.served, seen.dropped);
    assert!(within(l, limit) && within(s, served) && within(d, dropped), "{seen:?}");
}

const NONE: (f64, f64) = (0.0, 0.0);

#[test]
fn before_a_well_server_aimd_doubles_each_round_and_is_at_the_maximum_after_four() {
    let rounds = aimd().until(ALWAYS_WELL, MANY, |limit| limit == 200);
    assert!((ms(150)..=ms(250)).contains(&rounds), "{rounds:?}");
}

/// From 20 to 200 by 0.8 a second, and one second before the first window ends.
#[test]
fn before_a_well_server_gradient2_rises_by_four_fifths_a_second_up_to_the_maximum() {
    let time = gradient2().until(ALWAYS_WELL, MANY, |limit| limit == 200);
    assert!((secs(225)..=secs(227)).contains(&time), "{time:?}");
}

#[test]
fn few_callers_leave_a_limit_where_it_is_less_than_half_in_use() {
    let mut world = aimd();
    world.run(ALWAYS_WELL, 9, secs(60));
    assert_eq!(world.limit(), 20);
    let mut world = gradient2();
    world.run(ALWAYS_WELL, 9, secs(60));
    assert_eq!(world.limit(), 20);
    // Fifteen callers are half of 30, where both stop.
    let mut world = aimd();
    world.run(ALWAYS_WELL, 15, secs(60));
    assert_eq!(world.limit(), 31);
    let mut world = gradient2();
    world.run(ALWAYS_WELL, 15, secs(60));
    assert_eq!(world.limit(), 30);
}

/// The mean limit, what is served of a thousand a second that could be, and the part that is
/// dropped, which is about 1 / (1 + limit / 10): 43, 913, 0.17. With a ratio of a half: 30, 806,
/// 0.07.
#[test]
fn before_a_server_that_refuses_above_fifty_aimd_settles_just_below_at_one_drop_in_six() {
    let refuses = Server::Refuses { room: 50 };
    let mut world = aimd();
    world.run(refuses, MANY, secs(10));
    let seen = world.run(refuses, MANY, secs(60));
    assert_seen(&seen, (38.0, 50.0), (870.0, 1_010.0), (0.13, 0.20));

    let mut world = World::new(AdaptiveLimit::aimd(Aimd::new()).backoff_ratio(0.5));
    world.run(refuses, MANY, secs(10));
    let seen = world.run(refuses, MANY, secs(60));
    assert_seen(&seen, (26.0, 40.0), (750.0, 900.0), (0.04, 0.10));
}

/// 48, 965, 0.03: a window of drops costs a tenth, and it takes six seconds to be back.
#[test]
fn before_a_server_that_refuses_above_fifty_gradient2_settles_just_below_at_three_drops_in_a_hundred()
 {
    let refuses = Server::Refuses { room: 50 };
    let mut world = gradient2();
    world.run(refuses, MANY, secs(60));
    let seen = world.run(refuses, MANY, secs(60));
    assert_seen(&seen, (45.0, 51.0), (930.0, 1_010.0), (0.01, 0.05));
}

/// A server with room for 30 gives every call 200 ms at 120 in flight. All that are there then are
/// late together, and each of them cuts: 46 on average, 403 of 600 a second.
#[test]
fn before_a_server_that_slows_down_aimd_goes_by_its_timeout_alone() {
    let slows = Server::Slows { room: 30 };
    let mut world = World::new(AdaptiveLimit::aimd(Aimd::new().timeout(ms(200))));
    world.run(slows, MANY, secs(10));
    let seen = world.run(slows, MANY, secs(60));
    assert_seen(&seen, (35.0, 70.0), (350.0, 600.0), NONE);
    // With five seconds it never comes to that: the limit stands at its maximum.
    let mut world = aimd();
    world.run(slows, MANY, secs(10));
    let seen = world.run(slows, MANY, secs(60));
    assert_seen(&seen, (199.9, 200.1), (590.0, 610.0), NONE);
}

/// It stands where limit = 1.5 room × usual / 50 ms + 4. With the usual time as it was that is
/// 1.5 room + 4 (19, 49, 79); it rises with it, and in the second minute is at 22, 54, 86.
#[test]
fn before_a_server_that_slows_down_gradient2_settles_at_its_room_and_a_half() {
    for (room, low, high) in [(10, 19.0, 24.0), (30, 49.0, 61.0), (50, 79.0, 98.0)] {
        let slows = Server::Slows { room };
        let mut world = gradient2();
        world.run(slows, room / 2, secs(60)); // this is how long calls usually take
        world.run(slows, MANY, secs(60));
        let all = f64::from(room) * 20.0;
        let seen = world.run(slows, MANY, secs(30));
        assert_seen(&seen, (low, high), (all * 0.98, all * 1.02), NONE);
    }
}

/// Its room falls to a fifth for a minute: the limit is down to 30 after 14 s and at 27 on average;
/// well again, it is at 50 after 26 s.
#[test]
fn gradient2_falls_with_the_server_and_comes_back_with_it() {
    let (well, ill) = (Server::Slows { room: 50 }, Server::Slows { room: 10 });
    let mut world = gradient2();
    world.run(well, 25, secs(60));
    world.run(well, MANY, secs(60));
    let falls = world.until(ill, MANY, |limit| limit <= 30);
    assert!(falls <= secs(20), "{falls:?}");
    let seen = world.run(ill, MANY, secs(60));
    assert_seen(&seen, (19.0, 32.0), (195.0, 205.0), NONE);
    let rises = world.until(well, MANY, |limit| limit >= 50);
    assert!(rises <= secs(35), "{rises:?}");
}

#[test]
fn aimd_is_back_within_ten_rounds_after_an_outage() {
    let (well, down) = (Server::Refuses { room: 150 }, Server::Refuses { room: 0 });
    let mut world = aimd();
    world.run(down, MANY, secs(10));
    assert_eq!(world.limit(), 1);
    let time = world.until(well, MANY, |limit| limit >= 60);
    assert!(time <= ms(500), "{time:?}");
}

/// What calls usually take is learnt from the calls, those of an overload too: the limit doubles in
/// seven minutes. It lies in the published rule.
#[test]
fn under_an_overload_that_lasts_gradient2_drifts_up_to_the_maximum() {
    let slows = Server::Slows { room: 50 };
    let mut world = gradient2();
    world.run(slows, 25, secs(60));
    world.run(slows, MANY, secs(120));
    let before = world.run(slows, MANY, secs(1)).limit;
    world.run(slows, MANY, secs(419));
    let after = world.run(slows, MANY, secs(1)).limit;
    assert!((1.9..2.2).contains(&(after / before)), "{before} to {after}");
    world.run(slows, MANY, secs(300));
    assert_eq!(world.limit(), 200);
}
