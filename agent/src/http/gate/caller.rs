//! Who sends a request, and what let them in.
//!
//! Rules change while connections stay. A request is answered if the rules in force let it in as a whole: its address,
//! what its TLS handshake has shown, its `Host` and its password. Rules are never mixed, neither in one request nor
//! between a connection and its requests.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio::sync::watch;

use super::{
    auth::User,
    client_address::ClientAddress,
    permits::{AccessLevel, Activity},
};
use crate::{
    api::check_origin,
    http::{Settings, server::tls::Shown},
};

/// A connection whose TLS handshake is done, if there was to be one.
pub(in crate::http) struct Caller {
    /// Whom it comes from.
    pub(in crate::http) peer: SocketAddr,
    /// Where it arrived.
    local: SocketAddr,
    /// What it has shown under TLS.
    shown: Option<Shown>,
    activity: Arc<Activity>,
    /// The newest rules that were found to let it in.
    admitted: AtomicU64,
}

impl Caller {
    pub(in crate::http) fn new(
        peer: SocketAddr,
        local: SocketAddr,
        shown: Option<Shown>,
        activity: Arc<Activity>,
    ) -> Self {
        Self { peer, local, shown, activity, admitted: AtomicU64::new(0) }
    }

    pub(in crate::http) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }
}

impl Settings {
    /// Whether a connection could be made under these rules as it was made.
    pub(in crate::http) fn admits(&self, caller: &Caller) -> bool {
        if caller.admitted.load(Relaxed) == self.generation {
            return true;
        }
        let admitted = self.addresses.iter().any(|address| covers(*address, caller.local))
            && match (&self.tls, &caller.shown) {
                (None, None) => true,
                (Some(tls), Some(shown)) => tls.admits(shown),
                _ => false,
            };
        if admitted {
            caller.admitted.store(self.generation, Relaxed);
        }
        admitted
    }

    /// What a caller has shown, when these rules know this user from its request.
    pub(in crate::http) fn access(&self, caller: &Caller, user: Option<&Arc<User>>) -> AccessLevel {
        let by_certificate = self.tls.as_ref().zip(caller.shown.as_ref()).is_some_and(|(tls, shown)| tls.knows(shown));
        if user.is_some() || by_certificate { AccessLevel::Authenticated } else { AccessLevel::Anonymous }
    }
}

/// Whether who listens there takes connections to this address.
fn covers(listening: SocketAddr, local: SocketAddr) -> bool {
    let (any, one) = (listening.ip(), local.ip().to_canonical());
    let same = if any.is_unspecified() { any.is_ipv6() || one.is_ipv4() } else { any.to_canonical() == one };
    same && listening.port() == local.port()
}

/// A request that was let in, and the rules that did it. Handlers ask these, and not those that came after.
#[derive(Clone)]
pub struct Admitted {
    pub(in crate::http) settings: Arc<Settings>,
    pub(in crate::http) caller: Arc<Caller>,
    pub(in crate::http) client: ClientAddress,
    pub(in crate::http) user: Option<Arc<User>>,
}

impl Admitted {
    /// The rules that let it in.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Whether the rules in force at the time of asking would let the same request in, for as long as its connection
    /// is used.
    pub(in crate::http) fn pass(
        self,
        method: Method,
        headers: &HeaderMap,
        rules: watch::Receiver<Arc<Settings>>,
    ) -> impl Fn() -> bool + Send + 'static {
        // Copies: the headers share the memory of the whole request.
        let field = |name: HeaderName| Some((name.clone(), Box::<[u8]>::from(headers.get(&name)?.as_bytes())));
        let headers = [field(header::HOST), field(header::ORIGIN)];
        let Self { caller, user, .. } = self;
        move || {
            let settings = Arc::clone(&rules.borrow());
            let headers: HeaderMap = (headers.iter().flatten())
                .filter_map(|(name, value)| Some((name.clone(), HeaderValue::from_bytes(value).ok()?)))
                .collect();
            settings.admits(&caller)
                && settings.trust.check(&method, &headers).is_ok()
                && check_origin(&headers, &settings.trust.origins).is_ok()
                && match (&settings.authenticator, &user) {
                    (None, _) => true,
                    (Some(authenticator), Some(user)) => authenticator.has(user),
                    (Some(_), None) => false,
                }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_address_covers_what_arrives_there() {
        for (listening, local, expected) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:1", "10.0.0.1:1", false),
            ("0.0.0.0:1", "10.0.0.1:1", true),
            ("0.0.0.0:1", "[2001:db8::1]:1", false),
            ("[::]:1", "10.0.0.1:1", true),
            ("[::]:1", "[::ffff:10.0.0.1]:1", true),
            ("[::]:1", "[2001:db8::1]:1", true),
            ("127.0.0.1:1", "[::ffff:127.0.0.1]:1", true),
            ("[::1]:1", "127.0.0.1:1", false),
        ] {
            let covered = covers(listening.parse().unwrap(), local.parse().unwrap());
            assert_eq!(covered, expected, "{listening} {local}");
        }
    }
}
