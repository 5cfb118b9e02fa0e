use std::time::Duration;

use mainstay_policy::hedge::{Hedge, Hedger};
use mainstay_policy::{Draw, Moment, Outcome};
use proptest::prelude::*;

use crate::{at, cases, ms};

/// How wide a bucket is where a 32nd part of what lies in it would be less.
const UNIT: Duration = Duration::from_nanos(1 << 16);

fn delay(hedger: &Hedger, now: Moment) -> Duration {
    hedger.next_at(1, now).unwrap().since(now)
}

/// The one at the percentile, counted from the shortest; percentiles are in tenths.
fn at_percentile(latencies: &[Duration], tenths: u32) -> Duration {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * tenths as usize).div_ceil(1_000) - 1]
}

/// Never short, and long by a 32nd part at most, or by a unit.
fn is_close(delay: Duration, exact: Duration) -> bool {
    exact < delay && delay <= exact + (exact / 32).max(UNIT)
}

fn latency() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..70_000_u64).prop_map(Duration::from_nanos),
        (0..10_000_u64).prop_map(Duration::from_micros),
        (0..3_000_000_u64).prop_map(Duration::from_micros),
        (0..58_000_u64).prop_map(ms),
    ]
}

fn tenths() -> impl Strategy<Value = u32> {
    prop_oneof![500..=999_u32, Just(500), Just(900), Just(950), Just(990), Just(999)]
}

fn settings(tenths: u32, observations: u32) -> Hedge {
    Hedge::at_percentile(f64::from(tenths) / 10.0)
        .min_observations(observations)
        .min_delay(Duration::ZERO)
        .max_delay(Hedge::LONGEST)
}

/// The fewest that can be asked for at this percentile.
fn fewest(tenths: u32) -> u32 {
    1_000_u32.div_ceil(1_000 - tenths)
}

/// Two lists, the older of which is thrown away when the newer is old and full enough.
struct Model {
    older: Vec<Duration>,
    newer: Vec<Duration>,
    began: Option<u64>,
    looked: Option<u64>,
    exact: Option<Duration>,
}

impl Model {
    fn look(&mut self, tenths: u32, enough: usize, half: u64, now: u64) {
        if self.looked.is_some_and(|before| now < before + 100) {
            return;
        }
        self.looked = Some(now);
        let is_old = self.began.is_none_or(|began| now >= began + half);
        if is_old && self.newer.len() >= enough {
            self.older = std::mem::take(&mut self.newer);
            self.began = Some(now);
        }
        let all = [&self.older[..], &self.newer[..]].concat();
        self.exact = (all.len() >= enough).then(|| at_percentile(&all, tenths));
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn the_delay_is_that_of_a_sorted_list(
        tenths in tenths(),
        latencies in prop::collection::vec(latency(), 1_000..1_300),
    ) {
        let hedger = Hedger::new(settings(tenths, fewest(tenths))).unwrap();
        latencies.iter().for_each(|latency| hedger.observe(Outcome::Success, *latency));
        let (delay, exact) = (delay(&hedger, at(0)), at_percentile(&latencies, tenths));
        prop_assert!(is_close(delay, exact), "{delay:?} at {tenths}, and it is {exact:?}");
    }

    #[test]
    fn it_is_two_lists_of_which_one_is_thrown_away(
        tenths in 500..=950_u32,
        half in 500..3_000_u64,
        steps in prop::collection::vec((latency(), 0..30_u32, 0..900_u64), 1..150),
    ) {
        let enough = fewest(tenths) + 10;
        let memory = settings(tenths, enough).memory(ms(2 * half));
        let hedger = Hedger::new(memory).unwrap();
        let mut model =
            Model { older: vec![], newer: vec![], began: None, looked: None, exact: None };
        let mut now = 0;
        for (latency, times, after) in steps {
            for _ in 0..times {
                hedger.observe(Outcome::Success, latency);
                model.newer.push(latency);
            }
            now += after;
            model.look(tenths, enough as usize, half, now);
            let delay = delay(&hedger, at(now));
            match model.exact {
                Some(exact) => prop_assert!(is_close(delay, exact), "{delay:?}, not {exact:?}"),
                None => prop_assert_eq!(delay, Hedge::LONGEST),
            }
            let held = model.older.len() + model.newer.len();
            prop_assert_eq!(hedger.snapshot().observations, held as u64);
        }
    }

    /// While there are calls enough, what is older than the memory and two looks is gone, and what
    /// is younger than half of it is not.
    #[test]
    fn what_is_observed_fades(
        memory in 1_000..20_000_u64,
        every in 1..20_u64,
        calls in 500..3_000_u64,
    ) {
        let few_buckets = settings(500, 2).max_delay(ms(1));
        let hedger = Hedger::new(few_buckets.memory(ms(memory))).unwrap();
        for call in 0..calls {
            hedger.observe(Outcome::Success, ms(10));
            let now = call * every;
            prop_assert_eq!(delay(&hedger, at(now)), ms(1));
            let observations = hedger.snapshot().observations;
            let so_old = |age: u64| (age / every + 1).min(call + 1);
            prop_assert!(observations >= so_old(memory / 2 - 1), "{observations} at {now}");
            let most = so_old(memory + 2 * (100 + every));
            prop_assert!(observations <= most, "{observations} at {now}, and not {most}");
        }
    }

    #[test]
    fn the_delay_never_leaves_its_bounds(
        (least, more) in (0..20_000_u64, 1..20_000_u64),
        latencies in prop::collection::vec(latency(), 0..200),
    ) {
        let (least, most) = (ms(least), ms(least + more));
        let settings = Hedge::new().min_observations(20).min_delay(least).max_delay(most);
        let hedger = Hedger::new(settings).unwrap();
        for (n, latency) in latencies.iter().enumerate() {
            hedger.observe(Outcome::Success, *latency);
            let delay = delay(&hedger, at(100 * n as u64));
            prop_assert!((least..=most).contains(&delay), "{delay:?}");
        }
    }
}

/// Latencies in units of a tenth of a second, of this distribution.
struct Latencies {
    seed: Draw,
    drawn: u64,
    of: Distribution,
}

#[derive(Clone, Copy)]
enum Distribution {
    /// Of mean 1.
    Exponential,
    /// Of median 1 and deviation 1.
    LogNormal,
}

const UNIT_OF_LATENCY: f64 = 0.1;

impl Latencies {
    fn of(of: Distribution) -> Self {
        Self { seed: Draw::new(7), drawn: 0, of }
    }

