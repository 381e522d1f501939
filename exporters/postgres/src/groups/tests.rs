//! Nothing is published twice, and what is published stays as it is to the letter.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use aura_model::{GroupHealth, Missing, Reason, Section};
use proptest::prelude::*;

use super::*;
use crate::{
    Activity, Backend, BufferCache, Cluster, Database, DatabaseSize, DatabaseSizes, DatabaseTables, Features, Locks,
    Number, OtherDatabase, Receiver, Receivers, Role, Roles, Sender, Senders, Settings, Slot, Slots, Standby,
    Statement, Statements, TableSize, Vacuum, Vacuums, Wal,
    queries::{Queries, Rest},
};

/// What may be twice in an answer, under few names so that it is.
#[derive(Debug)]
struct Found {
    backends: Vec<(u8, u8, u8, u8)>,
    senders: Vec<(u8, u8, u8)>,
    vacuums: Vec<(u8, u8)>,
    settings: Vec<u8>,
}

fn found() -> impl Strategy<Value = Found> {
    let backends = proptest::collection::vec((0..3_u8, 0..3_u8, 0..6_u8, 0..3_u8), 0..30);
    let senders = proptest::collection::vec((0..2_u8, 0..2_u8, 0..2_u8), 0..8);
    let vacuums = proptest::collection::vec((0..2_u8, 0..40_u8), 0..4);
    let settings = proptest::collection::vec(0..8_u8, 0..10);
    (backends, senders, vacuums, settings).prop_map(|(backends, senders, vacuums, settings)| Found {
        backends,
        senders,
        vacuums,
        settings,
    })
}

fn word<const N: usize>(words: [&str; N], number: u8) -> Option<String> {
    Some(words[usize::from(number) % N].to_owned())
}

fn statistics(found: &Found) -> Statistics {
    let backends = found.backends.iter().enumerate().map(|(pid, (database, state, query, user))| Backend {
        pid: pid as i32,
        own: *user == 2 && *query == 5,
        database: word(["a/b", "a", "b"], *database),
        user: word(["a", "b/a", ""], *user),
        application: word(["", "x"], *state),
        client: None,
        kind: word(["client backend", "autovacuum worker"], *query),
        state: word(["active", "idle", "idle in transaction"], *state),
        wait_kind: None,
        wait: None,
        transaction_began: Some(f64::from(*state)),
        transaction_seconds: Some(1.0),
        query_seconds: Some(1.0),
        state_seconds: Some(1.0),
        query: word(["SELECT 1", "autovacuum: VACUUM s.t", "", "autovacuum: VACUUM ANALYZE s.t"], *query),
        blocked_by: None,
    });
    let databases = ["a/b", "a", "b"].map(str::to_owned).to_vec();
    let activity = Activity { backends: backends.collect(), databases, hides: false };
    let senders = found.senders.iter().enumerate().map(|(pid, (application, client, state))| Sender {
        application: word(["walreceiver", "x"], *application),
        client: None,
        network: word(["127.0.0.1/32", "10.0.0.1/32"], *client),
        pid: pid.to_string(),
        state: word(["streaming", "catchup"], *state),
        sync_state: None,
        slot: None,
        wal_bytes: Some(1.0),
        lag_bytes: Some(1.0),
        replay_lag_seconds: None,
    });
    // The server lets one vacuum at a time into a table.
    let mut seen = BTreeSet::new();
    let vacuums = found.vacuums.iter().filter(|vacuum| seen.insert(**vacuum)).map(|(database, table)| Vacuum {
        database: word(["a", "b"], *database),
        table: Some(table.to_string()),
        phase: word(["scanning heap"], 0),
        blocks: Some(1),
        scanned: Some(1),
        vacuumed: Some(1),
        index_rounds: Some(1),
        most_dead: None,
        dead: Some(1),
    });
    Statistics {
        activity: Section::Fresh(Arc::new(activity)),
        senders: Section::Fresh(Arc::new(Senders(senders.collect()))),
        vacuums: Section::Fresh(Arc::new(Vacuums(vacuums.collect()))),
        settings: Section::Fresh(Arc::new(settings::tests::named(&found.settings))),
        ..nothing(Reason::NotConfigured)
    }
}

