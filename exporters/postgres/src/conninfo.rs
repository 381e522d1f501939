//! libpq's connection strings: `postgres://user:password@host:port/database?key=value`, and `key=value key='value'`.
//!
//! Where a string is not understood, a password may be anywhere in it, so no part of it is ever repeated: not in an
//! error, and not where the configuration is shown.

use aura_net::split_port;
use percent_encoding::percent_decode_str;

use crate::parameters;

/// A string that was understood.
#[derive(Debug)]
pub(crate) struct Conninfo {
    /// Parameters by libpq's names.
    pub pairs: Vec<(&'static str, String)>,
    /// The string, without secrets.
    pub shown: String,
}

const HIDDEN: &str = "***";

impl Conninfo {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parsed = Self { pairs: Vec::new(), shown: String::new() };
        match split_scheme(text) {
            Some((scheme, rest)) => parsed.url(scheme, rest)?,
            None => parsed.keywords(text)?,
        }
        Ok(parsed)
    }

    fn url(&mut self, scheme: &str, rest: &str) -> Result<(), String> {
        // SQLAlchemy's URLs name a driver behind a plus.
        if !matches!(scheme.split('+').next(), Some("postgres" | "postgresql")) {
            return Err("not PostgreSQL: the URL must begin with postgres://".to_owned());
        }
        self.shown = format!("{scheme}://");
        let mut rest = rest;
        // As libpq does: a login is there if an @ comes before any /.
        if let Some(at) = rest.find(['@', '/']).filter(|at| rest[*at..].starts_with('@')) {
            let (user, password) =
                rest[..at].split_once(':').map_or((&rest[..at], None), |(user, password)| (user, Some(password)));
            self.add_encoded("user", user)?;
            self.shown += user;
            if let Some(password) = password {
                self.add_encoded("password", password)?;
                self.shown += &format!(":{HIDDEN}");
            }
            self.shown.push('@');
            rest = &rest[at + 1..];
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (hosts, behind) = rest.split_at(end);
        let (path, query) = behind.split_once('?').unwrap_or((behind, ""));
        // What would be the end of a password that has an unescaped @ or /, or the next of several URLs.
        if [hosts, path].iter().any(|part| part.contains('@') || part.contains("://")) {
            return Err("not understood: a password's @ is written %40, its / %2F; and this is one URL, not several \
                        with commas between (DATA_SOURCE_NAME takes those)"
                .to_owned());
        }
        self.hosts(hosts)?;
        self.shown += hosts;
        if let Some(database) = path.strip_prefix('/') {
            self.add_encoded("dbname", database)?;
        }
        self.shown += path;
        for (index, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            let (key, value) = pair.split_once('=').filter(|(_, value)| !value.contains('=')).ok_or_else(|| {
                format!("parameter {} behind the ? is not key=value; an & is written %26, an = %3D", index + 1)
            })?;
            let name = parameters::known(&decoded(key)?)
                .map_err(|hint| format!("parameter {} behind the ? is none of libpq's{hint}", index + 1))?;
            self.add_encoded(name, value)?;
            self.shown.push(if index == 0 { '?' } else { '&' });
            let value = if parameters::is_secret(name) { HIDDEN } else { value };
            self.shown += &format!("{key}={value}");
        }
        Ok(())
    }

    fn hosts(&mut self, text: &str) -> Result<(), String> {
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for place in text.split(',') {
            let bad = || {
                "a port is no number from 1 to 65535; a password's / is written %2F, its : %3A, its @ %40".to_owned()
            };
            let (host, port) = split_port(place).ok_or_else(bad)?;
            let port = port.unwrap_or_default();
            if !port.is_empty() && !port.parse::<u16>().is_ok_and(|port| port > 0) {
                return Err(bad());
            }
            hosts.push(decoded(host)?);
            ports.push(port);
        }
        if hosts.iter().any(|host| !host.is_empty()) {
            self.pairs.push(("host", hosts.join(",")));
        }
        if ports.iter().any(|port| !port.is_empty()) {
            self.pairs.push(("port", ports.join(",")));
        }
        Ok(())
    }

    fn add_encoded(&mut self, name: &'static str, value: &str) -> Result<(), String> {
        let value = decoded(value)?;
        // JDBC's and asyncpg's word for sslmode.
        let (name, value) = match (name, value.as_str()) {
            ("ssl", "true") => ("sslmode", "require".to_owned()),
            ("ssl", "false") => ("sslmode", "prefer".to_owned()),
            ("ssl", _) => ("sslmode", value),
            _ => (name, value),
        };
        if !value.is_empty() {
            self.pairs.push((name, value));
        }
        Ok(())
    }

    fn keywords(&mut self, text: &str) -> Result<(), String> {
        let mut rest = text.trim_start();
        let mut index = 0;
        while !rest.is_empty() {
            index += 1;
            let wrong = || format!("word {index} is not key=value; a value with spaces is written 'in quotes'");
            let (key, after) = rest.split_once('=').ok_or_else(wrong)?;
            let key = key.trim_end();
            if key.contains(char::is_whitespace) {
                return Err(wrong());
            }
            let (value, behind) =
                value(after.trim_start()).ok_or_else(|| format!("the quote of word {index} never ends"))?;
            let name =
                parameters::known(key).map_err(|hint| format!("word {index} is no parameter of libpq's{hint}"))?;
            let shown = if parameters::is_secret(name) {
                HIDDEN.to_owned()
            } else if value.is_empty()
                || value.contains(|letter: char| letter.is_whitespace() || "'\\".contains(letter))
            {
                format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
            } else {
                value.clone()
            };
            self.shown += &format!("{}{name}={shown}", if index == 1 { "" } else { " " });
            if !value.is_empty() {
                self.pairs.push((name, value));
            }
            rest = behind.trim_start();
        }
        Ok(())
    }
}

/// A value and what comes behind it; none if its quote never ends.
fn value(text: &str) -> Option<(String, &str)> {
    let (mut value, quoted) = (String::new(), text.starts_with('\''));
    let mut letters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' if quoted => return Some((value, &text[at + 1..])),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            letter if letter.is_whitespace() && !quoted => return Some((value, &text[at..])),
            letter => value.push(letter),
        }
    }
    (!quoted).then_some((value, ""))
}

