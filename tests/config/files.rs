//! Files that tests hold against what comes out.

use std::path::{Path, PathBuf};

/// A path from the root of the workspace.
pub(crate) fn of_workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Fails where the file says something else; writes it where `MAINSTAY_BLESS` is set.
pub(crate) fn assert_is(path: &Path, text: &str) {
    if std::env::var_os("MAINSTAY_BLESS").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let is = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        is == text,
        "{} does not say what comes out; run the test with MAINSTAY_BLESS=1 to write it, and read \
         it. What comes out:\n{text}",
        path.display()
    );
}
