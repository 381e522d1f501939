//! libpq's password file: `host:port:database:user:password`, `*` for any, a backslash before `:` and `\`.

use std::path::Path;

use aura_model::{Missing, Reason};

/// The password of the first line that fits; none when the file is not there.
pub(crate) fn find(path: &Path, host: &str, port: u16, database: &str, user: &str) -> Result<Option<String>, Missing> {
    let text = match std::fs::read(path) {
        Ok(bytes) => decoded(path, &bytes)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Missing::from_io(path, &error)),
    };
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(path).map_err(|error| Missing::from_io(path, &error))?)
        & 0o077
        != 0
    {
        let detail = format!("{}: others may read this password file; run: chmod 600 {0}", path.display());
        return Err(Missing::new(Reason::NoPermission, detail));
    }
    Ok(matching(&text, &[host, &port.to_string(), database, user]))
}

/// The text of a file that a person wrote.
pub(crate) fn decoded(path: &Path, bytes: &[u8]) -> Result<String, Missing> {
    let text = aura_model::text(bytes).map(str::to_owned);
    text.map_err(|why| Missing::new(Reason::Unreadable, format!("{}: {why}", path.display())))
}

fn matching(text: &str, wanted: &[&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let [login @ .., password] = &fields[..] else { return None };
        let fits = login.len() == 4 && login.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted);
        fits.then(|| password.clone())
    })
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ':' if fields.len() < 5 => fields.push(String::new()),
            '\\' => fields.last_mut().expect("one at least").extend(letters.next()),
            letter => fields.last_mut().expect("one at least").push(letter),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# a comment\nbroken\nother:*:*:me:no\ndb:5432:aura:me:a\\:b\\\\:c\n*:*:*:*:any\n";

    #[test]
    fn the_first_line_that_fits_counts() {
        assert_eq!(matching(FILE, &["db", "5432", "aura", "me"]).as_deref(), Some(r"a:b\:c"));
        assert_eq!(matching(FILE, &["db", "5433", "aura", "me"]).as_deref(), Some("any"));
        assert_eq!(matching("db:1:x:y:z\n", &["db", "2", "x", "y"]), None);
    }

    #[test]
    #[cfg(unix)]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgpass");
        assert_eq!(find(&path, "db", 5432, "aura", "me"), Ok(None));
        std::fs::write(&path, FILE).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let missing = find(&path, "db", 5432, "aura", "me").unwrap_err();
        assert!(missing.detail.contains("chmod 600"), "{missing}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(find(&path, "db", 5432, "aura", "me"), Ok(Some(r"a:b\:c".to_owned())));
    }
}
