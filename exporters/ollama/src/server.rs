//! A server, and what it takes to be let in: the authority behind its certificate, a token or a password.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use aura_model::{Missing, Reason};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;

use crate::Address;

/// A longer file is neither a token nor a password.
const LONGEST_SECRET: u64 = 4096;

/// A server to ask. Secrets stay in their files until a connection is made, so that nothing here can show them.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Where it listens.
    pub address: Address,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) login: Option<Login>,
}

/// What a proxy before Ollama asks for; Ollama itself knows no users.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Login {
    Token(PathBuf),
    Password { user: String, file: PathBuf },
}

impl From<Address> for Server {
    fn from(address: Address) -> Self {
        Self { address, ca_file: None, login: None }
    }
}

impl FromStr for Server {
    type Err = String;

    /// A server that lets everybody in.
    fn from_str(url: &str) -> Result<Self, String> {
        url.parse().map(Address::into)
    }
}

impl Login {
    /// The header that says so, from the file as it is now.
    pub(crate) fn header(&self) -> Result<HeaderValue, Missing> {
        let (text, file) = match self {
            Self::Token(file) => (format!("Bearer {}", secret(file)?), file),
            Self::Password { user, file } => {
                (format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", secret(file)?))), file)
            }
        };
        let mut header = HeaderValue::from_str(&text).map_err(|_| unusable(file, "it is more than one line"))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// What stands in a file, without the end of its line.
fn secret(file: &Path) -> Result<String, Missing> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|opened| opened.take(LONGEST_SECRET + 1).read_to_end(&mut bytes));
    read.map_err(|error| no_file(file, &error))?;
    if bytes.len() as u64 > LONGEST_SECRET {
        return Err(unusable(file, "it is too long"));
    }
    let text = aura_model::text(&bytes).map_err(|why| unusable(file, &why))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(unusable(file, "it is empty")),
        secret => Ok(secret.to_owned()),
    }
}

/// A file that the configuration names cannot be read.
pub(crate) fn no_file(file: &Path, error: &io::Error) -> Missing {
    let missing = Missing::from_io(file, error);
    let reason = if error.kind() == io::ErrorKind::NotFound { Reason::NotConfigured } else { missing.reason };
    Missing { reason, ..missing }
}

fn unusable(file: &Path, why: &str) -> Missing {
    let detail = format!("{}: {why}; it holds a token or password and nothing else", file.display());
    Missing::new(Reason::Unreadable, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_login_is_the_header_of_its_file_as_it_is_now() {
        let token = file("sesame\n");
        let login = Login::Token(token.path().into());
        assert_eq!(login.header().unwrap(), "Bearer sesame");
        std::fs::write(token.path(), "another\r\n").unwrap();
        assert_eq!(login.header().unwrap(), "Bearer another");
        assert!(login.header().unwrap().is_sensitive());
        let gone = Login::Password { user: "Aladdin".into(), file: file("open sesame").path().into() };
        assert_eq!(gone.header().unwrap_err().reason, Reason::NotConfigured);
        let kept = file("\u{feff}open sesame");
        let password = Login::Password { user: "Aladdin".into(), file: kept.path().into() };
        assert_eq!(password.header().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn what_is_no_secret_says_why_without_showing_it() {
        for (text, word) in [("", "empty"), ("\n", "empty"), ("two\nlines", "one line"), (&"x".repeat(5000), "long")] {
            let file = file(text);
            let missing = Login::Token(file.path().into()).header().unwrap_err();
            assert!(missing.detail.contains(word), "{missing:?}");
            assert!(text.trim().is_empty() || !missing.detail.contains(text.trim()), "{missing:?}");
        }
    }
}
