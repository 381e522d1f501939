//! Debates from the tables of a real server to those who ask: equal to what the tables say, whatever they hold.

use std::{
    collections::BTreeMap,
    fmt::Write,
    time::{Duration, Instant},
};

use aura_tests::{Agent, Feed, PostgresServer, Random, Setup, TIMEOUT, encode, wait_for, wait_until};
use serde_json::{Map, Value, json};

const TABLES: &str = include_str!("../../exporters/postgres/tests/fixtures/debates.sql");

/// Two of them are not ranked.
const MODELS: [&str; 5] = ["red:1b", "green:2b", "blue:3b", "white:4b", "<b>zebra</b>:9b"];

fn agent(server: &PostgresServer, interval: &str) -> Agent {
    let port = server.port();
    let servers = format!("servers: [{{host: 127.0.0.1, port: {port}, user: postgres, database: postgres}}]");
    Setup::default().config(&format!("sources: {{postgres: {{interval: {interval}, {servers}}}}}\n")).start()
}

/// A server whose tables have no references, as those of some installations: debates of models without a ranking.
fn started(interval: &str) -> Option<(PostgresServer, Agent)> {
    let server = PostgresServer::start("autovacuum = off")?;
    server.sql("postgres", TABLES);
    server.sql(
        "postgres",
        "ALTER TABLE debates DROP CONSTRAINT debates_model_a_fkey, DROP CONSTRAINT debates_model_b_fkey, \
         DROP CONSTRAINT debates_winner_fkey; \
         ALTER TABLE debate_rounds DROP CONSTRAINT debate_rounds_model_name_fkey",
    );
    let agent = agent(&server, interval);
    wait_until("the rankings", || leaderboard(&agent.json("/api/debates")).len() == 3);
    Some((server, agent))
}

fn leaderboard(message: &Value) -> BTreeMap<String, Value> {
    let lines = message["leaderboard"].as_array().into_iter().flatten();
    lines.map(|line| (line["model"].as_str().unwrap_or_default().to_owned(), line.clone())).collect()
}

/// Random debates in the place of those before: some end at the same moment or never, some have failed rounds.
fn debates(random: &mut Random) -> String {
    let mut sql = String::from("TRUNCATE debates CASCADE; ");
    for _ in 0..random.below(40) {
        let a = random.below(MODELS.len());
        let b = (a + 1 + random.below(MODELS.len() - 1)) % MODELS.len();
        let (a, b) = (MODELS[a], MODELS[b]);
        let winner = random.one_of(&[format!("'{a}'"), format!("'{b}'"), "NULL".to_owned()]).clone();
        let status = random.one_of(&["completed", "completed", "completed", "running", "pending", "cancelled"]);
        let minute = random.below(30);
        let ended = if random.below(12) == 0 { "NULL".to_owned() } else { format!("'2025-12-01 06:{minute:02}'") };
        let (score_a, score_b) = (random.below(101), random.below(101));
        let (failed, rounds) = (random.below(6), random.below(5));
        let _ = write!(
            sql,
            "WITH new AS (INSERT INTO debates (topic, model_a, model_b, judge_model, winner, status, started_at, \
             completed_at, score_a, score_b) VALUES ('Is it?', '{a}', '{b}', 'red:1b', {winner}, '{status}', \
             '2025-12-01 05:00', {ended}, {score_a}, {score_b}) RETURNING id) \
             INSERT INTO debate_rounds (debate_id, round_number, round_type, model_name, argument) \
             SELECT id, round, 'opening', '{a}', \
             CASE WHEN round = {failed} THEN '[Error: timeout]' ELSE 'because [Error:' END \
             FROM new, generate_series(1, {rounds}) round; "
        );
    }
    for model in &MODELS[..3] {
        let elo = 1300 + random.below(400);
        let _ = write!(sql, "UPDATE model_rankings SET elo_rating = {elo} WHERE model_name = '{model}'; ");
    }
    sql
}

