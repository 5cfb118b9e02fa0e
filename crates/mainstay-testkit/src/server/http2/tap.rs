//! A socket beneath HTTP/2 into which frames of our own can be put.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::frame::Edge;

/// The socket.
#[derive(Debug)]
pub(super) struct Tap {
    socket: Arc<TcpStream>,
    /// What was read before it was known that this is HTTP/2.
    ahead: BytesMut,
    own: Own,
}

/// What of ours is to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Own(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    edge: Edge,
    queued: BytesMut,
    /// Whether the socket took all that it was given.
    is_blocked: bool,
}

impl Own {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes this as soon as a frame has ended.
    pub(super) fn put(&self, bytes: &[u8]) {
        self.lock().queued.extend_from_slice(bytes);
    }

    /// Whether all has been written that there was.
    pub(super) fn is_flushed(&self) -> bool {
        let state = self.lock();
        state.edge.is_here() && state.queued.is_empty() && !state.is_blocked
    }
}

impl Tap {
    pub(super) const fn new(socket: Arc<TcpStream>, ahead: BytesMut, own: Own) -> Self {
        Self { socket, ahead, own }
    }

    fn poll_some(
        &self,
        state: &mut State,
        bytes: &[u8],
        cx: &Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut cx = Context::from_waker(cx.waker());
        state.is_blocked = true;
        loop {
            ready!(self.socket.poll_write_ready(&mut cx))?;
            match self.socket.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    state.is_blocked = false;
                    return Poll::Ready(written);
                }
            }
        }
    }

    /// Writes what is ours, if a frame has ended.
    fn poll_own(&self, state: &mut State, cx: &Context<'_>) -> Poll<io::Result<()>> {
        while state.edge.is_here() && !state.queued.is_empty() {
            let queued = std::mem::take(&mut state.queued);
            let written = self.poll_some(state, &queued, cx);
            state.queued = queued;
            state.queued.advance(ready!(written)?);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let most = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(most));
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.socket.try_read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.own.lock();
        ready!(self.poll_own(&mut state, cx))?;
        let most = if state.queued.is_empty() { bytes.len() } else { state.edge.distance(bytes) };
        let written = ready!(self.poll_some(&mut state, &bytes[..most], cx))?;
        state.edge.passes(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_own(&mut self.own.lock(), cx)
    }

    /// Whoever has the socket closes it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::Polled;
    use crate::server::http2::frame;

    async fn pair() -> (Tap, TcpStream, Own) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, own) = (listener.accept().await.unwrap().0, Own::default());
        (Tap::new(Arc::new(socket), BytesMut::new(), own.clone()), peer, own)
    }

    #[tokio::test]
    async fn what_is_ours_waits_for_the_end_of_the_frame_that_has_begun() {
        let (mut tap, mut peer, own) = pair().await;
        let one = [&[1, 134, 160, 0, 0, 0, 0, 0, 1][..], &[7; 100_000]].concat();
        let all = one.repeat(300); // more than the system takes at once
        let mut sent = 0;
        while sent < all.len() {
            let write = poll_fn(|cx| Pin::new(&mut tap).poll_write(cx, &all[sent..]));
            let Poll::Ready(written) = Polled::new(write).poll() else { break };
            sent += written.unwrap();
        }
        assert!(sent % one.len() != 0, "it stopped between two frames, which shows nothing");
        let farewell = frame::go_away(7);
        own.put(&farewell);
        assert!(!own.is_flushed());

        let mut got = Vec::new();
        let writes = async {
            tap.write_all(&all[sent..]).await.unwrap();
            tap.flush().await.unwrap();
            assert!(own.is_flushed());
            drop(tap);
        };
        let reads = async { peer.read_to_end(&mut got).await.unwrap() };
        tokio::join!(writes, reads);
        let next = (sent / one.len() + 1) * one.len();
        let expected = [&all[..next], &farewell, &all[next..]].concat();
        assert!(got == expected, "it stands elsewhere");
    }

    #[tokio::test]
    async fn what_is_ours_goes_out_by_itself_where_there_is_nothing_else() {
        let (mut tap, mut peer, own) = pair().await;
        own.put(&frame::go_away(7));
        tap.flush().await.unwrap();
        assert!(own.is_flushed());
        let mut got = [0; 17];
        peer.read_exact(&mut got).await.unwrap();
        assert_eq!(got[..], frame::go_away(7));
    }
}
