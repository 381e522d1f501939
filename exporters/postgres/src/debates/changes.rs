//! Whether the debates have changed: triggers announce it, or a fingerprint of the tables shows it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::{Error, Row};

use super::access::{full_name, literal};
use crate::{
    DebateOptions,
    ask::{Asked, Sample},
    failure,
    session::Session,
    text::Column,
};

/// Says in one line what these tables hold, for as long as nobody changes them.
pub(crate) fn fingerprint_sql(options: &DebateOptions, tables: &[&str]) -> String {
    let parts: Vec<String> = tables.iter().map(|table| sum(&full_name(options, table))).collect();
    format!("SELECT pg_catalog.concat_ws(' ', {})", parts.join(", "))
}

/// A new version of a row has a new xmin, a deleted row changes the count.
fn sum(table: &str) -> String {
    format!(
        "(SELECT pg_catalog.count(*) || ':' || coalesce(pg_catalog.sum(xmin::pg_catalog.text::bigint), 0) FROM {table})"
    )
}

/// Where changes of the tables are announced.
#[derive(Debug)]
pub(crate) struct Channels {
    /// The channels to listen on.
    pub names: Vec<String>,
    /// Each of the tables announces each kind of change; what else changes is not looked for as often.
    pub complete: bool,
}

/// Triggers whose function names its channel in so many words, and which changes call them. A channel that is put
/// together when the function runs is not known from outside.
pub(crate) fn channels_sql(options: &DebateOptions, tables: &[&str]) -> String {
    let tables: Vec<String> = tables.iter().map(|table| format!("('{table}')")).collect();
    format!(
        "SELECT announced.channel, coalesce(pg_catalog.bit_or(announced.events), 0)::int AS events \
         FROM (VALUES {}) AS known (name) LEFT JOIN LATERAL (\
         SELECT (pg_catalog.regexp_match(p.prosrc, \
         $$(?:pg_notify\\s*\\(\\s*'([^']+)'\\s*,|notify\\s+\"?(\\w+))$$, 'i')) AS found, \
         t.tgtype::int AS events FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid \
         JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relname = known.name AND NOT t.tgisinternal \
         AND t.tgenabled IN ('O', 'A')) triggers \
         ON triggers.found IS NOT NULL CROSS JOIN LATERAL (\
         SELECT coalesce(triggers.found[1], triggers.found[2]) AS channel, triggers.events) announced \
         GROUP BY known.name, announced.channel",
        tables.join(", "),
        literal(&options.schema)
    )
}

pub(crate) fn read_channels(answer: &[Row]) -> Result<Channels, Error> {
    /// Bits of `tgtype`: insert, delete and update.
    const CHANGES: i32 = 4 | 8 | 16;
    let mut channels = Channels { names: Vec::new(), complete: true };
    for row in answer {
        let (name, events) = (<Option<String> as Column>::at(row, 0)?, i32::at(row, 1)?);
        channels.complete &= name.is_some() && events & CHANGES == CHANGES;
        // The server cuts longer names, and refuses them in pg_notify.
        channels.names.extend(name.filter(|name| name.len() < 64 && !channels.names.contains(name)));
    }
    Ok(channels)
}

pub(crate) fn read_fingerprint(answer: &[Row]) -> Result<String, Error> {
    answer.first().map_or_else(|| Ok(String::new()), |row| String::at(row, 0))
}

/// Behind a pooler the session that listens is not ours for long, so there nobody does.
pub(super) async fn listen(
    channels: &mut Asked<Channels>,
    listens: &mut bool,
    sample: &Sample<'_>,
    sql: String,
    notified: &AtomicBool,
) {
    if sample.session == Session::Shared || !channels.is_due(sample.now) {
        return;
    }
    let known = channels.value().map(|channels| channels.names.clone()).unwrap_or_default();
    channels.ask(sample, || sql, read_channels).await;
    let Some(found) = channels.value() else { return };
    let mut heard = true;
    for name in found.names.iter().filter(|name| !known.contains(name)) {
        let listened = sample.client.query_typed(&format!("LISTEN {}", failure::quoted(name)), &[]).await;
        heard &= listened.is_ok();
        // What changed since the debates were read was announced to nobody.
        notified.store(true, Ordering::Relaxed);
    }
    *listens = heard && found.complete;
}
