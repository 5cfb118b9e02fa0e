//! How do I keep pipelines in a file, and change it without a restart?
//!
//! `cargo run --example how_do_i_keep_settings_in_a_file`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::error::Error;
use std::time::Duration;

use mainstay::pipeline::Pipelines;
use mainstay::pipeline::config::{Config, Watcher};
use mainstay_testkit::server::{Faulty, Reply};
use tokio::fs;
use tower::{Layer, Service, ServiceExt};

const FILE: &str = r#"
[pipelines.users]
extends = "standard"
for_hosts = ["127.0.0.1"]
deadline = "20s"
per_host = { concurrency = 16, rate_limit = { rate = "50/s", burst = 10 } }
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // What is wrong in a file is said, all of it at once.
    let typo = FILE.replace("deadline", "dedline").replace("50/s", "50 per second");
    if let Err(wrong) = Config::from_toml(&typo) {
        println!("{wrong}");
    }

    let folder = std::env::temp_dir().join(format!("mainstay-{}", std::process::id()));
    fs::create_dir_all(&folder).await?;
    let ran = follows(&folder.join("pipelines.toml")).await;
    fs::remove_dir_all(&folder).await?;
    ran
}

async fn follows(file: &std::path::Path) -> Result<(), Box<dyn Error>> {
    fs::write(file, FILE).await?;
    let server = Faulty::start(|request| match request.nth_of_path() {
        0 => Reply::status(503),
        _ => Reply::ok("Ana"),
    })?;
    let client = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build()?;

    // Each request goes through the pipeline that is for its host.
    let (config, mut watcher) = Watcher::open(file).await?;
    let pipelines = Pipelines::of_config(&config)?;
    let mut service = pipelines.layer(client.clone());
    let request = client.get(server.url("/users/1")).build()?;
    let answer = service.ready().await?.call(request).await?;
    println!("{}: {}", answer.status(), answer.text().await?);
    println!("deadline: {:?}", pipelines.of_host("127.0.0.1").spec().deadline);

    // In a program this is `tokio::spawn(pipelines.follow(watcher))`; here we look at each step.
    fs::write(file, FILE.replace("20s", "twenty")).await?;
    if let Err(wrong) = watcher.changed().await {
        println!("\n{wrong}");
    }
    println!("deadline: {:?}, still\n", pipelines.of_host("127.0.0.1").spec().deadline);

    fs::write(file, FILE.replace("20s", "10s")).await?;
    pipelines.reload(&watcher.changed().await?)?;
    let deadline = pipelines.of_host("127.0.0.1").spec().deadline;
    println!("deadline: {deadline:?}, from the next call on");
    assert_eq!(deadline, Some(Duration::from_secs(10)));
    Ok(())
}
