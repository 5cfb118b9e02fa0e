//! What is written of each input: one object of JSON, one line.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::digest::Digest;
use super::id::Id;
use super::job::Name;

/// How an input ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What its line called it.
    pub(crate) id: Option<Id>,
    /// Its place among the inputs, from 0.
    pub(crate) index: u64,
    pub(crate) url: Arc<str>,
    /// Stands for method, URL and body, so that `--resume` knows the input again.
    pub(crate) request: Digest,
    /// Of the answer, if there was one.
    pub(crate) status: Option<u16>,
    /// There was an answer, of a 2xx.
    pub(crate) ok: bool,
    pub(crate) attempts: u32,
    pub(crate) elapsed_ms: f64,
    /// How much of that it waited for us: for turns, for slots, between attempts.
    pub(crate) waited_ms: f64,
    pub(crate) error: Option<Wrong>,
    /// The body of the answer, as text, or in base64 where `encoding` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) encoding: Option<String>,
    /// The file that the body is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
}

/// Why it failed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Wrong {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    /// After how long it is worth asking again, where that is known.
    pub(crate) retry_in_ms: Option<u64>,
}

/// The kinds of failures. Their names do not change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The line is no input.
    Input,
    /// An answer that another attempt would get again: 404.
    Status,
    /// An answer that says "not now": 503.
    Unavailable,
    /// An answer that says "not so much": 429.
    Throttled,
    /// No connection: name not found, connection refused.
    Connect,
    /// No connection that is safe.
    Tls,
    /// No answer in time, of an attempt.
    Timeout,
    /// No answer in time, of the whole call.
    Deadline,
    /// The connection broke.
    Broken,
    /// The answer, or its redirect, cannot be understood.
    Malformed,
    /// The request cannot be sent.
    Invalid,
    /// The body has more bytes than it may.
    TooLarge,
    /// The body could not be written.
    Write,
    /// A limit of ours had no turn or no slot in time.
    RateLimited,
    /// The server had asked to be left alone.
    CoolingDown,
    /// The circuit was open.
    CircuitOpen,
    /// Refused for another reason of ours.
    Refused,
    /// A fault of this program.
    Internal,
}

impl Record {
    pub(crate) fn of(name: Name) -> Self {
        let Name { index, id, url, digest } = name;
        Self {
            id,
            index,
            url,
            request: digest,
            status: None,
            ok: false,
            attempts: 0,
            elapsed_ms: 0.0,
            waited_ms: 0.0,
            error: None,
            body: None,
            encoding: None,
            path: None,
        }
    }

    pub(crate) fn failed(mut self, kind: Kind, message: impl Into<String>) -> Self {
        self.ok = false;
        self.error = Some(Wrong { kind, message: message.into(), retry_in_ms: None });
        self
    }

    /// The body as text, or else in base64.
    pub(crate) fn with_body(mut self, body: &Bytes) -> Self {
        match std::str::from_utf8(body) {
            Ok(text) => self.body = Some(text.to_owned()),
            Err(_) => {
                self.body = Some(base64::engine::general_purpose::STANDARD.encode(body));
                self.encoding = Some("base64".to_owned());
            }
        }
        self
    }

    pub(crate) fn took(mut self, attempts: u32, elapsed: Duration, waited: Duration) -> Self {
        self.attempts = attempts;
        self.elapsed_ms = millis(elapsed);
        self.waited_ms = millis(waited);
        self
    }

    /// Another run would bring nothing else.
    pub(crate) fn is_final(&self) -> bool {
        self.ok || self.error.as_ref().is_some_and(|wrong| wrong.kind == Kind::Status)
    }

    /// Adds its line, with its end.
    pub(crate) fn write(&self, lines: &mut Vec<u8>) {
        // There is no map with keys that are no text in it, and nothing else can fail.
        let _ = serde_json::to_writer(&mut *lines, self);
        lines.push(b'\n');
    }
}

impl Kind {
    /// Its name in the output.
    pub(crate) fn word(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(word)) => word,
            _ => String::new(),
        }
    }
}

/// In milliseconds, to the microsecond.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
