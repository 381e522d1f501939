//! Ollama's answers. Fields come and go between its versions and zeros are left out, so only a model's name is needed.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::{
    Expiry,
    fields::{Fields, entries},
};

/// An expiry this many years ahead is what "keep for ever" looks like: Ollama adds the longest duration it knows,
/// about 292 years, to the time of the last use.
const NEVER_YEARS: i64 = 50;
const YEAR_SECONDS: i64 = 365 * 86_400;

/// `/api/tags` or `/api/ps`: what each entry says, and what is odd about some.
pub(crate) type Models<M> = (Vec<M>, Vec<String>);

/// One of `/api/tags`.
pub(crate) struct Installed {
    pub(crate) name: String,
    pub(crate) modified_at: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) digest: String,
    pub(crate) details: Details,
    pub(crate) capabilities: Option<Vec<String>>,
    pub(crate) remote: bool,
}

impl Installed {
    /// `/api/tags`.
    pub(crate) fn list(body: &[u8]) -> Result<Models<Self>, String> {
        let (models, mut odd) = entries(body, |fields| {
            let name = name(fields)?;
            Some(Self {
                modified_at: fields.text("modified_at"),
                size: fields.count("size"),
                digest: fields.text("digest").unwrap_or_default(),
                details: Details::read(fields),
                capabilities: fields.texts("capabilities"),
                remote: fields.has("remote_model") || fields.has("remote_host"),
                name,
            })
        })?;
        let mut names = HashSet::new();
        odd.extend(
            models
                .iter()
                .filter(|model: &&Self| !names.insert(model.name.as_str()))
                .map(|model| format!("{:?} is there twice", model.name.chars().take(60).collect::<String>())),
        );
        Ok((models, odd))
    }
}

/// One of `/api/ps`.
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) size: Option<u64>,
    pub(crate) size_vram: Option<u64>,
    pub(crate) digest: String,
    pub(crate) details: Details,
    pub(crate) expires_at: Option<String>,
    pub(crate) context_length: Option<u64>,
}

impl Running {
    /// `/api/ps`.
    pub(crate) fn list(body: &[u8]) -> Result<Models<Self>, String> {
        entries(body, |fields| {
            let name = name(fields)?;
            let size = fields.count("size");
            // Some versions leave it out when it is 0: all of the model is in the machine's own memory.
            let nothing = size.filter(|_| fields.is_left_out("size_vram")).map(|_| 0);
            Some(Self {
                size,
                size_vram: nothing.or_else(|| fields.count("size_vram")),
                digest: fields.text("digest").unwrap_or_default(),
                details: Details::read(fields),
                expires_at: fields.text("expires_at"),
                context_length: fields.count("context_length"),
                name,
            })
        })
    }
}

/// Both keys hold the same; look-alikes have one of them.
fn name(fields: &mut Fields<'_>) -> Option<String> {
    ["name", "model"].into_iter().find_map(|key| fields.text(key).filter(|name| !name.trim().is_empty()))
}

/// What both say of a model.
#[derive(Default)]
pub(crate) struct Details {
    pub(crate) family: Option<String>,
    pub(crate) format: Option<String>,
    pub(crate) parameter_size: Option<String>,
    pub(crate) quantization_level: Option<String>,
    pub(crate) context_length: Option<u64>,
}

impl Details {
    fn read(model: &mut Fields<'_>) -> Self {
        let mut fields = model.object("details");
        let details = Self {
            family: fields.text("family"),
            format: fields.text("format"),
            parameter_size: fields.text("parameter_size"),
            quantization_level: fields.text("quantization_level"),
            context_length: fields.count("context_length"),
        };
        model.odd.extend(fields.odd.into_iter().map(|what| format!("details.{what}")));
        details
    }
}

/// `/api/version`.
pub(crate) fn version(body: &[u8]) -> Option<String> {
    Fields::of(&String::from_utf8_lossy(body))?.text("version").filter(|version| !version.is_empty())
}

/// `/api/show`.
#[derive(Default)]
pub(crate) struct Show {
    pub(crate) context_length: Option<u64>,
    pub(crate) parameter_count: Option<u64>,
    pub(crate) capabilities: Option<Vec<String>>,
    pub(crate) shape: Shape,
    pub(crate) modelfile: String,
    parameters: String,
}

/// How large the parts of a model are, in numbers; none where it does not say, or does not say it in one number.
#[derive(Default)]
pub(crate) struct Shape {
    layers: Option<u64>,
    /// Heads of each layer that have a cache.
    heads: Option<u64>,
    /// Numbers that a head keeps of each token.
    key: Option<u64>,
    value: Option<u64>,
    /// Some of its layers keep less, or something else: a window, a state, a compressed cache.
    special: bool,
    pub(crate) embedding: Option<u64>,
    pub(crate) feed_forward: Option<u64>,
    pub(crate) vocabulary: Option<u64>,
}

/// Keys of models whose cache does not grow with the context in all layers alike.
const SPECIAL: [&str; 8] = [
    "attention.sliding_window",
    "attention.shared_kv_layers",
    "attention.kv_lora_rank",
    "full_attention_interval",
    "ssm.state_size",
    "ssm.conv_kernel",
    "wkv.head_size",
    "shortconv.l_cache",
];

