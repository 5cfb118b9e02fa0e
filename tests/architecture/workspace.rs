//! What there is to judge, read from the disk. Nothing here judges.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::code::Source;
use crate::packages::Member;

/// The manifest of the workspace.
pub(crate) fn manifest() -> Table {
    parse(&root().join("Cargo.toml"))
}

pub(crate) fn members() -> Vec<Member> {
    let manifest = manifest();
    let members = manifest.get("workspace").and_then(|workspace| workspace.get("members"));
    let globs = members.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let folders = globs.flat_map(|glob| match glob.strip_suffix("/*") {
        Some(parent) => crates_in(&root().join(parent)),
        None => vec![root().join(glob)],
    });
    folders.map(|folder| member(&folder)).collect()
}

/// Every file below the `src` of a crate that is not made of tests.
pub(crate) fn sources() -> Vec<Source> {
    let sources = crates_in(&root().join("crates")).into_iter().flat_map(|folder| {
        let member = member(&folder);
        let src = folder.join("src");
        let source = |file: PathBuf| {
            let path = file.strip_prefix(&src).unwrap_or(&file).to_string_lossy();
            Source::new(member.name(), &path.replace('\\', "/"), &text(&file))
        };
        rust_files(&src).into_iter().map(source).collect::<Vec<_>>()
    });
    sources.filter(|source| !source.is_test()).collect()
}

/// All Rust of the crates and of the tests.
pub(crate) fn all_rust() -> String {
    ["crates", "tests"]
        .iter()
        .flat_map(|folder| rust_files(&root().join(folder)))
        .map(|file| text(&file))
        .collect()
}

/// The examples, by their names.
pub(crate) fn examples() -> Vec<(String, String)> {
    let files = rust_files(&root().join("examples"));
    let named = files.into_iter().filter_map(|file| {
        let name = file.file_stem()?.to_string_lossy().into_owned();
        (name != "lib").then(|| (name, text(&file)))
    });
    named.collect()
}

/// Every page, by its path from the root.
pub(crate) fn pages() -> Vec<(String, String)> {
    let folders = ["crates", "docs", "examples", "tests"];
    let below = folders.iter().flat_map(|folder| files(&root().join(folder), "md"));
    let at_root = entries(&root()).into_iter().filter(|entry| has_extension(entry, "md"));
    let page = |file: PathBuf| {
        let path = file.strip_prefix(root()).unwrap_or(&file).to_string_lossy();
        (path.replace('\\', "/"), text(&file))
    };
    at_root.chain(below).map(page).collect()
}

/// The frames of samples, by their names.
pub(crate) fn frames() -> Vec<String> {
    let files = rust_files(&root().join("docs/samples"));
    files.iter().filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect()
}

/// Whether there is a file or a folder at this path from the root.
pub(crate) fn is_there(path: &str) -> bool {
    root().join(path).exists()
}

/// A page that must be there, by its path from the root.
pub(crate) fn page(path: &str) -> String {
    text(&root().join(path))
}

/// A page that may be missing, by its path from the root.
pub(crate) fn page_if_there(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn member(folder: &Path) -> Member {
    Member {
        manifest: parse(&folder.join("Cargo.toml")),
        readme: fs::read_to_string(folder.join("README.md")).ok(),
        changelog: fs::read_to_string(folder.join("CHANGELOG.md")).ok(),
    }
}

fn crates_in(parent: &Path) -> Vec<PathBuf> {
    entries(parent).into_iter().filter(|folder| folder.join("Cargo.toml").is_file()).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    files(folder, "rs")
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let files = entries(folder)
        .into_iter()
        .flat_map(|entry| if entry.is_dir() { files(&entry, extension) } else { vec![entry] });
    files.filter(|file| has_extension(file, extension)).collect()
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|it| it == extension)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
    });
    let mut entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.sort();
    entries
}

fn parse(file: &Path) -> Table {
    text(file).parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
