//! How much memory a load takes: weights, KV cache and buffers, summed before Ollama is asked. On a CPU Ollama reckons nothing:
//! it takes the machine's memory until the kernel kills somebody.

use serde::Serialize;

use crate::{Machine, Target, wire::Show};

const GIB: f64 = 1_073_741_824.0;
/// Tokens of a prompt that are taken at once: llama.cpp's buffers are made for so many.
const BATCH: u64 = 512;
/// Bytes of a number in them.
const NUMBER: u64 = 4;

/// GPUs of a server's machine, as their source tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GpuRoom {
    /// How many there are.
    pub count: usize,
    /// Bytes of their memory together.
    pub total: Option<u64>,
    /// Bytes of it that are free, where Ollama is known to use them: it has a model there.
    pub free: Option<u64>,
}

/// What a load takes at least, and what there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemoryNeed {
    /// Bytes of the model's files.
    pub weights_bytes: Option<u64>,
    /// Bytes of the KV cache: slots times context times what a token takes.
    pub kv_cache_bytes: Option<u64>,
    /// Bytes of the buffers for computing, at least.
    pub buffers_bytes: Option<u64>,
    /// Bytes that are available: the least of RAM, control groups and GPUs.
    pub available_bytes: Option<u64>,
    /// What sets that limit.
    #[serde(skip)]
    pub limit: &'static str,
    /// What the KV cache is reckoned for, in words.
    #[serde(skip)]
    pub cache: String,
}

impl MemoryNeed {
    /// What loading this model takes on this machine.
    pub(crate) fn of(target: &Target, show: &Show, machine: &Machine, gpus: GpuRoom) -> Self {
        let (kv_cache_bytes, cache) = kv_cache(target, show, machine, gpus).unzip();
        let vram = gpus.free.map(|bytes| (bytes, "are free on the GPUs"));
        let (available_bytes, limit) =
            machine.available().into_iter().chain(vram).min_by_key(|(bytes, _)| *bytes).unzip();
        Self {
            weights_bytes: target.size,
            kv_cache_bytes,
            buffers_bytes: show.shape.embedding.map(|embedding| {
                let widest = embedding + show.shape.feed_forward.unwrap_or(0) + show.shape.vocabulary.unwrap_or(0);
                BATCH.saturating_mul(NUMBER).saturating_mul(widest)
            }),
            available_bytes,
            limit: limit.unwrap_or_default(),
            cache: cache.unwrap_or_default(),
        }
    }

    fn terms(&self) -> [(Option<u64>, &'static str); 3] {
        [(self.weights_bytes, "weights"), (self.kv_cache_bytes, "KV cache"), (self.buffers_bytes, "buffers")]
    }

    /// The sum of what is known.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.terms().iter().filter_map(|(bytes, _)| *bytes).fold(0, u64::saturating_add)
    }

    /// Whether each term and what is available are known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.available_bytes.is_some() && self.terms().iter().all(|(bytes, _)| bytes.is_some())
    }

    /// Whether it takes more than there is. What is not known is not guessed.
    #[must_use]
    pub fn exceeds(&self) -> bool {
        self.is_complete() && self.available_bytes.is_some_and(|available| self.total_bytes() > available)
    }

    /// The sum in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / GIB);
        let terms = self.terms().map(|(bytes, name)| match bytes {
            Some(bytes) if name == "KV cache" && !self.cache.is_empty() => {
                format!("{} {name} ({})", gib(bytes), self.cache)
            }
            Some(bytes) => format!("{} {name}", gib(bytes)),
            None => format!("unknown {name}"),
        });
        let available = match self.available_bytes {
            Some(bytes) => format!("{} {}", gib(bytes), self.limit),
            None => "how much is available is not known".to_owned(),
        };
        let sum = if self.is_complete() { gib(self.total_bytes()) } else { "a sum that is incomplete".to_owned() };
        format!("{} = {sum} at least; {available}", terms.join(" + "))
    }
}

/// Bytes of the KV cache, and for what.
fn kv_cache(target: &Target, show: &Show, machine: &Machine, gpus: GpuRoom) -> Option<(u64, String)> {
    let settings = machine.settings();
    let context = match show.parameter("num_ctx").and_then(|number| number.parse().ok()) {
        Some(tokens) => tokens,
        None => settings.as_ref()?.context_length.or_else(|| default_context(machine, gpus))?,
    };
    let context: u64 = show.context_length.map_or(context, |longest| longest.min(context));
    let slots = if target.embedding { 1 } else { settings.as_ref()?.parallel };
    let cache_type = settings.map_or("f16".into(), |settings| settings.cache_type);
    // A block of 32 numbers has a scale of two bytes beside it.
    let (bytes, numbers) = match &*cache_type {
        "f16" => (2, 1),
        "q8_0" => (34, 32),
        "q4_0" => (18, 32),
        _ => return None,
    };
    let numbers_of_a_token = show.shape.cached_numbers()?;
    let sum = slots.checked_mul(context)?.checked_mul(numbers_of_a_token)?.checked_mul(bytes)? / numbers;
    Some((sum, format!("{slots} x {context} tokens, {cache_type}")))
}

