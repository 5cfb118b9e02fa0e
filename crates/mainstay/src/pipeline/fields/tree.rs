//! What a file says, before anybody knows what it means: the same for TOML and JSON.

use std::ops::Range;

/// Something that a file says, and where.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Range<usize>,
    pub(crate) tree: Tree,
}

#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Flag(bool),
    /// A number that is written as a whole one.
    Whole(i128),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Table(Vec<Member>),
    /// What no setting can be: a date, a null.
    Other(&'static str),
}

/// A key of a table and what stands behind it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) at: Range<usize>,
    pub(crate) node: Node,
}

impl Tree {
    /// What it is, for who expected something else.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Flag(true) => "`true`",
            Self::Flag(false) => "`false`",
            Self::Whole(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

impl Member {
    /// What is marked where this is wrong: all of it if it is short, else its key.
    pub(crate) fn mark(&self) -> Range<usize> {
        match self.node.tree {
            Tree::List(_) | Tree::Table(_) => self.at.clone(),
            _ if self.at.end <= self.node.at.start => self.at.start..self.node.at.end,
            _ => self.at.clone(),
        }
    }
}
