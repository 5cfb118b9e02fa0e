//! HTTP/2: frames are those of the crate `h2`, except where they must be wrong.

mod frame;
mod stream;
mod tap;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::server::{Connection, SendResponse};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::hub::Opened;
use super::log::Speaks;
use super::wire::Wire;
use stream::Stream;
use tap::{Own, Tap};

/// What the server allows its clients.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Http2 {
    /// How many bytes of a body may be on their way.
    pub(super) window: Option<u32>,
    /// How many requests may run at once over a connection.
    pub(super) streams: Option<u32>,
}

/// What of a stream must stay as it is until the connection is gone: dropping it would say
/// something to the client.
type Held = Box<dyn Send>;

type Accepted = Option<Result<(http::Request<RecvStream>, SendResponse<Bytes>), h2::Error>>;

/// What a stream asks of its connection.
enum Asked {
    /// Tells it when all has been written so far.
    Flush(oneshot::Sender<()>),
    /// Takes no further request.
    Graceful,
    /// Goes away behind this stream, and ends when those that run have ended.
    GoAway(u32, Held),
    /// Writes this, and ends.
    End(Bytes, Held),
}

/// When the connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leaves {
    Not,
    AfterItsStreams,
    Now,
}

/// Serves a connection to its end.
pub(super) async fn serve(wire: Wire, mut opened: Opened, settings: Http2) {
    let (socket, own) = (Arc::new(wire.stream), Own::default());
    let tap = Tap::new(Arc::clone(&socket), wire.read, own.clone());
    let mut builder = h2::server::Builder::new();
    if let Some(window) = settings.window {
        builder.initial_window_size(window).initial_connection_window_size(window);
    }
    if let Some(streams) = settings.streams {
        builder.max_concurrent_streams(streams);
    }
    let Ok(connection) = builder.handshake(tap).await else {
        opened.speaks(Speaks::Nonsense);
        return;
    };
    opened.speaks(Speaks::Http2);

    let (asks, asked) = mpsc::unbounded_channel();
    let mut running = Running {
        connection,
        own,
        asked,
        streams: JoinSet::new(),
        held: Vec::new(),
        flushes: Vec::new(),
        leaves: Leaves::Not,
    };
    while let Some((request, respond)) = poll_fn(|cx| running.poll_next(cx)).await {
        let (head, body) = request.into_parts();
        let (note, reply) = opened.asks(head);
        running.streams.spawn(Stream::new(note, body, respond, asks.clone()).runs(reply));
    }
    running.ends(socket).await;
}

struct Running {
    connection: Connection<Tap, Bytes>,
    own: Own,
    asked: mpsc::UnboundedReceiver<Asked>,
    streams: JoinSet<()>,
    held: Vec<Held>,
    flushes: Vec<oneshot::Sender<()>>,
    leaves: Leaves,
}

impl Running {
    /// The next request; none when the connection is to end.
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(http::Request<RecvStream>, SendResponse<Bytes>)>> {
        while let Poll::Ready(Some(asked)) = self.asked.poll_recv(cx) {
            self.hears(asked);
        }
        while let Poll::Ready(Some(_)) = self.streams.poll_join_next(cx) {}
        loop {
            let accepted: Poll<Accepted> = self.connection.poll_accept(cx);
            match accepted {
                // What comes behind a farewell is as if it had never come.
                Poll::Ready(Some(Ok(stream))) if self.leaves != Leaves::Not => {
                    self.held.push(Box::new(stream));
                }
                Poll::Ready(Some(Ok(stream))) => return Poll::Ready(Some(stream)),
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        if !self.own.is_flushed() {
            return Poll::Pending;
        }
        self.flushes.drain(..).for_each(|flush| _ = flush.send(()));
        match self.leaves {
            Leaves::Now => Poll::Ready(None),
            Leaves::AfterItsStreams if self.streams.is_empty() => Poll::Ready(None),
            Leaves::AfterItsStreams | Leaves::Not => Poll::Pending,
        }
    }

    fn hears(&mut self, asked: Asked) {
        match asked {
            Asked::Flush(flush) => self.flushes.push(flush),
            Asked::Graceful => self.connection.graceful_shutdown(),
            Asked::GoAway(stream, held) => {
                self.own.put(&frame::go_away(stream.saturating_sub(2)));
                self.held.push(held);
                if self.leaves == Leaves::Not {
                    self.leaves = Leaves::AfterItsStreams;
                }
            }
            Asked::End(bytes, held) => {
                self.own.put(&bytes);
                self.held.push(held);
                self.leaves = Leaves::Now;
            }
        }
    }

    async fn ends(self, socket: Arc<tokio::net::TcpStream>) {
        let Self { connection, mut streams, held, leaves, .. } = self;
        if leaves == Leaves::Now {
            streams.abort_all();
        }
        drop(connection); // what still runs learns that the client is gone
        while streams.join_next().await.is_some() {}
        drop(held);
        if let (true, Some(stream)) = (leaves != Leaves::Not, Arc::into_inner(socket)) {
            Wire { stream, read: BytesMut::new() }.closes().await;
        }
    }
}
