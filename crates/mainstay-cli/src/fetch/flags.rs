//! What `mainstay fetch` can be asked for. The doc comments are what `--help` prints.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ValueEnum};
use http::{HeaderName, HeaderValue, Method};
use mainstay::pipeline::config::{self, rate};
use mainstay::rate_limit::RateLimit;

use super::job::{header_of, method_of};
use super::resume::Keep;

/// Fetches URLs, as many at a time as their servers bear, and says how each of them ended
///
/// Every input ends as one line of JSON: its id, index and url, the status, whether it is ok, how
/// many attempts it took, how long that was and how much of it waiting, the error, and the body or
/// where it is. Servers that throttle, stall or break are asked
/// again as the pipeline says, by default the standard one; a request that may not be repeated is
/// not.
///
/// Exit codes: 0 all succeeded, 1 some failed, 2 bad usage or configuration, 130 interrupted.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Fetch {
    /// What to fetch; goes before what is in --input
    pub(crate) urls: Vec<String>,

    /// A URL a line, or a JSON object with url, method, headers, body and id; - is standard input
    #[arg(short, long, value_name = "FILE", help_heading = "Requests")]
    pub(crate) input: Option<PathBuf>,
    /// The method of those that name none [default: GET, or POST if there is a body]
    #[arg(short = 'X', long, value_parser = method_of, help_heading = "Requests")]
    pub(crate) method: Option<Method>,
    /// A header of all requests: "accept: text/html"
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = header_of, help_heading = "Requests")]
    pub(crate) header: Vec<(HeaderName, HeaderValue)>,
    /// The body of those that have none; @FILE is what a file says
    #[arg(
        short,
        long,
        value_name = "TEXT|@FILE",
        conflicts_with = "json",
        help_heading = "Requests"
    )]
    pub(crate) data: Option<String>,
    /// The same as JSON, with its content-type
    #[arg(long, value_name = "JSON|@FILE", help_heading = "Requests")]
    pub(crate) json: Option<String>,
    /// How many redirects are followed; 0 takes a redirect for the answer
    ///
    /// Each is a call of its own, with the limits and the attempts of the host that it leads to; all
    /// have one deadline. `authorization`, `cookie` and `proxy-authorization` go to no other origin.
    #[arg(long, value_name = "N", default_value = "10", help_heading = "Requests")]
    pub(crate) redirects: u32,
    /// Speaks HTTP/2 from the first byte, also without TLS
    #[arg(long, help_heading = "Requests")]
    pub(crate) http2: bool,

    /// A file of pipelines; without --pipeline they are looked up by host
    #[arg(short, long, value_name = "FILE", help_heading = "Pipeline")]
    pub(crate) config: Option<PathBuf>,
    /// The pipeline of that file, or one that comes with mainstay, for all hosts [default: standard]
    #[arg(short, long, value_name = "NAME", help_heading = "Pipeline")]
    pub(crate) pipeline: Option<String>,
    /// How many at once, of all hosts
    #[arg(long, value_name = "N", default_value = "64", value_parser = count, help_heading = "Pipeline")]
    pub(crate) concurrency: NonZeroU32,
    /// How many at once, of one host
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Pipeline")]
    pub(crate) per_host: Option<NonZeroU32>,
    /// How many may start in how long, of one host: 50/s, 300/min
    #[arg(long, value_parser = rate, help_heading = "Pipeline")]
    pub(crate) rate: Option<RateLimit>,
    /// The same of all hosts together
    ///
    /// A turn is waited for beyond the time of an attempt. Where a file gives its pipelines different
    /// times, every attempt has the longest of them then.
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = "Pipeline")]
    pub(crate) rate_total: Option<RateLimit>,
    /// How often a request is sent at most; 1 is never again
    ///
    /// A body that goes into a file is gone on with for as long as that brings something new, and
    /// given up after so many times in a row that brought nothing.
    #[arg(long, alias = "tries", value_name = "N", value_parser = count, help_heading = "Pipeline")]
    pub(crate) attempts: Option<NonZeroU32>,
    /// How long each attempt may take: 5s, 250ms
    ///
    /// Of a body that goes into a file it is the time of the head alone. A connection is given up
    /// after 10 s in any case.
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Pipeline")]
    pub(crate) timeout: Option<Duration>,
    /// How long a request may take with all its attempts and its body
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Pipeline")]
    pub(crate) deadline: Option<Duration>,
    /// Repeats POST and PATCH too: what they do may be done twice
    #[arg(long, help_heading = "Pipeline")]
    pub(crate) retry_unsafe: bool,

    /// In which order the output is
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    pub(crate) order: Order,
    /// Ends with the first that succeeds; the others are dropped
    #[arg(long, conflicts_with_all = ["fail_fast", "resume"], help_heading = "Output")]
    pub(crate) first: bool,
    /// Ends with the first that fails; the others are dropped
    #[arg(long, help_heading = "Output")]
    pub(crate) fail_fast: bool,
    /// Where the lines go; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-", help_heading = "Output")]
    pub(crate) output: PathBuf,
    /// Replaces an output that is there
    #[arg(long, conflicts_with = "resume", help_heading = "Output")]
    pub(crate) overwrite: bool,
    /// Puts bodies into files of this directory, in place of the lines
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) output_dir: Option<PathBuf>,
    /// The most that is read of a body that goes into a line, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20, conflicts_with = "output_dir", help_heading = "Output")]
    pub(crate) max_body: usize,
    /// Goes on with an earlier run of the same input and output; =failed does all that failed again
    ///
    /// Without a word, what has succeeded is kept, and what another attempt would bring again, as a
    /// 404. An input is known by its id, or else by its place, URL, method and body; an output that
    /// does not fit the input is an error.
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "unfinished",
        action = ArgAction::Set,
        help_heading = "Output"
    )]
    pub(crate) resume: Option<Resume>,
    /// Whether a line says how it goes, on standard error
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = "Output")]
    pub(crate) progress: Progress,
}

