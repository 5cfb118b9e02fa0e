//! What is noted beside a part that is kept, so that another process can go on with it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ::http::HeaderValue;
use ::reqwest::Url;

use super::validator::number;
use crate::chance;

/// A note is longer only if it is none of ours.
const LONGEST: u64 = 64 * 1024;

/// Where it is from and, if it can be gone on with, how long it is and its tag: a line for each.
#[derive(Clone, Debug)]
pub(super) struct Note {
    path: PathBuf,
    from: String,
}

/// What a part is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) total: u64,
    /// A strong one.
    pub(super) tag: HeaderValue,
}

/// What is noted of a part.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Noted {
    /// Nothing: no download of ours has made it.
    Nothing,
    /// It is of something else, or cannot be known again.
    Other,
    Of(Known),
}

impl Note {
    pub(super) fn beside(part: &Path, url: &Url) -> Self {
        let mut path = part.as_os_str().to_owned();
        path.push(".validator");
        Self { path: path.into(), from: from(url) }
    }

    /// Blocks.
    pub(super) fn read(&self) -> io::Result<Noted> {
        match fs::symlink_metadata(&self.path) {
            Ok(lies) if lies.is_file() => {}
            Ok(_) => return Ok(Noted::Nothing),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Noted::Nothing),
            Err(error) => return Err(error),
        }
        let mut text = Vec::new();
        File::open(&self.path)?.take(LONGEST).read_to_end(&mut text)?;
        let known = std::str::from_utf8(&text).ok().and_then(|text| parse(text, &self.from));
        Ok(known.map_or(Noted::Other, Noted::Of))
    }

    /// Says what the part will be of, before it is written. Blocks.
    ///
    /// It takes the place of what is there, so it is never there in half, nor where a link leads.
    pub(super) fn write(&self, known: Option<&Known>) -> io::Result<()> {
        let text = text(known, &self.from);
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{:016x}", chance::unique() >> 64));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&name)?;
        let written = file.write_all(text.as_bytes());
        let renamed = written.and_then(|()| fs::rename(&name, &self.path));
        if renamed.is_err() {
            let _ = fs::remove_file(&name); // what went wrong first is what is told
        }
        renamed
    }

    /// Blocks.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// A URL, to be read, and to be told from others: what may be secret in it is not said.
fn from(url: &Url) -> String {
    let mut shown = url.clone();
    // Every URL of HTTP could have them.
    let _ = shown.set_username("").and_then(|()| shown.set_password(None));
    shown.set_query(None);
    shown.set_fragment(None);
    let mut whole = url.clone();
    let _ = whole.set_password(None);
    whole.set_fragment(None);
    format!("{shown} {:016x}", fnv(whole.as_str()))
}

/// FNV-1a, which is the same in every process.
fn fnv(text: &str) -> u64 {
    let next = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, next)
}

fn text(known: Option<&Known>, from: &str) -> String {
    let tag = known.and_then(|known| Some((known.total, known.tag.to_str().ok()?)));
    match tag {
        Some((total, tag)) => format!("{from}\n{total}\n{tag}\n"),
        None => format!("{from}\n"),
    }
}

fn parse(text: &str, from: &str) -> Option<Known> {
    // Without its last end it was torn.
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let (of, total, tag) = (lines.next()?, number(lines.next()?)?, lines.next()?);
    let known = Known { total, tag: HeaderValue::try_from(tag).ok()? };
    (of == from && tag.starts_with('"') && lines.next().is_none()).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_again_and_nothing_else() {
        let known = Known { total: 100, tag: HeaderValue::from_static("\"a: b\"") };
        let noted = text(Some(&known), "http://a/ 1");
        assert_eq!(noted, "http://a/ 1\n100\n\"a: b\"\n");
        assert_eq!(parse(&noted, "http://a/ 1"), Some(known));
        assert_eq!(parse(&noted, "http://a/ 2"), None);
        for end in 0..noted.len() {
            assert_eq!(parse(&noted[..end], "http://a/ 1"), None, "torn at {end}");
        }
        assert_eq!(parse(&format!("{noted}x\n"), "http://a/ 1"), None);
        assert_eq!(parse(&text(None, "http://a/ 1"), "http://a/ 1"), None);
        assert_eq!(parse("http://a/ 1\n100\nW/\"a\"\n", "http://a/ 1"), None);
    }

    #[test]
    fn what_may_be_secret_is_not_noted_and_still_tells_urls_apart() {
        let of = |url: &str| from(&url.parse().unwrap());
        let noted = of("https://ana:word@a/big.iso?signature=secret#part");
        assert!(noted.starts_with("https://a/big.iso "), "{noted}");
        assert_ne!(noted, of("https://ana:word@a/big.iso?signature=other#part"));
        assert_ne!(noted, of("https://bob:word@a/big.iso?signature=secret#part"));
        assert_eq!(noted, of("https://ana:new@a/big.iso?signature=secret#part"));
        assert_eq!(noted, of("https://ana:word@a/big.iso?signature=secret"));
        assert_eq!(fnv("a"), 0xaf63_dc4c_8601_ec8c, "as others count it");
    }
}
