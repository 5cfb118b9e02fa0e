//! Where the inputs of a batch come from, and what they are called.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

/// Inputs of a batch: whatever can be iterated over, or [`stream`] of a stream.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an iterator nor a stream of inputs",
    note = "of a stream, give the batch `mainstay::batch::stream(it)`"
)]
pub trait Inputs {
    /// An input.
    type Input;
    /// Them all, one by one.
    type Stream: Stream<Item = Self::Input>;

    /// Them all, one by one.
    fn into_stream(self) -> Self::Stream;
}

impl<I: IntoIterator> Inputs for I {
    type Input = I::Item;
    type Stream = FromIter<I::IntoIter>;

    fn into_stream(self) -> Self::Stream {
        FromIter(self.into_iter())
    }
}

/// A stream as inputs of a batch. It is polled when there is room for another input, and not
/// before.
pub const fn stream<S: Stream>(stream: S) -> FromStream<S> {
    FromStream(stream)
}

/// A stream as inputs; made by [`stream`].
#[derive(Clone, Debug)]
pub struct FromStream<S>(S);

impl<S: Stream> Inputs for FromStream<S> {
    type Input = S::Item;
    type Stream = S;

    fn into_stream(self) -> S {
        self.0
    }
}

/// An iterator as a stream that is never pending.
pub struct FromIter<I>(I);

/// Nothing in it is pinned.
impl<I> Unpin for FromIter<I> {}

impl<I: Iterator> Stream for FromIter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<I> fmt::Debug for FromIter<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromIter")
    }
}

/// How an input is called, and what is sent of it.
pub trait Naming<Input> {
    /// What it is called.
    type Id;
    /// What is sent.
    type Request;

    /// Takes an input apart.
    fn name(&self, input: Input) -> (Self::Id, Self::Request);
}

/// Inputs are requests, known by their index alone.
#[derive(Clone, Copy, Debug)]
pub struct ByIndex;

impl<Req> Naming<Req> for ByIndex {
    type Id = ();
    type Request = Req;

    fn name(&self, request: Req) -> ((), Req) {
        ((), request)
    }
}

/// Inputs are pairs of an id and a request.
#[derive(Clone, Copy, Debug)]
pub struct WithIds;

impl<Id, Req> Naming<(Id, Req)> for WithIds {
    type Id = Id;
    type Request = Req;

    fn name(&self, input: (Id, Req)) -> (Id, Req) {
        input
    }
}

/// Inputs are requests, and a clone of each comes back with its result.
#[derive(Clone, Copy, Debug)]
pub struct Kept;

impl<Req: Clone> Naming<Req> for Kept {
    type Id = Req;
    type Request = Req;

    fn name(&self, request: Req) -> (Req, Req) {
        (request.clone(), request)
    }
}
