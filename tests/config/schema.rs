//! The schema that is checked in.

use crate::files::{assert_is, of_workspace};

#[test]
fn the_schema_that_is_checked_in_is_of_this_version() {
    let path = of_workspace("docs/pipeline.schema.json");
    assert_is(&path, &mainstay::pipeline::config::schema());
}
