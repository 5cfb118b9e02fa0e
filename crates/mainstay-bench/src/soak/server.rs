//! A server of eight hosts that answers as it likes, and notes what nobody may do.

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::time::Instant;
use tower::Service;

use super::specs::LONGEST_ASKED;
use crate::chance::Chance;
use crate::clock::{self, sleep};

pub(super) const HOSTS: usize = 8;

/// What has been told of, and is about to be known: a thread that has an answer in hand may be kept
/// waiting for a processor before it can tell the others.
const ON_ITS_WAY: Duration = Duration::from_millis(50);

#[derive(Clone)]
pub(super) struct Server(Arc<Shared>);

pub(super) struct Shared {
    hosts: [Mutex<Host>; HOSTS],
    /// Whether what it asks for is heeded.
    is_heeded: bool,
    in_flight: AtomicI64,
    pub(super) requests: AtomicU64,
    pub(super) throttled: AtomicU64,
    /// Requests that came sooner than they were allowed to.
    pub(super) too_early: AtomicU64,
}

struct Host {
    chance: Chance,
    mood: Mood,
    until: Instant,
    /// When it asked for something last, and until when nothing may come.
    asked: Option<(Instant, Instant)>,
}

/// How a host is for a while.
#[derive(Clone, Copy)]
enum Mood {
    Well,
    Failing,
    Throttling,
    Hanging,
    Mixed,
}

/// What becomes of a request.
enum Fate {
    Status(u16),
    Throttled(Duration),
    Reset,
    Hangs,
    Panics,
}

impl Server {
    pub(super) fn new(chance: &mut Chance, is_heeded: bool) -> Self {
        let host = |_| {
            let (chance, until) = (chance.fork(), clock::now());
            Mutex::new(Host { chance, mood: Mood::Well, until, asked: None })
        };
        Self(Arc::new(Shared {
            hosts: [0; HOSTS].map(host),
            is_heeded,
            in_flight: AtomicI64::new(0),
            requests: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            too_early: AtomicU64::new(0),
        }))
    }

    pub(super) fn seen(&self) -> &Shared {
        &self.0
    }

    /// Requests that have neither ended nor been dropped.
    pub(super) fn in_flight(&self) -> i64 {
        self.0.in_flight.load(Ordering::SeqCst)
    }
}

impl Host {
    fn fate(&mut self, now: Instant) -> (Fate, Duration) {
        if now >= self.until {
            let moods = [Mood::Well, Mood::Failing, Mood::Throttling, Mood::Hanging, Mood::Mixed];
            self.mood = self.chance.one_of(&moods);
            self.until = now + self.chance.ms(50, 800);
        }
        let chance = &mut self.chance;
        let asks = |chance: &mut Chance| Fate::Throttled(chance.ms(1, LONGEST_ASKED));
        let fate = match (self.mood, chance.of(0, 999)) {
            (_, 0) => Fate::Panics,
            (Mood::Failing, 0..=600) | (Mood::Mixed, 0..=200) => Fate::Status(503),
            (Mood::Failing, _) | (Mood::Mixed, 201..=300) => Fate::Reset,
            (Mood::Throttling, 0..=500) | (Mood::Mixed, 301..=350) => asks(chance),
            (Mood::Hanging, 0..=700) | (Mood::Mixed, 351..=400) => Fate::Hangs,
            (_, 950..) => Fate::Status(404),
            _ => Fate::Status(200),
        };
        (fate, chance.ms(0, 15))
    }
}

/// Counts a request in, and out again however it ends.
struct Counted(Server);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, io::Error>> + Send>>;

impl Service<Request<Full<Bytes>>> for Server {
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Answering {
        let shared = &self.0;
        shared.in_flight.fetch_add(1, Ordering::SeqCst);
        shared.requests.fetch_add(1, Ordering::Relaxed);
        let (counted, server) = (Counted(self.clone()), self.clone());
        let number = request.uri().port_u16().map_or(0, usize::from) % HOSTS;
        let now = clock::now();
        let mut host = shared.hosts[number].lock().unwrap_or_else(PoisonError::into_inner);
        let is_early =
            host.asked.is_some_and(|(asked, until)| now > asked + ON_ITS_WAY && now < until);
        if shared.is_heeded && is_early {
            shared.too_early.fetch_add(1, Ordering::Relaxed);
        }
        let (fate, delay) = host.fate(now);
        drop(host);
        Box::pin(async move {
            let _counted = counted;
            if !delay.is_zero() {
                sleep(delay).await;
            }
            let mut answer = Response::new(Full::from("well"));
            match fate {
                Fate::Status(status) => {
                    *answer.status_mut() = status.try_into().map_err(io::Error::other)?;
                }
                Fate::Throttled(wait) => server.asks(number, wait, &mut answer)?,
                Fate::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
                Fate::Hangs => pending().await,
                #[expect(clippy::panic, reason = "that is what it is for")]
                Fate::Panics => panic!("a panic of the server, as it should be"),
            }
            Ok(answer)
        })
    }
}

impl Server {
    fn asks(
        &self,
        number: usize,
        wait: Duration,
        answer: &mut Response<Full<Bytes>>,
    ) -> io::Result<()> {
        let millis = wait.as_millis().to_string();
        *answer.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
        let value = millis.try_into().map_err(io::Error::other)?;
        answer.headers_mut().insert("retry-after-ms", value);
        self.0.throttled.fetch_add(1, Ordering::Relaxed);
        let now = clock::now();
        let mut host = self.0.hosts[number].lock().unwrap_or_else(PoisonError::into_inner);
        if host.asked.is_none_or(|(_, until)| until < now + wait) {
            host.asked = Some((now, now + wait));
        }
        Ok(())
    }
}
