//! What the page says can stand in a file.

use mainstay::pipeline::config::{Config, schema};

const PAGE: &str = include_str!("../../docs/pipelines/files.md");

/// Other pages that show one.
const OTHERS: [&str; 2] =
    [include_str!("../../README.md"), include_str!("../../docs/guides/rate-limited-apis.md")];

#[test]
fn every_file_on_a_page_can_be_read_and_nothing_is_to_be_warned_of() {
    for page in [PAGE].into_iter().chain(OTHERS) {
        let blocks = page.split("```toml\n").skip(1);
        let texts = blocks.map(|block| block.split("```").next().unwrap());
        let files: Vec<_> = texts.filter(|text| text.contains("[pipelines.")).collect();
        assert!(!files.is_empty());
        for text in files {
            let config = Config::from_toml(text).unwrap_or_else(|wrong| panic!("{wrong}"));
            assert!(config.warnings().is_empty(), "{:?}", config.warnings());
        }
    }
}

#[test]
fn every_setting_stands_on_the_page_and_nothing_else_in_its_tables() {
    let schema = schema();
    let lines: Vec<_> = schema.lines().map(str::trim).collect();
    let settings = lines.windows(2).filter(|pair| pair[1].starts_with("\"description\": "));
    let settings: Vec<_> = settings.filter_map(|pair| pair[0].split('"').nth(1)).collect();
    for setting in &settings {
        assert!(PAGE.contains(&format!("`{setting}`")), "`{setting}` is not on the page");
    }
    let table = PAGE.split("## Every setting").nth(1).unwrap().split("`RetryRules").next().unwrap();
    for name in table.split('`').skip(1).step_by(2).filter(|name| !name.contains(['{', '#', '.'])) {
        let is_known = schema.contains(&format!("\"{name}\""));
        assert!(is_known || name.contains('"'), "`{name}` is no setting");
    }
}
