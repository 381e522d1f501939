//! Who receives our WAL, and the slots that keep it for those who do not.

use aura_model::{Metric, rows};
use serde::Serialize;

use crate::{
    query::{Columns, Query, columns},
    text::or_empty,
};

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

pub(crate) const SENDERS_QUERY: Query<Senders> = Query {
    hides: |senders| senders.0.iter().any(|one| one.state.is_none()),
    ..Query::new("stat_replication", |_, _| senders_sql().into(), |answer| Sender::all(answer).map(Senders))
};

fn senders_sql() -> String {
    let columns = Sender::select(|_| None);
    format!(
        "SELECT {columns} FROM pg_catalog.pg_stat_replication r LEFT JOIN pg_catalog.pg_replication_slots s \
        ON s.active_pid = r.pid"
    )
}

pub(crate) const SLOTS_QUERY: Query<Slots> =
    Query::new("replication_slot", |_, _| slots_sql().into(), |answer| Slot::all(answer).map(Slots));

fn slots_sql() -> String {
    format!("SELECT {} FROM pg_catalog.pg_replication_slots", Slot::select(|_| None))
}

// Labels as postgres_exporter has them from 0.21 on: until then two receivers behind one address were the same series
// twice.
pub(crate) const SENDERS: &[Metric<Senders>] = rows! { |senders|
    for one in &senders.0, [application_name, client_addr, state, slot_name] in
        [[&one.application, &one.network, &one.state, &one.slot].map(or_empty)]
        => { application_name, client_addr, state, slot_name, pid: one.pid } {
        gauge "pg_stat_replication_pg_current_wal_lsn_bytes" in Bytes = one.wal_bytes,
            "Position in the write-ahead log, in bytes.";
        gauge "pg_stat_replication_pg_wal_lsn_diff" in Bytes = one.lag_bytes,
            "How far the receiver is behind, in bytes.";
    }
};

pub(crate) const SLOTS: &[Metric<Slots>] = rows! { |slots|
    for slot in &slots.0 => { slot_name: slot.name, database: or_empty(&slot.database) } {
        gauge "pg_replication_slots_active" = slot.active, "Whether somebody uses the slot.";
        gauge "pg_replication_slots_pg_wal_lsn_diff" in Bytes = slot.kept_bytes,
            "WAL that is kept for the slot, in bytes.";
    }
};

pub(crate) const SLOT_DETAILS: &[Metric<Slots>] = rows! { |slots|
    for slot in &slots.0 => { slot_name: slot.name, slot_type: slot.kind } {
        gauge "pg_replication_slots_slot_current_wal_lsn" in Bytes = slot.current_bytes,
            "Position in the write-ahead log, in bytes.";
        gauge "pg_replication_slots_slot_confirmed_flush_lsn" in Bytes = slot.confirmed_bytes.filter(|_| slot.active),
            "Position that the slot's user has confirmed, in bytes; of slots in use.";
        gauge "pg_replication_slots_slot_is_active" = slot.active, "Whether somebody uses the slot.";
        gauge "pg_replication_slots_safe_wal_size_bytes" in Bytes = slot.safe_bytes,
            "Bytes that can be written to WAL before the slot is in danger of being lost.";
    }
    for slot in &slots.0, wal_status in slot.wal_status.iter()
        => { slot_name: slot.name, slot_type: slot.kind, wal_status } {
        gauge "pg_replication_slots_wal_status" = true, "Availability of the WAL files claimed by the slot; 1.";
    }
};
