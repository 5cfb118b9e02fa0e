//! A body that is read from what blocks.

use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

/// How much is read at a time.
const AT_A_TIME: usize = 64 * 1024;

/// Read on a thread that may block, piece by piece.
pub(super) struct Reader<R> {
    state: State<R>,
    /// How much of it there must still be, if that is known.
    left: Option<u64>,
}

enum State<R> {
    /// A lock that nobody waits for: a body must be one that threads could share.
    Idle(Mutex<R>),
    Reads(JoinHandle<(R, io::Result<Vec<u8>>)>),
    Ended,
}

impl<R> Reader<R> {
    pub(super) const fn new(reader: R, bytes: Option<u64>) -> Self {
        Self { state: State::Idle(Mutex::new(reader)), left: bytes }
    }

    /// A piece was read, of no bytes at the end.
    fn read(&mut self, piece: Vec<u8>) -> Option<io::Result<Frame<Bytes>>> {
        let bytes = piece.len() as u64;
        match &mut self.left {
            Some(left) if bytes > *left => {
                self.state = State::Ended;
                let wrong = "the reader has more bytes than it was said to have";
                return Some(Err(io::Error::new(io::ErrorKind::InvalidInput, wrong)));
            }
            Some(left) => *left -= bytes,
            None => {}
        }
        if bytes == 0 {
            self.state = State::Ended;
            return None;
        }
        Some(Ok(Frame::data(piece.into())))
    }
}

/// Nothing of it is pinned.
impl<R> Unpin for Reader<R> {}

impl<R: Read + Send + 'static> Body for Reader<R> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Idle(reader) => {
                    let mut reader = reader.into_inner().unwrap_or_else(PoisonError::into_inner);
                    self.state = State::Reads(spawn_blocking(move || {
                        let mut piece = Vec::with_capacity(AT_A_TIME);
                        let read = (&mut reader).take(AT_A_TIME as u64).read_to_end(&mut piece);
                        (reader, read.map(|_| piece))
                    }));
                }
                State::Reads(mut reads) => {
                    let Poll::Ready(read) = Pin::new(&mut reads).poll(cx) else {
                        self.state = State::Reads(reads);
                        return Poll::Pending;
                    };
                    let (reader, piece) = read.map_err(io::Error::other)?;
                    self.state = State::Idle(Mutex::new(reader));
                    return Poll::Ready(self.read(piece?));
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
