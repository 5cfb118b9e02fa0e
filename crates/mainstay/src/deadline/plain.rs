//! Requests that say nothing of time.

use mainstay_policy::Outcome;

use crate::protocol::{Ending, Protocol};

/// The protocol of [`DeadlineLayer::plain`](super::DeadlineLayer::plain): a request says nothing of
/// its time, and nobody asks how it ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain {
    _private: (),
}

impl<Req, Res, E> Protocol<Req, Res, E> for Plain {
    type About = ();

    fn about(&self, _: &Req) {}

    fn may_repeat(&self, (): &()) -> bool {
        false
    }

    fn end(&self, (): &(), end: Result<&Res, &E>) -> Ending {
        Ending::new(end.map_or(Outcome::Fatal, |_| Outcome::Success))
    }
}
