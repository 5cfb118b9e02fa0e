//! Reads a text of fixed form from left to right.

/// What is still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl Cursor<'_> {
    pub(super) fn literal(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text.as_bytes())?;
        Some(())
    }

    /// Exactly so many digits.
    pub(super) fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'))
        })
    }

    /// Which of these names comes next.
    pub(super) fn one_of(&mut self, names: &[&str]) -> Option<usize> {
        let index = names.iter().position(|name| self.0.starts_with(name.as_bytes()))?;
        self.literal(names.get(index)?)?;
        Some(index)
    }

    /// Nothing more may come.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
