//! Who may change the world: everybody who has a user of the web configuration, or, where there are no users, whoever
//! shows the control token. Without either nobody may, not even on loopback: every program and every web page on this
//! machine reaches that.

use std::{fmt, path::Path};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{api::ApiError, http::Settings};

/// A shorter token can be guessed.
const SHORTEST: usize = 16;

/// The token of `web.control_token_file`. Only its hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ControlToken([u8; 32]);

impl ControlToken {
    /// Reads the token; white space around it does not count.
    ///
    /// # Errors
    /// Why the file gives none. What stands in it is not repeated.
    pub fn load(file: &Path) -> Result<Self, String> {
        let text = aura_net::secret(file).map_err(|missing| missing.detail)?;
        let token = text.trim();
        if token.len() < SHORTEST || token.contains(char::is_whitespace) {
            let help = "make one with `openssl rand -hex 32`";
            let file = file.display();
            return Err(format!("{file}: a token is one word of at least {SHORTEST} characters; {help}"));
        }
        Ok(Self(hash(token.as_bytes())))
    }

    fn is(&self, shown: &[u8]) -> bool {
        self.0.ct_eq(&hash(shown)).into()
    }
}

impl fmt::Debug for ControlToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl Settings {
    /// Whether there is anybody who may change the world.
    #[must_use]
    pub fn has_controllers(&self) -> bool {
        self.authenticator.is_some() || self.control_token.is_some()
    }

    /// Whether a request with these headers may change the world. Users were checked before it came here.
    ///
    /// # Errors
    /// The response to send.
    pub fn may_control(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        if self.authenticator.is_some() {
            return Ok(());
        }
        let Some(token) = &self.control_token else {
            let message = "nobody may change anything here: there are no users and there is no control token";
            let hint = "name a file with a token in web.control_token_file, or users in web.config_file";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "no_control", message).hint(hint));
        };
        let shown = headers.get(header::AUTHORIZATION).and_then(bearer);
        if shown.is_some_and(|shown| token.is(shown)) {
            return Ok(());
        }
        let hint = "send Authorization: Bearer with the token of web.control_token_file";
        let error = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "the control token is needed here");
        Err(error.hint(hint).header(header::WWW_AUTHENTICATE, "Bearer realm=\"aura\""))
    }
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn hash(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use super::*;

    fn settings(token: Option<&str>) -> Settings {
        let control_token = token.map(|token| Arc::new(ControlToken(hash(token.as_bytes()))));
        Settings { control_token, ..Settings::default() }
    }

    fn headers(value: Option<&'static str>) -> HeaderMap {
        value.map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value))).into_iter().collect()
    }

    #[test]
    fn without_a_token_and_users_nobody_may() {
        for shown in [None, Some("Bearer "), Some("Bearer x"), Some("Basic eDp4")] {
            assert!(settings(None).may_control(&headers(shown)).is_err(), "{shown:?}");
        }
    }

    #[test]
    fn only_the_token_opens() {
        let settings = settings(Some("0123456789abcdef"));
        for shown in ["Bearer 0123456789abcdef", "bearer  0123456789abcdef "] {
            assert_eq!(settings.may_control(&headers(Some(shown))), Ok(()), "{shown}");
        }
        for shown in [
            None,
            Some("Bearer 0123456789abcde"),
            Some("Bearer 0123456789abcdef0"),
            Some("0123456789abcdef"),
            Some("Bearer"),
        ] {
            assert!(settings.may_control(&headers(shown)).is_err(), "{shown:?}");
        }
    }

    #[test]
    fn a_file_without_a_good_token_is_a_mistake_that_does_not_repeat_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for (text, word) in [("", "empty"), ("short", "one word"), ("0123456789 abcdef 0123", "one word")] {
            fs::write(&file, text).unwrap();
            let error = ControlToken::load(&file).unwrap_err();
            assert!(error.contains(word) && (text.is_empty() || !error.contains(text)), "{error}");
        }
        fs::write(&file, "x".repeat(5000)).unwrap();
        assert!(ControlToken::load(&file).unwrap_err().contains("longer"));
        assert!(ControlToken::load(&folder.path().join("absent")).unwrap_err().contains("absent"));
        fs::write(&file, " 0123456789abcdef\n").unwrap();
        assert_eq!(ControlToken::load(&file), Ok(ControlToken(hash(b"0123456789abcdef"))));
    }
}
