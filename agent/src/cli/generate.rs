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
    views::{self, Offer, View, ollama::OllamaView},
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
pub(super) fn subjects() -> Vec<Subject> {
    let offered = views::offers().into_iter().map(|Offer { about, feed, operations }| Subject {
        name: feed.name,
        description: about,
        feed: Some(feed),
        operations,
    });
    let mut subjects: Vec<Subject> = offered.collect();
    if let Some(models) = subjects.iter_mut().find(|subject| subject.name == OllamaView::FEED.name) {
        models.operations.extend(actions::ollama::routes().operations());
    }
    subjects.push(Subject {
        name: "metrics",
        description: "What Prometheus scrapes.",
        feed: None,
        operations: http::METRICS.to_vec(),
    });
    subjects.push(Subject {
        name: "agent",
        description: "The agent itself: see [operation](operation.md).",
        feed: None,
        operations: http::own().operations(),
    });
    subjects
}

fn documents(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for (name, text) in generated() {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
