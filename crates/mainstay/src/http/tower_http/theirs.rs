//! A classifier of tower-http's as a protocol of ours.

use std::fmt;

use ::http::{Request, Response};
use ::tower_http::classify::{ClassifiedResponse, ClassifyResponse, MakeClassifier};
use mainstay_policy::Outcome;
use mainstay_policy::retry::Repeat;

use crate::error::CallError;
use crate::http::failure::Failure;
use crate::http::semantics::{About, Http};
use crate::protocol::{Ending, Protocol};

/// A classifier of tower-http as a protocol of our layers.
///
/// The classifier says which answers are failures, and a function says what each class of failure
/// is to the layers. Which requests may be sent again is still decided by the rules of the
/// [`Http`] that it stands beside, except that a failure which their table does not know is
/// repeated where asking twice is as good as asking once.
///
/// ```
/// use mainstay::http::{Http, WithClassifier};
/// use mainstay::policy::Outcome;
/// use tower_http::classify::{ServerErrorsAsFailures, ServerErrorsFailureClass};
///
/// let protocol = WithClassifier::new(
///     Http::new(),
///     ServerErrorsAsFailures::make_classifier(),
///     |class: &ServerErrorsFailureClass| Outcome::Transient,
/// );
/// # let _ = protocol;
/// ```
#[derive(Clone, Debug)]
pub struct WithClassifier<M, F> {
    http: Http,
    make: M,
    outcome: F,
}

impl<M, F> WithClassifier<M, F>
where
    M: MakeClassifier,
    F: Fn(&M::FailureClass) -> Outcome,
{
    /// The protocol of this classifier, whose classes mean what the function says.
    pub const fn new(http: Http, make: M, outcome: F) -> Self {
        Self { http, make, outcome }
    }

    /// The end as HTTP has it, with the classifier's word on the outcome.
    fn judged(&self, about: &About, judged: Ending, class: Result<(), M::FailureClass>) -> Ending {
        let Err(class) = class else {
            return Ending::new(Outcome::Success).hints(judged.what_was_said().clone());
        };
        let outcome = (self.outcome)(&class);
        let is_known = judged.outcome() != Outcome::Success;
        let repeat = match Ending::new(outcome).may_be_repeated()
            && (judged.may_be_repeated() || !is_known && about.is_idempotent())
        {
            true => Repeat::Allowed,
            false => Repeat::Forbidden,
        };
        judged.with_outcome(outcome).repeat(repeat)
    }
}

impl<M, F, B, RB, E> Protocol<Request<B>, Response<RB>, E> for WithClassifier<M, F>
where
    M: MakeClassifier,
    F: Fn(&M::FailureClass) -> Outcome,
    B: 'static,
    E: CallError + fmt::Display + 'static,
{
    type About = (About, M::Classifier);

    fn prepare(&self, request: &mut Request<B>) {
        self.http.prepare(request);
    }

    fn about(&self, request: &Request<B>) -> Self::About {
        (self.http.about(request), self.make.make_classifier(request))
    }

    fn may_repeat(&self, (about, _): &Self::About) -> bool {
        Protocol::<Request<B>, Response<RB>, E>::may_repeat(&self.http, about)
    }

    fn end(&self, (about, classifier): Self::About, end: Result<&Response<RB>, &E>) -> Ending {
        match end {
            Ok(answer) => {
                let (status, version) = (answer.status(), answer.version());
                let judged = self.http.answer(&about, status, version, answer.headers());
                match classifier.classify_response(answer) {
                    ClassifiedResponse::Ready(class) => self.judged(&about, judged, class),
                    ClassifiedResponse::RequiresEos(_) => self.judged(&about, judged, Ok(())),
                }
            }
            Err(error) => match error.refused() {
                Some(refused) => self.http.failure(&about, Failure::of(refused)),
                None => {
                    let judged = self.http.failure(&about, Failure::of(error.as_error()));
                    self.judged(&about, judged, Err(classifier.classify_error(error)))
                }
            },
        }
    }
}