    /// Between nothing and one, and neither.
    fn part(&mut self) -> f64 {
        self.drawn += 1;
        let drawn = self.seed.nth(self.drawn).between(Duration::from_nanos(1), ms(1_000));
        drawn.as_secs_f64() / 1.000_000_001
    }

    fn next(&mut self) -> Duration {
        let units = match self.of {
            Distribution::Exponential => -self.part().ln(),
            Distribution::LogNormal => {
                let (length, angle) =
                    (-2.0 * self.part().ln(), std::f64::consts::TAU * self.part());
                (length.sqrt() * angle.cos()).exp()
            }
        };
        Duration::from_secs_f64(units * UNIT_OF_LATENCY)
    }
}

/// What hedging came to: the part of calls that were sent twice, and the latency, in units, that
/// all but one in a thousand were within.
struct Figures {
    extra: f64,
    delay: f64,
    all_but_one_in_a_thousand: f64,
}

/// Whether the attempts that an extra one has beaten are told.
#[derive(Clone, Copy, PartialEq)]
enum Beaten {
    Told,
    /// The answer is told in their place, as if there were nothing else to tell.
    AnswerTold,
}

fn hedged(settings: Hedge, of: Distribution, beaten: Beaten) -> Figures {
    const CALLS: usize = 200_000;
    let hedger = Hedger::new(settings).unwrap();
    let mut draws = Latencies::of(of);
    (0..1_000).for_each(|_| hedger.observe(Outcome::Success, draws.next()));
    let (mut extra, mut delays, mut took) = (0, Duration::ZERO, Vec::with_capacity(CALLS));
    for call in 0..CALLS {
        let delay = delay(&hedger, at(call as u64 * 10));
        let (first, second) = (draws.next(), draws.next());
        delays += delay;
        extra += usize::from(first > delay);
        let is_beaten = first > delay + second;
        let answered = if is_beaten { delay + second } else { first };
        match beaten {
            Beaten::Told if is_beaten => hedger.observe(Outcome::Abandoned, answered),
            Beaten::AnswerTold if is_beaten => hedger.observe(Outcome::Success, second),
            Beaten::Told | Beaten::AnswerTold => hedger.observe(Outcome::Success, first),
        }
        took.push(answered);
    }
    Figures {
        extra: extra as f64 / CALLS as f64,
        delay: delays.as_secs_f64() / CALLS as f64 / UNIT_OF_LATENCY,
        all_but_one_in_a_thousand: at_percentile(&took, 999).as_secs_f64() / UNIT_OF_LATENCY,
    }
}

#[track_caller]
fn assert_close(figure: f64, published: f64, tolerance: f64) {
    assert!((figure - published).abs() <= tolerance, "{figure}, published is {published}");
}

/// The closed form: a call takes longer than `t` with the probability S(t) before the delay and
/// S(t) × S(t - delay) after it, and S(delay) of all calls are sent twice. Of exponential latencies
/// one in a thousand takes longer than 6.91 without hedging; hedged at the 95th percentile, 4.95.
#[test]
fn hedging_at_the_95th_percentile_costs_five_calls_in_a_hundred_and_cuts_the_tail() {
    let figures = hedged(Hedge::new(), Distribution::Exponential, Beaten::Told);
    assert_close(figures.extra, 0.05, 0.004);
    assert_close(figures.delay, 3.0, 0.08);
    assert_close(figures.all_but_one_in_a_thousand, 4.95, 0.12);

    let figures = hedged(Hedge::after(ms(300)), Distribution::Exponential, Beaten::Told);
    assert_close(figures.extra, 0.0498, 0.002);
    assert_close(figures.all_but_one_in_a_thousand, 4.95, 0.1);
    let never = Hedge::after(ms(100_000));
    let unhedged = hedged(never, Distribution::Exponential, Beaten::Told);
    assert_close(unhedged.all_but_one_in_a_thousand, 6.91, 0.2);
}

/// Of log-normal ones: 22.0 without hedging, 9.30 at the 95th percentile, 12.6 at the 99th.
#[test]
fn a_longer_tail_is_cut_further() {
    let at = |percentile| {
        let settings = Hedge::at_percentile(percentile).min_observations(1_000);
        hedged(settings, Distribution::LogNormal, Beaten::Told)
    };
    let figures = at(95.0);
    assert_close(figures.extra, 0.05, 0.004);
    assert_close(figures.delay, 5.18, 0.2);
    assert_close(figures.all_but_one_in_a_thousand, 9.3, 0.3);
    let figures = at(99.0);
    assert_close(figures.extra, 0.01, 0.001);
    assert_close(figures.all_but_one_in_a_thousand, 12.6, 0.6);
}

/// If only answers were told, the slowest calls would hide behind those that beat them: of the
/// exponential ones, every tenth call would be sent twice.
#[test]
fn who_forgets_the_beaten_sends_twice_as_many() {
    let figures = hedged(Hedge::new(), Distribution::Exponential, Beaten::AnswerTold);
    assert_close(figures.extra, 0.1, 0.01);
}
