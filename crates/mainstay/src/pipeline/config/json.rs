//! JSON as a tree.

use super::Config;
use crate::pipeline::fields::{Fault, Member, Node, Path, Tree};

/// The tree of a file, and which keys are there twice; the first of them is in the tree.
pub(super) fn tree(text: &str) -> Result<(Node, Vec<Fault>), Vec<Fault>> {
    let mut reader = Reader { text, at: 0, depth: 0, twice: Vec::new() };
    reader.skip("\u{feff}");
    let read = reader.value().and_then(|node| match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.wrong("something stands behind the end", None)),
    });
    read.map(|node| (node, reader.twice)).map_err(|fault| vec![fault])
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    twice: Vec<Fault>,
}

type Got<T> = Result<T, Fault>;

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self, expected: &str) -> bool {
        let is_there = self.rest().starts_with(expected);
        self.at += if is_there { expected.len() } else { 0 };
        is_there
    }

    /// The next character that is no blank.
    fn peek(&mut self) -> Option<char> {
        let blank = self.rest().find(|c| ![' ', '\t', '\r', '\n'].contains(&c));
        self.at += blank.unwrap_or(self.rest().len());
        self.rest().chars().next()
    }

    /// The next character is not what can stand there.
    fn wrong(&self, what: &str, help: Option<&str>) -> Fault {
        let next = self.rest().chars().next();
        let help = match next {
            Some('/') => Some("JSON has no comments; TOML has"),
            Some('\'') => Some("text stands in double quotes"),
            _ => help,
        };
        let at = self.at..self.at + next.map_or(0, char::len_utf8);
        let (path, what) = (Path::default(), what.to_owned());
        Fault { at, path, what, help: help.map(str::to_owned) }
    }

    fn value(&mut self) -> Got<Node> {
        let next = self.peek();
        let start = self.at;
        let tree = match next {
            Some('{') => self.nested(Self::table)?,
            Some('[') => self.nested(Self::list)?,
            Some('"') => Tree::Text(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            Some(c) if c.is_ascii_alphabetic() => self.word()?,
            Some(_) => return Err(self.wrong("here a value is missing", None)),
            None => return Err(self.wrong("the file ends where a value is missing", None)),
        };
        Ok(Node { at: start..self.at, tree })
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Got<Tree>) -> Got<Tree> {
        if self.depth > Config::DEEPEST {
            let what = format!("this lies more than {} tables deep", Config::DEEPEST);
            return Err(self.wrong(&what, None));
        }
        self.at += 1;
        self.depth += 1;
        let tree = read(self)?;
        self.depth -= 1;
        Ok(tree)
    }

    fn table(&mut self) -> Got<Tree> {
        let mut members: Vec<Member> = Vec::new();
        let mut known = std::collections::BTreeSet::new();
        loop {
            match self.peek() {
                Some('}') if members.is_empty() => break,
                Some('"') => {}
                Some('}') => return Err(self.wrong("a comma stands before `}`", LAST_COMMA)),
                _ => return Err(self.wrong("here a key is missing, in double quotes", None)),
            }
            let start = self.at;
            let key = self.string()?;
            let at = start..self.at;
            if self.peek() != Some(':') {
                return Err(self.wrong("behind a key stands `:`", None));
            }
            self.at += 1;
            let node = self.value()?;
            if known.insert(key.clone()) {
                members.push(Member { key, at, node });
            } else {
                let what = format!("`{key}` is there twice");
                let help = Some("put both into one, or leave one out".to_owned());
                self.twice.push(Fault { at, path: Path::default(), what, help });
            }
            if self.ends('}', "between two settings stands `,`, and behind the last `}`")? {
                break;
            }
        }
        self.at += usize::from(members.is_empty());
        Ok(Tree::Table(members))
    }

    fn list(&mut self) -> Got<Tree> {
        let mut nodes = Vec::new();
        if self.peek() == Some(']') {
            self.at += 1;
            return Ok(Tree::List(nodes));
        }
        loop {
            if self.peek() == Some(']') {
                return Err(self.wrong("a comma stands before `]`", LAST_COMMA));
            }
            nodes.push(self.value()?);
            if self.ends(']', "between two values stands `,`, and behind the last `]`")? {
                return Ok(Tree::List(nodes));
            }
        }
    }

    /// Whether that was the last; else there is a comma.
    fn ends(&mut self, end: char, what: &str) -> Got<bool> {
        let next = self.peek();
        if next != Some(',') && next != Some(end) {
            return Err(self.wrong(what, None));
        }
        self.at += 1;
        Ok(next == Some(end))
    }

    fn word(&mut self) -> Got<Tree> {
        let end = self.rest().find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let word = &self.rest()[..end.unwrap_or(self.rest().len())];
        let tree = match word {
            "true" => Tree::Flag(true),
            "false" => Tree::Flag(false),
            "null" => Tree::Other("`null`"),
            _ => {
                let mut fault = self.wrong("text stands in double quotes", None);
                fault.at.end = self.at + word.len();
                return Err(fault);
            }
        };
        self.at += word.len();
        Ok(tree)
    }

    fn number(&mut self) -> Got<Tree> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || ['-', '+', '.'].contains(&c);
        let end = self.rest().find(|c| !is_part(c)).unwrap_or(self.rest().len());
        let number = &self.rest()[..end];
        let digits = number.strip_prefix('-').unwrap_or(number);
        let (whole, behind) =
            digits.split_at(digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
        let is_whole = behind.is_empty();
        let is_number = !whole.is_empty() && (whole == "0" || !whole.starts_with('0'));
        let point_ends =
            behind.starts_with('.') && !behind[1..].starts_with(|c: char| c.is_ascii_digit());
        let tree = match (number.parse::<i128>(), number.parse::<f64>()) {
            (Ok(number), _) if is_number && is_whole => Tree::Whole(number),
            (_, Ok(number)) if is_number && !point_ends => Tree::Number(number),
            _ => {
                let mut fault =
                    self.wrong("this is no number", Some("text stands in double quotes"));
                fault.at.end = self.at + number.len();
                return Err(fault);
            }
        };
        self.at += number.len();
        Ok(tree)
    }

    fn string(&mut self) -> Got<String> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let end = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            text.push_str(&rest[..end]);
            self.at += end;
            match self.rest().bytes().next() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => {
                    let mut fault =
                        self.wrong("this text does not end", Some("close it with `\"`"));
                    fault.at = start..self.at;
                    return Err(fault);
                }
            }
        }
    }

    fn escape(&mut self) -> Got<char> {
        let known = [
            ("\\\"", '"'),
            ("\\\\", '\\'),
            ("\\/", '/'),
            ("\\b", '\u{8}'),
            ("\\f", '\u{c}'),
            ("\\n", '\n'),
            ("\\r", '\r'),
            ("\\t", '\t'),
        ];
        if let Some((_, meant)) = known.into_iter().find(|(escape, _)| self.skip(escape)) {
            return Ok(meant);
        }
        let unit = self.unit().ok_or_else(|| self.wrong(ESCAPES, None))?;
        let second = if (0xd800..0xdc00).contains(&unit) { self.unit() } else { None };
        let units = [unit].into_iter().chain(second);
        let mut read = char::decode_utf16(units);
        match (read.next(), read.next()) {
            (Some(Ok(c)), None) => Ok(c),
            _ => Err(self.wrong(ESCAPES, None)),
        }
    }

    /// `\u` and four digits.
    fn unit(&mut self) -> Option<u16> {
        let digits = self.rest().strip_prefix("\\u")?.get(..4)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let unit = u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
        self.at += 6;
        Some(unit)
    }
}

