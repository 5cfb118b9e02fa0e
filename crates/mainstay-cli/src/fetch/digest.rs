//! What stands for a request, so that `--resume` knows it again.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Sixteen digits that stand for some parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // With their lengths, so that no two lists of parts are one text.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hash.finalize()[..8]);
        Self(u64::from_be_bytes(first))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sixteen_digits_that_are_read_as_they_are_written() {
        let digest = Digest::of(&[b"GET", b"http://a/", b""]);
        let written = serde_json::to_string(&digest).unwrap();
        assert_eq!(written, format!("\"{digest}\""));
        assert_eq!(written.len(), 18);
        assert_eq!(serde_json::from_str::<Digest>(&written).unwrap(), digest);
        assert_eq!(Digest(7).to_string(), "0000000000000007");
        assert!(serde_json::from_str::<Digest>("\"no digits\"").is_err());
    }

    #[test]
    fn other_parts_have_another() {
        let lists: [&[&[u8]]; 5] = [&[], &[b""], &[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"]];
        let mut digests = lists.map(|parts| Digest::of(parts).to_string());
        digests.sort();
        assert!(digests.windows(2).all(|two| two[0] != two[1]));
    }
}
