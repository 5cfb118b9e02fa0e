//! How long a file may be, its tests not counted.

use crate::code::Source;
use crate::{assert_none, workspace};

const MOST_LINES: usize = 400;
/// Neither blank nor a comment.
const MOST_CODE: usize = 250;

fn violations(source: &Source) -> Vec<String> {
    let lines = source.lines().count();
    let is_code = |line: &str| !line.is_empty() && !line.starts_with("//");
    let code = source.lines().filter(|(_, line)| is_code(line.trim())).count();
    [(lines, MOST_LINES, "lines"), (code, MOST_CODE, "lines of code")]
        .iter()
        .filter(|(count, most, _)| count > most)
        .map(|(count, most, what)| format!("{}: {count} {what} of {most}", source.place()))
        .collect()
}

#[test]
fn every_file_is_short() {
    assert_none(&workspace::sources().iter().flat_map(violations).collect::<Vec<_>>());
}

#[test]
fn a_file_is_refused_at_the_first_line_too_many() {
    let judge = |code: usize, notes: usize, tests: usize| {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    code\n".repeat(tests));
        let middle = "#[cfg(test)]\nmod tests;\n";
        let text = "code\n".repeat(code - 2) + middle + &"  // note\n\n".repeat(notes / 2) + &tests;
        violations(&Source::new("some", "some.rs", &text))
    };
    assert_none(&judge(250, 150, 500));
    assert_eq!(judge(251, 0, 0), ["some/src/some.rs: 251 lines of code of 250"]);
    assert_eq!(judge(249, 152, 0), ["some/src/some.rs: 401 lines of 400"]);
    assert_eq!(judge(300, 200, 9).len(), 2);
}
