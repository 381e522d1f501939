//! Roles and audit logs through the agent: the feed, its twins, and pages of events.

use std::{fs, path::Path};

use aura_tests::{Agent, Feed, Setup, encode, wait_for, wait_until};
use serde_json::{Value, json};

use crate::audit_logs::{Log, total};

/// An agent that watches the installation in its folder.
fn agent(setup: Setup) -> Agent {
    let folder = setup.folder().display().to_string();
    let config = format!(
        "storage: {{path: {folder}/storage}}\n\
         sources:\n  audit: {{roots: [{folder}/installation], interval: 100ms}}\n  roles: {{roots: [{folder}/installation], interval: 100ms}}\n"
    );
    setup.config(&config).start()
}

fn engine(setup: &Setup) -> std::path::PathBuf {
    let engine = setup.folder().join("installation/ops/role_engine");
    fs::create_dir_all(engine.join("drafts")).unwrap();
    engine
}

fn write_roles(engine: &Path, names: &[&str]) {
    let roles: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({"capabilities": ["read"], "scoring_profile": {"priority": 7}})))
        .collect();
    fs::write(engine.join("role_registry_v2.json"), json!({"meta": {}, "roles": roles}).to_string()).unwrap();
}

fn listen(agent: &Agent) -> Feed {
    Feed::try_connect(agent.address(), "/ws/governance", &[]).unwrap()
}

/// The first message that is as expected.
fn until(feed: &mut Feed, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || Some(feed.message()).filter(&is_so))
}

/// The ids that the test's lines carry.
fn ids(events: &Value) -> Vec<u64> {
    events.as_array().unwrap().iter().map(|event| event["details"]["id"].as_u64().unwrap()).collect()
}

fn role_names(roles: &Value) -> Vec<&str> {
    roles["roles"].as_array().into_iter().flatten().filter_map(|role| role["name"].as_str()).collect()
}

