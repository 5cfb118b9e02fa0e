//! Programs that are started here, and end with what started them.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// How often somebody looks whether a program has come so far.
const LOOKS: Duration = Duration::from_millis(20);

/// Told to end when it is dropped, and waited for.
pub(crate) struct Process(Child);

impl Process {
    /// Listens on this port when this returns. What it says goes to a file.
    pub(crate) async fn starts(command: &mut Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut started = Self(child.unwrap());
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            assert!(started.0.try_wait().unwrap().is_none(), "{command:?} has ended");
            sleep(LOOKS).await;
        }
        started
    }

    pub(crate) fn told(&self, signal: Signal) {
        let id = Pid::from_child(&self.0);
        let _ = kill_process(id, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.told(Signal::TERM);
        let _ = self.0.wait();
    }
}

/// A port of the loopback device that nobody has at the moment.
pub(crate) fn free_port() -> u16 {
    let any = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    any.local_addr().unwrap().port()
}

/// A folder for what a program writes, with nothing in it.
pub(crate) fn folder(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let nth = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{nth}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
