//! Where the bytes of a file stand in it, for who reads it.

use std::ops::Range;

use super::error::{Place, Problem};
use crate::pipeline::Severity;
use crate::pipeline::fields::Fault;

/// A file and where its lines begin.
pub(super) struct Source<'a> {
    text: &'a str,
    name: Option<&'a str>,
    starts: Vec<usize>,
}

/// The most characters of a line that are shown.
const WIDEST: usize = 100;

/// The most characters of what is said.
const LONGEST: usize = 1_000;

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str, name: Option<&'a str>) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = [0].into_iter().chain(ends.map(|(end, _)| end + 1)).collect();
        Self { text, name, starts }
    }

    /// Which line it is, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// An error, whose path begins at the root of the file.
    pub(super) fn problem(&self, fault: Fault) -> Problem {
        Problem {
            severity: Severity::Error,
            code: None,
            message: harmless(&fault.what),
            path: harmless(&fault.path.to_string()),
            help: fault.help.as_deref().map(harmless),
            place: Some(self.place(&fault.at)),
            file: self.name.map(str::to_owned),
        }
    }

    /// Where it is, and what the line says; only its first line is marked.
    fn place(&self, at: &Range<usize>) -> Place {
        let at = at.start.min(self.text.len())..at.end.min(self.text.len());
        let line = self.line(at.start).max(1);
        let start = self.starts[line - 1];
        let rest = self.text.get(start..).unwrap_or_default();
        let shown = rest.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let until = |end: usize| shown.char_indices().filter(|(i, _)| start + i < end).count();
        let (column, end) = (until(at.start), until(at.end));
        // What is missing is missing behind the last character.
        let marked = end.saturating_sub(column).max(1);
        let from = if column + marked.min(WIDEST / 2) > WIDEST { column - WIDEST / 4 } else { 0 };
        let marked = marked.min(WIDEST + 1 - (column - from));
        Place { line, column: column + 1, excerpt: cut(shown, from), before: column - from, marked }
            .shifted(usize::from(from > 0))
    }
}

/// What a terminal shows and does not obey, and no more of it than is read.
fn harmless(text: &str) -> String {
    let shown = text.chars().map(printed).take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() { shown + "…" } else { shown }
}

fn printed(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// So many characters from there on; what is left out on either side is a `…`.
fn cut(line: &str, from: usize) -> String {
    let kept: String = line.chars().skip(from).take(WIDEST).map(printed).collect();
    let before = if from > 0 { "…" } else { "" };
    let behind = if line.chars().nth(from + WIDEST).is_some() { "…" } else { "" };
    format!("{before}{kept}{behind}")
}

impl Place {
    /// Behind so many more characters.
    const fn shifted(mut self, characters: usize) -> Self {
        self.before += characters;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, at: Range<usize>) -> (usize, usize, String) {
        let place = Source::new(text, None).place(&at);
        let mark = format!("{}{}", " ".repeat(place.before), "^".repeat(place.marked));
        (place.line, place.column, format!("{}|{mark}", place.excerpt))
    }

    #[test]
    fn a_place_is_counted_in_lines_and_characters_from_one() {
        assert_eq!(place("a = 1\nb = 2\n", 6..11), (2, 1, "b = 2|^^^^^".to_owned()));
        assert_eq!(place("ä = 1\r\nb", 5..6), (1, 5, "ä = 1|    ^".to_owned()));
        assert_eq!(place("a\n", 2..2), (2, 1, "|^".to_owned()));
        assert_eq!(place("", 0..0), (1, 1, "|^".to_owned()));
        assert_eq!(place("a", 7..9), (1, 2, "a| ^".to_owned()));
        assert_eq!(place("\ta\u{1}", 1..99), (1, 2, " a\u{fffd}| ^^".to_owned()));
    }

    #[test]
    fn of_what_is_said_at_length_the_beginning_is_shown() {
        let short = "x".repeat(LONGEST);
        assert_eq!(harmless(&short), short);
        assert_eq!(harmless(&format!("{short}y")), format!("{short}…"));
    }

    #[test]
    fn of_a_long_line_only_what_is_near_is_shown() {
        let line = format!("{}here{}", "x".repeat(500), "y".repeat(500));
        let (_, column, shown) = place(&line, 500..504);
        assert_eq!(column, 501);
        let (excerpt, mark) = shown.split_once('|').unwrap();
        assert!(excerpt.starts_with("…x") && excerpt.ends_with("y…"), "{excerpt}");
        let marked: String = excerpt.chars().skip(mark.len() - 4).take(4).collect();
        assert_eq!(marked, "here");
        let (_, _, shown) = place(&line, 0..1_004);
        assert_eq!(shown.matches('^').count(), WIDEST + 1);
    }
}
