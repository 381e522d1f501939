//! From readings to what people want to see. This is the one place where PostgreSQL's counters are divided.

mod health;

use std::collections::BTreeMap;

use aura_model::{Missing, Reason};
use aura_postgres::{Database as Counters, ServerReading};

pub(super) use self::health::connections;
use self::health::{blocked, health, long_running, replication, running_vacuum};
use super::{
    growth::Sizes,
    message::{Connections, Database, Health, Metrics, Rates, RowRates, Size, SlowQuery, TableSize, VacuumDebt},
};

/// The server stops before it has used this many transaction numbers.
const TRANSACTION_NUMBERS: f64 = 2_147_483_647.0;

/// An earlier reading of the same server and how many seconds lie between.
pub(super) type Before<'a> = Option<(&'a ServerReading, f64)>;

/// Everything about one server.
pub(super) fn metrics(server: &ServerReading, before: Before<'_>, sizes: &Sizes, timestamp: &str) -> Metrics {
    let mut metrics = empty(server, timestamp);
    let Some(statistics) = server.up.value() else {
        let missing = server.up.missing().cloned();
        let refused = missing.as_ref().is_some_and(|missing| missing.reason == Reason::NoPermission);
        metrics.status = if refused { "error" } else { "disconnected" };
        metrics.error = missing.as_ref().map(|missing| missing.detail.clone());
        metrics.missing.extend(missing.map(|missing| ("metrics", missing)));
        return metrics;
    };
    // A restart lies between: its counters began anew.
    let before = before.filter(|(before, _)| before.connects == server.connects);
    let cluster = statistics.cluster.value().map(|cluster| &**cluster);
    let activity = statistics.activity.value().map(|activity| &**activity);
    let max = statistics.settings.value().and_then(|settings| settings.get("max_connections"));
    let database = cluster.map_or(&server.database, |cluster| &cluster.database);
    metrics.database.clone_from(database);
    metrics.version = Some(version(statistics.version));
    metrics.role = cluster.map(|cluster| if cluster.in_recovery { "replica" } else { "primary" });
    metrics.connections = Some(match activity {
        Some(activity) => connections(activity, database, max),
        None => Connections { max: max.map(|max| max as u64), ..Connections::default() },
    });
    metrics.long_running = activity.map(long_running);
    metrics.blocked = activity.map(blocked);
    metrics.vacuums = statistics.vacuums.value().map(|vacuums| vacuums.0.iter().map(running_vacuum).collect());
    metrics.replication = cluster.map(|cluster| replication(cluster, statistics));
    if metrics.replication.as_ref().is_some_and(|replication| replication.cut_off == Some(true)) {
        let silent = statistics.standby.value().and_then(|standby| standby.silent_seconds).unwrap_or_default();
        let detail = format!("standby: cut off: it has heard nothing from its primary for {silent:.0} s");
        metrics.missing.insert("replication.lag_seconds", Missing::new(Reason::Unreachable, detail));
    }
    metrics.database_size = statistics.database_sizes.value().and_then(|all| {
        let bytes = all.databases.iter().find(|one| one.name == *database)?.bytes?;
        let growth = sizes.growth([&server.name, database, "", ""]);
        Some(Size { bytes, pretty: pretty(bytes), mb: bytes as f64 / 1_048_576.0, growth })
    });
    metrics.table_sizes = statistics.table_sizes.value().map(|_| {
        let mut tables: Vec<TableSize> = statistics
            .all_table_sizes()
            .flat_map(|sizes| &sizes.tables)
            .filter_map(|table| {
                let size_bytes = table.table_bytes? + table.index_bytes?;
                Some(TableSize {
                    database: table.database.clone(),
                    schema: table.schema.clone(),
                    table: table.name.clone(),
                    size_bytes,
                    size_pretty: pretty(size_bytes),
                    growth: sizes.growth([&server.name, &table.database, &table.schema, &table.name]),
                })
            })
            .collect();
        tables.sort_by_key(|table| std::cmp::Reverse(table.size_bytes));
        tables.truncate(20);
        tables
    });
    metrics.slow_queries = statistics.slow_statements.value().filter(|slow| !slow.0.is_empty()).map(|slow| {
        let each = slow.0.iter().map(|statement| SlowQuery {
            query: statement.query.clone(),
            calls: statement.calls,
            total_time_ms: statement.total_ms,
            mean_time_ms: statement.mean_ms,
            rows: statement.rows,
            database: statement.database.clone(),
        });
        each.collect()
    });
    metrics.vacuum_debt = statistics.tables.value().map(|_| {
        let mut debts: Vec<&aura_postgres::Table> = statistics.all_tables().filter(|table| table.dead > 0).collect();
        debts.sort_by_key(|table| std::cmp::Reverse(table.dead));
        let each = debts.into_iter().take(10).map(|table| VacuumDebt {
            database: table.database.clone(),
            schema: table.schema.clone(),
            table: table.name.clone(),
            dead_rows: table.dead,
            live_rows: table.live,
            last_vacuum: match (table.last_vacuum, table.last_autovacuum) {
                (Some(one), Some(other)) => Some(one.max(other)),
                (one, other) => one.or(other),
            },
        });
        each.collect()
    });
    let earlier = before.and_then(|(before, seconds)| Some((before.up.value()?.databases.value()?, seconds)));
    if let Some(now) = statistics.databases.value() {
        let now_unix = jiff::Timestamp::now().duration_since(jiff::Timestamp::UNIX_EPOCH).as_secs_f64();
        metrics.activity = earlier.and_then(|(earlier, seconds)| {
            let pairs: Vec<_> =
                now.iter().filter_map(|one| Some((one, earlier.iter().find(|other| other.id == one.id)?))).collect();
            rates(&pairs, seconds)
        });
        let each = now.iter().filter(|database| !database.template).map(|one| {
            let old = earlier
                .and_then(|(earlier, seconds)| Some((earlier.iter().find(|other| other.id == one.id)?, seconds)));
            let sizes_now = statistics.database_sizes.value();
            let size = sizes_now.and_then(|sizes| sizes.databases.iter().find(|size| size.name == one.name));
            Database {
                name: one.name.clone(),
                size_bytes: size.and_then(|size| size.bytes),
                size_age_seconds: size
                    .filter(|size| size.bytes.is_some())
                    .map(|size| (now_unix - size.read_at).max(0.0)),
                growth: sizes.growth([&server.name, &one.name, "", ""]),
                backends: one.backends,
                cache_hit_ratio: ratio(one.blocks_hit, one.blocks_read),
                rollback_ratio: ratio(one.rollbacks, one.commits),
                deadlocks: one.deadlocks,
                wraparound_percent: f64::from(one.frozen_age) / TRANSACTION_NUMBERS * 100.0,
                rates: old.and_then(|(old, seconds)| rates(&[(one, old)], seconds)),
            }
        });
        metrics.databases = Some(each.collect());
    }
    for (part, missing) in statistics.missing() {
        // The debates have a feed of their own.
        if part != "debates" {
            let path = match part {
                "database" if statistics.database_sizes.value().is_some() => "databases.size_bytes",
                _ => path(part),
            };
            metrics.missing.insert(path, missing.clone());
        }
    }
    metrics.health = health(statistics, cluster, metrics.connections.as_ref(), activity);
    metrics
}

