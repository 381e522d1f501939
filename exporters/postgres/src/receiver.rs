//! Where a standby gets its changes from: pg_stat_wal_receiver.

use aura_model::{Metric, Missing, Reason, rows};
use serde::Serialize;

use crate::{
    query::{Ask, Columns, Known, Query, Told, columns},
    text::or_empty,
};

columns! {
    #[derive(Default)]
    /// The process that receives the WAL. All but its presence is hidden from those without pg_read_all_stats.
    pub struct Receiver {
        /// The server that it receives from.
        pub host: Option<String> = "sender_host",
        /// The slot that it uses there.
        pub slot: Option<String> = "slot_name",
        /// `starting`, `streaming`, `waiting` and so on.
        pub status: Option<String> = "status",
        /// Position at which it began.
        pub start_bytes: Option<f64> = "(receive_start_lsn - '0/0')::float",
        /// Timeline at which it began.
        pub start_timeline: Option<i32> = "receive_start_tli",
        /// Position up to which all is on disk.
        pub flushed_bytes: Option<f64> = "(flushed_lsn - '0/0')::float",
        /// Timeline of that position.
        pub timeline: Option<i32> = "received_tli",
        /// When the newest message was sent, Unix seconds of the sender.
        pub sent: Option<f64> = "extract(epoch FROM last_msg_send_time)::float",
        /// When the newest message was received, Unix seconds.
        pub received: Option<f64> = "extract(epoch FROM last_msg_receipt_time)::float",
        /// Position last reported to the sender.
        pub reported_bytes: Option<f64> = "(latest_end_lsn - '0/0')::float",
        /// The number of the node in the slot's name, where repmgr made it.
        pub node: Option<i64> = "pg_catalog.substring(slot_name, '^repmgr_slot_([0-9]{1,18})$')::bigint",
        /// When that was, Unix seconds.
        pub reported: Option<f64> = "extract(epoch FROM latest_end_time)::float",
    }
}

/// None on a server that receives nothing.
#[derive(Debug, Default, Serialize)]
pub struct Receivers(pub Vec<Receiver>);

pub(crate) const QUERY: Query<Receivers> = Query {
    told: Told::Refused,
    hides: |receivers| receivers.0.iter().any(|one| one.status.is_none()),
    ..Query::new("stat_wal_receiver", |known, _| ask(known), |answer| Receiver::all(answer).map(Receivers))
};

fn ask(known: &Known<'_>) -> Ask {
    match known.in_recovery {
        Some(true) => format!("SELECT {} FROM pg_catalog.pg_stat_wal_receiver", Receiver::select(|_| None)).into(),
        Some(false) => {
            let detail = "stat_wal_receiver: the server is a primary and receives nothing";
            Ask::Missing(Missing::new(Reason::NotConfigured, detail))
        }
        None => Ask::Nothing,
    }
}

/// postgres_exporter's numbers; it gives those that it does not know -2, here they are absent.
fn status(word: &str) -> Option<i64> {
    Some(match word {
        "stopping" => -1,
        "stopped" => 0,
        "starting" => 1,
        "streaming" => 2,
        "waiting" => 3,
        "restarting" => 4,
        _ => return None,
    })
}

pub(crate) const METRICS: &[Metric<Receivers>] = rows! { |receivers|
    for one in &receivers.0 => { upstream_host: or_empty(&one.host), slot_name: or_empty(&one.slot) } {
        gauge "pg_stat_wal_receiver_status" = one.status.as_deref().and_then(status),
            "What the receiver does: -1 stopping, 0 stopped, 1 starting, 2 streaming, 3 waiting, 4 restarting.";
    }
    for one in &receivers.0
        => { upstream_host: or_empty(&one.host), slot_name: or_empty(&one.slot), status: or_empty(&one.status) } {
        gauge "pg_stat_wal_receiver_upstream_node" = one.node,
            "The number of the node that is received from, out of the name of repmgr's slot.";
        counter "pg_stat_wal_receiver_receive_start_lsn" in Bytes = one.start_bytes,
            "Position in the write-ahead log at which it began, in bytes.";
        gauge "pg_stat_wal_receiver_receive_start_tli" = one.start_timeline,
            "Timeline at which it began.";
        counter "pg_stat_wal_receiver_flushed_lsn" in Bytes = one.flushed_bytes,
            "Position up to which all that was received is on disk, in bytes.";
        gauge "pg_stat_wal_receiver_received_tli" = one.timeline, "Timeline of what is on disk.";
        counter "pg_stat_wal_receiver_last_msg_send_time" in Seconds = one.sent,
            "When the newest message was sent, Unix seconds of the sender's clock.";
        counter "pg_stat_wal_receiver_last_msg_receipt_time" in Seconds = one.received,
            "When the newest message was received, Unix seconds.";
        counter "pg_stat_wal_receiver_latest_end_lsn" in Bytes = one.reported_bytes,
            "Position last reported to the sender, in bytes.";
        counter "pg_stat_wal_receiver_latest_end_time" in Seconds = one.reported,
            "When a position was last reported to the sender, Unix seconds.";
    }
};