impl Shape {
    fn read(info: &mut Fields<'_>, architecture: &str) -> Self {
        let key = |key: &str| format!("{architecture}.{key}");
        let heads = info.count(&key("attention.head_count"));
        let embedding = info.count(&key("embedding_length"));
        let width = embedding.zip(heads).and_then(|(embedding, heads)| embedding.checked_div(heads));
        // Left out it is as many; a list of one for each layer is not shown.
        let all = heads.filter(|_| info.is_left_out(&key("attention.head_count_kv")));
        Self {
            layers: info.count(&key("block_count")),
            heads: info.count(&key("attention.head_count_kv")).or(all),
            key: info.count(&key("attention.key_length")).or(width),
            value: info.count(&key("attention.value_length")).or(width),
            special: SPECIAL.iter().any(|special| !info.is_left_out(&key(special))),
            embedding,
            feed_forward: info.count(&key("feed_forward_length")),
            vocabulary: info.count(&key("vocab_size")),
        }
    }

    /// Numbers that its cache holds of each token.
    pub(crate) fn cached_numbers(&self) -> Option<u64> {
        if self.special {
            return None;
        }
        let of_a_head = self.key?.checked_add(self.value?)?;
        self.layers?.checked_mul(self.heads?)?.checked_mul(of_a_head)
    }
}

/// Parameters of a model that Ollama starts an engine with: where one differs, it starts another.
const STARTED_WITH: [&str; 6] = ["num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread"];

impl Show {
    pub(crate) fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let mut fields = Fields::of(&text).unwrap_or_default();
        let mut info = fields.object("model_info");
        let architecture = info.text("general.architecture").unwrap_or_default();
        Self {
            // The longest that the model was made for.
            context_length: info.count(&format!("{architecture}.context_length")),
            parameter_count: info.count("general.parameter_count"),
            shape: Shape::read(&mut info, &architecture),
            capabilities: fields.texts("capabilities"),
            modelfile: fields.text("modelfile").unwrap_or_default(),
            parameters: fields.text("parameters").unwrap_or_default(),
        }
    }

    /// What else than the weights an engine is started with: other files, and parameters.
    pub(crate) fn setup(&self) -> String {
        let files = self.modelfile.lines().filter(|line| line.starts_with("FROM ") || line.starts_with("ADAPTER "));
        let files = files.skip(1).map(str::to_owned);
        let parameters = STARTED_WITH.iter().filter_map(|key| Some(format!("{key} {}", self.parameter(key)?)));
        files.chain(parameters).collect::<Vec<_>>().join("; ")
    }

    /// A parameter that the model sets.
    pub(crate) fn parameter(&self, key: &str) -> Option<&str> {
        self.parameters
            .lines()
            .find_map(|line| line.split_once(char::is_whitespace).filter(|(name, _)| *name == key))
            .map(|(_, value)| value.trim())
    }

    /// SHA-256 of the weights, in hex: the first `FROM` names their file in Ollama's store (a second one is a projector).
    pub(crate) fn weights(&self) -> Option<String> {
        let path = self.modelfile.lines().find_map(|line| line.strip_prefix("FROM "))?.trim();
        let hex = path.rsplit(['/', '\\']).next()?.strip_prefix("sha256-")?;
        let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_digest.then(|| hex.to_ascii_lowercase())
    }
}

/// What an error's body says; nothing when it says nothing.
pub(crate) fn error(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    Fields::of(&text).and_then(|mut fields| fields.text("error")).unwrap_or_default()
}

/// The second of a time; the least where there is none.
pub(crate) fn second(time: Option<&str>) -> i64 {
    time.and_then(|time| time.parse::<Timestamp>().ok()).map_or(i64::MIN, Timestamp::as_second)
}

/// When a model is unloaded.
pub(crate) fn expiry(text: Option<&str>, now: Timestamp) -> Expiry {
    match text.and_then(|text| text.parse::<Timestamp>().ok()) {
        None => Expiry::Unknown,
        Some(time) if time.as_second() - now.as_second() > NEVER_YEARS * YEAR_SECONDS => Expiry::Never,
        Some(time) => Expiry::At(time.as_duration().as_secs_f64()),
    }
}

