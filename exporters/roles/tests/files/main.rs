//! Role files as installations have them, and as they are while somebody writes them.

use std::{collections::HashSet, fs, path::Path, sync::Arc};

use aura_model::{Context, Reason, Source};
use aura_roles::{Node, RoleFiles, Roles, RolesOptions};
use proptest::prelude::*;
use serde_json::{Value, json};

fn fixture(name: &str) -> RolesOptions {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    RolesOptions { roots: vec![root], ..RolesOptions::default() }
}

fn open(root: &Path) -> RoleFiles {
    let options = RolesOptions { roots: vec![root.to_owned()], ..RolesOptions::default() };
    RoleFiles::open(&options, &Context::default()).unwrap()
}

fn look(files: &mut RoleFiles) -> Arc<Roles> {
    Arc::clone(&files.sample().unwrap().installations[0])
}

/// Without what depends on where and when the fixtures were put.
fn shown(options: &RolesOptions) -> String {
    let mut files = RoleFiles::open(options, &Context::default()).unwrap();
    let mut roles = (*look(&mut files)).clone();
    roles.last_change = None;
    let text = serde_json::to_string_pretty(&roles).unwrap();
    text.replace(env!("CARGO_MANIFEST_DIR"), "")
}

#[test]
fn a_registry_with_everything_around_it() {
    insta::assert_snapshot!(shown(&fixture("registry")));
}

#[test]
fn a_taxonomy_with_everything_that_can_be_wrong() {
    insta::assert_snapshot!(shown(&fixture("taxonomy")));
}

#[test]
fn nothing_to_watch_is_explained() {
    let missing = |options: &RolesOptions| RoleFiles::open(options, &Context::default()).err().unwrap();
    let nothing = missing(&RolesOptions::default());
    assert_eq!(nothing.reason, Reason::NotConfigured);
    assert!(nothing.detail.contains("sources.roles.roots"), "{nothing}");
    let folder = tempfile::tempdir().unwrap();
    let empty = missing(&RolesOptions { roots: vec![folder.path().to_owned()], ..RolesOptions::default() });
    assert_eq!(empty.reason, Reason::NoSensor);
    assert!(empty.detail.contains(folder.path().to_str().unwrap()), "{empty}");
}

fn engine(root: &Path) -> std::path::PathBuf {
    let engine = root.join("ops/role_engine");
    fs::create_dir_all(engine.join("drafts")).unwrap();
    engine
}

fn registry(roles: &Value) -> String {
    json!({ "meta": {}, "roles": roles }).to_string()
}

#[test]
fn of_a_half_written_file_the_last_good_copy_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = engine(folder.path()).join("role_registry_v2.json");
    let (one, two) = (registry(&json!({"One": {}})), registry(&json!({"One": {}, "Two": {}})));
    fs::write(&path, &one).unwrap();
    let mut files = open(folder.path());
    assert_eq!(look(&mut files).roles.len(), 1);
    for cut in [0, 1, two.len() / 2, two.len() - 1] {
        fs::write(&path, &two[..cut]).unwrap();
        let roles = look(&mut files);
        assert_eq!(roles.roles.len(), 1, "cut at {cut}");
        let finding = &roles.findings[0];
        assert_eq!(finding.kind, "unreadable_file");
        assert!(finding.detail.contains("last good copy"), "{finding:?}");
    }
    fs::write(&path, &two).unwrap();
    let roles = look(&mut files);
    assert_eq!((roles.roles.len(), roles.findings.len()), (2, 0));
    fs::remove_file(&path).unwrap();
    assert_eq!(look(&mut files).roles.len(), 0, "what is gone is gone");
}

#[test]
fn a_change_shows_with_the_next_look_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    fs::write(engine.join("role_registry_v2.json"), registry(&json!({"One": {}}))).unwrap();
    let mut files = open(folder.path());
    let first = files.sample().unwrap();
    let second = files.sample().unwrap();
    assert_eq!(first.revision, second.revision);
    assert!(Arc::ptr_eq(&first.installations[0], &second.installations[0]), "nothing is made anew");
    fs::write(engine.join("drafts/a.json"), r#"{"proposal": {"name": "New"}, "meta": {}}"#).unwrap();
    let third = files.sample().unwrap();
    assert_eq!(third.revision, second.revision + 1);
    assert!(third.installations[0].drafts[0].pending);
}