#[test]
fn a_client_is_greeted_and_then_told_of_every_change() {
    let setup = Setup::default();
    let mut log = Log::below(setup.folder());
    let engine = engine(&setup);
    write_roles(&engine, &["One"]);
    for _ in 0..40 {
        log.append("http", r#""status": 200"#);
    }
    let agent = agent(setup);
    wait_until("the lines are counted", || total(&agent, "security_audit") == 40.0);
    let mut feed = listen(&agent);
    let first = feed.message();
    assert_eq!(first["type"], "governance_init");
    assert_eq!(ids(&first["audit_logs"]), (21..=40).rev().collect::<Vec<_>>(), "20, the newest first");
    assert_eq!(role_names(&first["roles"]), ["One"]);
    assert!(first["sampled_at"].is_string() && first["timestamp"].is_string(), "{first}");
    assert_eq!(first["audit"]["position_kept"], true);

    // Each change comes, in its order.
    let mut seq = first["seq"].as_u64().unwrap();
    for round in 1..=10 {
        log.append("tool_failure", r#""tool": "<script>alert(1)</script>""#);
        let message = until(&mut feed, "the new event", |message| ids(&message["audit_logs"])[0] == 40 + round);
        assert_eq!(message["type"], "governance_update");
        assert_eq!(ids(&message["audit_logs"]), (31 + round..=40 + round).rev().collect::<Vec<_>>());
        assert!(message["seq"].as_u64().unwrap() > seq);
        seq = message["seq"].as_u64().unwrap();
        let event = &message["audit_logs"][0];
        // Both the names that older dashboards look for and the new ones; markup is text like any other.
        assert_eq!((&event["event_type"], &event["kind"]), (&json!("tool_failure"), &json!("tool_failure")));
        assert_eq!((&event["level"], &event["outcome"]), (&json!("error"), &json!("failed")));
        assert_eq!(event["details"]["tool"], "<script>alert(1)</script>");
        assert_eq!((&event["message"], &event["timestamp"]), (&event["summary"], &event["time"]));
        // The numbers of the feed are those of the metrics, and of the file.
        let shown = &message["audit"]["logs"][0];
        assert_eq!((&shown["name"], &shown["events"]), (&json!("security_audit"), &json!(40 + round)));
        assert_eq!(total(&agent, "security_audit"), (40 + round) as f64);
    }

    write_roles(&engine, &["One", "Two"]);
    let message = until(&mut feed, "the new role", |message| role_names(&message["roles"]).len() == 2);
    assert_eq!(role_names(&message["roles"]), ["One", "Two"]);
    let draft =
        json!({"id": "d", "proposal": {"name": "Three"}, "meta": {"ts": 1.0, "risk": 0.7, "status": "proposed"}});
    fs::write(engine.join("drafts/d.json"), draft.to_string()).unwrap();
    let message = until(&mut feed, "the draft", |message| message["roles"]["installations"][0]["drafts_pending"] == 1);
    assert_eq!(message["roles"]["installations"][0]["drafts"][0]["role"], "Three");
    let scrape = agent.scrape("/metrics/aura");
    assert_eq!(scrape.value("aura_roles_drafts_pending", &[]), 1.0);
    assert_eq!(scrape.value("aura_roles", &[("scale", "priority_1_10"), ("trust", "7")]), 2.0);

    // Half written, the good copy stays and says so; whole again, the finding goes.
    fs::write(engine.join("role_registry_v2.json"), r#"{"roles": {"One": {"#).unwrap();
    let message = until(&mut feed, "the finding", |message| {
        message["roles"]["installations"][0]["findings"][0]["kind"] == "unreadable_file"
    });
    assert_eq!(role_names(&message["roles"]), ["One", "Two"]);
    write_roles(&engine, &["Four"]);
    let message = until(&mut feed, "the whole file", |message| role_names(&message["roles"]) == ["Four"]);
    assert_eq!(message["roles"]["installations"][0]["findings"], json!([]));

    // The twin is the feed's last message, or a newer one of the same.
    let twin = agent.json("/api/governance");
    assert_eq!(twin["type"], "governance_update");
    assert_eq!((&twin["roles"], &twin["audit_logs"]), (&message["roles"], &message["audit_logs"]));
    let roles = agent.json("/api/governance/roles");
    assert_eq!((&roles["status"], &roles["data"]["roles"]), (&json!("ok"), &message["roles"]["roles"]));
    assert_eq!((&roles["data"]["root"]["name"], &roles["data"]["meta"]["total_roles"]), (&json!("System"), &json!(1)));
}

/// Property 1: Whoever asks about governance is shown the roles.
#[test]
fn a_client_asks_for_roles_and_events_at_any_time() {
    let setup = Setup::default();
    let mut log = Log::below(setup.folder());
    write_roles(&engine(&setup), &["One"]);
    for at in 0..60 {
        log.append("http", &format!("\"status\": {}", if at % 2 == 0 { 200 } else { 500 }));
    }
    let agent = agent(setup);
    wait_until("the lines are counted", || total(&agent, "security_audit") == 60.0);
    let mut feed = listen(&agent);
    let mut ask = |request: Value, answer: &str| {
        feed.say(&request.to_string());
        until(&mut feed, answer, |message| message["type"] == answer)
    };
    let roles = ask(json!({"type": "refresh_roles"}), "roles_update");
    assert_eq!(role_names(&roles["roles"]), ["One"]);
    let logs = ask(json!({"type": "refresh_audit"}), "audit_update");
    assert_eq!(ids(&logs["audit_logs"]), (41..=60).rev().collect::<Vec<_>>());
    let errors = ask(json!({"type": "refresh_audit", "level": "error", "limit": 3}), "audit_update");
    assert_eq!(ids(&errors["audit_logs"]), [60, 58, 56]);
    let all = ask(json!({"type": "refresh_audit", "level": "all", "limit": 2}), "audit_update");
    assert_eq!(ids(&all["audit_logs"]), [60, 59]);
    let none = ask(json!({"type": "refresh_audit", "level": "warning"}), "audit_update");
    assert_eq!(none["audit_logs"], json!([]), "warning is exactly warning");
    for wrong in [json!({"type": "refresh_audits"}), json!({"type": "refresh_audit", "limit": -1}), json!([])] {
        let error = ask(wrong, "error");
        assert_eq!(error["error"]["code"], "unknown_message");
    }
    let error = ask(json!({"type": "refresh_audit", "level": "errors"}), "error");
    assert_eq!(
        (&error["error"]["code"], &error["error"]["hint"]),
        (&json!("bad_level"), &json!("did you mean \"error\"?"))
    );
}

#[test]
fn every_parameter_of_a_page_leaves_what_it_names() {
    let setup = Setup::default();
    let mut log = Log::below(setup.folder());
    let kinds = ["http", "tool_failure", "rate_limited", "policy_decision"];
    for at in 0..230_u64 {
        let rest = match at % 4 {
            0 => format!("\"status\": {}", [200, 404, 500][at as usize / 4 % 3]),
            3 => format!("\"allowed\": {}, \"user\": \"ada\", \"reason\": \"Because of µ {at}\"", at % 8 == 3),
            _ => "\"tool\": \"<b>List</b>\"".to_owned(),
        };
        log.append(kinds[at as usize % 4], &rest);
        if at == 80 || at == 160 {
            log.rename_away();
        }
        if at == 100 {
            log.pack();
        }
    }
    log.write("{\"torn\n\n[1]\n");
    let agent = agent(setup);
    let page = |query: &str| {
        let answer = agent.get(&format!("/api/governance/audit-logs?{query}"));
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")));
        answer.json()
    };
    let all = page("limit=1000");
    assert_eq!(ids(&all["events"]), (1..=230).rev().collect::<Vec<_>>(), "archives too, the newest first");
    assert_eq!((&all["count"], &all["next"], &all["complete"]), (&json!(230), &Value::Null, &json!(true)));
    assert_eq!((&all["skipped"], &all["problems"]), (&json!(3), &json!([])));
    let events = all["events"].as_array().unwrap();
    assert_eq!(ids(&page("")["events"]).len(), 50, "50 when nobody says");
    assert_eq!(ids(&page("limit=7&offset=5")["events"]), (219..=225).rev().collect::<Vec<_>>());

    let time = events[100]["time"].as_str().unwrap();
    let since = format!("since={}", encode(time));
    let until = format!("until={}", encode(time));
    let at_or = |event: &Value, later: bool| {
        let found = event["time"].as_str().unwrap();
        if later { found >= time } else { found <= time }
    };
    type Wanted<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    let is = |key: &'static str, value: &'static str| -> Wanted<'_> { Box::new(move |event| event[key] == value) };
    let cases: [(&str, Wanted<'_>); 11] = [
        ("level=error", is("level", "error")),
        ("level=WARN", is("level", "warning")),
        ("level=all", Box::new(|_| true)),
        ("kind=http", is("kind", "http")),
        ("actor=ada", is("actor", "ada")),
        ("outcome=denied", is("outcome", "denied")),
        ("log=security_audit&outcome=limited", is("outcome", "limited")),
        (&since, Box::new(|event| at_or(event, true))),
        (&until, Box::new(|event| at_or(event, false))),
        ("text=%3CB%3Elist", Box::new(|event| event["details"]["tool"] == "<b>List</b>")),
        ("text=BECAUSE%20OF%20%C2%B5", Box::new(|event| event["details"]["reason"].is_string())),
    ];
    for (query, wanted) in cases {
        let expected: Vec<&Value> = events.iter().filter(|event| wanted(event)).collect();
        assert!(!expected.is_empty(), "{query} leaves nothing");
        let found = page(&format!("limit=1000&{query}"));
        assert_eq!(found["events"].as_array().unwrap().iter().collect::<Vec<_>>(), expected, "{query}");
        // Page after page, it is the same.
        let (mut strung, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = page(&format!("limit=17&{query}&cursor={cursor}"));
            strung.extend(ids(&page["events"]));
            match page["next"].as_str() {
                Some(next) => cursor = encode(next),
                None => break,
            }
        }
        assert_eq!(strung, ids(&found["events"]), "{query}");
    }
    assert_eq!(page("kind=nothing")["events"], json!([]));
    assert_eq!(page("since=1h")["events"], json!([]), "the test's lines are older than an hour");
}

#[test]
fn a_wrong_parameter_is_told_the_nearest_that_is_right() {
    let setup = Setup::default();
    let _log = Log::below(setup.folder());
    let agent = agent(setup);
    for (query, status, code, hint) in [
        ("limit=5000", 400, "bad_number", "limit=1000"),
        ("limit=0", 400, "bad_number", "limit=1"),
        ("limit=-3", 400, "bad_number", "limit=1"),
        ("limit=many", 400, "bad_number", "limit=1"),
        ("offset=999999", 400, "bad_number", "offset=10000"),
        ("level=warnings", 400, "bad_level", "did you mean \"warning\"?"),
        ("level=loud", 400, "bad_level", "all, debug, info, warning, error"),
        ("outcome=deneid", 400, "bad_outcome", "did you mean \"denied\"?"),
        ("lvl=error", 400, "bad_query", "known here: limit"),
        ("kinds=http", 400, "bad_query", "did you mean \"kind\"?"),
        ("since=yesterday", 400, "bad_time", "15m"),
        ("since=1000&until=999", 400, "bad_time", "swap"),
        ("cursor=none", 400, "bad_cursor", ""),
        ("log=security_audits", 404, "unknown_log", "did you mean \"security_audit\"?"),
    ] {
        let answer = agent.get(&format!("/api/governance/audit-logs?{query}"));
        assert_eq!((answer.status, answer.error_code().as_str()), (status, code), "{query}: {}", answer.text());
        let error = &answer.json()["error"];
        assert!(error["hint"].as_str().unwrap_or_default().contains(hint), "{query}: {error}");
    }
    let text = "x".repeat(201);
    assert_eq!(agent.get(&format!("/api/governance/audit-logs?text={text}")).error_code(), "bad_text");
    assert_eq!(agent.get("/api/governance/audit-logs?limit=&level=&cursor=").status, 200, "empty is left out");
}

#[test]
fn with_nothing_configured_it_says_what_to_set() {
    let agent = Setup::default().start();
    let message = listen(&agent).message();
    assert_eq!((&message["type"], &message["roles"]), (&json!("governance_init"), &Value::Null));
    assert_eq!((&message["audit_logs"], &message["audit"]), (&Value::Null, &Value::Null));
    for (key, option) in [("roles", "sources.roles.roots"), ("audit_logs", "sources.audit.roots")] {
        let why = &message["missing"][key];
        assert_eq!(why["reason"], "not_configured", "{message}");
        assert!(why["detail"].as_str().unwrap().contains(option), "{message}");
    }
    for path in ["/api/governance/roles", "/api/governance/audit-logs"] {
        let answer = agent.get(path);
        assert_eq!((answer.status, answer.error_code().as_str()), (503, "not_configured"), "{path}");
        assert!(answer.json()["error"]["hint"].as_str().unwrap().contains("sources."), "{path}");
    }
}
