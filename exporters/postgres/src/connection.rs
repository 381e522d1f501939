//! One long-lived connection: read only, with limits that the server itself enforces.

use std::{
    future::{Future, poll_fn},
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
use tokio_postgres::{AsyncMessage, Client, Error};

use crate::{PostgresOptions, failure, target::Target};

pub(crate) type Driver = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A connection, and the future that moves its bytes. It runs only while somebody asks something.
pub(crate) struct Connection {
    pub client: Client,
    pub driver: Driver,
    /// The server accepted our limits; a pooler that does not know them may not.
    pub limited: bool,
    /// A channel that we listen on said something since this was last taken away.
    pub notified: Arc<AtomicBool>,
}

/// Set in our session by its start options: where it is missing, a pooler took the options and dropped them.
pub(crate) const MARK: &str = "aura.limited";

/// What the server is asked to hold us to.
pub(crate) struct Limits {
    pub answer: Duration,
    statement: Duration,
    lock: Duration,
}

impl From<&PostgresOptions> for Limits {
    fn from(options: &PostgresOptions) -> Self {
        Self {
            answer: options.answer_timeout.get(),
            statement: options.statement_timeout.get(),
            lock: options.lock_timeout.get(),
        }
    }
}

impl Connection {
    /// Logs in.
    pub(crate) async fn open(target: &Target, limits: &Limits) -> Result<Self, Missing> {
        let attempt = async {
            let first = Self::attempt(target, limits, true).await?;
            match first {
                Err(error) if failure::refuses_options(&error) => Self::attempt(target, limits, false).await,
                other => Ok(other),
            }
        };
        match within(limits.answer, sleep, attempt).await {
            Some(Ok(Ok(connection))) => Ok(connection),
            Some(Ok(Err(error))) => Err(failure::connecting(&error, target)),
            Some(Err(missing)) => Err(missing),
            None => Err(silent(format!("{}: accepts no login within {:?}", target.address, limits.answer))),
        }
    }

    async fn attempt(target: &Target, limits: &Limits, limited: bool) -> Result<Result<Self, Error>, Missing> {
        let mut config = target.login()?;
        let tls = target.tls();
        config.ssl_mode(tls.mode()).application_name("aura").connect_timeout(limits.answer);
        if limited {
            let ours = format!(
                "-c default_transaction_read_only=on -c statement_timeout={} -c lock_timeout={} \
                 -c idle_in_transaction_session_timeout=10000 -c {MARK}=on",
                limits.statement.as_millis(),
                limits.lock.as_millis()
            );
            let theirs = config.get_options().map(|theirs| format!("{theirs} ")).unwrap_or_default();
            config.options(theirs + &ours);
        }
        let connector = tls.connector()?;
        Ok(config.connect(connector).await.map(|(client, connection)| {
            let notified = Arc::new(AtomicBool::new(false));
            Self { client, driver: Box::pin(carry(connection, Arc::clone(&notified))), limited, notified }
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
    patience: Duration,
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
    match within(patience, sleep, both).await {
        Some(Ok(done)) => Ok(done),
        Some(Err(detail)) => Err(Missing::new(Reason::Unreachable, detail)),
        None => Err(silent(format!("connected, but no answer within {patience:?}"))),
    }
}

/// Nobody said no: what was known holds for a while, see [`is_silence`].
fn silent(detail: String) -> Missing {
    Missing::new(Reason::Stale, detail)
}

/// Whether there was no answer at all, from which nothing follows yet: a machine without memory takes its time.
pub(crate) fn is_silence(missing: &Missing) -> bool {
    missing.reason == Reason::Stale
}
