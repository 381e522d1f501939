//! The documentation points at what is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[test]
fn every_link_to_a_file_of_the_repository_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut documents: Vec<PathBuf> =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(|name| root.join(name)).into();
    documents.retain(|path| path.exists());
    walk(&root.join("docs"), &["md"], &mut documents);
    assert!(!documents.is_empty());
    let mut broken = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text) {
            let path = link.split('#').next().unwrap_or_default();
            let elsewhere = path.contains("://") || path.starts_with("mailto:");
            if !path.is_empty() && !elsewhere && !document.parent().unwrap().join(path).exists() {
                broken.push(format!("{} points at {link}", document.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

/// The table of properties: every test that it names is there and names the property.
#[test]
fn every_property_has_the_tests_that_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut sources = Vec::new();
    for folder in ["agent", "exporters", "tests", "dashboards/web/src"] {
        walk(&root.join(folder), &["rs", "ts", "tsx", "mjs"], &mut sources);
    }
    let sources: Vec<String> = sources.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let table = fs::read_to_string(root.join("docs/properties.md")).unwrap();
    let mut numbers = 0;
    for row in table.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let (Ok(number), [_, sentence, tests, state]) = (cells[0].parse::<u32>(), &cells[..]) else { continue };
        numbers += 1;
        assert_eq!(number, numbers);
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty() || state.starts_with("open"), "property {number} has no test, and is not open");
        for name in names {
            let known = [format!("fn {name}("), format!("mod {name} {{"), format!("(\"{name}\"")];
            let says = format!("Property {number}: {sentence}\n");
            // It stands right before the test, or the text that explains the test does.
            let named = sources.iter().any(|text| {
                let mut places = known.iter().filter_map(|known| text.find(known.as_str()));
                places.any(|place| text[..place].rfind(&says).is_some_and(|at| !text[at..place].contains("}\n\n")))
            });
            assert!(named, "no test `{name}` says that it holds property {number}");
        }
    }
    assert_eq!(numbers, 10);
}

fn walk(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, endings, found);
        } else if path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| endings.contains(&ending)) {
            found.push(path);
        }
    }
}

/// The targets of `[text](target)` and of `[name]: target`, outside code.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // What stands between backticks is every second piece.
        for prose in line.split('`').step_by(2) {
            links.extend(prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()));
        }
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            links.push(target.trim());
        }
    }
    links
}

#[test]
fn links_are_found_in_prose_and_not_in_code() {
    let text =
        "See [a](a.md) and [b](b.md#x \"title\"); not `[c](c.md)`.\n```\n[d](d.md)\n```\n[e]: e.md\n[`f`](f.md)\n";
    assert_eq!(links(text), ["a.md", "b.md#x", "e.md", "f.md"]);
}
