//! What the agent is told to do.
//!
//! Two stages. *As typed* is a tree ([`node`]) in which every value knows the file and line, the variable or the
//! flag that gave it; layers are laid over each other there. *As meant* is [`Config`], read from that tree and
//! then checked for what types cannot say. Every mistake is reported with its place, all of them at once.

mod check;
mod deserialize;
mod environment;
mod flags;
mod interpolate;
mod network;
pub mod node;
mod problem;
pub mod reference;
pub mod settings;
mod show;
mod sources;
mod thresholds;
pub mod yaml;

use std::{
    ffi::OsString,
    io::Read,
    path::{Path, PathBuf},
};

use aura_model::Paths;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use node::{Node, Origin, Scalar, Value};

pub(crate) use deserialize::deserialize;
pub use interpolate::Variables;
pub use network::Network;
pub(crate) use problem::suggestion;
pub use problem::{Problem, Problems};
pub use settings::{Energy, Feed, History, Log, LogFormat, LogLevel, StaleAfter, Storage, Web};
pub use sources::{Sources, Visit};
pub use thresholds::{Threshold, Thresholds};

/// Everything that can be set. Every key has a default that works.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the agent listens and whom it answers.
    pub web: Web,
    /// What is logged, and how.
    pub log: Log,
    /// What outlives a restart.
    pub storage: Storage,
    /// Where the outside world is mounted: elsewhere in a container.
    pub paths: Paths,
    /// The live feeds that pages listen to.
    pub feed: Feed,
    /// What is remembered in memory, so that graphs are full when a page opens.
    pub history: History,
    /// Values worth a warning on the page and in the feed. Each has `warning` and `critical`, the values above which
    /// it is shown (leave one empty to have none), and `for`, how long the value must stay there first.
    pub thresholds: Thresholds,
    /// What electricity costs.
    pub energy: Energy,
    /// So long the last values are shown, with their age, while newer ones do not come: a machine that is out of memory
    /// stands still for seconds. Of a source that is asked seldom, three of its intervals where that is longer. Older
    /// values are absent.
    pub stale_after: StaleAfter,
    /// What is watched, each with its own options. `enabled` is auto (when the machine has it), true or false.
    pub sources: Sources,
}

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// The file that was named.
    pub file: Option<PathBuf>,
    /// The keys that have flags, where they were given.
    pub flags: Vec<Override>,
}

/// One flag that sets a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// The flag, as in `--web.listen-address`.
    pub flag: &'static str,
    /// The key, as in `web.listen_address`.
    pub path: &'static str,
    /// Its value, or values when it was given more than once.
    pub values: Vec<String>,
}

/// A configuration that is in order, and what is needed to read it again.
pub struct Loaded {
    /// As meant.
    pub config: Config,
    /// As typed, all layers together.
    pub typed: Node,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// What is not wrong but probably not wanted.
    pub warnings: Vec<String>,
}

/// A file longer than this is no configuration.
const MAX_FILE_BYTES: u64 = 1 << 20;

impl Config {
    /// Reads all layers: defaults, file, environment, flags; the later wins.
    ///
    /// # Errors
    /// Every mistake, each with its place.
    pub fn load(overrides: &Overrides, variables: &[(String, String)]) -> Result<Loaded, Problems> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, value)| known == name && !value.is_empty());
            found.map(|(_, value)| value.clone())
        };
        let file = find_file(overrides, &variable);
        let mut typed = environment::state_directory(&variable);
        let mut problems = Problems::default();
        if let Some(file) = &file {
            match read_file(file).and_then(|text| yaml::parse(&text, file, Some(&variable))) {
                Ok(Node { value: Value::Scalar(_) | Value::List(_), origin }) => {
                    let message = "expected a section with keys, such as web: or sources:";
                    problems.0.push(Problem { origin, path: String::new(), message: message.to_owned() });
                }
                Ok(layer) => typed = typed.overlaid(layer),
                Err(found) => problems.0.extend(found.0),
            }
        }
        let defaults = reference::defaults(&Self::default());
        let (layer, warnings) = environment::layer(variables, &defaults, &mut problems);
        typed = typed.overlaid(layer);
        for flag in &overrides.flags {
            typed = typed.overlaid(flag.layer());
        }
        // Over the defaults, so that a section with one key keeps the others as they are.
        let whole = defaults.overlaid(typed.clone());
        let config = deserialize(&whole).unwrap_or_else(|found: Problems| {
            problems.0.extend(found.0);
            Self::default()
        });
        if problems.0.is_empty() {
            problems.0.extend(check::problems(&config, &typed));
        }
        problems.or(Loaded { config, typed, file, warnings })
    }
}

impl Override {
    fn layer(&self) -> Node {
        let origin = Origin::Flag(self.flag);
        let scalar = |text: &String| Value::Scalar(Scalar::plain(text));
        let value = match self.values.as_slice() {
            [one] => scalar(one),
            many => Value::List(many.iter().map(|text| Node { origin: origin.clone(), value: scalar(text) }).collect()),
        };
        Node::nested(self.path, &origin, value)
    }
}

/// The environment of this process.
#[must_use]
pub fn process_variables() -> Vec<(String, String)> {
    let text = |(name, value): (OsString, OsString)| (name.to_string_lossy().into(), value.to_string_lossy().into());
    std::env::vars_os().map(text).collect()
}

/// The text of a configuration file.
///
/// # Errors
/// It cannot be read, is longer than any configuration, or is not UTF-8.
pub fn read_file(path: &Path) -> Result<String, Problems> {
    let whole = |message: String| Problems::one(Origin::Default, "", format!("{}: {message}", path.display()));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| whole(format!("cannot be opened: {error}")))?;
    let length = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
    if length.map_err(|error| whole(format!("cannot be read: {error}")))? as u64 > MAX_FILE_BYTES {
        return Err(whole("is longer than 1 MiB: this is no configuration".to_owned()));
    }
    aura_model::text(&bytes).map(str::to_owned).map_err(whole)
}

/// The file that was named, else the first of the usual places that has one.
fn find_file(overrides: &Overrides, variable: &Variables<'_>) -> Option<PathBuf> {
    let named = overrides.file.clone().or_else(|| variable("AURA_CONFIG_FILE").map(PathBuf::from));
    named.or_else(|| {
        let home = variable("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".config")));
        let places = home.into_iter().chain(["/etc".into()]);
        places.map(|place| place.join("aura/aura.yaml")).find(|file| file.exists())
    })
}

#[cfg(test)]
mod tests;