fn empty(server: &ServerReading, timestamp: &str) -> Metrics {
    Metrics {
        name: server.name.to_string(),
        status: "connected",
        timestamp: timestamp.to_owned(),
        age_seconds: server.age_seconds,
        error: None,
        host: server.address.clone(),
        database: server.database.clone(),
        version: None,
        role: None,
        connections: None,
        database_size: None,
        table_sizes: None,
        slow_queries: None,
        health: Health {
            accepting_connections: false,
            uptime_seconds: None,
            long_running_queries: None,
            blocked_queries: None,
            status: "unknown",
            reasons: Vec::new(),
        },
        activity: None,
        databases: None,
        long_running: None,
        blocked: None,
        vacuum_debt: None,
        vacuums: None,
        replication: None,
        missing: BTreeMap::new(),
    }
}

/// Where the message has what a query gives.
fn path(part: &'static str) -> &'static str {
    match part {
        "cluster" => "health.uptime_seconds",
        "stat_database" => "databases",
        "stat_activity" => "connections",
        "settings" => "connections.max",
        "database" => "database_size",
        "stat_user_tables" => "vacuum_debt",
        "stat_progress_vacuum" => "vacuums",
        "statements" => "slow_queries",
        "stat_replication" => "replication.receivers",
        "replication_slot" => "replication.inactive_slots",
        other => other,
    }
}

/// Rates of databases together; none when a counter went back, because somebody reset it.
pub(super) fn rates(pairs: &[(&Counters, &Counters)], seconds: f64) -> Option<Rates> {
    if pairs.is_empty() || seconds <= 0.0 {
        return None;
    }
    let mut went_back = false;
    let mut grown = |take: fn(&Counters) -> i64| {
        let difference = pairs.iter().map(|(now, before)| take(now) - take(before));
        difference.inspect(|difference| went_back |= *difference < 0).sum::<i64>()
    };
    let commits = grown(|one| one.commits);
    let rollbacks = grown(|one| one.rollbacks);
    let (hit, read) = (grown(|one| one.blocks_hit), grown(|one| one.blocks_read));
    let (returned, inserted) = (grown(|one| one.returned), grown(|one| one.inserted));
    let (updated, deleted) = (grown(|one| one.updated), grown(|one| one.deleted));
    let (deadlocks, temp) = (grown(|one| one.deadlocks), grown(|one| one.temp_bytes));
    if went_back {
        return None;
    }
    let each_second = |count: i64| count as f64 / seconds;
    Some(Rates {
        window_seconds: seconds,
        commits_per_second: each_second(commits),
        rollbacks_per_second: each_second(rollbacks),
        rollback_ratio: ratio(rollbacks, commits),
        cache_hit_ratio: ratio(hit, read),
        rows_per_second: RowRates {
            returned: each_second(returned),
            inserted: each_second(inserted),
            updated: each_second(updated),
            deleted: each_second(deleted),
        },
        deadlocks,
        temp_bytes_per_second: each_second(temp),
    })
}

fn ratio(part: i64, rest: i64) -> Option<f64> {
    let all = part + rest;
    (all > 0).then(|| part as f64 / all as f64)
}

fn version(number: u32) -> String {
    format!("{}.{}", number / 10_000, number % 10_000)
}

/// As PostgreSQL's pg_size_pretty: the next unit from 10 of it on, rounded half away from zero.
pub(super) fn pretty(bytes: i64) -> String {
    let mut size = bytes;
    let limit = 10 * 1024;
    if size.abs() < limit {
        return format!("{size} bytes");
    }
    // One bit is kept for rounding.
    size >>= 9;
    for unit in ["kB", "MB", "GB", "TB"] {
        if size.abs() < limit * 2 - 1 {
            return format!("{} {unit}", (size + size.signum()) / 2);
        }
        size >>= 10;
    }
    format!("{} PB", (size + size.signum()) / 2)
}
