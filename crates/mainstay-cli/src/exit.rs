//! How the command ends.

use std::process::ExitCode;

/// What the shell is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// All of it succeeded.
    Ok,
    /// It ran, and some of it failed.
    SomeFailed,
    /// It was not asked for something that can be done.
    Usage,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::SomeFailed => 1,
            Exit::Usage => 2,
            Exit::Interrupted => 130,
        })
    }
}
