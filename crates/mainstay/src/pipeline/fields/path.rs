//! Where a setting stands.

use std::fmt;

/// Where a setting stands: `hosts."uploads.github.com".rate_limit.burst`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// The keys that lead there.
    pub(crate) fn keys(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn push(&mut self, key: &str) {
        self.0.push(key.to_owned());
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }

    /// With this key behind it.
    pub(crate) fn join(&self, key: &str) -> Self {
        let mut path = self.clone();
        path.push(key);
        path
    }

    /// Without so many keys at its beginning.
    pub(crate) fn behind(&self, keys: usize) -> Self {
        Self(self.0.get(keys..).unwrap_or_default().to_vec())
    }

    /// Without quotes, to be compared with what names a setting in other words.
    pub(crate) fn plain(&self) -> String {
        self.0.join(".")
    }
}

/// As a file spells it: what is no bare key has quotes.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, key) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            match is_bare(key) {
                true => f.write_str(key)?,
                false => super::value::quoted(key, f)?,
            }
        }
        Ok(())
    }
}

fn is_bare(key: &str) -> bool {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !key.is_empty() && key.bytes().all(bare)
}