fn decoded(text: &str) -> Result<String, String> {
    let whole =
        |at: usize| text.as_bytes().get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    let value = percent_decode_str(text).decode_utf8().ok().filter(|value| !value.contains('\0'));
    value.filter(|_| text.match_indices('%').all(|(at, _)| whole(at))).map(Into::into).ok_or_else(|| {
        "a % must have two hexadecimal digits behind it that make a letter; a % itself is %25".to_owned()
    })
}

/// A URL's scheme and the rest; none for `host=... password='a://b'`.
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    url.split_once("://")
        .filter(|(scheme, _)| scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '+'))
}

/// The text as it may be shown.
pub(crate) fn shown(text: &str) -> String {
    Conninfo::parse(text).map_or_else(
        |_| match split_scheme(text) {
            Some(("postgres" | "postgresql", _)) => format!("postgres://{HIDDEN}"),
            _ => HIDDEN.to_owned(),
        },
        |parsed| parsed.shown,
    )
}

/// postgres_exporter's list of several servers: URLs with commas between. Hosts of one URL have commas between too, so
/// only what begins as a URL begins another.
pub(crate) fn several(text: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = ["postgres://", "postgresql://"]
        .iter()
        .flat_map(|scheme| text.match_indices(&format!(",{scheme}")).map(|(at, _)| at).collect::<Vec<_>>())
        .collect();
    starts.sort_unstable();
    let (mut parts, mut from) = (Vec::new(), 0);
    for at in starts {
        parts.push(text[from..at].trim());
        from = at + 1;
    }
    parts.push(text[from..].trim());
    parts
}
