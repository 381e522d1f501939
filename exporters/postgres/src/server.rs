//! One server: connect, ask all that is due in one go, and start over with exponential backoff when it goes away.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aura_model::{Backoff, Missing, Reason, Section, Switch};

use crate::{
    PostgresOptions, ServerReading, Standby, Statistics,
    ask::Sample,
    connection::{Connection, drive},
    debates::AskedDebates,
    others::Others,
    queries::{Queries, Rest},
    query::Known,
    session::{Limits, Session},
    sizing::{Read, Sizing, not_yet},
    standby::Listening,
    target::Target,
};

/// Backoff between attempts to connect.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// One server and what is known of it.
pub(crate) struct Server {
    target: Target,
    limits: Limits,
    options: PostgresOptions,
    stale_after: Duration,
    connection: Option<Connection>,
    version: u32,
    session: Session,
    /// The statements that begin a transaction in a session that is not ours alone.
    begin: String,
    raw: AtomicBool,
    connects: u64,
    scrapes: u64,
    backoff: Backoff,
    next_attempt: Option<Instant>,
    missing: Option<Missing>,
    queries: Queries,
    /// There is one as long as there is a connection.
    sizing: Option<Sizing>,
    listening: Listening,
    standby: Section<Arc<Standby>>,
    others: Others,
    debates: AskedDebates,
}

impl Server {
    /// `stale_after` is for how long an answer is shown that no newer one follows.
    pub(crate) fn new(target: Target, options: &PostgresOptions, stale_after: Duration) -> Self {
        Self {
            limits: Limits::of_samples(options),
            connection: None,
            version: 0,
            session: Session::Own,
            begin: Limits::of_samples(options).begin(),
            raw: AtomicBool::new(false),
            connects: 0,
            scrapes: 0,
            backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
            next_attempt: None,
            missing: None,
            queries: Queries::new(options),
            sizing: None,
            listening: Listening::default(),
            standby: not_yet("standby"),
            others: Others::new(&target, options, stale_after),
            debates: AskedDebates::new(options),
            stale_after,
            options: options.clone(),
            target,
        }
    }

    /// Takes one sample; a server that is away is part of the reading and not an error.
    pub(crate) async fn sample(&mut self) -> ServerReading {
        let started = Instant::now();
        self.scrapes += 1;
        let up = match self.try_sample(started).await {
            Ok(statistics) => {
                self.missing = None;
                Section::Fresh(statistics)
            }
            Err(missing) => Section::Off { missing },
        };
        self.reading(up, started.elapsed())
    }

    /// A reading with this state.
    pub(crate) fn reading(&self, up: Section<Arc<Statistics>>, took: Duration) -> ServerReading {
        ServerReading {
            name: self.target.name.clone(),
            address: self.target.address.clone(),
            user: self.target.user().to_owned(),
            database: self.target.database().to_owned(),
            up,
            seconds: took.as_secs_f64(),
            age_seconds: 0.0,
            scrapes: self.scrapes,
            connects: self.connects,
        }
    }

    /// Logs in if it has not yet: whether this server lets us in.
    pub(crate) async fn try_connect(&mut self) -> Result<(), Missing> {
        self.connect(Instant::now()).await
    }

    async fn try_sample(&mut self, now: Instant) -> Result<Arc<Statistics>, Missing> {
        self.connect(now).await?;
        let Some(mut connection) = self.connection.take() else {
            return Err(Missing::new(Reason::Unreachable, "not connected"));
        };
        let timeout = self.limits.answer;
        let (over, pooled) = (OnceLock::new(), OnceLock::new());
        let (user, name) = (self.target.user().to_owned(), self.target.name.clone());
        let Connection { client, driver, notified, .. } = &mut connection;
        let begin = std::mem::take(&mut self.begin);
        let raw = AtomicBool::new(self.raw.load(Ordering::Relaxed));
        let sample = Sample {
            client,
            now,
            user: &user,
            server: &name,
            over: &over,
            session: self.session,
            begin: &begin,
            raw: &raw,
            pooled: &pooled,
            stale_after: self.stale_after,
        };
        // The future of all queries is large: it is kept off the stack of the source's thread.
        let asked = drive(driver, timeout, Box::pin(self.ask(&sample, notified))).await;
        self.raw = raw;
        self.begin = begin;
        if pooled.get().is_some() {
            tracing::info!(source = "postgres", server = &*name, "a pooler stands between: queries are not prepared");
            self.session = Session::Shared;
        }
        match asked.and(over.into_inner().map_or(Ok(()), Err)) {
            Ok(()) => {
                self.connection = Some(connection);
                if let Some(sizing) = &mut self.sizing {
                    sizing.first().await;
                }
                self.listen(now);
                Ok(self.statistics())
            }
            Err(missing) => {
                let missing = Missing::new(missing.reason, format!("{}: {}", self.target.address, missing.detail));
                tracing::warn!(source = "postgres", server = &*self.target.name, "connection lost: {missing}");
                self.lost(missing.clone(), now);
                Err(missing)
            }
        }
    }

