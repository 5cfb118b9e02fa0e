//! A file of Rust as the rules read it: without its tests, without comments.

/// A file below the `src` of a crate.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) member: String,
    /// From `src`.
    pub(crate) path: String,
    text: String,
}

impl Source {
    pub(crate) fn new(member: &str, path: &str, text: &str) -> Self {
        Self { member: member.to_owned(), path: path.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// For a violation: where it is.
    pub(crate) fn place(&self) -> String {
        format!("{}/src/{}", self.member, self.path)
    }

    /// Whether the whole file is made of tests.
    pub(crate) fn is_test(&self) -> bool {
        self.name() == "tests.rs" || self.path.split('/').any(|part| part == "tests")
    }

    /// The lines before the tests, and those behind them if there are any.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let all: Vec<_> = self.text.lines().collect();
        let start = all.windows(2).position(|pair| pair == ["#[cfg(test)]", "mod tests {"]);
        let start = start.unwrap_or(all.len());
        let length = all.iter().skip(start).position(|line| *line == "}").map(|end| end + 1);
        let end = length.map_or(all.len(), |length| start + length);
        let numbered = all.into_iter().enumerate().map(|(i, line)| (i + 1, line));
        numbered.filter(move |(number, _)| *number <= start || *number > end)
    }

    /// Lines of code without comments. Each path that a `use` with braces brings in stands behind
    /// its line, spelled out.
    pub(crate) fn code(&self) -> Vec<(usize, String)> {
        let lines: Vec<_> = self.lines().map(|(number, line)| (number, uncomment(line))).collect();
        let spelled_out = lines.iter().enumerate().flat_map(|(i, &(number, line))| {
            let behind = lines.iter().skip(i + 1).map(|(_, line)| line.trim());
            let paths = imports(line, behind);
            [line.to_owned()].into_iter().chain(paths).map(move |line| (number, line))
        });
        spelled_out.filter(|(_, line)| !line.trim().is_empty()).collect()
    }
}

/// Whether a line of code has this word; `operand::new` does not have `rand::`.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        let glued_before = word.starts_with(is_part) && before.ends_with(is_part);
        let glued_behind = word.ends_with(is_part) && after.starts_with(is_part);
        !glued_before && !glued_behind
    })
}

/// Whether a name can have it.
pub(crate) fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Cuts at `//`, but not at that of `https://`.
fn uncomment(line: &str) -> &str {
    let comment = line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':'));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// The paths of a `use` with braces that begins on this line.
fn imports<'a>(line: &'a str, behind: impl Iterator<Item = &'a str>) -> Vec<String> {
    let Some((visibility, tree)) = line.trim().split_once("use ") else { return Vec::new() };
    if !visibility.is_empty() && !visibility.starts_with("pub") {
        return Vec::new();
    }
    let all: String = [tree].into_iter().chain(behind).collect();
    let tree = all.split(';').next().unwrap_or_default();
    if tree.contains('{') { leaves("", tree) } else { Vec::new() }
}

fn leaves(prefix: &str, tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        return if tree.is_empty() { Vec::new() } else { vec![format!("{prefix}{tree}")] };
    };
    let prefix = format!("{prefix}{head}");
    let group = group.strip_suffix('}').unwrap_or(group);
    let mut depth = 0;
    let branches = group.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    branches.flat_map(|branch| leaves(&prefix, branch)).collect()
}

#[test]
fn a_trailing_block_of_tests_is_not_read_and_what_follows_it_is() {
    let text = "\
one
#[cfg(test)]
mod tests;
two
#[cfg(test)]
mod tests {
    three
}
four";
    let source = Source::new("some", "some.rs", text);
    let lines: Vec<_> = source.lines().filter(|(_, line)| !line.contains("test")).collect();
    assert_eq!(lines, [(1, "one"), (4, "two"), (9, "four")]);
}

#[test]
fn files_of_tests_are_known_by_their_names() {
    let is_test = |path| Source::new("some", path, "").is_test();
    assert!(is_test("tests.rs") && is_test("breaker/tests.rs") && is_test("breaker/tests/late.rs"));
    assert!(!is_test("contests.rs") && !is_test("tests_of_time.rs"));
}

#[test]
fn comments_are_not_code_and_addresses_are_no_comments() {
    let text = "
//! all
/// of it
code(); // the rest
let at = \"https://example.com\"; code()";
    let code = Source::new("some", "some.rs", text).code();
    let expected = [(4, "code(); "), (5, "let at = \"https://example.com\"; code()")];
    assert_eq!(code, expected.map(|(number, line)| (number, line.to_owned())));
}

#[test]
fn a_use_with_braces_is_spelled_out() {
    let text = "
pub(crate) use a::{
    b::{self, C as D}, // note
    e::F,
};
use g::H;";
    let code = Source::new("some", "some.rs", text).code();
    let paths = code.iter().filter(|(number, _)| *number == 2).skip(1);
    assert_eq!(
        paths.map(|(_, path)| path).collect::<Vec<_>>(),
        ["a::b::self", "a::b::C as D", "a::e::F"]
    );
}

#[test]
fn a_word_is_not_part_of_another() {
    let code = "let x = operand::draw(awaiting).await?;";
    for word in ["operand::", "draw", ".await", "await"] {
        assert!(has_word(code, word), "{word}");
    }
    for word in ["rand::", "raw", "dra", "async"] {
        assert!(!has_word(code, word), "{word}");
    }
}
