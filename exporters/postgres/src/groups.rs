//! The groups of metrics, under the names of postgres_exporter's collectors. With one server the labels are upstream's,
//! which names the server in a few families only; with several, each sample says first which server it is of.

use std::collections::BTreeSet;

use aura_model::{Emit, Family, Group, Metric, Missing, Value, declare, rows};

use crate::{
    Index, PostgresReading, ServerReading, Statistics, Table, TableSizes, activity, buffercache, cluster, databases,
    indexes, locks, receiver, replication, settings, sizes, standby, statements, tables, vacuum,
};

macro_rules! groups {
    ($($name:literal: $part:ident, $metrics:path;)* databases: $($table:literal: $parts:ident, $table_metrics:path;)*) => {
        pub(crate) const GROUPS: &[Group<PostgresReading>] = &[
            Group {
                name: "up",
                walk: |reading, emit| walk(UP, reading, |server| vec![server], emit),
                declare: |show| declare(UP, show),
            },
            $(Group {
                name: $name,
                walk: |reading, emit| {
                    walk($metrics, reading, |server| {
                        let part = server.up.value().and_then(|statistics| statistics.$part.value());
                        part.map(|part| &**part).into_iter().collect()
                    }, emit);
                },
                declare: |show| declare($metrics, show),
            },)*
            $(Group {
                name: $table,
                walk: |reading, emit| {
                    walk($table_metrics, reading, |server| server.up.value().map_or_else(Vec::new, |all| $parts(all)), emit);
                },
                declare: |show| declare($table_metrics, show),
            },)*
            Group {
                name: "settings",
                walk: walk_settings,
                declare: |show| declare(settings::METRICS, show),
            },
        ];
    };
}

groups! {
    "stat_database": databases, databases::METRICS;
    "stat_database_conflicts": databases, databases::CONFLICTS;
    "database_limits": databases, databases::LIMITS;
    "database": database_sizes, sizes::DATABASES;
    "database_wraparound": databases, databases::WRAPAROUND;
    "stat_bgwriter": cluster, cluster::BGWRITER;
    "stat_checkpointer": cluster, cluster::CHECKPOINTER;
    "stat_archiver": cluster, cluster::ARCHIVER;
    "replication": cluster, cluster::REPLICATION;
    "postmaster": cluster, cluster::POSTMASTER;
    "xlog_location": cluster, cluster::XLOG;
    "stat_replication": senders, replication::SENDERS;
    "replication_slots": slots, replication::SLOTS;
    "replication_slot": slots, replication::SLOT_DETAILS;
    "locks": locks, locks::METRICS;
    "stat_activity": activity, activity::METRICS;
    "long_running_transactions": activity, activity::LONG_RUNNING;
    "stat_activity_autovacuum": activity, activity::AUTOVACUUM;
    "process_idle": activity, activity::IDLE;
    "roles": roles, sizes::ROLES;
    "wal": wal, sizes::WAL;
    "stat_statements": statements, statements::METRICS;
    "stat_wal_receiver": receivers, receiver::METRICS;
    "standby": standby, standby::METRICS;
    "stat_progress_vacuum": vacuums, vacuum::METRICS;
    "buffercache_summary": buffer_cache, buffercache::METRICS;
    databases:
    "stat_user_tables": tables_of, tables::METRICS;
    "table_sizes": sizes_of, tables::SIZES;
    "statio_user_tables": tables_of, tables::IO;
    "stat_user_indexes": indexes_of, indexes::METRICS;
    "statio_user_indexes": indexes_of, indexes::IO;
}

/// Tables of the database that we are connected to, then of each other that is watched.
fn tables_of(all: &Statistics) -> Vec<&Vec<Table>> {
    let others = all.others.iter().filter_map(|other| other.tables.value()?.tables.value());
    let parts = all.tables.value().into_iter().chain(others).map(|part| &**part);
    once(parts, |tables| tables.first().map(|table| &table.database))
}

fn sizes_of(all: &Statistics) -> Vec<&TableSizes> {
    once(all.all_table_sizes(), |sizes| sizes.tables.first().map(|table| &table.database))
}

fn indexes_of(all: &Statistics) -> Vec<&Vec<Index>> {
    let others = all.others.iter().filter_map(|other| other.tables.value()?.indexes.as_ref()?.value());
    let parts = all.indexes.value().into_iter().chain(others).map(|part| &**part);
    once(parts, |indexes| indexes.first().map(|index| &index.database))
}

/// A pooler may lead two names to one database: it is shown once.
fn once<'a, P>(parts: impl Iterator<Item = &'a P>, database: fn(&P) -> Option<&String>) -> Vec<&'a P> {
    let mut seen = BTreeSet::new();
    parts.filter(|part| database(part).is_none_or(|name| seen.insert(name.clone()))).collect()
}

