//! The command line: what may be written, and which function does it.

mod api_page;
mod compare;
mod configuration;
mod generate;
mod healthcheck;
mod metrics;
mod openapi;
mod run;
mod sample;
mod terminal;

use std::path::PathBuf;

use aura_host::NOT_READ;
use clap::{
    Args, Error, Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue},
};

use crate::config::{Overrides, Sources};

use terminal::print;
pub use terminal::print_error;

/// Version and commit, as `--version` says them.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("AURA_COMMIT"), ")");

/// Watches this machine and publishes what it sees: Prometheus metrics, live feeds and a dashboard page.
///
/// Works without configuration: start it and open the address that it prints.
#[derive(Debug, Parser)]
#[command(name = "aura", version = VERSION, max_term_width = 110, arg_required_else_help = false)]
#[command(after_help = "Exit codes: 0 all is well, 1 it failed, 2 arguments or configuration are wrong.")]
pub struct Arguments {
    /// What to do; `run` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings, over those of the configuration file and the environment.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Command {
    /// Sample, publish and serve until a signal says stop (the default)
    Run,
    /// Say everything that is wrong with a configuration
    Check {
        /// The file to check, instead of the one that would be used
        file: Option<PathBuf>,
    },
    /// Take one sample and print it
    Sample(SampleArguments),
    /// Print an example, the schema, or what holds and why
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Scrape another exporter beside this one and report what differs
    Compare(CompareArguments),
    /// Ask a running agent whether it is well; for containers
    Healthcheck(HealthcheckArguments),
    /// Write completions, the manual page or the generated documentation
    #[command(subcommand, hide = true)]
    Generate(GenerateCommand),
}

/// What `aura sample` takes.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct SampleArguments {
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub format: SampleFormat,
    /// The sources to sample; all when none is named
    #[arg(value_name = "SOURCE", value_parser = Sources::NAMES.to_vec())]
    pub sources: Vec<String>,
}

/// How a sample is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SampleFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// As a scrape would see it
    Prometheus,
}

/// What `aura compare` takes.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct CompareArguments {
    /// Where the other exporter answers, such as http://localhost:9100/metrics
    pub url: String,
}

/// What `aura healthcheck` takes.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct HealthcheckArguments {
    /// Where the agent answers; by default the first address of its configuration
    #[arg(long)]
    pub url: Option<String>,
}

/// What `aura config` prints.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// A file with every key, its default and what it means
    Example,
    /// The JSON schema of the file, for editors
    Schema,
    /// What holds, each value with the file and line, variable or flag that set it
    Show,
}

/// What `aura generate` writes.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum GenerateCommand {
    /// Completions for a shell, to standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The manual page, to standard output
    Man,
    /// The generated part of the documentation, into a folder
    Docs {
        /// The folder
        #[arg(default_value = "docs")]
        directory: PathBuf,
    },
}

impl Arguments {
    /// What the command line says; what it cannot say ends the process with a message.
    #[must_use]
    pub fn of_the_process() -> Self {
        Self::try_parse().unwrap_or_else(|error| {
            let _ = error.print();
            if let Some(hint) = hint(&error) {
                print_error(&hint);
            }
            std::process::exit(error.exit_code())
        })
    }

    /// Does what was asked.
    ///
    /// # Errors
    /// [`Problems`](crate::config::Problems) when the configuration is wrong; anything else when the work failed.
    pub fn execute(self) -> anyhow::Result<()> {
        let Self { command, overrides } = self;
        match command.unwrap_or(Command::Run) {
            Command::Run => run::run(&overrides),
            Command::Check { file } => configuration::check(overrides, file),
            Command::Sample(arguments) => sample::sample(&overrides, &arguments),
            Command::Config(command) => configuration::print_one(&overrides, &command),
            Command::Compare(arguments) => compare::compare(&overrides, &arguments),
            Command::Healthcheck(arguments) => healthcheck::healthcheck(&overrides, &arguments),
            Command::Generate(command) => generate::generate(&command),
        }
    }
}

/// What node_exporter's users have to know when a flag of theirs is not one of ours.
fn hint(error: &Error) -> Option<String> {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    let rest = flag.strip_prefix("--no-").or_else(|| flag.strip_prefix("--"))?;
    let collector = rest.strip_prefix("collector.")?.split(['.', '=']).next()?;
    Some(if NOT_READ.contains(&collector) {
        format!("node_exporter's collector {collector} is not read by this agent; docs/compatibility.md says why.")
    } else {
        "Collectors are chosen and set in the configuration: sources.host.collectors.enable and .disable, and the keys that \
         docs/compatibility.md lists beside node_exporter's flags."
            .to_owned()
    })
}

#[cfg(test)]
mod tests;
