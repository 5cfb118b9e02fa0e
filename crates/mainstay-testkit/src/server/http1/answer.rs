//! The answer, as it stands on the wire of HTTP/1.1.

use std::io::Write as _;

use bytes::Bytes;
use http::{Method, StatusCode, Version};

use super::super::Received;
use super::super::hub::Note;
use super::super::log::End;
use super::super::pieces::{Piece, Pieces, length};
use super::super::reply::{Break, Fault, Head, Http, Length, Source};
use super::super::wire::{Gone, Wire};
use super::{Ended, Then, Upload, stays_silent};

/// How the end of the body is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Framing {
    /// There is none.
    Bodiless,
    /// It is as long as the head says, or claims.
    Plain,
    Chunked,
    /// By the end of the connection.
    Closes,
}

/// Sends an answer, up to where it breaks off.
pub(super) async fn answers(wire: &mut Wire, note: &Note, http: &Http, upload: &Upload) -> Ended {
    let framing = framing(http, note.request());
    let is_last = http.is_last || upload.is_last || !upload.body.is_over();
    let closes = is_last || framing == Framing::Closes;
    let mut head = head_of(&http.head, &fields(http, framing, closes));
    if http.fault == Some(Fault::HalfHead) {
        head.truncate(head.len() / 2);
        wire.writes([&head, &[], &[]], |_| ()).await?;
        return Ok((End::BrokenOff, Then::Closes));
    }
    let (mut pieces, mut sent) = (Pieces::new(http), 0);
    let mut prefix = Some(head); // goes out with the first piece
    let end = loop {
        let piece = match framing {
            Framing::Bodiless => bodiless(http),
            Framing::Plain | Framing::Chunked | Framing::Closes => pieces.next(),
        };
        let Piece::Bytes(pause, bytes) = piece else { break piece };
        if !pause.is_zero() {
            pauses(wire, upload, pause).await?;
        }
        let mut before = prefix.take().unwrap_or_default();
        if !before.is_empty() {
            note.head_sent(http.head.status);
        }
        let after: &[u8] = if framing == Framing::Chunked {
            // Writing to a vector does not fail.
            let _ = write!(before, "{:x}\r\n", bytes.len());
            b"\r\n"
        } else {
            b""
        };
        wire.writes([&before, &bytes, after], |taken| note.sent(taken)).await?;
        sent += length(&bytes);
    };
    let mut rest = prefix.take().unwrap_or_default();
    if !rest.is_empty() {
        note.head_sent(http.head.status);
    }
    if framing == Framing::Chunked && end == Piece::End {
        rest.extend_from_slice(b"0\r\n");
        http.trailers.iter().for_each(|field| line(&mut rest, field));
        rest.extend_from_slice(b"\r\n");
    }
    wire.writes([&rest, &[], &[]], |_| ()).await?;
    match end {
        Piece::Breaks(Break::Closes) => Ok((End::BrokenOff, Then::Closes)),
        Piece::Breaks(Break::Resets(_)) => Ok((End::BrokenOff, Then::Resets)),
        Piece::Breaks(Break::Stalls) => Err(stays_silent(wire, upload).await),
        Piece::Bytes(..) | Piece::End => {
            let lacks = framing == Framing::Plain && claimed(http).is_some_and(|all| all > sent);
            let end = if lacks { End::BrokenOff } else { End::Answered };
            Ok((end, if closes || lacks { Then::Closes } else { Then::GoesOn }))
        }
    }
}

async fn pauses(wire: &mut Wire, upload: &Upload, pause: std::time::Duration) -> Result<(), Gone> {
    let sleep = crate::clock::sleep(pause);
    if upload.body.is_over() {
        return wire.meanwhile(sleep).await;
    }
    sleep.await;
    Ok(())
}

fn bodiless(http: &Http) -> Piece {
    match http.fault {
        Some(Fault::At { end, .. }) => Piece::Breaks(end),
        Some(Fault::HalfHead) | None => Piece::End,
    }
}

fn framing(http: &Http, request: &Received) -> Framing {
    let is_old = request.version() == Version::HTTP_10;
    let is_bodiless =
        request.method() == Method::HEAD || matches!(http.head.status, 100..200 | 204 | 304);
    match (&http.body, http.length) {
        _ if is_bodiless => Framing::Bodiless,
        _ if has(http, "content-length") || has(http, "transfer-encoding") => Framing::Plain,
        (_, Length::Closes) => Framing::Closes,
        (Source::Whole(_), Length::Told) => Framing::Plain,
        (Source::Frames(_) | Source::Endless(_), Length::Told) if is_old => Framing::Closes,
        (Source::Frames(_) | Source::Endless(_), Length::Told) => Framing::Chunked,
    }
}

fn has(http: &Http, name: &str) -> bool {
    http.head.fields.iter().any(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()))
}

/// The length that the answer claims by a field of its own.
fn claimed(http: &Http) -> Option<u64> {
    let is_length = |name: &Bytes| name.eq_ignore_ascii_case(b"content-length");
    let (_, value) = http.head.fields.iter().find(|(name, _)| is_length(name))?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// What the head says of the body and the connection.
fn fields(http: &Http, framing: Framing, closes: bool) -> Vec<(Bytes, Bytes)> {
    let mut fields = Vec::new();
    let mut says = |name: &'static [u8], value: Bytes| {
        fields.push((Bytes::from_static(name), value));
    };
    let has_length = has(http, "content-length") || has(http, "transfer-encoding");
    let has_none = matches!(http.head.status, 100..200 | 204 | 304);
    match (framing, &http.body) {
        (Framing::Plain | Framing::Bodiless, Source::Whole(body)) if !has_length && !has_none => {
            says(b"content-length", body.len().to_string().into());
        }
        (Framing::Chunked, _) => says(b"transfer-encoding", Bytes::from_static(b"chunked")),
        (Framing::Plain | Framing::Bodiless | Framing::Closes, _) => {}
    }
    if closes {
        says(b"connection", Bytes::from_static(b"close"));
    }
    fields
}

/// A head, with fields of the server's own at its end.
pub(super) fn head_of(head: &Head, own: &[(Bytes, Bytes)]) -> Vec<u8> {
    let reason = StatusCode::from_u16(head.status).ok().and_then(|code| code.canonical_reason());
    let mut bytes = Vec::with_capacity(128);
    let _ = write!(bytes, "HTTP/1.1 {} {}\r\n", head.status, reason.unwrap_or_default());
    head.fields.iter().chain(own).for_each(|field| line(&mut bytes, field));
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn line(bytes: &mut Vec<u8>, (name, value): &(Bytes, Bytes)) {
    for part in [name, &b": "[..], value, b"\r\n"] {
        bytes.extend_from_slice(part);
    }
}