#[test]
fn a_file_that_is_replaced_swapped_or_rewritten_under_its_old_time_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let path = engine.join("role_registry_v2.json");
    let write = |path: &Path, name: &str| fs::write(path, registry(&json!({name: {}}))).unwrap();
    let names =
        |files: &mut RoleFiles| -> Vec<String> { look(files).roles.iter().map(|role| role.name.clone()).collect() };
    write(&path, "a");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let date_back = |path: &Path| fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    date_back(&path);
    let mut files = open(folder.path());
    assert_eq!(names(&mut files), ["a"]);
    // The same size and the same time, in place.
    write(&path, "b");
    date_back(&path);
    assert_eq!(names(&mut files), ["b"]);
    // Another file under its name.
    let other = engine.join("new");
    write(&other, "c");
    date_back(&other);
    fs::rename(&other, &path).unwrap();
    assert_eq!(names(&mut files), ["c"]);
    fs::remove_file(&path).unwrap();
    assert!(names(&mut files).is_empty());
    #[cfg(unix)]
    {
        let (one, two) = (engine.join("one"), engine.join("two"));
        write(&one, "d");
        write(&two, "e");
        std::os::unix::fs::symlink(&one, &path).unwrap();
        assert_eq!(names(&mut files), ["d"]);
        std::os::unix::fs::symlink(&two, engine.join("link")).unwrap();
        fs::rename(engine.join("link"), &path).unwrap();
        assert_eq!(names(&mut files), ["e"]);
        fs::remove_file(&two).unwrap();
        assert!(names(&mut files).is_empty(), "a link to nothing");
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_file_and_utf_16_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    fs::create_dir_all(engine.join("roles")).unwrap();
    fs::write(engine.join("role_registry_v2.json"), format!("\u{feff}{}", registry(&json!({"a": {}})))).unwrap();
    fs::write(engine.join("roles/b.yaml"), "\u{feff}name: b\n").unwrap();
    let wide: Vec<u8> = "\u{feff}name: c\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(engine.join("roles/c.yaml"), wide).unwrap();
    let roles = look(&mut open(folder.path()));
    let names: Vec<&str> = roles.roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(matches!(&roles.findings[..], [finding] if finding.detail.contains("UTF-16")), "{:?}", roles.findings);
}

#[test]
fn what_is_written_in_another_type_is_read_or_reported() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let read = |taxonomy: Value| {
        fs::write(engine.join("role_taxonomy.json"), registry(&json!({"r": taxonomy, "neighbour": {}}))).unwrap();
        let roles = look(&mut open(folder.path()));
        assert_eq!(roles.roles.len(), 2);
        (roles.roles.iter().find(|role| role.name == "r").unwrap().clone(), roles.findings.clone())
    };
    for (level, expected) in [
        (json!("admin"), 5.0),
        (json!("Basic"), 1.0),
        (json!("3"), 3.0),
        (json!(" 4 "), 4.0),
        (json!(2), 2.0),
        (json!(null), 0.0),
    ] {
        let (role, findings) = read(json!({"trust_level": level}));
        assert_eq!((role.trust_level, findings.len()), (expected, 0), "{level}: {findings:?}");
        assert_eq!(role.assumed.contains(&"trust_level"), level.is_null(), "{level}");
    }
    for entry in [
        json!({"trust_level": "king"}),
        json!({"trust_level": "NaN"}),
        json!({"trust_level": [3]}),
        json!({"trust_level": true}),
        json!({"scoring_profile": {"risk_factor": "high"}}),
        json!({"scoring_profile": 3}),
        json!({"capabilities": "read"}),
        json!({"capabilities": ["read", 5]}),
        json!({"parent_role": 1}),
        json!({"purpose": {}}),
        json!({"version": []}),
    ] {
        let (_, findings) = read(entry.clone());
        let found: Vec<_> = findings.iter().map(|finding| (finding.kind, finding.subject.as_str())).collect();
        assert_eq!(found, [("wrong_type", "r")], "{entry}");
    }
    assert_eq!(read(json!({"version": 2.5})).0.version, "2.5");
}

/// All names in the tree.
fn names(nodes: &[Node], depth: usize) -> Vec<String> {
    assert!(depth < 40, "the tree is too deep to walk");
    nodes.iter().flat_map(|node| [vec![node.name.clone()], names(&node.children, depth + 1)].concat()).collect()
}

