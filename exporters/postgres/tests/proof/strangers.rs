//! Who owns a database fills it with functions, operators, types and relations that go by the names that the agent
//! uses. None of them ever runs, on any version, behind a pooler or not.

use std::{collections::BTreeSet, fs, process::Stdio};

use aura_model::{Context, Reason, Source};
use aura_postgres::{DebateOptions, Postgres, PostgresReading};
use aura_tests::PostgresServer;

use crate::{
    pooler::Pooler,
    watch::{at, open, options, sample, statistics, until},
};

/// What a stranger's code leaves in the server's log when it runs with our rights. A message of this level is logged
/// whatever the session says.
const RAN: &str = "a stranger ran as aura";

fn log(server: &PostgresServer) -> String {
    String::from_utf8_lossy(&fs::read(server.folder().join("log")).unwrap()).into_owned()
}

/// Runs SQL as the owner of the database; returns what it says.
fn as_mallory(server: &PostgresServer, sql: &str) -> String {
    let mut psql = server.psql("postgres");
    psql.args(["-c", "SET ROLE mallory", "-c", sql]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let answer = psql.output().unwrap();
    assert!(answer.status.success(), "{sql}: {}", String::from_utf8_lossy(&answer.stderr));
    String::from_utf8_lossy(&answer.stdout).into_owned()
}

/// A server whose database belongs to somebody else, who may do there what owners may.
fn lent(server: &PostgresServer) {
    server.sql("postgres", "CREATE ROLE mallory LOGIN; CREATE ROLE aura LOGIN; GRANT pg_monitor TO aura");
    server.sql("postgres", "ALTER DATABASE postgres OWNER TO mallory; GRANT CREATE, USAGE ON SCHEMA public TO mallory");
    // In the body the sign of the level stands alone, so that the statement itself is not found in the log.
    as_mallory(
        server,
        "CREATE SCHEMA aura; GRANT USAGE ON SCHEMA aura TO PUBLIC; \
         CREATE FUNCTION public.ran() RETURNS boolean LANGUAGE plpgsql AS \
         $$ BEGIN RAISE LOG 'a stranger ran as %', current_user; RETURN true; END $$",
    );
}

/// The words of all statements that the agent sends.
fn words(server: &PostgresServer) -> BTreeSet<String> {
    let text = log(server);
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| !word.is_empty() && word.len() < 64).map(str::to_ascii_lowercase).collect()
}

