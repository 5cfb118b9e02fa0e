//! When a request may be sent again.

/// When a request may be sent again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum When {
    /// Whatever was asked.
    Always,
    /// If asking twice is as good as asking once: by its method, or by an `Idempotency-Key`.
    IfIdempotent,
    /// Not at all.
    Never,
}

impl When {
    /// What both say together: whoever doubts does not ask again.
    pub(super) fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::IfIdempotent, _) | (_, Self::IfIdempotent) => Self::IfIdempotent,
            (Self::Always, Self::Always) => Self::Always,
        }
    }
}
