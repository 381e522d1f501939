//! Recorded trees of /proc and /sys in which one line of one file was spoiled: whatever stands there, nothing panics,
//! and no more than the collectors of that file and the record of that line change.

#![cfg(all(target_os = "linux", not(feature = "portable")))]

use std::{
    fs,
    path::{Path, PathBuf},
};

use aura_host::{Host, HostOptions};
use aura_model::{Context, Paths, Source};
use proptest::{
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, TestRunner},
};
use serde_json::Value;

/// `/proc/stat` is what most collectors read.
const MOST_SECTIONS: usize = 4;

/// What does not belong into a line.
const ODD: [&[u8]; 9] = [
    b"\xff\xfe",
    b"-1",
    b"18446744073709551616",
    b"999999999999999999999999",
    b"NaN",
    b"",
    b"\0",
    b"(((",
    b"\xc3 \t :",
];

/// What is done to which line of which file.
#[derive(Clone, Debug)]
struct Mutation {
    file: Index,
    line: Index,
    at: Index,
    odd: &'static [u8],
    /// It stands in the line, for its end, or for all of it.
    how: u8,
}

fn mutation() -> impl Strategy<Value = Mutation> {
    (any::<[Index; 3]>(), select(&ODD[..]), 0..3_u8).prop_map(|([file, line, at], odd, how)| Mutation {
        file,
        line,
        at,
        odd,
        how,
    })
}

/// Links as links: /sys is made of them.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&path).unwrap(), target).unwrap();
        } else if kind.is_dir() {
            copy(&path, &target);
        } else {
            fs::write(target, fs::read(&path).unwrap_or_default()).unwrap();
        }
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files(&entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
}

fn sample(root: &Path) -> Value {
    let paths = Paths {
        procfs: root.join("proc"),
        sysfs: root.join("sys"),
        rootfs: root.join("root"),
        udev: root.join("udev"),
    };
    let mut host = Host::open(&HostOptions::default(), &Context::new(paths)).unwrap();
    serde_json::to_value(host.sample().unwrap()).unwrap()
}

fn spoil(content: &[u8], mutation: &Mutation) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = content.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let count = lines.len();
    let line = &mut lines[mutation.line.index(count.saturating_sub(1).max(1))];
    let at = mutation.at.index(line.len() + 1);
    match mutation.how {
        0 => drop(line.splice(at..at, mutation.odd.iter().copied())),
        1 => drop(line.splice(at.., mutation.odd.iter().copied())),
        _ => *line = mutation.odd.to_vec(),
    }
    lines.join(&b'\n')
}

/// How many records the lists of a value have.
fn records(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len() + items.iter().map(records).sum::<usize>(),
        Value::Object(fields) => fields.values().map(records).sum(),
        _ => 0,
    }
}

#[test]
fn one_spoiled_line_costs_its_own_record() {
    for tree in ["workstation-6.1", "vm-6.18", "server-4.19"] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(tree), root);
        let mut found = Vec::new();
        for part in ["proc", "sys"] {
            files(&root.join(part), &mut found);
        }
        let (mut before, again) = (sample(root), sample(root));
        // Some look at the clock or at this machine.
        before.as_object_mut().unwrap().retain(|key, value| again[key] == *value);
        assert!(before.as_object().unwrap().len() > 10, "{tree} is the same each time");
        let mut runner = TestRunner::new(Config::with_cases(50));
        let outcome = runner.run(&mutation(), |mutation| {
            let file = mutation.file.get(&found);
            let content = fs::read(file).unwrap();
            let spoiled = spoil(&content, &mutation);
            fs::write(file, &spoiled).unwrap();
            let after = sample(root);
            fs::write(file, &content).unwrap();
            let what = || format!("{}: {:?}", file.display(), String::from_utf8_lossy(&spoiled));
            let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
            let changed: Vec<&String> = before.keys().filter(|key| before[*key] != after[*key]).collect();
            prop_assert!(changed.len() <= MOST_SECTIONS, "{changed:?} changed with {}", what());
            for key in changed {
                let (had, has) = (records(&before[key]), records(&after[key]));
                // A file of one line may be all that a collector has, and a header names all columns below it.
                let is_whole = after[key].get("missing").is_some();
                prop_assert!(is_whole || has + 12 >= had, "{key} has {has} of {had} records after {}", what());
            }
            Ok(())
        });
        outcome.unwrap_or_else(|problem| panic!("{tree}: {problem}"));
    }
}
