//! One exchange over HTTP/2.

use std::future::{Future, poll_fn};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use tokio::sync::{mpsc, oneshot};

use super::super::hub::Note;
use super::super::log::End;
use super::super::pieces::{Piece, Pieces, length};
use super::super::race::{Either, race};
use super::super::reply::{Answer, Break, Fault, Head, Http, Reads, Reply, Source};
use super::super::wire::Gone;
use super::{Asked, Held, frame};
use crate::clock;

/// One exchange over HTTP/2.
pub(super) struct Stream {
    note: Note,
    body: RecvStream,
    respond: SendResponse<Bytes>,
    asks: mpsc::UnboundedSender<Asked>,
}

impl From<h2::Error> for Gone {
    fn from(_: h2::Error) -> Self {
        Self
    }
}

impl Stream {
    pub(super) const fn new(
        note: Note,
        body: RecvStream,
        respond: SendResponse<Bytes>,
        asks: mpsc::UnboundedSender<Asked>,
    ) -> Self {
        Self { note, body, respond, asks }
    }

    pub(super) async fn runs(mut self, reply: Reply) {
        let answer = match self.prepares(reply).await {
            Ok(answer) => answer,
            Err(Gone) => return self.note.ends(End::ClientGone),
        };
        let stream = self.respond.stream_id().as_u32();
        let end = match answer {
            Answer::Http(http) if http.fault == Some(Fault::HalfHead) => {
                Ok(Ends::Connection(frame::half_head(stream), None))
            }
            Answer::Http(http) => self.answers(&http).await,
            Answer::Raw(bytes) => Ok(Ends::Connection(bytes, None)),
            Answer::Closes => Ok(Ends::Connection(Bytes::new(), None)),
            Answer::Resets(reason) => {
                self.respond.send_reset(Reason::from(reason));
                Ok(Ends::Stream(End::BrokenOff))
            }
            Answer::GoesAway => {
                let asks = self.asks.clone();
                let _ = asks.send(Asked::GoAway(stream, self.held(None)));
                return;
            }
            Answer::Never | Answer::Of(_) => Err(self.gone().await),
        };
        match end {
            Ok(Ends::Stream(end)) => self.note.ends(end),
            Ok(Ends::Connection(last_words, send)) => {
                let asks = self.asks.clone();
                let _ = asks.send(Asked::End(last_words, self.held(send)));
            }
            Err(Gone) => self.note.ends(End::ClientGone),
        }
    }

    /// What stays until the connection is gone. The exchange is over, and was broken off.
    fn held(self, send: Option<SendStream<Bytes>>) -> Held {
        let Self { note, body, respond, asks: _ } = self;
        drop(note);
        Box::new((body, respond, send))
    }

    /// Reads the request, waits, and tells what is answered in the end.
    async fn prepares(&mut self, mut reply: Reply) -> Result<Answer, Gone> {
        loop {
            let body = self.reads(&reply).await?;
            for early in &reply.early {
                let Some(head) = self.head(early, None) else { return Ok(Answer::Closes) };
                self.respond.send_informational(head)?;
            }
            let (gate, after) = (reply.gate, reply.after);
            self.meanwhile(async {
                if let Some(gate) = &gate {
                    gate.passes().await;
                }
                if !after.is_zero() {
                    clock::sleep(after).await;
                }
            })
            .await?;
            match reply.answer {
                Answer::Of(decide) => reply = self.note.guarded(|| decide(body)),
                answer => return Ok(answer),
            }
        }
    }

    /// Gives what it read, where the answer depends on it.
    async fn reads(&mut self, reply: &Reply) -> Result<Bytes, Gone> {
        let is_kept = matches!(reply.answer, Answer::Of(_));
        let (most, pause) = match reply.reads {
            Reads::Nothing if !is_kept => return Ok(Bytes::new()),
            Reads::Slowly { bytes, pause } => (bytes, Some(pause)),
            Reads::All | Reads::Nothing => (usize::MAX, None),
        };
        let mut kept = BytesMut::new();
        while let Some(data) = self.body.data().await {
            let mut data = data?;
            while !data.is_empty() {
                if let Some(pause) = pause {
                    self.meanwhile(clock::sleep(pause)).await?;
                }
                let bytes = data.split_to(data.len().min(most));
                self.body.flow_control().release_capacity(bytes.len())?;
                self.note.read(length(&bytes));
                if is_kept {
                    kept.extend_from_slice(&bytes);
                }
            }
        }
        Ok(kept.freeze())
    }

    /// Waits until the client goes away, before an answer has begun.
    async fn gone(&mut self) -> Gone {
        let _ = poll_fn(|cx| self.respond.poll_reset(cx)).await;
        Gone
    }

