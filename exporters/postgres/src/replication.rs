//! Who receives our WAL, and the slots that keep it for those who do not.

use aura_model::{Metric, Unit, gauge};
use serde::Serialize;
use tokio_postgres::{Error, Row};

use crate::ask::{columns, rows};

columns! {
    /// A server or tool that receives our WAL.
    pub struct Sender {
        /// What it calls itself.
        pub application: Option<String> = "r.application_name",
        /// Where it is.
        pub client: Option<String> = "pg_catalog.host(r.client_addr)",
        /// The same with the length of the network's prefix: `192.0.2.7/32`.
        pub network: Option<String> = "r.client_addr::pg_catalog.text",
        /// The process that sends to it.
        pub pid: String = "r.pid::pg_catalog.text",
        /// `streaming`, `catchup` and so on.
        pub state: Option<String> = "r.state",
        /// `sync`, `async`, `quorum` or `potential`.
        pub sync_state: Option<String> = "r.sync_state",
        /// The slot that it uses.
        pub slot: Option<String> = "s.slot_name::pg_catalog.text",
        /// Our position in the WAL: written, or received on a standby.
        pub wal_bytes: Option<f64> =
            "((CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn() ELSE \
            pg_catalog.pg_current_wal_lsn() END) - '0/0')::float",
        /// How far behind that it is.
        pub lag_bytes: Option<f64> =
            "((CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn() ELSE \
            pg_catalog.pg_current_wal_lsn() END) - r.replay_lsn)::float",
        /// How long it takes until it has replayed what we wrote.
        pub replay_lag_seconds: Option<f64> = "extract(epoch FROM r.replay_lag)::float",
    }
}

columns! {
    /// A replication slot.
    pub struct Slot {
        /// Its name.
        pub name: String = "slot_name::pg_catalog.text",
        /// `physical` or `logical`.
        pub kind: String = "slot_type",
        /// Its database, when it is logical.
        pub database: Option<String> = "database::pg_catalog.text",
        /// Somebody uses it now.
        pub active: bool = "active",
        /// Our position in the WAL.
        pub current_bytes: Option<f64> =
            "((CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn() ELSE \
            pg_catalog.pg_current_wal_lsn() END) - '0/0')::float",
        /// What its user has confirmed.
        pub confirmed_bytes: Option<f64> = "(confirmed_flush_lsn - '0/0')::float",
        /// WAL that is kept for it.
        pub kept_bytes: Option<f64> =
            "((CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn() ELSE \
            pg_catalog.pg_current_wal_lsn() END) - restart_lsn)::float",
        /// WAL that may still be written before it is lost.
        pub safe_bytes: Option<i64> = "safe_wal_size",
        /// `reserved`, `extended`, `unreserved` or `lost`.
        pub wal_status: Option<String> = "wal_status",
    }
}

/// Who receives our WAL.
#[derive(Debug, Default, Serialize)]
pub struct Senders(pub Vec<Sender>);

/// The slots.
#[derive(Debug, Default, Serialize)]
pub struct Slots(pub Vec<Slot>);

pub(crate) fn senders_sql() -> String {
    let columns = Sender::select(|_| None);
    format!(
        "SELECT {columns} FROM pg_catalog.pg_stat_replication r LEFT JOIN pg_catalog.pg_replication_slots s \
        ON s.active_pid = r.pid"
    )
}

pub(crate) fn slots_sql() -> String {
    format!("SELECT {} FROM pg_catalog.pg_replication_slots", Slot::select(|_| None))
}

pub(crate) fn read_senders(answer: &[Row]) -> Result<Senders, Error> {
    rows(answer, Sender::read).map(Senders)
}

pub(crate) fn read_slots(answer: &[Row]) -> Result<Slots, Error> {
    rows(answer, Slot::read).map(Slots)
}

/// As postgres_exporter has them from 0.21 on: until then two receivers behind one address were the same series twice.
const SENDER: &[&str] = &["application_name", "client_addr", "state", "slot_name", "pid"];

fn sender(sender: &Sender) -> [&str; 5] {
    fn text(part: &Option<String>) -> &str {
        part.as_deref().unwrap_or_default()
    }
    [text(&sender.application), text(&sender.network), text(&sender.state), text(&sender.slot), &sender.pid]
}

pub(crate) const SENDERS: &[Metric<Senders>] = &[
    gauge(
        "pg_stat_replication_pg_current_wal_lsn_bytes",
        "Position in the write-ahead log, in bytes.",
        Unit::Bytes,
        SENDER,
        |senders, emit| {
            for one in &senders.0 {
                emit.maybe(&sender(one), one.wal_bytes);
            }
        },
    ),
    gauge(
        "pg_stat_replication_pg_wal_lsn_diff",
        "How far the receiver is behind, in bytes.",
        Unit::Bytes,
        SENDER,
        |senders, emit| {
            for one in &senders.0 {
                emit.maybe(&sender(one), one.lag_bytes);
            }
        },
    ),
];

pub(crate) const SLOTS: &[Metric<Slots>] = &[
    gauge(
        "pg_replication_slots_active",
        "Whether somebody uses the slot.",
        Unit::None,
        &["slot_name", "database"],
        |slots, emit| {
            for slot in &slots.0 {
                emit.sample(&[&slot.name, slot.database.as_deref().unwrap_or_default()], slot.active.into());
            }
        },
    ),
    gauge(
        "pg_replication_slots_pg_wal_lsn_diff",
        "WAL that is kept for the slot, in bytes.",
        Unit::Bytes,
        &["slot_name", "database"],
        |slots, emit| {
            for slot in &slots.0 {
                emit.maybe(&[&slot.name, slot.database.as_deref().unwrap_or_default()], slot.kept_bytes);
            }
        },
    ),
];

const SLOT: &[&str] = &["slot_name", "slot_type"];

pub(crate) const SLOT_DETAILS: &[Metric<Slots>] = &[
    gauge(
        "pg_replication_slots_slot_current_wal_lsn",
        "Position in the write-ahead log, in bytes.",
        Unit::Bytes,
        SLOT,
        |slots, emit| {
            for slot in &slots.0 {
                emit.maybe(&[&slot.name, &slot.kind], slot.current_bytes);
            }
        },
    ),
    gauge(
        "pg_replication_slots_slot_confirmed_flush_lsn",
        "Position that the slot's user has confirmed, in bytes; of slots in use.",
        Unit::Bytes,
        SLOT,
        |slots, emit| {
            for slot in slots.0.iter().filter(|slot| slot.active) {
                emit.maybe(&[&slot.name, &slot.kind], slot.confirmed_bytes);
            }
        },
    ),
    gauge("pg_replication_slots_slot_is_active", "Whether somebody uses the slot.", Unit::None, SLOT, |slots, emit| {
        for slot in &slots.0 {
            emit.sample(&[&slot.name, &slot.kind], slot.active.into());
        }
    }),
    gauge(
        "pg_replication_slots_safe_wal_size_bytes",
        "Bytes that can be written to WAL before the slot is in danger of being lost.",
        Unit::Bytes,
        SLOT,
        |slots, emit| {
            for slot in &slots.0 {
                emit.maybe(&[&slot.name, &slot.kind], slot.safe_bytes);
            }
        },
    ),
    gauge(
        "pg_replication_slots_wal_status",
        "Availability of the WAL files claimed by the slot; 1.",
        Unit::None,
        &["slot_name", "slot_type", "wal_status"],
        |slots, emit| {
            for slot in &slots.0 {
                if let Some(status) = &slot.wal_status {
                    emit.sample(&[&slot.name, &slot.kind, status], true.into());
                }
            }
        },
    ),
];
