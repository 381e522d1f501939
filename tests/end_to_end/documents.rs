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
    markdown(&root.join("docs"), &mut documents);
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

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            markdown(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
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
