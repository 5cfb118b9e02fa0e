//! One slice of a window in one word.

/// One slice: 12 bits of its number, to tell it from the one that the ring had here before, and 26
/// each of results and of hits among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slice {
    pub(super) tag: u64,
    pub(super) total: u64,
    pub(super) hits: u64,
}

impl Slice {
    const TAGS: u64 = 1 << 12;
    const COUNT_BITS: u32 = 26;
    pub(super) const MOST: u64 = (1 << Self::COUNT_BITS) - 1;

    pub(super) const fn tag(number: u64) -> u64 {
        number % Self::TAGS
    }

    /// Whether it is older than the slice with this number. What the ring has passed is empty, so
    /// nothing is far from it in either direction.
    pub(super) const fn is_before(self, number: u64) -> bool {
        let behind = Self::tag(number).wrapping_sub(self.tag) % Self::TAGS;
        0 < behind && behind < Self::TAGS / 2
    }

    /// The word with one more result, where that is a sum: so it is for nearly every result, which
    /// is neither the first of its slice nor too late for it.
    #[inline]
    pub(super) fn one_more(word: u64, number: u64, hit: bool) -> Option<u64> {
        let slice = Self::unpack(word);
        let is_simple =
            slice.tag == Self::tag(number) && 0 < slice.total && slice.total < Self::MOST;
        is_simple.then(|| word + (1 << Self::COUNT_BITS) + u64::from(hit))
    }

    /// With one more result, told for the slice with this number; if the ring has gone on since, it
    /// counts for the slice that is there now. A slice that is full, after 67 million, counts no
    /// more.
    pub(super) fn with(self, number: u64, hit: bool) -> Self {
        let empty = Self { tag: Self::tag(number), total: 0, hits: 0 };
        let slice = if self.total == 0 || self.is_before(number) { empty } else { self };
        if slice.total == Self::MOST {
            return self;
        }
        Self { total: slice.total + 1, hits: slice.hits + u64::from(hit), ..slice }
    }

    /// The word, if it is another than that.
    pub(super) fn pack(self, than: u64) -> Option<u64> {
        let word = self.tag << (2 * Self::COUNT_BITS) | self.total << Self::COUNT_BITS | self.hits;
        (word != than).then_some(word)
    }

    pub(super) const fn unpack(word: u64) -> Self {
        let total = (word >> Self::COUNT_BITS) & Self::MOST;
        Self { tag: word >> (2 * Self::COUNT_BITS), total, hits: word & Self::MOST }
    }
}
