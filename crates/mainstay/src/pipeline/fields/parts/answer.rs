//! What is answered when a call has failed for good, and the keys that calls are given.

use ::http::StatusCode;
use ::http::header::{HeaderName, HeaderValue};
use mainstay_policy::fallback::FallbackOn;

use crate::http::IdempotencyKeys;
use crate::pipeline::FixedAnswer;
use crate::pipeline::fields::leaf::{Leaf, Mistake};
use crate::pipeline::fields::map::Rows;
use crate::pipeline::fields::optional::absent;
use crate::pipeline::fields::part::{Part, Visitor, parts};
use crate::pipeline::fields::shape::Shape;
use crate::pipeline::fields::tree::Tree;
use crate::pipeline::fields::value::{Value, quote};
use crate::pipeline::fields::words::Word;

parts!(FixedAnswer, IdempotencyKeys);
absent!(FixedAnswer = Self::new(StatusCode::OK), IdempotencyKeys = Self::new());

impl Part for FixedAnswer {
    fn kinds() -> Vec<Self> {
        vec![Self::new(StatusCode::OK)]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see("status", "The status of the answer.", &mut self.status);
        let mut rows: Vec<_> = self.headers.iter().map(row).collect();
        let before = rows.len();
        let old = rows.clone();
        v.see("headers", "Its header fields.", &mut Rows(&mut rows));
        if rows.len() != before || rows != old {
            self.headers = rows.into_iter().map(|(name, Line(value))| (name, value)).collect();
        }
        v.see("body", "Its body.", &mut self.body);
        let mut on: Vec<End> = ends(self.on);
        v.see("on", "After which ends of a call it is given.", &mut on);
        let has = |end| on.contains(&end);
        self.on = FallbackOn::new()
            .transient(has(End::Transient))
            .throttled(has(End::Throttled))
            .refused(has(End::Refused))
            .fatal(has(End::Fatal));
    }

    fn lacks(named: &dyn Fn(&str) -> bool) -> Option<&'static str> {
        (!named("status")).then_some("say what is answered: `{ status = 200, body = \"later\" }`")
    }
}

fn row((name, value): (&HeaderName, &HeaderValue)) -> (HeaderName, Line) {
    (name.clone(), Line(value.clone()))
}

/// The value of a header field.
#[derive(Clone, PartialEq)]
struct Line(HeaderValue);

impl Leaf for Line {
    fn can_be() -> Shape {
        Shape::Text("text")
    }

    fn value(&self) -> Value {
        Value::Text(String::from_utf8_lossy(self.0.as_bytes()).into_owned())
    }

    fn from_tree(tree: &Tree) -> Result<Self, Mistake> {
        let text = match tree {
            Tree::Text(text) => text,
            _ => "",
        };
        text.parse().map(Self).map_err(|_| {
            let help = "it is one line without control characters".to_owned();
            (format!("{} is no value of a header field", quote(text)), Some(help))
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Transient,
    Throttled,
    Refused,
    Fatal,
}

impl Word for End {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("transient", Self::Transient),
        ("throttled", Self::Throttled),
        ("refused", Self::Refused),
        ("fatal", Self::Fatal),
    ];
}

fn ends(on: FallbackOn) -> Vec<End> {
    let all = [
        (on.transient, End::Transient),
        (on.throttled, End::Throttled),
        (on.refused, End::Refused),
        (on.fatal, End::Fatal),
    ];
    all.into_iter().filter_map(|(is_on, end)| is_on.then_some(end)).collect()
}

impl Part for IdempotencyKeys {
    fn kinds() -> Vec<Self> {
        vec![Self::new()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        v.see("header", "The field that the key stands in.", &mut self.header);
        v.see("quoted", "Whether it stands in quotes, as the draft has it.", &mut self.is_quoted);
    }
}
