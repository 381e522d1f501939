use std::fs;

use proptest::prelude::*;

use super::{node::Entry, *};

fn load(file: Option<&str>, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Loaded, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("aura.yaml");
    let mut variables: Vec<_> = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    // Whoever runs the tests may have a configuration of his own.
    variables.push(("XDG_CONFIG_HOME".to_owned(), folder.path().display().to_string()));
    let flags = flags.iter().map(|(path, value)| Override { flag: "--flag", path, values: vec![value.to_string()] });
    let mut overrides = Overrides { file: None, flags: flags.collect() };
    if let Some(text) = file {
        fs::write(&path, text).unwrap();
        overrides.file = Some(path);
    }
    Config::load(&overrides, &variables)
}

fn shown(problems: &Problems) -> Vec<String> {
    problems.0.iter().map(|problem| strip_folder(&problem.to_string())).collect()
}

/// The message as if the file lay in the current folder.
fn strip_folder(message: &str) -> String {
    match message.find("aura.yaml") {
        Some(start) => message[start..].to_owned(),
        None => message.to_owned(),
    }
}

/// Each file begins with the messages that it must give.
#[test]
fn every_wrong_file_gives_its_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid_configs");
    let mut checked = 0;
    let mut differences = String::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let expected: Vec<String> = String::from_utf8_lossy(&fs::read(&path).unwrap())
            .lines()
            .map_while(|line| line.strip_prefix("# "))
            .map(str::to_owned)
            .collect();
        assert!(!expected.is_empty(), "{}: begin with '# ' and the message", path.display());
        let read = tempfile::tempdir().unwrap();
        let copy = read.path().join("aura.yaml");
        fs::copy(&path, &copy).unwrap();
        let secret = [("SECRET".to_owned(), "hunter2".to_owned())];
        let overrides = Overrides { file: Some(copy), flags: Vec::new() };
        let Err(problems) = Config::load(&overrides, &secret) else { panic!("{} was accepted", path.display()) };
        if shown(&problems) != expected {
            let name = path.file_name().unwrap().display();
            differences.push_str(&format!("{name}: expected {expected:#?}, found {:#?}\n", shown(&problems)));
        }
        checked += 1;
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(checked > 25, "only {checked} files");
}

