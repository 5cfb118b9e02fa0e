//! The way from an error down to its first cause.

use std::error::Error as StdError;
use std::io;

/// So far is a chain followed; a longer one is a ring.
const LONGEST: usize = 64;

/// The error and all that lie beneath it.
pub(crate) fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| beneath(*error)).take(LONGEST)
}

/// What an `io::Error` wraps is not its source, but its source's owner.
fn beneath<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match wrapped {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}
