//! A server, and what it takes to be let in: the authority behind its certificate, a token or a password.

use std::{path::PathBuf, str::FromStr};

use aura_model::{Missing, Reason};
use aura_net::secret;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;

use crate::Address;

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
        let mut header = HeaderValue::from_str(&text).map_err(|_| {
            let detail = format!("{}: holds letters that no header may hold", file.display());
            Missing::new(Reason::Unreadable, detail)
        })?;
        header.set_sensitive(true);
        Ok(header)
    }
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
}
