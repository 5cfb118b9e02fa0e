// What other samples begin with: nothing of it needs to be used.
#[allow(unused_imports)]
fn beginning() {
    // the sample
}