/// How often a letter is in a line, and what the tables say of each model by it.
const COUNTED: &str = "CREATE FUNCTION times(line text, letter text) RETURNS int LANGUAGE sql AS $$ \
     SELECT coalesce(length(line) - length(replace(line, letter, '')), 0) $$; \
     CREATE VIEW expected AS WITH done AS ( \
         SELECT *, row_number() OVER (ORDER BY completed_at NULLS LAST, started_at, id) AS place \
         FROM debates WHERE status = 'completed'), \
     results AS ( \
         SELECT side.model, place, score, \
             CASE WHEN winner IS NULL THEN 'd' WHEN winner = side.model THEN 'w' ELSE 'l' END AS result, \
             EXISTS (SELECT FROM debate_rounds r WHERE r.debate_id = done.id AND argument LIKE '[Error:%') AS failed \
         FROM done CROSS JOIN LATERAL (VALUES (model_a, score_a), (model_b, score_b)) AS side (model, score)), \
     lines AS ( \
         SELECT model, string_agg(result, '' ORDER BY place) AS line, avg(score) AS score, \
             count(*) FILTER (WHERE failed) AS failed FROM results GROUP BY model) \
     SELECT coalesce(l.model, k.model_name) AS model, json_build_object( \
         'ranked', k.model_name IS NOT NULL, 'elo_stored', k.elo_rating, \
         'wins', times(line, 'w'), 'losses', times(line, 'l'), 'draws', times(line, 'd'), \
         'total_debates', coalesce(length(line), 0), \
         'win_rate', times(line, 'w')::float8 / nullif(length(line), 0), \
         'decided_win_rate', times(line, 'w')::float8 / nullif(times(line, 'w') + times(line, 'l'), 0), \
         'current_streak', coalesce(length(substring(line from 'w*$')) - length(substring(line from 'l*$')), 0), \
         'best_streak', (SELECT coalesce(max(length(run)), 0) \
             FROM regexp_split_to_table(coalesce(line, ''), '[ld]') run), \
         'mean_score', score, 'with_errors', coalesce(failed, 0)) AS line \
     FROM lines l FULL JOIN model_rankings k ON k.model_name = l.model; \
     CREATE VIEW everything AS SELECT json_build_object( \
         'models', (SELECT json_object_agg(model, line) FROM expected), \
         'done', (SELECT coalesce(json_agg(json_build_array(model_a, model_b, winner, id) \
             ORDER BY completed_at NULLS LAST, started_at, id), '[]') FROM debates WHERE status = 'completed'), \
         'counts', (SELECT json_build_object('total', count(*), \
             'completed', count(*) FILTER (WHERE status = 'completed'), \
             'running', count(*) FILTER (WHERE status = 'running'), \
             'pending', count(*) FILTER (WHERE status = 'pending'), \
             'cancelled', count(*) FILTER (WHERE status = 'cancelled')) FROM debates)) AS said";

fn asked(server: &PostgresServer, sql: &str) -> Value {
    serde_json::from_str(&server.sql("postgres", sql)).unwrap()
}

/// Ratings from the debates in the server's order, by the formula alone.
fn ratings(rows: &Value) -> BTreeMap<String, f64> {
    let mut ratings: BTreeMap<String, f64> = BTreeMap::new();
    for row in rows.as_array().unwrap() {
        let [a, b] = [0, 1].map(|side| row[side].as_str().unwrap().to_owned());
        let [own, other] = [&a, &b].map(|name| ratings.get(name).copied().unwrap_or(1500.0));
        let won = row[2].as_str().map_or(0.5, |winner| f64::from(u8::from(winner == a)));
        let change = |own: f64, other: f64, won: f64| {
            (32.0 * (won - 1.0 / (1.0 + 10_f64.powf((other - own) / 400.0)))).round_ties_even()
        };
        ratings.insert(a, own + change(own, other, won));
        ratings.insert(b, other + change(other, own, 1.0 - won));
    }
    ratings
}

/// The fields of a line that another one has too. Sums in another order differ in their last digits.
fn fields(line: &Value, like: &Value) -> Value {
    let rounded = |value: &Value| value.as_f64().map_or(value.clone(), |number| json!((number * 1e9).round() / 1e9));
    let names = like.as_object().into_iter().flat_map(Map::keys);
    names.map(|name| (name.clone(), rounded(&line[name]))).collect::<Map<_, _>>().into()
}

