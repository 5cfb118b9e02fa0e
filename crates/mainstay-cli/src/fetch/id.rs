//! What an input calls itself.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A text or a number, as it stands in its line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Box<RawValue>")]
pub(crate) struct Id(Arc<RawValue>);

impl Id {
    /// What it says.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        text(&self.0).unwrap_or_else(|| self.0.get().into())
    }

    /// The same for two that say the same: a text has more than one way to be written.
    pub(crate) fn known(&self) -> String {
        match text(&self.0) {
            Some(text) => format!("{text:?}"),
            None => self.0.get().to_owned(),
        }
    }
}

impl TryFrom<Box<RawValue>> for Id {
    type Error = &'static str;

    fn try_from(json: Box<RawValue>) -> Result<Self, Self::Error> {
        let is_number = json.get().starts_with(|c: char| c == '-' || c.is_ascii_digit());
        match is_number || text(&json).is_some() {
            true => Ok(Self(json.into())),
            false => Err("`id` is a text or a number"),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get())
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.known() == other.known()
    }
}

/// What a text of JSON says; `None` if it is something else, or if nobody can say it.
pub(crate) fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    let inner = json.get().strip_prefix('"')?.strip_suffix('"')?;
    match inner.contains('\\') {
        false => Some(inner.into()),
        true => serde_json::from_str::<String>(json.get()).ok().map(Cow::Owned),
    }
}