const ESCAPES: &str = "behind a `\\` stands one of \" \\ / b f n r t, or u and four digits";
const LAST_COMMA: Option<&str> = Some("leave it out: JSON has none behind the last");

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(node: &Node) -> String {
        match &node.tree {
            Tree::Flag(flag) => flag.to_string(),
            Tree::Whole(number) => number.to_string(),
            Tree::Number(number) => format!("{number:?}"),
            Tree::Text(text) => format!("{text:?}"),
            Tree::List(nodes) => format!("{:?}", nodes.iter().map(shown).collect::<Vec<_>>()),
            Tree::Table(members) => {
                let member = |member: &Member| format!("{}={}", member.key, shown(&member.node));
                format!("{:?}", members.iter().map(member).collect::<Vec<_>>())
            }
            Tree::Other(kind) => (*kind).to_owned(),
        }
    }

    #[test]
    fn values_are_read_as_rfc_8259_has_them() {
        for (text, says) in [
            ("{}", "[]"),
            (" [ ] ", "[]"),
            ("{\"a\": 1, \"b\": [true, null]}", r#"["a=1", "b=[\"true\", \"`null`\"]"]"#),
            ("-0.5e1", "-5.0"),
            ("1E2", "100.0"),
            (r#""\u00e4\ud83d\ude00\n""#, "\"ä😀\\n\""),
            ("\u{feff}1", "1"),
        ] {
            assert_eq!(tree(text).map(|(node, _)| shown(&node)), Ok(says.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "{",
            "[",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\" 1}",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "--1",
            "nan",
            "'a'",
            "\"a",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\u12g4\"",
            "1 2",
            "[1 2]",
            "// a\n1",
            "\"\n\"",
            "]",
            "tru",
            "0x10",
        ] {
            assert!(tree(text).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(tree(&deep).unwrap_err()[0].what.contains("deep"));
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_first_counts() {
        let (node, twice) = tree(r#"{"a": 1, "a": 2}"#).unwrap();
        assert_eq!(
            (shown(&node), twice.len(), twice[0].at.clone()),
            (r#"["a=1"]"#.to_owned(), 1, 9..12)
        );
    }
}
