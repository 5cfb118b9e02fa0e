//! Does a layer keep the contract of tower, and lose nothing, however its futures are treated?
//!
//! A [`Subject`] tells what the probes must know of a layer, and [`check`] runs all of them:
//!
//! ```
//! use mainstay_testkit::contract::{self, State, Subject};
//! use tower::limit::GlobalConcurrencyLimitLayer;
//!
//! let subject = Subject::of(
//!     "two at once",
//!     || GlobalConcurrencyLimitLayer::new(2),
//!     || "a request",
//!     || Ok("an answer"),
//!     || std::io::Error::other("dead"),
//! )
//! .lets_all_through() // its limit shows in `poll_ready`, not in its calls
//! .build();
//! contract::wakers(&subject);
//! contract::spins(&subject);
//! ```
//!
//! What a layer does not do by itself when it is called must be brought about: that it refuses, and
//! that it lets calls wait.
//! [`State`] says how, and [`SubjectBuilder::clean`] how to see that nothing was lost meanwhile.
//!
//! | probe | what must be so |
//! |---|---|
//! | [`readiness`] | `poll_ready` only forwards: it pends, fails and is ready as the inner one does, and changes no state |
//! | [`unready`] | what is called after a wait, or for a further attempt, has been made ready again |
//! | [`strands`] | over a server with one place, nobody who is refused, waits or has finished keeps it from others |
//! | [`drops`] | a call that is dropped, before its first poll or after any other, leaves nothing behind |
//! | [`wakers`] | a call that is polled by another task wakes that one |
//! | [`spins`] | nobody is woken while nothing happens, and a call takes few polls |
//! | [`panics`] | a panic beneath passes on and leaves nothing behind |
//! | [`ends`] | a call that nobody answers ends when the subject says so, and leaves nothing behind |
//! | [`shared`] | all services of a layer and its clones share one state |
//!
//! Each probe has a runtime of its own with paused time, so they run in a plain `#[test]`, and never
//! inside of a runtime. A probe that fails panics; it says which it is, of which subject, and what
//! it expected.

mod bench;
mod probes;
mod scene;
mod subject;

pub use subject::{State, Subject, SubjectBuilder};

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::clock;

/// Runs all probes.
///
/// # Panics
///
/// If a probe fails, or if the subject says neither how it refuses nor how it lets calls wait, and
/// not [that it does neither](SubjectBuilder::lets_all_through).
pub fn check(subject: &Subject) {
    assert!(
        subject.is_told,
        "{}: say how it refuses or how it waits, or that it lets all through, and not both",
        subject.name
    );
    for probe in [readiness, unready, strands, drops, wakers, spins, ends, panics, shared] {
        probe(subject);
    }
}

macro_rules! probe {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// # Panics
        ///
        /// If the probe fails.
        pub fn $name(subject: &Subject) {
            run(stringify!($name), subject, probes::$name(subject));
        }
    };
}

probe!(
    /// `poll_ready` only forwards: it pends, fails and is ready as the inner one does, also while
    /// the layer refuses or lets calls wait; and asking for it, or dropping who is ready, changes
    /// nothing.
    readiness
);
probe!(
    /// Whatever is called has been made ready itself. After a wait, and for a further attempt, the
    /// layer asks again, and waits where the service beneath is not ready.
    unready
);
probe!(
    /// Over a server with one place for all, an idle service that was refused, has finished or was
    /// dropped keeps nobody from it; neither does a call that waits for something else.
    strands
);
probe!(
    /// A call that is dropped at any of its await points, or before its first poll, leaves the
    /// state as it was, and the next call works.
    drops
);
probe!(
    /// A call that was polled with one waker and then with another wakes the other.
    wakers
);
probe!(
    /// In an hour in which nothing happens nobody is woken more often than the subject says, and a
    /// call takes no more polls than it says.
    spins
);
probe!(
    /// A call that nobody answers ends after as long as the subject says, also over a service that
    /// uses up tokio's budget; it wakes its last waker, and leaves nothing behind.
    ends
);
probe!(
    /// A panic of the service beneath, in its `call` or in a poll, reaches the caller. The state is
    /// clean at once, also if somebody catches the panic and keeps the future, and stays so when it
    /// is dropped; and the next call works.
    panics
);
probe!(
    /// What one service did is seen by the services of further `layer()` calls, of the same layer
    /// and of a clone.
    shared
);

#[expect(clippy::panic, reason = "a test fails by panicking")]
fn run(probe: &str, subject: &Subject, body: impl Future<Output = ()>) {
    let runtime = match clock::paused() {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime: {error}"),
    };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| runtime.block_on(body))) {
        panic!("{}, probe `{probe}`: {}", subject.name, said(&*panic));
    }
}

/// What a panic said.
pub(crate) fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

#[cfg(test)]
mod tests;
