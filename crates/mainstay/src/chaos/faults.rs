//! How faults are made.

use std::fmt;
use std::sync::Arc;

use ::http::{Response, StatusCode};
use mainstay_policy::Draw;

use super::LAYER;
use super::body::ChaosBody;
use crate::error::{CallError, Reason, Refused};

/// How answers go wrong, in a kind of call.
///
/// Implemented for [`InHttp`] and [`Plain`] and by nobody else.
pub trait Faults<Res>: sealed::Sealed {
    /// The answers of the layer.
    type Answer;

    /// An answer as it came, or one that breaks off.
    fn hand_on(&self, answer: Res, is_cut: bool) -> Self::Answer;

    /// An answer that nobody gave, where one can be made.
    fn answer(&self, draw: Draw) -> Option<Self::Answer>;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::InHttp {}
    impl Sealed for super::Plain {}
}

type Head = Arc<dyn Fn(Draw) -> Response<()> + Send + Sync>;

/// The faults of HTTP: answers are made, and bodies cut off.
#[derive(Clone, Default)]
pub struct InHttp {
    head: Option<Head>,
    cut_after: u64,
}

impl InHttp {
    pub(super) fn answers_with(
        &self,
        head: impl Fn(Draw) -> Response<()> + Send + Sync + 'static,
    ) -> Self {
        Self { head: Some(Arc::new(head)), ..*self }
    }

    pub(super) fn cut_after(&self, bytes: u64) -> Self {
        Self { head: self.head.clone(), cut_after: bytes }
    }
}

impl<B> Faults<Response<B>> for InHttp {
    type Answer = Response<ChaosBody<B>>;

    fn hand_on(&self, answer: Response<B>, is_cut: bool) -> Self::Answer {
        let cut = is_cut.then_some(self.cut_after);
        answer.map(|body| ChaosBody::new(body, cut))
    }

    fn answer(&self, draw: Draw) -> Option<Self::Answer> {
        let head = match &self.head {
            Some(head) => head(draw),
            None => {
                let mut head = Response::new(());
                *head.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                head
            }
        };
        Some(head.map(|()| ChaosBody::empty()))
    }
}

impl fmt::Debug for InHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InHttp").field("cut_after", &self.cut_after).finish_non_exhaustive()
    }
}

/// The faults of any call: answers are handed on as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain {
    _private: (),
}

impl<Res> Faults<Res> for Plain {
    type Answer = Res;

    fn hand_on(&self, answer: Res, _: bool) -> Res {
        answer
    }

    fn answer(&self, _: Draw) -> Option<Res> {
        None
    }
}

/// What a call fails with.
pub trait MakeError<E> {
    /// The error that this draw gives.
    fn make(&self, draw: Draw) -> E;
}

/// Calls fail with a refusal that says [`Reason::Injected`], as if no connection could be made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refusals {
    _private: (),
}

impl<E: CallError> MakeError<E> for Refusals {
    fn make(&self, _: Draw) -> E {
        Refused::new(LAYER, Reason::Injected).into()
    }
}

/// Calls fail with what a function makes of a draw.
#[derive(Clone)]
pub struct Errors<F> {
    make: F,
}

impl<F> Errors<F> {
    pub(super) const fn new(make: F) -> Self {
        Self { make }
    }
}

impl<F, E> MakeError<E> for Errors<F>
where
    F: Fn(Draw) -> E,
{
    fn make(&self, draw: Draw) -> E {
        (self.make)(draw)
    }
}

impl<F> fmt::Debug for Errors<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Errors")
    }
}
