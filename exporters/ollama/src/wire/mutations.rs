//! ProbeResult of a real server in which one entry was spoiled at random: whatever became of it, its neighbours are read
//! as if nothing had happened.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const MODELS: usize = 5;

/// What stands where it does not belong. Some of it no value of `serde_json` can hold: it is written in afterwards.
const ODD: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "108.0",
    "0.5",
    "1e400",
    "-1e400",
    "18446744073709551616",
    "9223372036854775808",
    "123456789012345678901234567890",
    "\"\"",
    "\"7\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"two\\nlines\"",
    "[]",
    "[1]",
    "[null]",
    "[\"a\",5]",
    "{}",
    "{\"a\":1,\"a\":2}",
    "{\"\\ud800\":1}",
    "[[[[[[[[[[]]]]]]]]]]",
];

fn answer() -> Value {
    let model = |index: usize| {
        let digest = format!("{index:064x}");
        json!({
            "name": format!("llama3.{index}:8b"), "model": format!("llama3.{index}:8b"), "size": 5_000_000_000_u64 + index as u64,
            "size_vram": 4_000_000_000_u64, "digest": digest, "modified_at": "2026-11-20T10:00:00.123456789+01:00",
            "details": {
                "parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"], "parameter_size": "8.0B",
                "quantization_level": "Q4_K_M", "context_length": 131_072, "embedding_length": 4096,
            },
            "capabilities": ["completion", "tools"], "expires_at": "2026-11-27T08:04:59.5+01:00", "context_length": 4096,
        })
    };
    json!({ "models": (0..MODELS).map(model).collect::<Vec<_>>() })
}

/// What is done to one entry: to a field, a field of its details, or all of it.
#[derive(Clone, Debug)]
enum Spoil {
    Set(usize, &'static str),
    Remove(usize),
    Detail(usize, &'static str),
    Whole(&'static str),
    NameOf(usize),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let odd = || prop::sample::select(ODD);
    prop_oneof![
        8 => (0..20usize, odd()).prop_map(|(at, odd)| Spoil::Set(at, odd)),
        2 => (0..20usize).prop_map(Spoil::Remove),
        4 => (0..20usize, odd()).prop_map(|(at, odd)| Spoil::Detail(at, odd)),
        1 => odd().prop_map(Spoil::Whole),
        1 => (0..MODELS).prop_map(Spoil::NameOf),
    ]
}

/// The answer's text with one entry spoiled.
fn spoiled(index: usize, spoils: &[Spoil]) -> String {
    let mut answer = answer();
    let mut written: Vec<&str> = Vec::new();
    let mut place = |odd| {
        written.push(odd);
        Value::from(format!("<{}>", written.len() - 1))
    };
    let nth = |object: &Value, at: usize| {
        let keys: Vec<&String> = object.as_object()?.keys().collect();
        keys.get(at % keys.len().max(1)).map(|key| (*key).clone())
    };
    for spoil in spoils {
        let neighbour = match spoil {
            Spoil::NameOf(other) => answer["models"][*other]["name"].clone(),
            _ => Value::Null,
        };
        let entry = &mut answer["models"][index];
        match spoil {
            Spoil::Whole(odd) => *entry = place(odd),
            Spoil::Set(at, odd) => {
                if let Some(key) = nth(entry, *at) {
                    entry[key] = place(odd);
                }
            }
            Spoil::Remove(at) => {
                if let Some(key) = nth(entry, *at) {
                    drop(entry.as_object_mut().unwrap().remove(&key));
                }
            }
            Spoil::Detail(at, odd) => {
                if let Some(key) = entry.get("details").and_then(|details| nth(details, *at)) {
                    entry["details"][key] = place(odd);
                }
            }
            Spoil::NameOf(_) => {
                if entry.is_object() {
                    entry["name"] = neighbour;
                }
            }
        }
    }
    let mut text = answer.to_string();
    for (at, odd) in written.iter().enumerate() {
        text = text.replace(&format!("\"<{at}>\""), odd);
    }
    text
}

/// All that is said of a model, to compare.
fn installed(model: &Installed) -> String {
    let details = &model.details;
    format!(
        "{} {:?} {:?} {} {:?} {:?} {:?} {:?} {}",
        model.name,
        model.modified_at,
        model.size,
        model.digest,
        details.family,
        details.quantization_level,
        details.context_length,
        model.capabilities,
        model.remote
    )
}

fn running(model: &Running) -> String {
    format!(
        "{} {:?} {:?} {} {:?} {:?} {:?}",
        model.name,
        model.size,
        model.size_vram,
        model.digest,
        model.details.parameter_size,
        model.expires_at,
        model.context_length
    )
}

fn check<M>(
    read: fn(&[u8]) -> Result<Models<M>, String>,
    show: fn(&M) -> String,
    index: usize,
    text: &str,
) -> Result<(), TestCaseError> {
    let whole: Vec<String> = read(answer().to_string().as_bytes()).unwrap().0.iter().map(show).collect();
    let (models, odd) = read(text.as_bytes()).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
    let mut shown: Vec<String> = models.iter().map(show).collect();
    if models.len() == MODELS {
        shown.remove(index);
    } else {
        prop_assert!(!odd.is_empty(), "an entry is gone and nothing is said: {}", text);
    }
    let neighbours: Vec<&String> =
        whole.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, model)| model).collect();
    prop_assert_eq!(shown.iter().collect::<Vec<_>>(), neighbours, "{}", text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn a_spoiled_entry_costs_no_neighbour(index in 0..MODELS, spoils in prop::collection::vec(spoil(), 1..5)) {
        let text = spoiled(index, &spoils);
        check(Installed::list, installed, index, &text)?;
        check(Running::list, running, index, &text)?;
    }

    /// Bytes that are no text, anywhere: at worst there is no answer, and never a panic.
    #[test]
    fn any_bytes_are_survived(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut bytes = answer().to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            let _ = (Installed::list(bytes), Running::list(bytes), Show::read(bytes), version(bytes), error(bytes));
        }
    }

    /// A description is missing where it is odd, and nowhere else.
    #[test]
    fn a_spoiled_description_keeps_the_rest(spoiled in 0..4usize, odd in prop::sample::select(ODD)) {
        let weights = "a".repeat(64);
        let mut show = json!({
            "model_info": {"general.architecture": "llama", "general.parameter_count": 8_030_261_312_u64, "llama.context_length": 131_072},
            "capabilities": ["completion"], "modelfile": format!("FROM /m/blobs/sha256-{weights}\n"), "license": "x",
        });
        let key = ["model_info", "capabilities", "modelfile", "license"][spoiled];
        show[key] = "<0>".into();
        let read = Show::read(show.to_string().replace("\"<0>\"", odd).as_bytes());
        prop_assert!(spoiled == 0 || (read.context_length == Some(131_072) && read.parameter_count == Some(8_030_261_312)));
        prop_assert!(spoiled == 1 || read.capabilities == Some(vec!["completion".to_owned()]));
        prop_assert!(spoiled == 2 || read.weights() == Some(weights));
    }
}
