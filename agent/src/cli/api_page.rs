//! `docs/api.md` and `docs/api.fields.md`, from the OpenAPI document.

use std::fmt::Write;

use serde_json::{Map, Value};

/// The page of all routes and feeds.
pub(super) fn routes(document: &Value) -> String {
    let (mut overview, mut text) = (String::new(), String::new());
    for tag in list(&document["tags"]) {
        let _ = write!(text, "\n### {}\n\n{}\n", word(&tag["name"]), word(&tag["description"]));
        for (path, methods) in members(&document["paths"]) {
            for (method, operation) in members(methods).filter(|(_, operation)| operation["tags"][0] == tag["name"]) {
                let title = format!("{} {path}", method.to_uppercase());
                let _ = writeln!(overview, "| [`{title}`](#{}) | {} |", anchor(&title), word(&operation["summary"]));
                text.push_str(&route(path, &title, operation));
            }
        }
    }
    let mut common = String::new();
    for (_, response) in members(&document["components"]["responses"]) {
        let _ = write!(common, "\n{}", word(&response["description"]));
    }
    include_str!("api.md")
        .replace("{overview}", overview.trim())
        .replace("{routes}", text.trim())
        .replace("{common}", common.trim())
}

fn route(path: &str, title: &str, operation: &Value) -> String {
    let mut text = format!("\n#### `{title}`\n\n{}", word(&operation["summary"]));
    if let Some(description) = operation["description"].as_str() {
        let _ = write!(text, " {description}");
    }
    let _ = writeln!(text, " {}", access(&operation["security"]));
    if !operation["parameters"].is_null() {
        text.push_str("\n| Parameter | Type | Meaning |\n| --- | --- | --- |\n");
    }
    for parameter in list(&operation["parameters"]) {
        let name = word(&parameter["name"]);
        let (name, kind) = if parameter["in"] == "path" {
            (format!("{{{name}}}"), "text, in the path".to_owned())
        } else {
            (name.to_owned(), kind(&parameter["schema"]))
        };
        let _ = writeln!(text, "| `{name}` | {kind} | {} |", cell(&parameter["description"]));
    }
    text.push_str("\n| Status | Body | Meaning |\n| --- | --- | --- |\n");
    for (status, response) in members(&operation["responses"]).filter(|(_, response)| response["$ref"].is_null()) {
        let message = &operation["x-message"];
        let body = match members(&response["content"]).next() {
            _ if status == "101" => format!("messages: {}", kind(message)),
            Some((content_type, body)) if content_type == "application/json" => kind(&body["schema"]),
            Some((content_type, _)) => format!("`{content_type}`"),
            None => String::new(),
        };
        let _ = writeln!(text, "| {status} | {body} | {} |", cell(&response["description"]));
    }
    for reply in list(&operation["x-replies"]) {
        let _ = writeln!(text, "\nA client that sends `{}` gets {}.", word(&reply["send"]), kind(&reply["reply"]));
    }
    let _ = writeln!(text, "\n```sh\n{}\n```", example(path, title, operation));
    text
}

fn access(security: &Value) -> &'static str {
    match list(security) {
        [] => "Open to everybody.",
        [first, ..] if members(first).next().is_none() => "Open to whoever may read.",
        _ => "Open to whoever may change something.",
    }
}

/// The example as a command.
fn example(path: &str, title: &str, operation: &Value) -> String {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    for parameter in list(&operation["parameters"]) {
        let name = word(&parameter["name"]);
        let example = match &parameter["example"] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if parameter["in"] == "path" {
            path = path.replace(&format!("{{{name}}}"), &example);
        } else {
            query.push(format!("{name}={example}"));
        }
    }
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    if !operation["responses"]["101"].is_null() {
        return format!("websocat 'ws://127.0.0.1:9205{path}{query}'");
    }
    // curl takes brackets for a pattern.
    let globoff = if query.contains('[') { "--globoff " } else { "" };
    let post = if title.starts_with("POST") { "--request POST " } else { "" };
    let needs_token = access(&operation["security"]).contains("change");
    let token = if needs_token { "--header \"Authorization: Bearer $TOKEN\" " } else { "" };
    format!("curl {globoff}{post}{token}'http://127.0.0.1:9205{path}{query}'")
}

/// The page of all fields.
pub(super) fn fields(document: &Value) -> String {
    let mut text = "# Fields of answers and messages\n\n\
        What [the API](api.md) sends, type by type. Made from the source code, as is the OpenAPI document\n\
        [api.openapi.json](api.openapi.json), whose schemas say the same to programs. A field that may be left out is marked so; \
        one that\nmay be `null` always comes.\n"
        .to_owned();
    for (name, schema) in members(&document["components"]["schemas"]) {
        let _ = write!(text, "\n## {name}\n\n{}\n", word(&schema["description"]));
        if !schema["properties"].is_object() {
            let _ = writeln!(text, "\n{}", kind(schema));
            continue;
        }
        text.push_str("\n| Field | Type | Meaning |\n| --- | --- | --- |\n");
        let required = list(&schema["required"]);
        for (field, part) in members(&schema["properties"]) {
            let absent = if required.iter().any(|name| name == field) { "" } else { ", may be left out" };
            let _ = writeln!(text, "| `{field}` | {}{absent} | {} |", kind(part), cell(&part["description"]));
        }
    }
    text
}

/// What stands at a place, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](api.fields.md#{})", anchor(name));
    }
    let choices = [&schema["anyOf"], &schema["oneOf"], &schema["enum"]].map(list);
    if let Some(choices) = choices.into_iter().find(|choices| !choices.is_empty()) {
        let words = choices.iter().map(|choice| match choice["const"].as_str().or(choice.as_str()) {
            Some(word) => format!("`{word}`"),
            None => kind(choice),
        });
        let (known, null): (Vec<_>, Vec<_>) = words.partition(|word| word != "null");
        return known.join(", ") + if null.is_empty() { "" } else { " or null" };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().map(word).collect(),
        one => vec![word(one)],
    };
    let names = types.iter().map(|name| match *name {
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("map to {}", kind(&schema["additionalProperties"]))
        }
        "" => "anything".to_owned(),
        other => other.to_owned(),
    });
    names.collect::<Vec<_>>().join(" or ")
}

/// As GitHub makes the target of a heading.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn cell(text: &Value) -> String {
    word(text).replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