#[cfg(test)]
mod mutations;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_or_never_or_unknown() {
        let now = "2026-11-23T07:00:00Z".parse().unwrap();
        let at = |text: &str| expiry(Some(text), now);
        assert_eq!(at("2026-11-23T08:04:59.5+01:00"), Expiry::At(1_795_417_499.5));
        assert_eq!(at("2026-11-23T06:00:00Z"), Expiry::At(1_795_413_600.0));
        assert_eq!(at("2319-03-05T05:00:00.123456789+01:00"), Expiry::Never);
        assert_eq!(at("soon"), Expiry::Unknown);
        assert_eq!(expiry(None, now), Expiry::Unknown);
    }

    #[test]
    fn the_weights_are_the_first_file_that_the_modelfile_names() {
        let of = |modelfile: &str| {
            Show::read(serde_json::json!({ "modelfile": modelfile }).to_string().as_bytes()).weights()
        };
        let (one, two) = ("a".repeat(64), "b".repeat(64));
        let head = "# Modelfile generated by \"ollama show\"\n# FROM llava:7b\n\n";
        let file = format!(
            "{head}FROM /root/.ollama/models/blobs/sha256-{one}\nFROM /root/.ollama/models/blobs/sha256-{two}\nTEMPLATE x"
        );
        assert_eq!(of(&file), Some(one.clone()));
        assert_eq!(of(&format!("FROM C:\\Users\\me\\.ollama\\models\\blobs\\sha256-{two}\r\n")), Some(two));
        for other in ["", head, "FROM llama3:8b\n", "FROM /m/blobs/sha256-abc\n"] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(Show::read(b"{}").weights(), None);
    }

    #[test]
    fn two_that_differ_in_what_an_engine_is_started_with_are_two() {
        let of = |modelfile: &str, parameters: &str| {
            let show = serde_json::json!({ "modelfile": modelfile, "parameters": parameters });
            Show::read(show.to_string().as_bytes()).setup()
        };
        assert_eq!(of("FROM a\nSYSTEM x", "stop \"<end>\"\ntemperature 1"), "");
        assert_eq!(of("FROM a", "num_ctx                        8192\nstop \"x\""), "num_ctx 8192");
        assert_eq!(of("FROM a\nFROM b\nADAPTER c", ""), "FROM b; ADAPTER c");
    }

    #[test]
    fn a_list_that_is_missing_is_no_empty_list() {
        for body in ["{}", r#"{"error":"no"}"#, r#"{"models":{}}"#, r#"{"models":"none"}"#, "[]", "<html>", ""] {
            assert!(Running::list(body.as_bytes()).is_err(), "{body}");
        }
        assert!(Running::list(br#"{"models":null}"#).unwrap().0.is_empty());
    }

    #[test]
    fn an_odd_entry_costs_what_is_odd_and_nothing_else() {
        const SOUND: &str = r#"{"name":"good:1","size":5,"size_vram":2,"digest":"d"}"#;
        for (entry, shown, finding) in [
            (r#"{"name":"a","details":null,"new":1}"#, Some("a"), ""),
            (r#"{"model":"a"}"#, Some("a"), ""),
            (r#"{"name":"a","digest":null}"#, Some("a"), ""),
            (r#"{"name":"a","size":108.0}"#, Some("a"), ""),
            (r#"{"name":"a","size":-1}"#, Some("a"), "size is no number"),
            (r#"{"name":"a","size":1e999}"#, Some("a"), "size is no number"),
            (r#"{"name":"a","digest":5}"#, Some("a"), "digest is no text"),
            (r#"{"name":"a","digest":"\ud800"}"#, Some("a"), "digest is no text"),
            (r#"{"name":"a","details":{"parameter_size":7}}"#, Some("a"), "details.parameter_size is no text"),
            (r#"{"name":"a","details":[]}"#, Some("a"), "details is no object"),
            (r#"{"name":5,"model":"a"}"#, Some("a"), "name is no text"),
            (r#"{"size":5}"#, None, "has no name"),
            (r#"{"name":" "}"#, None, "has no name"),
            ("null", None, "is no object"),
            ("7", None, "is no object"),
            (&"[".repeat(500).chars().chain("]".repeat(500).chars()).collect::<String>(), None, "is no object"),
        ] {
            for body in [format!(r#"{{"models":[{entry},{SOUND}]}}"#), format!(r#"{{"models":[{SOUND},{entry}]}}"#)] {
                let (models, odd) = Running::list(body.as_bytes()).unwrap();
                let good = models.iter().find(|model| model.name == "good:1").expect("its neighbour");
                assert_eq!((good.size, good.size_vram, good.digest.as_str()), (Some(5), Some(2), "d"), "{entry}");
                assert_eq!(
                    models.iter().find(|model| model.name != "good:1").map(|model| &*model.name),
                    shown,
                    "{entry}"
                );
                assert_eq!(odd.is_empty(), finding.is_empty(), "{entry}: {odd:?}");
                assert!(odd.iter().all(|odd| odd.contains(finding)), "{entry}: {odd:?}");
                let (installed, _) = Installed::list(body.as_bytes()).unwrap();
                assert_eq!(installed.len(), models.len(), "{entry}");
            }
        }
    }

    #[test]
    fn vram_that_is_left_out_is_none_and_what_is_not_known_stays_unknown() {
        for (entry, expected) in [
            (r#"{"name":"a","size":5}"#, Some(0)),
            (r#"{"name":"a","size":5,"size_vram":3}"#, Some(3)),
            (r#"{"name":"a","size":5,"size_vram":null}"#, None),
            (r#"{"name":"a","size":5,"size_vram":-3}"#, None),
            (r#"{"name":"a"}"#, None),
        ] {
            let (models, _) = Running::list(format!(r#"{{"models":[{entry}]}}"#).as_bytes()).unwrap();
            assert_eq!(models[0].size_vram, expected, "{entry}");
        }
    }
}
