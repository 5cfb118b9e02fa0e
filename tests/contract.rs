//! Every layer of mainstay against the contract probes of the testkit.
//!
//! A new layer is one more function in `contract/layers.rs`, and its name in the list there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "contract/layers.rs"]
mod layers;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use mainstay_testkit::contract;

#[test]
fn every_layer_keeps_the_contract() {
    // All are probed, also if one fails; what it failed at is printed where it panics.
    let mut subjects = layers::all();
    subjects.retain(|subject| catch_unwind(AssertUnwindSafe(|| contract::check(subject))).is_err());
    let names: Vec<_> = subjects.iter().map(contract::Subject::name).collect();
    assert!(names.is_empty(), "these do not keep the contract: {names:?}");
}

/// The layers that code below this folder makes public.
fn layers_in(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(layers_in(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(layers_of(&fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

fn layers_of(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.trim_start().strip_prefix("pub struct "));
    let names = names.map(first_name).filter(|name| name.ends_with("Layer"));
    names.map(str::to_owned).collect()
}

/// `SomeLayer<P>: nobody waits` begins with `SomeLayer`.
fn first_name(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

fn missing(layers: &[String], listed: &[&str]) -> Vec<String> {
    let is_listed = |layer: &String| listed.iter().any(|name| first_name(name) == layer);
    layers.iter().filter(|layer| !is_listed(layer)).cloned().collect()
}

#[test]
fn every_layer_is_in_the_list() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/mainstay/src");
    let layers = layers_in(&source);
    assert!(layers.iter().any(|layer| layer == "CircuitBreakerLayer"), "{layers:?}");
    let subjects = layers::all();
    let listed: Vec<_> = subjects.iter().map(contract::Subject::name).collect();
    let missing = missing(&layers, &listed);
    assert!(missing.is_empty(), "give these a subject in tests/contract/layers.rs: {missing:?}");
}

#[test]
fn a_layer_that_is_not_in_the_list_is_found() {
    let text = "
        pub struct OneLayer<P = Http> {
        pub struct Layered;
        pub(crate) struct InnerLayer;
        // pub struct OldLayer
        #[derive(Debug)] pub struct HiddenLayer;
pub struct TwoLayer;";
    let layers = layers_of(text);
    assert_eq!(layers, ["OneLayer", "TwoLayer"]);
    assert_eq!(missing(&layers, &["OneLayer: nobody waits", "TwoLayers"]), ["TwoLayer"]);
}
