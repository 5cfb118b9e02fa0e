//! The endings of a batch.

use std::future::poll_fn;

use mainstay_policy::batch::{End, StopAt};

use super::builder::Batch;
use super::course::{Course, CourseOf, RequestOf};
use super::ended::{Completed, Failed, ItemError, NoSuccess};
use super::inputs::{Inputs, Naming};
use super::readiness::Readiness;
use super::results::{AsCompleted, InOrder};
use super::work::{MayBeKept, Work};

type IdOf<I, N> = <N as Naming<<I as Inputs>::Input>>::Id;
type Asked<I, N> = RequestOf<<I as Inputs>::Stream, N>;
type AnswerOf<I, W, N> = <W as Work<Asked<I, N>>>::Answer;
type ErrorOf<I, W, N> = <W as Work<Asked<I, N>>>::Error;
type Ordered<I, W, R, N> = InOrder<CourseOf<<I as Inputs>::Stream, W, R, N>, CompletedOf<I, W, N>>;
type CompletedOf<I, W, N> = Completed<AnswerOf<I, W, N>, ErrorOf<I, W, N>, IdOf<I, N>>;

impl<W, R, N> Batch<W, R, N> {
    /// Results as they come.
    pub fn as_completed<I>(self, inputs: I) -> AsCompleted<CourseOf<I::Stream, W, R, N>>
    where
        I: Inputs,
        N: Naming<I::Input>,
        W: Work<Asked<I, N>>,
        R: Readiness<Asked<I, N>>,
    {
        AsCompleted::new(Course::new(self.parts(|schedule| schedule), inputs.into_stream()))
    }

    /// Results in the order of their inputs. Those that are there too early are held, at most as
    /// many as the [window](Batch::window); then it waits for the one that is next.
    pub fn in_order<I>(self, inputs: I) -> Ordered<I, W, R, N>
    where
        I: Inputs,
        N: Naming<I::Input>,
        W: Work<Asked<I, N>> + MayBeKept,
        R: Readiness<Asked<I, N>>,
    {
        InOrder::new(Course::new(self.parts(|schedule| schedule.in_order()), inputs.into_stream()))
    }

    /// The first that succeeds; the rest is dropped then.
    ///
    /// # Errors
    ///
    /// None did, or not in time.
    pub async fn first_success<I>(
        self,
        inputs: I,
    ) -> Result<Success<AnswerOf<I, W, N>, IdOf<I, N>>, NoSuccess<ErrorOf<I, W, N>, IdOf<I, N>>>
    where
        I: Inputs,
        N: Naming<I::Input>,
        W: Work<Asked<I, N>>,
        R: Readiness<Asked<I, N>>,
    {
        let parts = self.parts(|schedule| schedule.stop_at(StopAt::FirstSuccess));
        let mut course: CourseOf<I::Stream, W, R, N> = Course::new(parts, inputs.into_stream());
        let (mut tried, mut last) = (0, None);
        while let Some(Completed { index, id, result }) = poll_fn(|cx| course.poll_ended(cx)).await
        {
            match result {
                Ok(answer) => return Ok(Success { index, id, answer }),
                Err(error) => last = Some(Failed::new(index, Some(id), error)),
            }
            tried += 1;
        }
        Err(NoSuccess::new(tried, last))
    }

    /// All answers in the order of their inputs; the first failure ends it, and the rest is
    /// dropped then.
    ///
    /// # Errors
    ///
    /// That failure, or the deadline.
    pub async fn all_or_nothing<I>(
        self,
        inputs: I,
    ) -> Result<Vec<AnswerOf<I, W, N>>, Failed<ErrorOf<I, W, N>, IdOf<I, N>>>
    where
        I: Inputs,
        N: Naming<I::Input>,
        W: Work<Asked<I, N>> + MayBeKept,
        R: Readiness<Asked<I, N>>,
    {
        let parts = self.parts(|schedule| schedule.stop_at(StopAt::FirstFailure));
        let mut course: CourseOf<I::Stream, W, R, N> = Course::new(parts, inputs.into_stream());
        let mut answers = Vec::new();
        while let Some(Completed { index, id, result }) = poll_fn(|cx| course.poll_ended(cx)).await
        {
            match result {
                Ok(answer) => put(&mut answers, index, answer),
                Err(error) => return Err(Failed::new(index, Some(id), error)),
            }
        }
        match course.end() {
            Some(End::Deadline) => {
                Err(Failed::new(answers.len() as u64, None, ItemError::Deadline))
            }
            _ => Ok(answers.into_iter().flatten().collect()),
        }
    }

    /// All results in the order of their inputs, good and bad.
    ///
    /// If the [deadline](Batch::deadline) comes first, those are missing that had not been pulled.
    pub async fn keep_everything<I>(self, inputs: I) -> Vec<CompletedOf<I, W, N>>
    where
        I: Inputs,
        N: Naming<I::Input>,
        W: Work<Asked<I, N>> + MayBeKept,
        R: Readiness<Asked<I, N>>,
    {
        let parts = self.parts(|schedule| schedule);
        let mut course: CourseOf<I::Stream, W, R, N> = Course::new(parts, inputs.into_stream());
        let mut results = Vec::new();
        while let Some(ended) = poll_fn(|cx| course.poll_ended(cx)).await {
            put(&mut results, ended.index, ended);
        }
        results.into_iter().flatten().collect()
    }
}

/// The first input that succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Success<T, Id = ()> {
    /// Which input it was, counted from zero.
    pub index: u64,
    /// What it was called.
    pub id: Id,
    /// What came of it.
    pub answer: T,
}

fn put<T>(all: &mut Vec<Option<T>>, index: u64, one: T) {
    let place = usize::try_from(index).unwrap_or(usize::MAX);
    if all.len() <= place {
        all.resize_with(place + 1, || None);
    }
    all[place] = Some(one);
}
