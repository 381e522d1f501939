//! Who may come in: users with bcrypt hashes, as the web configuration lists them.
//!
//! bcrypt is slow on purpose (some 70 ms at cost 10), so a pair that was right once is remembered by a keyed
//! hash, and the work is done off the runtime, in [`queue`](super::queue): strangers who guess do not stop the others. What
//! is remembered outlives a reload for as long as the user's hash is the same.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{hmac, rand::SystemRandom};
use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use subtle::ConstantTimeEq;
use tokio::task::spawn_blocking;

use super::queue::Queue;
use crate::{
    api::ApiError,
    http::web_config::{Found, Secret},
};

/// Right pairs that are remembered; more only cost the time of a check.
const REMEMBERED: usize = 128;
/// A check at this cost takes about 4 s: higher ones only look like safety.
const MAX_COST: u32 = 16;
/// Longer than any password that bcrypt looks at in full (72 bytes) with any name.
const MAX_HEADER: usize = 1024;

/// Checks `Authorization: Basic`.
pub struct Authenticator {
    users: BTreeMap<String, Arc<User>>,
    /// The most expensive of all hashes: a name that nobody has costs a check against it.
    decoy: Secret,
    checker: Arc<Checker>,
}

/// Somebody with a name and a password.
pub struct User {
    name: String,
    hash: Secret,
}

/// Where pairs are checked and remembered, whatever the users are.
struct Checker {
    key: hmac::Key,
    good: Mutex<VecDeque<[u8; 32]>>,
    queue: Arc<Queue>,
}

/// Why somebody may not come in. As a response it has the API's error body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody said who asks, or name and password do not go together.
    Unauthorized,
    /// Too many are being checked at this moment.
    Busy,
    /// The web configuration's `rate_limit` is used up.
    TooMany {
        /// When to come back.
        retry_after_s: u32,
    },
}

impl Authenticator {
    /// Nothing when there are no users, or when a mistake was found.
    pub(in crate::http) fn new(users: &BTreeMap<String, Secret>, found: &mut Found<'_>) -> Option<Self> {
        let mut decoy: Option<(u32, &Secret)> = None;
        let mut wrong = false;
        for (name, hash) in users {
            let path = format!("basic_auth_users.{name}");
            let cost = hash.reveal().parse::<bcrypt::HashParts>().map(|parts| parts.get_cost());
            let message = match cost {
                Ok(cost) if cost > MAX_COST => format!("has cost {cost}: {MAX_COST} is the highest taken here"),
                Ok(_) if name.is_empty() || name.contains(':') => {
                    "is no user name: write one without a colon".to_owned()
                }
                Ok(cost) => {
                    if decoy.is_none_or(|(highest, _)| cost > highest) {
                        decoy = Some((cost, hash));
                    }
                    continue;
                }
                Err(_) => "is no bcrypt hash: make one with `htpasswd -nBC 10 \"\"`".to_owned(),
            };
            found.add(&path, message);
            wrong = true;
        }
        let (_, decoy) = decoy.filter(|_| !wrong)?;
        let Ok(key) = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()) else {
            found.add("basic_auth_users", "the system gives no random numbers");
            return None;
        };
        let user = |(name, hash): (&String, &Secret)| {
            (name.clone(), Arc::new(User { name: name.clone(), hash: hash.clone() }))
        };
        Some(Self {
            users: users.iter().map(user).collect(),
            decoy: decoy.clone(),
            checker: Arc::new(Checker { key, good: Mutex::default(), queue: Queue::new() }),
        })
    }

    /// The same users at the checker of those before them: what it remembers still holds for those whose hash is the same,
    /// and who waits there keeps waiting.
    pub(in crate::http) fn after(&self, old: &Self) -> Self {
        Self { users: self.users.clone(), decoy: self.decoy.clone(), checker: Arc::clone(&old.checker) }
    }

    /// Whether this is still a user, with the same password.
    pub(in crate::http) fn has(&self, user: &User) -> bool {
        self.users.get(&user.name).is_some_and(|known| known.hash.reveal() == user.hash.reveal())
    }

    /// Whether a request with these headers, from this address, may come in, and as whom.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self, headers: &HeaderMap, address: IpAddr) -> Result<Arc<User>, Refusal> {
        let (name, password) = credentials(headers).ok_or(Refusal::Unauthorized)?;
        let user = self.users.get(&name).cloned();
        let hash = user.as_ref().map_or(&self.decoy, |user| &user.hash).clone();
        let tag = self.checker.tag(&hash, &name, &password);
        if self.checker.remembered(&tag) {
            return user.ok_or(Refusal::Unauthorized);
        }
        let turn = self.checker.queue.wait(address, &tag).await.ok_or(Refusal::Busy)?;
        // The turn goes with the work: a client that leaves does not make room while its check still runs.
        let check = spawn_blocking(move || {
            let _turn = turn;
            bcrypt::verify(&password, hash.reveal()).unwrap_or(false)
        });
        let right = check.await.unwrap_or(false);
        let user = user.filter(|_| right).ok_or(Refusal::Unauthorized)?;
        self.checker.remember(tag);
        Ok(user)
    }
}

impl Checker {
    fn tag(&self, hash: &Secret, name: &str, password: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        // A hash and a name have no colon, so no two of these read the same. With another hash it is another password.
        for part in [hash.reveal().as_bytes(), name.as_bytes()] {
            context.update(part);
            context.update(b":");
        }
        context.update(password);
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    fn remembered(&self, tag: &[u8; 32]) -> bool {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.iter().any(|known| known.ct_eq(tag).into())
    }

    fn remember(&self, tag: [u8; 32]) {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.len() == REMEMBERED {
            good.pop_front();
        }
        good.push_back(tag);
    }
}

fn credentials(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok().filter(|header| header.len() <= MAX_HEADER)?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some((String::from_utf8(decoded[..colon].to_vec()).ok()?, decoded[colon + 1..].to_vec()))
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthorized => {
                let message = "A user and its password are needed here.";
                Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
                    .hint("Send a user of basic_auth_users with its password (HTTP Basic).")
                    .header(WWW_AUTHENTICATE, "Basic realm=\"aura\", charset=\"UTF-8\"")
            }
            Refusal::Busy => {
                let message = "Too many passwords are being checked.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
                    .hint("Try again in a second.")
                    .retry_after(1)
            }
            Refusal::TooMany { retry_after_s } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests.")
                    .hint("The rate_limit of the web configuration is for all callers together.")
                    .retry_after(retry_after_s.into())
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        ApiError::from(self).into_response()
    }
}

#[cfg(test)]
mod tests;