/// Makes, in each schema, what has the name of anything in pg_catalog that the agent names, with the same arguments and
/// with text in the place of each. Returns how many of them there are.
fn overload(server: &PostgresServer, words: &BTreeSet<String>) -> (u32, u32, u32, u32) {
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let words = words.join(",");
    let sql = format!(
        r#"
CREATE TABLE made (kind text);
DO $do$
DECLARE place text; it record; signature text; variant int;
BEGIN
  FOREACH place IN ARRAY ARRAY['public', 'aura'] LOOP
    FOR it IN SELECT p.oid, p.proname, p.prorettype, p.proretset, p.prokind, p.pronargs, p.proargtypes,
              pg_catalog.oidvectortypes(p.proargtypes) AS arguments,
              (SELECT string_agg('text', ', ') FROM generate_series(1, p.pronargs)) AS texts
              FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace
              AND p.proname IN ({words}) AND p.prokind IN ('f', 'a', 'w') LOOP
      FOR variant IN 1..2 LOOP
        signature := CASE variant WHEN 1 THEN it.arguments ELSE coalesce(it.texts, '') END;
        BEGIN
          IF it.prokind = 'f' OR it.prokind = 'w' THEN
            EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS
              $f$ BEGIN PERFORM public.ran(); RETURN %s; END $f$', place, it.proname, signature,
              CASE WHEN it.proretset THEN 'SETOF ' ELSE '' END, format_type(it.prorettype, NULL),
              CASE WHEN it.proretset THEN '' ELSE 'NULL' END);
          ELSE
            EXECUTE format('CREATE FUNCTION %I.%I(bigint%s) RETURNS bigint LANGUAGE plpgsql AS
              $f$ BEGIN PERFORM public.ran(); RETURN 7; END $f$', place, 'step_' || it.oid || '_' || variant,
              CASE WHEN signature = '' THEN '' ELSE ', ' || signature END);
            EXECUTE format('CREATE AGGREGATE %I.%I(%s) (SFUNC = %I.%I, STYPE = bigint, INITCOND = ''0'')', place,
              it.proname, CASE WHEN signature = '' THEN '*' ELSE signature END, place,
              'step_' || it.oid || '_' || variant);
          END IF;
          INSERT INTO made VALUES ('function');
        EXCEPTION WHEN OTHERS THEN NULL; END;
      END LOOP;
    END LOOP;
    FOR it IN SELECT o.oprname, format_type(o.oprleft, NULL) AS l, format_type(o.oprright, NULL) AS r,
              format_type(o.oprresult, NULL) AS result, row_number() OVER () AS number
              FROM pg_catalog.pg_operator o WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprleft <> 0
              AND o.oprname IN ('=', '<>', '<', '<=', '>', '>=', '-', '+', '*', '/', '||', '~', '~~') LOOP
      BEGIN
        EXECUTE format('CREATE FUNCTION %I.%I(%s, %s) RETURNS %s LANGUAGE plpgsql AS
          $f$ BEGIN PERFORM public.ran(); RETURN NULL; END $f$', place, 'op_' || it.number, it.l, it.r, it.result);
        EXECUTE format('CREATE OPERATOR %I.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = %I.%I)', place, it.oprname,
          it.l, it.r, place, 'op_' || it.number);
        INSERT INTO made VALUES ('operator');
      EXCEPTION WHEN OTHERS THEN NULL; END;
    END LOOP;
    FOR it IN SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace
              AND c.relkind IN ('r', 'v') AND c.relname IN ({words}) LOOP
      BEGIN
        EXECUTE format('CREATE VIEW %I.%I AS SELECT t.* FROM pg_catalog.%I t WHERE public.ran()', place, it.relname,
          it.relname);
        EXECUTE format('GRANT SELECT ON %I.%I TO PUBLIC', place, it.relname);
        INSERT INTO made VALUES ('relation');
      EXCEPTION WHEN OTHERS THEN NULL; END;
    END LOOP;
    FOR it IN SELECT t.typname FROM pg_catalog.pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace
              AND t.typtype = 'b' AND t.typelem = 0
              AND t.typname IN ('text', 'int8', 'int4', 'float8', 'bool', 'oid', 'xid', 'regclass', 'regnamespace', 'name') LOOP
      BEGIN
        EXECUTE format('CREATE DOMAIN %I.%I AS pg_catalog.%I CHECK (public.ran())', place, it.typname, it.typname);
        INSERT INTO made VALUES ('type');
      EXCEPTION WHEN OTHERS THEN NULL; END;
    END LOOP;
  END LOOP;
END $do$"#
    );
    as_mallory(server, &sql);
    let count = |kind: &str| {
        let sql = format!("SELECT pg_catalog.count(*) FROM public.made WHERE kind OPERATOR(pg_catalog.=) '{kind}'");
        server.sql("postgres", &sql).parse().unwrap()
    };
    (count("function"), count("operator"), count("relation"), count("type"))
}

/// The path holds nothing good, for the database and for our own role.
fn mislead(server: &PostgresServer) {
    as_mallory(server, "ALTER DATABASE postgres SET search_path = public, aura, pg_catalog");
    server.sql("postgres", "ALTER ROLE aura SET search_path = aura, public, pg_catalog");
}

fn all_is_read(reading: &PostgresReading) -> bool {
    let now = statistics(reading);
    let rest: Vec<_> = now.missing().filter(|(part, _)| !matches!(*part, "statements" | "debates")).collect();
    assert!(rest.is_empty(), "{rest:?}");
    now.debates.value().is_some_and(|debates| debates.debates.is_empty()) && now.rankings.value().is_some()
}

mod nothing_that_the_owner_of_a_database_makes_runs_with_our_rights {
    aura_tests::for_each_postgres!(super::nothing_runs_with_our_rights);
}

