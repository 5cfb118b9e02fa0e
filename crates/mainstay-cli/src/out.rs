//! What goes to the standard output and the standard error.
//!
//! Colours are for terminals, and `NO_COLOR` is heeded: both are `anstream`'s to find out.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use anstream::{AutoStream, ColorChoice};

use crate::exit::Exit;

pub(crate) const RED: &str = "\x1b[1;31m";
pub(crate) const GREEN: &str = "\x1b[1;32m";
pub(crate) const BOLD: &str = "\x1b[1m";
pub(crate) const PLAIN: &str = "\x1b[0m";
const YELLOW: &str = "\x1b[1;33m";

/// Prints a text that is all there is to say. A reader that has had enough, as `head` has, is no
/// failure.
pub(crate) fn whole(text: &str) -> Exit {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Exit::Ok,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Exit::Ok,
        Err(error) => wrong(format_args!("standard output: {error}")),
    }
}

/// Says what was asked for that cannot be done.
pub(crate) fn wrong(what: impl Display) -> Exit {
    let what = what.to_string();
    let what = coloured(what.trim_end());
    match what.starts_with('\x1b') {
        // It says itself that it is an error.
        true => note(what),
        false => note(format_args!("{RED}error:{PLAIN} {what}")),
    }
    Exit::Usage
}

/// The same text in this colour, if standard error shows any.
pub(crate) fn if_coloured(colour: &str, text: &str) -> String {
    match AutoStream::choice(&io::stderr()) {
        ColorChoice::Never => text.to_owned(),
        _ => format!("{colour}{text}{PLAIN}"),
    }
}

/// A line for people.
pub(crate) fn note(what: impl Display) {
    // Nobody is left to be told that nobody listens.
    let _: io::Result<()> = writeln!(anstream::stderr().lock(), "{what}");
}

/// The same text with its `error` and `warning` in colour.
pub(crate) fn coloured(text: &str) -> String {
    let mut coloured = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let word = [("error", RED), ("warning", YELLOW)].into_iter().find(|(word, _)| {
            line.strip_prefix(word).is_some_and(|rest| rest.starts_with([':', '[']))
        });
        match word {
            Some((word, colour)) => {
                coloured.extend([colour, word, PLAIN, &line[word.len()..]]);
            }
            None => coloured.push_str(line),
        }
    }
    coloured
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_of_a_message_has_a_colour_and_nothing_else() {
        let text = "error[a-b]: no errors here\n --> file\nwarnings are not\nwarning: is\n";
        let expected = format!(
            "{RED}error{PLAIN}[a-b]: no errors here\n --> file\nwarnings are not\n\
             {YELLOW}warning{PLAIN}: is\n"
        );
        assert_eq!(coloured(text), expected);
    }
}
