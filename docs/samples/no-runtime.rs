// The body of a function outside of any runtime: for code that blocks, or brings a runtime along.
#[derive(Debug)]
struct Wrong(String);

impl<E: std::fmt::Display> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn main() -> Result<(), Wrong> {
    // the sample
    Ok(())
}