    async fn meanwhile<F: Future>(&mut self, future: F) -> Result<F::Output, Gone> {
        match race(future, self.gone()).await {
            Either::First(output) => Ok(output),
            Either::Second(Gone) => Err(Gone),
        }
    }

    /// A head; none, and a failed test, where HTTP/2 cannot say it.
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    fn head(&self, head: &Head, length: Option<usize>) -> Option<Response<()>> {
        let made = response(head, length);
        if made.is_none() {
            let _ = self.note.guarded(|| panic!("this cannot be said in HTTP/2: {head:?}"));
        }
        made
    }

    async fn answers(&mut self, http: &Http) -> Result<Ends, Gone> {
        let whole = match &http.body {
            Source::Whole(body) => Some(body.len()),
            Source::Frames(_) | Source::Endless(_) => None,
        };
        let bodiless = *self.note.request().method() == Method::HEAD
            || matches!(http.head.status, 100..200 | 204 | 304);
        let Some(head) = self.head(&http.head, whole) else {
            return Ok(Ends::Connection(Bytes::new(), None));
        };
        let is_all = http.fault.is_none() && http.trailers.is_empty();
        let is_all = is_all && (bodiless || whole == Some(0));
        let mut send = self.respond.send_response(head, is_all)?;
        self.note.head_sent(http.head.status);
        if http.is_last {
            let _ = self.asks.send(Asked::Graceful);
        }
        if is_all {
            return Ok(Ends::Stream(End::Answered));
        }
        let mut pieces = Pieces::new(http);
        let end = loop {
            match pieces.next() {
                Piece::Bytes(pause, bytes) if !bodiless => {
                    if !pause.is_zero() {
                        meanwhile(&mut send, clock::sleep(pause)).await?;
                    }
                    sends(&mut send, bytes, &self.note).await?;
                }
                Piece::Bytes(..) | Piece::End => break None,
                Piece::Breaks(end) => break Some(end),
            }
        };
        match end {
            None if http.trailers.is_empty() => send.send_data(Bytes::new(), true)?,
            None => send.send_trailers(trailers(http))?,
            Some(Break::Closes) => return Ok(Ends::Connection(Bytes::new(), Some(send))),
            Some(Break::Stalls) => return Err(gone(&mut send).await),
            Some(Break::Resets(reason)) => {
                // A reset takes the place of all that has not been written.
                let (flush, flushed) = oneshot::channel();
                let _ = self.asks.send(Asked::Flush(flush));
                let _ = meanwhile(&mut send, flushed).await?;
                send.send_reset(Reason::from(reason));
                return Ok(Ends::Stream(End::BrokenOff));
            }
        }
        Ok(Ends::Stream(End::Answered))
    }
}

/// What an answer ends, or leaves to be ended.
enum Ends {
    Stream(End),
    /// After these words.
    Connection(Bytes, Option<SendStream<Bytes>>),
}

async fn gone(send: &mut SendStream<Bytes>) -> Gone {
    let _ = poll_fn(|cx| send.poll_reset(cx)).await;
    Gone
}

async fn meanwhile<F: Future>(send: &mut SendStream<Bytes>, future: F) -> Result<F::Output, Gone> {
    match race(future, gone(send)).await {
        Either::First(output) => Ok(output),
        Either::Second(Gone) => Err(Gone),
    }
}

async fn sends(send: &mut SendStream<Bytes>, mut bytes: Bytes, note: &Note) -> Result<(), Gone> {
    while !bytes.is_empty() {
        send.reserve_capacity(bytes.len());
        let capacity = poll_fn(|cx| send.poll_capacity(cx)).await.ok_or(Gone)??;
        let part = bytes.split_to(capacity.min(bytes.len()));
        let taken = length(&part);
        send.send_data(part, false)?;
        note.sent(taken);
    }
    Ok(())
}

fn response(head: &Head, length: Option<usize>) -> Option<Response<()>> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(head.status).ok()?;
    *response.headers_mut() = fields(&head.fields)?;
    let claims = response.headers().contains_key(http::header::CONTENT_LENGTH);
    let has_none = matches!(head.status, 100..200 | 204 | 304);
    if let (Some(length), false) = (length, claims || has_none) {
        response.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    }
    Some(response)
}

fn fields(fields: &[(Bytes, Bytes)]) -> Option<HeaderMap> {
    let fields = fields.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name).ok()?;
        Some((name, HeaderValue::from_bytes(value).ok()?))
    });
    fields.collect()
}

fn trailers(http: &Http) -> HeaderMap {
    fields(&http.trailers).unwrap_or_default()
}