const UP: &[Metric<ServerReading>] = rows! { |server|
    gauge "pg_up" = server.up.value().is_some(), "Whether the server answers.";
    for all in server.up.value().into_iter(), features in all.features.value().into_iter(),
        short_version in [format!("{}.{}.0", all.version / 10_000, all.version % 10_000)]
        => { server: SERVER, short_version, version: features.version } {
        unknown "pg_static" = true, "The server's version; 1.";
    }
    gauge "pg_exporter_last_scrape_error" = server.up.value().is_none_or(|statistics| refused(statistics)),
        "Whether the newest sample failed or a part of it was refused.";
    gauge "pg_exporter_last_scrape_duration_seconds" in Seconds = server.seconds, "How long the newest sample took.";
    gauge "aura_postgres_age_seconds" in Seconds = server.age_seconds,
        "How long before this reading the server was asked: more than 0 while a sample has not returned.";
    counter "pg_exporter_scrapes_total" = server.scrapes, "Samples taken of the server.";
    for health in server.up.value().iter().flat_map(|all| &all.health) => { collector: health.group } {
        gauge "pg_scrape_collector_duration_seconds" in Seconds = health.duration.as_secs_f64(),
            "How long the query took when it was last asked.";
        gauge "pg_scrape_collector_success" = health.success, "Whether the query succeeded when it was last asked.";
    }
    counter "aura_postgres_connects_total" = server.connects,
        "Connections made to the server: more than one means that it or the network went away.";
    for (part, missing) in missing(server) => { part, reason: missing.reason.code() } {
        gauge "aura_postgres_missing_info" = true, "A part of the statistics that is missing, and why; 1.";
    }
};

/// What is missing of a server, all of it where it does not answer.
fn missing(server: &ServerReading) -> impl Iterator<Item = (&'static str, &Missing)> {
    let parts = server.up.value().into_iter().flat_map(|statistics| statistics.missing());
    parts.chain(server.up.missing().map(|missing| ("server", missing)))
}

/// What an old version or a missing extension does not have is no error.
fn refused(statistics: &Statistics) -> bool {
    statistics.health.iter().any(|health| !health.success)
}

/// What stands for the server's name in the samples of a family that has the label `server` with one server too.
pub(crate) const SERVER: &str = "";

/// Walks a table of metrics over all servers: each family is opened once.
fn walk<'a, R: 'a>(
    metrics: &[Metric<R>],
    reading: &'a PostgresReading,
    pick: fn(&'a ServerReading) -> Vec<&'a R>,
    emit: &mut dyn Emit,
) {
    for metric in metrics {
        emit.family(&metric.family);
        let labels = metric.family.labels;
        let named = labels.first() == Some(&"server");
        for server in &reading.servers {
            for part in pick(server) {
                if named || reading.servers.len() != 1 {
                    (metric.take)(part, &mut Labelled { emit, server: &server.name, labels, named });
                } else {
                    (metric.take)(part, emit);
                }
            }
        }
    }
}

/// Settings are families of their own, which several servers share.
fn walk_settings(reading: &PostgresReading, emit: &mut dyn Emit) {
    let of = |server: &ServerReading| server.up.value().and_then(|statistics| statistics.settings.value().cloned());
    if let [only] = &reading.servers[..] {
        if let Some(settings) = of(only) {
            aura_model::walk(settings::METRICS, &settings, emit);
        }
        return;
    }
    let all: Vec<_> = reading.servers.iter().filter_map(|server| Some((&*server.name, of(server)?))).collect();
    let mut names: Vec<&str> =
        all.iter().flat_map(|(_, settings)| settings.0.iter().map(|number| number.metric.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let mut opened = false;
        for (server, settings) in &all {
            let Some(number) = settings.0.iter().find(|number| number.metric == name) else { continue };
            if !std::mem::replace(&mut opened, true) {
                settings::open(number, emit);
            }
            emit.labelled("", &[("server", server)], number.value.into());
        }
    }
}

/// Puts the server's name before the other labels.
struct Labelled<'a> {
    emit: &'a mut dyn Emit,
    server: &'a str,
    labels: &'static [&'static str],
    /// The first label is the server's.
    named: bool,
}

impl Emit for Labelled<'_> {
    fn family(&mut self, family: &Family<'_>) {
        self.emit.family(family);
    }

    fn sample(&mut self, values: &[&str], value: Value) {
        let mut labels = vec![("server", self.server)];
        labels.extend(self.labels.iter().copied().zip(values.iter().copied()).skip(self.named.into()));
        self.emit.labelled("", &labels, value);
    }

    fn labelled(&mut self, suffix: &str, labels: &[(&str, &str)], value: Value) {
        let mut all = vec![("server", self.server)];
        all.extend(labels);
        self.emit.labelled(suffix, &all, value);
    }
}

#[cfg(test)]
mod tests;
