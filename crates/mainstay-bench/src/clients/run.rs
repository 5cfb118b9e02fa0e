//! One client, its calls, and what they cost it.

use std::fs;
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mainstay::client::{Client as Ours, ClientBuilder};
use mainstay::pipeline::{Pipeline, PipelineError, PipelineSpec};
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;
use tower::{ServiceExt, service_fn};

use crate::overhead::cases::OURS;
use crate::overhead::peers::six_layers;
use crate::{Done, clock};

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
    Middleware,
    Resilience,
}

impl Client {
    pub(super) const ALL: [Self; 8] = [
        Self::Reqwest,
        Self::Ours,
        Self::OursUnlimited,
        Self::Hyper,
        Self::OursOverHyper,
        Self::OursOverHyperUnlimited,
        Self::Middleware,
        Self::Resilience,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Reqwest => "reqwest",
            Self::Ours => "reqwest, 64 slots",
            Self::OursUnlimited => "reqwest, 100 slots",
            Self::Hyper => "hyper-util",
            Self::OursOverHyper => "hyper-util, 64 slots",
            Self::OursOverHyperUnlimited => "hyper-util, 100 slots",
            Self::Middleware => "reqwest, retry",
            Self::Resilience => "reqwest, six layers",
        }
    }

    pub(super) const fn peer(self) -> &'static str {
        match self {
            Self::Reqwest => "reqwest",
            Self::Hyper => "hyper-util",
            Self::Middleware => "reqwest-middleware",
            Self::Resilience => "tower-resilience",
            Self::Ours
            | Self::OursUnlimited
            | Self::OursOverHyper
            | Self::OursOverHyperUnlimited => OURS,
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
    /// For each call, those of connections among them.
    pub(super) allocations: f64,
    /// At most, in MiB.
    pub(super) resident: f64,
}

impl FromStr for Cost {
    type Err = String;

    fn from_str(said: &str) -> Result<Self, String> {
        let numbers: Result<Vec<f64>, _> = said.split(' ').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[micros, allocations, resident]) => Ok(Self { micros, allocations, resident }),
            _ => Err(format!("a client said {said:?}")),
        }
    }
}

/// Runs this client and says what it cost.
pub(super) fn tell(client: &str, calls: usize, url: &str) -> Done {
    let client = Client::named(client).ok_or("no such client")?;
    let mut micros = Ok(0.0);
    let counted = allocation_counter::measure(|| {
        micros = crate::block_on(made(client, calls, url));
    });
    let each = counted.count_total as f64 / (calls + WARM) as f64;
    println!("{} {each} {}", micros?, resident()?);
    Ok(())
}

/// So many calls of this client; in microseconds what each computes.
async fn made(client: Client, calls: usize, url: &str) -> Measured {
    match client {
        Client::Reqwest => {
            let client = plain()?;
            measured(calls, || async { Ok(client.get(url).send().await?.bytes().await?) }).await
        }
        Client::Ours => ours(ours_builder().build()?, calls, url).await,
        Client::OursUnlimited => {
            ours(ours_builder().pipeline(unlimited()?).build()?, calls, url).await
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
        Client::OursOverHyper => ours(ours_builder().over(hyper()).build()?, calls, url).await,
        Client::OursOverHyperUnlimited => {
            let builder = ours_builder().pipeline(unlimited()?).over(hyper());
            ours(builder.build()?, calls, url).await
        }
        Client::Middleware => {
            let policy = ExponentialBackoff::builder().build_with_max_retries(2);
            let client = reqwest_middleware::ClientBuilder::new(plain()?)
                .with(RetryTransientMiddleware::new_with_policy(policy))
                .build();
            measured(calls, || async { Ok(client.get(url).send().await?.bytes().await?) }).await
        }
        Client::Resilience => {
            let (client, url) = (plain()?, url.parse::<reqwest::Url>()?);
            // Its retry wants requests that can be cloned, and reqwest's cannot.
            let service = six_layers(service_fn(move |url: reqwest::Url| {
                let call = client.get(url).send();
                async { call.await.map_err(Arc::new) }
            }));
            measured(calls, || async {
                let answer = service.clone().oneshot(url.clone()).await;
                let answer = answer.map_err(|error| error.to_string())?;
                Ok(answer.bytes().await?)
            })
            .await
        }
    }
}

fn plain() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build()
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

async fn ours(client: Ours, calls: usize, url: &str) -> Measured {
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
