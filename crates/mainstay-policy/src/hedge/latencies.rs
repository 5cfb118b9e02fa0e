//! How long calls took: a log-linear histogram in two halves, of which the older is forgotten.

use std::time::Duration;

use crate::moment::nanos;
use crate::sync::{AtomicU32, Relaxed};

/// Counts latencies by how long they are.
///
/// A bucket is 2¹⁶ ns (66 µs) wide up to 64 of those (4 ms), and from there on each power of two is
/// 32 buckets. So a bucket's end is above whatever lies in it by at most a 32nd part, or by 66 µs
/// where that is more; a tokio timer is no finer than a millisecond.
///
/// Counting is one addition. A count goes round after four thousand million in one bucket.
#[derive(Debug)]
pub(super) struct Latencies {
    halves: [Box<[AtomicU32]>; 2],
}

/// One of the two halves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Half {
    One,
    Two,
}

impl Half {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::One => Self::Two,
            Self::Two => Self::One,
        }
    }
}

impl Latencies {
    /// Tells apart what is not longer than `longest`; whatever is counts as so long.
    pub(super) fn up_to(longest: Duration) -> Self {
        let empty = || (0..=bucket(longest)).map(|_| AtomicU32::new(0)).collect();
        Self { halves: [empty(), empty()] }
    }

    /// Whether it tells apart all that is not longer than this.
    pub(super) fn reach(&self, longest: Duration) -> bool {
        self.half(Half::One).len() > bucket(longest)
    }

    /// The same, telling apart what is not longer than `longest`. What was longer than could be told
    /// apart stays where it was.
    pub(super) fn grown(&self, longest: Duration) -> Self {
        let grown = Self::up_to(longest);
        for half in [Half::One, Half::Two] {
            for (old, new) in self.half(half).iter().zip(grown.half(half)) {
                new.store(old.load(Relaxed), Relaxed);
            }
        }
        grown
    }

    pub(super) fn count(&self, half: Half, latency: Duration) {
        let half = self.half(half);
        let number = bucket(latency).min(half.len() - 1);
        if let Some(bucket) = half.get(number) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    /// How many there are in one half.
    pub(super) fn total(&self, half: Half) -> u64 {
        self.half(half).iter().map(|bucket| u64::from(bucket.load(Relaxed))).sum()
    }

    /// The bucket, by number, that the latency of this rank lies in, counted from the shortest in
    /// both halves. The last one where there are fewer.
    pub(super) fn at_rank(&self, rank: u64) -> usize {
        let [one, two] = &self.halves;
        let mut seen = 0;
        let reached = one.iter().zip(two).position(|(one, two)| {
            seen += u64::from(one.load(Relaxed)) + u64::from(two.load(Relaxed));
            seen >= rank
        });
        reached.unwrap_or(one.len() - 1)
    }

    pub(super) fn forget(&self, half: Half) {
        for bucket in self.half(half) {
            bucket.store(0, Relaxed);
        }
    }

    fn half(&self, half: Half) -> &[AtomicU32] {
        let [one, two] = &self.halves;
        match half {
            Half::One => one,
            Half::Two => two,
        }
    }
}

const UNIT_BITS: u32 = 16;
const PART_BITS: u32 = 5;
const PARTS: u64 = 1 << PART_BITS;

/// The number of the bucket that a latency lies in.
fn bucket(latency: Duration) -> usize {
    let units = nanos(latency) >> UNIT_BITS;
    let power = (units | PARTS).ilog2() - PART_BITS; // zero where each unit has a bucket
    usize::try_from(u64::from(power) * PARTS + (units >> power)).unwrap_or(usize::MAX)
}

/// Where the bucket ends: the shortest latency that is above all that lie in it.
pub(super) fn end(bucket: usize) -> Duration {
    let bucket = bucket as u64;
    let power = (bucket / PARTS).saturating_sub(1).min(u64::from(u64::BITS - UNIT_BITS) - 6);
    Duration::from_nanos((bucket - power * PARTS + 1) << power << UNIT_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: u64 = 65_536;

    fn bucket_of(nanos: u64) -> usize {
        bucket(Duration::from_nanos(nanos))
    }

    #[test]
    fn buckets_are_a_unit_wide_and_from_four_milliseconds_on_a_32nd_of_a_power_of_two() {
        assert_eq!([0, UNIT - 1, UNIT, 63 * UNIT].map(bucket_of), [0, 0, 1, 63]);
        assert_eq!([64 * UNIT, 66 * UNIT - 1, 66 * UNIT].map(bucket_of), [64, 64, 65]);
        assert_eq!([127 * UNIT, 128 * UNIT, 256 * UNIT].map(bucket_of), [95, 96, 128]);
        assert_eq!(bucket(Duration::from_secs(30)), 471);
        assert_eq!(bucket(Duration::from_secs(60)), 503);
        assert_eq!(bucket(Duration::MAX), 1_407);
        let ends = [0, 63, 64, 65, 95, 96].map(|bucket| end(bucket).as_nanos());
        assert_eq!(ends, [1, 64, 66, 68, 128, 132].map(|units| units * u128::from(UNIT)));
    }

    #[test]
    fn each_bucket_begins_where_the_one_before_ends() {
        for number in 0..1_407 {
            let next = end(number);
            assert_eq!(bucket(next), number + 1);
            assert_eq!(bucket(next - Duration::from_nanos(1)), number);
        }
    }

    #[test]
    fn the_end_of_a_bucket_is_above_what_lies_in_it_by_a_32nd_at_most() {
        for nanos in (0..36).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits, (1 << bits) * 5 / 3])
        {
            let above = end(bucket_of(nanos)) - Duration::from_nanos(nanos);
            let most = UNIT.max(nanos / 32);
            assert!((1..=u128::from(most)).contains(&above.as_nanos()), "{nanos} and {above:?}");
        }
    }

    #[test]
    fn the_rank_is_counted_over_both_halves_and_one_is_forgotten_alone() {
        let latencies = Latencies::up_to(Duration::from_secs(30));
        let (short, long) = (Duration::from_millis(1), Duration::from_millis(3));
        (0..3).for_each(|_| latencies.count(Half::One, short));
        (0..2).for_each(|_| latencies.count(Half::Two, long));
        assert_eq!([1, 3].map(|rank| latencies.at_rank(rank)), [bucket(short); 2]);
        assert_eq!([4, 5].map(|rank| latencies.at_rank(rank)), [bucket(long); 2]);
        assert_eq!(latencies.at_rank(6), 471);
        assert_eq!((latencies.total(Half::One), latencies.total(Half::Two)), (3, 2));
        latencies.forget(Half::One);
        assert_eq!(latencies.at_rank(1), bucket(long));
        assert_eq!((latencies.total(Half::One), latencies.total(Half::Two)), (0, 2));
    }

    #[test]
    fn what_is_longer_than_the_longest_counts_as_so_long() {
        let latencies = Latencies::up_to(Duration::from_micros(100));
        latencies.count(Half::One, Duration::MAX);
        latencies.count(Half::One, Duration::from_micros(70));
        assert_eq!((latencies.total(Half::One), latencies.at_rank(1)), (2, 1));
    }
}
