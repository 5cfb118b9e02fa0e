//! What the compiler says where `LiftLayer` was forgotten.
//!
//! The files of `ui` are compiled in a package of their own, and of what the compiler says only our
//! part is looked at: the rest changes from release to release.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const MANIFEST: &str = r#"
[package]
name = "ui"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

[dependencies]
http = "1"
mainstay = { path = "ROOT/crates/mainstay", default-features = false }
tower = { version = "0.5", default-features = false, features = ["util"] }
"#;

/// The package, with the versions of the workspace, so that nothing is fetched.
static PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.join("..").canonicalize().unwrap();
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui");
    let programs = package.join("src/bin");
    fs::create_dir_all(&programs).unwrap();
    let manifest = MANIFEST.replace("ROOT", &root.display().to_string().replace('\\', "/"));
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    for file in fs::read_dir(tests.join("stacks/ui")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), programs.join(file.file_name())).unwrap();
    }
    package
});

/// Whether this file compiles, and what the compiler says of it.
fn check(program: &str) -> (bool, String) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut check = Command::new(cargo);
    check.args(["check", "--quiet", "--offline", "--color", "never", "--bin", program]);
    check.arg("--target-dir").arg(PACKAGE.join("target"));
    let output = check.current_dir(&*PACKAGE).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

/// What is said of an error that cannot carry a refusal.
#[track_caller]
fn says_what_to_add(program: &str, error: &str) {
    let (compiles, said) = check(program);
    assert!(!compiles, "{program} compiles");
    let why = format!("`{error}` cannot carry a refusal of mainstay's layers");
    for part in [&why, "put `mainstay::LiftLayer` at the bottom of the stack, next to the service"]
    {
        assert!(said.contains(part), "of {program} is not said: {part}\n\n{said}");
    }
}

#[test]
fn with_lift_layer_it_compiles() {
    let (compiles, said) = check("lifted");
    assert!(compiles, "{said}");
}

#[test]
fn who_puts_a_layer_over_a_service_is_told_of_lift_layer() {
    says_what_to_add("forgotten_over", "ParseIntError");
    says_what_to_add("forgotten_beneath_a_guard", "std::io::Error");
}

#[test]
fn who_hands_the_stack_to_something_that_takes_a_service_is_told_of_lift_layer() {
    says_what_to_add("forgotten_in_a_builder", "ParseIntError");
}
