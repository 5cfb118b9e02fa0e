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

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::SomeFailed => 1,
            Self::Usage => 2,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