#[test]
fn later_layers_win_and_say_so() {
    let file = "web:\n  max_requests: 1\n  telemetry_path: /file\nlog: {level: warn}\n";
    let variables = [("AURA_WEB_MAX_REQUESTS", "2"), ("AURA_LOG_LEVEL", "debug"), ("STATE_DIRECTORY", "/var/lib/a:/b")];
    let loaded = load(Some(file), &variables, &[("web.max_requests", "3")]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.config.web.max_requests, 3);
    assert_eq!(loaded.config.web.telemetry_path, "/file");
    assert_eq!(loaded.config.log.level, LogLevel::Debug);
    assert_eq!(loaded.config.storage.path.as_deref(), Some(Path::new("/var/lib/a")));
    for (path, origin) in [
        ("web.max_requests", "--flag"),
        ("web.telemetry_path", "aura.yaml:3:19"),
        ("log.level", "AURA_LOG_LEVEL"),
        ("storage.path", "STATE_DIRECTORY"),
    ] {
        assert_eq!(strip_folder(&loaded.typed.origin_of(path).to_string()), origin, "{path}");
    }
    let text = loaded.show();
    for line in
        ["max_requests: 3 --flag", "telemetry_path: /file", "level: debug AURA_LOG_LEVEL", "format: text default"]
    {
        let squeezed: Vec<String> =
            text.lines().map(|line| line.replace('#', "").split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(squeezed.iter().any(|shown| shown.starts_with(line)), "{line} is not in\n{text}");
    }
}

#[test]
fn systemds_folder_is_only_a_default() {
    let systemd = ("STATE_DIRECTORY", "/var/lib/a");
    let path = |loaded: Result<Loaded, Problems>| loaded.unwrap_or_else(|e| panic!("{e}")).config.storage.path.unwrap();
    assert_eq!(path(load(Some("storage: {path: /file}"), &[systemd], &[])), Path::new("/file"));
    assert_eq!(path(load(Some("storage:\n"), &[systemd], &[])), Path::new("/var/lib/a"));
    assert_eq!(path(load(None, &[systemd, ("AURA_STORAGE_PATH", "/mine")], &[])), Path::new("/mine"));
}

#[test]
fn nothing_at_all_is_a_configuration() {
    for file in [None, Some(""), Some("# nothing\n"), Some("web:\nsources:\n  host:\n")] {
        let loaded = load(file, &[], &[]).unwrap_or_else(|problems| panic!("{file:?}: {problems}"));
        assert!(loaded.config == Config::default(), "{file:?} changed something");
    }
}

#[test]
fn a_section_with_one_key_keeps_the_others() {
    let file = "thresholds:\n  cpu: {warning: 95}\n  disk: {critical: }\n";
    let variable = ("AURA_THRESHOLDS", "{cpu: {warning: 95}, disk: {critical: }}");
    for loaded in [load(Some(file), &[], &[]), load(None, &[variable], &[])] {
        let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
        let (defaults, Thresholds { cpu, disk, .. }) = (Thresholds::default(), loaded.config.thresholds);
        assert_eq!(cpu, Threshold { warning: Some(95.0), ..defaults.cpu });
        assert_eq!(disk, Threshold { critical: None, ..defaults.disk });
    }
}

#[test]
fn lists_are_written_in_several_ways() {
    let addresses = ["127.0.0.1:1", "[::1]:2"];
    let check = |loaded: Result<Loaded, Problems>| {
        let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
        let found: Vec<_> = loaded.config.web.listen_address.iter().map(ToString::to_string).collect();
        assert_eq!(found, addresses);
    };
    check(load(Some("web: {listen_address: ['127.0.0.1:1', '[::1]:2']}"), &[], &[]));
    check(load(None, &[("AURA_WEB_LISTEN_ADDRESS", "127.0.0.1:1, [::1]:2")], &[]));
    check(load(None, &[("AURA_WEB_LISTEN_ADDRESS", "['127.0.0.1:1', '[::1]:2']")], &[]));
    let one = load(Some("web: {listen_address: ':9100'}"), &[], &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(one.config.web.listen_address, [aura_net::HostPort { host: String::new(), port: 9100 }]);
    assert!(!one.config.web.listen_address[0].is_loopback());
}

#[test]
fn a_variable_near_a_key_is_a_mistake_and_a_foreign_one_is_not() {
    let loaded = load(None, &[("AURA_CHAT_TIMEOUT", "180")], &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings, ["environment variable AURA_CHAT_TIMEOUT sets no key of this agent"]);
    let Err(problems) = load(None, &[("AURA_WEB_LISTEN_ADRESS", ":1"), ("AURA_WEB_MAX_REQUESTS", "x")], &[]) else {
        panic!("accepted")
    };
    assert_eq!(
        shown(&problems),
        [
            "AURA_WEB_LISTEN_ADRESS: sets no key; did you mean AURA_WEB_LISTEN_ADDRESS?",
            "AURA_WEB_MAX_REQUESTS: web.max_requests: expected a whole number, 0 or more, found text",
        ]
    );
}

#[test]
fn every_key_has_a_variable_of_its_own() {
    let mut variables: Vec<_> =
        reference::defaults(&Config::default()).keys().iter().map(|key| environment::variable(key)).collect();
    let all = variables.len();
    assert!(all > 30, "only {all} keys");
    variables.sort();
    variables.dedup();
    assert_eq!(variables.len(), all, "two keys share a variable");
}

/// Keys come from the defaults, the page from the schema.
#[test]
fn every_variable_of_the_reference_page_sets_a_key() {
    let keys = reference::defaults(&Config::default()).keys();
    let known: Vec<_> = keys.iter().map(|key| environment::variable(key)).collect();
    let page = reference::markdown();
    let named: Vec<_> = page.split("variable: `").skip(1).filter_map(|rest| rest.split('`').next()).collect();
    assert!(named.len() > 30, "only {} are named", named.len());
    for name in named {
        let found = match name.strip_suffix("...") {
            Some(section) => known.iter().any(|variable| variable.starts_with(section)),
            None => known.iter().any(|variable| variable == name),
        };
        assert!(found, "{name} sets no key");
    }
}

#[test]
fn what_variables_hold_is_not_shown() {
    let file = "web:\n  telemetry_path: /${SECRET}\n  allowed_hosts: [a, 'x${SECRET}']\nstorage: {path: '${SECRET}'}\n";
    let loaded = load(Some(file), &[("SECRET", "hunter2")], &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.config.web.telemetry_path, "/hunter2");
    let hosts = "web: {allowed_hosts: [a, 'b:${SECRET}']}";
    let Err(problems) = load(Some(hosts), &[("SECRET", "hunter2")], &[]) else { panic!("accepted") };
    let expected = "aura.yaml:1:26: web.allowed_hosts[1]: b:${SECRET} is no host name: write it alone, without scheme, port \
                    or path";
    assert_eq!(shown(&problems), [expected]);
    let text = loaded.show();
    assert!(!text.contains("hunter2") && text.contains("/${SECRET}"), "{text}");
}

#[test]
fn the_example_changes_nothing_with_its_keys_or_without() {
    let example = reference::example();
    let active: String = example
        .lines()
        .map(|line| match line.trim_start().strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => line.replacen('#', "", 1) + "\n",
            _ => format!("{line}\n"),
        })
        .collect();
    assert_ne!(active, example);
    for text in [example, active] {
        let loaded = load(Some(&text), &[], &[]).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        assert!(loaded.config == Config::default(), "not the defaults:\n{text}");
    }
}

#[test]
fn what_is_shown_reads_back_as_itself() {
    let file =
        "web: {listen_address: [':1', 'box:2'], allowed_hosts: ['true', 'a b']}\nthresholds: {cpu: {warning: 1.5}}";
    let file = file.replace(", 'a b'", "");
    let first = load(Some(&file), &[], &[]).unwrap_or_else(|problems| panic!("{problems}"));
    let second = load(Some(&first.show()), &[], &[]).unwrap_or_else(|problems| panic!("{problems}\n{}", first.show()));
    assert!(first.config == second.config, "{}", first.show());
}

fn tree() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        Just(Value::Null),
        "[a-c]{1,2}".prop_map(|text| Value::Scalar(Scalar::plain(text))),
        prop::collection::vec("[a-c]", 0..3).prop_map(|items| {
            let item = |text| Node { origin: Origin::Default, value: Value::Scalar(Scalar::plain(text)) };
            Value::List(items.into_iter().map(item).collect())
        }),
    ];
    let node = leaf.prop_map(|value| Node { origin: Origin::Default, value });
    node.prop_recursive(3, 20, 4, |inner| {
        prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| {
            let entry = |(key, node)| Entry { key, origin: Origin::Default, node };
            Node { origin: Origin::Default, value: Value::Map(map.into_iter().map(entry).collect()) }
        })
    })
}