/// The context that Ollama takes where nobody says one: since 0.15.5 it goes by the memory of the GPUs.
fn default_context(machine: &Machine, gpus: GpuRoom) -> Option<u64> {
    const LITTLE: u64 = 24 << 30;
    const MUCH: u64 = 48 << 30;
    let version: Vec<u64> = machine.version.as_deref()?.split(['.', '-']).map_while(|part| part.parse().ok()).collect();
    if gpus.count == 0 || version.as_slice() < &[0, 15, 5] {
        return Some(4096);
    }
    Some(match gpus.total? {
        total if total < LITTLE => 4096,
        total if total < MUCH => 32_768,
        _ => 262_144,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::machine::tests::machine;

    const GIB: u64 = 1 << 30;

    fn show(info: serde_json::Value, parameters: &str) -> Show {
        let mut info = info;
        info["general.architecture"] = "llama".into();
        Show::read(json!({ "model_info": info, "parameters": parameters }).to_string().as_bytes())
    }

    fn llama() -> serde_json::Value {
        json!({
            "llama.block_count": 32, "llama.attention.head_count": 32, "llama.attention.head_count_kv": 8,
            "llama.embedding_length": 4096, "llama.feed_forward_length": 14336, "llama.vocab_size": 128_256,
            "llama.context_length": 131_072,
        })
    }

    fn target(size: Option<u64>) -> Target {
        Target { size, ..Target::from("llama3.1:8b") }
    }

    #[test]
    fn weights_cache_and_buffers_are_summed_and_what_is_too_much_is_told() {
        let memory = ("proc/meminfo", "MemAvailable: 8388608 kB\n");
        let (_root, mut on_cpu) = machine(&[memory, ("proc/42/environ", "PATH=/\0OLLAMA_NUM_PARALLEL=2\0")]);
        on_cpu.version = Some("0.33.0".into());
        let need = MemoryNeed::of(&target(Some(5 * GIB)), &show(llama(), ""), &on_cpu, GpuRoom::default());
        // 32 layers x 8 heads x (128 + 128) numbers x 2 bytes = 128 KiB a token.
        assert_eq!(need.kv_cache_bytes, Some(2 * 4096 * 128 * 1024));
        assert_eq!(need.buffers_bytes, Some(512 * 4 * (4096 + 14336 + 128_256)));
        assert!(need.is_complete() && !need.exceeds(), "{need:?}");
        let long = show(llama(), "num_ctx 131072");
        let need = MemoryNeed::of(&target(Some(5 * GIB)), &long, &on_cpu, GpuRoom::default());
        assert_eq!((need.kv_cache_bytes, need.exceeds()), (Some(32 * GIB), true));
        let text = need.sentence();
        assert!(text.starts_with("5.0 GiB weights + 32.0 GiB KV cache (2 x 131072 tokens, f16) + 0.3 GiB buffers = 37.3 GiB at least; 8.0 GiB are available"), "{text}");
        let (_root, small) = machine(&[memory, ("proc/42/environ", "OLLAMA_KV_CACHE_TYPE=q8_0\0")]);
        let need = MemoryNeed::of(&target(Some(5 * GIB)), &long, &small, GpuRoom::default());
        assert_eq!(need.kv_cache_bytes, Some(16 * GIB * 34 / 64));
        let full = GpuRoom { count: 1, total: Some(8 * GIB), free: Some(GIB) };
        let need = MemoryNeed::of(&target(Some(5 * GIB)), &show(llama(), "num_ctx 64"), &small, full);
        assert!(need.exceeds() && need.sentence().contains("1.0 GiB are free on the GPUs"), "{need:?}");
    }

    #[test]
    fn an_unknown_term_makes_the_sum_incomplete_and_nothing_too_much() {
        let memory = ("proc/meminfo", "MemAvailable: 1024 kB\n");
        let (_root, mut known) = machine(&[memory, ("proc/42/environ", "PATH=/\0")]);
        known.version = Some("0.33.0".into());
        let without = |key: &str| {
            let mut info = llama();
            info.as_object_mut().unwrap().remove(key);
            show(info, "")
        };
        let with = |key: &str, value: serde_json::Value| {
            let mut info = llama();
            info[key] = value;
            show(info, "")
        };
        let (_root, unread) = machine(&[memory]);
        let (_root, odd) = machine(&[memory, ("proc/42/environ", "OLLAMA_KV_CACHE_TYPE=q3\0")]);
        let (_root, nowhere) = machine(&[("proc/42/environ", "PATH=/\0")]);
        let some_gpu = GpuRoom { count: 1, ..GpuRoom::default() };
        let cpu = GpuRoom::default();
        let size = Some(5 * GIB);
        for (what, need) in [
            ("size", MemoryNeed::of(&target(None), &show(llama(), ""), &known, cpu)),
            ("layers", MemoryNeed::of(&target(size), &without("llama.block_count"), &known, cpu)),
            ("width", MemoryNeed::of(&target(size), &without("llama.embedding_length"), &known, cpu)),
            (
                "heads by layer",
                MemoryNeed::of(&target(size), &with("llama.attention.head_count_kv", json!(null)), &known, cpu),
            ),
            (
                "a window",
                MemoryNeed::of(&target(size), &with("llama.attention.sliding_window", json!(512)), &known, cpu),
            ),
            ("a state", MemoryNeed::of(&target(size), &with("llama.ssm.state_size", json!(16)), &known, cpu)),
            ("settings", MemoryNeed::of(&target(size), &show(llama(), ""), &unread, cpu)),
            ("cache type", MemoryNeed::of(&target(size), &show(llama(), ""), &odd, cpu)),
            ("context on a GPU", MemoryNeed::of(&target(size), &show(llama(), ""), &known, some_gpu)),
            ("memory", MemoryNeed::of(&target(size), &show(llama(), "num_ctx 8"), &nowhere, cpu)),
        ] {
            assert!(!need.is_complete() && !need.exceeds(), "{what}: {need:?}");
            assert!(need.sentence().contains("known") || need.sentence().contains("incomplete"), "{what}");
        }
        let heads = MemoryNeed::of(&target(size), &without("llama.attention.head_count_kv"), &known, cpu);
        assert!(heads.exceeds(), "without a number of its own each head has its cache: {heads:?}");
    }
}
