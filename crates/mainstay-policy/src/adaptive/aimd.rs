//! Additive increase, multiplicative decrease: the rule.

use super::in_force::InForce;
use super::rules::Aimd;
use super::sample::Sample;

impl Aimd {
    /// The limit after a call that ended while so many were in flight, itself among them.
    pub(super) fn next(
        &self,
        settings: &InForce,
        sample: Sample,
        in_flight: u32,
        limit: u32,
    ) -> u32 {
        let next = match sample {
            Sample::Nothing => return limit,
            Sample::Took(took) if took <= self.timeout => {
                let in_use = in_flight.saturating_mul(2) >= limit;
                limit.saturating_add(u32::from(in_use))
            }
            Sample::Took(_) | Sample::Dropped => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a checked ratio is above 0 and below 1"
                )]
                let cut = (f64::from(limit) * settings.backoff_ratio()) as u32;
                cut
            }
        };
        settings.bounds().nearest(next)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::AdaptiveLimit;
    use super::*;

    fn next(sample: Sample, in_flight: u32, limit: u32) -> u32 {
        let settings = AdaptiveLimit::aimd(Aimd::new()).min(3).max(40);
        Aimd::new().next(&InForce::new(&settings), sample, in_flight, limit)
    }

    const fn took(seconds: u64) -> Sample {
        Sample::Took(Duration::from_secs(seconds))
    }

    #[test]
    fn it_rises_by_one_where_half_of_it_is_in_use() {
        assert_eq!(next(took(1), 10, 20), 21);
        assert_eq!(next(took(1), 9, 20), 20);
        assert_eq!(next(took(1), 10, 21), 21);
        assert_eq!(next(took(1), 11, 21), 22);
        assert_eq!(next(took(1), 40, 40), 40);
        assert_eq!(next(took(1), u32::MAX, 20), 21);
    }

    #[test]
    fn a_drop_leaves_nine_tenths_rounded_down_whether_in_use_or_not() {
        assert_eq!(next(Sample::Dropped, 1, 20), 18);
        assert_eq!(next(Sample::Dropped, 20, 19), 17);
        assert_eq!(next(Sample::Dropped, 1, 4), 3);
        assert_eq!(next(Sample::Dropped, 1, 3), 3);
    }

    #[test]
    fn what_took_longer_than_the_timeout_is_a_drop() {
        assert_eq!(next(took(5), 20, 20), 21);
        let over = Duration::from_secs(5) + Duration::from_nanos(1);
        assert_eq!(next(Sample::Took(over), 20, 20), 18);
        assert_eq!(next(Sample::Nothing, 20, 20), 20);
    }
}
