//! A classifier of tower-http's as a protocol of ours.

use std::fmt;

use ::http::{Request, Response};
use ::tower_http::classify::{ClassifiedResponse, ClassifyResponse, MakeClassifier};
use mainstay_policy::Outcome;
use mainstay_policy::retry::Repeat;

use crate::error::CallError;
use crate::http::body::Copies;
use crate::http::semantics::{About, Http};
use crate::http::view::RequestView;
use crate::protocol::{Ending, Protocol};

/// A classifier of tower-http as a protocol of our layers.
///
/// The classifier says which answers are failures, and a function says what each class of failure
/// is to the layers. Which requests may be sent again is still decided by the rules of the
/// [`Http`] that it stands beside; give them a word on what only the classifier calls a failure.
/// A 429 stays one even if the classifier is content, and so do refusals and requests at fault.
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
    fn judged(&self, judged: Ending, class: Result<(), M::FailureClass>) -> Ending {
        match class {
            // Their classifiers know no "too many requests", and the cool-down must hear of it.
            Ok(()) if judged.outcome() == Outcome::Throttled => judged,
            Ok(()) => judged.with_outcome(Outcome::Success).with_repeat(Repeat::Forbidden),
            Err(class) => judged.with_outcome((self.outcome)(&class)),
        }
    }
}

impl<M, F, B, RB, E> Protocol<Request<B>, Response<RB>, E> for WithClassifier<M, F>
where
    M: MakeClassifier,
    M::Classifier: Clone,
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

    fn may_send_twice(&self, (about, _): &Self::About) -> bool {
        Protocol::<Request<B>, Response<RB>, E>::may_send_twice(&self.http, about)
    }

    fn copies(&self, request: &Request<B>) -> Copies {
        request.copies()
    }

    fn copy(&self, request: &Request<B>) -> Option<Request<B>> {
        request.copy()
    }

    fn end(&self, about: &Self::About, end: Result<&Response<RB>, &E>) -> Ending {
        let (about, classifier) = (&about.0, about.1.clone());
        match end {
            Ok(answer) => {
                let judged = self.http.end(about, Ok::<_, &E>(answer));
                match classifier.classify_response(answer) {
                    ClassifiedResponse::Ready(class) => self.judged(judged, class),
                    // What it would say at the end is not asked for; gRPC is open as it is.
                    ClassifiedResponse::RequiresEos(_) => judged,
                }
            }
            Err(error) => {
                let judged = self.http.end(about, Err::<&Response<RB>, _>(error));
                match judged.outcome() {
                    // What never was an exchange is not theirs to judge.
                    Outcome::Refused | Outcome::Invalid => judged,
                    _ => self.judged(judged, Err(classifier.classify_error(error))),
                }
            }
        }
    }
}
