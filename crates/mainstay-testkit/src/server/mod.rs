//! A server on the loopback device that does with each request what the test says.
//!
//! It speaks HTTP/1.1 and HTTP/2 on one port, and lies in both: wrong lengths, half heads, bodies
//! that stall or never end, resets, refused streams, connections that go away. It notes what came,
//! when, and what became of it.
//!
//! ```
//! use mainstay_testkit::server::{Faulty, Reply};
//!
//! # fn main() -> std::io::Result<()> {
//! let server = Faulty::start(|request| match request.nth_of_path() {
//!     0 => Reply::status(503).header("retry-after", "1"),
//!     _ => Reply::ok("hello"),
//! })?;
//!
//! let url = server.url("/users/1");
//! // Call it with any client, and look at what came:
//! assert!(server.log().is_empty());
//! # assert!(url.starts_with("http://127.0.0.1:"));
//! # Ok(())
//! # }
//! ```
//!
//! # What it is, and what it is not
//!
//! It runs on a thread of its own with a runtime of its own, so it serves blocking clients and
//! tests with one thread alike, and starts without `await`. When it is dropped, it is gone: the
//! port is closed, and so is every connection. If the script panicked meanwhile, the drop panics
//! with the same words, and the test fails.
//!
//! Its time is real, whatever the test does to its own. A client whose time is paused must not call
//! it: the client's timeouts would be over before an answer can come.
//!
//! It has no TLS. A handshake that fails is a [`Greeting`].

mod builder;
mod content;
mod gate;
mod greeting;
mod http1;
mod http2;
mod hub;
mod limit;
mod log;
mod pieces;
mod race;
mod received;
mod reply;
mod run;
mod wire;

pub use builder::Builder;
pub use content::Content;
pub use gate::Gate;
pub use greeting::Greeting;
pub use limit::Limit;
pub use log::{Connection, End, Exchange, Speaks};
pub use received::Received;
pub use reply::Reply;

use std::io;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use hub::Hub;
use run::Thread;

/// A server on the loopback device that does with each request what the test says.
///
/// See [the module](self) for an example.
///
/// # Panics
///
/// Its drop does if the script did.
#[derive(Debug)]
#[must_use = "the server is gone when it is dropped"]
pub struct Faulty {
    hub: Arc<Hub>,
    thread: Thread,
}

impl Faulty {
    /// Starts a server that answers like this, on a port that the system chooses.
    ///
    /// The script is asked as soon as the head of a request is there, for one request at a time. It
    /// may keep what it likes; while it runs, nobody is served.
    ///
    /// # Errors
    ///
    /// If there is no port, or no thread.
    pub fn start(answers: impl FnMut(&Received) -> Reply + Send + 'static) -> io::Result<Self> {
        Self::builder().start(answers)
    }

    /// A server that is told more before it starts.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.thread.address
    }

    /// The URL of a path, which begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.thread.address)
    }

    /// How long it has been up, by the clock of its log.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.hub.now()
    }

    /// All requests, in the order in which their heads came, and what has become of them so far.
    #[must_use]
    pub fn log(&self) -> Vec<Exchange> {
        self.hub.log().exchanges()
    }

    /// All connections, in the order in which they were accepted.
    #[must_use]
    pub fn connections(&self) -> Vec<Connection> {
        self.hub.log().connections()
    }

    /// How many requests have come.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.hub.log().requests()
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.hub.log().open
    }

    /// Waits until so many requests have come.
    pub async fn sees(&self, requests: usize) {
        self.hub.until(|| self.requests() >= requests).await;
    }

    /// Waits until no request is being answered.
    pub async fn idles(&self) {
        self.hub.until(|| self.hub.log().running == 0).await;
    }

    /// Waits until the log is as it should be.
    pub async fn until(&self, mut is_so: impl FnMut(&[Exchange]) -> bool) {
        self.hub.until(|| is_so(&self.log())).await;
    }

    /// Waits until its connections are as they should be.
    pub async fn until_connections(&self, mut are_so: impl FnMut(&[Connection]) -> bool) {
        self.hub.until(|| are_so(&self.connections())).await;
    }

    /// Cuts all connections as if its process had been killed, and lets its port refuse what comes,
    /// until it [comes back](Self::comes_back).
    ///
    /// # Errors
    ///
    /// If the port cannot be held meanwhile.
    pub fn goes_down(&self) -> io::Result<()> {
        self.thread.goes_down()
    }

    /// Listens again, on the same port.
    ///
    /// # Errors
    ///
    /// If the port cannot be had again.
    pub fn comes_back(&self) -> io::Result<()> {
        self.thread.comes_back()
    }

    /// Cuts all connections as if its process had been killed, and goes on listening.
    pub fn cuts_connections(&self) {
        let _ = self.thread.cuts();
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.thread.stops();
        if let (Some(panic), false) = (self.hub.take_panic(), std::thread::panicking()) {
            resume_unwind(panic);
        }
    }
}
