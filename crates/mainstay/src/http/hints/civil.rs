//! The calendar: a date and a time of day in UTC as seconds since 1970.

/// A date and a time of day, which need not exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct Civil {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    /// 60 is a leap second, and reads as the first second of the next minute.
    pub(super) second: i64,
}

impl Civil {
    /// Seconds since 1970, negative before; none if there is no such day or time.
    pub(super) fn seconds(&self) -> Option<i64> {
        let exists = (1..=12).contains(&self.month)
            && (1..=days(self.year, self.month)).contains(&self.day)
            && (0..24).contains(&self.hour)
            && (0..60).contains(&self.minute)
            && (0..=60).contains(&self.second);
        exists.then(|| self.count())
    }

    /// Without asking whether it exists: the 29th of a February with 28 days is the 1st of March.
    pub(super) fn count(&self) -> i64 {
        let before = self.year - 1;
        let leap_days = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
        let months = (1..self.month).map(|month| days(self.year, month)).sum::<i64>();
        let days = before * 365 + leap_days + months + self.day - 1 - BEFORE_1970;
        ((days * 24 + self.hour) * 60 + self.minute) * 60 + self.second
    }
}

/// Days from the first of the year 1.
const BEFORE_1970: i64 = 719_162;

const fn days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
        Civil { year, month, day, hour, minute, second }.seconds()
    }

    #[test]
    fn known_moments_read_as_their_seconds() {
        assert_eq!(at(1970, 1, 1, 0, 0, 0), Some(0));
        assert_eq!(at(1994, 11, 6, 8, 49, 37), Some(784_111_777));
        assert_eq!(at(2000, 2, 29, 12, 0, 0), Some(951_825_600));
        assert_eq!(at(2038, 1, 19, 3, 14, 8), Some(1 << 31));
        assert_eq!(at(9999, 12, 31, 23, 59, 59), Some(253_402_300_799));
        assert_eq!(at(1969, 12, 31, 23, 59, 59), Some(-1));
        assert_eq!(at(0, 1, 1, 0, 0, 0), Some(-62_167_219_200));
    }

    #[test]
    fn a_leap_second_is_the_first_second_of_the_next_minute() {
        assert_eq!(at(2016, 12, 31, 23, 59, 60), at(2017, 1, 1, 0, 0, 0));
    }

    #[test]
    fn days_and_times_that_do_not_exist_are_refused() {
        assert!(at(2024, 2, 29, 0, 0, 0).is_some());
        for (year, month, day) in [
            (2023, 2, 29),
            (2100, 2, 29),
            (2024, 2, 30),
            (2024, 4, 31),
            (2024, 12, 32),
            (2024, 1, 0),
            (2024, 0, 1),
            (2024, 13, 1),
        ] {
            assert_eq!(at(year, month, day, 0, 0, 0), None, "{year}-{month}-{day}");
        }
        for (hour, minute, second) in [(24, 0, 0), (0, 60, 0), (0, 0, 61)] {
            assert_eq!(at(2024, 1, 1, hour, minute, second), None, "{hour}:{minute}:{second}");
        }
    }
}
