//! A rate that is kept, as the hosts see it.

use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use super::{Done, clock, mainstay};

/// The rates that are asked for: what a server bears, and what timers of a millisecond do not.
const RATES: [usize; 2] = [50, 1_000];
/// What a rate of the command allows at once.
const BURST: usize = 1;
/// How many milliseconds of lateness may be made up for: those of the limiter, and as many of the way
/// to the host.
const LATE: usize = 4;
const SECOND: Duration = Duration::from_secs(1);
/// What had been sent before a host's 429 could be known, and what a thread that is kept waiting for
/// a processor has in hand.
const ON_ITS_WAY: Duration = Duration::from_millis(50);
/// A host says 429 to each so many.
const REFUSES: usize = 211;

/// What a host has seen, and when.
#[derive(Clone, Default)]
struct Host(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    came: Vec<Instant>,
    refused: Vec<Instant>,
}

pub(super) fn all(seconds: usize) -> Done {
    println!("two hosts, for {seconds} s");
    let mut is_well = run(RATES[0], seconds, REFUSES)?;
    for rate in RATES {
        is_well &= run(rate, seconds, usize::MAX)?;
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says whether all was as it should be.
fn run(rate: usize, seconds: usize, refuses: usize) -> Result<bool, Box<dyn Error>> {
    let hosts = [Host::default(), Host::default()];
    let urls = [starts(&hosts[0], refuses)?, starts(&hosts[1], refuses)?];
    let mut command = mainstay()?;
    command.args(["fetch", "--input", "-", "--rate", &format!("{rate}/s"), "--progress", "never"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut pipe = child.stdin.take().ok_or("no pipe")?;
    for number in 0..rate * seconds {
        for url in &urls {
            writeln!(pipe, "{url}{number}")?;
        }
    }
    drop(pipe);
    let status = child.wait()?;
    let mut is_well = status.success();
    match refuses {
        usize::MAX => println!("--rate {rate}/s; the command ends with {status}"),
        _ => println!(
            "--rate {rate}/s, and one of {refuses} is told 429; the command ends with {status}"
        ),
    }
    let allowed = rate + BURST + rate * LATE / 1_000;
    for host in &hosts {
        let mut seen = host.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.came.sort_unstable();
        let (most, early) = (seen.most_in_a_second(), seen.too_early());
        let took = seen.came.last().zip(seen.came.first()).map(|(last, first)| *last - *first);
        println!(
            "  {} requests in {:.1?}; at most {most} in any second (allowed: {allowed}); {} \
             times 429, {early} requests before its second was over",
            seen.came.len(),
            took.unwrap_or_default(),
            seen.refused.len(),
        );
        is_well &= most <= allowed && early == 0;
    }
    Ok(is_well)
}

impl Seen {
    /// The most that came in any window of a second.
    fn most_in_a_second(&self) -> usize {
        let ends = |from: &Instant| self.came.partition_point(|at| *at < *from + SECOND);
        let windows = self.came.iter().enumerate().map(|(first, from)| ends(from) - first);
        windows.max().unwrap_or_default()
    }

    /// What came while nothing was to come.
    fn too_early(&self) -> usize {
        let is_early = |at: &Instant| {
            self.refused.iter().any(|said| *said + ON_ITS_WAY < *at && *at < *said + SECOND)
        };
        self.came.iter().filter(|at| is_early(at)).count()
    }
}

impl Host {
    fn answer(&self, refuses: usize) -> Response<Full<Bytes>> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::now();
        seen.came.push(now);
        let mut answer = Response::new(Full::new(Bytes::from_static(b"well")));
        if seen.came.len() % refuses == 0 {
            seen.refused.push(now);
            *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            answer.headers_mut().insert("retry-after", http::HeaderValue::from_static("1"));
        }
        answer
    }
}

/// Starts a host on a thread of its own; says where.
fn starts(host: &Host, refuses: usize) -> Result<String, Box<dyn Error>> {
    let (tell, told) = mpsc::channel();
    let host = host.clone();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().ok()?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.ok()?;
            tell.send(format!("http://{}/", listener.local_addr().ok()?)).ok()?;
            while let Ok((stream, _)) = listener.accept().await {
                let host = host.clone();
                tokio::spawn(async move {
                    let answer = service_fn(|_: Request<Incoming>| {
                        let answer = host.answer(refuses);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    let _ =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                });
            }
            Some(())
        })
    });
    Ok(told.recv()?)
}
