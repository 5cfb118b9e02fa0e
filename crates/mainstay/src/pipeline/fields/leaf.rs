//! Settings that are one value.

use std::time::Duration;

use ::http::{HeaderName, Method, StatusCode};
use bytes::Bytes;
use mainstay_policy::breaker::Span;

use super::checks::Checking;
use super::list::Listing;
use super::part::Setting;
use super::rate::{self, Rate};
use super::read::Reading;
use super::shape::Shape;
use super::time;
use super::tree::{Node, Tree};
use super::value::Value;

/// A setting that is one value.
pub(crate) trait Leaf: Sized {
    fn can_be() -> Shape;

    fn value(&self) -> Value;

    /// What a file says, which [fits](Shape::fits) the shape; `Err` says what is wrong with it, and
    /// what to write instead.
    fn from_tree(tree: &Tree) -> Result<Self, Mistake>;
}

/// What is wrong, and what to write instead.
pub(crate) type Mistake = (String, Option<String>);

impl<L: Leaf> Setting for L {
    fn shape(&self) -> Shape {
        L::can_be()
    }

    fn list(&mut self, doc: &'static str, into: &mut Listing) {
        into.value(doc, self.value());
    }

    fn read(&mut self, node: &Node, into: &mut Reading) {
        if let Some(value) = read(node, into) {
            *self = value;
        }
    }

    fn check(&mut self, _: &mut Checking) {}
}

/// What a file says, unless something is wrong with it.
pub(super) fn read<L: Leaf>(node: &Node, into: &mut Reading) -> Option<L> {
    let shape = L::can_be();
    if !shape.fits(&node.tree) {
        into.expected(node, &shape);
        return None;
    }
    let said = L::from_tree(&node.tree);
    said.map_err(|(what, help)| into.fault(&node.at, what, help)).ok()
}

/// Settings that are written as text.
fn text(tree: &Tree) -> &str {
    match tree {
        Tree::Text(text) => text,
        _ => "",
    }
}

impl Leaf for bool {
    fn can_be() -> Shape {
        Shape::Flag
    }

    fn value(&self) -> Value {
        Value::Flag(*self)
    }

    fn from_tree(tree: &Tree) -> Result<Self, Mistake> {
        Ok(matches!(tree, Tree::Flag(true)))
    }
}

impl Leaf for u32 {
    fn can_be() -> Shape {
        Shape::Count
    }

    fn value(&self) -> Value {
        Value::Count(*self)
    }

    fn from_tree(tree: &Tree) -> Result<Self, Mistake> {
        let Tree::Whole(number) = tree else { return Ok(0) };
        Self::try_from(*number).map_err(|_| {
            let help = format!("it is a whole number from 0 to {}", Self::MAX);
            ("this is out of range".to_owned(), Some(help))
        })
    }
}

impl Leaf for f64 {
    fn can_be() -> Shape {
        Shape::Number
    }

    fn value(&self) -> Value {
        Value::Number(*self)
    }

    fn from_tree(tree: &Tree) -> Result<Self, Mistake> {
        Ok(match tree {
            #[expect(clippy::cast_precision_loss, reason = "no setting counts beyond 2^53")]
            Tree::Whole(number) => *number as Self,
            Tree::Number(number) => *number,
            _ => 0.0,
        })
    }
}

impl Leaf for Duration {
    fn can_be() -> Shape {
        Shape::Duration
    }

    fn value(&self) -> Value {
        Value::Duration(*self)
    }

    fn from_tree(tree: &Tree) -> Result<Self, Mistake> {
        let text = text(tree);
        time::read(text).map_err(|help| (format!("\"{text}\" is no duration"), Some(help)))
    }
}

impl Leaf for Rate {
    fn can_be() -> Shape {
        Shape::Rate
    }

    fn value(&self) -> Value {
        Value::Rate(*self)
    }

    fn from_tree(tree: &Tree) -> Result<Self, Mistake> {
        let text = text(tree);
        rate::read(text).map_err(|help| (format!("\"{text}\" is no rate"), Some(help)))
    }
}

/// A time, or a number of calls.
impl Leaf for Span {
    fn can_be() -> Shape {
        Shape::Either(vec![Shape::Duration, Shape::Count])
    }

    fn value(&self) -> Value {
        match self {
            Self::Time(time) => time.value(),
            Self::Calls(calls) => calls.value(),
        }
    }

    fn from_tree(tree: &Tree) -> Result<Self, Mistake> {
        match tree {
            Tree::Whole(_) => u32::from_tree(tree).map(Self::Calls),
            _ => Duration::from_tree(tree).map(Self::Time),
        }
    }
}

impl Leaf for StatusCode {
    fn can_be() -> Shape {
        Shape::Status
    }

    fn value(&self) -> Value {
        Value::Count(self.as_u16().into())
    }

    fn from_tree(tree: &Tree) -> Result<Self, Mistake> {
        let Tree::Whole(number) = tree else { return Ok(Self::OK) };
        let status = u16::try_from(*number).ok().filter(|number| (200..600).contains(number));
        status.and_then(|status| Self::from_u16(status).ok()).ok_or_else(|| {
            let help = "an answer's status lies between 200 and 599".to_owned();
            (format!("{number} is no status of an answer"), Some(help))
        })
    }
}

impl Leaf for HeaderName {
    fn can_be() -> Shape {
        Shape::Text("the name of a header field")
    }

    fn value(&self) -> Value {
        Value::word(self.as_str())
    }

    fn from_tree(tree: &Tree) -> Result<Self, Mistake> {
        let text = text(tree);
        text.parse().map_err(|_| {
            let help = "it is made of letters, digits and hyphens".to_owned();
            (format!("{} is no name of a header field", super::value::quote(text)), Some(help))
        })
    }
}

impl Leaf for Method {
    fn can_be() -> Shape {
        Shape::Text("a method such as \"PATCH\"")
    }

    fn value(&self) -> Value {
        Value::word(self.as_str())
    }

    fn from_tree(tree: &Tree) -> Result<Self, Mistake> {
        let text = text(tree);
        let known = Self::from_bytes(text.to_ascii_uppercase().as_bytes());
        match (text.parse(), known) {
            // Methods are told apart by their case, so `patch` is one that no server knows.
            (Ok(method), Ok(known)) if method == known => Ok(method),
            (Ok(_), Ok(known)) => {
                Err((format!("\"{text}\" is no method"), Some(format!("write \"{known}\""))))
            }
            _ => {
                let help = "it is a word such as \"PATCH\"".to_owned();
                Err((format!("{} is no method", super::value::quote(text)), Some(help)))
            }
        }
    }
}

/// The body of an answer.
impl Leaf for Bytes {
    fn can_be() -> Shape {
        Shape::Text("text")
    }

    fn value(&self) -> Value {
        Value::Text(String::from_utf8_lossy(self).into_owned())
    }

    fn from_tree(tree: &Tree) -> Result<Self, Mistake> {
        Ok(text(tree).to_owned().into())
    }
}

/// A list of which each is such a value.
impl<L: Leaf> Setting for Vec<L> {
    fn shape(&self) -> Shape {
        Shape::List(Box::new(L::can_be()))
    }

    fn list(&mut self, doc: &'static str, into: &mut Listing) {
        into.value(doc, Value::List(self.iter().map(Leaf::value).collect()));
    }

    fn read(&mut self, node: &Node, into: &mut Reading) {
        match &node.tree {
            Tree::List(nodes) => *self = nodes.iter().filter_map(|node| read(node, into)).collect(),
            _ => into.expected(node, &self.shape()),
        }
    }

    fn check(&mut self, _: &mut Checking) {}
}
