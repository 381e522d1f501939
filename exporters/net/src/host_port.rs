//! A host and a port, as people write them and as they stand in headers, labels and messages.

use std::{
    fmt, io,
    net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A host and a port: `box.lan:9205`, `[::1]:9205`, or `:9205`, which is every address of the machine to a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name or an IP address without brackets; empty where none is written. A name is looked up only when it is used.
    pub host: String,
    /// The port; 0 lets the system choose.
    pub port: u16,
}

/// The host without its brackets, and what stands behind the colon; none when brackets or colons do not fit together,
/// as in an IPv6 address without brackets.
#[must_use]
pub fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    match text.strip_prefix('[') {
        Some(inner) => {
            let (host, rest) = inner.split_once(']')?;
            if rest.is_empty() { Some((host, None)) } else { Some((host, Some(rest.strip_prefix(':')?))) }
        }
        None => match text.split_once(':') {
            Some((_, port)) if port.contains(':') => None,
            Some((host, port)) => Some((host, Some(port))),
            None => Some((text, None)),
        },
    }
}

impl HostPort {
    /// Reads `HOST:PORT`, and `HOST` where a port is understood.
    ///
    /// # Errors
    /// What is expected instead, as half a sentence.
    pub fn parse(text: &str, understood: Option<u16>) -> Result<Self, &'static str> {
        let (host, port) = split_port(text).ok_or("an IPv6 address stands between [ and ]")?;
        let host = if text.starts_with('[') {
            host.parse::<Ipv6Addr>().map_err(|_| "between [ and ] stands an IPv6 address")?.to_string()
        } else if host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')) {
            host.to_owned()
        } else {
            return Err("before the port stands a name or an IP address, IPv6 between [ and ]");
        };
        let port = match (port, understood) {
            (Some(port), _) => port.parse().map_err(|_| "the port is a number up to 65535")?,
            (None, Some(port)) => port,
            (None, None) => return Err("write HOST:PORT"),
        };
        Ok(Self { host, port })
    }

    /// Whether only this machine is reached there. A name other than localhost may mean anything, so it does not count.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost") || self.ip().is_some_and(|address| address.is_loopback())
    }

    /// Where a client reaches a server that listens here: what means "all addresses" to a server means this machine to a
    /// client.
    #[must_use]
    pub fn reached(self) -> Self {
        let host = match self.host.as_str() {
            "" | "0.0.0.0" => "127.0.0.1".to_owned(),
            "::" => "::1".to_owned(),
            _ => self.host,
        };
        Self { host, ..self }
    }

    /// The addresses to listen on.
    ///
    /// # Errors
    /// The name could not be looked up.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        if self.host.is_empty() {
            // One socket that takes both families, as node_exporter's ":9100" does.
            return Ok(vec![SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.port))]);
        }
        Ok((self.host.as_str(), self.port).to_socket_addrs()?.collect())
    }

    fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(formatter, "[{host}]:{port}") } else { write!(formatter, "{host}:{port}") }
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let help = "as in 127.0.0.1:9205, [::1]:9205 or :9205";
        Self::parse(text, None).map_err(|why| format!("{text:?} is not a host and a port: {why}, {help}"))
    }
}

impl Serialize for HostPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_and_a_port_in_every_form() {
        for (text, understood, host, port) in [
            ("box.lan:1", None, "box.lan", 1),
            (":9205", None, "", 9205),
            ("[::1]:0", None, "::1", 0),
            ("box.lan", Some(80), "box.lan", 80),
            ("[fd00::7]", Some(80), "fd00::7", 80),
            ("", Some(80), "", 80),
        ] {
            assert_eq!(HostPort::parse(text, understood), Ok(HostPort { host: host.to_owned(), port }), "{text}");
        }
        for (text, why) in [
            ("box.lan", "HOST:PORT"),
            ("box.lan:eleven", "65535"),
            ("box.lan:65536", "65535"),
            ("box.lan:", "65535"),
            ("::1", "IPv6"),
            ("::]", "IPv6"),
            ("[box.lan]:1", "IPv6"),
            ("[::1]x", "IPv6"),
            ("a b:1", "name"),
            ("me@box:1", "name"),
        ] {
            let message = text.parse::<HostPort>().unwrap_err();
            assert!(message.contains(why), "{message}");
        }
    }

    #[test]
    fn a_server_on_all_addresses_is_reached_on_this_machine() {
        for (text, reached) in [
            (":1", "127.0.0.1:1"),
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("box.lan:1", "box.lan:1"),
            ("[fd00::7]:1", "[fd00::7]:1"),
        ] {
            assert_eq!(text.parse::<HostPort>().unwrap().reached().to_string(), reached);
        }
        for (text, loopback) in [
            ("localhost:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            (":1", false),
            ("10.0.0.7:1", false),
            ("localhost.lan:1", false),
        ] {
            assert_eq!(text.parse::<HostPort>().unwrap().is_loopback(), loopback, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_reads_back_as_itself(text in "[a-z0-9.:\\[\\]]{0,12}(:[0-9]{1,5})?") {
            if let Ok(read) = text.parse::<HostPort>() {
                prop_assert_eq!(read.to_string().parse(), Ok(read));
            }
        }
    }
}
