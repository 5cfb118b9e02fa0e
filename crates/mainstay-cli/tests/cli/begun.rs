//! The command while it runs, which it may for so long and no longer.

use std::io::{Read, Write};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::{Ran, ran};

const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Begun {
    child: Child,
    /// Says whether it had to be killed.
    limit: Option<JoinHandle<bool>>,
    /// Gone with this, or at its end.
    ends: Option<Sender<()>>,
}

impl Begun {
    #[track_caller]
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::within(LIMIT, command)
    }

    #[track_caller]
    fn within(limit: Duration, command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("it can be started");
        let (process, (sends, ends)) = (child.id(), channel::<()>());
        let limit = thread::spawn(move || {
            let is_over = ends.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            if is_over {
                signal(process, "-KILL");
            }
            is_over
        });
        Self { child, limit: Some(limit), ends: Some(sends) }
    }

    /// Writes to its standard input; it may have had enough before the end of that.
    pub(crate) fn writes(&mut self, input: &[u8]) {
        let _ = self.child.stdin.as_mut().expect("it is piped").write_all(input);
    }

    /// Waits until that is so.
    #[track_caller]
    pub(crate) fn until(&mut self, is_so: impl Fn() -> bool) {
        while !is_so() {
            assert!(!self.is_over(), "it has ended before");
            thread::yield_now();
        }
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_some()
    }

    pub(crate) fn signal(&self, which: &str) {
        signal(self.child.id(), which);
    }

    /// Its lines, for somebody who may not read them.
    pub(crate) fn out(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("it is piped")
    }

    /// Reads what it says, to its end.
    #[track_caller]
    pub(crate) fn ended(mut self) -> Ran {
        drop(self.child.stdin.take());
        let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
        let out = thread::spawn(|| all(out));
        let (stderr, stdout) = (all(err), out.join().expect("it is read"));
        let status = self.child.wait().expect("it is ours");
        drop(self.ends.take());
        let was_killed = self.limit.take().is_some_and(|limit| limit.join().expect("it waits"));
        let ran = ran(Output { status, stdout, stderr });
        assert!(!was_killed, "it did not end; it said:\n{}{}", ran.out, ran.err);
        ran
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // It may be over already.
        let _ = (self.child.kill(), self.child.wait());
    }
}

fn all(from: Option<impl Read>) -> Vec<u8> {
    let mut read = Vec::new();
    from.map(|mut from| from.read_to_end(&mut read).expect("it can be read"));
    read
}

fn signal(process: u32, which: &str) {
    // It may be over already.
    let _ =
        Command::new("kill").args([which, &process.to_string()]).output().expect("kill is there");
}

#[test]
#[should_panic(expected = "it did not end; it said:\nsomething\n")]
fn what_does_not_end_fails_with_what_it_had_said() {
    let mut command = Command::new("sh");
    command.args(["-c", "echo something; exec cat"]);
    let mut begun = Begun::within(Duration::from_secs(1), &mut command);
    // As long as this is open, it reads.
    let _input = begun.child.stdin.take();
    begun.ended();
}
