//! Triggers that announce changes of the debates: heard where their channel is known, not needed elsewhere.

use std::{sync::Arc, time::Duration};

use aura_model::{Context, Interval, Source};
use aura_postgres::{Debates, Postgres, PostgresReading};
use aura_tests::PostgresServer;

use crate::watch::{at, options, sample, statistics, until};

const ROW: &str =
    "INSERT INTO debates (topic, model_a, model_b, status) VALUES ('Is it?', 'red:1b', 'blue:3b', 'completed')";

/// A trigger on the debates whose function does this.
fn trigger(body: &str) -> String {
    format!(
        "CREATE FUNCTION announce() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN {body}; RETURN NULL; END $body$; \
         CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON debates EXECUTE FUNCTION announce()"
    )
}

fn debates(reading: &PostgresReading) -> Option<&Arc<Debates>> {
    statistics(reading).debates.value()
}

/// A server with such a trigger and a source that has settled.
fn with(trigger: &str) -> Option<(PostgresServer, Postgres)> {
    let server = PostgresServer::start("")?;
    server.sql("postgres", include_str!("../fixtures/debates.sql"));
    server.sql("postgres", trigger);
    let mut options = options(at(server.port(), "postgres"));
    options.slow_interval = Interval::from_secs(3600);
    let mut source = Postgres::open(&options, &Context::default()).unwrap();
    until(&mut source, "the debates", |reading| debates(reading).is_some());
    for _ in 0..3 {
        sample(&mut source);
    }
    Some((server, source))
}

/// Whether somebody's word on this channel makes the source read the debates anew, though they are as they were.
fn hears(server: &PostgresServer, source: &mut Postgres, channel: &str) -> bool {
    let before = sample(source);
    server.sql("postgres", &format!("NOTIFY \"{channel}\""));
    let after = sample(source);
    !Arc::ptr_eq(debates(&before).unwrap(), debates(&after).unwrap())
}

fn sees_new_rows(server: &PostgresServer, source: &mut Postgres) {
    for expected in 1..4 {
        server.sql("postgres", ROW);
        until(source, "the new row", |reading| debates(reading).unwrap().debates.len() == expected);
    }
}

#[test]
fn a_channel_that_a_trigger_names_is_listened_on() {
    for (body, channel) in [
        ("PERFORM pg_notify('debates_changed', TG_OP)", "debates_changed"),
        ("PERFORM pg_catalog.PG_NOTIFY ( 'Odd \" name' , '')", "Odd \"\" name"),
        ("NOTIFY plain", "plain"),
    ] {
        let Some((server, mut source)) = with(&trigger(body)) else { return };
        assert!(hears(&server, &mut source, channel), "{body}");
        assert!(!hears(&server, &mut source, "another"), "{body}");
        sees_new_rows(&server, &mut source);
        // After a restart it listens again.
        server.stop();
        until(&mut source, "the stop", |reading| reading.servers[0].up.value().is_none());
        server.start_again();
        until(&mut source, "the return", |reading| reading.servers[0].up.value().is_some());
        until(&mut source, "the debates", |reading| debates(reading).is_some());
        sample(&mut source);
        sample(&mut source);
        assert!(hears(&server, &mut source, channel), "{body}");
    }
}

#[test]
fn new_rows_are_seen_where_the_channel_is_not_known_and_where_the_trigger_is_off() {
    let Some((server, mut source)) = with(&trigger("PERFORM pg_notify(TG_TABLE_NAME, '')")) else { return };
    assert!(!hears(&server, &mut source, "debates"));
    sees_new_rows(&server, &mut source);
    let off = format!("{}; ALTER TABLE debates DISABLE TRIGGER announce", trigger("PERFORM pg_notify('off', '')"));
    let Some((server, mut source)) = with(&off) else { return };
    assert!(!hears(&server, &mut source, "off"));
    sees_new_rows(&server, &mut source);
}

#[test]
fn a_table_that_goes_between_two_samples_hides_no_new_row() {
    let Some((server, mut source)) = with("SELECT") else { return };
    server.sql("postgres", "DROP TABLE model_rankings CASCADE");
    // Longer than the fingerprint ever pauses, so that it is asked of a table that is not there any more.
    std::thread::sleep(Duration::from_secs(1));
    sample(&mut source);
    sees_new_rows(&server, &mut source);
}

#[test]
fn a_debate_that_ends_at_infinity_costs_no_other() {
    let Some((server, mut source)) = with("SELECT") else { return };
    server.sql("postgres", ROW);
    server.sql("postgres", "UPDATE debates SET started_at = '2026-01-01', completed_at = '2026-01-01 00:01'");
    server.sql(
        "postgres",
        &ROW.replace("status)", "status, completed_at)").replace("'completed')", "'completed', 'infinity')"),
    );
    until(&mut source, "both", |reading| debates(reading).is_some_and(|read| read.debates.len() == 2));
    let read = debates(&sample(&mut source)).unwrap().clone();
    let durations: Vec<Option<f64>> = read.debates.iter().map(|debate| debate.duration_seconds).collect();
    assert_eq!(durations, [Some(60.0), None]);
}
