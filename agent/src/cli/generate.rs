//! `aura generate`: what packages ship, and the part of the documentation that the code itself knows.

use std::{fs, path::Path};

use anyhow::Context;
use clap::CommandFactory;

use super::{
    Arguments, GenerateCommand, api_page, metrics,
    openapi::{self, Subject},
    print,
};
use crate::{
    actions,
    config::reference,
    http,
    views::{debates, governance, host, ollama, postgres},
};

pub(super) fn generate(command: &GenerateCommand) -> anyhow::Result<()> {
    let mut output = Vec::new();
    match command {
        GenerateCommand::Completions { shell } => {
            clap_complete::generate(*shell, &mut Arguments::command(), "aura", &mut output);
        }
        GenerateCommand::Man => clap_mangen::Man::new(Arguments::command()).render(&mut output)?,
        GenerateCommand::Docs { directory } => return documents(directory),
    }
    print(String::from_utf8(output)?)
}

/// The generated files by name. A test compares them with what is committed.
pub(super) fn generated() -> [(&'static str, String); 7] {
    let api = openapi::document(&subjects());
    [
        ("configuration.example.yaml", reference::example()),
        ("configuration.schema.json", reference::schema_text()),
        ("configuration.md", reference::markdown()),
        ("metrics.md", metrics::reference()),
        ("api.md", api_page::routes(&api)),
        ("api.fields.md", api_page::fields(&api)),
        ("api.openapi.json", format!("{api:#}\n")),
    ]
}

/// What there is to ask for, by what it is about.
pub(super) fn subjects() -> [Subject; 7] {
    [
        Subject {
            name: "system",
            description: "The host.",
            feed: Some(host::message::FEED),
            operations: host::routes().operations(),
        },
        Subject {
            name: "models",
            description: "Models of Ollama: see [Ollama](sources/ollama.md).",
            feed: Some(ollama::message::FEED),
            operations: [ollama::routes().operations(), actions::ollama::routes().operations()].concat(),
        },
        Subject {
            name: "database",
            description: "Servers of PostgreSQL: see [PostgreSQL](sources/postgres.md).",
            feed: Some(postgres::message::FEED),
            operations: postgres::routes().operations(),
        },
        Subject {
            name: "debates",
            description: "Debates of models, from the tables of an installation: see [PostgreSQL](sources/postgres.md).",
            feed: Some(debates::FEED),
            operations: debates::routes().operations(),
        },
        Subject {
            name: "governance",
            description: "Roles and audit logs: see [roles](sources/roles.md), [audit logs](sources/audit.md).",
            feed: Some(governance::message::FEED),
            operations: governance::routes().operations(),
        },
        Subject {
            name: "metrics",
            description: "What Prometheus scrapes.",
            feed: None,
            operations: http::METRICS.to_vec(),
        },
        Subject {
            name: "agent",
            description: "The agent itself: see [operation](operation.md).",
            feed: None,
            operations: http::own().operations(),
        },
    ]
}

fn documents(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for (name, text) in generated() {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
