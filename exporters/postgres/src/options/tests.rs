use proptest::prelude::*;

use super::*;

#[test]
fn the_defaults_are_without_problems() {
    assert_eq!(PostgresOptions::default().problems(), []);
}

#[test]
fn contradictions_are_problems_of_their_keys() {
    let server = ServerOptions {
        url: Some(DatabaseUrl("postgres://a@b/c".into())),
        host: Some("b".into()),
        ..Default::default()
    };
    let wrong = ServerOptions { url: Some(DatabaseUrl("postgres://a@b:port/c".into())), ..Default::default() };
    let options = PostgresOptions { servers: vec![server, wrong], ..PostgresOptions::default() };
    let keys: Vec<String> = options.problems().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["servers[0].url", "servers[1].url"]);
}

/// Two servers of one name would be the same series twice.
#[test]
fn a_name_is_given_once_whether_it_is_said_or_follows_from_the_address() {
    let url = |text: &str| ServerOptions { url: Some(DatabaseUrl(text.into())), ..Default::default() };
    let named = |server: ServerOptions, name: &str| ServerOptions { name: Some(name.into()), ..server };
    let keys = |servers: Vec<ServerOptions>| -> Vec<String> {
        let options = PostgresOptions { servers, ..PostgresOptions::default() };
        options.problems().into_iter().map(|(key, _)| key).collect()
    };
    let (one, other) = (url("postgres://a@b:5432/c"), url("postgres://a@b/d"));
    assert_eq!(keys(vec![one.clone(), other.clone()]), ["servers[1].name"]);
    assert_eq!(keys(vec![named(one.clone(), "x"), named(url("postgres://a@e/c"), "x")]), ["servers[1].name"]);
    assert_eq!(keys(vec![named(one.clone(), "x"), other]), [""; 0]);
    assert_eq!(keys(vec![one, url("postgres://a@b:5433/c")]), [""; 0]);
}

#[test]
fn what_may_be_probed_is_checked_before_it_is_asked() {
    let mut options = PostgresOptions::default();
    options.probe.targets = vec!["db:5432".into(), "db?sslmode=disable".into(), "user@db".into()];
    let module =
        |name: &str, user: &str| ProbeModule { name: name.into(), user: user.into(), ..ProbeModule::default() };
    options.probe.modules = vec![module("default", "aura"), module("default", "aura"), module("", "")];
    let keys: Vec<String> = options.problems().into_iter().map(|(key, _)| key).collect();
    let expected = [
        "probe.targets[1]",
        "probe.targets[2]",
        "probe.modules[1].name",
        "probe.modules[2].name",
        "probe.modules[2].user",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn other_databases_are_all_or_named() {
    let parse = |text: &str| serde_json::from_str::<OtherDatabases>(text);
    assert_eq!(parse("\"all\"").unwrap(), OtherDatabases::All(All::All));
    assert_eq!(parse("[\"a\"]").unwrap(), OtherDatabases::Named(vec!["a".into()]));
    for wrong in ["\"some\"", "5", "true"] {
        assert_eq!(parse(wrong).unwrap_err().to_string(), "expected all, or a list of names of databases", "{wrong}");
    }
}

#[test]
fn urls_are_shown_without_their_passwords() {
    for (url, shown) in [
        ("postgres://u:secret@h:1/d?sslmode=require", "postgres://u:***@h:1/d?sslmode=require"),
        ("postgres://u:sec@ret/x@h/d", "postgres://***"),
        ("postgres://u:sec/ret@h/d", "postgres://***"),
        ("postgres://u@h/d?user=x&password=a&secret=1", "postgres://***"),
        ("postgres://u:secret@a:1,b:2/d,postgres://u:secret@h/d", "postgres://***"),
        ("host=h password=a secret dbname=d", "***"),
        ("postgresql://u@h/d?password=secret&user=x", "postgresql://u@h/d?password=***&user=x"),
        ("postgres://h/d", "postgres://h/d"),
        ("host=h password='secret x' user=u", "host=h password=*** user=u"),
        ("host=h sslpassword=secret options='-c a=b'", "host=h sslpassword=*** options='-c a=b'"),
    ] {
        let url = DatabaseUrl(url.into());
        assert_eq!(url.to_string(), shown);
        assert_eq!(serde_json::to_string(&url).unwrap(), format!("{shown:?}"));
    }
}

proptest! {
    #[test]
    fn no_password_is_ever_shown(password in "[a-z@/:?&=#% ]{0,6}QXJ[a-z@/:?&=#% ]{0,6}", keyword in any::<bool>()) {
        let url = if keyword {
            format!("host=h password='{password}' user=u")
        } else {
            format!("postgres://user:{password}@host/database")
        };
        prop_assert!(!DatabaseUrl(url.clone()).to_string().contains("QXJ"), "{}", url);
    }
}