fn nothing_runs_with_our_rights(version: u32) {
    let Some(server) = PostgresServer::start_version(version, "log_statement = 'all'") else { return };
    lent(&server);
    as_mallory(&server, include_str!("../fixtures/debates.sql"));
    as_mallory(&server, "GRANT SELECT ON debates, model_rankings, debate_rounds TO PUBLIC");
    // What the agent says is the list of what is worth an attack.
    let mut source = open(at(server.port(), "aura"));
    until(&mut source, "the debates", all_is_read);
    sample(&mut source);
    drop(source);
    let (functions, operators, relations, types) = overload(&server, &words(&server));
    assert!(
        functions > 100 && operators > 300 && relations > 20 && types > 10,
        "{version}: {functions} functions, \
         {operators} operators, {relations} relations, {types} types"
    );
    mislead(&server);
    assert!(!log(&server).contains(RAN));
    // The attack is one: whoever asks without a thought runs it.
    let careless = "SELECT count(*), lower('A') FROM pg_class WHERE relname = 'a'";
    let mut psql = server.psql("postgres");
    let said = psql.args(["-c", "SET ROLE aura", "-c", careless]).stderr(Stdio::piped()).output().unwrap();
    assert!(log(&server).contains(RAN), "{version}: no attack: {said:?}");
    let before = log(&server).matches(RAN).count();

    let mut source = open(at(server.port(), "aura"));
    until(&mut source, "the debates", all_is_read);
    for _ in 0..3 {
        assert!(all_is_read(&sample(&mut source)));
    }
    assert_eq!(log(&server).matches(RAN).count(), before, "{version}");
    for settings in ["", "ignore_startup_parameters = options,extra_float_digits"] {
        let Some(pooler) = Pooler::start(&server, settings) else { continue };
        let mut source = open(at(pooler.port(), "aura"));
        until(&mut source, "the debates", all_is_read);
        for _ in 0..3 {
            assert!(all_is_read(&sample(&mut source)));
        }
        assert_eq!(log(&server).matches(RAN).count(), before, "{version}, pooler {settings:?}");
    }
    eprintln!(
        "PostgreSQL {version}: {functions} functions, {operators} operators, {relations} relations, {types} types"
    );
}

/// A table of debates with the columns that are read.
const DEBATES: &str = "CREATE TABLE debates (id int, topic text, topic_category text, model_a text, model_b text, \
     judge_model text, winner text, elo_change_a int, elo_change_b int, elo_before_a int, elo_before_b int, \
     score_a float, score_b float, verdict text, started_at timestamp, completed_at timestamp, status text, \
     total_rounds int); INSERT INTO debates VALUES (1, 'a', 'b', 'c', 'd'); GRANT SELECT ON debates TO PUBLIC; ";

mod debates_are_read_from_plain_tables_and_from_those_whose_owner_is_trusted {
    aura_tests::for_each_postgres!(super::debates_are_read_where_it_is_safe);
}

