//! A few lines at the lower end of a terminal that are drawn again and again.

use std::io::{self, IsTerminal, Write};

use anstream::adapter::strip_str;
use terminal_size::{Width, terminal_size_of};

/// What is drawn on standard error.
#[derive(Default)]
pub(crate) struct Area {
    /// How many lines there are; the cursor is behind the last.
    drawn: usize,
}

impl Area {
    /// Writes over what was drawn last. Each line is cut to the width of the terminal: one that was
    /// broken could not be written over.
    pub(crate) fn draw(&mut self, lines: &[String]) {
        let width = width(&io::stderr());
        let lines: Vec<_> = lines.iter().map(|line| clipped(line, width - 1)).collect();
        let drawn = lines.join("\x1b[K\n");
        write(&format!("{}{drawn}\x1b[J", self.begin()));
        self.drawn = lines.len();
    }

    /// Leaves what was drawn where it is, and goes on beneath it.
    pub(crate) fn keep(&mut self) {
        if self.drawn > 0 {
            write("\n");
        }
        self.drawn = 0;
    }

    /// Makes room for what is said next.
    pub(crate) fn clear(&mut self) {
        if self.drawn > 0 {
            write(&format!("{}\x1b[J", self.begin()));
        }
        self.drawn = 0;
    }

    /// Leads to the beginning of what was drawn.
    fn begin(&self) -> String {
        match self.drawn {
            0 | 1 => "\r".to_owned(),
            lines => format!("\r\x1b[{}A", lines - 1),
        }
    }
}

fn write(text: &str) {
    let mut err = io::stderr().lock();
    // Nobody is left to be told that nobody listens.
    let _: io::Result<()> = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// How many columns it has; what is no terminal has as many as most.
#[cfg(unix)]
pub(crate) fn width(of: &(impl IsTerminal + std::os::fd::AsFd)) -> usize {
    let size = terminal_size_of(of).filter(|_| of.is_terminal());
    size.map_or(USUAL, |(Width(columns), _)| usize::from(columns).max(LEAST))
}

/// How many columns it has; what is no terminal has as many as most.
#[cfg(windows)]
pub(crate) fn width(of: &(impl IsTerminal + std::os::windows::io::AsHandle)) -> usize {
    let size = terminal_size_of(of).filter(|_| of.is_terminal());
    size.map_or(USUAL, |(Width(columns), _)| usize::from(columns).max(LEAST))
}

const USUAL: usize = 80;
const LEAST: usize = 20;

fn clipped(line: &str, columns: usize) -> String {
    // Colours take no columns.
    let plain = strip_str(line).to_string();
    match plain.chars().nth(columns) {
        None => line.to_owned(),
        Some(_) => plain.chars().take(columns - 1).chain(['…']).collect(),
    }
}

/// `━━━━━━────`; nothing where it would say nothing.
pub(crate) fn bar(done: u64, of: u64, columns: usize) -> String {
    const LEAST: usize = 8;
    const MOST: usize = 40;

    let columns = columns.min(MOST);
    if columns < LEAST {
        return String::new();
    }
    // Less than all is never a full bar.
    let share = u128::from(done.min(of)) * columns as u128 / u128::from(of.max(1));
    let full = usize::try_from(share).unwrap_or(columns);
    format!("{}{}", "━".repeat(full), "─".repeat(columns - full))
}

/// The same words in lines that are no longer than this.
pub(crate) fn wrapped(text: &str, columns: usize) -> String {
    let (mut wrapped, mut used) = (String::with_capacity(text.len() + 8), 0);
    for word in text.split_whitespace() {
        let length = word.chars().count();
        match used {
            0 => {}
            used if used + 1 + length > columns => wrapped.push('\n'),
            _ => wrapped.push(' '),
        }
        used = if wrapped.is_empty() || wrapped.ends_with('\n') { 0 } else { used + 1 };
        wrapped.push_str(word);
        used += length;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_the_terminal_is_wide() {
        assert_eq!(clipped("twelve chars", 12), "twelve chars");
        assert_eq!(clipped("thirteen char", 12), "thirteen ch…");
        let red = "\x1b[1;31mtwelve chars\x1b[0m";
        assert_eq!(clipped(red, 12), red);
        assert_eq!(clipped(red, 11), "twelve cha…");
        assert_eq!(wrapped("a bb ccc  dddd\nee", 6), "a bb\nccc\ndddd\nee");
        assert_eq!(wrapped("one-long-word a b", 4), "one-long-word\na b");
    }

    #[test]
    fn a_bar_is_full_only_when_all_is_done() {
        assert_eq!(bar(0, 10, 10), "─".repeat(10));
        assert_eq!(bar(99, 100, 10), format!("{}─", "━".repeat(9)));
        assert_eq!(bar(100, 100, 10), "━".repeat(10));
        assert_eq!(bar(7, 0, 10), "─".repeat(10), "of nothing, nothing is done");
        assert_eq!(bar(1, 2, 7), "");
        assert_eq!(bar(1, 2, 200).chars().count(), 40);
    }
}
