//! What a server can be told before it starts.

use std::io;
use std::sync::Arc;

use super::http2::Http2;
use super::hub::{Greets, Hub};
use super::log::Log;
use super::{Faulty, Greeting, Received, Reply, run};

/// What a server can be told before it starts.
#[must_use = "nothing runs before it is started"]
pub struct Builder {
    seed: u64,
    keeps: usize,
    greets: Greets,
    pub(super) receive_buffer: Option<u32>,
    pub(super) http2: Http2,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            seed: 0,
            keeps: usize::MAX,
            greets: Box::new(|_| Greeting::Serves),
            receive_buffer: None,
            http2: Http2::default(),
        }
    }
}

impl Builder {
    /// Where the [chance](Received::chance) of requests begins; 0 where nothing is said.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What is done with a connection, by how many came before.
    ///
    /// ```
    /// use mainstay_testkit::server::{Faulty, Greeting, Reply};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let server = Faulty::builder()
    ///     .greets(|before| if before == 0 { Greeting::tls_alert() } else { Greeting::Serves })
    ///     .start(|_| Reply::ok("well"))?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn greets(mut self, greets: impl FnMut(usize) -> Greeting + Send + 'static) -> Self {
        self.greets = Box::new(greets);
        self
    }

    /// The log keeps no more than the last so many requests and connections; without it, all. For
    /// servers that run long, or under load.
    pub const fn keeps(mut self, most: usize) -> Self {
        self.keeps = most;
        self
    }

    /// About how many bytes of a connection the system buffers before the server reads them. What
    /// [is not read](Reply::reads_nothing) is felt by the client only beyond.
    pub const fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// In HTTP/2, how many bytes of requests' bodies may be on their way at once.
    pub const fn window(mut self, bytes: u32) -> Self {
        self.http2.window = Some(bytes);
        self
    }

    /// In HTTP/2, how many requests may run at once over a connection.
    pub const fn streams(mut self, most: u32) -> Self {
        self.http2.streams = Some(most);
        self
    }

    /// Starts the server, which answers like this. See [`Faulty::start`].
    ///
    /// # Errors
    ///
    /// If there is no port, or no thread.
    pub fn start(
        self,
        answers: impl FnMut(&Received) -> Reply + Send + 'static,
    ) -> io::Result<Faulty> {
        let log = Log::new(self.seed, self.keeps);
        let hub = Arc::new(Hub::new(Box::new(answers), self.greets, log));
        let settings = run::Settings { receive_buffer: self.receive_buffer, http2: self.http2 };
        let thread = run::start(settings, Arc::clone(&hub))?;
        Ok(Faulty { hub, thread })
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Builder");
        debug.field("seed", &self.seed).field("keeps", &self.keeps).finish_non_exhaustive()
    }
}
