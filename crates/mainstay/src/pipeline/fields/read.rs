//! Setting what a file says, and saying what is wrong with it.

use std::borrow::Cow;
use std::ops::Range;

use super::part::{Setting, Visitor};
use super::path::Path;
use super::shape::{Shape, SubShape};
use super::tree::{Member, Node, Tree};
use super::value::quote;

/// Something that is wrong in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    /// The bytes that say it.
    pub(crate) at: Range<usize>,
    pub(crate) path: Path,
    pub(crate) what: String,
    /// What to write instead.
    pub(crate) help: Option<String>,
}

/// What is found while a file is read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    path: Path,
    pub(crate) faults: Vec<Fault>,
    /// Where each setting was set, the last place last.
    pub(crate) places: Vec<(Path, Range<usize>)>,
}

impl Reading {
    /// Reads something that stands at this path.
    pub(crate) fn at(path: Path) -> Self {
        Self { path, ..Self::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Does this one key further in.
    pub(crate) fn within(&mut self, member: &Member, read: impl FnOnce(&Node, &mut Self)) {
        self.path.push(&member.key);
        self.places.push((self.path.clone(), member.mark()));
        read(&member.node, self);
        self.path.pop();
    }

    pub(crate) fn fault(
        &mut self,
        at: &Range<usize>,
        what: impl Into<String>,
        help: Option<String>,
    ) {
        let (at, path, what) = (at.clone(), self.path.clone(), what.into());
        self.faults.push(Fault { at, path, what, help });
    }

    /// It is not what it can be.
    pub(crate) fn expected(&mut self, node: &Node, shape: &Shape) {
        let name = self.path.keys().last().cloned().unwrap_or_default();
        let what = format!("`{name}` cannot be {}", node.tree.kind());
        self.fault(&node.at, what, Some(instead(&name, &node.tree, shape)));
    }
}

/// What to write in place of what cannot be.
fn instead(name: &str, tree: &Tree, shape: &Shape) -> String {
    let inner = match shape {
        Shape::Optional(inner, _) => inner,
        shape => shape,
    };
    let is_time = |shape: &Shape| *shape == Shape::Duration;
    match (tree, inner) {
        (Tree::Whole(number), shape) if is_time(shape) || shape.short().is_some_and(is_time) => {
            format!("a number needs its unit: write \"{number}s\" or \"{number}ms\"")
        }
        (Tree::Number(number), shape) if is_time(shape) || shape.short().is_some_and(is_time) => {
            format!("a number needs its unit: write \"{number}s\" or \"{number}ms\"")
        }
        (Tree::Whole(number), Shape::Rate) => format!("write \"{number}/s\" or \"{number}/min\""),
        (Tree::Whole(number), shape) if shape.short() == Some(&Shape::Rate) => {
            format!("write \"{number}/s\" or \"{number}/min\"")
        }
        (Tree::Text(text), shape)
            if Shape::Number.fits(&number(text)) && shape.fits(&number(text)) =>
        {
            format!("write it without quotes: `{name} = {}`", text.trim())
        }
        (Tree::Text(text), shape)
            if ["true", "false"].contains(&&**text) && shape.fits(&Tree::Flag(true)) =>
        {
            format!("write it without quotes: `{name} = {text}`")
        }
        (Tree::Text(text), Shape::List(_)) => {
            format!("put it in brackets: `{name} = [{}]`", quote(text))
        }
        _ => format!("it is {shape}"),
    }
}

/// What the text would be without its quotes.
fn number(text: &str) -> Tree {
    match (text.trim().parse(), text.trim().parse()) {
        (Ok(whole), _) => Tree::Whole(whole),
        (_, Ok(number)) => Tree::Number(number),
        _ => Tree::Other("text"),
    }
}

/// The settings that a table names, or that a bare value stands for.
pub(super) fn members<'a>(
    node: &'a Node,
    short: Option<&'static str>,
    fields: &[SubShape],
    into: &mut Reading,
) -> Option<Cow<'a, [Member]>> {
    let shape = || Shape::Part(short, fields.to_vec());
    match (&node.tree, short) {
        (Tree::Table(members), _) => Some(Cow::Borrowed(members)),
        (tree, Some(key)) if shape().fits(tree) => {
            let node = node.clone();
            Some(Cow::Owned(vec![Member { key: key.to_owned(), at: node.at.clone(), node }]))
        }
        _ => {
            into.expected(node, &shape());
            None
        }
    }
}

