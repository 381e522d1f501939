//! Pages of events: the newest first, through archives, by whatever is asked for.

use std::{
    fs,
    io::Write,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use aura_audit::{Audit, AuditEvent, AuditOptions, KeyRing, Level, Log, Outcome, Page, QueryError, Request};
use aura_model::{Context, Source};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

fn fixtures() -> AuditOptions {
    AuditOptions {
        roots: vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/installation")],
        signing_key_file: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/signing_key")),
        ..AuditOptions::default()
    }
}

fn request(limit: usize) -> Request {
    Request { limit, ..Request::default() }
}

/// For somebody who waits.
fn page(logs: &[Log], key: Option<&KeyRing>, request: &Request) -> Result<Page, QueryError> {
    aura_audit::page(logs, key, request, &AtomicBool::new(false))
}

fn ask(logs: &[Log], request: &Request) -> Page {
    page(logs, None, request).unwrap()
}

/// Without what depends on where the fixtures are.
fn shown(events: &[AuditEvent]) -> String {
    let line = |event: &AuditEvent| {
        let mut event = event.clone();
        event.source.file = Path::new(&event.source.file).file_name().unwrap().to_string_lossy().into_owned();
        serde_json::to_string(&event).unwrap()
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_shape_of_line() {
    let options = fixtures();
    let key = KeyRing::read(options.signing_key_file.as_ref().unwrap()).unwrap();
    let mut text = String::new();
    for log in options.logs() {
        let wanted = Request { log: Some(log.name.clone()), ..request(200) };
        let page = page(&options.logs(), Some(&key), &wanted).unwrap();
        assert!(page.complete && page.next.is_none() && page.problems.is_empty(), "{:?}", page.problems);
        text += &format!("{}: skipped {}\n{}\n", log.name, page.skipped, shown(&page.events));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_counted_is_what_is_shown() {
    let options = fixtures();
    let reading = Audit::open(&options, &Context::default()).unwrap().sample().unwrap();
    for log in &reading.logs {
        let wanted = Request { log: Some(log.name.clone()), ..request(1000) };
        let page = ask(&options.logs(), &wanted);
        let live = page.events.iter().filter(|event| event.source.archive == 0);
        assert_eq!(live.clone().count() as u64, log.total, "{}", log.name);
        for count in &log.events {
            let same = |event: &&AuditEvent| {
                (&event.kind, event.level, event.outcome) == (&count.kind, count.level, count.outcome)
            };
            assert_eq!(live.clone().filter(same).count() as u64, count.count, "{count:?}");
        }
    }
}

#[test]
fn each_filter_leaves_only_what_it_names() {
    let logs = fixtures().logs();
    let all = ask(&logs, &request(1000)).events;
    type Case = (&'static str, Request, fn(&AuditEvent) -> bool);
    let cases: [Case; 7] = [
        ("level", Request { level: Some(Level::Warning), ..request(1000) }, |event| event.level == Level::Warning),
        ("kind", Request { kind: Some("http".into()), ..request(1000) }, |event| event.kind == "http"),
        ("actor", Request { actor: Some("gateway".into()), ..request(1000) }, |event| {
            event.actor.as_deref() == Some("gateway")
        }),
        ("outcome", Request { outcome: Some(Outcome::Denied), ..request(1000) }, |event| {
            event.outcome == Outcome::Denied
        }),
        ("log", Request { log: Some("provenance".into()), ..request(1000) }, |event| event.source.log == "provenance"),
        ("since", Request { since: Some(1_765_800_010_000), ..request(1000) }, |event| {
            event.time.as_deref().is_some_and(|time| time >= "2025-12-15T12:00:10.000Z")
        }),
        ("text", Request { text: Some("MADE UP <b>".into()), ..request(1000) }, |event| {
            serde_json::to_string(&event.details).unwrap().to_lowercase().contains("made up <b>")
        }),
    ];
    for (name, request, wanted) in cases {
        let expected: Vec<AuditEvent> = all.iter().filter(|event| wanted(event)).cloned().collect();
        assert!(!expected.is_empty(), "{name} has nothing to show");
        assert_eq!(shown(&ask(&logs, &request).events), shown(&expected), "{name}");
    }
    let nobody = Request { log: Some("nobody".into()), ..request(1) };
    assert!(matches!(page(&logs, None, &nobody), Err(QueryError::UnknownLog { .. })));
}

#[test]
fn a_line_of_more_than_a_mebibyte_is_skipped_from_both_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut installation = super::support::Installation::new(folder.path());
    installation.append(1);
    let mut file = fs::OpenOptions::new().append(true).open(&installation.live).unwrap();
    writeln!(file, "{{\"type\":\"long\",\"text\":\"{}\"}}", "x".repeat(3 << 20)).unwrap();
    installation.append(2);
    let reading = installation.open().sample().unwrap();
    assert_eq!((reading.logs[0].skipped.too_long, reading.logs[0].total, reading.logs[0].unread), (1, 2, 0));
    let page = ask(&installation.options().logs(), &request(10));
    assert_eq!((page.events.len(), page.skipped), (2, 1));
}

#[test]
fn a_cursor_into_a_file_that_is_gone_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut installation = super::support::Installation::new(folder.path());
    for kind in 0..10 {
        installation.append(kind);
    }
    let logs = installation.options().logs();
    let next = ask(&logs, &request(3)).next.unwrap();
    fs::remove_file(&installation.live).unwrap();
    installation.append(1);
    let gone = page(&logs, None, &Request { cursor: Some(next), ..request(3) });
    assert_eq!(gone, Err(QueryError::CursorGone));
    for wrong in ["x", "a.b.zz", "a.b"] {
        let bad = page(&logs, None, &Request { cursor: Some(wrong.into()), ..request(3) });
        assert_eq!(bad, Err(QueryError::BadCursor(wrong.into())));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    /// Page after page gives every line once, in the order of the files from the end, however they were rotated, and
    /// also when they are rotated between two pages.
    #[test]
    fn pages_string_together(
        files in prop::collection::vec((0..40usize, any::<bool>()), 1..4),
        filler in 0..3000usize,
        limit in 1..20usize,
        rotate_after in prop::option::of(0..4usize),
        torn in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let live = folder.path().join("events.jsonl");
        let options = AuditOptions {
            files: vec![aura_audit::FileOptions { path: live.clone(), ..Default::default() }],
            ..AuditOptions::default()
        };
        let mut id = 0;
        let count = files.len();
        for (index, (lines, packed)) in files.iter().enumerate() {
            let mut text = String::new();
            for _ in 0..*lines {
                id += 1;
                text += &format!("{{\"ts\":{id},\"type\":\"k\",\"id\":{id},\"x\":\"{}\"}}\n", "y".repeat(filler * (id % 3)));
            }
            match count - 1 - index {
                0 => fs::write(&live, text + if torn { "{\"ts\":1,\"type\"" } else { "" }).unwrap(),
                number if *packed => {
                    let file = fs::File::create(folder.path().join(format!("events.{number}.jsonl.gz"))).unwrap();
                    let mut encoder = GzEncoder::new(file, Compression::fast());
                    encoder.write_all(text.as_bytes()).unwrap();
                    encoder.finish().unwrap();
                }
                number => fs::write(folder.path().join(format!("events.jsonl.{number}")), text).unwrap(),
            }
        }
        let logs = options.logs();
        let (mut found, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = ask(&logs, &Request { cursor: cursor.clone(), ..request(limit) });
            prop_assert!(page.complete);
            prop_assert!(page.events.len() <= limit);
            found.extend(page.events.iter().map(|event| event.details["id"].as_u64().unwrap() as usize));
            pages += 1;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
            if rotate_after == Some(pages) && live.exists() && count == 1 {
                fs::rename(&live, folder.path().join("events.1.jsonl")).unwrap();
            }
        }
        let expected: Vec<usize> = (1..=id).rev().collect();
        prop_assert_eq!(found, expected);
    }
}

/// An installation's files, the live one last, each of these lines.
fn write_files(folder: &Path, packed: &[bool], texts: &[String]) -> AuditOptions {
    let live = folder.join("events.jsonl");
    for (index, text) in texts.iter().enumerate() {
        match texts.len() - 1 - index {
            0 => fs::write(&live, text).unwrap(),
            number if packed[index] => {
                let file = fs::File::create(folder.join(format!("events.{number}.jsonl.gz"))).unwrap();
                let mut encoder = GzEncoder::new(file, Compression::fast());
                encoder.write_all(text.as_bytes()).unwrap();
                encoder.finish().unwrap();
            }
            number => fs::write(folder.join(format!("events.{number}.jsonl")), text).unwrap(),
        }
    }
    let file = aura_audit::FileOptions { path: live, ..Default::default() };
    AuditOptions { files: vec![file], ..AuditOptions::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Files that begin alike, or are alike from beginning to end, are told apart, also when they are rotated meanwhile.
    #[test]
    fn pages_over_files_that_begin_alike_end(
        lines in prop::collection::vec(0..12usize, 2..5),
        packed in prop::collection::vec(any::<bool>(), 5),
        unique in any::<bool>(),
        limit in 1..9usize,
        rotate_after in prop::option::of(1..4usize),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut id = 0;
        let texts: Vec<String> = lines.iter().map(|lines| {
            let mut text = "{\"type\": \"log_opened\", \"version\": 1}\n".to_owned();
            for _ in 0..*lines {
                id += usize::from(unique);
                text += &format!("{{\"type\": \"page\", \"id\": {id}}}\n");
            }
            text
        }).collect();
        let options = write_files(folder.path(), &packed, &texts);
        let expected = texts.iter().map(|text| text.lines().count()).sum::<usize>();
        let (mut found, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = ask(&options.logs(), &Request { cursor: cursor.clone(), ..request(limit) });
            prop_assert!(page.complete && page.problems.is_empty(), "{page:?}");
            found.extend(page.events.iter().map(|event| event.details.get("id").and_then(serde_json::Value::as_u64)));
            pages += 1;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
            prop_assert!(pages <= expected + 2, "it does not end");
            if rotate_after == Some(pages) {
                for number in (0..5).rev() {
                    for suffix in ["", ".gz"] {
                        let name = |number| match number {
                            0 => folder.path().join("events.jsonl"),
                            _ => folder.path().join(format!("events.{number}.jsonl{suffix}")),
                        };
                        let _ = fs::rename(name(number), name(number + 1));
                    }
                }
            }
        }
        prop_assert_eq!(found.len(), expected);
        if unique {
            let mut ids: Vec<u64> = found.into_iter().flatten().collect();
            prop_assert!(ids.is_sorted_by(|one, other| one > other), "{ids:?}");
            ids.dedup();
            prop_assert_eq!(ids.len(), id);
        }
    }
}

#[test]
fn a_search_ends_when_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = "{\"ts\": 1, \"type\": \"k\"}\n".repeat(20_000);
    let options = write_files(folder.path(), &[true, false], &[text.clone(), text]);
    let wanted = Request { text: Some("nowhere".into()), ..request(10) };
    let gone = AtomicBool::new(true);
    let page = aura_audit::page(&options.logs(), None, &wanted, &gone).unwrap();
    assert!(page.bytes_read < 200 << 10 && !page.complete, "{} bytes", page.bytes_read);
}

/// As much as nobody can read in time, and takes no place on the disk.
fn endless(path: &Path) {
    fs::OpenOptions::new().append(true).create(true).open(path).unwrap().set_len(1 << 40).unwrap();
}

#[test]
fn a_search_ends_when_who_asked_leaves_in_its_midst() {
    let folder = tempfile::tempdir().unwrap();
    let installation = super::support::Installation::new(folder.path());
    endless(&installation.live);
    let gone = AtomicBool::new(false);
    let logs = installation.options().logs();
    let read = std::thread::scope(|scope| {
        let search = scope.spawn(|| aura_audit::page(&logs, None, &request(10), &gone).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(50));
        gone.store(true, Ordering::Relaxed);
        search.join().unwrap()
    });
    assert!(!read.complete && read.next.is_some());
    let whole = aura_audit::page(&logs, None, &request(10), &AtomicBool::new(false)).unwrap();
    assert!(read.bytes_read < whole.bytes_read / 2, "{} of {}", read.bytes_read, whole.bytes_read);
}

#[test]
fn a_search_that_takes_too_long_gives_up_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut installation = super::support::Installation::new(folder.path());
    installation.append(1);
    endless(&installation.live);
    let logs = installation.options().logs();
    let first = ask(&logs, &request(10));
    assert!(first.events.is_empty() && !first.complete, "{first:?}");
    // The next goes on where this one gave up.
    let second = ask(&logs, &Request { cursor: first.next.clone(), ..request(10) });
    let place = |page: &Page| {
        let offset = page.next.as_ref().unwrap().rsplit('.').next().unwrap().to_owned();
        u64::from_str_radix(&offset, 16).unwrap()
    };
    assert!(place(&first) < 1 << 40 && place(&second) < place(&first));

    // A packed one can only be read from its start: it is left out, and what is before it is found.
    let line = "{\"ts\": 1700000000, \"type\": \"other\"}\n";
    let mut member = GzEncoder::new(Vec::new(), Compression::best());
    member.write_all(line.repeat((64 << 20) / line.len()).as_bytes()).unwrap();
    let member = member.finish().unwrap();
    fs::write(installation.archive(1).with_extension("jsonl.gz"), member.repeat(200)).unwrap();
    fs::write(installation.archive(2), "{\"ts\": 1, \"type\": \"wanted\"}\n").unwrap();
    fs::write(&installation.live, "").unwrap();
    let mut wanted = Request { kind: Some("wanted".into()), ..request(10) };
    let mut page = ask(&logs, &wanted);
    let mut problems = page.problems.clone();
    while page.events.is_empty() && page.next.is_some() {
        wanted.cursor = page.next;
        page = ask(&logs, &wanted);
        problems.extend(page.problems.clone());
    }
    assert_eq!((page.events.len(), page.complete), (1, true));
    assert!(problems[0].contains("events.1.jsonl.gz: it takes too long"), "{problems:?}");
}

#[test]
fn a_hole_and_a_record_without_end_cost_what_they_are_long() {
    let folder = tempfile::tempdir().unwrap();
    let mut installation = super::support::Installation::new(folder.path());
    installation.append(1);
    let mut file = fs::OpenOptions::new().append(true).open(&installation.live).unwrap();
    file.write_all(&vec![0; 20 << 20]).unwrap();
    file.write_all(b"\n").unwrap();
    installation.append(2);
    let page = ask(&installation.options().logs(), &request(10));
    assert_eq!((page.events.len(), page.skipped, page.complete), (2, 1, true));
    let size = fs::metadata(&installation.live).unwrap().len();
    assert!(page.bytes_read < size * 2, "{} of {size}", page.bytes_read);
}

#[test]
fn byte_order_marks_are_no_part_of_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let mark = "\u{feff}";
    let text = format!("{mark}{{\"ts\": 1, \"type\": \"a\", \"x\": \"ü\"}}\n{mark}{{\"ts\": 2, \"type\": \"b\"}}\n");
    let options = write_files(folder.path(), &[false], &[text]);
    let reading = Audit::open(&options, &Context::default()).unwrap().sample().unwrap();
    assert_eq!((reading.logs[0].total, reading.logs[0].skipped.total()), (2, 0));
    assert!(reading.problems.is_empty());
    let page = ask(&options.logs(), &Request { text: Some("Ü".into()), ..request(10) });
    assert_eq!((page.events.len(), page.events[0].details["x"].as_str()), (1, Some("ü")));

    let wide =
        |mark: &[u8]| [mark, &"{\"ts\": 1}\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()].concat();
    for mark in [&b"\xff\xfe"[..], b""] {
        fs::write(folder.path().join("events.jsonl"), wide(mark)).unwrap();
        let reading = Audit::open(&options, &Context::default()).unwrap().sample().unwrap();
        assert!(reading.problems[0].contains("UTF-16"), "{:?}", reading.problems);
        assert!(ask(&options.logs(), &request(10)).problems[0].contains("UTF-16"));
    }
}
