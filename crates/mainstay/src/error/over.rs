//! A layer over a service, with what it asks of the error in the signature.

use tower_layer::Layer;
use tower_service::Service;

use super::CallError;

/// [`Layer::layer`] by another name, for a compiler error that helps: where the error of the
/// service cannot carry a refusal, `over` does not compile, and the compiler says what to do.
///
/// `ServiceBuilder` and [`Layer::layer`] take any service, and the compiler complains only where it
/// is called; what it says of `.oneshot(request)` there names neither [`CallError`] nor
/// [`LiftLayer`](crate::LiftLayer). What it says of this method does.
///
/// ```
/// use mainstay::timeout::TimeoutLayer;
/// use mainstay::{LiftLayer, Over};
/// use std::time::Duration;
/// use tower::{Layer, service_fn};
///
/// let parse = service_fn(|text: &'static str| async move { text.parse::<u32>() });
/// let lifted = LiftLayer::new().layer(parse);
/// let service = TimeoutLayer::new(Duration::from_secs(5)).over(lifted);
/// # let _ = service;
/// ```
///
/// A `ServiceBuilder` is a layer too, so a whole stack can be put over a service that was lifted.
/// Where a service takes requests of several types, `over::<_, Request<Body>>(..)` says which.
pub trait Over {
    /// The layer over this service.
    fn over<S, Req>(&self, service: S) -> <Self as Layer<S>>::Service
    where
        Self: Layer<S>,
        S: Service<Req>,
        S::Error: CallError,
    {
        self.layer(service)
    }
}

impl<L> Over for L {}
