//! TOML as a tree.

use std::ops::Range;

use ::toml::Spanned;
use ::toml::de::{DeInteger, DeTable, DeValue};

use super::Config;
use crate::pipeline::fields::{Fault, Member, Node, Path, Tree};

/// The tree of a file, and what is wrong with its syntax. Where only keys are there twice, the tree
/// has the first of them, and is worth reading on.
pub(super) fn tree(text: &str) -> Result<(Node, Vec<Fault>), Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let is_broken = errors.iter().any(|error| error.message() != TWICE);
    let mut faults: Vec<_> = errors.iter().map(|error| fault(text, error)).collect();
    if is_broken {
        faults.sort_by_key(|fault| fault.at.start);
        return Err(one_each_line(text, faults));
    }
    let mut reading = Tables { faults, path: Path::default() };
    let root = reading.node(&Spanned::new(table.span(), DeValue::Table(table.into_inner())));
    Ok((root, reading.faults))
}

/// What follows an error in the same line mostly follows from it.
fn one_each_line(text: &str, mut faults: Vec<Fault>) -> Vec<Fault> {
    let (mut read, mut line, mut last) = (0, 0, None);
    faults.retain(|fault| {
        line += text.get(read..fault.at.start).map_or(0, |text| text.matches('\n').count());
        read = fault.at.start;
        last.replace(line) != Some(line)
    });
    faults
}

const TWICE: &str = "duplicate key";

fn fault(text: &str, error: &::toml::de::Error) -> Fault {
    let at = error.span().unwrap_or(text.len()..text.len());
    let said = text.get(at.clone()).unwrap_or_default();
    let (what, help) = match error.message() {
        TWICE => (
            format!("`{}` is there twice", said.trim()),
            Some("put both into one, or leave one out".to_owned()),
        ),
        message => (message.to_owned(), help(text, &at, message)),
    };
    Fault { at, path: Path::default(), what, help }
}

/// What is mostly meant where the syntax is this.
fn help(text: &str, at: &Range<usize>, message: &str) -> Option<String> {
    let line = text.get(..at.start)?.rsplit('\n').next()?;
    let has_colon = line.trim_end().ends_with(':') || text.get(at.clone())?.starts_with(':');
    let bare = text.get(at.start..)?.split([',', '}', ']', '\n', '#']).next()?.trim();
    Some(match message {
        _ if text.trim_start().starts_with(['{', '['])
            && line.trim().is_empty()
            && at.start < 2 =>
        {
            "this looks like JSON: then the name of the file ends in `.json`".to_owned()
        }
        _ if has_colon => "between a key and its value stands `=`".to_owned(),
        message if message.starts_with("missing comma") && line.trim().is_empty() => {
            "what begins further up with `{` must end with `}`".to_owned()
        }
        message if message.starts_with("string values must be quoted") => {
            format!("put it in quotes: \"{bare}\"")
        }
        _ => return None,
    })
}

struct Tables {
    faults: Vec<Fault>,
    path: Path,
}

impl Tables {
    fn node(&mut self, value: &Spanned<DeValue<'_>>) -> Node {
        let at = value.span();
        if self.path.keys().len() > Config::DEEPEST {
            let what = format!("this lies more than {} tables deep", Config::DEEPEST);
            self.faults.push(Fault { at: at.clone(), path: Path::default(), what, help: None });
            return Node { at, tree: Tree::Other("a table") };
        }
        let tree = match value.get_ref() {
            DeValue::String(text) => Tree::Text(text.clone().into_owned()),
            DeValue::Integer(number) => whole(number),
            DeValue::Float(number) => Tree::Number(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Tree::Flag(*flag),
            DeValue::Datetime(_) => Tree::Other("a date"),
            DeValue::Array(values) => {
                self.path.push("");
                let nodes = values.iter().map(|value| self.node(value)).collect();
                self.path.pop();
                Tree::List(nodes)
            }
            DeValue::Table(table) => self.table(table),
        };
        Node { at, tree }
    }

    fn table(&mut self, table: &DeTable<'_>) -> Tree {
        let members = table.iter().map(|(key, value)| {
            self.path.push(key.get_ref());
            let node = self.node(value);
            self.path.pop();
            Member { key: key.get_ref().clone().into_owned(), at: key.span(), node }
        });
        let mut members: Vec<_> = members.collect();
        members.sort_by_key(|member| member.at.start);
        Tree::Table(members)
    }
}

fn whole(number: &DeInteger<'_>) -> Tree {
    // What is larger is out of every range.
    Tree::Whole(i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(i128::MAX))
}
