//! What a setting can be.

use std::fmt;

use super::tree::Tree;

/// What a setting can be: for the schema, and for who wrote something else.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Shape {
    Flag,
    Count,
    Number,
    Duration,
    Rate,
    /// Text, and what kind.
    Text(&'static str),
    /// A status of HTTP.
    Status,
    Words(Vec<&'static str>),
    List(Box<Shape>),
    /// Keys that the reader chooses, and what they are.
    Map(&'static str, Box<Shape>),
    /// A part: which of its settings a bare value stands for, and all of them.
    Part(Option<&'static str>, Vec<SubShape>),
    /// That, or `false`; `true` as well if it needs no more to be there.
    Optional(Box<Shape>, bool),
    Either(Vec<Shape>),
}

/// A setting of a part.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct SubShape {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) shape: Shape,
    /// Whether it is another way to say what a setting says.
    pub(crate) is_alias: bool,
}

impl Shape {
    /// Whether such a thing can be meant at all.
    pub(crate) fn fits(&self, tree: &Tree) -> bool {
        match (self, tree) {
            (Self::Flag, Tree::Flag(_))
            | (Self::Count | Self::Status, Tree::Whole(_))
            | (Self::Number, Tree::Whole(_) | Tree::Number(_))
            | (Self::Duration | Self::Rate | Self::Text(_) | Self::Words(_), Tree::Text(_))
            | (Self::List(_), Tree::List(_))
            | (Self::Map(..), Tree::Table(_)) => true,
            (Self::Part(..), tree) => {
                matches!(tree, Tree::Table(_)) || self.short().is_some_and(|short| short.fits(tree))
            }
            (Self::Optional(shape, bare), tree) => match tree {
                Tree::Flag(on) => !on || *bare,
                tree => shape.fits(tree),
            },
            (Self::Either(shapes), tree) => shapes.iter().any(|shape| shape.fits(tree)),
            _ => false,
        }
    }

    /// What a bare value in place of this part can be.
    pub(crate) fn short(&self) -> Option<&Self> {
        let Self::Part(short, fields) = self else { return None };
        fields.iter().find(|field| Some(field.name) == *short).map(|field| &field.shape)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("`true` or `false`"),
            Self::Count => f.write_str("a whole number"),
            Self::Number => f.write_str("a number"),
            Self::Duration => f.write_str("a duration such as \"250ms\""),
            Self::Rate => f.write_str("a rate such as \"50/s\""),
            Self::Text(what) => f.write_str(what),
            Self::Status => f.write_str("a status such as 503"),
            Self::Words(words) => {
                let all: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                match &*all {
                    [one] => f.write_str(one),
                    [first @ .., last] => write!(f, "{} or {last}", first.join(", ")),
                    [] => f.write_str("nothing"),
                }
            }
            Self::List(of) => write!(f, "a list of which each is {of}"),
            Self::Map(..) | Self::Part(None, _) => f.write_str("a table"),
            Self::Part(Some(_), _) => match self.short() {
                Some(short) => write!(f, "a table, or {short}"),
                None => f.write_str("a table"),
            },
            Self::Optional(shape, true) => write!(f, "{shape}, or `true` or `false`"),
            Self::Optional(shape, false) => write!(f, "{shape}, or `false`"),
            Self::Either(shapes) => {
                let all: Vec<_> = shapes.iter().map(Self::to_string).collect();
                f.write_str(&all.join(" or "))
            }
        }
    }
}