const EXAMPLES: &str = "\
Examples:
  mainstay fetch https://example.com/a https://example.com/b
  mainstay fetch --input urls.txt --output results.jsonl --per-host 8 --rate 50/s
  mainstay fetch --input urls.txt --output results.jsonl --resume
  cat urls.txt | mainstay fetch --input - --output-dir pages --output pages.jsonl
  mainstay fetch --json '{\"name\":\"x\"}' -H 'idempotency-key: 7' https://example.com/items";

impl Fetch {
    /// The end of an input that is the end of the run: `--first` or `--fail-fast`.
    pub(crate) const fn last(&self) -> Option<Last> {
        match (self.first, self.fail_fast) {
            (true, _) => Some(Last::Succeeds),
            (_, true) => Some(Last::Fails),
            _ => None,
        }
    }
}

/// Which input ends a run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    Succeeds,
    Fails,
}

fn count(text: &str) -> Result<NonZeroU32, String> {
    match text.parse() {
        Ok(count) => NonZeroU32::new(count).ok_or_else(|| "it must be at least 1".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A time that something can be done in.
fn duration(text: &str) -> Result<Duration, String> {
    match config::duration(text) {
        Ok(Duration::ZERO) => Err("it must be longer than nothing".to_owned()),
        read => read.map_err(|wrong| wrong.to_string()),
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// That of the input
    Input,
    /// Each as it ends
    #[default]
    Completion,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Resume {
    /// Does what has no final end yet
    Unfinished,
    /// Does all that has not succeeded
    Failed,
}

impl Resume {
    pub(crate) const fn keep(self) -> Keep {
        match self {
            Self::Unfinished => Keep::Final,
            Self::Failed => Keep::Succeeded,
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// On a terminal
    #[default]
    Auto,
    /// Also elsewhere, a line every few seconds
    Always,
    Never,
}
