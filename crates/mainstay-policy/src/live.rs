//! Settings that are changed while calls read them.

use std::marker::PhantomData;
use std::time::Duration;

use crate::moment::nanos;
use crate::sync::{AtomicU64, Mutex, Relaxed};

/// A setting that calls read at no more than a load, while somebody may change it.
///
/// Each is read by itself: who reads two while both are changed may see one as it was and one as it
/// is. What must be seen together goes into one word.
#[derive(Debug)]
pub(crate) struct Live<T> {
    word: AtomicU64,
    of: PhantomData<T>,
}

impl<T: Word> Live<T> {
    pub(crate) fn new(setting: T) -> Self {
        Self { word: AtomicU64::new(setting.pack()), of: PhantomData }
    }

    #[inline]
    pub(crate) fn get(&self) -> T {
        T::unpack(self.word.load(Relaxed))
    }

    /// Only while [`Changes`] are held, so that of two changes one holds in all its parts.
    pub(crate) fn set(&self, setting: T) {
        let word = setting.pack();
        if self.word.load(Relaxed) != word {
            self.word.store(word, Relaxed); // or else its readers keep it in their caches
        }
    }
}

/// Orders changes: one after the other. No call takes it.
#[derive(Debug, Default)]
pub(crate) struct Changes(Mutex<()>);

impl Changes {
    /// The next one comes when this is dropped.
    pub(crate) fn begin(&self) -> impl Drop {
        // Poisoned or not, it guards nothing but the order of changes.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What a word holds.
pub(crate) trait Word: Copy {
    fn pack(self) -> u64;
    fn unpack(word: u64) -> Self;
}

impl Word for u32 {
    fn pack(self) -> u64 {
        self.into()
    }

    #[expect(clippy::cast_possible_truncation, reason = "it was one")]
    #[inline]
    fn unpack(word: u64) -> Self {
        word as Self
    }
}

impl Word for u64 {
    fn pack(self) -> u64 {
        self
    }

    #[inline]
    fn unpack(word: u64) -> Self {
        word
    }
}

impl Word for bool {
    fn pack(self) -> u64 {
        self.into()
    }

    #[inline]
    fn unpack(word: u64) -> Self {
        word != 0
    }
}

impl Word for f64 {
    fn pack(self) -> u64 {
        self.to_bits()
    }

    #[inline]
    fn unpack(word: u64) -> Self {
        Self::from_bits(word)
    }
}

/// More than 584 years count as so many.
impl Word for Duration {
    fn pack(self) -> u64 {
        nanos(self)
    }

    #[inline]
    fn unpack(word: u64) -> Self {
        Self::from_nanos(word)
    }
}

/// Nothing is a word that no such number has: not one of 32 bits, no ratio (it is NaN), and more
/// than 584 years, which are as good as never.
impl<T: Word> Word for Option<T> {
    fn pack(self) -> u64 {
        self.map_or(u64::MAX, T::pack)
    }

    #[inline]
    fn unpack(word: u64) -> Self {
        (word != u64::MAX).then(|| T::unpack(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<T: Word>(setting: T) -> T {
        let live = Live::new(setting);
        live.set(setting);
        live.get()
    }

    #[test]
    fn a_setting_is_read_as_it_was_set() {
        assert_eq!([0, 7, u32::MAX].map(kept), [0, 7, u32::MAX]);
        assert_eq!([0, u64::MAX].map(kept), [0, u64::MAX]);
        assert_eq!([false, true].map(kept), [false, true]);
        assert_eq!([0.0, 0.3, f64::MAX].map(kept), [0.0, 0.3, f64::MAX]);
        let times = [Duration::ZERO, Duration::from_nanos(u64::MAX - 1)];
        assert_eq!(times.map(kept), times);
        assert_eq!(times.map(Some).map(kept), times.map(Some));
        assert_eq!([None, Some(0), Some(u32::MAX)].map(kept), [None, Some(0), Some(u32::MAX)]);
        assert_eq!([None, Some(0.5)].map(kept), [None, Some(0.5)]);
        assert_eq!(kept(None::<Duration>), None);
    }

    #[test]
    fn what_is_longer_than_584_years_is_never() {
        assert_eq!(kept(Duration::MAX), Duration::from_nanos(u64::MAX));
        assert_eq!(kept(Some(Duration::MAX)), None);
    }
}
