//! What one sample yields: for each server its parts, or why it has none.

use std::sync::Arc;

use aura_model::{GroupHealth, Missing, Name, Reason, Section};
use serde::Serialize;

use crate::{
    Activity, BufferCache, Cluster, Database, DatabaseSizes, Debates, Features, Index, Locks, OtherDatabase, Ranking,
    Receivers, Roles, Rounds, Senders, Settings, Slots, SlowStatements, Standby, Statements, Table, TableSizes,
    Vacuums, Wal,
};

/// All servers at one moment.
#[derive(Debug, Serialize)]
pub struct PostgresReading {
    /// In the order of the configuration.
    pub servers: Vec<ServerReading>,
}

/// One server at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct ServerReading {
    /// Its name in the configuration.
    pub name: Name,
    /// Where it is.
    pub address: String,
    /// The role that we log in as.
    pub user: String,
    /// The database that we connect to.
    pub database: String,
    /// What it said, or why it says nothing.
    pub up: Section<Arc<Statistics>>,
    /// How long the sample took.
    pub seconds: f64,
    /// How long before this reading the server was asked, when its newest sample has not returned yet; else 0.
    pub age_seconds: f64,
    /// Samples so far.
    pub scrapes: u64,
    /// Connections made so far: one more after each restart of the server.
    pub connects: u64,
}

/// What a server said. Each part is missing alone.
#[derive(Debug, Serialize)]
pub struct Statistics {
    /// `server_version_num`.
    pub version: u32,
    /// The server as a whole.
    pub cluster: Section<Arc<Cluster>>,
    /// Counters of each database.
    pub databases: Section<Arc<Vec<Database>>>,
    /// Who is connected.
    pub activity: Section<Arc<Activity>>,
    /// Locks by database and mode.
    pub locks: Section<Arc<Vec<Locks>>>,
    /// Who receives our WAL.
    pub senders: Section<Arc<Senders>>,
    /// From whom we receive WAL.
    pub receivers: Section<Arc<Receivers>>,
    /// How a standby stands to the server that it receives from.
    pub standby: Section<Arc<Standby>>,
    /// Vacuums that run.
    pub vacuums: Section<Arc<Vacuums>>,
    /// How the buffer cache is used.
    pub buffer_cache: Section<Arc<BufferCache>>,
    /// Replication slots.
    pub slots: Section<Arc<Slots>>,
    /// Settings as numbers.
    pub settings: Section<Arc<Settings>>,
    /// Sizes of databases.
    pub database_sizes: Section<Arc<DatabaseSizes>>,
    /// Roles.
    pub roles: Section<Arc<Roles>>,
    /// Files of the WAL.
    pub wal: Section<Arc<Wal>>,
    /// What the database offers beyond the usual.
    pub features: Section<Arc<Features>>,
    /// Counters of each table.
    pub tables: Section<Arc<Vec<Table>>>,
    /// Sizes of tables.
    pub table_sizes: Section<Arc<TableSizes>>,
    /// Counters of each index, when they are asked for.
    pub indexes: Section<Arc<Vec<Index>>>,
    /// Tables of other databases, when they are asked for.
    pub others: Vec<OtherDatabase>,
    /// Databases whose tables are not watched because there are too many.
    #[serde(skip)]
    pub left_out: Option<Missing>,
    /// The slowest statements.
    pub slow_statements: Section<Arc<SlowStatements>>,
    /// Statements that are published.
    pub statements: Section<Arc<Statements>>,
    /// Debates.
    pub debates: Section<Arc<Debates>>,
    /// Stored rankings of models.
    pub rankings: Section<Arc<Vec<Ranking>>>,
    /// Stored rounds of debates.
    pub rounds: Section<Arc<Vec<Rounds>>>,
    /// How long each query took when it was last asked.
    #[serde(skip)]
    pub health: Vec<GroupHealth>,
}

impl Statistics {
    /// Sizes of the tables of all databases that are watched.
    pub fn all_table_sizes(&self) -> impl Iterator<Item = &TableSizes> {
        let others = self.others.iter().filter_map(|other| other.tables.value()?.table_sizes.value());
        self.table_sizes.value().into_iter().chain(others).map(|sizes| &**sizes)
    }

    /// The tables of all databases that are watched.
    pub fn all_tables(&self) -> impl Iterator<Item = &Table> {
        let others = self.others.iter().filter_map(|other| other.tables.value()?.tables.value());
        self.tables.value().into_iter().chain(others).flat_map(|tables| tables.iter())
    }

    /// The parts that are missing although the server answers, and why.
    pub fn missing(&self) -> impl Iterator<Item = (&'static str, &Missing)> {
        // One of several databases stands for all: it names itself.
        let other = self.others.iter().find_map(|other| {
            refused(other.tables.missing()).or_else(|| {
                let tables = other.tables.value()?;
                let indexes = tables.indexes.as_ref().and_then(Section::missing);
                let sizes = tables.table_sizes.missing().or_else(|| tables.table_sizes.value()?.without.as_ref());
                tables.tables.missing().or(sizes).or(indexes)
            })
        });
        [
            ("cluster", self.cluster.missing()),
            ("stat_database", self.databases.missing()),
            ("stat_activity", self.activity.missing()),
            ("locks", self.locks.missing()),
            ("stat_replication", self.senders.missing()),
            ("replication_slot", self.slots.missing()),
            ("stat_wal_receiver", refused(self.receivers.missing())),
            ("stat_progress_vacuum", self.vacuums.missing()),
            ("buffercache_summary", refused(self.buffer_cache.missing())),
            ("settings", self.settings.missing()),
            (
                "database",
                refused(self.database_sizes.missing()).or_else(|| self.database_sizes.value()?.without.as_ref()),
            ),
            ("roles", self.roles.missing()),
            ("wal", self.wal.missing()),
            ("stat_user_tables", self.tables.missing()),
            ("table_sizes", refused(self.table_sizes.missing()).or_else(|| self.table_sizes.value()?.without.as_ref())),
            ("stat_user_indexes", refused(self.indexes.missing())),
            ("other_databases", self.left_out.as_ref().or(other)),
            ("statements", self.slow_statements.missing()),
            ("stat_statements", refused(self.statements.missing())),
            ("debates", self.debates.missing()),
        ]
        .into_iter()
        .filter_map(|(part, missing)| Some((part, missing?)))
    }
}

/// What nobody asked for, or no extension offers, is not missed.
fn refused(missing: Option<&Missing>) -> Option<&Missing> {
    missing.filter(|missing| missing.reason != Reason::NotConfigured)
}
