//! The binary `aura`: arguments in, exit code out.

use std::process::ExitCode;

use aura_agent::{cli::Arguments, config::Problems};
use clap::Parser;

fn main() -> ExitCode {
    let Err(error) = Arguments::parse().execute() else { return ExitCode::SUCCESS };
    match error.downcast_ref::<Problems>() {
        Some(problems) => {
            eprintln!("{problems}");
            ExitCode::from(2)
        }
        None => {
            eprintln!("aura: {error:#}");
            ExitCode::FAILURE
        }
    }
}
