//! The thread of a server: accepts, serves, comes and goes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc as blocking};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::http2::Http2;
use super::hub::Hub;
use super::log::Speaks;
use super::race::{Either, race};
use super::wire::Wire;
use super::{Greeting, http1, http2};
use crate::clock;

/// As many as the system allows may wait to be accepted.
const BACKLOG: u32 = 4096;

/// How long it waits where the system has no descriptor left.
const FULL: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) receive_buffer: Option<u32>,
    pub(super) http2: Http2,
}

/// What the thread is told. It answers when it has done so.
#[derive(Debug)]
enum Told {
    /// Cuts all connections, and lets the port refuse further ones.
    Down(blocking::Sender<io::Result<()>>),
    Up(blocking::Sender<io::Result<()>>),
    /// Cuts all connections.
    Cut(blocking::Sender<io::Result<()>>),
}

/// The thread, which ends with its handle.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) address: SocketAddr,
    /// None at the end.
    tells: Option<mpsc::UnboundedSender<Told>>,
    thread: Option<JoinHandle<()>>,
}

impl Thread {
    fn tell(&self, told: impl FnOnce(blocking::Sender<io::Result<()>>) -> Told) -> io::Result<()> {
        let (done, is_done) = blocking::channel();
        let sent = self.tells.as_ref().is_some_and(|tells| tells.send(told(done)).is_ok());
        if !sent {
            return Err(io::ErrorKind::NotConnected.into());
        }
        is_done.recv().unwrap_or_else(|_| Err(io::ErrorKind::NotConnected.into()))
    }

    pub(super) fn goes_down(&self) -> io::Result<()> {
        self.tell(Told::Down)
    }

    pub(super) fn comes_back(&self) -> io::Result<()> {
        self.tell(Told::Up)
    }

    pub(super) fn cuts(&self) -> io::Result<()> {
        self.tell(Told::Cut)
    }

    /// Its runtime, with all sockets and tasks, is gone when this returns.
    pub(super) fn stops(&mut self) {
        drop(self.tells.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Starts it; the port is open when this returns.
pub(super) fn start(settings: Settings, hub: Arc<Hub>) -> io::Result<Thread> {
    let (tells, told) = mpsc::unbounded_channel();
    let (opens, opened) = blocking::channel();
    let thread = std::thread::Builder::new().name("faulty server".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let run = runtime.and_then(|runtime| {
            let _inside = runtime.enter();
            let door = Door::open(settings)?;
            let address = door.address;
            Ok((runtime, door, address))
        });
        match run {
            Ok((runtime, door, address)) => {
                let _ = opens.send(Ok(address));
                runtime.block_on(serve(door, told, hub, settings.http2));
            }
            Err(error) => _ = opens.send(Err(error)),
        }
    })?;
    let address = opened.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))?;
    Ok(Thread { address, tells: Some(tells), thread: Some(thread) })
}

/// The port. Where it is shut it is still ours, so that it refuses and nobody else can take it.
struct Door {
    settings: Settings,
    address: SocketAddr,
    state: State,
}

enum State {
    Open(TcpListener),
    Shut(TcpSocket),
    /// In between, or where the port was lost.
    Gone,
}

impl Door {
    fn open(settings: Settings) -> io::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Self::socket(settings, any)?.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok(Self { settings, address, state: State::Open(listener) })
    }

    fn socket(settings: Settings, address: SocketAddr) -> io::Result<TcpSocket> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        if let Some(bytes) = settings.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind(address)?;
        Ok(socket)
    }

    fn shuts(&mut self) -> io::Result<()> {
        if matches!(self.state, State::Shut(_)) {
            return Ok(());
        }
        self.state = State::Gone; // nobody else may listen while a port is bound
        self.state = State::Shut(Self::socket(self.settings, self.address)?);
        Ok(())
    }

    fn opens(&mut self) -> io::Result<()> {
        let socket = match std::mem::replace(&mut self.state, State::Gone) {
            State::Open(listener) => {
                self.state = State::Open(listener);
                return Ok(());
            }
            State::Shut(socket) => socket,
            State::Gone => Self::socket(self.settings, self.address)?,
        };
        self.state = State::Open(socket.listen(BACKLOG)?);
        Ok(())
    }

    async fn accepts(&self) -> TcpStream {
        loop {
            match &self.state {
                State::Open(listener) => match listener.accept().await {
                    Ok((stream, _)) => return stream,
                    Err(_) => clock::sleep(FULL).await,
                },
                State::Shut(_) | State::Gone => std::future::pending().await,
            }
        }
    }
}

async fn serve(
    mut door: Door,
    mut told: mpsc::UnboundedReceiver<Told>,
    hub: Arc<Hub>,
    settings: Http2,
) {
    let mut connections = JoinSet::new();
    loop {
        let told = match race(told.recv(), door.accepts()).await {
            Either::Second(stream) => {
                let hub = Arc::clone(&hub);
                connections.spawn(async move { connection(stream, &hub, settings).await });
                while connections.try_join_next().is_some() {}
                continue;
            }
            Either::First(None) => return,
            Either::First(Some(told)) => told,
        };
        let (done, result) = match told {
            Told::Down(done) => {
                let shut = door.shuts();
                connections.shutdown().await;
                (done, shut)
            }
            Told::Up(done) => (done, door.opens()),
            Told::Cut(done) => {
                connections.shutdown().await;
                (done, Ok(()))
            }
        };
        let _ = done.send(result);
    }
}

async fn connection(stream: TcpStream, hub: &Arc<Hub>, settings: Http2) {
    let mut wire = Wire::new(stream);
    let (opened, greeting) = hub.opens();
    match greeting {
        Greeting::Serves => {}
        Greeting::Resets => return wire.resets(),
        Greeting::Closes => return wire.closes().await,
        Greeting::Silent => {
            wire.swallows().await;
            return;
        }
        Greeting::Says(bytes) => {
            if wire.more().await.is_ok() {
                if is_tls(&wire.read) {
                    opened.speaks(Speaks::Tls);
                }
                if wire.writes([&bytes, &[], &[]], |_| ()).await.is_ok() {
                    wire.closes().await;
                }
            }
            return;
        }
    }
    loop {
        if wire.more().await.is_err() {
            return;
        }
        match is_http2(&wire.read) {
            Some(true) => return http2::serve(wire, opened, settings).await,
            Some(false) => break,
            None => {}
        }
    }
    http1::serve(wire, opened).await;
}

/// Whether the client begins with the preface of HTTP/2; none while that cannot be told.
fn is_http2(read: &[u8]) -> Option<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let there = read.len().min(PREFACE.len());
    if read[..there] != PREFACE[..there] {
        return Some(false);
    }
    (there == PREFACE.len()).then_some(true)
}

/// Whether the client begins with a handshake of TLS.
pub(super) fn is_tls(read: &[u8]) -> bool {
    const HANDSHAKE: u8 = 22;
    read.first() == Some(&HANDSHAKE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preface_of_http2_is_told_from_everything_else() {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for half in 0..preface.len() {
            assert_eq!(is_http2(&preface[..half]), None, "{half}");
        }
        assert_eq!(is_http2(preface), Some(true));
        assert_eq!(is_http2(&[&preface[..], b"more"].concat()), Some(true));
        for other in [&b"P-"[..], b"PUT", b"GET", b"PRI * HTTP/2.1\r\n\r\nSM"] {
            assert_eq!(is_http2(other), Some(false));
        }
    }
}
