//! Every setting of a pipeline, once: its name in a file, what it is, what it says, its place.
//!
//! A [`Part`] goes through its settings in [`Part::fields`], and that is the table: reading a file,
//! the schema, the list of all values and the checks are visitors of it. So a setting that is added
//! there is read, suggested, described, explained and checked.

#![cfg_attr(not(feature = "config"), allow(dead_code, reason = "only files are read"))]

mod checks;
mod leaf;
mod list;
mod map;
mod optional;
mod part;
mod parts;
mod path;
mod rate;
mod read;
mod shape;
#[cfg(test)]
mod tests;
mod time;
mod tree;
mod value;
mod words;

pub(crate) use checks::Wrong;
pub(crate) use list::Entry;
pub(crate) use part::{Part, Setting};
pub(crate) use path::Path;
pub(crate) use rate::Rate;
pub(crate) use shape::Shape;
pub(crate) use value::{Value, quote};
#[cfg(feature = "config")]
pub(crate) use {
    rate::read as read_rate,
    read::{Fault, Reading, nearest},
    shape::SubShape,
    time::read as read_duration,
    tree::{Member, Node, Tree},
};
