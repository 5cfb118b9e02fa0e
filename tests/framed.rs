//! A page as rustdoc is to compile it: each sample with the frames that stand around it.
//!
//! `docs/samples/README.md` says what is what. Lines keep their numbers, so what the compiler says
//! of a sample leads to the page.

use std::collections::BTreeMap;

/// Frames by their names.
pub(crate) type Frames = BTreeMap<String, String>;

/// The frame of samples that name none with a `main`.
const PLAIN: &str = "plain";
/// The line of a frame that the sample takes the place of.
const SAMPLE: &str = "// the sample";
/// What a frame has for what stands behind its name.
const ARGUMENT: &str = "ARGUMENT";

/// Where a sample of Rust lies on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample<'a> {
    /// The line of the fence that opens it, counted from nought.
    pub(crate) opens: usize,
    /// The line of the fence that closes it.
    pub(crate) closes: usize,
    /// The frames that are named above it, the outermost first, each with its argument.
    pub(crate) frames: Vec<(&'a str, &'a str)>,
}

/// The samples of Rust on a page.
pub(crate) fn samples(page: &str) -> Vec<Sample<'_>> {
    let lines: Vec<_> = page.lines().collect();
    let mut fences = (0..lines.len()).filter(|&at| lines[at].starts_with("```"));
    let mut samples = Vec::new();
    while let (Some(opens), Some(closes)) = (fences.next(), fences.next()) {
        if lines[opens].starts_with("```rust") {
            let above = opens.checked_sub(1).map_or("", |above| lines[above]);
            samples.push(Sample { opens, closes, frames: named(above) });
        }
    }
    samples
}

/// `<!-- in: one; another with an argument -->`
fn named(line: &str) -> Vec<(&str, &str)> {
    let said = line.strip_prefix("<!-- in: ").and_then(|rest| rest.strip_suffix(" -->"));
    let frames = said.into_iter().flat_map(|said| said.split("; "));
    frames.map(|frame| frame.split_once(' ').unwrap_or((frame, ""))).collect()
}

/// The page with each sample in its frames.
///
/// # Errors
///
/// Says which line names a frame that there is not, or leaves its frames no room to end.
pub(crate) fn framed(page: &str, frames: &Frames) -> Result<String, String> {
    let mut lines: Vec<_> = page.lines().map(str::to_owned).collect();
    lines.push(String::new());
    for sample in samples(page) {
        let (first, closes) = (sample.opens + 1, sample.closes);
        if first == closes || !lines[closes + 1].is_empty() {
            return Err(format!("line {first}: a sample needs a line, and an empty one below"));
        }
        let is_whole = lines[first..closes].iter().any(|line| has_main(line));
        let around = around(&sample.frames, is_whole, frames);
        let (before, behind) = around.map_err(|wrong| format!("line {}: {wrong}", sample.opens))?;
        lines[first].insert_str(0, &before);
        // What ends the frames takes the line of the fence, and the fence the empty one below.
        lines.swap(closes, closes + 1);
        lines[closes] = behind;
    }
    Ok(lines.join("\n"))
}

fn has_main(code: &str) -> bool {
    code.contains("fn main(")
}

/// What stands before a sample and behind it, on one line each.
fn around(
    named: &[(&str, &str)],
    is_whole: bool,
    frames: &Frames,
) -> Result<(String, String), String> {
    let (mut before, mut behind, mut has_a_main) = (String::new(), String::new(), is_whole);
    let of_frame = |name| frames.get(name).is_some_and(|frame| has_main(frame));
    let is_program = named.first().map_or(is_whole, |&(name, _)| of_frame(name));
    let plain = (!is_program).then_some((PLAIN, ""));
    for (name, argument) in named.iter().rev().copied().chain(plain) {
        if has_a_main {
            return Err(format!("{name} stands around a main"));
        }
        let frame = frames.get(name).ok_or_else(|| format!("there is no frame {name}"))?;
        let halves = frame.split_once(SAMPLE);
        let (above, below) = halves.ok_or_else(|| format!("{name} has no place for a sample"))?;
        let [above, below] = [above, below].map(|half| one_line(half).replace(ARGUMENT, argument));
        (before, behind) = (above + &before, format!("{behind}; {below}"));
        has_a_main = has_main(frame);
    }
    Ok((before, behind))
}

fn one_line(code: &str) -> String {
    let code =
        code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.flat_map(|line| [line, " "]).collect()
}
