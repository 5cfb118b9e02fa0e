//! What can be watched, and a state whose changes are told as well.

use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::observe::{Event, tell};

/// A state that has a word.
pub(crate) trait State: Copy + PartialEq {
    /// The word for it, in events and metrics.
    fn word(self) -> &'static str;

    /// Whether it is the state of rest, of which there is nothing to count.
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only metrics count"))]
    fn is_rest(self) -> bool;
}

/// Those who watch something; they cost nothing before there is one.
#[derive(Debug)]
pub(crate) struct Watchers<T>(OnceLock<watch::Sender<T>>);

/// Tells of the changes of one state.
#[derive(Debug)]
pub(crate) struct Watch<T> {
    watchers: Watchers<T>,
    #[cfg(feature = "metrics")]
    counted: counted::Counted,
}

impl<T> Default for Watchers<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T: Copy + PartialEq> Watchers<T> {
    /// One who watches, from what it is now.
    pub(crate) fn receiver(&self, read: impl Fn() -> T) -> watch::Receiver<T> {
        let sender = self.0.get_or_init(|| watch::Sender::new(read()));
        // What changed while the sender was made found none to send to.
        self.changed(read);
        sender.subscribe()
    }

    /// It may have become another; what is read under the lock of the watch is what they see, so
    /// the last who comes leaves it right.
    pub(crate) fn changed(&self, read: impl Fn() -> T) {
        // Between the change and the look for a sender, here; between the sender's being there and
        // the look at what is watched, where it is made. One of the two sees the other.
        fence(Ordering::SeqCst);
        let Some(sender) = self.0.get() else { return };
        sender.send_if_modified(|old| {
            let now = read();
            let is_other = *old != now;
            *old = now;
            is_other
        });
    }
}

impl<T> Default for Watch<T> {
    fn default() -> Self {
        Self {
            watchers: Watchers::default(),
            #[cfg(feature = "metrics")]
            counted: counted::Counted::default(),
        }
    }
}

impl<T: State> Watch<T> {
    /// One who watches, from what the state is now.
    pub(crate) fn receiver(&self, read: impl Fn() -> T) -> watch::Receiver<T> {
        self.watchers.receiver(read)
    }

    /// The state became `to`, and may be another by now.
    ///
    /// Of changes that follow each other closely the later may be told first; watchers and gauges
    /// go by what is read under their lock, so the last who comes leaves them right.
    pub(crate) fn changed(
        &self,
        layer: &'static str,
        name: Option<&Arc<str>>,
        to: T,
        read: impl Fn() -> T,
    ) {
        #[cfg(feature = "metrics")]
        self.counted.moves(layer, name, &read);
        self.watchers.changed(read);
        tell(Event::Changed { layer, name: name.map(|name| &**name), to: to.word() });
    }
}

#[cfg(feature = "metrics")]
mod counted {
    //! What the gauges hold of a state.

    use std::mem;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use super::State;
    use crate::observe::metrics;

    /// What was added to a gauge and must be taken back.
    #[derive(Debug, Default)]
    pub(super) struct Counted(Mutex<Option<Share>>);

    #[derive(Clone, Debug)]
    struct Share {
        layer: &'static str,
        name: Option<Arc<str>>,
        state: &'static str,
    }

    impl Counted {
        pub(super) fn moves<T: State>(
            &self,
            layer: &'static str,
            name: Option<&Arc<str>>,
            read: impl Fn() -> T,
        ) {
            if !metrics::is_on() {
                return;
            }
            let mut share = self.lock();
            let state = read();
            let new = (!state.is_rest()).then(|| Share {
                layer,
                name: name.cloned(),
                state: state.word(),
            });
            let old = mem::replace(&mut *share, new.clone());
            drop(share); // a recorder is somebody else's code
            // Sums come out right in whatever order they are added up.
            move_gauges(old, new);
        }

        fn lock(&self) -> MutexGuard<'_, Option<Share>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            let old = self.lock().take();
            move_gauges(old, None);
        }
    }

    fn move_gauges(old: Option<Share>, new: Option<Share>) {
        if let Some(Share { layer, name, state }) = old {
            metrics::moved(layer, name.as_deref(), state, -1.0);
        }
        if let Some(Share { layer, name, state }) = new {
            metrics::moved(layer, name.as_deref(), state, 1.0);
        }
    }
}

#[cfg(test)]
mod tests;
