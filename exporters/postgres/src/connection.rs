//! One long-lived connection: read only, with limits that the server itself enforces, and with nothing in its
//! search_path that a user of the database could have put there.

use std::{
    collections::hash_map::RandomState,
    future::{Future, poll_fn},
    hash::BuildHasher,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, ready},
    time::Duration,
};

use aura_model::{Missing, Reason, within};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::sleep,
};
use tokio_postgres::{AsyncMessage, Client, Config, Error};

use crate::{
    failure,
    session::{Facts, Limits, Session, facts_sql},
    target::{Role, Target},
};

pub(crate) type Driver = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A connection, and the future that moves its bytes. It runs only while somebody asks something.
pub(crate) struct Connection {
    pub client: Client,
    pub driver: Driver,
    /// `server_version_num`.
    pub version: u32,
    pub session: Session,
    /// A channel that we listen on said something since this was last taken away.
    pub notified: Arc<AtomicBool>,
}

/// `server_version_num` of the oldest version that is supported.
const OLDEST: u32 = 130_000;

impl Connection {
    /// Logs in to the first of the target's hosts that lets us in and is what is wanted.
    pub(crate) async fn open(target: &Target, limits: &Limits) -> Result<Self, Missing> {
        let mut hosts = target.logins()?;
        if target.balances() {
            hosts.sort_by_cached_key({
                let chance = RandomState::new();
                move |host| chance.hash_one(&host.address)
            });
        }
        // One that swallows what is sent to it must not take the time of those behind it.
        let attempts = hosts.len() * target.role().in_turn().len();
        let timeout = limits.answer / u32::try_from(attempts).unwrap_or(u32::MAX).max(1);
        let mut refused = None;
        for role in target.role().in_turn() {
            for host in &hosts {
                let attempt = Self::log_in(&host.config, target, &host.address, limits, *role);
                match within(timeout, sleep, attempt).await {
                    Some(Ok(connection)) => return Ok(connection),
                    // The first that lets nobody in says more than the last that is a standby.
                    Some(Err(missing)) => {
                        refused.get_or_insert(missing);
                    }
                    None => {
                        refused.get_or_insert_with(|| {
                            timed_out(format!("{}: accepts no login within {timeout:?}", host.address))
                        });
                    }
                }
            }
        }
        Err(refused.unwrap_or_else(|| Missing::new(Reason::NotConfigured, "no host is named")))
    }

    async fn log_in(
        config: &Config,
        target: &Target,
        address: &str,
        limits: &Limits,
        role: Role,
    ) -> Result<Self, Missing> {
        let failed = |error: &Error| failure::connecting(error, target, address);
        let first = Self::attempt(config, target, limits, true).await?;
        let (mut connection, optioned) = match first {
            Err(error) if failure::refuses_options(&error) => {
                (Self::attempt(config, target, limits, false).await?.map_err(|error| failed(&error))?, false)
            }
            other => (other.map_err(|error| failed(&error))?, true),
        };
        let Self { client, driver, .. } = &mut connection;
        let sql = facts_sql();
        let work = async {
            let rows = client.query_typed(&sql, &[]).await?;
            rows.first().map(Facts::read).transpose()
        };
        let answer = drive(driver, limits.answer, work).await?;
        let answer = answer.map_err(|error| failure::asking(&error, "version", target.user()))?;
        let facts = answer.ok_or_else(|| Missing::new(Reason::Unreadable, format!("{address}: has no version")))?;
        connection.version = facts.version;
        if facts.version < OLDEST {
            let version = facts.version;
            let detail = format!("{address}: version {version} is too old: 13 and later are supported");
            return Err(Missing::new(Reason::Unreadable, detail));
        }
        if !role.fits(&facts) {
            let (is, wanted) = (if facts.in_recovery { "a standby" } else { "a primary" }, role.word());
            let detail = format!("{address}: is {is}, and target_session_attrs wants {wanted}");
            return Err(Missing::new(Reason::Unreachable, detail));
        }
        if optioned && facts.marked {
            let Self { client, driver, .. } = &mut connection;
            let pins = facts.pins();
            let pinned = drive(driver, limits.answer, client.batch_execute(&pins)).await?;
            pinned.map_err(|error| failure::asking(&error, "session", target.user()))?;
        } else {
            connection.session = Session::Shared;
        }
        Ok(connection)
    }

    async fn attempt(
        config: &Config,
        target: &Target,
        limits: &Limits,
        optioned: bool,
    ) -> Result<Result<Self, Error>, Missing> {
        let mut config = config.clone();
        if optioned {
            let theirs = config.get_options().map(|theirs| format!("{theirs} ")).unwrap_or_default();
            config.options(theirs + &limits.options());
        }
        let connector = target.tls().connector()?;
        Ok(config.connect(connector).await.map(|(client, connection)| {
            let notified = Arc::new(AtomicBool::new(false));
            let driver: Driver = Box::pin(carry(connection, Arc::clone(&notified)));
            Self { client, driver, version: 0, session: Session::Own, notified }
        }))
    }
}
/// Moves the bytes of a connection to its end, and notes that something was announced.
async fn carry<S, T>(mut connection: tokio_postgres::Connection<S, T>, notified: Arc<AtomicBool>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|context| {
        loop {
            match ready!(connection.poll_message(context)) {
                Some(Ok(AsyncMessage::Notification(_))) => notified.store(true, Ordering::Relaxed),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
    })
    .await
}

/// Does something with a connection, and moves its bytes meanwhile.
///
/// # Errors
/// The connection is over, and why: the server went away or did not answer in time.
pub(crate) async fn drive<T>(
    driver: &mut Driver,
    timeout: Duration,
    work: impl Future<Output = T>,
) -> Result<T, Missing> {
    let work = std::pin::pin!(work);
    let both = async {
        tokio::select! {
            biased;
            done = work => Ok(done),
            ended = driver => Err(match ended {
                Ok(()) => "the server closed the connection".to_owned(),
                Err(error) => failure::asking(&error, "connection", "").detail,
            }),
        }
    };
    match within(timeout, sleep, both).await {
        Some(Ok(done)) => Ok(done),
        Some(Err(detail)) => Err(Missing::new(Reason::Unreachable, detail)),
        None => Err(timed_out(format!("connected, but no answer within {timeout:?}"))),
    }
}

/// Nobody said no: what was known holds for a while, see [`is_timeout`].
fn timed_out(detail: String) -> Missing {
    Missing::new(Reason::Stale, detail)
}

/// Whether there was no answer at all, from which nothing follows yet: a machine without memory takes its time.
pub(crate) fn is_timeout(missing: &Missing) -> bool {
    missing.reason == Reason::Stale
}
