//! The keys of requests, made once for each spelling.

use std::fmt;
use std::hash::BuildHasher;

use crate::chance::Hashing;
use crate::http::{Key, KeyBy, Origin};

/// Remembers the keys of some spellings: making one allocates, and most requests go to few hosts.
pub(super) struct Names {
    hashing: Hashing,
    places: Vec<Option<Name>>,
    /// Where the one before was found: the next is mostly the same.
    last: usize,
}

struct Name {
    scheme: Box<str>,
    authority: Box<str>,
    key: Key,
}

/// So many; two that fall into one place take turns.
const PLACES: usize = 64;

impl Names {
    pub(super) fn new() -> Self {
        let places = std::iter::repeat_with(|| None).take(PLACES).collect();
        Self { hashing: Hashing::new(), places, last: 0 }
    }

    pub(super) fn key<Req, K: KeyBy<Req>>(&mut self, by: &K, request: &Req) -> Key {
        match by.spelled(request) {
            Some(origin) => self.of(origin, || by.key(request)),
            None => by.key(request),
        }
    }

    fn of(&mut self, origin: Origin<'_>, make: impl FnOnce() -> Key) -> Key {
        if let Some(key) = self.known(origin) {
            return key;
        }
        #[expect(clippy::cast_possible_truncation, reason = "some bits of it are enough")]
        let place = self.hashing.hash_one(origin) as usize % PLACES;
        self.last = place;
        if let Some(key) = self.known(origin) {
            return key;
        }
        let key = make();
        let (scheme, authority) = (origin.scheme().into(), origin.authority().into());
        self.places[place] = Some(Name { scheme, authority, key: key.clone() });
        key
    }

    fn known(&self, origin: Origin<'_>) -> Option<Key> {
        let name = self.places[self.last].as_ref()?;
        origin.is_spelled(&name.scheme, &name.authority).then(|| name.key.clone())
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ByHost;

    fn asks(names: &mut Names, url: &str) -> String {
        let request = ::http::Request::get(url).body(()).unwrap();
        names.key(&ByHost, &request).as_str().to_owned()
    }

    #[test]
    fn a_key_is_that_of_its_spelling_however_many_there_are() {
        let mut names = Names::new();
        for round in 0..3 {
            for host in 0..500 {
                let found = asks(&mut names, &format!("https://H{host}.example/{round}"));
                assert_eq!(found, format!("https://h{host}.example"));
            }
        }
        assert_eq!(asks(&mut names, "http://user@h7.example:80/"), "http://h7.example");
    }

    #[test]
    fn what_was_spelled_so_before_is_not_made_again() {
        let (mut names, origin) = (Names::new(), Origin::new("https", "a.example"));
        names.of(origin, || Key::new("https://a.example"));
        let again = names.of(origin, || panic!("it is known"));
        assert_eq!(again.as_str(), "https://a.example");
    }
}
