//! One client, its calls, and what they cost it.

use std::fs;
use std::future::Future;
use std::io;
use std::process::ExitCode;
use std::str::FromStr;

use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mainstay::client::{Client as Ours, ClientBuilder};
use mainstay::pipeline::{Pipeline, PipelineError, PipelineSpec};
use tokio::runtime::{Builder, Runtime};

use super::{Done, clock};

pub(super) const CALLS: usize = 20_000;
const AT_A_TIME: usize = 100;
const WARM: usize = 2_000;

/// The clients that are compared; the first is what the others are compared with.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Client {
    Reqwest,
    Ours,
    OursUnlimited,
    Hyper,
    OursOverHyper,
    OursOverHyperUnlimited,
}

impl Client {
    pub(super) const ALL: [Self; 6] = [
        Self::Reqwest,
        Self::Ours,
        Self::OursUnlimited,
        Self::Hyper,
        Self::OursOverHyper,
        Self::OursOverHyperUnlimited,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Reqwest => "reqwest",
            Self::Ours => "mainstay",
            Self::OursUnlimited => "mainstay, 100 slots",
            Self::Hyper => "hyper-util",
            Self::OursOverHyper => "mainstay over hyper-util",
            Self::OursOverHyperUnlimited => "the same, 100 slots",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.name() == name)
    }
}

/// What a run cost its process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// For each call.
    pub(super) micros: f64,
    /// At most, in MiB.
    pub(super) resident: f64,
}

impl FromStr for Cost {
    type Err = String;

    fn from_str(said: &str) -> Result<Self, String> {
        let parsed = said.split_once(' ').and_then(|(micros, resident)| {
            Some(Self { micros: micros.parse().ok()?, resident: resident.parse().ok()? })
        });
        parsed.ok_or_else(|| format!("a client said {said:?}"))
    }
}

pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Runs this client and says what it cost.
pub(super) fn tell(client: &str, url: &str, calls: &str) -> Done {
    let client = Client::named(client).ok_or("no such client")?;
    let calls = calls.parse()?;
    let micros = runtime()?.block_on(async {
        match client {
            Client::Reqwest => {
                let client = reqwest::Client::builder().no_proxy().build()?;
                measured(calls, || async { Ok(client.get(url).send().await?.bytes().await?) }).await
            }
            Client::Ours => ours(calls, ours_builder().build()?, url).await,
            Client::OursUnlimited => {
                ours(calls, ours_builder().pipeline(unlimited()?).build()?, url).await
            }
            Client::Hyper => {
                let client = Hyper::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
                let url: http::Uri = url.parse()?;
                measured(calls, || async {
                    let request = Request::get(url.clone()).body(Full::default())?;
                    Ok(client.request(request).await?.into_body().collect().await?.to_bytes())
                })
                .await
            }
            Client::OursOverHyper => ours(calls, ours_builder().over(hyper()).build()?, url).await,
            Client::OursOverHyperUnlimited => {
                let builder = ours_builder().pipeline(unlimited()?).over(hyper());
                ours(calls, builder.build()?, url).await
            }
        }
    })?;
    println!("{micros} {}", resident()?);
    Ok(ExitCode::SUCCESS)
}

/// The standard pipeline with as many slots as there are calls at a time, so that none waits.
fn unlimited() -> Result<Pipeline, PipelineError> {
    PipelineSpec::standard().per_host(|host| host.concurrency(100)).build()
}

fn hyper() -> Hyper<HttpConnector, reqwest::Body> {
    Hyper::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http()
}

fn ours_builder() -> ClientBuilder {
    Ours::builder().reqwest(reqwest::ClientBuilder::no_proxy)
}

async fn ours(calls: usize, client: Ours, url: &str) -> Measured {
    measured(calls, || async { Ok(client.get(url).send().await?.bytes().await?) }).await
}

type Measured = Result<f64, Box<dyn std::error::Error>>;

/// How much is computed for each call, in microseconds.
async fn measured<F, Fut>(calls: usize, call: F) -> Measured
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<Bytes, Box<dyn std::error::Error>>>,
{
    let all = async |calls: usize| {
        let mut calls =
            futures_util::stream::iter((0..calls).map(|_| call())).buffer_unordered(AT_A_TIME);
        while let Some(end) = calls.next().await {
            if end?.len() != 128 {
                return Err::<(), Box<dyn std::error::Error>>("an answer of another server".into());
            }
        }
        Ok(())
    };
    all(WARM).await?;
    let begin = clock::computed();
    all(calls).await?;
    Ok((clock::computed() - begin).as_secs_f64() * 1e6 / calls as f64)
}

/// The most memory that this process has had, in MiB.
pub(super) fn resident() -> Result<f64, Box<dyn std::error::Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 =
        most.and_then(|most| most.split_whitespace().next()).ok_or("no VmHWM")?.parse()?;
    Ok(kib / 1024.0)
}
