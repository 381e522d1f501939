//! A database server watched by the agent, and its twin watched by postgres_exporter: own cost and the servers'.

use std::{
    collections::HashMap,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use aura_tests::PostgresServer;

use super::{Only, each_second};
use crate::{
    client::Client,
    process::{Program, cpu_of},
    table::{Pairs, Row, Target},
};

const PEER: &str = "postgres_exporter, one gzip scrape a second";
const NEEDS: &str = "Debian's postgresql and prometheus-postgres-exporter";
const OWN: Target = Target::Ratio(0.2);
const SERVER: Target = Target::Ratio(1.0 / 3.0);

pub(crate) fn measure(rows: &mut Vec<Row>) -> Result<()> {
    /// As long as the slowest of what is asked rarely, so that each slice has all of it once.
    const SECONDS: u32 = 60;
    const SLICES: usize = 4;
    let what = [
        "PostgreSQL once a second, nobody asks: own CPU a second",
        "  the same with one gzip scrape a second",
        "  the server's CPU a second, all its processes",
    ];
    let servers = if Program::has_postgres_exporter() { server().zip(server()) } else { None };
    let Some((server, twin)) = servers else {
        rows.extend(what.map(|what| Row::skipped(what, NEEDS)));
        return Ok(());
    };
    let only = Only::start("postgres", &format!("servers: [{{url: '{}'}}]", server.url("postgres")))?;
    let peer = Program::postgres_exporter(&format!("{}?sslmode=disable", twin.url("postgres")))?;
    only.agent.wait_for("/metrics/postgres", "pg_up 1")?;
    peer.wait_for("/metrics", "pg_up 1")?;
    let mut own = [Pairs::default(), Pairs::default()];
    let mut servers = Pairs::default();
    for slice in 0..SLICES {
        let scraped = slice % 2 == 1;
        let mut client = scraped.then(|| Client::connect(only.agent.address)).transpose()?;
        let mut peers_client = Client::connect(peer.address)?;
        let before = (only.agent.cpu()?, peer.cpu()?, ServerCpu::now(&server), ServerCpu::now(&twin));
        for _ in 0..SECONDS {
            let begun = Instant::now();
            ensure!(peers_client.get("/metrics", Some("gzip"))?.status == 200, "{PEER} does not answer");
            if let Some(client) = &mut client {
                ensure!(client.get("/metrics/postgres", Some("gzip"))?.status == 200, "the agent does not answer");
            }
            thread::sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
        }
        let spent = (only.agent.cpu()? - before.0, peer.cpu()? - before.1);
        own[usize::from(scraped)].add(each_second(spent.0, SECONDS), each_second(spent.1, SECONDS));
        let spent = (ServerCpu::now(&server).since(&before.2), ServerCpu::now(&twin).since(&before.3));
        servers.add(each_second(spent.0, SECONDS), each_second(spent.1, SECONDS));
    }
    for (what, pairs) in what.iter().zip(&own) {
        rows.push(Row::pairs(*what, "ms", PEER, pairs, OWN));
    }
    rows.push(Row::pairs(what[2], "ms", "the same server under postgres_exporter", &servers, SERVER));
    Ok(())
}

/// Four databases with tables in them.
fn server() -> Option<PostgresServer> {
    let server = PostgresServer::start("autovacuum = off")?;
    for (database, tables) in [("postgres", 10), ("one", 2), ("two", 1), ("three", 0)] {
        if database != "postgres" {
            server.sql("postgres", &format!("CREATE DATABASE {database}"));
        }
        for table in 0..tables {
            server.sql(
                database,
                &format!(
                    "CREATE TABLE t{table} (number int PRIMARY KEY, text text); \
                     INSERT INTO t{table} SELECT n, 'row ' || n FROM generate_series(1, 1000) n; ANALYZE t{table}"
                ),
            );
        }
    }
    Some(server)
}

/// What each of a server's processes has used.
struct ServerCpu(HashMap<i32, Duration>);

impl ServerCpu {
    fn now(server: &PostgresServer) -> Self {
        let pids = server.processes().into_iter().map(|pid| pid.as_raw_nonzero().get());
        // One that has just ended is no error.
        Self(pids.filter_map(|pid| Some((pid, cpu_of(pid.unsigned_abs()).ok()?))).collect())
    }

    fn since(&self, before: &Self) -> Duration {
        let grown = |(pid, now): (&i32, &Duration)| now.saturating_sub(before.0.get(pid).copied().unwrap_or_default());
        self.0.iter().map(grown).sum()
    }
}
