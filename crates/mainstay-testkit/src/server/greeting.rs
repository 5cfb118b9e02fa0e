//! What the server does with a connection, before there is a request.

use bytes::Bytes;

/// What the server does with a connection.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Greeting {
    /// Serves it.
    #[default]
    Serves,
    /// Resets it at once.
    Resets,
    /// Closes it at once, in good order.
    Closes,
    /// Reads what comes and says nothing, until the client goes away.
    Silent,
    /// Says this to the first bytes, whatever they are, and closes.
    Says(Bytes),
}

impl Greeting {
    /// A handshake of TLS that fails: the server answers the client's hello with the alert that
    /// there is nothing that both understand.
    #[must_use]
    pub const fn tls_alert() -> Self {
        const ALERT: u8 = 21;
        const FATAL: u8 = 2;
        const HANDSHAKE_FAILURE: u8 = 40;
        Self::Says(Bytes::from_static(&[ALERT, 3, 3, 0, 2, FATAL, HANDSHAKE_FAILURE]))
    }
}
