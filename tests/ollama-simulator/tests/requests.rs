//! Walks `requests.txt`: what Ollama answers to which request, and the claim on which that rests.

use std::collections::HashMap;

use aura_ollama_simulator::{LoadBehaviour, Model, Settings, Simulator};
use aura_tests::{Request, Response};

const TABLE: &str = include_str!("requests.txt");
const GIB: u64 = 1 << 30;

/// A claim, and the lines that show it.
struct Paragraph {
    claim: &'static str,
    lines: Vec<Line>,
}

/// A request, and what is answered.
struct Line {
    text: &'static str,
    /// What stands for each of its alternatives: none where it has none.
    alternatives: Vec<&'static str>,
}

fn paragraphs() -> Vec<Paragraph> {
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    for text in TABLE.lines().skip_while(|line| !line.starts_with('#')) {
        if let Some(claim) = text.strip_prefix("# ") {
            paragraphs.push(Paragraph { claim, lines: Vec::new() });
        } else if !text.is_empty() {
            let request = text.split_once(" -> ").expect("a request and an answer").0;
            let alternatives = request.split_once('<').and_then(|(_, rest)| Some(rest.rsplit_once('>')?.0));
            let alternatives = alternatives.map_or(vec![""], |all| all.split('|').collect());
            paragraphs.last_mut().expect("a claim first").lines.push(Line { text, alternatives });
        }
    }
    paragraphs
}

fn server() -> Simulator {
    let simulator = Simulator::start(Settings { parallel: 2, ..Settings::default() }).unwrap();
    let small = |name: &str, context_length: u64| Model { context_length, vram: 0, ..Model::new(name, 4_519_361) };
    let t1 = small("t1", 2048);
    let smol = small("smollm2:135m", 8192);
    let broken = "llama-server process has terminated: exit status 1: tensor \"token_embd.weight\" offset+size (182560) exceeds file size (165520)";
    for model in [
        t1.copied_as("t1-copy"),
        t1.copied_as("hf.co/local/T1-GGUF:Q4_K_M"),
        t1,
        small("t2:a", 4096),
        small("team/t3:v1", 2048),
        small("T4:Upper", 2048),
        small("registry.example.com:5000/team/t5:v1.0", 2048),
        smol.copied_as("hf.co/local/Smol-GGUF:Q4_1"),
        smol.with_system("smol-sys", "Be brief."),
        Model { num_ctx: Some(8192), ..smol.copied_as("smol-ctx") },
        smol,
        Model { vram: 0, ..Model::embedding("emb", GIB) },
        Model { vram: 0, ..Model::new("huge", 400 * GIB) },
        Model { load: LoadBehaviour::Fails(broken.into()), ..small("broken", 2048) },
        Model { capabilities: Vec::new(), ..small("gone", 2048) },
        Model { remote_host: Some("https://ollama.com:443".into()), ..Model::new("far:cloud", GIB) },
    ] {
        simulator.install(model);
    }
    simulator
}

#[test]
fn every_request_is_answered_as_ollama_answers_it() {
    let mut wrong = Vec::new();
    for Paragraph { claim, lines } in paragraphs() {
        let server = server();
        for line in &lines {
            for alternative in &line.alternatives {
                if let Err(found) = line.check(&server, alternative) {
                    wrong.push(format!("{claim}\n  {}\n  {alternative}: {found}", line.text));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn no_two_paragraphs_differ_in_values_alone() {
    let mut seen = HashMap::new();
    for Paragraph { claim, lines } in paragraphs() {
        let shape: Vec<String> = lines.iter().map(|line| without_values(line.text)).collect();
        assert_eq!(seen.insert(shape, claim), None, "{claim}");
    }
}

/// The line with every value of its request left out, and every number of its answer.
fn without_values(line: &str) -> String {
    let (request, answer) = line.split_once(" -> ").unwrap_or_default();
    let (before, body) = request.split_once(" {").unwrap_or((request, ""));
    let keys = body.split('"').zip(body.split('"').skip(1)).filter(|(_, after)| after.starts_with(':'));
    let keys: Vec<&str> = keys.map(|(key, _)| key).collect();
    let answer: String = answer.chars().filter(|letter| !letter.is_ascii_digit()).collect();
    format!("{before} {keys:?} {answer}")
}

impl Line {
    fn check(&self, server: &Simulator, alternative: &str) -> Result<(), String> {
        let (request, expected) = self.text.split_once(" -> ").ok_or("no answer")?;
        let request = match (request.split_once('<'), request.rsplit_once('>')) {
            (Some((before, _)), Some((_, after))) => format!("{before}{alternative}{after}"),
            _ => request.to_owned(),
        };
        let (method, rest) = request.split_once(' ').ok_or("no path")?;
        let (path, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        // A body in brackets is no header.
        let (header, body) = match rest.strip_prefix('[').filter(|rest| !rest.starts_with(']')) {
            Some(rest) => (Some(rest.rsplit_once(']').ok_or("no end of a header")?.0), ""),
            None => (None, rest),
        };
        let mut request = Request::new(method, path).body(body);
        match header.and_then(|header| header.split_once(": ")) {
            Some(("host", value)) => request = request.host(value),
            Some((name, value)) => request = request.header(name, value),
            None => {}
        }
        let response = request.send(server.address());
        differs(&expected.replace('$', alternative), &response).map_or(Ok(()), Err)
    }
}

/// What is not as expected. Where no body is expected, any other than that of a success will do.
fn differs(expected: &str, response: &Response) -> Option<String> {
    let (status, mut rest) = expected.split_once(' ').unwrap_or((expected, ""));
    if status != response.status.to_string() {
        return Some(format!("status {}: {}", response.status, response.text()));
    }
    while let Some((header, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        rest = after.trim_start();
        let fits = match (header.strip_prefix('!'), header.split_once(": ")) {
            (Some(absent), _) => response.header(absent).is_none(),
            (None, Some((name, value))) => response.header(name).is_some_and(|found| fits(value, found)),
            _ => false,
        };
        if !fits {
            return Some(format!("not [{header}] in {:?}", response.headers));
        }
    }
    let body = response.text().replace('\n', "\\n");
    let matters = status == "200" || !rest.is_empty();
    (matters && !fits(rest, &body)).then_some(body)
}

/// Whether a text is as this pattern says, in which `*` is anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let mut starts = rest.char_indices().map(|(start, _)| start).chain([rest.len()]);
            after.is_empty() || starts.any(|start| fits(after, &rest[start..]))
        }),
    }
}
