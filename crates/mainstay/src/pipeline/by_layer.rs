//! What a call does layer by layer: all of it, or what follows its first attempt.

use std::marker::PhantomData;
use std::sync::Arc;

use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::body::{FromFixed, PipelineAnswer};
use super::first::Call;
use super::host::{Host, HostBudget};
use crate::budget::Account;
use crate::deadline::DeadlineFuture;
use crate::error::{CallError, Carry};
use crate::http::{RequestView, ResponseView};
use crate::retry::{Again, Rest, rest};

/// The layers of a host before a service, in a box.
pub(super) struct ByLayer<Req, S, C, D>(PhantomData<(Req, S, C, D)>);

impl<Req, S, T, E, C, D> ByLayer<Req, S, C, D>
where
    S: Service<Req> + Clone + Send + 'static,
    S::Response: PipelineAnswer<D, Out = T>,
    <S::Response as ResponseView>::Body: Body,
    S::Error: 'static,
    S::Future: Send,
    T: ResponseView + FromFixed + Send + 'static,
    T::Body: Body + Send + 'static,
    C: Carry<S::Error, Error = E> + 'static,
    D: 'static,
    E: CallError + Send + 'static,
    Req: RequestView + Send + 'static,
{
    /// All of a call; the service is ready.
    pub(super) fn all(host: &Host, service: S, request: Req) -> Rest<Result<T, E>> {
        let mut service = host.before::<S, C, D>(service);
        match host.fallback() {
            None => Box::pin(service.call(request)),
            Some(fallback) => Box::pin(fallback.layer(service).call(request)),
        }
    }

    /// The first attempt has ended, and there is another.
    #[expect(clippy::expect_used, reason = "there is another attempt only where there is a copy")]
    pub(super) fn later(
        host: &Host,
        call: Call<Req, S>,
        end: Result<T, E>,
        again: Again<<HostBudget as Account>::Paid>,
    ) -> Rest<Result<T, E>> {
        let (scope, name) = (call.scope, host.deadline().name().cloned());
        let (kept, about) = call.over(|service| host.attempts::<S, C, D>(service));
        let kept = kept.expect("the copy that was asked about");
        let rest = rest(kept, Arc::clone(host.retries()), about, scope, end, again);
        Box::pin(DeadlineFuture::starts(rest, scope.until, name))
    }
}
