//! Tokens and passwords, each alone in a file. They stay there until they are used, so that nothing else can show them.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use aura_model::{Missing, Reason};

/// A longer file is neither a token nor a password.
const LONGEST: u64 = 4096;

/// What stands in a file, without the end of its line.
///
/// # Errors
/// Why the file gives none; what stands in it is not repeated.
pub fn secret(file: &Path) -> Result<String, Missing> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|opened| opened.take(LONGEST + 1).read_to_end(&mut bytes));
    read.map_err(|error| named_file(file, &error))?;
    let unusable = |why: &str| {
        let detail = format!("{}: {why}; it holds a token or password and nothing else", file.display());
        Missing::new(Reason::Unreadable, detail)
    };
    if bytes.len() as u64 > LONGEST {
        return Err(unusable(&format!("is longer than {LONGEST} bytes")));
    }
    let text = aura_model::text(&bytes).map_err(|why| unusable(&why))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(unusable("is empty")),
        secret if secret.contains(['\r', '\n']) => Err(unusable("is more than one line")),
        secret => Ok(secret.to_owned()),
    }
}

/// A file that the configuration names cannot be read: one that is not there is a mistake of the configuration.
#[must_use]
pub fn named_file(file: &Path, error: &io::Error) -> Missing {
    let missing = Missing::from_io(file, error);
    let reason = if error.kind() == io::ErrorKind::NotFound { Reason::NotConfigured } else { missing.reason };
    Missing { reason, ..missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_one_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        for (text, expected) in
            [("sesame\n", "sesame"), ("open sesame\r\n", "open sesame"), ("\u{feff}sesame", "sesame")]
        {
            std::fs::write(&file, text).unwrap();
            assert_eq!(secret(&file).as_deref(), Ok(expected));
        }
        for (text, word) in [("", "empty"), ("\n", "empty"), ("two\nlines", "one line"), (&"x".repeat(5000), "longer")]
        {
            std::fs::write(&file, text).unwrap();
            let missing = secret(&file).unwrap_err();
            assert!(missing.reason == Reason::Unreadable && missing.detail.contains(word), "{missing:?}");
            assert!(text.trim().is_empty() || !missing.detail.contains(text.trim()), "{missing:?}");
        }
        assert_eq!(secret(&folder.path().join("gone")).unwrap_err().reason, Reason::NotConfigured);
    }
}