/// Of these groups of names only one can be given.
pub(super) fn one_group(
    members: &[Member],
    groups: &[&[&str]],
    why: &str,
    into: &mut Reading,
) -> bool {
    let group = |member: &Member| groups.iter().position(|group| group.contains(&&*member.key));
    let mut named = members.iter().filter_map(|member| Some((member, group(member)?)));
    let Some((first, one)) = named.next() else { return true };
    let Some((other, _)) = named.find(|(_, other)| *other != one) else { return true };
    let what = format!("`{}` cannot stand beside `{}`", other.key, first.key);
    into.fault(&other.at, what, Some(why.to_owned()));
    false
}

/// Whoever has so much wrong is told the rest another time.
const MOST_HELPED: usize = 1_000;

/// Reads the settings of a part out of a table.
pub(super) struct Table<'a> {
    members: &'a [Member],
    seen: Vec<&'static str>,
    into: &'a mut Reading,
}

impl<'a> Table<'a> {
    pub(super) fn new(members: &'a [Member], into: &'a mut Reading) -> Self {
        Self { members, seen: Vec::new(), into }
    }

    /// Names what nothing has asked for, but for what has been named already.
    pub(super) fn rest(self, fields: &[SubShape], why: &str, named: &[&[&str]]) {
        let Self { members, seen, into } = self;
        let is_said =
            |key: &str| seen.contains(&key) || named.iter().any(|names| names.contains(&key));
        for member in members.iter().filter(|member| !is_said(&member.key)) {
            let path = into.path.join(&member.key);
            let (what, help) = match fields.iter().any(|field| field.name == member.key) {
                true => (format!("`{}` says nothing here", member.key), Some(why.to_owned())),
                false => {
                    let help =
                        (into.faults.len() < MOST_HELPED).then(|| known(&member.key, fields));
                    (format!("there is no setting `{}`", member.key), help)
                }
            };
            into.faults.push(Fault { at: member.at.clone(), path, what, help });
        }
    }
}

/// What there is in place of what there is not.
fn known(key: &str, fields: &[SubShape]) -> String {
    let names = fields.iter().map(|field| field.name);
    match nearest(key, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
            format!("here there are {}", names.join(", "))
        }
    }
}

impl Visitor for Table<'_> {
    fn see(&mut self, name: &'static str, _: &'static str, setting: &mut dyn Setting) {
        self.seen.push(name);
        if let Some(member) = self.members.iter().find(|member| member.key == name) {
            self.into.within(member, |node, into| setting.read(node, into));
        }
    }

    fn alias(&mut self, name: &'static str, doc: &'static str, setting: &mut dyn Setting) {
        self.see(name, doc, setting);
    }
}

/// The name that was most likely meant, if any is at all like it.
pub(crate) fn nearest<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let key = plain(key);
    if key.len() > 64 {
        return None;
    }
    let apart = names.map(|name| (distance(&key, &plain(name)), name));
    let (distance, name) = apart.min_by_key(|(distance, _)| *distance)?;
    let longest = key.chars().count().max(name.chars().count());
    (distance <= (longest / 3).max(1)).then_some(name)
}

/// How many letters must be added, left out, changed or swapped with the next.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let changed = last[j] + usize::from(a != b);
            let mut least = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_with_the_fewest_slips() {
        let names = ["max_attempts", "max_waiting", "max_wait", "cap", "ratio"];
        for (key, name) in [
            ("max_atempts", Some("max_attempts")),
            ("maxAttempts", Some("max_attempts")),
            ("max-attempts", Some("max_attempts")),
            ("max_watiing", Some("max_waiting")),
            ("max_wiat", Some("max_wait")),
            ("cpa", Some("cap")),
            ("something_else", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(key, names.into_iter()), name, "{key}");
        }
    }
}
