//! Each file in `broken/` with the exact words that are said of it, in the `.txt` beside it.

use mainstay::pipeline::config::Config;

use crate::files::{assert_is, of_workspace};

#[test]
fn of_each_broken_file_it_is_said_what_to_mend() {
    let folder = of_workspace("tests/config/broken");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".txt") {
            continue;
        }
        count += 1;
        let said = Config::from_file(&path).expect_err(name).to_string();
        let said = said.replace(path.to_str().unwrap(), name);
        assert_is(&path.with_extension("txt"), &said);
    }
    assert!(count >= 30, "{count}");
}