    /// Connects unless there is a connection, or the backoff after the last attempt is not over.
    async fn connect(&mut self, now: Instant) -> Result<(), Missing> {
        if self.connection.is_some() {
            return Ok(());
        }
        if let (Some(next), Some(missing)) = (self.next_attempt, &self.missing)
            && now < next
        {
            return Err(missing.clone());
        }
        match Box::pin(Connection::open(&self.target, &self.limits)).await {
            Ok(connection) => {
                self.connects += 1;
                self.version = connection.version;
                self.backoff.reset();
                self.next_attempt = None;
                if connection.session == Session::Shared {
                    self.session = Session::Shared;
                }
                let pooler = match self.session {
                    Session::Own => "",
                    Session::Shared => {
                        "; start options do not reach it, as behind a pooler: each query is a transaction"
                    }
                };
                let name = &*self.target.name;
                let version = self.version / 10_000;
                tracing::info!(source = "postgres", server = name, "connected to PostgreSQL {version}{pooler}");
                self.raw = AtomicBool::new(false);
                self.connection = Some(connection);
                self.queries.forget();
                self.debates.forget();
                self.listening = Listening::default();
                self.sizing = Some(Sizing::start(&self.target, &self.options, self.version, self.stale_after));
                Ok(())
            }
            Err(missing) => {
                if self.missing.as_ref() != Some(&missing) {
                    tracing::warn!(source = "postgres", server = &*self.target.name, "not connected: {missing}");
                }
                self.lost(missing.clone(), now);
                Err(missing)
            }
        }
    }

    fn lost(&mut self, missing: Missing, now: Instant) {
        self.connection = None;
        self.sizing = None;
        self.missing = Some(missing);
        self.next_attempt = Some(now + self.backoff.wait());
    }

    /// Two round trips at most, three when debates have changed: the queries of each go out together.
    async fn ask(&mut self, sample: &Sample<'_>, notified: &AtomicBool) {
        let Self { queries, debates, others, options, version, .. } = self;
        let version = *version;
        let with_debates = options.debates.enabled != Switch::Off;
        let tables = debates.tables().cloned();
        let in_recovery = queries.cluster.value().map(|cluster| cluster.in_recovery);
        let known = Known { version, options, user: sample.user, in_recovery, features: None };
        queries.look_for_extensions(sample, &known);
        tokio::join!(queries.ask(sample, &known), async {
            if with_debates {
                debates.ask_first(sample, version, tables.as_deref()).await;
            }
        });
        if options.tables.enabled != Switch::Off
            && let (Some(databases), Some(cluster)) = (queries.databases.value(), queries.cluster.value())
        {
            others.follow(databases, &cluster.database, version);
        }
        if let Some(features) = queries.features.value().cloned() {
            queries.ask(sample, &Known { features: Some(&features), ..known }).await;
        }
        match queries.cluster.value() {
            Some(now) if with_debates => {
                let database = now.database.clone();
                debates.ask(sample, version, tables.as_deref(), &database, notified).await;
            }
            Some(_) => {
                let detail = "debates: switched off: sources.postgres.debates.enabled is false";
                debates.miss(Missing::new(Reason::NotConfigured, detail), sample);
            }
            None => {}
        }
    }

    /// A standby is told from what it heard before.
    fn listen(&mut self, now: Instant) {
        let Queries { cluster, settings, receivers, .. } = &self.queries;
        self.standby = match cluster.value() {
            Some(cluster) if cluster.in_recovery => {
                let timeout = settings.value().and_then(|settings| settings.get("wal_receiver_timeout_seconds"));
                let receivers = receivers.value().map(|receivers| &**receivers);
                Section::Fresh(Arc::new(self.listening.take(cluster, receivers, timeout, now)))
            }
            _ => Section::off(Reason::NotConfigured, "standby: the server is a primary"),
        };
    }

    pub(crate) fn statistics(&self) -> Arc<Statistics> {
        let sizes = self.sizing.as_ref().map_or_else(Read::nothing, Sizing::newest);
        let mut health = self.queries.health();
        health.extend(sizes.health);
        Arc::new(self.queries.statistics(Rest {
            version: self.version,
            standby: self.standby.clone(),
            database_sizes: sizes.databases,
            table_sizes: sizes.tables,
            others: self.others.newest(),
            left_out: self.others.left_out(),
            debates: self.debates.debates(),
            rankings: self.debates.rankings(),
            rounds: self.debates.rounds(),
            health,
        }))
    }
}
