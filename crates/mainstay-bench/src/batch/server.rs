//! A server for batches, on a thread of its own.

use std::convert::Infallible;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::clock::wait;

/// Starts one that answers as long as this process lives; says where.
pub(crate) fn starts() -> Option<String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().ok()?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.ok()?;
            tell.send(format!("http://{}", listener.local_addr().ok()?)).ok()?;
            while let Ok((stream, _)) = listener.accept().await {
                let connection = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer));
                tokio::spawn(connection);
            }
            Some(())
        })
    });
    told.recv().ok()
}

/// After as many milliseconds as the path says, if it says any.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Ok(time) = request.uri().path().trim_start_matches('/').parse() {
        wait(Duration::from_millis(time)).await;
    }
    Ok(Response::new(Full::from("{\"id\":7,\"name\":\"seven\"}")))
}
