//! Puts each sample of the pages into its frame, so that rustdoc compiles and runs all of them.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "framed.rs"]
mod framed;

type Done<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Done {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("..");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for what in ["README.md", "docs", "tests/framed.rs", "tests/build.rs"] {
        println!("cargo::rerun-if-changed={}", root.join(what).display());
    }
    // The servers of the samples are on this machine, whatever the environment says of proxies.
    println!("cargo::rustc-env=NO_PROXY=127.0.0.1");

    let frames = frames(&root.join("docs/samples"))?;
    let mut list = String::new();
    for path in pages(&root)? {
        let page = fs::read_to_string(root.join(&path))?;
        let page = framed::framed(&page, &frames).map_err(|wrong| format!("{path}: {wrong}"))?;
        let file = out.join(&path);
        fs::create_dir_all(file.parent().unwrap_or(&out))?;
        fs::write(&file, page)?;
        let name = path.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
        let name = name.trim_end_matches("_md").to_lowercase();
        writeln!(list, "#[cfg(doctest)]\n#[doc = include_str!({file:?})]\npub mod {name} {{}}\n")?;
    }
    fs::write(out.join("pages.rs"), list)?;
    Ok(())
}

fn frames(folder: &Path) -> Done<framed::Frames> {
    let mut frames = framed::Frames::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        if let (Some(name), true) = (file.file_stem(), has_extension(&file, "rs")) {
            frames.insert(name.to_string_lossy().into_owned(), fs::read_to_string(&file)?);
        }
    }
    Ok(frames)
}

/// By their paths from the root. The pages of crates and examples are compiled where they belong.
fn pages(root: &Path) -> Done<Vec<String>> {
    let mut pages = vec!["README.md".to_owned()];
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if has_extension(&entry.path(), "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    Ok(pages)
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|it| it == extension)
}
