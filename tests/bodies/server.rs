//! A server of hyper's, which serves until the test ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::server::conn;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// How a server speaks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Speaks {
    Http1,
    /// With so many bytes of a body on their way at once.
    Http2 {
        window: u32,
    },
}

pub(crate) const HTTP2: Speaks = Speaks::Http2 { window: 65_535 };

pub(crate) struct Server {
    pub(crate) url: String,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Answers each request with this function, which is told how many came before.
    pub(crate) async fn answers<F, Fut, B>(speaks: Speaks, answer: F) -> Self
    where
        F: Fn(usize, Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let (accepted, requests) = (Arc::clone(&connections), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let (answer, requests) = (answer.clone(), Arc::clone(&requests));
                let service = service_fn(move |request| {
                    let answer = answer(requests.fetch_add(1, Ordering::SeqCst), request);
                    async { Ok::<_, Infallible>(answer.await) }
                });
                let io = TokioIo::new(stream);
                tokio::spawn(async move {
                    // A client that gives up is no fault of the server's.
                    let _ = match speaks {
                        Speaks::Http1 => {
                            conn::http1::Builder::new().serve_connection(io, service).await
                        }
                        Speaks::Http2 { window } => {
                            let mut builder = conn::http2::Builder::new(TokioExecutor::new());
                            builder.initial_stream_window_size(window);
                            builder.serve_connection(io, service).await
                        }
                    };
                });
            }
        });
        Self { url, connections }
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

pub(crate) fn status(status: u16) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::from("an answer")).unwrap()
}
