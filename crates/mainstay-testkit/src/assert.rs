//! What the compiler can be asked of a type.

use std::fmt::Debug;

/// Compiles only for what can be sent to another thread.
///
/// ```
/// use mainstay_testkit::{assert_send, assert_sync, assert_unpin};
///
/// let shared = std::sync::Arc::new(7);
/// assert_send(&shared);
/// assert_sync(&shared);
/// assert_unpin(&shared);
/// ```
///
/// ```compile_fail,E0277
/// mainstay_testkit::assert_send(&std::rc::Rc::new(7));
/// ```
pub const fn assert_send<T: Send + ?Sized>(_: &T) {}

/// Compiles only for what several threads can look at.
///
/// ```compile_fail,E0277
/// mainstay_testkit::assert_sync(&std::cell::Cell::new(7));
/// ```
pub const fn assert_sync<T: Sync + ?Sized>(_: &T) {}

/// Compiles only for what can be moved after it was polled.
///
/// ```compile_fail,E0277
/// mainstay_testkit::assert_unpin(&async {});
/// ```
pub const fn assert_unpin<T: Unpin + ?Sized>(_: &T) {}

/// Compiles only for what a layer should be: shared between threads, cloned, printed.
///
/// ```compile_fail,E0277
/// struct NoDebug;
/// mainstay_testkit::assert_layer(&NoDebug);
/// ```
pub const fn assert_layer<L: Clone + Debug + Send + Sync>(_: &L) {}
