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
    Activity, BufferCache, Cluster, Database, Features, Index, Locks, PostgresOptions, Receivers, Roles, Senders,
    ServerReading, Settings, Slots, SlowStatements, Standby, StatementOptions, Statements, Statistics, Table, Vacuums,
    Wal, activity,
    ask::{Asked, Sample},
    asked_debates::AskedDebates,
    buffercache, cluster,
    connection::{Connection, drive},
    databases, failure, indexes, locks,
    others::Others,
    receiver, replication,
    session::{Limits, Session},
    settings, sizes,
    sizing::{Read, Sizing, not_yet},
    standby::Listening,
    statements, tables,
    target::Target,
    vacuum,
};

/// Backoff between attempts to connect.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// How often the progress of vacuums is read.
const VACUUM_INTERVAL: Duration = Duration::from_secs(5);

/// One server and what is known of it.
pub(crate) struct Server {
    target: Target,
    limits: Limits,
    options: PostgresOptions,
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
    cluster: Asked<Cluster>,
    databases: Asked<Vec<Database>>,
    activity: Asked<Activity>,
    locks: Asked<Vec<Locks>>,
    senders: Asked<Senders>,
    slots: Asked<Slots>,
    settings: Asked<Settings>,
    /// There is one as long as there is a connection.
    sizing: Option<Sizing>,
    roles: Asked<Roles>,
    wal: Asked<Wal>,
    features: Asked<Features>,
    receivers: Asked<Receivers>,
    listening: Listening,
    standby: Section<Arc<Standby>>,
    vacuums: Asked<Vacuums>,
    buffer_cache: Asked<BufferCache>,
    indexes: Asked<Vec<Index>>,
    others: Others,
    tables: Asked<Vec<Table>>,
    slow_statements: Asked<SlowStatements>,
    statements: Asked<Statements>,
    debates: AskedDebates,
}

