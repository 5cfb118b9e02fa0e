//! What the command can be asked for. The doc comments are what `--help` prints.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use mainstay::pipeline::PipelineSpec;

use crate::fetch::Fetch;

/// Calls HTTP servers that throttle, stall, break and come back.
///
/// Exit codes: 0 all succeeded, 1 some failed, 2 bad usage or configuration, 130 interrupted. `check`
/// ends with 1 where its file has errors.
#[derive(Parser)]
#[command(name = "mainstay", version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Calls an API with faults in three ways, and shows what a pipeline is for
    Demo,
    Fetch(Box<Fetch>),
    Check(Check),
    Explain(Explain),
    /// Prints the JSON Schema of files of pipelines, for editors
    Schema,
    /// Prints what a shell needs to complete this command's arguments
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Says what is wrong in a file of pipelines
///
/// Everything that is wrong is said at once, each with its place in the file. Exit code 1 if there is
/// an error.
#[derive(clap::Args)]
pub(crate) struct Check {
    /// The file, whose name ends in .toml or .json
    pub(crate) file: PathBuf,
    /// For people or for programs
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Takes warnings for errors
    #[arg(long)]
    pub(crate) deny_warnings: bool,
}

/// Says what a pipeline is made of, what each part does and what a call can cost at worst
///
/// Without a file it is the standard pipeline.
#[derive(clap::Args)]
pub(crate) struct Explain {
    /// The file, whose name ends in .toml or .json
    pub(crate) file: Option<PathBuf>,
    /// Which of its pipelines, or one that comes with mainstay; all of the file if it is left out
    #[arg(requires = "file")]
    pub(crate) name: Option<String>,
    /// A pipeline that comes with mainstay
    #[arg(long, value_name = "NAME", value_parser = presets(), conflicts_with = "file")]
    pub(crate) preset: Option<String>,
    /// For people or for programs
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Each may be written with hyphens, too.
fn presets() -> PossibleValuesParser {
    let named = |name: &'static str| PossibleValue::new(name).alias(name.replace('_', "-"));
    PossibleValuesParser::new(PipelineSpec::PRESETS.map(named))
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}