/// A role as a registry may have it: any of its keys may be missing.
fn entry() -> impl Strategy<Value = Value> {
    let words = || prop::option::of(prop::collection::vec("[a-c]{1,2}", 0..5));
    let profile = (prop::option::of(1..=10u8), prop::option::of(0..=100u8), prop::option::of(0..=100u8));
    let texts = (prop::option::of("[ -~µ]{0,20}"), prop::option::of("[0-9]\\.[0-9]"), prop::option::of(any::<i32>()));
    (texts, words(), words(), prop::option::of(profile)).prop_map(|(texts, capabilities, responsibilities, profile)| {
        let hundredths = |number: Option<u8>| number.map(|number| f64::from(number) / 100.0);
        let profile = profile.map(|(priority, risk, weight)| {
            json!({"priority": priority, "risk_factor": hundredths(risk), "confidence_weight": hundredths(weight)})
        });
        let (purpose, version, note) = texts;
        let mut entry = json!({
            "purpose": purpose, "version": version, "note": note, "capabilities": capabilities,
            "responsibilities": responsibilities, "scoring_profile": profile,
        });
        entry.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        entry
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Whatever parents and children say, every role stands in the tree once.
    /// Property 1: Whoever asks about governance is shown the roles.
    #[test]
    fn every_role_stands_in_the_tree_once(
        edges in prop::collection::vec((0..60usize, 0..60usize, any::<bool>()), 0..120),
        count in 1..60usize,
        chain in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut roles = serde_json::Map::new();
        for at in 0..count {
            let parent = if chain && at > 0 { json!(format!("r{}", at - 1)) } else { Value::Null };
            roles.insert(format!("r{at}"), json!({"trust_level": at % 6, "parent_role": parent, "child_roles": []}));
        }
        for (from, to, down) in edges {
            let Some(role) = roles.get_mut(&format!("r{from}")) else { continue };
            if down {
                role["child_roles"].as_array_mut().unwrap().push(json!(format!("r{to}")));
            } else {
                role["parent_role"] = json!(format!("r{to}"));
            }
        }
        fs::write(engine(folder.path()).join("role_taxonomy.json"), registry(&Value::Object(roles))).unwrap();
        let found = look(&mut open(folder.path()));
        let tree = names(&found.tree, 0);
        prop_assert_eq!(tree.len(), count);
        prop_assert_eq!(tree.iter().collect::<HashSet<_>>().len(), count);
    }

    /// Every role of a registry is shown, once, with what the file says; numbers that it does not say are named.
    #[test]
    fn every_role_of_a_registry_is_shown_as_the_file_has_it(
        entries in prop::collection::btree_map("[A-Za-z][A-Za-z _]{0,12}", entry(), 0..30),
        yaml in prop::collection::btree_map("[a-z]{1,6}", 1..=10u8, 0..5),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path());
        fs::create_dir_all(engine.join("roles")).unwrap();
        fs::write(engine.join("role_registry_v2.json"), registry(&json!(entries))).unwrap();
        for (name, priority) in &yaml {
            let text = format!("purpose: from a file\nscoring_profile: {{priority: {priority}}}\n");
            fs::write(engine.join(format!("roles/{name}.yaml")), text).unwrap();
        }
        let found = look(&mut open(folder.path()));
        let mut expected: Vec<&str> = entries.keys().chain(yaml.keys()).map(String::as_str).collect();
        expected.sort_unstable();
        expected.dedup();
        let mut shown: Vec<&str> = found.roles.iter().map(|role| role.name.as_str()).collect();
        let order: Vec<(f64, &str)> = found.roles.iter().map(|role| (-role.trust_level, role.name.as_str())).collect();
        prop_assert!(order.is_sorted_by(|left, right| left.0 < right.0 || (left.0 == right.0 && left.1 <= right.1)));
        shown.sort_unstable();
        prop_assert_eq!(shown, expected);
        for role in &found.roles {
            prop_assert_eq!(role.trust_scale.word(), "priority_1_10");
            if let Some(priority) = yaml.get(&role.name) {
                // A file of its own wins.
                prop_assert_eq!((role.trust_level, role.purpose.as_deref()), (f64::from(*priority), Some("from a file")));
                continue;
            }
            let entry = &entries[&role.name];
            let profile = &entry["scoring_profile"];
            for (key, value, default) in [
                ("priority", role.trust_level, 5.0),
                ("risk_factor", role.risk_factor, 0.5),
                ("confidence_weight", role.confidence_weight, 0.5),
            ] {
                prop_assert_eq!(value, profile[key].as_f64().unwrap_or(default), "{} {}", role.name, key);
                let named = if key == "priority" { "trust_level" } else { key };
                prop_assert_eq!(role.assumed.contains(&named), profile[key].is_null(), "{} {}", role.name, key);
            }
            prop_assert_eq!(role.purpose.as_deref(), entry["purpose"].as_str());
            prop_assert_eq!(&role.version, entry["version"].as_str().unwrap_or("1.0"));
            let mut capabilities: Vec<&str> = Vec::new();
            for name in [&entry["capabilities"], &entry["responsibilities"]].into_iter().flat_map(Value::as_array).flatten() {
                let name = name.as_str().unwrap();
                if !capabilities.contains(&name) {
                    capabilities.push(name);
                }
            }
            prop_assert_eq!(&role.capabilities, &capabilities);
            prop_assert_eq!(role.other.get("note"), entry.get("note"), "what is not known is kept");
        }
    }

    /// No file makes it panic, and what is no role is said.
    #[test]
    fn any_file_is_survived(text in "[\\[\\]{}\":,a-z0-9 \n-]{0,80}", yaml in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path());
        fs::create_dir_all(engine.join("roles")).unwrap();
        let path = if yaml { engine.join("roles/x.yaml") } else { engine.join("role_registry_v2.json") };
        fs::write(path, &text).unwrap();
        look(&mut open(folder.path()));
    }
}