/// Every path with its leaf.
fn leaves(node: &Node, path: &str, found: &mut Vec<(String, Value)>) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for entry in entries {
                leaves(&entry.node, &format!("{path}.{}", entry.key), found);
            }
        }
        value => found.push((path.to_owned(), value.clone())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_stronger_layer_holds_and_the_weaker_shows_through(weaker in tree(), stronger in tree()) {
        let merged = weaker.clone().overlaid(stronger.clone());
        let root = |node: Node| Node::nested("root", &Origin::Default, node.value);
        let (merged, weaker, stronger) = (root(merged), root(weaker), root(stronger));
        let mut said = Vec::new();
        leaves(&stronger, "", &mut said);
        for (path, value) in said.iter().filter(|(_, value)| !matches!(value, Value::Null | Value::Map(_))) {
            prop_assert_eq!(&merged.find(&path[1..]).unwrap().value, value);
        }
        let mut below = Vec::new();
        leaves(&weaker, "", &mut below);
        // Silent about a path: some section on the way is there without the next key, or without content.
        let silent = |path: &str| {
            let mut node = &stronger;
            path[1..].split('.').any(|key| match node.get(key) {
                Some(next) => {
                    node = next;
                    false
                }
                None => matches!(node.value, Value::Map(_) | Value::Null),
            })
        };
        for (path, value) in below.iter().filter(|(path, _)| silent(path)) {
            let shown = merged.find(&path[1..]).map(|node| &node.value);
            prop_assert_eq!(shown, Some(value), "{} is lost", path);
        }
    }

    #[test]
    fn laying_a_layer_twice_is_laying_it_once(weaker in tree(), stronger in tree()) {
        let once = weaker.overlaid(stronger.clone());
        prop_assert_eq!(once.clone().overlaid(stronger), once);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(tree) = yaml::parse(&text, Path::new("f"), Some(&|_| None)) {
            let _ = deserialize::<Config>(&tree);
        }
    }

    #[test]
    fn no_yaml_makes_it_panic(text in "([-?:,\\[\\]{}#&*!|>'\"%@` \n\t]|web|log|sources|host|max_requests|interval|1s|\\$\\{A:b\\}|~|---|é){0,40}") {
        if let Ok(tree) = yaml::parse(&text, Path::new("f"), Some(&|_| None)) {
            let _ = deserialize::<Config>(&tree);
        }
    }
}

