//! The Prometheus exporter-toolkit's web configuration: TLS, users and response headers in a file of its own,
//! as every exporter takes it. What is written there and cannot be done here is a mistake, never ignored.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::{
    ControlToken, Encryption,
    gate::{
        auth::Authenticator,
        rate_limit::{Rate, RateLimit},
    },
    server::tls,
};
use crate::config::{
    Loaded, Problem, Problems, deserialize,
    node::{Node, Origin},
    read_file, yaml,
};

/// Everything a listener needs to know. Without a file: plain HTTP for everybody.
#[derive(Default)]
pub struct WebConfig {
    tls: Option<Arc<Encryption>>,
    authenticator: Option<Arc<Authenticator>>,
    rate_limit: Option<Arc<RateLimit>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    control_token: Option<Arc<ControlToken>>,
    clients_are_verified: bool,
    /// Whether others than this machine may be answered.
    open_elsewhere: bool,
    /// What is not wrong but probably not wanted.
    pub warnings: Vec<String>,
}

impl WebConfig {
    /// The web configuration that this configuration names, fit for the addresses that it listens on.
    ///
    /// # Errors
    /// Every mistake in the file, or an address open to strangers.
    pub fn of(loaded: &Loaded) -> Result<Self, Problems> {
        let web = &loaded.config.web;
        // Named in a file, it lies beside that file; named in a flag, it is where the user stands.
        let place = |key: &str, file: &Path| match loaded.typed.origin_of(key) {
            Origin::File { path, .. } => path.parent().unwrap_or(Path::new("")).join(file),
            _ => file.to_owned(),
        };
        let mut config = match &web.config_file {
            Some(file) => Self::load(&place("web.config_file", file))?,
            None => Self::default(),
        };
        if let Some(file) = &web.control_token_file {
            let key = "web.control_token_file";
            let token = ControlToken::load(&place(key, file))
                .map_err(|problem| Problems::one(loaded.typed.origin_of(key).clone(), key, problem))?;
            config.control_token = Some(Arc::new(token));
        }
        config.open_elsewhere = config.names_who_comes_in() || web.allow_unauthenticated;
        let open = web.listen_address.iter().find(|address| !address.is_loopback() && !config.open_elsewhere);
        if let Some(address) = open {
            let message = format!(
                "{address} is open to strangers: name users (basic_auth_users) in web.config_file, or ask for client \
                 certificates there, or say web.allow_unauthenticated: true when a proxy or firewall decides"
            );
            let path = "web.listen_address";
            return Err(Problems::one(loaded.typed.origin_of(path).clone(), path, message));
        }
        Ok(config)
    }

    /// Reads a web configuration. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// Every mistake, each with its place. Keys, certificates and hashes are not repeated in messages.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let typed = yaml::parse(&read_file(path)?, path, None)?;
        let file: File = deserialize(&typed)?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut problems = Found { typed: &typed, problems: Problems::default() };
        let mut config = Self { warnings: file.warnings(), ..Self::default() };
        let encryption = file.tls_server_config.as_ref().and_then(|tls| tls::encryption(tls, &folder, &mut problems));
        config.tls = encryption.map(Arc::new);
        config.clients_are_verified = config.tls.is_some()
            && file.tls_server_config.is_some_and(|tls| tls.client_auth_type == ClientAuth::RequireAndVerifyClientCert);
        config.authenticator = Authenticator::new(&file.basic_auth_users, &mut problems).map(Arc::new);
        config.rate_limit = file.rate_limit.map(|rate| Arc::new(RateLimit::new(rate)));
        config.headers = file.http_server_config.headers(&mut problems);
        problems.problems.or(config)
    }

    /// The web configuration that comes after another: right passwords that were remembered, and how much of the rate
    /// limit is used up, stay.
    ///
    /// # Errors
    /// Why the other should stay in force.
    pub fn after(mut self, old: &Self) -> Result<Self, String> {
        if old.names_who_comes_in() && !self.names_who_comes_in() {
            return Err(
                "nobody would be asked for a password or a certificate any more: if that is meant and no file is \
                        only half written, start the agent again"
                    .to_owned(),
            );
        }
        if let (Some(new), Some(old)) = (&self.authenticator, &old.authenticator) {
            self.authenticator = Some(Arc::new(new.after(old)));
        }
        if let (Some(new), Some(old)) = (&self.rate_limit, &old.rate_limit)
            && new.is_like(old)
        {
            self.rate_limit = Some(Arc::clone(old));
        }
        Ok(self)
    }

    /// Whether strangers stay out, wherever it listens: by password or by a verified certificate.
    #[must_use]
    pub fn names_who_comes_in(&self) -> bool {
        self.authenticator.is_some() || self.clients_are_verified
    }

    /// Whether it may listen on this address, which a name may have stood for.
    ///
    /// # Errors
    /// Why not.
    pub fn fits(&self, address: SocketAddr) -> Result<(), String> {
        if self.open_elsewhere || address.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        Err(format!("web.listen_address: {address} is open to strangers, and nothing says who may come in"))
    }

    /// How to speak TLS, if it is spoken. Certificates are read again when their files change.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<Encryption>> {
        self.tls.clone()
    }

    /// Who may come in, if not everybody.
    #[must_use]
    pub fn authenticator(&self) -> Option<Arc<Authenticator>> {
        self.authenticator.clone()
    }

    /// How often anybody may ask, if there is a limit.
    #[must_use]
    pub fn rate_limit(&self) -> Option<Arc<RateLimit>> {
        self.rate_limit.clone()
    }

    /// What opens the controls where there are no users.
    #[must_use]
    pub fn control_token(&self) -> Option<Arc<ControlToken>> {
        self.control_token.clone()
    }

    /// Headers for every response; they replace those of the same name.
    #[must_use]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }
}

