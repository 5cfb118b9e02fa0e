// An API behind a real socket, a client of it, and functions that call it.
#[allow(unused_imports)] use std::path::{Path, PathBuf};

#[allow(unused_imports)] use mainstay::client::{Client, ClientError};
#[allow(unused_imports)] use mainstay_testkit::server::{Content, Faulty, Reply};

async fn user(client: &Client, id: u32) -> Result<String, ClientError> {
    Ok(client.get(format!("/users/{id}")).error_for_status().send().await?.text().await?)
}

async fn orders(client: &Client, id: u32) -> Result<String, ClientError> {
    Ok(client.get(format!("/users/{id}/orders")).error_for_status().send().await?.text().await?)
}

async fn save(client: Client, id: u32) -> Result<(), ClientError> {
    client.put(format!("/users/{id}")).body("Ana").error_for_status().send().await.map(drop)
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

let big = Content::new(vec![7; 100_000]).etag("\"v1\"");
let server = Faulty::start(move |request| {
    let asked = (request.method().as_str(), request.path());
    match (asked, request.query(), request.nth_of_path()) {
        (("GET", "/users/1"), Some("fields=name"), _) => Reply::ok(r#"{"name":"Ana"}"#),
        (("PATCH", "/users/1"), _, 0) => Reply::status(409),
        (("GET", "/users/4004"), ..) => Reply::status(404),
        (("GET", "/big.iso"), _, 1) => big.answers(request).closes_at(60_000),
        (("GET", "/big.iso"), ..) => big.answers(request),
        (("GET", "/silent"), ..) => Reply::never(),
        (("POST", "/orders"), _, 0) => Reply::resets(),
        (("GET", path), ..) => Reply::ok(path.to_owned()),
        _ => Reply::of_body(|body| Reply::ok(body.len().to_string())),
    }
})?;
let url = server.url("/");
let client = Client::builder().base_url(&url).build()?;

let folder = Folder(std::env::temp_dir().join(format!("mainstay-sample-{}", std::process::id())));
std::fs::create_dir_all(&folder.0)?;
let folder: &Path = &folder.0;
{
    // the sample
}
