//! How an attempt ended, once somebody has classified it.

/// What an attempt's end says.
///
/// Who knows the protocol decides which it is (a 503 is [`Outcome::Transient`], a 404 is
/// [`Outcome::Fatal`]); every policy judges by this word alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// The server did what was asked.
    Success,
    /// It failed in a way that may pass: a 5xx, a reset connection, a timeout.
    Transient,
    /// The server is well and asks for less: a 429.
    Throttled,
    /// It failed in a way that asking again cannot change: most 4xx.
    Fatal,
    /// The request itself is at fault and this side found it out: a URI that cannot be sent, a body
    /// that broke off. Says nothing of the server.
    Invalid,
    /// A guard of ours did not let it start; nothing was sent.
    Refused,
    /// Nobody waits for it any more: its future was dropped.
    Abandoned,
}
