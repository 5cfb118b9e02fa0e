//! `mainstay fetch`: many URLs, one line of JSON for each.

mod arrange;
mod ask;
mod caller;
mod digest;
mod failure;
mod files;
mod flags;
mod follow;
mod holds;
mod hosts;
mod id;
mod input;
mod job;
mod lines;
mod output;
mod overlay;
mod own;
mod pace;
mod progress;
mod record;
mod resume;
mod run;
mod signal;
mod summary;
mod transport;
mod url;

use std::fs;
use std::mem;
use std::path::Path;
use std::thread;

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use tokio::runtime::Builder;

use crate::exit::Exit;
use crate::out;
pub(crate) use caller::Caller;
pub(crate) use flags::Fetch;
pub(crate) use hosts::Hosts;
pub(crate) use job::{Defaults, Job};
pub(crate) use record::{Kind, Record};
pub(crate) use summary::{Times, seconds};
pub(crate) use transport::{Transport, client};

use input::Source;
use output::Output;
use resume::Kept;
use run::Run;

pub(crate) fn run(fetch: Fetch) -> Exit {
    // The batch itself runs in this thread, which has a core of its own then.
    let others = thread::available_parallelism().map_or(1, |cores| cores.get() - 1).max(1);
    let runtime = Builder::new_multi_thread().worker_threads(others).enable_all().build();
    match (prepare(fetch), runtime) {
        (Ok(run), Ok(runtime)) => {
            let exit = runtime.block_on(run.run());
            // Whatever asks for a name, or stands before a disk, is not waited for.
            runtime.shutdown_background();
            exit
        }
        (Err(what), _) => out::wrong(what),
        (_, Err(error)) => out::wrong(error),
    }
}

/// Finds all that can be wrong before the first request.
fn prepare(mut fetch: Fetch) -> Result<Run, String> {
    if fetch.urls.is_empty() && fetch.input.is_none() {
        return Err("there is nothing to fetch: name a URL, or an input with --input".to_owned());
    }
    let defaults = defaults(&mut fetch)?;
    let file = fetch.input.as_deref().map(input::open).transpose()?;
    if fetch.input.as_deref().is_some_and(|input| own::is_written_over(input, &fetch.output)) {
        return Err("the output would be written over the input: name another file".to_owned());
    }
    let (caller, hosts) = caller::of(&fetch)?;
    let earlier = match fetch.resume {
        None => None,
        Some(_) if fetch.output == Path::new("-") => {
            return Err("--resume needs an --output that is a file".to_owned());
        }
        Some(resume) => {
            fetch.output = resume::plain(&fetch.output)?;
            Some(resume::resume(&fetch.output, resume.keep())?)
        }
    };
    let (kept, next) = earlier.unzip();
    let kept: Kept = kept.unwrap_or_default();
    let before = kept.before();
    let urls = mem::take(&mut fetch.urls);
    let taken = fetch.output_dir.as_ref().map(|dir| own::names_in(dir, &fetch));
    let source = |file| {
        let (urls, defaults, taken) = (urls.clone(), defaults.clone(), taken.clone());
        Source { urls, file, defaults, taken }
    };
    // What can be read twice is, so that nothing is fetched for an output that does not fit.
    let kept = match !kept.is_empty() && fetch.input.as_deref().is_none_or(input::is_file) {
        true => {
            let again = fetch.input.as_deref().map(input::open).transpose()?;
            input::fits(source(again), kept)?
        }
        false => kept,
    };
    let lines = match next {
        None => output::create(&fetch.output, fetch.overwrite)?,
        Some(next) => Box::new(next.takes_place()?),
    };
    let counted = progress::count(&fetch, urls.len(), before.records);
    let jobs = input::read(source(file), kept);
    Ok(Run { fetch, caller, hosts, jobs, output: Output::to(lines), before, counted })
}

/// What the flags say of all requests.
fn defaults(fetch: &mut Fetch) -> Result<Defaults, String> {
    let mut defaults = Defaults { method: fetch.method.take(), ..Defaults::default() };
    if let Some(text) = fetch.data.take() {
        defaults.body = body(text)?;
    }
    let is_json = fetch.json.is_some();
    if let Some(text) = fetch.json.take() {
        defaults.body = body(text)?;
        serde_json::from_slice::<serde::de::IgnoredAny>(&defaults.body)
            .map_err(|error| format!("--json: {error}"))?;
    }
    for (name, value) in mem::take(&mut fetch.header) {
        defaults.headers.append(name, value);
    }
    if is_json {
        let is_json = HeaderValue::from_static("application/json");
        defaults.headers.entry(CONTENT_TYPE).or_insert(is_json);
    }
    Ok(defaults)
}

/// A text, or behind an `@` the file that it is in.
fn body(text: String) -> Result<Bytes, String> {
    match text.strip_prefix('@') {
        None => Ok(text.into()),
        Some(file) => match fs::read(file) {
            Ok(read) => Ok(read.into()),
            Err(error) => Err(format!("the body {file} cannot be read: {error}")),
        },
    }
}
