//! The files that a run reads and writes itself, which no body is written over.

use std::path::{Path, PathBuf};

use super::flags::Fetch;
use super::resume::{next_of, part_of};

/// What the client calls a body that is not whole, and what it keeps beside it.
const OF_PARTS: [&str; 2] = [".part", ".part.validator"];

/// Whether the input would be lost to the output, or to what a resumed run writes beside it.
pub(crate) fn is_written_over(input: &Path, output: &Path) -> bool {
    written(output).iter().any(|written| is_same(input, written))
}

/// The names, in small letters, that a body in this directory cannot have.
pub(crate) fn names_in(dir: &Path, fetch: &Fetch) -> Vec<String> {
    let read = [&fetch.input, &fetch.config].into_iter().flatten().cloned();
    let mut names = Vec::new();
    for path in read.chain(written(&fetch.output)) {
        // A link in the directory would be replaced, and what it leads to may be in there too.
        let ends = path.canonicalize();
        for path in [Some(path), ends.ok()].into_iter().flatten() {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            if !is_same(parent.unwrap_or(Path::new(".")), dir) {
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            let whole = OF_PARTS.iter().filter_map(|end| name.strip_suffix(end));
            names.extend(whole.map(str::to_owned));
            names.push(name);
        }
    }
    names
}

fn written(output: &Path) -> Vec<PathBuf> {
    match output == Path::new("-") {
        true => Vec::new(),
        false => vec![output.to_owned(), part_of(output), next_of(output)],
    }
}

/// Whether two paths lead to one file.
#[cfg(unix)]
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let place = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino()));
    place(one).is_ok_and(|one| place(other).is_ok_and(|other| one == other))
}

/// Whether two paths lead to one file.
#[cfg(not(unix))]
fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}
