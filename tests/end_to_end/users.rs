//! Who may read when others than this machine can reach the agent.

use aura_tests::{Feed, Request, Setup};

const PASSWORD: &str = "correct horse battery staple";

fn web_config() -> String {
    // The cheapest hash there is: what it costs is not what is tested here.
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    format!("basic_auth_users:\n  ada: {hash}\n")
}

#[test]
fn an_address_that_others_reach_needs_users_or_a_word_that_nobody_is_asked() {
    let ended = Setup::default().listen(Some("0.0.0.0:0")).fail();
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    for words in ["0.0.0.0:0", "basic_auth_users", "web.config_file", "web.allow_unauthenticated: true"] {
        assert!(ended.log.contains(words), "{words:?} is not in: {}", ended.log);
    }
    let nobody_asked = Setup::default().listen(Some("0.0.0.0:0")).argument("--web.allow-unauthenticated").announced();
    assert_eq!(nobody_asked.get("/-/healthy").status, 200);
    let users = Setup::default();
    let file = users.write("web.yaml", &web_config());
    let users = users.listen(Some("0.0.0.0:0")).argument("--web.config.file").argument(file).announced();
    assert_eq!(users.get("/metrics").status, 401);
}

#[test]
fn only_known_users_read_and_everybody_may_ask_whether_it_lives() {
    let setup = Setup::default();
    let file = setup.write("web.yaml", &web_config());
    let agent = setup.argument("--web.config.file").argument(file).start();
    let paths = ["/", "/app.js", "/metrics", "/metrics/node", "/api/system", "/api/system/stats", "/nothing"];
    for path in paths {
        let stranger = agent.get(path);
        assert_eq!(stranger.status, 401, "{path}");
        assert!(stranger.header("www-authenticate").is_some_and(|how| how.starts_with("Basic")), "{path}");
        for (user, password) in [("ada", "wrong"), ("eve", PASSWORD), ("", ""), ("ada", "")] {
            let answer = agent.send(&Request::new("GET", path).user(user, password));
            assert_eq!(answer.status, 401, "{path} as {user}");
        }
        let known = agent.send(&Request::new("GET", path).user("ada", PASSWORD));
        assert!(matches!(known.status, 200 | 404), "{path}: {}", known.status);
    }
    assert_eq!(agent.send(&Request::new("POST", "/-/reload")).status, 401);
    assert_eq!(agent.send(&Request::new("POST", "/-/reload").user("ada", PASSWORD)).status, 200);
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(agent.get(path).status, 200, "{path}");
    }
    assert_eq!(Feed::try_connect(agent.address(), "/ws/system", &[]).err(), Some(401));
    let basic = [("Authorization", "Basic YWRhOmNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU=")];
    let mut feed = Feed::try_connect(agent.address(), "/ws/system", &basic).unwrap();
    assert_eq!(feed.message()["type"], "system_update");
    let log = agent.log();
    assert!(!log.contains(PASSWORD) && !log.contains("$2b$"), "the log tells secrets");
}
