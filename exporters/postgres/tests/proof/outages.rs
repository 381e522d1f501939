//! Servers that die, stop or stop answering, and a network that loses everything.

use std::{
    io::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};

use aura_model::Reason;
use aura_postgres::{Postgres, PostgresReading};
use aura_tests::PostgresServer;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    relay::Relay,
    watch::{TIMEOUT, at, away, open, open_showing, open_without_sizes, sample, statistics, until},
};

/// A sample that waits for a server that does not answer comes back soon after its timeout: far below this.
const AT_LAST: Duration = Duration::from_secs(20);

pub(crate) fn connects(reading: &PostgresReading) -> u64 {
    reading.servers[0].connects
}

/// One sample that must say that nobody answers, and say it after the timeout.
pub(crate) fn unanswered(source: &mut Postgres) {
    let began = Instant::now();
    let reading = until(source, "no answer", |reading| away(reading).is_some());
    assert!(began.elapsed() < AT_LAST, "{:?}", began.elapsed());
    let missing = away(&reading).unwrap();
    assert_eq!(missing.reason, Reason::Unreachable);
    assert!(missing.detail.contains(&format!("{TIMEOUT:?}")), "{missing}");
}

pub(crate) fn back(source: &mut Postgres) -> PostgresReading {
    until(source, "the return", |reading| away(reading).is_none())
}

#[test]
fn a_network_that_loses_everything_is_noticed_and_the_connection_made_anew() {
    let Some(server) = PostgresServer::start("") else { return };
    let relay = Relay::to(server.port());
    let mut source = open(at(relay.port, "postgres"));
    let before = sample(&mut source);
    // Sizes have a connection of their own.
    assert!(connects(&before) == 1 && (1..=2).contains(&relay.accepted()), "{}", relay.accepted());
    statistics(&before);
    relay.swallow(true);
    unanswered(&mut source);
    relay.swallow(false);
    let after = back(&mut source);
    assert_eq!(connects(&after), 2);
    assert!(relay.accepted() >= 2);
    // Nothing of the time before is shown as new: the sample after is whole.
    let now = statistics(&after);
    assert!(now.cluster.value().is_some() && now.databases.value().is_some() && now.tables.value().is_some());
}

#[test]
fn a_server_that_dies_again_and_again_is_counted_each_time() {
    let Some(server) = PostgresServer::start("") else { return };
    let mut source = open(at(server.port(), "postgres"));
    let started = |reading: &PostgresReading| statistics(reading).cluster.value().unwrap().started;
    let mut last = started(&sample(&mut source));
    for round in 2..5 {
        server.kill();
        let lost = until(&mut source, "the loss", |reading| away(reading).is_some());
        assert_eq!(away(&lost).unwrap().reason, Reason::Unreachable);
        assert_eq!(connects(&lost), round - 1);
        server.start_again();
        let again = back(&mut source);
        assert_eq!(connects(&again), round);
        assert!(started(&again) > last, "the start of the server that runs now, not of the one that died");
        last = started(&again);
    }
}

#[test]
fn a_stopped_postmaster_costs_nothing_while_the_connection_lasts_and_new_ones_are_given_up() {
    let Some(server) = PostgresServer::start("") else { return };
    let mut source = open(at(server.port(), "postgres"));
    statistics(&sample(&mut source));
    let postmaster = std::fs::read_to_string(server.folder().join("data/postmaster.pid")).unwrap();
    let postmaster = process(postmaster.lines().next().unwrap().parse().unwrap());
    kill_process(postmaster, Signal::STOP).unwrap();
    // The connection that is there is served by a process of its own.
    let reading = sample(&mut source);
    let stopped = away(&reading).cloned();
    let mut other = open(at(server.port(), "postgres"));
    let refused = sample(&mut other);
    kill_process(postmaster, Signal::CONT).unwrap();
    assert_eq!(stopped, None);
    let missing = away(&refused).unwrap();
    assert_eq!(missing.reason, Reason::Unreachable);
    assert!(missing.detail.contains("accepts no login within"), "{missing}");
    back(&mut other);
}