/// The file as it is typed.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    tls_server_config: Option<Tls>,
    http_server_config: HttpServer,
    basic_auth_users: BTreeMap<String, Secret>,
    rate_limit: Option<Rate>,
}

impl File {
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.http_server_config.http2 == Some(true) {
            warnings.push("http_server_config.http2: HTTP/1.1 is spoken here, HTTP/2 is not".to_owned());
        }
        if !self.basic_auth_users.is_empty() && self.tls_server_config.is_none() {
            warnings
                .push("basic_auth_users without tls_server_config: passwords cross the network readable".to_owned());
        }
        warnings
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) cert_file: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) cert: Option<Secret>,
    pub(super) key: Option<Secret>,
    pub(super) client_auth_type: ClientAuth,
    pub(super) client_ca_file: Option<PathBuf>,
    pub(super) client_ca: Option<Secret>,
    pub(super) client_allowed_sans: Vec<String>,
    pub(super) min_version: TlsVersion,
    pub(super) max_version: Option<TlsVersion>,
    pub(super) cipher_suites: Vec<String>,
    pub(super) prefer_server_cipher_suites: Option<bool>,
    pub(super) curve_preferences: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum ClientAuth {
    /// No certificate is asked for.
    #[default]
    NoClientCert,
    /// Asked for; any or none will do.
    RequestClientCert,
    /// Asked for; any will do.
    RequireAnyClientCert,
    /// None will do, but one that is shown must come from the authority.
    VerifyClientCertIfGiven,
    /// One from the authority must be shown.
    RequireAndVerifyClientCert,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum TlsVersion {
    Tls10,
    Tls11,
    #[default]
    Tls12,
    Tls13,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HttpServer {
    http2: Option<bool>,
    headers: BTreeMap<String, String>,
}

/// Those that the exporter-toolkit lets a file set.
const HEADERS: &[&str] = &[
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
];

impl HttpServer {
    fn headers(self, found: &mut Found<'_>) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        for (name, value) in self.headers {
            let path = format!("http_server_config.headers.{name}");
            let known = HEADERS.iter().any(|known| known.eq_ignore_ascii_case(&name));
            match (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value)) {
                (Ok(name), Ok(value)) if known => headers.push((name, value)),
                (Ok(_), Err(_)) if known => found.add(&path, "is no header value: write it in one line"),
                _ => found.add(&path, format!("cannot be set; these can: {}", HEADERS.join(", "))),
            }
        }
        headers
    }
}

/// Text that is never shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

/// Collects mistakes at the place where their key was written.
pub(super) struct Found<'a> {
    typed: &'a Node,
    problems: Problems,
}

impl Found<'_> {
    pub(super) fn add(&mut self, path: &str, message: impl Into<String>) {
        let origin = self.typed.origin_of(path).clone();
        self.problems.0.push(Problem { origin, path: path.to_owned(), message: message.into() });
    }
}

#[cfg(test)]
mod tests;
