//! `aura check` and `aura config`.

use std::path::PathBuf;

use super::{ConfigCommand, print};
use crate::{
    config::{Config, Loaded, Overrides, process_variables, reference},
    http::web_config::WebConfig,
};

/// Reads everything that a start would read, and says what is wrong with it.
pub(super) fn check(mut overrides: Overrides, file: Option<PathBuf>) -> anyhow::Result<()> {
    overrides.file = file.or(overrides.file);
    let loaded = load(&overrides)?;
    WebConfig::of(&loaded)?;
    let name = loaded.file.as_ref().map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    print(format!("{name}: the configuration is in order\n"))
}

pub(super) fn print_one(overrides: &Overrides, command: &ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Example => print(reference::example()),
        ConfigCommand::Schema => print(reference::schema_text()),
        ConfigCommand::Show => print(load(overrides)?.show()),
    }
}

/// Reads the configuration that would be used.
pub(super) fn load(overrides: &Overrides) -> anyhow::Result<Loaded> {
    let loaded = Config::load(overrides, &process_variables())?;
    for warning in &loaded.warnings {
        super::print_error(&format!("warning: {warning}"));
    }
    Ok(loaded)
}
