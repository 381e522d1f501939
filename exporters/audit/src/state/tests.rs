use super::*;

fn folder_with(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("audit.json"), text).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What the first format looked like.
const FIRST: &str = r#"{"logs":{"/a.jsonl":{"begun":true,"current":{"device":1,"inode":2,"born":3,"offset":300,"skipping":false,
    "head":{"length":256,"hash":"aaaaaaaaaaaaaaaaaaaaaaaa"},"tail":{"length":64,"hash":"bbbbbbbbbbbbbbbbbbbbbbbb"}},
    "previous":{"device":1,"inode":9,"born":null,"offset":10,"skipping":false,"head":{"length":10,"hash":"cc"},
    "tail":{"length":10,"hash":"cc"}},"quiet":2,"seen":[{"length":256,"hash":"dd"}],
    "counts":{"kinds":[{"name":"a","events":[[0,0,0,0,0,0,0],[0,0,0,0,0,0,7],[0,0,0,0,0,0,0],[0,0,0,0,0,0,0]]}],
    "skipped":{"blank":0,"unreadable":0,"not_object":0,"too_long":0},"signatures":{"valid":0,"invalid":0,"not_checked":0},
    "bytes":310,"rotations":1,"gaps":0,"last_time":null}}}}"#;

#[test]
fn the_first_format_is_migrated() {
    let folder = folder_with(FIRST);
    let storage = Storage::open(folder.path()).unwrap();
    let log = storage.log(Path::new("/a.jsonl"));
    assert!(log.begun);
    assert_eq!(log.counts.total(), 7);
    assert_eq!((log.current.unwrap().offset, log.known.len(), log.known[0].at.offset), (300, 1, 10));
    assert!(!log.known[0].done, "late writers may still append to it");
    assert_eq!(log.seen.len(), 1);
    assert_eq!(names(folder.path()), ["audit.json"]);
}

#[test]
fn a_field_more_is_passed_over_and_one_less_too() {
    let text = FIRST.replacen("{\"logs\"", "{\"version\": 1, \"more\": [1], \"logs\"", 1).replace("\"gaps\":0,", "");
    let folder = folder_with(&text);
    assert_eq!(Storage::open(folder.path()).unwrap().log(Path::new("/a.jsonl")).counts.total(), 7);
}

#[test]
fn what_is_newer_or_broken_is_set_aside_and_never_written_over() {
    let newer = r#"{"version": 2, "logs": "in another shape"}"#;
    let folder = folder_with(newer);
    for round in 1..3 {
        fs::write(folder.path().join("audit.json"), newer).unwrap();
        let mut storage = Storage::open(folder.path()).unwrap();
        assert!(storage.kept.logs.is_empty());
        storage.keep(1, [(Path::new("/b"), &LogState { begun: true, ..LogState::default() })]).unwrap();
        let aside = if round == 1 { "audit.json.version-2" } else { "audit.json.version-2.2" };
        assert_eq!(fs::read_to_string(folder.path().join(aside)).unwrap(), newer);
    }
    for broken in ["", "{", "[]", "7", r#"{"version": "1"}"#, r#"{"version": 1, "logs": 3}"#] {
        let folder = folder_with(broken);
        Storage::open(folder.path()).unwrap();
        assert_eq!(names(folder.path()), ["audit.json.broken"], "{broken}");
    }
}

#[test]
fn what_cannot_be_true_costs_its_own_log_alone() {
    let good = FIRST.replacen("\"/a.jsonl\"", "\"/good.jsonl\"", 1);
    let good: Value = serde_json::from_str(&good).unwrap();
    for (what, wrong) in [
        ("\"offset\":300", "\"offset\":3"),
        ("\"offset\":300", "\"offset\":18446744073709551615"),
        ("\"length\":64", "\"length\":9223372036854775807"),
        ("\"bytes\":310", "\"bytes\":18446744073709551615"),
        ("[0,0,0,0,0,0,7]", "[0,0,0,0,0,0,18446744073709551615]"),
    ] {
        assert!(FIRST.contains(what), "{what}");
        let mut value: Value = serde_json::from_str(&FIRST.replacen(what, wrong, 1)).unwrap();
        value["logs"]["/good.jsonl"] = good["logs"]["/good.jsonl"].clone();
        let folder = folder_with(&value.to_string());
        let storage = Storage::open(folder.path()).unwrap();
        assert_eq!(storage.log(Path::new("/a.jsonl")), LogState::default(), "{wrong}");
        assert_eq!(storage.log(Path::new("/good.jsonl")).counts.total(), 7, "{wrong}");
        assert_eq!(names(folder.path()), ["audit.json.broken"], "{wrong}");
    }
}

#[test]
fn a_log_that_is_not_followed_for_a_run_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (Path::new("/one"), Path::new("/two"));
    let state = LogState { begun: true, ..LogState::default() };
    Storage::open(folder.path()).unwrap().keep(1, [(one, &state), (two, &state)]).unwrap();
    let changed = LogState { seen: [Head::of(b"x")].into(), ..state.clone() };
    Storage::open(folder.path()).unwrap().keep(2, [(two, &changed)]).unwrap();
    let storage = Storage::open(folder.path()).unwrap();
    assert_eq!((storage.log(one), storage.log(two)), (state, changed));
    assert_eq!(storage.written(), Some(2));
}