#[test]
fn a_stopped_backend_is_given_up_and_another_asked() {
    let Some(server) = PostgresServer::start("") else { return };
    let mut source = open_without_sizes(at(server.port(), "postgres"));
    let one = |reading: &PostgresReading| {
        let backends = &statistics(reading).activity.value().unwrap().backends;
        backends.iter().filter(|backend| backend.own).count() == 1
    };
    let reading = until(&mut source, "the one that lasts", one);
    let backends = &statistics(&reading).activity.value().unwrap().backends;
    let own = process(backends.iter().find(|backend| backend.own).unwrap().pid);
    kill_process(own, Signal::STOP).unwrap();
    unanswered(&mut source);
    let after = back(&mut source);
    kill_process(own, Signal::CONT).unwrap();
    assert_eq!(connects(&after), 2);
    // The connection that was given up is closed and not left to fill the server.
    until(&mut source, "the end of the old backend", |reading| {
        let backends = &statistics(reading).activity.value().unwrap().backends;
        backends.iter().filter(|backend| backend.application.as_deref() == Some("aura")).count() == 1
    });
}

#[test]
fn a_server_that_stands_still_is_shown_as_it_last_was_with_its_age_and_down_only_when_that_is_too_old() {
    let Some(server) = PostgresServer::start("") else { return };
    let kept = TIMEOUT + Duration::from_secs(3);
    let mut source = open_showing(at(server.port(), "postgres"), kept);
    let whole = |reading: &PostgresReading| {
        let statistics = statistics(reading);
        assert!(statistics.cluster.value().is_some() && statistics.databases.value().is_some(), "{statistics:#?}");
        assert!(statistics.database_sizes.value().is_some() && statistics.tables.value().is_some(), "{statistics:#?}");
    };
    whole(&until(&mut source, "all of it", |reading| away(reading).is_none()));
    // Longer than the server lets a query run, by its own clock: all that ran are cancelled when it goes on.
    let longer = Duration::from_millis(2300);
    for _ in 0..2 {
        server.freeze();
        let reading = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(longer);
                server.thaw();
            });
            let late = until(&mut source, "no answer", |reading| {
                whole(reading);
                reading.servers[0].age_seconds > 0.0
            });
            assert_eq!(connects(&late), 1);
            until(&mut source, "an answer of now", |reading| {
                whole(reading);
                reading.servers[0].age_seconds == 0.0
            })
        });
        assert_eq!(connects(&reading), 1, "an answer that came late was thrown away");
    }
    server.freeze();
    let given_up =
        until(&mut source, "it was given up", |reading| reading.servers[0].age_seconds > TIMEOUT.as_secs_f64() + 0.5);
    whole(&given_up);
    let down = until(&mut source, "that is too old", |reading| away(reading).is_some());
    assert_eq!(away(&down).unwrap().reason, Reason::Unreachable);
    server.thaw();
    whole(&back(&mut source));
}

#[test]
fn a_backend_that_is_terminated_is_replaced() {
    let Some(server) = PostgresServer::start("") else { return };
    let mut source = open(at(server.port(), "postgres"));
    statistics(&sample(&mut source));
    server.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'aura'");
    let after = until(&mut source, "the new connection", |reading| away(reading).is_none() && connects(reading) == 2);
    statistics(&after);
}

fn process(id: i32) -> Pid {
    Pid::from_raw(id).unwrap()
}

/// While a query meets a lock, its last answer is shown for as long as `stale_after` says.
#[test]
fn an_answer_that_no_newer_one_follows_is_shown_until_it_is_stale() {
    let Some(server) = PostgresServer::start("") else { return };
    let mut short = open_showing(at(server.port(), "postgres"), Duration::from_secs(1));
    let mut long = open_showing(at(server.port(), "postgres"), Duration::from_secs(3600));
    let has_databases = |reading: &PostgresReading| statistics(reading).databases.value().is_some();
    for source in [&mut short, &mut long] {
        until(source, "the databases", has_databases);
    }
    // Its session, and the lock with it, lasts until it is told no more.
    let mut holder = server.psql("postgres").stdin(Stdio::piped()).spawn().unwrap();
    let locks = b"BEGIN; LOCK TABLE pg_catalog.pg_database IN ACCESS EXCLUSIVE MODE;\n";
    holder.stdin.as_mut().unwrap().write_all(locks).unwrap();
    until(&mut short, "no databases", |reading| !has_databases(reading));
    for _ in 0..3 {
        assert!(has_databases(&sample(&mut long)));
    }
    drop(holder.stdin.take());
    holder.wait().unwrap();
    until(&mut short, "the databases again", has_databases);
}