fn debates_are_read_where_it_is_safe(version: u32) {
    let Some(server) = PostgresServer::start_version(version, "") else { return };
    lent(&server);
    server.sql("postgres", "CREATE EXTENSION IF NOT EXISTS plpgsql; GRANT CREATE ON DATABASE postgres TO mallory");
    // Said to change nothing, so that the planner may run it, whoever plans.
    as_mallory(
        &server,
        "CREATE FUNCTION silent(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM public.ran(); RETURN 1; END $$; \
         CREATE TYPE mood AS ENUM ('completed'); \
         CREATE FUNCTION moody(mood) RETURNS text LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM public.ran(); RETURN 'completed'; END $$; \
         CREATE CAST (mood AS text) WITH FUNCTION moody(mood)",
    );
    let statistics_of_expressions = "CREATE STATISTICS s ON (silent(3) + id), status FROM debates";
    let mut cases = vec![
        ("a view", "CREATE VIEW debates AS SELECT *, '1'::xid AS xmin FROM plain WHERE public.ran()", true),
        ("a materialised view", "CREATE MATERIALIZED VIEW debates AS SELECT * FROM plain WHERE public.ran()", true),
        (
            "an index with a condition",
            "CREATE INDEX ON plain (id) WHERE silent(1) = 1; ALTER TABLE plain RENAME TO debates",
            true,
        ),
        (
            "an index of an expression",
            "CREATE INDEX ON plain ((silent(2) + id)); ALTER TABLE plain RENAME TO debates",
            true,
        ),
        (
            "a policy",
            "ALTER TABLE plain RENAME TO debates; ALTER TABLE debates ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY p ON debates USING (public.ran())",
            true,
        ),
        (
            "a type",
            "ALTER TABLE plain RENAME TO debates; ALTER TABLE debates ALTER status TYPE mood USING 'completed'::mood",
            true,
        ),
        (
            "a child with an index",
            "ALTER TABLE plain RENAME TO debates; CREATE TABLE child () INHERITS (debates); \
             CREATE INDEX ON child (id) WHERE silent(1) = 1",
            true,
        ),
        (
            "a constraint, which is not looked at",
            "ALTER TABLE plain RENAME TO debates; ALTER TABLE debates ADD CHECK (silent(4) = 1); \
             CREATE TABLE child (CHECK (silent(5) = 1)) INHERITS (debates)",
            false,
        ),
        (
            "a default and a trigger, which do not run",
            "ALTER TABLE plain RENAME TO debates; ALTER TABLE debates ALTER elo_change_a SET DEFAULT silent(6)",
            false,
        ),
        (
            "a condition of PostgreSQL's own",
            "ALTER TABLE plain RENAME TO debates; CREATE INDEX ON debates (id) WHERE lower(status) = 'completed'",
            false,
        ),
    ];
    if version >= 14 {
        cases.push((
            "statistics",
            "ALTER TABLE plain RENAME TO debates; CREATE STATISTICS s ON (silent(3) + id), status FROM debates",
            true,
        ));
        assert!(cases.last().unwrap().1.ends_with(statistics_of_expressions));
    }
    for (what, sql, refused) in cases {
        as_mallory(&server, &DEBATES.replace("debates", "plain"));
        as_mallory(&server, sql);
        as_mallory(&server, "DO $$ BEGIN EXECUTE 'GRANT SELECT ON debates TO PUBLIC'; END $$");
        let before = log(&server).matches(RAN).count();
        let mut source = open(at(server.port(), "aura"));
        let reading = until(&mut source, what, |reading| statistics(reading).debates.value().is_some() != refused);
        for _ in 0..2 {
            sample(&mut source);
        }
        let text = log(&server);
        assert_eq!(text.matches(RAN).count(), before, "{version}: {what}\n{text}");
        if refused {
            let missing = statistics(&reading).debates.missing().unwrap();
            assert_eq!(missing.reason, Reason::NotConfigured, "{version}: {what}: {missing}");
            assert!(missing.detail.contains("trusted_owners") && missing.detail.contains("mallory"), "{missing}");
            // Whose code may run is for the administrator to say.
            let mut trusting = options(at(server.port(), "aura"));
            trusting.debates = DebateOptions { trusted_owners: vec!["mallory".into()], ..DebateOptions::default() };
            let mut source = Postgres::open(&trusting, &Context::default()).unwrap();
            until(&mut source, "what the trusted owner has", |reading| statistics(reading).debates.value().is_some());
        }
        as_mallory(
            &server,
            "DROP VIEW IF EXISTS no; DO $$ DECLARE k \"char\"; BEGIN \
             SELECT relkind INTO k FROM pg_class WHERE oid = to_regclass('public.debates'); \
             IF k = 'v' THEN DROP VIEW debates; ELSIF k = 'm' THEN DROP MATERIALIZED VIEW debates; \
             ELSE DROP TABLE debates CASCADE; END IF; END $$; DROP TABLE IF EXISTS plain",
        );
    }
}

#[test]
fn a_table_that_becomes_a_view_is_not_read_on() {
    let Some(server) = PostgresServer::start("") else { return };
    lent(&server);
    as_mallory(&server, DEBATES);
    let mut source = open(at(server.port(), "aura"));
    until(&mut source, "the debates", |reading| statistics(reading).debates.value().is_some());
    // Again and again while it is read: what was looked at is never what is asked next.
    let port = server.port();
    let swaps = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let login = format!("host=127.0.0.1 port={port} user=mallory dbname=postgres");
            let (client, connection) = tokio_postgres::connect(&login, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            for _ in 0..300 {
                let swap = "BEGIN; ALTER TABLE debates RENAME TO plain; \
                     CREATE VIEW debates AS SELECT *, '1'::xid AS xmin FROM plain WHERE public.ran(); \
                     GRANT SELECT ON debates TO PUBLIC; COMMIT; \
                     BEGIN; DROP VIEW debates; ALTER TABLE plain RENAME TO debates; COMMIT";
                client.batch_execute(swap).await.unwrap();
            }
        });
    });
    let mut samples = 0;
    while !swaps.is_finished() {
        sample(&mut source);
        samples += 1;
    }
    swaps.join().unwrap();
    assert!(!log(&server).contains(RAN), "ran within {samples} samples: {}", log(&server));
    until(&mut source, "the debates", |reading| statistics(reading).debates.value().is_some());
}
