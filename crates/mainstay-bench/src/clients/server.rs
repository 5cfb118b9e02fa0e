//! The servers of the clients, each until its process is ended.

use std::convert::Infallible;
use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::Done;

/// The size of what is downloaded, and how often it is cut off.
pub(super) const LENGTH: u64 = 1 << 30;
pub(super) const CUTS: u64 = 20;
/// How much of it is made at a time.
const PIECE: usize = 64 * 1024;

/// Answers every request with the same small body.
pub(super) fn calls() -> Done {
    serve(|stream| async move {
        let answer = service_fn(|_: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(&[b'x'; 128]))))
        });
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
    })
}

/// Gives parts of a file that is nowhere, and breaks each connection off after a twentieth.
pub(super) fn parts() -> Done {
    serve(|stream| async move {
        let _ = gives_a_part(stream).await; // the client may have gone
    })
}

fn serve<F, Fut>(each: F) -> Done
where
    F: Fn(TcpStream) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    crate::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/", listener.local_addr()?);
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true)?;
            tokio::spawn(each(stream));
        }
        Ok(())
    })
}

async fn gives_a_part(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut from, mut line) = (0, String::new());
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).await?;
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end().trim_end_matches('-').parse().unwrap_or(0);
        }
    }
    let (left, last) = (LENGTH - from, LENGTH - 1);
    let status = match from {
        0 => "200 OK".to_owned(),
        _ => format!("206 Partial Content\r\ncontent-range: bytes {from}-{last}/{LENGTH}"),
    };
    let head = format!("HTTP/1.1 {status}\r\netag: \"one\"\r\ncontent-length: {left}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    // Twenty of these are a little too short.
    let mut left = left.min(LENGTH / CUTS - 1_000);
    let mut piece = Vec::with_capacity(PIECE);
    while left > 0 {
        let some = left.min(PIECE as u64 - from % PIECE as u64);
        piece.clear();
        piece.extend((from..from + some).map(byte));
        stream.write_all(&piece).await?;
        (from, left) = (from + some, left - some);
    }
    stream.shutdown().await
}

/// What stands there; no two MiB of it are equal.
pub(super) fn byte(at: u64) -> u8 {
    let mixed = (at >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed.rotate_left(u32::try_from(at & 7).unwrap_or(0) * 8).to_be_bytes()[0]
}
