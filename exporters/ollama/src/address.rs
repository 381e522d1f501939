//! Where an Ollama listens, as `OLLAMA_HOST` and people write it.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use aura_net::HostPort;

/// Ollama's own port.
const PORT: u16 = 11434;

/// A server's address: `http://HOST:PORT` or `https://`, and a path when a proxy serves it below one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    encrypted: bool,
    place: HostPort,
    prefix: String,
}

impl Address {
    /// Whether it begins with https.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Whether what is sent there stays on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.place.is_loopback()
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.place.port
    }

    /// `HOST:PORT`: the `Host` header, and the label of its metrics.
    #[must_use]
    pub fn authority(&self) -> String {
        self.place.to_string()
    }
}

impl Default for Address {
    fn default() -> Self {
        let place = HostPort { host: "127.0.0.1".to_owned(), port: PORT };
        Self { encrypted: false, place, prefix: String::new() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encrypted { "https" } else { "http" };
        write!(formatter, "{scheme}://{}{}", self.place, self.prefix)
    }
}

impl FromStr for Address {
    type Err = String;

    /// Reads what Ollama itself accepts in `OLLAMA_HOST`: without a scheme the port is 11434, with `http://` it is 80,
    /// with `https://` 443. An address that means "all interfaces" to a server means this machine to a client.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            // Before an @ may stand a password, so this text is not repeated.
            let help = "name the user beside it, in user and password_file, or a token in token_file";
            return Err(format!("the address of an Ollama holds no user and no password: {help}"));
        }
        let wrong =
            |why: &str| format!("{text:?} is not the address of an Ollama: {why}, as in http://127.0.0.1:11434");
        let trimmed = text.trim().trim_matches(['"', '\'']);
        let (encrypted, default_port, rest) = match trimmed.split_once("://") {
            None => (false, PORT, trimmed),
            Some(("http", rest)) => (false, 80, rest),
            Some(("https", rest)) => (true, 443, rest),
            Some(_) => return Err(wrong("it begins with http:// or https://")),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains(['?', '#', ' ']) || path.contains(['?', '#', ' ']) {
            return Err(wrong("it is a host, a port and perhaps a path"));
        }
        let place = match authority.parse::<Ipv6Addr>() {
            Ok(address) => HostPort { host: address.to_string(), port: default_port },
            Err(_) => HostPort::parse(authority, Some(default_port)).map_err(wrong)?,
        };
        if place.port == 0 {
            return Err(wrong("the port is a number from 1 to 65535"));
        }
        Ok(Self { encrypted, place: place.reached(), prefix: path.trim_end_matches('/').to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_as_ollama_reads_them() {
        for (text, expected) in [
            ("", "http://127.0.0.1:11434"),
            ("127.0.0.1", "http://127.0.0.1:11434"),
            ("0.0.0.0:9207", "http://127.0.0.1:9207"),
            (":9207", "http://127.0.0.1:9207"),
            ("box.lan", "http://box.lan:11434"),
            ("http://box.lan", "http://box.lan:80"),
            ("http://box.lan:11434/", "http://box.lan:11434"),
            ("http://box.lan:80/ollama/", "http://box.lan:80/ollama"),
            ("https://box.lan", "https://box.lan:443"),
            ("https://box.lan:8443/ollama/", "https://box.lan:8443/ollama"),
            ("[::1]:1234", "http://[::1]:1234"),
            ("::1", "http://[::1]:11434"),
            ("[::]", "http://[::1]:11434"),
            ("::0", "http://[::1]:11434"),
            (" \"box.lan:1\" ", "http://box.lan:1"),
        ] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, word) in [
            ("ftp://box.lan", "http://"),
            ("box.lan:eleven", "port"),
            ("box.lan:0", "port"),
            ("http://user:secret@box.lan", "password_file"),
            ("::]", "IPv6"),
            ("[box.lan]x", "IPv6"),
            ("box.lan/?x", "path"),
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.contains(word) && !error.contains("secret"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn an_address_reads_back_as_itself(text in "(https?://)?[a-z0-9.:\\[\\]]{0,12}(:[0-9]{1,5})?(/[a-z]{0,3}){0,2}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
