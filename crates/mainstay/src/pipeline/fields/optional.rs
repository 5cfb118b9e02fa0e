//! Parts that may be absent.

use super::checks::Checking;
use super::leaf::Leaf;
use super::list::Listing;
use super::part::{Part, Setting};
use super::read::Reading;
use super::shape::Shape;
use super::tree::{Node, Tree};
use super::value::Value;

/// What can be absent.
pub(crate) trait Absent: Setting + Sized {
    /// What it is before a file has said anything of it.
    fn fresh() -> Self;

    /// Whether `true` says enough.
    fn is_complete() -> bool;

    /// What must be named, and is not, for it to be there.
    fn lacks(node: &Node) -> Option<&'static str> {
        let _ = node;
        None
    }

    /// What `true` means where it is listed.
    const IS_PART: bool;
}

/// Values that mean nothing until they are set.
macro_rules! values {
    ($($value:ty = $fresh:expr),* $(,)?) => {$(
        impl Absent for $value {
            const IS_PART: bool = false;

            fn fresh() -> Self {
                $fresh
            }

            fn is_complete() -> bool {
                false
            }
        }
    )*};
}

values! {
    std::time::Duration = Self::ZERO,
    u32 = 0,
    f64 = 0.0,
}

/// Of parts, what is not named is as it is in one that was just made.
pub(crate) fn lacks<P: Part>(node: &Node) -> Option<&'static str> {
    match &node.tree {
        Tree::Table(members) => P::lacks(&|name| members.iter().any(|member| member.key == name)),
        Tree::Flag(_) => P::lacks(&|_| false),
        _ => None, // a bare value is what it cannot do without
    }
}

macro_rules! absent {
    ($($part:ty = $fresh:expr),* $(,)?) => {$(
        impl $crate::pipeline::fields::optional::Absent for $part {
            const IS_PART: bool = true;

            fn fresh() -> Self {
                $fresh
            }

            fn is_complete() -> bool {
                <Self as $crate::pipeline::fields::Part>::lacks(&|_| false).is_none()
            }

            fn lacks(node: &$crate::pipeline::fields::tree::Node) -> Option<&'static str> {
                $crate::pipeline::fields::optional::lacks::<Self>(node)
            }
        }
    )*};
}
pub(crate) use absent;

impl<A: Absent> Setting for Option<A> {
    fn shape(&self) -> Shape {
        Shape::Optional(Box::new(A::fresh().shape()), A::is_complete())
    }

    fn list(&mut self, doc: &'static str, into: &mut Listing) {
        match self {
            None => into.value(doc, Value::Off),
            Some(part) => {
                if A::IS_PART {
                    into.value(doc, Value::On);
                    into.against(&mut A::fresh());
                }
                part.list(doc, into);
            }
        }
    }

    fn read(&mut self, node: &Node, into: &mut Reading) {
        match (&node.tree, &mut *self) {
            (Tree::Flag(false), _) => *self = None,
            (Tree::Flag(true), Some(_)) if A::IS_PART => {}
            (Tree::Flag(true), None) if A::is_complete() => *self = Some(A::fresh()),
            (Tree::Flag(true), None) if A::IS_PART => lacking::<A>(node, into),
            (Tree::Flag(true), _) => into.expected(node, &self.shape()),
            (_, Some(part)) if part.shape().fits(&node.tree) => part.read(node, into),
            (_, None) if A::fresh().shape().fits(&node.tree) => {
                let (mut part, before) = (A::fresh(), into.faults.len());
                part.read(node, into);
                lacking::<A>(node, into);
                if into.faults.len() == before {
                    *self = Some(part);
                }
            }
            _ => into.expected(node, &self.shape()),
        }
    }

    fn check(&mut self, into: &mut Checking) {
        if let Some(part) = self {
            part.check(into);
        }
    }
}

/// Says what is missing, if anything is.
fn lacking<A: Absent>(node: &Node, into: &mut Reading) {
    if let Some(missing) = A::lacks(node) {
        let name = into.path().keys().last().cloned().unwrap_or_default();
        let what = format!("`{name}` does not say enough, and nothing was set before");
        into.fault(&node.at, what, Some(missing.to_owned()));
    }
}

/// What a file says in another way; nothing is there before it, and nothing is listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<L>(pub(crate) Option<L>);

impl<L: Leaf> Setting for Given<L> {
    fn shape(&self) -> Shape {
        L::can_be()
    }

    fn list(&mut self, _: &'static str, _: &mut Listing) {}

    fn read(&mut self, node: &Node, into: &mut Reading) {
        self.0 = super::leaf::read(node, into);
    }

    fn check(&mut self, _: &mut Checking) {}
}
