//! A fallback that is data.

use std::future::{Ready, ready};

use super::body::FromFixed;
use super::spec::FixedAnswer;
use crate::fallback::{Failed, Instead};
use crate::protocol::Protocol;

/// Falls back on an answer that is always the same.
#[derive(Debug)]
pub(super) struct Fixed {
    answer: FixedAnswer,
}

impl Fixed {
    pub(super) const fn new(answer: FixedAnswer) -> Self {
        Self { answer }
    }
}

impl<Req, Res: FromFixed, E> Instead<Req, Res, E> for Fixed {
    type Kept = ();
    type Future = Ready<Result<Res, E>>;

    fn keep<P: Protocol<Req, Res, E>>(&self, _: &Req, _: &P) {}

    fn instead(&self, (): (), _: Failed<Res, E>) -> Self::Future {
        ready(Ok(Res::fixed(&self.answer)))
    }
}
