//! The `mainstay` command; `mainstay --help` says what it does.

mod args;
mod check;
mod clock;
mod demo;
mod exit;
mod explain;
mod fetch;
mod out;
mod terminal;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Args, Command};
use exit::Exit;

fn main() -> ExitCode {
    run(Args::parse()).into()
}

fn run(args: Args) -> Exit {
    match args.command {
        Command::Demo => demo::run(),
        Command::Fetch(fetch) => fetch::run(*fetch),
        Command::Check(check) => check::run(&check),
        Command::Explain(explain) => explain::run(&explain),
        Command::Schema => out::whole(&mainstay::pipeline::config::schema()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "mainstay", &mut script);
            out::whole(&String::from_utf8_lossy(&script))
        }
    }
}
