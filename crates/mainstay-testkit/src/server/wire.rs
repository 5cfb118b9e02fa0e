//! A socket, and what has been read of it and not been used.

use std::future::{Future, pending};
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use super::race::{Either, race};
use crate::clock;

/// How much is read ahead while nobody wants it.
const AHEAD: usize = 1 << 16;

/// How long a client has for reading what was written before a connection closes.
const LINGERS: Duration = Duration::from_secs(1);

/// The client went away.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// A socket, and what has been read of it and not been used.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    pub(super) read: BytesMut,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Small pieces are what a test may want to see one by one.
        let _ = stream.set_nodelay(true);
        Self { stream, read: BytesMut::new() }
    }

    /// Reads more.
    pub(super) async fn more(&mut self) -> Result<(), Gone> {
        self.read.reserve(1);
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(Gone),
            _ => Ok(()),
        }
    }

    /// Writes all three, and tells how much was taken of the one in the middle, as it is.
    pub(super) async fn writes(
        &mut self,
        parts: [&[u8]; 3],
        mut took: impl FnMut(u64),
    ) -> Result<(), Gone> {
        let mut rest = parts;
        while rest.iter().any(|part| !part.is_empty()) {
            let slices = rest.map(io::IoSlice::new);
            let mut written = self.stream.write_vectored(&slices).await?;
            if written == 0 {
                return Err(Gone);
            }
            for (i, part) in rest.iter_mut().enumerate() {
                let taken = written.min(part.len());
                *part = &part[taken..];
                written -= taken;
                if i == 1 && taken > 0 {
                    took(u64::try_from(taken).unwrap_or(u64::MAX));
                }
            }
        }
        Ok(())
    }

    /// Awaits something, and ends when the client goes away. What comes meanwhile is read ahead.
    pub(super) async fn meanwhile<F: Future>(&mut self, future: F) -> Result<F::Output, Gone> {
        match race(future, self.gone()).await {
            Either::First(output) => Ok(output),
            Either::Second(Gone) => Err(Gone),
        }
    }

    /// Waits until the client goes away.
    pub(super) async fn gone(&mut self) -> Gone {
        while self.read.len() < AHEAD {
            if self.more().await.is_err() {
                return Gone;
            }
        }
        pending().await
    }

    /// The same without reading anything; nothing can be read afterwards.
    pub(super) async fn hangs_up(&self) -> Gone {
        let interest = Interest::READABLE;
        while let Ok(ready) = self.stream.ready(interest).await {
            if ready.is_read_closed() {
                break;
            }
            // What came stays where it is: the socket is asked again when there is something new.
            let _ = self.stream.try_io(interest, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        }
        Gone
    }

    /// Reads all that comes, and forgets it, until the client goes away.
    pub(super) async fn swallows(&mut self) -> Gone {
        while self.more().await.is_ok() {
            self.read.clear();
        }
        Gone
    }

    /// Closes in good order: what was written arrives, then the end. A socket that is dropped with
    /// unread bytes would send a reset, and what was written could be lost.
    pub(super) async fn closes(mut self) {
        if self.stream.shutdown().await.is_ok() {
            race(self.swallows(), clock::sleep(LINGERS)).await;
        }
    }

    /// Breaks the connection off.
    pub(super) fn resets(self) {
        let _ = self.stream.set_zero_linger();
    }
}
