//! The probes; each takes a subject and fails by panicking.

mod ends;
mod readiness;
mod shared;
mod time;
mod wakes;

pub(super) use ends::{drops, panics};
pub(super) use readiness::{readiness, strands, unready};
pub(super) use shared::shared;
pub(super) use time::ends;
pub(super) use wakes::{spins, wakers};

use super::scene::Situation;

const EVEN_AFTERWARDS: [Situation; 5] = [
    Situation::Plain,
    Situation::Again,
    Situation::Waiting,
    Situation::Refused,
    Situation::Afterwards,
];

const ALL: [Situation; 4] =
    [Situation::Plain, Situation::Again, Situation::Waiting, Situation::Refused];
