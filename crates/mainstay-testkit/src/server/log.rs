//! What has happened, as the server saw it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use super::Received;

/// A request, and what has become of it so far.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exchange {
    /// The request.
    pub request: Arc<Received>,
    /// How many bytes of its body were read.
    pub body_read: u64,
    /// The status of the answer, once its head was sent.
    pub status: Option<u16>,
    /// How many bytes of the answer's body were sent, as far as the server's system took them.
    pub body_sent: u64,
    /// How it ended.
    pub end: End,
    /// How long it took from the head of the request to the end.
    pub took: Option<Duration>,
}

/// How an exchange ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum End {
    /// It has not.
    Running,
    /// With a whole answer.
    Answered,
    /// The server broke it off, as it was told to.
    BrokenOff,
    /// The client went away.
    ClientGone,
}

/// A connection, and what it was for so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Connection {
    /// How long the server had been up when it was accepted.
    pub at: Duration,
    /// What the client speaks on it, once that can be told.
    pub speaks: Option<Speaks>,
    /// How many requests came over it.
    pub requests: usize,
    /// Whether the server still has it.
    pub is_open: bool,
}

/// What a client speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Speaks {
    /// HTTP/1.1 or 1.0.
    Http1,
    /// HTTP/2, known by its preface.
    Http2,
    /// TLS, which this server does not.
    Tls,
    /// What is no HTTP, and was answered with a 400.
    Nonsense,
}

/// The last so many of a sequence whose members keep their numbers.
#[derive(Debug)]
struct Last<T> {
    first: usize,
    kept: VecDeque<T>,
}

impl<T> Last<T> {
    const fn new() -> Self {
        Self { first: 0, kept: VecDeque::new() }
    }

    fn count(&self) -> usize {
        self.first + self.kept.len()
    }

    fn push(&mut self, item: T, most: usize) {
        self.kept.push_back(item);
        while self.kept.len() > most {
            self.kept.pop_front();
            self.first += 1;
        }
    }

    /// None if it has been forgotten.
    fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        self.kept.get_mut(number.checked_sub(self.first)?)
    }
}

/// All that is known.
#[derive(Debug)]
pub(super) struct Log {
    seed: u64,
    keeps: usize,
    exchanges: Last<Exchange>,
    connections: Last<Connection>,
    of_paths: BTreeMap<String, usize>,
    pub(super) open: usize,
    pub(super) running: usize,
}

impl Log {
    pub(super) fn new(seed: u64, keeps: usize) -> Self {
        let (exchanges, connections) = (Last::new(), Last::new());
        let of_paths = BTreeMap::new();
        Self { seed, keeps, exchanges, connections, of_paths, open: 0, running: 0 }
    }

    pub(super) fn opened(&mut self, at: Duration) -> usize {
        let connection = Connection { at, speaks: None, requests: 0, is_open: true };
        self.connections.push(connection, self.keeps);
        self.open += 1;
        self.connections.count() - 1
    }

    pub(super) fn speaks(&mut self, connection: usize, speaks: Speaks) {
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.speaks = Some(speaks);
        }
    }

    pub(super) fn closed(&mut self, connection: usize) {
        self.open -= 1;
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.is_open = false;
        }
    }

    /// Notes the nth request of a connection.
    pub(super) fn arrived(
        &mut self,
        head: Parts,
        at: Duration,
        (connection, nth_of_connection): (usize, usize),
    ) -> Arc<Received> {
        let (seed, number, path) = (self.seed, self.exchanges.count(), head.uri.path());
        let nth_of_path = match self.of_paths.get_mut(path) {
            Some(count) => {
                *count += 1;
                *count
            }
            None => *self.of_paths.entry(path.to_owned()).or_default(),
        };
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.requests += 1;
        }
        let received =
            Received { head, at, number, nth_of_path, connection, nth_of_connection, seed };
        let request = Arc::new(received);
        let (status, end, took) = (None, End::Running, None);
        let (body_read, body_sent) = (0, 0);
        let exchange = Exchange { request, body_read, status, body_sent, end, took };
        let request = Arc::clone(&exchange.request);
        self.exchanges.push(exchange, self.keeps);
        self.running += 1;
        request
    }

    pub(super) fn changes(&mut self, number: usize, change: impl FnOnce(&mut Exchange)) {
        if let Some(exchange) = self.exchanges.get_mut(number) {
            change(exchange);
        }
    }

    pub(super) fn ended(&mut self, number: usize, end: End, now: Duration) {
        self.running -= 1;
        self.changes(number, |exchange| {
            exchange.end = end;
            exchange.took = Some(now.saturating_sub(exchange.request.at));
        });
    }

    pub(super) fn requests(&self) -> usize {
        self.exchanges.count()
    }

    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.kept.iter().cloned().collect()
    }

    pub(super) fn connections(&self) -> Vec<Connection> {
        self.connections.kept.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(uri: &str) -> Parts {
        http::Request::get(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn requests_are_numbered_in_all_and_of_their_paths_and_connections() {
        let mut log = Log::new(7, 9);
        let at = Duration::from_secs;
        assert_eq!([log.opened(at(0)), log.opened(at(1))], [0, 1]);
        let requests =
            [("/a?1", 0, 0), ("/b", 1, 0), ("/a?2", 1, 1)].map(|(uri, connection, nth)| {
                let request = log.arrived(head(uri), at(2), (connection, nth));
                (request.number(), request.nth_of_path(), request.connection())
            });
        assert_eq!(requests, [(0, 0, 0), (1, 0, 1), (2, 1, 1)]);
        log.closed(0);
        let expected = Connection { at: at(0), speaks: None, requests: 1, is_open: false };
        assert_eq!(log.connections()[0], expected);
        assert_eq!((log.connections()[1].requests, log.open), (2, 1));
    }

    #[test]
    fn what_is_forgotten_keeps_its_number_and_what_is_told_of_it_is_lost() {
        let mut log = Log::new(7, 1);
        let at = Duration::from_secs;
        for n in 0..3 {
            log.opened(at(n));
            log.arrived(head("/"), at(n), (0, 0));
        }
        assert_eq!(log.requests(), 3);
        log.ended(0, End::ClientGone, at(3));
        log.ended(2, End::Answered, at(5));
        let [last] = &log.exchanges()[..] else { panic!("it keeps one") };
        assert_eq!((last.request.number(), last.end, last.took), (2, End::Answered, Some(at(3))));
        assert_eq!(log.running, 1);
    }
}
