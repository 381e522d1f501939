//! The one folder that is written to belongs to one agent: two would replace each other's files.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Read, Write},
    path::Path,
};

use anyhow::bail;
use tracing::warn;

/// Takes the folder for as long as what is returned lives. The system lets go of it when the process ends, however it
/// ends. A folder that cannot be locked is used all the same, and the log says so.
///
/// # Errors
/// Another agent has it.
pub(super) fn claim(folder: &Path) -> anyhow::Result<Option<File>> {
    let path = folder.join("agent.lock");
    let opened = fs::create_dir_all(folder)
        .and_then(|()| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path));
    let mut file = match opened {
        Ok(file) => file,
        Err(error) => {
            // Nobody writes to a folder like this one; the sources say what they cannot keep.
            warn!("storage.path: {} is not kept from a second agent: {error}", path.display());
            return Ok(None);
        }
    };
    match file.try_lock() {
        Ok(()) => {
            let id = format!("{}\n", std::process::id());
            // For people who look; nothing depends on it.
            let _ = file.set_len(0).and_then(|()| file.write_all(id.as_bytes()));
            Ok(Some(file))
        }
        Err(TryLockError::WouldBlock) => {
            let mut id = String::new();
            let _ = file.read_to_string(&mut id);
            let who = id.trim().parse::<u32>().map_or_else(|_| String::new(), |id| format!(" (process {id})"));
            bail!(
                "storage.path: {} is in use by another agent{who}: stop it, or give this one a folder of its own",
                folder.display()
            )
        }
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(None),
        Err(TryLockError::Error(error)) => {
            warn!("storage.path: {} is not kept from a second agent: {error}", path.display());
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_agent_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let first = claim(&path).unwrap();
        assert!(first.is_some());
        let refused = claim(&path).unwrap_err().to_string();
        assert!(refused.contains("in use") && refused.contains(&std::process::id().to_string()), "{refused}");
        drop(first);
        assert!(claim(&path).unwrap().is_some());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_no_reason_to_stop() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(claim(&file.join("below")).unwrap().is_none());
    }
}
