// The body of an async function, with `?` for whatever can be printed.
#[derive(Debug)]
struct Wrong(String);

impl<E: std::fmt::Display> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Wrong> {
    // the sample
    Ok(())
}
