//! Where positions and numbers outlive a restart: one file, replaced as a whole, so that a killed process leaves
//! either the old one or the new one.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use aura_model::Missing;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::follow::LogState;

/// The states of all logs, by the path of their live file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
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
    /// It is there and cannot be read: to begin anew would count everything twice.
    pub(crate) fn open(folder: &Path) -> Result<Self, Missing> {
        let path = folder.join("audit.json");
        let kept = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                let aside = path.with_extension("json.broken");
                warn!(
                    "{} is broken ({error}): it is kept as {}, and counting begins anew",
                    path.display(),
                    aside.display()
                );
                let _ = fs::rename(&path, &aside);
                State::default()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(Missing::from_io(&path, &error)),
        };
        Ok(Self { path, kept })
    }

    pub(crate) fn log(&self, path: &Path) -> LogState {
        self.kept.logs.get(path).cloned().unwrap_or_default()
    }

    /// Keeps these instead, unless nothing has changed.
    pub(crate) fn keep<'a>(
        &mut self,
        logs: impl Iterator<Item = (&'a Path, &'a LogState)> + Clone,
    ) -> Result<(), Missing> {
        if logs.clone().all(|(path, state)| self.kept.logs.get(path) == Some(state)) {
            return Ok(());
        }
        let state = State { logs: logs.map(|(path, state)| (path.to_owned(), state.clone())).collect() };
        self.write(&state).map_err(|error| Missing::from_io(&self.path, &error))?;
        self.kept = state;
        Ok(())
    }

    fn write(&self, state: &State) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = self.path.with_extension("json.new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(state)?)?;
        file.sync_data()?;
        fs::rename(&new, &self.path)
    }
}
