//! How do I download a big file over a line that breaks?
//!
//! `cargo run --example how_do_i_download_a_big_file`
#![expect(clippy::print_stdout, reason = "it is for reading")]

use std::error::Error;
use std::time::Duration;

use mainstay::client::{Client, DownloadError};
use mainstay::retry::Backoff;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LENGTH: usize = 1 << 20;
/// How much the server gives before it closes the connection.
const EACH: usize = 200_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = serve().await?;
    let client = Client::builder().reqwest(reqwest::ClientBuilder::no_proxy).build()?;
    let path = std::env::temp_dir().join(format!("mainstay-example-{}", std::process::id()));

    let mut next = 0;
    // It goes on where it is cut off, as long as it is the same file, and has its name only when all
    // of it is there.
    let done = client
        .get(format!("{url}/big.iso"))
        .download()
        .backoff(Backoff::constant(Duration::from_millis(5)))
        .silence(Duration::from_secs(10))
        .on_progress(move |progress| {
            if progress.bytes >= next {
                println!("{} bytes of {:?}", progress.bytes, progress.total);
                next += 256 * 1024;
            }
        })
        .to_file(&path)
        .await?;
    println!("{} bytes, cut off and gone on {} times", done.bytes(), done.resumes());
    let length = tokio::fs::metadata(&path).await?.len();
    println!("{length} bytes are on the disk");
    tokio::fs::remove_file(&path).await?;

    // A server that gives nothing any more is given up, and nothing is left behind.
    let gone = client.get(format!("{url}/stuck")).download().patience(2);
    let error = gone.backoff(Backoff::constant(Duration::from_millis(5))).to_file(&path).await;
    match error {
        Err(error @ DownloadError::Cut { .. }) => println!("{error}"),
        other => println!("{other:?}"),
    }
    println!("left behind: {}", tokio::fs::try_exists(&path).await?);
    Ok(())
}

/// A server of one file that breaks every connection off.
async fn serve() -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(gives_some(stream));
        }
    });
    Ok(url)
}

async fn gives_some(mut stream: TcpStream) -> std::io::Result<()> {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut asked).await? == 0 {
            return Ok(());
        }
    }
    let asked = String::from_utf8_lossy(&asked).to_lowercase();
    let from = asked.split("range: bytes=").nth(1).and_then(|rest| rest.split('-').next());
    let from: usize = from.and_then(|from| from.parse().ok()).unwrap_or(0);
    let status = match from {
        0 => "200 OK".to_owned(),
        _ => format!("206 Partial Content\r\ncontent-range: bytes {from}-{}/{LENGTH}", LENGTH - 1),
    };
    let left = LENGTH - from;
    let head = format!("HTTP/1.1 {status}\r\netag: \"one\"\r\ncontent-length: {left}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let each = if asked.contains("/stuck") { EACH.saturating_sub(from) } else { EACH };
    stream.write_all(&vec![7; left.min(each)]).await?;
    stream.shutdown().await
}
