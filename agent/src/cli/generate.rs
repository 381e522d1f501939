//! `aura generate`: what packages ship, and the part of the documentation that the code itself knows.

use std::{fs, path::Path};

use anyhow::Context;
use clap::CommandFactory;

use super::{Arguments, GenerateCommand, answers, metrics, print};
use crate::{
    config::reference,
    views::{governance, host, ollama, postgres},
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
pub(super) fn generated() -> [(&'static str, String); 9] {
    [
        ("configuration.example.yaml", reference::example()),
        ("configuration.schema.json", reference::schema_text()),
        ("configuration.md", reference::markdown()),
        ("metrics.md", metrics::reference()),
        ("api.answers.schema.json", answers::answers()),
        ("api.schema.json", host::message::schema()),
        ("api.database.schema.json", postgres::message::schema()),
        ("api.models.schema.json", ollama::message::schema()),
        ("api.governance.schema.json", governance::message::schema()),
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
