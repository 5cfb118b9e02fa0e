//! Answers that wait for the test.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Holds answers back until the test lets them go, so that it need not sleep to be first.
///
/// ```
/// use mainstay_testkit::server::{Faulty, Gate, Reply};
///
/// # fn main() -> std::io::Result<()> {
/// let gate = Gate::shut();
/// let held = gate.clone();
/// let server = Faulty::start(move |_| Reply::ok("well").behind(&held))?;
/// // Send requests, look at what waits, and then:
/// gate.open();
/// # drop(server);
/// # Ok(())
/// # }
/// ```
///
/// All clones are the same gate.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A gate that is shut.
    #[must_use]
    pub fn shut() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets the next answer through: the first that waits, or the first that comes.
    pub fn lets_one_through(&self) {
        self.0.add_permits(1);
    }

    /// Opens it for good.
    pub fn open(&self) {
        self.0.close();
    }

    /// Whether it is open for good.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_closed()
    }

    pub(super) async fn passes(&self) {
        // Whoever opens it closes the semaphore, and that is the error.
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("is_open", &self.is_open()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Polled;

    #[test]
    fn it_lets_one_through_at_a_time_and_all_once_it_is_open() {
        let gate = Gate::shut();
        let (mut one, mut two) = (Polled::new(gate.passes()), Polled::new(gate.passes()));
        assert!(one.poll().is_pending() && two.poll().is_pending());
        gate.lets_one_through();
        assert!(one.poll().is_ready() && two.poll().is_pending());
        assert!(!gate.is_open());
        gate.open();
        assert!(two.poll().is_ready() && Polled::new(gate.passes()).poll().is_ready());
        assert!(gate.is_open());
    }
}