/// Every part is missing.
fn nothing(reason: Reason) -> Statistics {
    let missing = Missing::new(reason, "not in this test");
    let off = || missing.clone();
    let rest = Rest {
        version: 150_000,
        standby: Section::Off { missing: off() },
        database_sizes: Section::Off { missing: off() },
        table_sizes: Section::Off { missing: off() },
        others: Vec::new(),
        left_out: None,
        debates: Section::Off { missing: off() },
        rankings: Section::Off { missing: off() },
        rounds: Section::Off { missing: off() },
        health: Vec::new(),
    };
    Queries::nothing(&missing, rest)
}

/// Every part is there, with one row that has a value in each column.
fn everything() -> Statistics {
    fn fresh<T>(value: T) -> Section<Arc<T>> {
        Section::Fresh(Arc::new(value))
    }
    let backend = Backend { own: false, kind: Some("client backend".into()), ..Backend::example() };
    let worker = Backend {
        kind: Some("autovacuum worker".into()),
        query: Some("autovacuum: VACUUM schema.table".into()),
        ..backend.clone()
    };
    let idle = Backend { state: Some("idle".into()), ..backend.clone() };
    let other_table = Table { database: "other".into(), ..Table::example() };
    let others = DatabaseTables {
        read_at: 0.0,
        tables: fresh(vec![other_table]),
        table_sizes: Section::off(Reason::Unreadable, "not in this test"),
        indexes: None,
    };
    let size = DatabaseSize { name: "name".into(), bytes: Some(1), read_at: f64::MAX };
    Statistics {
        cluster: fresh(Cluster::example()),
        databases: fresh(vec![Database::example()]),
        activity: fresh(Activity {
            backends: vec![backend, worker, idle],
            databases: vec!["names".into()],
            hides: false,
        }),
        locks: fresh(vec![Locks { mode: Some("sharelock".into()), ..Locks::example() }]),
        senders: fresh(Senders(vec![Sender::example()])),
        receivers: fresh(Receivers(vec![Receiver { status: Some("streaming".into()), ..Receiver::example() }])),
        standby: fresh(Standby { silent_seconds: Some(1.5), cut_off: Some(true) }),
        vacuums: fresh(Vacuums(vec![Vacuum { phase: Some("vacuuming heap".into()), ..Vacuum::example() }])),
        buffer_cache: fresh(BufferCache::example()),
        slots: fresh(Slots(vec![Slot::example()])),
        settings: fresh(settings::tests::named(&[0, 3])),
        database_sizes: fresh(DatabaseSizes { databases: vec![size], without: None }),
        roles: fresh(Roles(vec![Role::example()])),
        wal: fresh(Wal::example()),
        features: fresh(Features::example()),
        tables: fresh(vec![Table::example()]),
        table_sizes: fresh(TableSizes { read_at: 0.0, tables: vec![TableSize::example()], without: None }),
        indexes: fresh(vec![Index::example()]),
        others: vec![OtherDatabase { name: "other".into(), tables: fresh(others) }],
        statements: fresh(Statements(vec![Statement::example()])),
        health: vec![GroupHealth { group: "cluster", duration: Duration::from_millis(1), success: true }],
        ..nothing(Reason::NotConfigured)
    }
}

fn server(name: &str, up: Section<Arc<Statistics>>) -> ServerReading {
    ServerReading {
        name: name.into(),
        address: "127.0.0.1:5432".into(),
        user: "aura".into(),
        database: "a".into(),
        up,
        seconds: 0.1,
        age_seconds: 0.0,
        scrapes: 1,
        connects: 1,
    }
}

