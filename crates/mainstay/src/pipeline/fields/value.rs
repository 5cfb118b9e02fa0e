//! What a setting is set to.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::rate::Rate;
use super::time;

/// What a setting is set to; prints as a file would have it, in TOML and in JSON alike.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    /// A part that may be absent, and is: `false`.
    Off,
    /// A part that may be absent, and is there: `true`. What it is set to comes behind it.
    On,
    Flag(bool),
    Count(u32),
    Number(f64),
    Duration(Duration),
    Rate(Rate),
    Text(String),
    List(Vec<Value>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("false"),
            Self::On => f.write_str("true"),
            Self::Flag(flag) => fmt::Display::fmt(flag, f),
            Self::Count(count) => fmt::Display::fmt(count, f),
            // Neither TOML's `nan` nor `inf` is JSON, and no setting may be either.
            Self::Number(number) if !number.is_finite() => write!(f, "\"{number}\""),
            Self::Number(number) => fmt::Debug::fmt(number, f),
            Self::Duration(time) => write!(f, "\"{}\"", time::show(*time)),
            Self::Rate(rate) => write!(f, "\"{rate}\""),
            Self::Text(text) => quoted(text, f),
            Self::List(values) => {
                f.write_str("[")?;
                for (i, value) in values.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{value}")?;
                }
                f.write_str("]")
            }
        }
    }
}

/// Text in quotes, escaped as both TOML and JSON have it.
pub(crate) fn quoted(text: &str, f: &mut impl fmt::Write) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// Text in quotes.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::new();
    let _ = quoted(text, &mut out);
    out
}

impl Value {
    /// This text, in quotes.
    pub(crate) fn word(word: &str) -> Self {
        Self::Text(word.to_owned())
    }

    /// What it is without quotes, for who reads it: `250ms`.
    pub(crate) fn bare(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => {
                let mut text = String::new();
                let _ = write!(text, "{other}");
                text.trim_matches('"').to_owned()
            }
        }
    }
}
