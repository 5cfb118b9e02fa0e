//! What is noted beside a part that is kept, so that another process can go on with it.

use std::io;
use std::path::{Path, PathBuf};

use ::http::{HeaderName, HeaderValue};
use tokio::fs;

use super::validator::{Validator, number};

/// Three lines: where it is from, how long it is, and by what it can be known again.
#[derive(Clone, Debug)]
pub(super) struct Note {
    path: PathBuf,
    url: String,
}

/// What a part is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) total: u64,
    pub(super) validator: Validator,
}

impl Note {
    pub(super) fn beside(part: &Path, url: &str) -> Self {
        let mut path = part.as_os_str().to_owned();
        path.push(".validator");
        Self { path: path.into(), url: url.to_owned() }
    }

    /// What the part is of; nothing where it is of something else, or where nobody can say.
    pub(super) async fn read(&self) -> Option<Known> {
        parse(&fs::read_to_string(&self.path).await.ok()?, &self.url)
    }

    /// Says what the part will be of, before it is written.
    pub(super) async fn write(&self, known: Option<&Known>) -> io::Result<()> {
        match known.and_then(|known| text(known, &self.url)) {
            Some(text) => fs::write(&self.path, text).await,
            None => self.remove().await,
        }
    }

    pub(super) async fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn text(known: &Known, url: &str) -> Option<String> {
    let Validator { field, value } = &known.validator;
    Some(format!("{url}\n{}\n{field}: {}\n", known.total, value.to_str().ok()?))
}

fn parse(text: &str, url: &str) -> Option<Known> {
    // Without its last end it was torn.
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let (from, total, by) = (lines.next()?, number(lines.next()?)?, lines.next()?);
    let (field, value) = by.split_once(": ")?;
    let field = HeaderName::try_from(field).ok()?;
    let value = HeaderValue::try_from(value).ok()?;
    let known = Known { total, validator: Validator { field, value } };
    (from == url && lines.next().is_none()).then_some(known)
}

#[cfg(test)]
mod tests {
    use ::http::header::ETAG;

    use super::*;

    #[test]
    fn what_is_noted_is_read_again_and_nothing_else() {
        let validator = Validator { field: ETAG, value: HeaderValue::from_static("\"a: b\"") };
        let known = Known { total: 100, validator };
        let noted = text(&known, "http://a/").unwrap();
        assert_eq!(noted, "http://a/\n100\netag: \"a: b\"\n");
        assert_eq!(parse(&noted, "http://a/"), Some(known));
        assert_eq!(parse(&noted, "http://b/"), None);
        for end in 0..noted.len() {
            assert_eq!(parse(&noted[..end], "http://a/"), None, "torn at {end}");
        }
        assert_eq!(parse(&format!("{noted}x\n"), "http://a/"), None);
    }
}
