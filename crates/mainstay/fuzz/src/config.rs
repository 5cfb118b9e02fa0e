//! Files of pipelines.

use mainstay::pipeline::config::{Config, ConfigError};

/// A file is read, or it is said at which of its lines what is wrong; what is read has names that
/// lead to it.
pub fn feed(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for read in [Config::from_toml(&text), Config::from_json(&text)] {
        match read {
            Ok(config) => {
                for pipeline in &config {
                    let name = &*pipeline.spec.name;
                    assert_eq!(config.get(name), Some(&pipeline.spec), "{name:?} in {text:?}");
                }
                assert!(config.iter().count() > 0, "{text:?}");
            }
            Err(wrong) => is_of(&text, &wrong),
        }
    }
}

fn is_of(text: &str, wrong: &ConfigError) {
    assert!(!wrong.problems().is_empty(), "{text:?}");
    let lines: Vec<_> = text.split('\n').collect();
    for problem in wrong.problems() {
        let place = problem.place.as_ref().expect("what is wrong in text has a place in it");
        let line = lines.get(place.line - 1).expect("the line is in the file");
        let characters = line.chars().count();
        assert!((1..=characters + 1).contains(&place.column), "{problem} in {text:?}");
        assert!(!problem.message.is_empty(), "{text:?}");
    }
    assert!(wrong.to_string().lines().all(|line| !line.contains('\u{1b}')), "{text:?}");
}
