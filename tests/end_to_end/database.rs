//! What is shown of a server under changing load, beside what the server itself says of the same moment.

mod load;

use std::collections::BTreeMap;

use aura_tests::{Agent, Exposition, PostgresServer, Random, Setup, wait_for, wait_until};
use serde_json::{Value, json};

use self::load::{Client, Load};

const STEPS: usize = 120;

/// The server's own words, by the names under which they are compared.
const SAYS: &str = "
WITH clients AS (
    SELECT * FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND application_name <> 'aura' AND pid <> pg_backend_pid())
SELECT json_build_object(
    'active', (SELECT count(*) FROM clients WHERE state = 'active'),
    'idle', (SELECT count(*) FROM clients WHERE state = 'idle'),
    'idle_in_transaction', (SELECT count(*) FROM clients WHERE state LIKE 'idle in transaction%'),
    'total', (SELECT count(*) FROM clients),
    'this_database', (SELECT count(*) FROM clients WHERE datname = 'postgres'),
    'background', (SELECT count(*) FROM pg_stat_activity WHERE backend_type <> 'client backend'),
    'max', current_setting('max_connections')::int,
    'blocked', (SELECT coalesce(json_agg(json_build_array(pid, pg_blocking_pids(pid)) ORDER BY pid), '[]')
        FROM clients WHERE wait_event_type = 'Lock'),
    'locks', (SELECT json_object_agg(mode, (SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = 'work' AND lower(l.mode) = modes.mode))
        FROM unnest('{accesssharelock,rowexclusivelock,accessexclusivelock}'::text[]) AS modes (mode)),
    'backends', (SELECT numbackends FROM pg_stat_database WHERE datname = 'work'),
    'commits', (SELECT xact_commit FROM pg_stat_database WHERE datname = 'work'),
    'rollbacks', (SELECT xact_rollback FROM pg_stat_database WHERE datname = 'work'),
    'deadlocks', (SELECT deadlocks FROM pg_stat_database WHERE datname = 'work'),
    'commits_here', (SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'),
    'blocks_hit_here', (SELECT blks_hit FROM pg_stat_database WHERE datname = 'postgres'),
    'rows', (SELECT coalesce(sum(n_tup_ins), 0)::int8 FROM pg_stat_user_tables),
    'size', pg_database_size('work'),
    'tables', (SELECT coalesce(json_object_agg(relname, bytes), '{}') FROM (
        SELECT relname, pg_total_relation_size(oid) AS bytes FROM pg_class
        WHERE relname LIKE 't\\_%' AND relkind = 'r' ORDER BY relpages DESC, oid) sizes))";

/// These only grow: what is shown lies between what the server said before and after.
const GROWING: [&str; 6] = ["commits", "rollbacks", "deadlocks", "commits_here", "blocks_hit_here", "rows"];

/// Nobody but the load changes these, so that they must be compared at each step.
const CERTAIN: [&str; 10] = [
    "active",
    "idle",
    "idle_in_transaction",
    "total",
    "this_database",
    "background",
    "max",
    "blocked",
    "locks",
    "backends",
];

fn says(observer: &mut Client) -> BTreeMap<String, Value> {
    serde_json::from_str(&observer.say(SAYS)).unwrap()
}

/// The live view and the metrics of the same reading.
fn one_reading(agent: &Agent) -> (Value, Exposition) {
    wait_for("both of one reading", || {
        let (message, scrape) = (agent.json("/api/database"), agent.scrape("/metrics/postgres"));
        (agent.json("/api/database")["seq"] == message["seq"]).then_some((message, scrape))
    })
}

/// The same from the agent: the live view, and the metrics where it has no such number.
fn shown(agent: &Agent, tables: usize) -> BTreeMap<String, Value> {
    let (message, scrape) = one_reading(agent);
    let metrics = &message["metrics"];
    let number = |name: &str, labels: &[(&str, &str)]| json!(scrape.value(name, labels) as u64);
    let work = metrics["databases"].as_array().into_iter().flatten().find(|one| one["name"] == "work");
    let work = work.cloned().unwrap_or_default();
    let blocked = metrics["blocked"].as_array().into_iter().flatten().map(|one| {
        let by = one["blocked_by"].as_array().into_iter().flatten().map(|blocker| blocker["pid"].clone());
        json!([one["pid"], by.collect::<Value>()])
    });
    let modes = ["accesssharelock", "rowexclusivelock", "accessexclusivelock"];
    let locks = modes.map(|mode| (mode.to_owned(), number("pg_locks_count", &[("datname", "work"), ("mode", mode)])));
    let of = |name: &str, database: &str| {
        let sample = scrape.samples.iter().find(|one| one.name == name && one.label("datname") == Some(database));
        json!(sample.unwrap_or_else(|| panic!("no {name}")).value as u64)
    };
    // The view has the twenty largest: all are compared while there are no more.
    let sizes = metrics["table_sizes"].as_array().into_iter().flatten();
    let sizes = sizes.map(|one| (one["table"].as_str().unwrap_or_default().to_owned(), one["size_bytes"].clone()));
    let rows: f64 =
        scrape.samples.iter().filter(|one| one.name == "pg_stat_user_tables_n_tup_ins").map(|one| one.value).sum();
    let mut shown: BTreeMap<String, Value> =
        ["active", "idle", "idle_in_transaction", "total", "this_database", "background", "max"]
            .map(|name| (name.to_owned(), metrics["connections"][name].clone()))
            .into();
    shown.extend([
        ("blocked".to_owned(), blocked.collect()),
        ("locks".to_owned(), Value::Object(locks.into_iter().collect())),
        ("backends".to_owned(), work["backends"].clone()),
        ("deadlocks".to_owned(), work["deadlocks"].clone()),
        ("size".to_owned(), work["size_bytes"].clone()),
        ("commits".to_owned(), of("pg_stat_database_xact_commit", "work")),
        ("rollbacks".to_owned(), of("pg_stat_database_xact_rollback", "work")),
        ("commits_here".to_owned(), of("pg_stat_database_xact_commit", "postgres")),
        ("blocks_hit_here".to_owned(), of("pg_stat_database_blks_hit", "postgres")),
        ("rows".to_owned(), json!(rows as u64)),
    ]);
    if tables <= 20 {
        shown.insert("tables".to_owned(), Value::Object(sizes.collect()));
    }
    assert_eq!(of("pg_stat_database_numbackends", "work"), shown["backends"], "one reading says one thing");
    shown
}

/// What is shown although the server said otherwise before and after, and what could not be compared.
fn differences(agent: &Agent, observer: &mut Client, tables: usize) -> Vec<String> {
    let before = says(observer);
    let seq = agent.json("/api/database")["seq"].as_u64().unwrap();
    // The one that is under way may have begun before the server was asked.
    wait_until("a sample after that", || agent.json("/api/database")["seq"].as_u64().unwrap() >= seq + 2);
    let shown = shown(agent, tables);
    let after = says(observer);
    let mut differences = Vec::new();
    for (name, value) in &shown {
        let (before, after) = (&before[name], &after[name]);
        if GROWING.contains(&name.as_str()) {
            let between = before.as_u64() <= value.as_u64() && value.as_u64() <= after.as_u64();
            if !between {
                differences.push(format!("{name}: {value} is not from {before} to {after}"));
            }
        } else if before == after && value != before {
            differences.push(format!("{name}: {value} is not {before}"));
        } else if before != after && CERTAIN.contains(&name.as_str()) {
            differences.push(format!("{name}: changed from {before} to {after}"));
        }
    }
    differences
}

fn watch(server: &PostgresServer) -> Agent {
    let port = server.port();
    let config = format!(
        "sources: {{postgres: {{interval: 100ms, slow_interval: 100ms, tables: {{interval: 100ms}}, \
         servers: [{{host: 127.0.0.1, port: {port}, user: postgres, database: postgres}}]}}}}\n"
    );
    let agent = Setup::default().variable("AURA_BACKOFF_CEILING", "1s").config(&config).start();
    wait_until("the databases", || agent.json("/api/database")["metrics"]["databases"].is_array());
    agent
}

/// Property 5: Connections and numbers of the database are those of the server.
mod under_changing_load_what_is_shown_is_what_the_server_says {
    aura_tests::for_each_postgres!(super::what_is_shown_is_what_the_server_says);
}

fn what_is_shown_is_what_the_server_says(version: u32) {
    let settings = "autovacuum = off\ndeadlock_timeout = 50ms";
    let Some(server) = PostgresServer::start_version(version, settings) else { return };
    server.sql("postgres", "CREATE DATABASE work");
    server.sql("work", "CREATE TABLE held (a int); CREATE TABLE rows AS SELECT a, 0 AS b FROM generate_series(1, 2) a");
    let agent = watch(&server);
    let mut observer = Client::observer(&server);
    let mut load =
        Load { server: &server, random: Random::any(), clients: Vec::new(), tables: 0, rows: 0, deadlocks: 0 };
    for step in 0..STEPS {
        load.step();
        let mut found = Vec::new();
        // A client that has just left is seen by one and not by the other.
        let equal = (0..20).any(|_| {
            found = differences(&agent, &mut observer, load.tables);
            found.is_empty()
        });
        let states: Vec<_> = load.clients.iter().map(|client| client.state).collect();
        assert!(equal, "step {step}, clients {states:?}: {found:#?}");
    }
    // In the end every row and every deadlock has been counted, once.
    let (rows, deadlocks) = (json!(load.rows), json!(load.deadlocks));
    load.clients.clear();
    wait_until("all that was done", || {
        let now = shown(&agent, load.tables);
        now["rows"] == rows && now["deadlocks"] == deadlocks && now["total"] == 0
    });
    assert!(load.tables > 0 && load.deadlocks > 0, "{} tables, {} deadlocks", load.tables, load.deadlocks);
}

#[test]
fn a_server_that_is_killed_is_shown_as_gone_and_then_as_the_one_that_came_back() {
    let Some(server) = PostgresServer::start("") else { return };
    let agent = watch(&server);
    let uptime = |message: &Value| message["health"]["uptime_seconds"].as_f64();
    let before = agent.json("/api/database/metrics");
    assert_eq!((&before["status"], uptime(&before).is_some()), (&json!("connected"), true));
    server.kill();
    wait_until("the loss", || agent.json("/api/database/metrics")["status"] == "disconnected");
    let gone = agent.json("/api/database/metrics");
    assert!(gone["error"].as_str().unwrap().contains(&server.port().to_string()), "{gone}");
    // No number of the time before is left.
    for part in ["connections", "database_size", "table_sizes", "activity", "databases", "blocked", "replication"] {
        assert_eq!(gone[part], Value::Null, "{part}");
    }
    assert_eq!((&gone["health"]["accepting_connections"], uptime(&gone)), (&json!(false), None));
    let scrape = agent.scrape("/metrics/postgres");
    assert_eq!(scrape.value("pg_up", &[]), 0.0);
    assert!(!scrape.names().iter().any(|name| name.starts_with("pg_stat_database")), "{:?}", scrape.names());
    server.start_again();
    wait_until("the return", || agent.json("/api/database/metrics")["status"] == "connected");
    wait_until("its metrics", || agent.scrape("/metrics/postgres").get("pg_up", &[]) == Some(1.0));
    // The host kept its pace meanwhile.
    assert_eq!(agent.get("/-/ready").status, 200);
}

/// What a server says ends up in the log: it begins no line there, and no sign of it reaches a terminal.
#[test]
fn no_text_of_a_server_forges_a_line_of_the_log() {
    // A trigger on login, which there is since 17, has a word with whoever connects.
    let Some(server) = PostgresServer::start_version(18, "") else { return };
    let forged = "2030-01-01T00:00:00.000Z ERROR forged source=\"postgres\"";
    for word in ["NOTICE", "WARNING", "EXCEPTION"] {
        let sql = format!(
            "DROP EVENT TRIGGER IF EXISTS greets; \
             CREATE OR REPLACE FUNCTION greet() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF session_user = 'watcher' THEN RAISE {word} '%', E'hello\\n{forged}\\r\\x1b[2J\\n{forged}'; END IF; END $$; \
             CREATE EVENT TRIGGER greets ON login EXECUTE FUNCTION greet()"
        );
        server.sql(
            "postgres",
            "DO $$ BEGIN CREATE ROLE watcher LOGIN IN ROLE pg_monitor; EXCEPTION WHEN others THEN END $$",
        );
        server.sql("postgres", &sql);
        for format in ["text", "json"] {
            let url = server.url("postgres").replace("postgres@", "watcher@");
            let setup = Setup::default().variable("DATABASE_URL", url).variable("AURA_LOG_LEVEL", "trace");
            let agent = setup.argument(format!("--log.format={format}")).start();
            let expected = if word == "EXCEPTION" { "disconnected" } else { "connected" };
            wait_until(word, || agent.json("/api/database/metrics")["status"] == expected);
            let log = agent.log();
            let told: Vec<&str> = log.lines().filter(|line| line.contains("forged")).collect();
            // Whatever is told is told behind the word that it began with.
            assert!(told.iter().all(|line| line.contains("hello\\n") || line.contains("hello\\\\n")), "{told:#?}");
            assert!(!log.contains('\x1b') && !log.contains('\r'), "{told:#?}");
            assert!(word != "EXCEPTION" || !told.is_empty(), "the refusal is not in the log: {log}");
            if format == "json" {
                assert!(told.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{told:#?}");
            }
        }
    }
}

/// What must be seen nowhere. The letters around it are what breaks connection strings.
const SECRET: &str = "QXJQXJ";

#[test]
fn a_password_is_shown_nowhere_however_it_is_written() {
    let Some(server) = PostgresServer::start("log_statement = 'none'") else { return };
    let mut random = Random::any();
    let place = server.address();
    let breaking: Vec<char> = "@/:#?&=%' \\,+".chars().collect();
    for round in 0..18 {
        let mut around = || -> String { (0..3).map(|_| breaking[random.below(breaking.len())]).collect() };
        let password = format!("{}{SECRET}{}", around(), around());
        let encoded: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let quoted = password.replace('\\', "\\\\").replace('\'', "\\'");
        let (host, port) = (place.ip(), place.port());
        let variable = if round % 2 == 0 { "DATABASE_URL" } else { "DATA_SOURCE_NAME" };
        let url = match round / 2 {
            0 => format!("postgres://postgres:{password}@{place}/postgres"),
            1 => format!("postgres://postgres:{encoded}@{place}/postgres"),
            2 => format!("postgres://postgres:x@{place}/postgres,postgres://postgres:{password}@{place}/template1"),
            3 => format!("postgres://postgres:{encoded}@127.0.0.1:1,{place}/postgres"),
            4 => format!("postgres://{place}/postgres?user=postgres&password={password}"),
            5 => format!("host={host} port={port} user=postgres password='{quoted}' dbname=postgres"),
            6 => format!("host={host} port={port} user=postgres password={password} dbname=postgres"),
            7 => format!("postgres://postgres@{place}/postgres?sslpassword={encoded}"),
            // Nobody listens there, and what is said of that must not say more.
            _ => format!("postgres://postgres:{encoded}@127.0.0.1:1/postgres"),
        };
        let agent = Setup::default().variable(variable, &url).variable("AURA_LOG_LEVEL", "trace").start();
        agent.wait_for_log("source=\"postgres\"");
        let mut seen = vec![("log", agent.log())];
        for path in ["/metrics", "/api/database", "/api/database/metrics", "/api/debates", "/", "/probe?target=x"] {
            seen.push((path, agent.get(path).text()));
        }
        let mut title = std::fs::read(format!("/proc/{}/cmdline", agent.pid().as_raw_nonzero())).unwrap();
        title.extend(std::fs::read(format!("/proc/{}/comm", agent.pid().as_raw_nonzero())).unwrap());
        seen.push(("process", String::from_utf8_lossy(&title).into_owned()));
        drop(agent);
        let command = |words: &[&str]| {
            let setup = Setup::default().listen(None).variable(variable, &url);
            words.iter().fold(setup, Setup::argument).fail().log
        };
        seen.push(("sample", command(&["sample", "postgres"])));
        let file = |words: &[&str]| {
            let yaml = format!("sources: {{postgres: {{servers: [{{url: {}}}]}}}}\n", Value::from(url.as_str()));
            words.iter().fold(Setup::default().listen(None).config(&yaml), Setup::argument).fail().log
        };
        seen.push(("check", file(&["check"])));
        seen.push(("config show", file(&["config", "show"])));
        seen.push(("sample of a file", file(&["sample", "postgres"])));
        for (what, text) in seen {
            assert!(!text.contains(SECRET), "{what}, {url}: {text}");
        }
    }
}
