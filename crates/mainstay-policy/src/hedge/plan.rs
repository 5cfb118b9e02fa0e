//! What was last seen in the latencies, and when to look again, in one word.

use super::latencies::Half;
use crate::moment::Moment;
use crate::stamp::Stamp;

/// The word that says what the delay is and who may touch the halves.
///
/// At most one call at a time looks at the latencies. It alone forgets a half and changes the word
/// back; the others go by what was seen before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    /// When to look again.
    pub(super) due: Stamp,
    pub(super) looking: bool,
    /// The half that is counted in.
    pub(super) current: Half,
    /// The bucket that the delay is the end of, once enough is observed.
    pub(super) bucket: Option<usize>,
}

impl Plan {
    const BUCKET_BITS: u32 = 11;

    pub(super) fn new() -> Self {
        let due = Stamp::at_or_after(Moment::MIN);
        Self { due, looking: false, current: Half::One, bucket: None }
    }

    pub(super) fn is_due(self, now: Moment) -> bool {
        !self.looking && now >= self.due.moment()
    }

    /// A call begins to look, if it is time and no other does.
    pub(super) fn claim(self, now: Moment) -> Option<Self> {
        self.is_due(now).then_some(Self { looking: true, ..self })
    }

    /// The lowest bits are the stamp, then the bucket, counted from one, then the two flags.
    pub(super) fn pack(self) -> u64 {
        let bucket = self.bucket.map_or(0, |bucket| bucket as u64 + 1);
        let two = u64::from(self.current == Half::Two);
        let flags = u64::from(self.looking) << 1 | two;
        flags << (Stamp::BITS + Self::BUCKET_BITS) | bucket << Stamp::BITS | self.due.pack()
    }

    pub(super) fn unpack(word: u64) -> Self {
        let flags = word >> (Stamp::BITS + Self::BUCKET_BITS);
        let bucket = word >> Stamp::BITS & ((1 << Self::BUCKET_BITS) - 1);
        Self {
            due: Stamp::unpack(word),
            looking: flags & 2 != 0,
            current: if flags & 1 == 0 { Half::One } else { Half::Two },
            bucket: bucket.checked_sub(1).and_then(|bucket| usize::try_from(bucket).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_word_gives_back_what_was_packed() {
        let due = Stamp::at_or_after(Moment::ORIGIN + Duration::from_millis(77));
        for due in [due, Stamp::at_or_after(Moment::MAX), Stamp::at_or_after(Moment::MIN)] {
            for bucket in [None, Some(0), Some(503), Some(1_407)] {
                for (looking, current) in [(false, Half::Two), (true, Half::One)] {
                    let plan = Plan { due, looking, current, bucket };
                    assert_eq!(Plan::unpack(plan.pack()), plan);
                }
            }
        }
        assert_eq!(Plan::unpack(0), Plan::new());
    }

    #[test]
    fn one_call_at_a_time_looks_and_only_when_it_is_time() {
        let due = Stamp::at_or_after(Moment::ORIGIN);
        let plan = Plan { due, ..Plan::new() };
        assert_eq!(plan.claim(Moment::ORIGIN - Duration::from_nanos(1)), None);
        let claimed = plan.claim(Moment::ORIGIN);
        assert_eq!(claimed, Some(Plan { looking: true, ..plan }));
        assert_eq!(claimed.and_then(|plan| plan.claim(Moment::MAX)), None);
    }
}