/// Property 9: Win rates and match histories are those of the tables.
#[test]
fn random_debates_are_shown_as_the_tables_have_them() {
    let Some((server, agent)) = started("100ms") else { return };
    server.sql("postgres", COUNTED);
    let mut random = Random::any();
    for case in 0..110 {
        server.sql("postgres", &debates(&mut random));
        let said = asked(&server, "SELECT said FROM everything");
        let ratings = ratings(&said["done"]);
        let line = |(model, line): (&String, &Value)| {
            let mut line = fields(line, line);
            line["elo_recomputed"] = json!(ratings.get(model).copied().unwrap_or(1500.0));
            (model.clone(), line)
        };
        let expected: BTreeMap<String, Value> = said["models"].as_object().unwrap().iter().map(line).collect();
        let newest: Value = said["done"].as_array().unwrap().iter().rev().map(|row| row[3].clone()).collect();
        // The tables are read one after the other: a message from between two changes is followed by a whole one.
        let begun = Instant::now();
        let message = loop {
            let message = agent.json("/api/debates");
            let history = agent.json("/v1/debate/history?limit=500");
            let ids = history["debates"].as_array().into_iter().flatten().map(|one| one["debate_id"].clone());
            let like = |model: &String| expected.get(model).cloned().unwrap_or_else(|| json!({}));
            let lines = leaderboard(&message).into_iter();
            let shown: BTreeMap<_, _> =
                lines.map(|(model, line)| (model.clone(), fields(&line, &like(&model)))).collect();
            let ids: Value = ids.collect();
            if shown == expected && ids == newest {
                break message;
            }
            if begun.elapsed() > TIMEOUT {
                assert_eq!((&shown, &ids), (&expected, &newest), "case {case}");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let counts = &said["counts"];
        assert_eq!(fields(&message["counts"], counts), fields(counts, counts), "case {case}");
        // The older route says the same in fewer words, in the order of the ratings.
        let lines = agent.json("/v1/debate/leaderboard")["leaderboard"].clone();
        for line in lines.as_array().unwrap() {
            let full = &leaderboard(&message)[line["model"].as_str().unwrap()];
            for field in ["elo", "wins", "losses", "draws", "total_debates", "win_rate", "ranked"] {
                assert_eq!(line[field], full[field], "case {case}: {field}");
            }
        }
        let elos: Vec<f64> = lines.as_array().unwrap().iter().map(|line| line["elo"].as_f64().unwrap()).collect();
        assert!(elos.is_sorted_by(|one, other| one >= other), "case {case}: {elos:?}");
    }
}

/// Adds a finished debate of red and blue.
fn add(server: &PostgresServer, minute: u32, columns: &str, values: &str) {
    server.sql(
        "postgres",
        &format!(
            "INSERT INTO debates (topic, model_a, model_b, status, started_at, completed_at, {columns}) VALUES \
             ('Is <it>?', 'red:1b', 'blue:3b', 'completed', '2025-12-01 06:00', '2025-12-01 06:{minute:02}:30', {values})"
        ),
    );
}

/// The first message that is as expected.
fn until(agent: &Agent, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || Some(agent.json("/api/debates")).filter(|message| is_so(message)))
}

fn total(message: &Value) -> u64 {
    message["counts"]["total"].as_u64().unwrap_or_default()
}

const ELO: &str = "winner, elo_before_a, elo_change_a, elo_before_b, elo_change_b";

#[test]
fn rounds_and_ranking_that_were_never_written_leave_the_debates_as_they_are() {
    let Some((server, agent)) = started("100ms") else { return };
    add(&server, 2, ELO, "'red:1b', 1500, 16, 1500, -16");
    let message = until(&agent, "the debate", |message| total(message) == 1);
    let red = &leaderboard(&message)["red:1b"];
    assert_eq!((&red["wins"], &red["stored"]["wins"]), (&json!(1), &json!(0)));
    assert_eq!((&red["elo_stored"], &red["elo_recomputed"]), (&json!(1500), &json!(1516.0)));
    let debate = &message["recent"][0];
    assert_eq!((&debate["turns"], &debate["has_errors"]), (&json!(0), &json!(false)));
    assert_eq!(message["counts"]["without_rounds"], 1);
    // Neither are the streaks and the last debate.
    let unwritten = "SELECT current_streak::text || best_streak || coalesce(last_debate_at::text, '-') \
         FROM model_rankings WHERE model_name = 'red:1b'";
    assert_eq!(server.sql("postgres", unwritten), "00-");
    assert_eq!((&red["current_streak"], &red["best_streak"]), (&json!(1), &json!(1)));
    assert_eq!(red["last_debate_at"], "2025-12-01T06:02:30.000");
}

#[test]
fn a_model_without_a_ranking_is_shown_as_not_ranked() {
    let Some((server, agent)) = started("100ms") else { return };
    let model = "<b>new</b>:1b";
    add(&server, 2, "winner", &format!("'{model}'"));
    server.sql("postgres", &format!("UPDATE debates SET model_a = '{model}'"));
    let message = until(&agent, "the new model", |message| leaderboard(message).contains_key(model));
    let line = &leaderboard(&message)[model];
    assert_eq!(
        (&line["ranked"], &line["display_name"], &line["elo_stored"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    assert_eq!((&line["wins"], &line["elo"], &line["elo_recomputed"]), (&json!(1), &json!(1516.0), &json!(1516.0)));
    let history = agent.json(&format!("/v1/debate/history?model={}", encode(model)));
    assert_eq!(history["debates"][0]["winner"], model);
    assert_eq!(agent.json("/v1/debate/history?model=nobody")["debates"], json!([]));
}

#[test]
fn ratings_that_began_anew_break_the_chain_and_none_is_limited() {
    let Some((server, agent)) = started("100ms") else { return };
    add(&server, 1, ELO, "'red:1b', 1500, 16, 1500, -16");
    add(&server, 2, ELO, "'red:1b', 1516, 15, 1484, -15");
    add(&server, 3, ELO, "'blue:3b', 1500, -16, 1500, 16");
    server.sql("postgres", "UPDATE model_rankings SET elo_rating = 3500 WHERE model_name = 'red:1b'");
    server.sql("postgres", "UPDATE model_rankings SET elo_rating = -20 WHERE model_name = 'blue:3b'");
    let message = until(&agent, "the debates", |message| {
        total(message) == 3 && leaderboard(message)["blue:3b"]["elo_stored"] == -20
    });
    let broken: Vec<_> = message["recent"].as_array().unwrap().iter().map(|one| one["chain_broken"] == true).collect();
    assert_eq!(broken, [true, false, false]);
    let lines = leaderboard(&message);
    assert_eq!((&lines["red:1b"]["elo_stored"], &lines["red:1b"]["rank"]), (&json!(3500), &json!(1)));
    assert_eq!((&lines["blue:3b"]["elo"], &lines["blue:3b"]["rank"]), (&json!(-20.0), &json!(3)));
    // 16 and 15 won, then lost against one who is 62 behind: 32 (0 - 0.588) is 19.
    assert_eq!(lines["red:1b"]["elo_recomputed"], 1500.0 + 16.0 + 15.0 - 19.0);
}

#[test]
fn an_error_in_the_place_of_an_argument_marks_the_debate_which_still_counts() {
    let Some((server, agent)) = started("100ms") else { return };
    add(&server, 1, "winner", "'red:1b'");
    add(&server, 2, "winner", "'red:1b'");
    server.sql(
        "postgres",
        "INSERT INTO debate_rounds (debate_id, round_number, round_type, model_name, argument, tokens_used) \
         SELECT id, 1, 'opening', 'red:1b', CASE WHEN completed_at < '2025-12-01 06:02' THEN '[Error: timed out]' \
         ELSE 'It said [Error: x] and went on' END, 0 FROM debates",
    );
    let message = until(&agent, "the failed round", |message| message["counts"]["with_errors"] == 1);
    let marked: Vec<_> = message["recent"].as_array().unwrap().iter().map(|one| one["has_errors"].clone()).collect();
    assert_eq!(marked, [json!(false), json!(true)]);
    let red = &leaderboard(&message)["red:1b"];
    assert_eq!((&red["wins"], &red["with_errors"]), (&json!(2), &json!(1)));
}

#[test]
fn a_winner_who_took_no_part_wins_nothing_and_nobody_loses() {
    let Some((server, agent)) = started("100ms") else { return };
    add(&server, 1, "winner", "'green:2b'");
    let message = until(&agent, "the debate", |message| total(message) == 1);
    for (model, line) in leaderboard(&message) {
        assert_eq!((&line["wins"], &line["losses"], &line["draws"]), (&json!(0), &json!(0), &json!(0)), "{model}");
        assert_eq!(line["elo_recomputed"], 1500.0);
    }
    let shown = &message["recent"][0];
    assert_eq!((&shown["winner"], &shown["winner_expected"]), (&json!("green:2b"), &Value::Null));
}

#[test]
fn missing_tables_are_explained_and_found_when_they_come() {
    let Some(server) = PostgresServer::start("") else { return };
    let agent = agent(&server, "100ms");
    let message = until(&agent, "why there are none", |message| message["missing"]["leaderboard"].is_object());
    let missing = &message["missing"]["leaderboard"];
    assert_eq!(missing["reason"], "no_table");
    assert!(missing["detail"].as_str().unwrap().contains("no table debates"), "{missing}");
    assert_eq!(
        (&message["leaderboard"], &message["counts"], &message["server"]),
        (&json!([]), &Value::Null, &Value::Null)
    );
    for path in ["/v1/debate/leaderboard", "/v1/debate/history"] {
        let answer = agent.get(path);
        assert_eq!((answer.status, answer.error_code().as_str()), (503, "no_table"), "{path}");
    }
    // All else of the server goes on.
    assert_eq!(agent.json("/api/database/metrics")["status"], "connected");
    server.sql("postgres", TABLES);
    until(&agent, "the tables", |message| leaderboard(message).len() == 3);
    server.sql("postgres", "DROP TABLE debate_rounds, model_rankings CASCADE");
    add(&server, 1, "winner", "'red:1b'");
    let message = until(&agent, "the debate alone", |message| {
        message["missing"]["leaderboard.elo_stored"].is_object() && total(message) == 1
    });
    assert_eq!(message["missing"]["recent.has_errors"]["reason"], "no_table");
    let red = &leaderboard(&message)["red:1b"];
    assert_eq!((&red["ranked"], &red["elo"], &red["with_errors"]), (&json!(false), &json!(1516.0), &Value::Null));
    assert_eq!((&message["recent"][0]["has_errors"], &message["recent"][0]["turns"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_new_row_reaches_a_client_of_the_feed_with_every_kind_of_trigger() {
    let literal = "PERFORM pg_notify('debates_changed', '')";
    for body in ["", literal, "PERFORM pg_notify(TG_TABLE_NAME, '')"] {
        let Some(server) = PostgresServer::start("") else { return };
        server.sql("postgres", TABLES);
        if !body.is_empty() {
            server.sql(
                "postgres",
                &format!(
                    "CREATE FUNCTION announce() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$; \
                     CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON debates EXECUTE FUNCTION announce()"
                ),
            );
        }
        // The usual interval.
        let agent = agent(&server, "1s");
        let mut feed = Feed::try_connect(agent.address(), "/ws/debates", &[]).unwrap();
        wait_until("the tables", || leaderboard(&feed.message()).len() == 3);
        for number in 1..4 {
            add(&server, number, "winner", "'red:1b'");
            let message =
                wait_for("the new row", || Some(feed.message()).filter(|now| total(now) == u64::from(number)));
            assert_eq!(message["type"], "debate_update");
            assert_eq!(message["recent"][0]["completed_at"], json!(format!("2025-12-01T06:{number:02}:30.000")));
            // What is sent at once is what is asked for.
            assert_eq!(total(&agent.json("/api/debates")), u64::from(number));
        }
    }
}
