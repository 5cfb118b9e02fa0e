//! The one stream behind a body and its copies: who reads it, and what has been read.
//!
//! The rest of the stream belongs to the body that was first polled last. While a body polls the
//! stream, the stream is out of the state, so that the lock is held for bookkeeping only; who
//! comes meanwhile waits until it is put back.

use std::mem;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::copy::Copies;
use super::errors::{Broken, Superseded, TooLarge};
use super::limits::Limits;
use super::record::{Freed, Place, Record};
use crate::BoxError;

pub(super) type Source = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// What a body says when it is polled.
pub(super) type Item = Option<Result<Frame<Bytes>, BoxError>>;

pub(super) struct Stream {
    /// The size of the whole, as the body said before it was read.
    pub(super) size: SizeHint,
    /// Whether it had ended before it was read.
    is_empty: bool,
    state: Mutex<State>,
}

struct State {
    record: Record,
    rest: Rest,
    /// The number of the body that began last.
    newest: u64,
    /// Wakes that body: it waits for the stream, or for its turn at it.
    waker: Option<Waker>,
}

/// What has not been read yet.
enum Rest {
    Here(Source),
    /// A body polls it right now.
    Out,
    Ended,
    Broken,
}

/// Where a body stands.
#[derive(Default)]
pub(super) struct Reader {
    /// How many frames it has read.
    pub(super) place: usize,
    /// The number it got at its first poll.
    turn: Option<u64>,
}

/// What a body that asks for its next frame gets.
enum Next {
    Item(Item),
    Poll(Source, u64),
    /// It waits until the stream is put back.
    Waits,
    /// It has to wait, and needs a waker for that.
    NeedsWaker,
}

/// What has to wait until the lock is free, because it is somebody else's code.
#[derive(Default)]
struct Aside {
    wake: Option<Waker>,
    waker: Option<Waker>,
    freed: Freed,
}

impl Stream {
    /// `source` is none if it has ended before it began.
    pub(super) fn new(source: Option<Source>, size: SizeHint, limits: &Limits) -> Self {
        let record = Record::new(limits.share(), size.lower());
        let rest = source.map_or(Rest::Ended, Rest::Here);
        let is_empty = matches!(rest, Rest::Ended);
        let state = State { record, rest, newest: 0, waker: None };
        Self { size, is_empty, state: Mutex::new(state) }
    }

    /// The next item for a body. `alone` says that it has no copy: then nothing is kept.
    pub(super) fn poll(
        &self,
        reader: &mut Reader,
        alone: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Item> {
        let mut waker = None;
        loop {
            match self.change(|state, aside| state.next(reader, alone, &mut waker, aside)) {
                Next::Item(item) => return Poll::Ready(item),
                Next::Poll(source, turn) => return self.poll_source(source, turn, alone, cx),
                Next::Waits => return Poll::Pending,
                // Cloned without the lock, because that is somebody else's code.
                Next::NeedsWaker => waker = Some(cx.waker().clone()),
            }
        }
    }

    /// Whether a body that stands here has nothing more to read. At the beginning it says what the
    /// stream said there, so that each attempt is framed the same.
    pub(super) fn is_end(&self, place: usize) -> bool {
        if place == 0 {
            return self.is_empty;
        }
        self.change(|state, _| matches!(state.rest, Rest::Ended) && place == state.record.end())
    }

    /// When a copy made now could be sent.
    pub(super) fn copies(&self) -> Copies {
        self.change(|state, _| match state.rest {
            Rest::Here(_) | Rest::Out if state.record.is_whole() => Copies::Afterwards,
            Rest::Ended if state.record.is_whole() => Copies::Alongside,
            Rest::Here(_) | Rest::Out | Rest::Ended | Rest::Broken => Copies::Never,
        })
    }

    /// A body is dropped. The stream stays for the next one that asks.
    pub(super) fn leave(&self, reader: &Reader) {
        let Some(turn) = reader.turn else { return };
        self.change(|state, aside| {
            if state.newest == turn {
                aside.waker = state.waker.take();
            }
        });
    }

    fn poll_source(
        &self,
        mut source: Source,
        turn: u64,
        alone: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Item> {
        let lost = Lost(self);
        let polled = source.as_mut().poll_frame(cx);
        let waker = polled.is_pending().then(|| cx.waker().clone());
        let rest = match &polled {
            Poll::Pending => Rest::Here(source),
            Poll::Ready(Some(Ok(_))) if !source.is_end_stream() => Rest::Here(source),
            Poll::Ready(Some(Ok(_)) | None) => Rest::Ended,
            Poll::Ready(Some(Err(_))) => Rest::Broken,
        };
        mem::forget(lost);

        let mine = self.change(|state, aside| {
            state.rest = rest;
            match &polled {
                Poll::Ready(Some(Ok(frame))) => {
                    state.record.push(frame, alone, &mut aside.freed);
                }
                Poll::Ready(Some(Err(_))) => state.record.forget(&mut aside.freed),
                Poll::Ready(None) | Poll::Pending => {}
            }
            let mine = state.newest == turn;
            if mine {
                aside.waker = mem::replace(&mut state.waker, waker);
            } else {
                aside.wake = state.waker.take();
            }
            mine
        });
        match polled {
            // The newer body has the stream call its own waker from now on, not this one.
            Poll::Pending if !mine => Poll::Ready(Some(Err(Superseded.into()))),
            polled => polled,
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State, &mut Aside) -> T) -> T {
        let mut aside = Aside::default();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = change(&mut state, &mut aside);
        drop(state);
        if let Some(waker) = aside.wake {
            waker.wake();
        }
        answer
    }
}

impl State {
    fn next(
        &mut self,
        reader: &mut Reader,
        alone: bool,
        waker: &mut Option<Waker>,
        aside: &mut Aside,
    ) -> Next {
        let turn = *reader.turn.get_or_insert_with(|| {
            self.newest += 1;
            aside.wake = self.waker.take(); // of the body before, so that it hears of its end
            self.newest
        });
        if matches!(self.rest, Rest::Broken) {
            return Next::fails(Broken);
        }
        let here = if alone {
            self.record.take(reader.place, &mut aside.freed)
        } else {
            self.record.at(reader.place)
        };
        match here {
            Place::Frame(frame) => return Next::Item(Some(Ok(frame))),
            Place::Gone => return Next::fails(TooLarge),
            Place::Unread => {}
        }
        if matches!(self.rest, Rest::Ended) {
            return Next::Item(None);
        }
        if turn != self.newest {
            return Next::fails(Superseded);
        }
        if let Rest::Here(source) = mem::replace(&mut self.rest, Rest::Out) {
            return Next::Poll(source, turn);
        }
        let Some(waker) = waker.take() else { return Next::NeedsWaker };
        aside.waker = self.waker.replace(waker);
        Next::Waits
    }
}

impl Next {
    fn fails(error: impl Into<BoxError>) -> Self {
        Self::Item(Some(Err(error.into())))
    }
}

/// Left behind only by a stream that panics while it is polled: nobody shall wait for it.
struct Lost<'a>(&'a Stream);

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        self.0.change(|state, aside| {
            state.rest = Rest::Broken;
            state.record.forget(&mut aside.freed);
            aside.wake = state.waker.take();
        });
    }
}