impl Server {
    pub(crate) fn new(target: Target, options: &PostgresOptions) -> Self {
        let slow = options.slow_interval.get();
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
            cluster: Asked::new("cluster", Duration::ZERO),
            databases: Asked::new("stat_database", Duration::ZERO),
            activity: Asked::new("stat_activity", Duration::ZERO).unless(|activity: &Activity| activity.hides),
            locks: Asked::new("locks", Duration::ZERO),
            senders: Asked::new("stat_replication", Duration::ZERO)
                .unless(|senders: &Senders| senders.0.iter().any(|one| one.state.is_none())),
            slots: Asked::new("replication_slot", Duration::ZERO),
            settings: Asked::new("settings", slow),
            sizing: None,
            roles: Asked::new("roles", slow),
            wal: Asked::new("wal", slow),
            features: Asked::new("features", slow),
            receivers: Asked::new("stat_wal_receiver", Duration::ZERO)
                .unless(|receivers: &Receivers| receivers.0.iter().any(|one| one.status.is_none())),
            listening: Listening::default(),
            standby: not_yet("standby"),
            vacuums: Asked::new("stat_progress_vacuum", VACUUM_INTERVAL)
                .unless(|vacuums: &Vacuums| vacuums.0.iter().any(|one| one.phase.is_none())),
            buffer_cache: Asked::new("buffercache_summary", options.tables.interval.get()),
            indexes: Asked::new("stat_user_indexes", options.tables.interval.get()),
            others: Others::new(&target, options),
            tables: Asked::new("stat_user_tables", options.tables.interval.get()),
            slow_statements: Asked::new("statements", slow),
            statements: Asked::new("stat_statements", options.tables.interval.get()),
            debates: AskedDebates::new(slow, &options.debates),
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

    /// Asks once with patience for a login: whether this server lets us in.
    pub(crate) async fn try_connect(&mut self) -> Result<(), Missing> {
        self.connect(Instant::now()).await
    }

    async fn try_sample(&mut self, now: Instant) -> Result<Arc<Statistics>, Missing> {
        self.connect(now).await?;
        let Some(mut connection) = self.connection.take() else {
            return Err(Missing::new(Reason::Unreachable, "not connected"));
        };
        let patience = self.limits.answer;
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
        };
        // The future of all queries is large: it is kept off the stack of the source's thread.
        let asked = drive(driver, patience, Box::pin(self.ask(&sample, notified))).await;
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
                self.forget();
                self.sizing = Some(Sizing::start(&self.target, &self.options, self.version));
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

    fn forget(&mut self) {
        self.cluster.forget();
        self.databases.forget();
        self.activity.forget();
        self.locks.forget();
        self.senders.forget();
        self.slots.forget();
        self.settings.forget();
        self.roles.forget();
        self.wal.forget();
        self.features.forget();
        self.receivers.forget();
        self.listening = Listening::default();
        self.vacuums.forget();
        self.buffer_cache.forget();
        self.indexes.forget();
        self.tables.forget();
        self.slow_statements.forget();
        self.statements.forget();
        self.debates.forget();
    }

    /// Two round trips at most, three when debates have changed: the queries of each go out together.
    async fn ask(&mut self, sample: &Sample<'_>, notified: &AtomicBool) {
        let version = self.version;
        let with_tables = self.options.tables.enabled != Switch::Off;
        let limit = self.options.tables.limit;
        let with_indexes = with_tables && self.options.tables.indexes;
        let with_debates = self.options.debates.enabled != Switch::Off;
        let before = self.cluster.value().cloned();
        let known = self.tables.value().cloned();
        let known_indexes = self.indexes.value().cloned();
        let standings = self.debates.standings().cloned();
        let receives = before.as_deref().is_some_and(|cluster| cluster.in_recovery);
        // An extension that is gone may have left its names to somebody else.
        let has = |extension: fn(&Features) -> bool| self.features.value().is_some_and(|features| extension(features));
        let metrics = self.options.statements.metrics && self.statements.is_due(sample.now);
        if has(|features| features.statements_schema.is_some()) && (metrics || self.slow_statements.is_due(sample.now))
            || has(|features| features.buffercache_schema.is_some()) && self.buffer_cache.is_due(sample.now)
        {
            self.features.set_due(None);
        }
        tokio::join!(
            self.cluster.ask(sample, || cluster::sql(version), one(Cluster::read)),
            self.databases.ask(sample, || databases::sql(version), databases::read),
            self.activity.ask(sample, activity::sql, activity::read),
            self.locks.ask(sample, locks::sql, locks::read),
            self.senders.ask(sample, replication::senders_sql, replication::read_senders),
            self.slots.ask(sample, replication::slots_sql, replication::read_slots),
            self.settings.ask(sample, settings::sql, settings::read),
            self.roles.ask(sample, sizes::roles_sql, sizes::read_roles),
            self.wal.ask(sample, sizes::wal_sql, one(Wal::read)),
            self.features.ask(sample, sizes::features_sql, one(Features::read)),
            async {
                if with_tables {
                    self.tables.ask(sample, || tables::sql(version, limit, known.as_deref()), tables::read).await;
                }
            },
            async {
                if with_indexes {
                    self.indexes.ask(sample, || indexes::sql(limit, known_indexes.as_deref()), indexes::read).await;
                }
            },
            self.vacuums.ask(sample, || vacuum::sql(version), vacuum::read),
            async {
                if receives {
                    self.receivers.ask(sample, receiver::sql, receiver::read).await;
                } else if before.is_some() {
                    let detail = "stat_wal_receiver: the server is a primary and receives nothing";
                    self.receivers.miss(Missing::new(Reason::NotConfigured, detail), sample.server);
                }
            },
            async {
                if with_debates {
                    self.debates.ask_first(sample, version, standings.as_deref()).await;
                }
            },
        );
        if with_tables && let (Some(databases), Some(cluster)) = (self.databases.value(), self.cluster.value()) {
            self.others.follow(databases, &cluster.database, version);
        }
        tokio::join!(
            ask_buffer_cache(&mut self.buffer_cache, self.features.value(), sample),
            ask_statements(
                &mut self.slow_statements,
                &mut self.statements,
                self.features.value(),
                &self.options.statements,
                sample
            ),
        );
        match self.cluster.value() {
            Some(now) if with_debates => {
                let database = now.database.clone();
                self.debates.ask(sample, version, standings.as_deref(), &database, notified).await;
            }
            Some(_) => {
                let detail = "debates: switched off: sources.postgres.debates.enabled is false";
                self.debates.miss(Missing::new(Reason::NotConfigured, detail), sample);
            }
            None => {}
        }
    }

    /// A standby is told from what it heard before.
    fn listen(&mut self, now: Instant) {
        self.standby = match self.cluster.value() {
            Some(cluster) if cluster.in_recovery => {
                let timeout = self.settings.value().and_then(|settings| settings.get("wal_receiver_timeout_seconds"));
                let receivers = self.receivers.value().map(|receivers| &**receivers);
                Section::Fresh(Arc::new(self.listening.take(cluster, receivers, timeout, now)))
            }
            _ => Section::off(Reason::NotConfigured, "standby: the server is a primary"),
        };
    }

    fn statistics(&self) -> Arc<Statistics> {
        let sizes = self.sizing.as_ref().map_or_else(Read::nothing, Sizing::newest);
        let mut health = vec![
            self.cluster.health(),
            self.databases.health(),
            self.activity.health(),
            self.locks.health(),
            self.senders.health(),
            self.slots.health(),
            self.settings.health(),
            self.roles.health(),
            self.wal.health(),
            self.vacuums.health(),
        ];
        if self.options.tables.enabled != Switch::Off {
            health.push(self.tables.health());
        }
        health.extend(sizes.health);
        Arc::new(Statistics {
            version: self.version,
            cluster: self.cluster.answer(),
            databases: self.databases.answer(),
            activity: self.activity.answer(),
            locks: self.locks.answer(),
            senders: self.senders.answer(),
            slots: self.slots.answer(),
            settings: self.settings.answer(),
            database_sizes: sizes.databases,
            roles: self.roles.answer(),
            wal: self.wal.answer(),
            features: self.features.answer(),
            receivers: self.receivers.answer(),
            standby: self.standby.clone(),
            vacuums: self.vacuums.answer(),
            buffer_cache: self.buffer_cache.answer(),
            indexes: self.indexes.answer(),
            others: self.others.newest(),
            left_out: self.others.left_out(),
            tables: self.tables.answer(),
            table_sizes: sizes.tables,
            slow_statements: self.slow_statements.answer(),
            statements: self.statements.answer(),
            debates: self.debates.debates(),
            rankings: self.debates.rankings(),
            rounds: self.debates.rounds(),
            health,
        })
    }
}

async fn ask_buffer_cache(cache: &mut Asked<BufferCache>, features: Option<&Arc<Features>>, sample: &Sample<'_>) {
    let Some(features) = features else { return };
    match buffercache::sql(features) {
        Some(sql) => cache.ask(sample, || sql, one(BufferCache::read)).await,
        None => {
            let detail = "buffercache_summary: pg_buffercache is not installed in this database, or older than 1.4";
            cache.miss(Missing::new(Reason::NotConfigured, detail), sample.server);
        }
    }
}

async fn ask_statements(
    slow_statements: &mut Asked<SlowStatements>,
    statements: &mut Asked<Statements>,
    features: Option<&Arc<Features>>,
    options: &StatementOptions,
    sample: &Sample<'_>,
) {
    let Some(features) = features else { return };
    let published = statements.value().cloned();
    let had_text = !slow_statements.met_encoding();
    let Some(slow) = statements::slow_sql(features, had_text) else {
        let detail = "statements: pg_stat_statements is not installed in this database; add it to \
                      shared_preload_libraries, restart, and run: CREATE EXTENSION pg_stat_statements;";
        let missing = Missing::new(Reason::NotConfigured, detail);
        slow_statements.miss(missing.clone(), sample.server);
        if options.metrics {
            statements.miss(missing, sample.server);
        }
        return;
    };
    if options.metrics && !features.sees_all {
        statements.miss(failure::hidden("stat_statements", sample.user), sample.server);
    }
    // Texts that our database's encoding cannot hold cost all texts, but no more.
    let query_length = if statements.met_encoding() { 0 } else { options.query_length };
    let with_texts = StatementOptions { query_length, ..options.clone() };
    let metrics =
        statements::sql(features, &with_texts, published.as_deref()).filter(|_| options.metrics && features.sees_all);
    tokio::join!(
        async {
            slow_statements.ask(sample, || slow, statements::read_slow).await;
            // The text of one statement that our database's encoding cannot hold costs all texts, but no more.
            if had_text
                && slow_statements.met_encoding()
                && let Some(numbers) = statements::slow_sql(features, false)
            {
                slow_statements.set_due(None);
                slow_statements.ask(sample, || numbers, statements::read_slow).await;
            }
        },
        async {
            if let Some(metrics) = metrics {
                statements.ask(sample, || metrics, statements::read).await;
            }
        }
    );
}

/// A reader of answers that have one row.
fn one<T: 'static>(
    read: fn(&tokio_postgres::Row) -> Result<T, tokio_postgres::Error>,
) -> impl Fn(&[tokio_postgres::Row]) -> Result<T, tokio_postgres::Error> {
    // Every such query is an aggregate or a select without a table, so that it has exactly one row.
    move |rows| read(&rows[0])
}
