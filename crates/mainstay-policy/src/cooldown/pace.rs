//! How many starts a server takes, learnt from how many there were until it asked for less.

use std::time::Duration;

use crate::moment::Moment;
use crate::stamp::Stamp;

/// From when on it counts, and how many have started since. The word 0 counts nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cycle {
    since: Stamp,
    started: u64,
}

impl Cycle {
    const STARTED_BITS: u32 = 25;
    const MOST_STARTED: u64 = (1 << Self::STARTED_BITS) - 1;

    pub(super) fn begins(now: Moment) -> Self {
        Self { since: Stamp::at_or_after(now), started: 0 }
    }

    pub(super) fn one_more(self) -> Self {
        Self { started: (self.started + 1).min(Self::MOST_STARTED), ..self }
    }

    /// What the server took on average until it asked for less again, or half of what it was given
    /// when it did, if that is more: then it has been given too little for long. Nothing new where
    /// nothing has started since: then it was an old request that was too many.
    #[expect(clippy::cast_precision_loss, reason = "25 bits")]
    pub(super) fn learns(self, before: Option<Pace>, open: Duration, now: Moment) -> Option<Pace> {
        if self.since.pack() == 0 {
            return None;
        }
        let time = now.since(self.since.moment());
        if self.started == 0 || time.is_zero() {
            return before;
        }
        let taken = self.started as f64 / time.as_secs_f64();
        let before = before.filter(|_| open < Pace::HOLDS);
        let half = before.map_or(0.0, |before| before.rate(open) / 2.0);
        Some(Pace { per_second: taken.max(half) })
    }

    pub(super) const fn pack(self) -> u64 {
        self.since.pack() << Self::STARTED_BITS | self.started
    }

    pub(super) const fn unpack(word: u64) -> Self {
        let since = Stamp::unpack(word >> Self::STARTED_BITS);
        Self { since, started: word & Self::MOST_STARTED }
    }
}

/// So many starts per second when the gate opens, and more and more from then on: slowly about what
/// was learnt, fast where that was too few by far.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Pace {
    per_second: f64,
}

impl Pace {
    /// So long after an opening nothing of what was learnt holds any more.
    pub(super) const HOLDS: Duration = Duration::from_secs(30);
    /// So many seconds after an opening it is twice as fast.
    const DOUBLED: f64 = 8.0;
    /// A start counts from when it could have been, since timers are late; but not from before this.
    const LATE: Duration = Duration::from_millis(2);

    /// At least one in such a time: few may have started because few were there to be started, and
    /// after a bare pause of this time one starts in each too.
    pub(super) fn at_least_each(self, time: Duration) -> Self {
        Self { per_second: self.per_second.max(1.0 / time.as_secs_f64()) }
    }

    /// When the next may start after one that starts now and could have done so at this time. All
    /// are times since the opening.
    pub(super) fn next(self, could: Duration, now: Duration) -> Duration {
        could.max(now.saturating_sub(Self::LATE)) + self.interval(now)
    }

    /// When one may start before which so many start, if the first may do so then; not later than
    /// that.
    pub(super) fn after(self, starts: u32, first: Duration) -> Duration {
        const PIECE: Duration = Duration::from_millis(250);
        let (mut left, mut time) = (f64::from(starts), first);
        while time < Self::HOLDS {
            let mean = f64::midpoint(self.rate(time), self.rate(time + PIECE));
            let many = mean * PIECE.as_secs_f64();
            if many >= left {
                return time + PIECE.mul_f64(left / many);
            }
            left -= many;
            time += PIECE;
        }
        time
    }

    /// How long it is from one start to the next, so long after the opening.
    pub(super) fn interval(self, open: Duration) -> Duration {
        let interval = Duration::try_from_secs_f64(1.0 / self.rate(open));
        interval.unwrap_or(Self::HOLDS).min(Self::HOLDS)
    }

    /// How many start per second, so long after the opening.
    fn rate(self, open: Duration) -> f64 {
        self.per_second * (open.as_secs_f64() / Self::DOUBLED).powi(2).exp2()
    }

    pub(super) fn pack(this: Option<Self>) -> u64 {
        this.map_or(0, |pace| pace.per_second.to_bits())
    }

    pub(super) fn unpack(word: u64) -> Option<Self> {
        (word != 0).then(|| Self { per_second: f64::from_bits(word) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(millis)
    }

    fn counts(starts: u32) -> Cycle {
        (0..starts).fold(Cycle::begins(at(0)), |cycle, _| cycle.one_more())
    }

    fn per_second(per_second: f64) -> Option<Pace> {
        Some(Pace { per_second })
    }

    #[test]
    fn it_learns_what_was_taken_on_average_the_pause_included() {
        let learns = |before, open| counts(30).learns(before, Duration::from_secs(open), at(1_500));
        assert_eq!(learns(None, 0), per_second(20.0));
        assert_eq!(learns(per_second(5.0), 0), per_second(20.0));
        assert_eq!(learns(per_second(50.0), 0), per_second(25.0));
        assert_eq!(learns(per_second(5.0), 16), per_second(40.0));
    }

    #[test]
    fn where_nothing_has_started_there_is_nothing_new() {
        for before in [None, per_second(3.0)] {
            assert_eq!(counts(0).learns(before, Duration::ZERO, at(1_500)), before);
            assert_eq!(counts(7).learns(before, Duration::ZERO, at(0)), before);
        }
    }

    #[test]
    fn starts_are_spread_and_become_more() {
        let pace = Pace { per_second: 10.0 };
        let interval = |seconds| pace.interval(Duration::from_secs(seconds));
        assert_eq!([0, 8, 16].map(interval), [100_000, 50_000, 6_250].map(Duration::from_micros));
        assert_eq!(Pace { per_second: 0.001 }.interval(Duration::ZERO), Pace::HOLDS);
    }

    #[test]
    fn a_timer_that_is_late_costs_no_rate_and_a_pause_saves_nothing_up() {
        let (pace, ms) = (Pace { per_second: 10.0 }, Duration::from_millis);
        let next = |could, now| pace.next(ms(could), ms(now)).as_millis();
        assert_eq!(next(0, 0), 100);
        assert_eq!(next(100, 101), 199, "a little faster by now");
        assert_eq!(next(100, 500), 597);
    }

    #[test]
    fn who_stands_in_line_comes_no_later_than_is_said() {
        let pace = Pace { per_second: 10.0 };
        let (mut could, mut wrong) = (Duration::ZERO, None);
        for ahead in 0..400 {
            wrong = wrong.or((pace.after(ahead, Duration::ZERO) > could).then_some(ahead));
            could = pace.next(could, could);
        }
        assert_eq!(wrong, None);
        assert!(pace.after(400, Duration::ZERO) + Duration::from_millis(100) > could);
        assert!(pace.after(u32::MAX, Duration::ZERO) <= Pace::HOLDS);
    }

    #[test]
    fn a_word_gives_back_what_was_packed() {
        let cycle = Cycle { since: Stamp::at_or_after(at(5)), started: Cycle::MOST_STARTED };
        assert_eq!(Cycle::unpack(cycle.pack()), cycle);
        assert_eq!(cycle.one_more(), cycle);
        for pace in [None, per_second(0.1), per_second(1e9)] {
            assert_eq!(Pace::unpack(Pace::pack(pace)), pace);
        }
    }
}
