// `mirrors` of which the first is silent, the second has nothing, and the third answers.
let mirrors = ["silent", "users/4004", "of-today"].map(|path| server.url(&format!("/{path}")));
// the sample
