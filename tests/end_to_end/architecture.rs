//! Folders and crates know only what stands below them in the table of `docs/architecture.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the agent's modules are; a row of the table may name folders in it.
const AGENT: &str = "agent/src";
const CRATES: &str = "exporters";

/// A folder of the table, and its row. Folders of one row do not know each other.
type Place = (String, usize);

#[test]
fn nothing_knows_what_stands_above_or_beside_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let table = table(&fs::read_to_string(root.join("docs/architecture.md")).unwrap());
    let mut wrong = Vec::new();
    for folder in folders(&root.join(AGENT)).into_iter().chain(folders(&root.join(CRATES))) {
        let folder = folder.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if place(&table, &folder).is_none() {
            wrong.push(format!("{folder} is in no row of the table in docs/architecture.md"));
        }
    }
    let mut files = Vec::new();
    sources(&root.join(AGENT), &mut files);
    for file in files {
        let name = file.strip_prefix(root).unwrap().to_str().unwrap();
        wrong.extend(edges(&table, name, &fs::read_to_string(&file).unwrap()));
    }
    for folder in folders(&root.join(CRATES)) {
        let name = folder.strip_prefix(root).unwrap().to_str().unwrap();
        wrong.extend(dependencies(&table, name, &fs::read_to_string(folder.join("Cargo.toml")).unwrap()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The folders of all rows, from the top to the bottom: what stands between backticks in the first column, whose braces
/// stand for several.
fn table(document: &str) -> Vec<Place> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let rows = rows.filter(|cell| cell.starts_with(AGENT) || cell.starts_with(CRATES)).enumerate();
    let mut places = Vec::new();
    for (row, cell) in rows {
        let path = cell.trim_end_matches('`');
        match path.split_once('{') {
            None => places.push((path.to_owned(), row)),
            Some((start, names)) => {
                let names = names.trim_end_matches('}').split(',');
                places.extend(names.map(|name| (format!("{start}{}", name.trim()), row)));
            }
        }
    }
    places
}

/// The deepest folder of the table in which this is; `*` stands for one without a row of its own.
fn place(table: &[Place], path: &str) -> Option<Place> {
    let within = |(pattern, row): &Place| {
        let folder = match pattern.strip_suffix('*') {
            Some(start) => format!("{start}{}", path.strip_prefix(start)?.split('/').next()?),
            None => pattern.clone(),
        };
        let rest = path.strip_prefix(&folder)?;
        (rest.is_empty() || rest.starts_with('/')).then_some((folder.len(), !pattern.ends_with('*'), folder, *row))
    };
    table.iter().filter_map(within).max().map(|(_, _, folder, row)| (folder, row))
}

/// What a file of the agent names that it must not know.
fn edges(table: &[Place], file: &str, text: &str) -> Vec<String> {
    let Some(from) = place(table, file.trim_end_matches(".rs").trim_end_matches("/mod")) else { return Vec::new() };
    let parent = module(file);
    let mut wrong = Vec::new();
    for path in paths(text, "crate::") {
        wrong.extend(edge(table, &from, file, &path));
    }
    // Within a module that is written in the file itself, `super` is the file.
    for (start, _) in text.match_indices("use super::").filter(|(start, _)| text[..*start].ends_with('\n')) {
        let statement = text[start..].split(';').next().unwrap_or_default();
        for path in paths(statement, "super::") {
            wrong.extend(edge(table, &from, file, &[&parent[..], &path].concat()));
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// The module above this file's.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_start_matches(AGENT).trim_start_matches('/').trim_end_matches(".rs");
    let mut module: Vec<String> = path.trim_end_matches("/mod").split('/').map(str::to_owned).collect();
    module.pop();
    module
}

fn edge(table: &[Place], from: &Place, file: &str, path: &[String]) -> Option<String> {
    let to = place(table, &format!("{AGENT}/{}", path.join("/")))?;
    (to.0 != from.0 && to.1 <= from.1).then(|| {
        format!("{file}: {} must not know {}, which does not stand below it in docs/architecture.md", from.0, to.0)
    })
}

/// Every path behind this prefix, with what braces say one by one. Comments name what they like.
fn paths(text: &str, prefix: &str) -> Vec<Vec<String>> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for (start, _) in code.match_indices(prefix) {
        tree(&mut code[start + prefix.len()..].trim_start(), &mut Vec::new(), &mut found);
    }
    found
}

/// Reads one branch of a tree of uses: names with `::` between them, and at the end perhaps branches in braces.
fn tree(rest: &mut &str, stem: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let depth = stem.len();
    loop {
        if let Some(inside) = rest.strip_prefix('{') {
            *rest = inside.trim_start();
            while !rest.is_empty() && !rest.starts_with('}') {
                tree(rest, stem, found);
                // A name that it is given, and what stands between two branches.
                let end = rest.find([',', '}']).unwrap_or(rest.len());
                *rest = rest[end..].trim_start_matches(',').trim_start();
            }
            *rest = rest.strip_prefix('}').unwrap_or(rest);
            break;
        }
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        stem.push(rest[..end].to_owned());
        *rest = &rest[end..];
        let Some(next) = rest.strip_prefix("::") else {
            found.push(stem.clone());
            break;
        };
        *rest = next;
    }
    stem.truncate(depth);
}

/// The project's own crates that a crate must not know.
fn dependencies(table: &[Place], folder: &str, manifest: &str) -> Vec<String> {
    let Some(from) = place(table, folder) else { return Vec::new() };
    let mut section = "";
    let mut wrong = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let is_tests = section.contains("dev-dependencies");
        let Some(name) = line.strip_prefix("aura-").and_then(|rest| rest.split(['.', ' ']).next()) else { continue };
        let below = place(table, &format!("{CRATES}/{name}")).is_some_and(|to| to.1 > from.1);
        if !is_tests && !below {
            wrong.push(format!(
                "{folder} must not know aura-{name}, which does not stand below it in docs/architecture.md"
            ));
        }
    }
    wrong
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn an_edge_against_the_order_is_found_however_it_is_written() {
    let table = table(
        "| Folder | What |\n| --- | --- |\n| `agent/src/http` | |\n| `agent/src/views` | |\n\
         | `agent/src/views/*` | |\n| `agent/src/views/time` | |\n| `exporters/*` | |\n\
         | `exporters/model` | |\n",
    );
    for (file, text, wrong) in [
        ("agent/src/http/mod.rs", "use crate::views::{Views, host::{self, Moment}};", 0),
        ("agent/src/views/mod.rs", "use self::host::View;\nuse crate::views::{host, ollama};", 0),
        ("agent/src/views/host/mod.rs", "use super::time::rfc3339;\nuse crate::{VERSION, views::time};", 0),
        ("agent/src/views/host/stats.rs", "// See crate::http.\n/// [`x`](crate::http::x)\nuse super::message;", 0),
        ("agent/src/views/host/derive/cpu.rs", "mod tests {\n    use super::*;\n}", 0),
        ("agent/src/views/host/mod.rs", "use crate::http::App;", 1),
        ("agent/src/views/host/mod.rs", "use crate::{\n    hub::{A, B as C},\n    http::App,\n};", 1),
        ("agent/src/views/host/mod.rs", "fn f() -> crate::http::App {}", 1),
        ("agent/src/views/host/mod.rs", "use crate::views::{ollama, time::rfc3339, Views};", 2),
        ("agent/src/views/host/mod.rs", "//! Host.\n\nuse super::{ollama::X, time};", 1),
        ("agent/src/views/time.rs", "//! Time.\nuse super::host;", 1),
        ("agent/src/views/time.rs", "use crate::views::{host as a, ollama as b};", 2),
    ] {
        assert_eq!(edges(&table, file, text).len(), wrong, "{file}: {text}: {:?}", edges(&table, file, text));
    }
    let manifest = "[dependencies]\naura-model.workspace = true\n[dev-dependencies]\naura-tests.workspace = true\n";
    assert!(dependencies(&table, "exporters/gpu", manifest).is_empty());
    assert_eq!(dependencies(&table, "exporters/model", manifest).len(), 1);
    assert_eq!(dependencies(&table, "exporters/gpu", "[dependencies]\naura-host.workspace = true\n").len(), 1);
    assert_eq!(dependencies(&table, "exporters/gpu", "[dependencies]\naura-agent = { path = \"x\" }\n").len(), 1);
}
