//! Each version is asked only for what it has: the queries that are chosen for it, held against its recorded catalog.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Features, PostgresOptions, StatementOptions, queries::Queries, query::Known, sizes, tables};

/// Relations and functions that give rows, with their columns; extensions with their versions.
struct Catalog {
    version: u32,
    relations: BTreeMap<String, BTreeSet<String>>,
    extensions: BTreeMap<String, String>,
}

fn catalogs() -> Vec<Catalog> {
    let texts = [
        (13, include_str!("../tests/fixtures/catalogs/13.txt")),
        (14, include_str!("../tests/fixtures/catalogs/14.txt")),
        (15, include_str!("../tests/fixtures/catalogs/15.txt")),
        (16, include_str!("../tests/fixtures/catalogs/16.txt")),
        (17, include_str!("../tests/fixtures/catalogs/17.txt")),
        (18, include_str!("../tests/fixtures/catalogs/18.txt")),
    ];
    texts.into_iter().map(|(version, text)| Catalog::parse(version * 10_000 + 1, text)).collect()
}

impl Catalog {
    fn parse(version: u32, text: &str) -> Self {
        let mut catalog = Self { version, relations: BTreeMap::new(), extensions: BTreeMap::new() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, version)) = line.strip_prefix("extension ").and_then(|rest| rest.split_once(' ')) {
                catalog.extensions.insert(name.to_owned(), version.to_owned());
            } else {
                let (name, columns) = line.split_once(": ").expect("a relation and its columns");
                catalog.relations.insert(name.to_owned(), columns.split(' ').map(str::to_owned).collect());
            }
        }
        catalog
    }

    fn queries(&self) -> Vec<String> {
        let version = self.version;
        let extension = |name: &str| self.extensions.get(name).cloned();
        let features = Features {
            statements_schema: Some("public".into()),
            statements_version: extension("pg_stat_statements"),
            buffercache_schema: Some("public".into()),
            buffercache_version: extension("pg_buffercache"),
            sees_all: true,
            version: String::new(),
        };
        let mut options = PostgresOptions::default();
        options.tables.indexes = true;
        options.statements = StatementOptions { metrics: true, query_length: 9, ..StatementOptions::default() };
        let features = Some(&features);
        let known = Known { version, options: &options, user: "aura", in_recovery: Some(true), features };
        let mut queries = Queries::new(&options).sql(&known);
        queries.extend([sizes::databases_sql(), sizes::database_sql(1), tables::sizes_sql(version, 500, None)]);
        queries
    }
}

/// Words that are neither a relation nor a column of one.
const WORDS: &str = "select from where join left lateral on and or not is null case when then else end as order by \
                     desc limit group in distinct over with union all exists materialized format nulls last epoch true false current_user text float bigint int oid regclass regnamespace public any";

