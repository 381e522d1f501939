//! Who is connected, what runs and waits, and whether the server is well.

use std::collections::BTreeMap;

use aura_postgres::{Activity, Backend, Cluster, Statistics};

use super::TRANSACTION_NUMBERS;
use crate::views::postgres::message::{
    Blocked, Blocker, Connections, Health, Holder, InactiveSlot, Receiver, Replication, Running, Vacuum,
};

/// A query that has been running for longer is shown.
const LONG_SECONDS: f64 = 30.0;
/// No more connections should be taken, in percent.
const MUCH: f64 = 80.0;

pub(in crate::views::postgres) fn connections(activity: &Activity, database: &str, max: Option<f64>) -> Connections {
    let clients: Vec<&Backend> = activity.backends.iter().filter(|backend| backend.is_client()).collect();
    let counted = |states: &[&str]| {
        let fits = |client: &&&Backend| client.state.as_deref().is_some_and(|state| states.contains(&state));
        Some(clients.iter().filter(fits).count() as u64)
    };
    let total = clients.len() as u64;
    /// Role, application, place and database.
    type Who<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>);
    let mut holders: BTreeMap<Who<'_>, u64> = BTreeMap::new();
    for client in &clients {
        let user = client.user.as_deref().unwrap_or_default();
        let application = client.application.as_deref().unwrap_or_default();
        *holders.entry((user, application, client.client.as_deref(), client.database.as_deref())).or_default() += 1;
    }
    let mut holders: Vec<Holder> = holders
        .into_iter()
        .map(|((user, application, client, database), count)| Holder {
            user: user.to_owned(),
            application: application.to_owned(),
            client: client.map(str::to_owned),
            database: database.map(str::to_owned),
            count,
        })
        .collect();
    holders.sort_by_key(|holder| std::cmp::Reverse(holder.count));
    holders.truncate(20);
    let others = activity.backends.iter().filter(|backend| !backend.own && !backend.is_client());
    Connections {
        active: counted(&["active", "fastpath function call"]),
        idle: counted(&["idle"]),
        idle_in_transaction: counted(&["idle in transaction", "idle in transaction (aborted)"]),
        total: Some(total),
        this_database: Some(clients.iter().filter(|client| client.database.as_deref() == Some(database)).count() as u64),
        background: Some(others.count() as u64),
        max: max.map(|max| max as u64),
        utilization_percent: max.filter(|max| *max > 0.0).map(|max| total as f64 / max * 100.0),
        holders: Some(holders),
    }
}

pub(super) fn long_running(activity: &Activity) -> Vec<Running> {
    let mut running: Vec<Running> = activity
        .backends
        .iter()
        .filter(|backend| backend.is_client())
        .filter_map(|backend| {
            Some(Running {
                pid: backend.pid,
                user: backend.user.clone(),
                database: backend.database.clone(),
                application: backend.application.clone(),
                state: backend.state.clone(),
                seconds: backend.transaction_seconds.filter(|seconds| *seconds > LONG_SECONDS)?,
                query: backend.query.clone(),
            })
        })
        .collect();
    running.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    running.truncate(20);
    running
}

pub(super) fn running_vacuum(vacuum: &aura_postgres::Vacuum) -> Vacuum {
    let progress = vacuum.blocks.filter(|blocks| *blocks > 0).zip(vacuum.scanned);
    Vacuum {
        database: vacuum.database.clone(),
        table: vacuum.table.clone(),
        phase: vacuum.phase.clone(),
        scanned_percent: progress.map(|(blocks, scanned)| scanned as f64 / blocks as f64 * 100.0),
    }
}

fn waits(backend: &&Backend) -> bool {
    backend.is_client() && backend.wait_kind.as_deref() == Some("Lock")
}

