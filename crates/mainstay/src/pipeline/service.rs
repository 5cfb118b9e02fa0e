//! The pipeline before a service.

use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::Body;
use tower_service::Service;

use super::body::PipelineAnswer;
use super::first::{Call, Held, Sent};
use super::future::PipelineFuture;
use super::host::Host;
use super::living::Living;
use super::{LAYER, Pipeline};
use crate::error::{CallError, Carry, Lifted, Reason, Refused};
use crate::guard::{Admission, Guard, Now, Waiter, ask_at_once};
use crate::http::{RequestView, ResponseView};
use crate::keyed::Recent;
use crate::observe::{Event, tell};
use crate::scope::Scope;

/// A service behind a pipeline; made by [`Pipeline`](super::Pipeline).
#[derive(Debug)]
pub struct PipelineService<S, C = Lifted, D = Lifted> {
    inner: S,
    living: Arc<Living>,
    /// Where the last request went.
    recent: Recent<Host>,
    carries: PhantomData<fn() -> (C, D)>,
}

impl<S, C, D> PipelineService<S, C, D> {
    pub(super) const fn new(inner: S, living: Arc<Living>) -> Self {
        Self { inner, living, recent: Recent::NOTHING, carries: PhantomData }
    }

    /// The next call goes through this pipeline.
    pub(super) fn goes_through(&mut self, pipeline: &Pipeline) {
        if !Arc::ptr_eq(&self.living, &pipeline.living) {
            self.living = Arc::clone(&pipeline.living);
            // What was found there is of the other one.
            self.recent = Recent::NOTHING;
        }
    }

    /// What stands before it.
    pub(crate) fn pipeline(&self) -> Pipeline {
        Pipeline { living: Arc::clone(&self.living) }
    }

    /// The service beneath.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service beneath.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service beneath.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, C, D> Clone for PipelineService<S, C, D> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            living: Arc::clone(&self.living),
            recent: self.recent.clone(),
            carries: PhantomData,
        }
    }
}

type Fails<Req, S, C> = <C as Carry<<S as Service<Req>>::Error>>::Error;

type Out<Req, S, D> = <<S as Service<Req>>::Response as PipelineAnswer<D>>::Out;

impl<S: Clone, C, D> PipelineService<S, C, D> {
    /// The ready one; what takes its place has not been asked whether it is.
    fn take(&mut self) -> S {
        let clone = self.inner.clone();
        mem::replace(&mut self.inner, clone)
    }
}

impl<S, Req, C, D> Service<Req> for PipelineService<S, C, D>
where
    S: Service<Req> + Clone + Send + 'static,
    S::Response: PipelineAnswer<D>,
    <S::Response as ResponseView>::Body: Body,
    Out<Req, S, D>: Send + 'static,
    <Out<Req, S, D> as ResponseView>::Body: Body + Send + 'static,
    S::Error: 'static,
    S::Future: Send,
    C: Carry<S::Error> + 'static,
    D: 'static,
    C::Error: CallError + Send + 'static,
    Req: RequestView + Send + 'static,
{
    type Response = Out<Req, S, D>;
    type Error = C::Error;
    type Future = PipelineFuture<
        S::Future,
        Sent<Req>,
        Call<Req, S>,
        Out<Req, S, D>,
        Fails<Req, S, C>,
        (C, D),
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.inner.poll_ready(cx).map_err(C::inner)
    }

    #[inline]
    fn call(&mut self, mut request: Req) -> Self::Future {
        let Some(host) = self.living.host(&request, &mut self.recent) else {
            drop(self.take()); // who is refused and idle holds nothing of what is reserved
            let closed = Refused::new(LAYER, Reason::Closed).named(self.living.name());
            return PipelineFuture::refused(closed);
        };
        let host = Held(host);
        if !host.is_plain() {
            return PipelineFuture::by_layer(self.take(), request, host);
        }
        let (around, now) = (Scope::current(), Now::default());
        let begun = host.deadline().begins::<Req, Self::Response, C::Error>(
            &mut request,
            around.until,
            now.get(),
        );
        let scope = match begun {
            Ok(until) => around.until(until),
            Err(late) => {
                drop(self.take());
                return PipelineFuture::refused(late);
            }
        };
        let ask = host.ask(&request, scope);
        let subject = host.guard().subject(&request);
        match ask_at_once::<Req, _>(host.guard(), &subject, ask, &now) {
            Admission::Go(permit) => {
                let until = host.timeout().until(now.get());
                let mut sent = Sent::new(host, subject, permit, until);
                let call = Call::begins::<Self::Response, C::Error>(
                    sent.host(),
                    &mut request,
                    &self.inner,
                    scope,
                );
                // No function around it: the request would be moved into that.
                let sending = sent.sending(call.scope);
                let future = self.inner.call(request);
                sending.ends();
                PipelineFuture::first(future, sent, call)
            }
            Admission::Wait => {
                drop(self.take()); // a clone that is made ready after the wait goes into the future
                let service = self.inner.clone();
                let waiter = Waiter { service, request, subject, ask, holder: host };
                PipelineFuture::waits(waiter, scope)
            }
            Admission::Refuse(refused) => {
                tell(Event::Refused(&refused));
                drop(self.take());
                PipelineFuture::not_sent(&self.inner, request, refused, host, scope)
            }
        }
    }
}