#[test]
fn what_is_too_large_for_a_configuration_is_refused_early() {
    let refuse = |text: String| {
        let Err(problems) = load(Some(&text), &[], &[]) else { panic!("accepted") };
        assert!(problems.0.len() <= problem::MAX_PROBLEMS);
        shown(&problems).join("\n")
    };
    assert!(refuse(format!("#{}", " ".repeat(1 << 20))).contains("longer than 1 MiB"));
    assert!(refuse("- a\n".repeat(20_000)).contains("more than 10000 values"));
    assert!(refuse("a: 1\n".repeat(9_000)).contains("written twice"));
    let wrong: String = (0..500).map(|number| format!("wrong{number}: 1\n")).collect();
    assert!(refuse(wrong).contains("wrong0: unknown key"));
}

/// The code below a folder, without tests, in one text.
fn code_below(folder: &Path, left_out: &str, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code_below(&path, left_out, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let code = fs::read_to_string(&path).unwrap();
            if !path.ends_with(left_out) {
                text.push_str(code.split("#[cfg(test)]").next().unwrap());
            }
        }
    }
}

/// Whether code takes this field from its struct: `.field`, or by name in a pattern. Where it is declared and where it is
/// given a value, a colon follows.
fn is_taken(field: &str, code: &str) -> bool {
    code.match_indices(field).any(|(at, _)| {
        let (before, after) = (code[..at].trim_end(), &code[at + field.len()..]);
        let whole = !after.starts_with(|next: char| next.is_alphanumeric() || matches!(next, '_' | ':' | '('));
        let own_word = code[..at].ends_with(|c: char| !c.is_alphanumeric() && c != '_');
        whole && own_word && before.ends_with(['.', '{', ','])
    })
}

#[test]
fn every_option_has_somebody_who_reads_it() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (mut agent, mut exporters) = (String::new(), String::new());
    code_below(&top.join("agent/src"), "config/settings.rs", &mut agent);
    code_below(&top.join("exporters"), "nothing", &mut exporters);
    assert!(is_taken("ping_interval", &agent) && !is_taken("read_by_nobody", &agent));
    let keys = reference::defaults(&Config::default()).keys();
    let is_section =
        |key: &str| keys.iter().any(|other| other.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')));
    let mut unread = Vec::new();
    // The keys of a map are the user's own.
    for key in keys.iter().filter(|key| !is_section(key) && !key.starts_with("sources.audit.spikes.")) {
        let field = key.rsplit('.').next().unwrap();
        // Where the world is mounted is handed on to the sources.
        let elsewhere = key.starts_with("sources.") || key.starts_with("paths.");
        if !is_taken(field, &agent) && !(elsewhere && is_taken(field, &exporters)) {
            unread.push(key);
        }
    }
    assert!(unread.is_empty(), "documented and read by nobody: {unread:?}");
}