pub(super) fn blocked(activity: &Activity) -> Vec<Blocked> {
    let blocker = |pid: i32| {
        let backend = activity.backends.iter().find(|backend| backend.pid == pid);
        Blocker {
            pid,
            user: backend.and_then(|backend| backend.user.clone()),
            state: backend.and_then(|backend| backend.state.clone()),
            query: backend.and_then(|backend| backend.query.clone()),
        }
    };
    let each = activity.backends.iter().filter(waits).take(20).map(|backend| Blocked {
        pid: backend.pid,
        user: backend.user.clone(),
        database: backend.database.clone(),
        seconds: backend.query_seconds,
        query: backend.query.clone(),
        blocked_by: backend
            .blocked_by
            .iter()
            .flat_map(|pids| pids.split(','))
            .filter_map(|pid| pid.parse().ok())
            .map(blocker)
            .collect(),
    });
    each.collect()
}

pub(super) fn replication(cluster: &Cluster, statistics: &Statistics) -> Replication {
    let receivers = statistics.senders.value().map(|senders| {
        let each = senders.0.iter().map(|sender| Receiver {
            application: sender.application.clone(),
            client: sender.client.clone(),
            state: sender.state.clone(),
            lag_bytes: sender.lag_bytes,
            lag_seconds: sender.replay_lag_seconds,
        });
        each.collect()
    });
    let inactive_slots = statistics.slots.value().map(|slots| {
        let inactive = slots.0.iter().filter(|slot| !slot.active);
        inactive.map(|slot| InactiveSlot { name: slot.name.clone(), kept_bytes: slot.kept_bytes }).collect()
    });
    let standby = statistics.standby.value();
    let cut_off = standby.and_then(|standby| standby.cut_off);
    Replication {
        is_replica: cluster.in_recovery,
        lag_seconds: cluster.replay_lag_seconds.filter(|_| cut_off != Some(true)),
        silent_seconds: standby.and_then(|standby| standby.silent_seconds),
        cut_off,
        receivers,
        inactive_slots,
    }
}

pub(super) fn health(
    statistics: &Statistics,
    cluster: Option<&Cluster>,
    connections: Option<&Connections>,
    activity: Option<&Activity>,
) -> Health {
    let long = activity.map(|activity| {
        let long = |backend: &&Backend| {
            backend.is_client()
                && backend.state.as_deref() == Some("active")
                && backend.query_seconds.is_some_and(|seconds| seconds > LONG_SECONDS)
        };
        activity.backends.iter().filter(long).count() as u64
    });
    let blocked = activity.map(|activity| activity.backends.iter().filter(waits).count() as u64);
    let mut reasons = Vec::new();
    if let Some(count) = blocked.filter(|count| *count > 0) {
        reasons.push(format!("{count} backends wait for a lock"));
    }
    if let Some(count) = long.filter(|count| *count > 0) {
        reasons.push(format!("{count} queries have been running for more than {LONG_SECONDS} s"));
    }
    if let Some(percent) = connections.and_then(|connections| connections.utilization_percent).filter(|p| *p >= MUCH) {
        reasons.push(format!("{percent:.0} % of max_connections are taken"));
    }
    for database in statistics.databases.value().into_iter().flat_map(|databases| databases.iter()) {
        let percent = f64::from(database.frozen_age) / TRANSACTION_NUMBERS * 100.0;
        if percent >= MUCH {
            reasons.push(format!("{} has used {percent:.0} % of its transaction numbers: vacuum it", database.name));
        }
    }
    let standby = statistics.standby.value();
    let cut_off = standby.is_some_and(|standby| standby.cut_off == Some(true));
    if let Some(seconds) = standby.filter(|_| cut_off).and_then(|standby| standby.silent_seconds) {
        reasons.push(format!("cut off: it has heard nothing from its primary for {seconds:.0} s"));
    }
    // The older contract: blocked queries decide, and a standby that is cut off; everything else is a remark.
    let status = match blocked {
        _ if cut_off => "degraded",
        None => "unknown",
        Some(0) => "healthy",
        Some(_) => "degraded",
    };
    Health {
        accepting_connections: true,
        uptime_seconds: cluster.map(|cluster| cluster.now - cluster.started),
        long_running_queries: long,
        blocked_queries: blocked,
        status,
        reasons,
    }
}
