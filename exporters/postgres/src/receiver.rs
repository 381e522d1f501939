//! Where a standby gets its changes from: pg_stat_wal_receiver.

use aura_model::{Emit, Metric, Unit, counter, gauge};
use serde::Serialize;
use tokio_postgres::{Error, Row};

use crate::ask::{columns, rows};

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

pub(crate) fn sql() -> String {
    format!("SELECT {} FROM pg_catalog.pg_stat_wal_receiver", Receiver::select(|_| None))
}

pub(crate) fn read(answer: &[Row]) -> Result<Receivers, Error> {
    rows(answer, Receiver::read).map(Receivers)
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

macro_rules! each {
    ($kind:ident, $name:literal, $help:literal, $unit:expr, $value:expr) => {
        $kind(
            $name,
            $help,
            $unit,
            &["upstream_host", "slot_name", "status"],
            |receivers: &Receivers, emit: &mut dyn Emit| {
                for one in &receivers.0 {
                    let value: fn(&Receiver) -> Option<_> = $value;
                    let [host, slot, status] =
                        [&one.host, &one.slot, &one.status].map(|part| part.as_deref().unwrap_or_default());
                    emit.maybe(&[host, slot, status], value(one));
                }
            },
        )
    };
}

pub(crate) const METRICS: &[Metric<Receivers>] = &[
    gauge(
        "pg_stat_wal_receiver_status",
        "What the receiver does: -1 stopping, 0 stopped, 1 starting, 2 streaming, 3 waiting, 4 restarting.",
        Unit::None,
        &["upstream_host", "slot_name"],
        |receivers, emit| {
            for one in &receivers.0 {
                let labels = [&one.host, &one.slot].map(|part| part.as_deref().unwrap_or_default());
                emit.maybe(&labels, one.status.as_deref().and_then(status));
            }
        },
    ),
    each!(
        gauge,
        "pg_stat_wal_receiver_upstream_node",
        "The number of the node that is received from, out of the name of repmgr's slot.",
        Unit::None,
        |one| one.node
    ),
    each!(
        counter,
        "pg_stat_wal_receiver_receive_start_lsn",
        "Position in the write-ahead log at which it began, in bytes.",
        Unit::Bytes,
        |one| one.start_bytes
    ),
    each!(gauge, "pg_stat_wal_receiver_receive_start_tli", "Timeline at which it began.", Unit::None, |one| one
        .start_timeline
        .map(i64::from)),
    each!(
        counter,
        "pg_stat_wal_receiver_flushed_lsn",
        "Position up to which all that was received is on disk, in bytes.",
        Unit::Bytes,
        |one| one.flushed_bytes
    ),
    each!(gauge, "pg_stat_wal_receiver_received_tli", "Timeline of what is on disk.", Unit::None, |one| one
        .timeline
        .map(i64::from)),
    each!(
        counter,
        "pg_stat_wal_receiver_last_msg_send_time",
        "When the newest message was sent, Unix seconds of the sender's clock.",
        Unit::Seconds,
        |one| one.sent
    ),
    each!(
        counter,
        "pg_stat_wal_receiver_last_msg_receipt_time",
        "When the newest message was received, Unix seconds.",
        Unit::Seconds,
        |one| one.received
    ),
    each!(
        counter,
        "pg_stat_wal_receiver_latest_end_lsn",
        "Position last reported to the sender, in bytes.",
        Unit::Bytes,
        |one| one.reported_bytes
    ),
    each!(
        counter,
        "pg_stat_wal_receiver_latest_end_time",
        "When a position was last reported to the sender, Unix seconds.",
        Unit::Seconds,
        |one| one.reported
    ),
];
