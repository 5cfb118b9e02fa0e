// As `plain`, where waiting takes no time: nothing real may be waited for.
#[derive(Debug)]
struct Wrong(String);

impl<E: std::fmt::Display> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Wrong> {
    // the sample
    Ok(())
}
