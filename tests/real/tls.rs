//! axum behind TLS, with HTTP/1.1 and HTTP/2.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::any;
use http::{Method, StatusCode, Version};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Bare;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use mainstay::client::Client;
use mainstay::http::Cause;
use mainstay::pipeline::Pipeline;
use mainstay::retry::Retry;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::{Layer, ServiceExt};

use crate::calls::{Body, get, patient, request};

/// The protocols of a client, as TLS names them.
const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

struct Server {
    url: String,
    certificate: CertificateDer<'static>,
    requests: Arc<AtomicUsize>,
    /// Connections that were told to go, so far.
    leaves: watch::Sender<u32>,
}

impl Server {
    /// Answers "/fails" with a 503 every other time, and the rest with 200.
    async fn starts() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = cert.der().clone();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], key)
                .unwrap();
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (requests, leaves) = (Arc::<AtomicUsize>::default(), watch::Sender::new(0));
        let app = app(Arc::clone(&requests));
        tokio::spawn(serves(
            listener,
            TlsAcceptor::from(Arc::new(config)),
            app,
            leaves.subscribe(),
        ));
        Self { url, certificate, requests, leaves }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn app(requests: Arc<AtomicUsize>) -> Router {
    let counted = move |answers: fn(usize) -> StatusCode| {
        let requests = Arc::clone(&requests);
        any(move || async move { (answers(requests.fetch_add(1, Ordering::SeqCst)), "an answer") })
    };
    let every_other = |before: usize| match before % 2 {
        0 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    Router::new().route("/fails", counted(every_other)).route("/", counted(|_| StatusCode::OK))
}

async fn serves(
    listener: TcpListener,
    tls: TlsAcceptor,
    app: Router,
    leaves: watch::Receiver<u32>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, app, mut leaves) = (tls.clone(), app.clone(), leaves.clone());
        leaves.mark_unchanged();
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = TowerToHyperService::new(app);
            let builder = auto::Builder::new(TokioExecutor::new());
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            let graceful = GracefulShutdown::new();
            let connection = graceful.watch(connection.into_owned());
            let ends = async {
                let _ = leaves.changed().await;
                graceful.shutdown().await;
            };
            let _ = tokio::join!(connection, ends);
        });
    }
}

fn trusting(certificate: Option<&CertificateDer<'static>>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    if let Some(certificate) = certificate {
        roots.add(certificate.clone()).unwrap();
    }
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

type Over = Bare<HttpsConnector<HttpConnector>, Body>;

/// Hyper's client, which speaks this.
fn bare(config: ClientConfig, protocol: &[u8]) -> Over {
    let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_only();
    let connector = match protocol == HTTP2 {
        true => connector.enable_http2().build(),
        false => connector.enable_http1().build(),
    };
    Bare::builder(TokioExecutor::new()).build(connector)
}

fn ours(config: ClientConfig, protocol: &[u8], pipeline: &Pipeline) -> Client {
    let mut config = config;
    config.alpn_protocols = vec![protocol.to_vec()];
    let builder =
        Client::builder().reqwest(move |it| it.no_proxy().tls_backend_preconfigured(config));
    builder.pipeline(pipeline.clone()).build().unwrap()
}

fn pipeline() -> Pipeline {
    patient(16).build().unwrap()
}

pub(crate) async fn calls_are_repeated_over_tls_as_over_anything_else() {
    for (protocol, version) in [(HTTP1, Version::HTTP_11), (HTTP2, Version::HTTP_2)] {
        let server = Server::starts().await;
        let config = || trusting(Some(&server.certificate));
        let fails = format!("{}/fails", server.url);

        let over_hyper = pipeline().layer(bare(config(), protocol));
        let answer = over_hyper.oneshot(get(&fails)).await.unwrap();
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, version));

        let client = ours(config(), protocol, &pipeline());
        let answer = client.get(&fails).send().await.unwrap();
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, version));
        assert_eq!(server.requests(), 4);

        let answer = client.post(&fails).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "a POST is sent once");
        assert_eq!(server.requests(), 5);
    }
}

/// Nothing was sent, so even a POST may be tried again; and the server has seen none.
pub(crate) async fn a_certificate_that_nobody_trusts_is_no_connection() {
    let server = Server::starts().await;
    let thrice = patient(16).retry(Retry::up_to(3)).build().unwrap();
    let client = ours(trusting(None), HTTP2, &thrice);
    let error = client.post(&server.url).send().await.unwrap_err();
    assert_eq!((error.cause(), error.is_connect()), (Cause::Connect, true), "{error}");
    assert_eq!(error.attempts(), 3);

    let over_hyper = thrice.layer(bare(trusting(None), HTTP2));
    assert!(over_hyper.oneshot(request(Method::POST, &server.url)).await.is_err());
    assert_eq!(server.requests(), 0);
}

/// As a server does that is being replaced: GOAWAY, or `connection: close`.
pub(crate) async fn a_server_that_says_good_bye_loses_no_call() {
    // Over HTTP/1.1 a request that crosses the good-bye may have been taken or not: a GET is repeated.
    for (protocol, method) in [(HTTP1, Method::GET), (HTTP2, Method::POST)] {
        let server = Server::starts().await;
        let config = || trusting(Some(&server.certificate));
        let service = pipeline().layer(bare(config(), protocol));
        let client = ours(config(), protocol, &pipeline());
        for n in 0..200 {
            if n % 20 == 10 {
                server.leaves.send_modify(|times| *times += 1);
            }
            let url = format!("{}/", server.url);
            let (one, other) = tokio::join!(
                service.clone().oneshot(request(method.clone(), &url)),
                client.request(method.clone(), &url).send(),
            );
            assert_eq!(one.unwrap().status(), 200, "{n}");
            assert_eq!(other.unwrap().status(), 200, "{n}");
        }
        assert_eq!(server.requests(), 400, "each was taken once");
    }
}
