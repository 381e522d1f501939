//! What changes slowly or is expensive to read: sizes of databases, roles, files of the WAL.

use aura_model::{Metric, Missing, rows};
use serde::Serialize;

use crate::query::{Columns, Every, Query, Told, columns};

columns! {
    /// A database, before it is asked for its size.
    pub struct Listed {
        pub id: i64 = "oid::bigint",
        pub name: String = "datname::pg_catalog.text",
        /// Whether we may ask for its size.
        pub allowed: bool = "pg_catalog.has_database_privilege(oid, 'CONNECT') \
            OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')",
    }
}

/// The size of a database.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatabaseSize {
    /// As in `pg_database.datname`.
    pub name: String,
    /// Bytes on disk; none when we may not ask, or it could not be read for long.
    pub bytes: Option<i64>,
    /// When it was read, Unix seconds.
    pub read_at: f64,
}

/// Sizes of databases: the server looks at every file, so they are read rarely and one after the other.
#[derive(Debug, Serialize)]
pub struct DatabaseSizes {
    /// The databases.
    pub databases: Vec<DatabaseSize>,
    /// Those whose size could not be read, and why.
    #[serde(skip)]
    pub without: Option<Missing>,
}

columns! {
    /// A role.
    pub struct Role {
        pub name: String = "rolname::pg_catalog.text",
        /// Connections that it may have; -1 for any number.
        pub connection_limit: i32 = "rolconnlimit",
    }
}

columns! {
    /// The files of the WAL.
    pub struct Wal {
        pub segments: i64 = "pg_catalog.count(*)",
        /// Their bytes.
        pub bytes: i64 = "coalesce(pg_catalog.sum(size), 0)::bigint",
    }
}

columns! {
    /// What the database offers beyond the usual.
    pub struct Features {
        /// The schema of pg_stat_statements, when it is installed.
        pub statements_schema: Option<String> =
            "(SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n \
            ON n.oid = e.extnamespace \
             WHERE e.extname = 'pg_stat_statements')",
        pub statements_version: Option<String> =
            "(SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_stat_statements')",
        /// The schema of pg_buffercache, when it is installed.
        pub buffercache_schema: Option<String> =
            "(SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n \
            ON n.oid = e.extnamespace \
             WHERE e.extname = 'pg_buffercache')",
        pub buffercache_version: Option<String> =
            "(SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_buffercache')",
        /// Whether we may see other roles' activity.
        pub sees_all: bool = "pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')",
        /// The server's version in words.
        pub version: String = "pg_catalog.version()",
    }
}

/// The roles.
#[derive(Debug, Serialize)]
pub struct Roles(pub Vec<Role>);

pub(crate) fn databases_sql() -> String {
    format!("SELECT {} FROM pg_catalog.pg_database", Listed::select(|_| None))
}

pub(crate) fn database_sql(id: i64) -> String {
    format!("SELECT pg_catalog.pg_database_size({id}::pg_catalog.oid)")
}

pub(crate) const ROLES_QUERY: Query<Roles> = Query {
    every: Every::Slow,
    ..Query::new(
        "roles",
        |_, _| format!("SELECT {} FROM pg_catalog.pg_roles", Role::select(|_| None)).into(),
        |answer| Role::all(answer).map(Roles),
    )
};

pub(crate) const WAL_QUERY: Query<Wal> =
    Query { every: Every::Slow, ..Query::new("wal", |_, _| wal_sql().into(), Wal::one) };

fn wal_sql() -> String {
    format!("SELECT {} FROM pg_catalog.pg_ls_waldir() WHERE name ~ '^[0-9A-F]{{24}}$'", Wal::select(|_| None))
}

pub(crate) const FEATURES_QUERY: Query<Features> = Query {
    every: Every::Slow,
    told: Told::Nothing,
    ..Query::new("features", |_, _| format!("SELECT {}", Features::select(|_| None)).into(), Features::one)
};

pub(crate) const DATABASES: &[Metric<DatabaseSizes>] = rows! { |sizes|
    for database in &sizes.databases => { datname: database.name } {
        gauge "pg_database_size_bytes" in Bytes = database.bytes, "Disk space used by the database.";
        gauge "aura_postgres_database_size_age_seconds" in Seconds =
            database.bytes.map(|_| (crate::unix_now() - database.read_at).max(0.0)),
            "How long before this reading the size of the database was read.";
    }
};

pub(crate) const ROLES: &[Metric<Roles>] = rows! { |roles|
    for role in &roles.0 => { rolname: role.name } {
        gauge "pg_roles_connection_limit" = role.connection_limit,
            "Connections that the role may have; -1 for any number.";
    }
};

pub(crate) const WAL: &[Metric<Wal>] = rows! { |wal|
    gauge "pg_wal_segments" = wal.segments, "Number of WAL segments.";
    gauge "pg_wal_size_bytes" in Bytes = wal.bytes, "Total size of the WAL segments.";
};
