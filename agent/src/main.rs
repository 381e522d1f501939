//! The binary `aura`: arguments in, exit code out.

use std::process::ExitCode;

use aura_agent::{
    cli::{Arguments, print_error},
    config::Problems,
};

fn main() -> ExitCode {
    let Err(error) = Arguments::of_the_process().execute() else { return ExitCode::SUCCESS };
    match error.downcast_ref::<Problems>() {
        Some(problems) => {
            print_error(&problems.to_string());
            ExitCode::from(2)
        }
        None => {
            print_error(&format!("aura: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
