//! Where positions and numbers outlive a restart: one file, replaced as a whole, so that a killed process leaves
//! either the old one or the new one.
//!
//! The file says its version. A field more within a version is passed over; what another version means differently
//! is read by [`migrate`]. A file of a newer version, and one that cannot be understood or cannot be true, is set
//! aside and never written over.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use aura_model::Missing;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::warn;

use crate::{follow::LogState, known::Known, position::Head, position::Position};

/// What this program writes.
const VERSION: u64 = 1;
/// Logs that were not followed for the longest are forgotten beyond so many.
const MOST: usize = 1000;

/// The states of all logs, by the path of their live file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) version: u64,
    /// When it was written, by the clock of the machine; milliseconds since 1970.
    #[serde(default)]
    pub(crate) written: Option<i64>,
    /// Also of logs that are not followed now: one that comes back goes on where it was.
    pub(crate) logs: BTreeMap<PathBuf, LogState>,
}

/// The file that holds them.
pub(crate) struct Storage {
    path: PathBuf,
    kept: State,
}

impl Storage {
    /// The file in this folder, and what it holds.
    ///
    /// # Errors
    /// It is there and cannot be read, or not be set aside: to begin anew would count everything twice.
    pub(crate) fn open(folder: &Path) -> Result<Self, Missing> {
        let path = folder.join("audit.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path, kept: State::default() });
            }
            Err(error) => return Err(Missing::from_io(&path, &error)),
        };
        let kept = match understand(&bytes) {
            Ok(kept) => kept,
            Err(Misread { what, suffix, sound }) => {
                let aside = free_name(&path, &suffix);
                fs::rename(&path, &aside).map_err(|error| Missing::from_io(&aside, &error))?;
                let rest = match sound.logs.len() {
                    0 => "counting begins anew".to_owned(),
                    logs => format!("counting begins anew where it was wrong, and goes on in {logs} other logs"),
                };
                warn!("{} {what}: it is kept as {}, and {rest}", path.display(), aside.display());
                sound
            }
        };
        Ok(Self { path, kept })
    }

    pub(crate) fn log(&self, path: &Path) -> LogState {
        self.kept.logs.get(path).cloned().unwrap_or_default()
    }

    /// When it was written last.
    pub(crate) fn written(&self) -> Option<i64> {
        self.kept.written
    }

    /// Keeps these beside the others, unless nothing has changed.
    pub(crate) fn keep<'a>(
        &mut self,
        now: i64,
        logs: impl IntoIterator<Item = (&'a Path, &'a LogState)>,
    ) -> Result<(), Missing> {
        let logs: Vec<(&Path, &LogState)> = logs.into_iter().collect();
        if logs.iter().all(|&(path, state)| self.kept.logs.get(path) == Some(state)) {
            return Ok(());
        }
        let before = self.kept.clone();
        (self.kept.version, self.kept.written) = (VERSION, Some(now));
        for &(path, state) in &logs {
            self.kept.logs.insert(path.to_owned(), state.clone());
        }
        if self.kept.logs.len() > MOST {
            self.kept.logs.retain(|path, _| logs.iter().any(|(followed, _)| *followed == path));
        }
        let result = self.write().map_err(|error| Missing::from_io(&self.path, &error));
        if result.is_err() {
            self.kept = before;
        }
        result
    }

    fn write(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = self.path.with_extension("json.new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&self.kept)?)?;
        file.sync_data()?;
        fs::rename(&new, &self.path)
    }
}

/// A file that cannot be used as it is, and what of it can.
struct Misread {
    what: String,
    suffix: String,
    sound: State,
}

fn understand(bytes: &[u8]) -> Result<State, Misread> {
    let misread = |what: String| Misread { what, suffix: "broken".to_owned(), sound: State::default() };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| misread(format!("is broken ({error})")))?;
    let version = match value.get("version") {
        None => 0,
        Some(version) => version.as_u64().ok_or_else(|| misread(format!("is broken (version {version})")))?,
    };
    if version > VERSION {
        let what = format!("was written by a newer agent (version {version}; this one knows {VERSION})");
        return Err(Misread { what, suffix: format!("version-{version}"), sound: State::default() });
    }
    let value = if version == 0 { migrate(value) } else { value };
    let mut state: State = serde_json::from_value(value).map_err(|error| misread(format!("is broken ({error})")))?;
    let wrong: Vec<String> =
        state.logs.iter().filter(|(_, log)| !log.is_sound()).map(|(path, _)| path.display().to_string()).collect();
    if wrong.is_empty() {
        return Ok(state);
    }
    state.logs.retain(|_, log| log.is_sound());
    Err(Misread { what: format!("cannot be true for {}", wrong.join(", ")), suffix: "broken".to_owned(), sound: state })
}

/// The first format had no version: one file that was renamed (`previous`) beside the live one, and of those that were
/// finished the beginnings alone.
fn migrate(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.insert("version".to_owned(), json!(VERSION));
    }
    let Some(logs) = value.get_mut("logs").and_then(Value::as_object_mut) else { return value };
    for log in logs.values_mut().filter_map(Value::as_object_mut) {
        log.remove("quiet");
        let previous = log.remove("previous").and_then(|previous| serde_json::from_value::<Position>(previous).ok());
        let known: VecDeque<Known> = previous.map(Known::growing).into_iter().collect();
        log.insert("known".to_owned(), json!(known));
        let seen = log.get("seen").cloned().and_then(|seen| serde_json::from_value::<VecDeque<Head>>(seen).ok());
        log.insert("seen".to_owned(), json!(seen.unwrap_or_default()));
    }
    value
}

/// A name beside this one that is not taken.
fn free_name(path: &Path, suffix: &str) -> PathBuf {
    let name = |number: u32| match number {
        1 => path.with_extension(format!("json.{suffix}")),
        _ => path.with_extension(format!("json.{suffix}.{number}")),
    };
    (1..1000).map(name).find(|name| !name.exists()).unwrap_or_else(|| name(1))
}

#[cfg(test)]
mod tests;
