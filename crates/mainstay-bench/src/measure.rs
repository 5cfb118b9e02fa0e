//! How a case is measured, and what is made of many measurements.

use std::hint::black_box;
use std::time::Duration;

use crate::clock;
use crate::overhead::cases::Case;

const ROUNDS: usize = 41;
const CALLS: u64 = 20_000;
/// Rounds of two threads take long.
const ROUNDS_OF_TWO: usize = 15;

/// The one in the middle.
pub(crate) fn median<T: Copy>(mut all: Vec<T>, order: impl Fn(&T, &T) -> std::cmp::Ordering) -> T {
    all.sort_by(order);
    all[all.len() / 2]
}

/// How often a call allocates, once everything is warm.
pub(crate) fn allocations(case: &Case) -> u64 {
    let count = |calls| {
        allocation_counter::measure(|| {
            black_box((case.run)(calls));
        })
        .count_total
    };
    count(1);
    let (one, more) = (count(1), count(101));
    (more - one).div_ceil(100)
}

/// The nanoseconds of a call of each case. Every case has a turn in each round, so that a slow
/// moment hits all of them.
pub(crate) fn nanoseconds(cases: &[Case]) -> Vec<f64> {
    let mut rounds: Vec<Vec<Duration>> = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for _ in 0..ROUNDS {
        for (case, taken) in cases.iter().zip(&mut rounds) {
            taken.push(clock::time(|| {
                black_box((case.run)(CALLS));
            }));
        }
    }
    let medians = rounds.into_iter().map(|taken| median(taken, Ord::cmp));
    medians.map(|taken| taken.as_secs_f64() * 1e9 / CALLS as f64).collect()
}

/// The nanoseconds from one call to the next where one thread makes them and where two do, and how
/// much more two do together than one does alone.
pub(crate) fn together(rate: fn(usize) -> f64) -> (f64, f64, f64) {
    let rounds: Vec<_> = (0..ROUNDS_OF_TWO).map(|_| (rate(1), rate(2))).collect();
    let of =
        |each: fn(&(f64, f64)) -> f64| median(rounds.iter().map(each).collect(), f64::total_cmp);
    (of(|(one, _)| 1e9 / one), of(|(_, two)| 1e9 / two), of(|(one, two)| two / one))
}