/// What a query names that is not there; `known` are the relations of all versions.
fn unknown(sql: &str, catalog: &Catalog, known: &BTreeSet<String>) -> Vec<String> {
    let tokens = tokens(sql);
    let token = |index: usize| tokens.get(index).map_or("", String::as_str);
    let words: BTreeSet<&str> = WORDS.split_whitespace().collect();
    let is_name = |text: &str| text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let free = |text: &str| is_name(text) && !words.contains(text.to_ascii_lowercase().as_str());
    let (mut wrong, mut used, mut aliases, mut made) =
        (Vec::new(), Vec::new(), BTreeMap::new(), BTreeSet::<String>::new());
    for (index, name) in tokens.iter().enumerate() {
        if known.contains(name) && token(index + 1) != "." {
            let Some(columns) = catalog.relations.get(name) else {
                wrong.push(name.clone());
                continue;
            };
            used.push(columns);
            // A function that gives rows has its arguments before its alias.
            let behind = if token(index + 1) == "(" {
                (index..tokens.len()).find(|index| token(*index) == ")").map_or(index, |end| end + 1)
            } else {
                index + 1
            };
            if free(token(behind)) {
                aliases.entry(token(behind).to_owned()).or_insert_with(Vec::new).push(columns);
            }
        }
        let behind = token(index + 1);
        if (name == ")" && free(behind)) || name.eq_ignore_ascii_case("as") {
            made.insert(behind.to_owned());
        }
        // `WITH name AS (...)`, and another name for it where it is used.
        if behind.eq_ignore_ascii_case("as") && ["(", "MATERIALIZED"].contains(&token(index + 2)) {
            made.insert(name.clone());
        }
        if made.contains(name) && free(behind) {
            made.insert(behind.to_owned());
        }
    }
    for (index, name) in tokens.iter().enumerate() {
        let (before, behind) = (index.checked_sub(1).map_or("", token), token(index + 1));
        let qualified = before == ".";
        if !free(name) || known.contains(name) || (behind == "(" && !qualified) || behind == "." {
            continue;
        }
        let there = if qualified {
            let of = token(index - 2);
            // One letter may stand for a relation here and for what was made of it there.
            let known = aliases.get(of);
            let made_there = made.contains(of) && (known.is_none() || made.contains(name));
            made_there || known.is_some_and(|each| each.iter().any(|columns| columns.contains(name)))
        } else {
            used.iter().any(|columns| columns.contains(name)) || aliases.contains_key(name) || made.contains(name)
        };
        if !there {
            wrong.push(name.clone());
        }
    }
    wrong
}

/// Names and single signs; texts are left out.
fn tokens(sql: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for (index, part) in sql.replace("pg_catalog.", "").split('\'').enumerate() {
        if index % 2 == 1 {
            continue;
        }
        let mut name = String::new();
        for letter in part.chars().chain([' ']) {
            if letter.is_ascii_alphanumeric() || letter == '_' {
                name.push(letter);
                continue;
            }
            if !name.is_empty() {
                tokens.push(std::mem::take(&mut name));
            }
            if !letter.is_whitespace() && letter != '"' {
                tokens.push(letter.to_string());
            }
        }
    }
    tokens
}

#[test]
fn every_version_is_asked_only_for_what_it_has() {
    let catalogs = catalogs();
    let known: BTreeSet<String> = catalogs.iter().flat_map(|catalog| catalog.relations.keys().cloned()).collect();
    for catalog in &catalogs {
        for sql in catalog.queries() {
            assert_eq!(unknown(&sql, catalog, &known), [""; 0], "version {}: {sql}", catalog.version);
        }
    }
}

/// The check itself sees what is wrong: each version's queries do not fit those before or after a change.
#[test]
fn another_versions_queries_are_found_out() {
    let catalogs = catalogs();
    let known: BTreeSet<String> = catalogs.iter().flat_map(|catalog| catalog.relations.keys().cloned()).collect();
    let wrong = |asked: usize, of: usize| {
        let each = catalogs[asked].queries().into_iter().flat_map(|sql| unknown(&sql, &catalogs[of], &known));
        each.collect::<BTreeSet<String>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(wrong(1, 0), ["active_time"]);
    assert_eq!(
        wrong(3, 2),
        [
            "buffers_dirty",
            "buffers_pinned",
            "buffers_unused",
            "buffers_used",
            "pg_buffercache_summary",
            "usagecount_avg"
        ]
    );
    for name in ["checkpoints_timed", "buffers_backend", "max_dead_tuples", "num_dead_tuples", "blk_read_time"] {
        assert!(wrong(3, 4).iter().any(|wrong| wrong == name), "{name}");
    }
    for name in ["pg_stat_checkpointer", "num_dead_item_ids", "shared_blk_read_time"] {
        assert!(wrong(4, 3).iter().any(|wrong| wrong == name), "{name}");
    }
    assert_eq!(wrong(4, 5), ["op_bytes"]);
    assert_eq!(wrong(5, 4), ["extend_bytes", "write_bytes"]);
}
