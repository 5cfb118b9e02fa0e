//! The time, read when somebody asks for it.

use std::cell::Cell;

use mainstay_policy::Moment;

use crate::clock;

/// What time it is: read from tokio's clock on first use, and the same for all who ask.
///
/// Reading a clock costs more than most decisions do, and several guards that decide on one attempt
/// need it once.
#[derive(Clone, Debug, Default)]
pub struct Now(Cell<Option<Moment>>);

impl Now {
    /// The time of the first use.
    #[inline]
    pub fn get(&self) -> Moment {
        match self.0.get() {
            Some(moment) => moment,
            None => {
                let moment = clock::now();
                self.0.set(Some(moment));
                moment
            }
        }
    }
}

impl From<Moment> for Now {
    fn from(moment: Moment) -> Self {
        Self(Cell::new(Some(moment)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_who_asks_reads_the_clock_for_all() {
        let (early, late) = (Now::default(), Now::default());
        let first = early.get();
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(early.get(), first);
        assert_eq!(late.get(), first + Duration::from_secs(5));
        assert_eq!(Now::from(Moment::MAX).get(), Moment::MAX);
    }
}
