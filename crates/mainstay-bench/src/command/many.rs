//! Many inputs from a pipe, beside a batch of the library.

use std::convert::Infallible;
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mainstay::batch::Batch;
use mainstay::client::ReqwestService;
use mainstay::pipeline::{PipelineSpec, Pipelines};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tower::Layer;

use super::{Done, clock, mainstay};

const AT_A_TIME: u32 = 200;

/// What one run of the command came to.
struct Ran {
    took: Duration,
    /// Resident, in KiB: at a tenth, and at the end.
    early: u64,
    late: u64,
}

pub(super) fn all(rounds: usize, inputs: usize) -> Done {
    let mut server = this(&["serve"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let ended = with_server(&mut server, rounds, inputs);
    let _ = server.kill();
    let _ = server.wait();
    ended
}

fn with_server(server: &mut Child, rounds: usize, inputs: usize) -> Done {
    let url = first_line(server)?;
    println!("{inputs} inputs, {AT_A_TIME} at a time, {rounds} rounds");
    println!(
        "{:>10} {:>10} {:>7} {:>11} {:>11} {:>8}",
        "batch/s", "fetch/s", "ratio", "at 10 %", "at the end", "grows"
    );
    let (mut ratios, mut grows) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let batch = run_batch(&url, inputs)?;
        let fetch = run_fetch(&url, inputs)?;
        let [batch, by_fetch] = [batch, fetch.took].map(|took| inputs as f64 / took.as_secs_f64());
        let grown = fetch.late as f64 / 1024.0 - fetch.early as f64 / 1024.0;
        println!(
            "{batch:>10.0} {by_fetch:>10.0} {:>7.3} {:>7.1} MiB {:>7.1} MiB {grown:>+8.1}",
            by_fetch / batch,
            fetch.early as f64 / 1024.0,
            fetch.late as f64 / 1024.0,
        );
        ratios.push(by_fetch / batch);
        grows.push(grown.abs());
    }
    ratios.sort_by(f64::total_cmp);
    let (ratio, grown) = (ratios[ratios.len() / 2], grows.into_iter().fold(0.0, f64::max));
    println!("median ratio {ratio:.3} (bar 0.9); memory moves by at most {grown:.1} MiB (bar 8)");
    Ok(if ratio >= 0.9 && grown <= 8.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Gives all inputs to the command through a pipe, and reads its lines.
fn run_fetch(url: &str, inputs: usize) -> Result<Ran, Box<dyn std::error::Error>> {
    let places = AT_A_TIME.to_string();
    let mut command = mainstay()?;
    command.args(["fetch", "--input", "-", "--progress", "never"]);
    command.args(["--concurrency", &places, "--per-host", &places]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let began = clock::now();
    let mut child = command.spawn()?;
    let mut pipe = child.stdin.take().ok_or("no pipe")?;
    let url = url.to_owned();
    let gives = thread::spawn(move || -> io::Result<()> {
        let mut lines = Vec::with_capacity(1 << 16);
        for number in 0..inputs {
            writeln!(lines, "{url}{number}")?;
            if lines.len() > 60_000 || number + 1 == inputs {
                pipe.write_all(&lines)?;
                lines.clear();
            }
        }
        Ok(())
    });
    let (mut out, mut read) = (child.stdout.take().ok_or("no pipe")?, vec![0; 1 << 16]);
    let (mut lines, mut early, mut late) = (0, 0, 0);
    loop {
        let bytes = out.read(&mut read)?;
        if bytes == 0 {
            break;
        }
        let before = lines;
        lines += read[..bytes].iter().filter(|byte| **byte == b'\n').count();
        let passed = |mark: usize| before < mark && mark <= lines;
        if passed(inputs / 10) {
            early = resident(child.id())?;
        }
        if passed(inputs - inputs / 100) {
            late = resident(child.id())?;
        }
    }
    let status = child.wait()?;
    let took = clock::now() - began;
    gives.join().map_err(|_| "the pipe broke")??;
    if !status.success() || lines != inputs {
        return Err(format!("the command wrote {lines} lines of {inputs}, and {status}").into());
    }
    Ok(Ran { took, early, late })
}

fn run_batch(url: &str, inputs: usize) -> Result<Duration, Box<dyn std::error::Error>> {
    let began = clock::now();
    let mut child = this(&["batch", url, &inputs.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let said = first_line(&mut child)?;
    let status = child.wait()?;
    let took = clock::now() - began;
    if !status.success() || said != inputs.to_string() {
        return Err(format!("the batch had {said} answers of {inputs}, and {status}").into());
    }
    Ok(took)
}

/// The same by the library: the pipeline of the command, in a batch that reads bodies.
pub(super) fn batch(url: &str, inputs: usize) -> Done {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let spec = PipelineSpec::standard().per_host(|host| host.concurrency(AT_A_TIME));
        let pipelines = Pipelines::new(spec)?;
        let client = reqwest::Client::new();
        let service = pipelines.layer(ReqwestService::new(client));
        let requests = (0..inputs).map(|number| {
            let mut request = Request::new(reqwest::Body::default());
            *request.uri_mut() = format!("{url}{number}").parse().unwrap_or_default();
            request
        });
        let batch = Batch::through(service).concurrency(AT_A_TIME).collect_bodies(16 << 20);
        let mut results = batch.as_completed(requests);
        let mut ended = 0;
        while let Some(done) = results.next().await {
            let answer = done.result?;
            ended += usize::from(answer.status().is_success() && answer.body().len() == 128);
        }
        Ok::<_, Box<dyn std::error::Error>>(ended)
    })?;
    println!("{ended}");
    Ok(ExitCode::SUCCESS)
}

/// Answers every request with the same small body, until its process is ended.
pub(super) fn serve() -> Done {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/items/", listener.local_addr()?);
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let answer = service_fn(|_: Request<Incoming>| async {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(&[b'x'; 128]))))
                });
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            });
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// This program, told to do this.
#[expect(clippy::expect_used, reason = "a program that runs is somewhere")]
fn this(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(arguments);
    command
}

fn first_line(child: &mut Child) -> io::Result<String> {
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut said)?;
    }
    Ok(said.trim().to_owned())
}

/// What a process has resident, in KiB.
fn resident(process: u32) -> Result<u64, Box<dyn std::error::Error>> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().next().ok_or("no VmRSS")?.parse()?)
}
