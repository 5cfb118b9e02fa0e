//! HTTP/1.1, spoken by hand, so that it can lie about anything.

mod answer;
mod body;
mod head;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, EXPECT};
use http::request::Parts;

use super::hub::{Note, Opened};
use super::log::{End, Speaks};
use super::pieces::length;
use super::reply::{Answer, Reads, Reply};
use super::wire::{Gone, Wire};
use crate::clock;
use answer::answers;
use body::{Body, Next};
use head::Head;

/// What becomes of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    GoesOn,
    Closes,
    Resets,
}

/// How an exchange has ended, and what becomes of the connection.
type Ended = Result<(End, Then), Gone>;

const BAD_REQUEST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Serves a connection to its end.
pub(super) async fn serve(mut wire: Wire, mut opened: Opened) {
    let mut is_first = true;
    loop {
        let head = loop {
            match head::take(&mut wire.read) {
                Head::Whole(head) => break Some(head),
                Head::Half if wire.more().await.is_ok() => {}
                Head::Half => return,
                Head::Nonsense => break None,
            }
        };
        let request = head.and_then(|head| Some((Body::of(&head.headers)?, head)));
        let Some((body, head)) = request else {
            let is_tls = super::run::is_tls(&wire.read);
            opened.speaks(if is_tls { Speaks::Tls } else { Speaks::Nonsense });
            if wire.writes([BAD_REQUEST, &[], &[]], |_| ()).await.is_ok() {
                wire.closes().await;
            }
            return;
        };
        if is_first {
            opened.speaks(Speaks::Http1);
            is_first = false;
        }
        let upload = Upload::new(body, &head);
        let (note, reply) = opened.asks(*head);
        let (end, then) = match exchange(&mut wire, &note, upload, reply).await {
            Ok(ended) => ended,
            Err(Gone) => (End::ClientGone, Then::Closes),
        };
        note.ends(end);
        match then {
            Then::GoesOn => {}
            Then::Closes => return wire.closes().await,
            Then::Resets => return wire.resets(),
        }
    }
}

/// Reads a request's body as it was told to, waits, and answers.
async fn exchange(wire: &mut Wire, note: &Note, mut upload: Upload, reply: Reply) -> Ended {
    let mut reply = reply;
    loop {
        let body = upload.reads(wire, note, &reply).await?;
        for early in &reply.early {
            let head = answer::head_of(early, &[]);
            wire.writes([&head, &[], &[]], |_| ()).await?;
        }
        let waits = async {
            if let Some(gate) = &reply.gate {
                gate.passes().await;
            }
            if !reply.after.is_zero() {
                clock::sleep(reply.after).await;
            }
        };
        if upload.body.is_over() {
            wire.meanwhile(waits).await?;
        } else {
            waits.await;
        }
        match reply.answer {
            Answer::Of(decide) => reply = note.guarded(|| decide(body)),
            Answer::Http(http) => return answers(wire, note, &http, &upload).await,
            Answer::Raw(bytes) => {
                wire.writes([&[], &bytes, &[]], |taken| note.sent(taken)).await?;
                return Ok((End::BrokenOff, Then::Closes));
            }
            Answer::Closes | Answer::GoesAway => return Ok((End::BrokenOff, Then::Closes)),
            Answer::Resets(_) => return Ok((End::BrokenOff, Then::Resets)),
            Answer::Never => return Err(stays_silent(wire, &upload).await),
        }
    }
}

/// Says nothing more until the client goes away.
async fn stays_silent(wire: &mut Wire, upload: &Upload) -> Gone {
    if upload.body.is_over() { wire.gone().await } else { wire.hangs_up().await }
}

/// The body of a request, and what the request says of the connection.
struct Upload {
    body: Body,
    /// Whether the client waits for leave to send it.
    is_expected: bool,
    /// Whether the connection ends with this request.
    is_last: bool,
}

impl Upload {
    fn new(body: Body, head: &Parts) -> Self {
        let says = |name, word: &str| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| value.eq_ignore_ascii_case(word))
        };
        let is_old = head.version == http::Version::HTTP_10;
        let is_expected = says(EXPECT, "100-continue");
        Self { body, is_expected, is_last: is_old || says(CONNECTION, "close") }
    }

    /// Gives what it read, where the answer depends on it.
    async fn reads(&mut self, wire: &mut Wire, note: &Note, reply: &Reply) -> Result<Bytes, Gone> {
        let is_kept = matches!(reply.answer, Answer::Of(_));
        let (most, pause) = match reply.reads {
            Reads::Nothing if !is_kept => return Ok(Bytes::new()),
            Reads::Slowly { bytes, pause } => (bytes, Some(pause)),
            Reads::All | Reads::Nothing => (usize::MAX, None),
        };
        let mut kept = BytesMut::new();
        while !self.body.is_over() {
            if let Some(pause) = pause {
                clock::sleep(pause).await;
            }
            let bytes = loop {
                match self.body.take(&mut wire.read, most) {
                    Next::Bytes(bytes) => break bytes,
                    Next::End => break Bytes::new(),
                    Next::Nonsense => return Err(Gone),
                    Next::Half if self.is_expected => {
                        self.is_expected = false;
                        wire.writes([CONTINUE, &[], &[]], |_| ()).await?;
                    }
                    Next::Half => wire.more().await?,
                }
            };
            note.read(length(&bytes));
            if is_kept {
                kept.extend_from_slice(&bytes);
            }
        }
        Ok(kept.freeze())
    }
}
