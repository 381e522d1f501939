//! Where an Ollama listens, as `OLLAMA_HOST` and people write it.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// Ollama's own port.
const PORT: u16 = 11434;

/// A server's address: `http://HOST:PORT` or `https://`, and a path when a proxy serves it below one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    encrypted: bool,
    host: String,
    port: u16,
    prefix: String,
}

impl Address {
    /// The name or IP address to connect to.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it begins with https.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Whether what is sent there stays on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// What stands before every route; usually nothing.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// `HOST:PORT`: the `Host` header, and the label of its metrics.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl Default for Address {
    fn default() -> Self {
        Self { encrypted: false, host: "127.0.0.1".to_owned(), port: PORT, prefix: String::new() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encrypted { "https" } else { "http" };
        write!(formatter, "{scheme}://{}{}", self.authority(), self.prefix)
    }
}

impl FromStr for Address {
    type Err = String;

    /// Reads what Ollama itself accepts in `OLLAMA_HOST`: without a scheme the port is 11434, with `http://` it is 80,
    /// with `https://` 443. An address that means "all interfaces" to a server means this machine to a client.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            // Before an @ may stand a password, so this text is not repeated.
            let help = "name who asks beside it, in user and password_file, or in token_file";
            return Err(format!("an address of an Ollama holds no user and no password: {help}"));
        }
        let wrong = |why: &str| format!("{text:?} is no address of an Ollama: {why}, as in http://127.0.0.1:11434");
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
        let (host, port) = match split_port(authority) {
            (host, None) => (host, default_port),
            (host, Some(port)) => (host, port.parse().map_err(|_| wrong("the port is a number from 1 to 65535"))?),
        };
        if port == 0 {
            return Err(wrong("the port is a number from 1 to 65535"));
        }
        let named = host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
        if !named && host.parse::<Ipv6Addr>().is_err() {
            return Err(wrong("before the port stands a name or an IP address, IPv6 between [ and ]"));
        }
        let host = match host {
            "" | "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            host => host,
        };
        Ok(Self { encrypted, host: host.to_owned(), port, prefix: path.trim_end_matches('/').to_owned() })
    }
}

/// The host without brackets, and the port if one is written.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        match rest.strip_prefix(':') {
            Some(port) => return (host, Some(port)),
            None if rest.is_empty() => return (host, None),
            None => return (authority, None),
        }
    }
    match authority.split_once(':') {
        // More than one colon and no brackets: an IPv6 address alone.
        Some((_, rest)) if rest.contains(':') => (authority, None),
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
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