#[derive(Default)]
struct Once {
    family: String,
    labels: Vec<String>,
    seen: BTreeSet<String>,
    twice: Vec<String>,
}

impl Emit for Once {
    fn family(&mut self, family: &Family<'_>) {
        family.name.clone_into(&mut self.family);
        self.labels = family.labels.iter().map(|label| (*label).to_owned()).collect();
        if !self.seen.insert(format!("family {}", family.name)) {
            self.twice.push(family.name.to_owned());
        }
    }

    fn sample(&mut self, values: &[&str], value: Value) {
        assert_eq!(values.len(), self.labels.len(), "{}", self.family);
        let names = self.labels.clone();
        let labels: Vec<_> = names.iter().map(String::as_str).zip(values.iter().copied()).collect();
        self.labelled("", &labels, value);
    }

    fn labelled(&mut self, suffix: &str, labels: &[(&str, &str)], _: Value) {
        let key = format!("{}{suffix}{labels:?}", self.family);
        if !self.seen.insert(key.clone()) {
            self.twice.push(key);
        }
    }
}

proptest! {
    #[test]
    fn no_series_is_there_twice_whatever_the_server_has(each in proptest::collection::vec(found(), 1..3)) {
        let servers = each.iter().enumerate();
        let servers = servers.map(|(index, found)| server(&format!("server{index}"), Section::Fresh(Arc::new(statistics(found)))));
        let reading = PostgresReading { servers: servers.collect() };
        let mut once = Once::default();
        for group in GROUPS {
            (group.walk)(&reading, &mut once);
        }
        prop_assert_eq!(once.twice, Vec::<String>::new());
    }
}

#[test]
fn settings_whose_names_come_to_the_same_are_shown_once() {
    let names: Vec<Number> = settings::tests::named(&[0, 1, 2, 3]).0;
    assert_eq!(
        names.iter().map(|number| number.metric.as_str()).collect::<Vec<_>>(),
        ["pg_settings_a_b", "pg_settings_a_c"]
    );
    let _ = Settings(names);
}

/// All that a walk says, family by family.
#[derive(Default)]
struct Text {
    out: String,
    name: String,
}

impl Emit for Text {
    fn family(&mut self, family: &Family<'_>) {
        let Family { name, help, kind, unit, labels } = family;
        (*name).clone_into(&mut self.name);
        let _ = writeln!(self.out, "# {name} {kind:?} {unit:?} {labels:?} {help}");
    }

    fn sample(&mut self, values: &[&str], value: Value) {
        let _ = writeln!(self.out, "{} {values:?} {value:?}", self.name);
    }

    fn labelled(&mut self, suffix: &str, labels: &[(&str, &str)], value: Value) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(self.out, "{}{suffix} {} {value:?}", self.name, labels.join(" "));
    }
}

fn text(servers: Vec<ServerReading>) -> String {
    let mut text = Text::default();
    for group in GROUPS {
        (group.walk)(&PostgresReading { servers: servers.clone() }, &mut text);
    }
    text.out
}

#[test]
fn one_server_is_published_as_ever() {
    insta::assert_snapshot!(text(vec![server("one", Section::Fresh(Arc::new(everything())))]));
}

/// Of a server that refuses everything its reasons are left, of one that is away that it is.
#[test]
fn several_servers_are_published_as_ever() {
    let refused = Section::Fresh(Arc::new(nothing(Reason::NoPermission)));
    let unconfigured = Section::Fresh(Arc::new(nothing(Reason::NotConfigured)));
    let away = Section::off(Reason::Unreachable, "gone");
    let full = Section::Fresh(Arc::new(everything()));
    let servers = vec![
        server("full", full),
        server("refused", refused),
        server("unconfigured", unconfigured),
        server("away", away),
    ];
    let text = text(servers);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| {
            line.contains("=refused")
                || line.contains("=unconfigured")
                || line.contains("=away")
                || line.contains("server=full ")
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}
