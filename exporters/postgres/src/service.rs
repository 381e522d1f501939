//! libpq's service files: sections with a name in brackets, and parameters by lines.

use std::path::{Path, PathBuf};

use crate::{parameters, target::Environment};

/// The parameters of a service.
pub(crate) fn find(
    name: &str,
    file: Option<&str>,
    environment: Environment<'_>,
) -> Result<Vec<(&'static str, String)>, String> {
    let home = environment("HOME").map(|home| Path::new(&home).join(".pg_service.conf"));
    let folder = environment("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".to_owned());
    let files: Vec<PathBuf> = match file {
        Some(file) => vec![PathBuf::from(file)],
        None => home.into_iter().chain([Path::new(&folder).join("pg_service.conf")]).collect(),
    };
    for path in &files {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => continue,
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let found = section(&text, name).map_err(|error| format!("{}: {error}", path.display()))?;
        if let Some(found) = found {
            return Ok(found);
        }
    }
    let files = files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ");
    Err(format!("service {name:?} is not in {files}"))
}

fn section(text: &str, name: &str) -> Result<Option<Vec<(&'static str, String)>>, String> {
    let mut found: Option<Vec<(&'static str, String)>> = None;
    for (index, line) in text.lines().enumerate() {
        let (line, number) = (line.trim(), index + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if found.is_some() {
                break;
            }
            if title == name {
                found = Some(Vec::new());
            }
            continue;
        }
        let Some(pairs) = &mut found else { continue };
        if line.starts_with("ldap") {
            return Err(format!("line {number}: services are not looked up in LDAP"));
        }
        let (key, value) = line.split_once('=').ok_or_else(|| format!("line {number} is not key=value"))?;
        let key =
            parameters::known(key.trim_end()).map_err(|hint| format!("line {number}: unknown parameter{hint}"))?;
        if matches!(key, "service" | "servicefile") {
            return Err(format!("line {number}: a service cannot name another"));
        }
        pairs.push((key, value.trim().to_owned()));
    }
    Ok(found)
}
