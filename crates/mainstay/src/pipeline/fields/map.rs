//! Settings under keys that the reader chooses.

use ::http::{HeaderName, StatusCode};

use super::checks::Checking;
use super::leaf::{Leaf, Mistake};
use super::list::Listing;
use super::part::Setting;
use super::read::Reading;
use super::shape::Shape;
use super::tree::{Node, Tree};
use crate::http::grpc::Code;

/// A key that the reader chooses.
pub(crate) trait Key: Sized + PartialEq {
    /// What it is.
    const WHAT: &'static str;

    fn show(&self) -> String;

    fn from_key(key: &str) -> Result<Self, Mistake>;
}

/// Rows by key; a row that a file names takes the place of that of the same key, and `false` takes
/// it away.
pub(crate) struct Rows<'a, K, V>(pub(crate) &'a mut Vec<(K, V)>);

impl<K: Key, V: Leaf> Setting for Rows<'_, K, V> {
    fn shape(&self) -> Shape {
        let row = Shape::Optional(Box::new(V::can_be()), false);
        Shape::Map(K::WHAT, Box::new(row))
    }

    fn list(&mut self, doc: &'static str, into: &mut Listing) {
        for (key, value) in &*self.0 {
            into.within(&key.show(), |into| into.value(doc, value.value()));
        }
    }

    fn read(&mut self, node: &Node, into: &mut Reading) {
        let Tree::Table(members) = &node.tree else { return into.expected(node, &self.shape()) };
        for member in members {
            into.within(member, |node, into| match K::from_key(&member.key) {
                Err((what, help)) => into.fault(&member.at, what, help),
                Ok(key) if matches!(node.tree, Tree::Flag(false)) => {
                    self.0.retain(|(known, _)| *known != key);
                }
                Ok(key) => {
                    let Some(value) = super::leaf::read(node, into) else { return };
                    match self.0.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, old)) => *old = value,
                        None => self.0.push((key, value)),
                    }
                }
            });
        }
    }

    fn check(&mut self, _: &mut Checking) {}
}

impl Key for StatusCode {
    const WHAT: &'static str = "a status such as \"409\"";

    fn show(&self) -> String {
        self.as_str().to_owned()
    }

    fn from_key(key: &str) -> Result<Self, Mistake> {
        let number = key.parse().map(Tree::Whole).unwrap_or(Tree::Whole(0));
        Self::from_tree(&number).map_err(|(_, help)| (format!("`{key}` is no status"), help))
    }
}

impl Key for HeaderName {
    const WHAT: &'static str = "the name of a header field";

    fn show(&self) -> String {
        self.as_str().to_owned()
    }

    fn from_key(key: &str) -> Result<Self, Mistake> {
        Self::from_tree(&Tree::Text(key.to_owned()))
    }
}

impl Key for Code {
    const WHAT: &'static str = "a code of gRPC's such as \"aborted\"";

    fn show(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }

    fn from_key(key: &str) -> Result<Self, Mistake> {
        let codes = (0..=16).map(Self::from_number);
        let found = codes.clone().find(|code| code.to_string().eq_ignore_ascii_case(key));
        found.ok_or_else(|| {
            let names: Vec<_> = codes.map(|code| code.show()).collect();
            let near = super::read::nearest(key, names.iter().map(|name| &**name));
            let help = match near {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("the codes are {}", names.join(", ")),
            };
            (format!("`{key}` is no code of gRPC's"), Some(help))
        })
    }
}
