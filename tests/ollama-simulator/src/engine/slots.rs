//! The slots of an engine, and what `/slots` says of them.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::mpsc;

/// A request that a slot works on.
pub(super) struct Task {
    pub(super) id: u64,
    pub(super) prompt: Vec<String>,
    /// Tokens at most; none is no limit.
    pub(super) limit: Option<u64>,
    /// Tokens after which the model is done by itself.
    pub(super) natural: Option<u64>,
    /// Nothing is generated.
    pub(super) embeds: bool,
    /// Where tokens go; a client that left has closed it.
    pub(super) send: mpsc::UnboundedSender<Event>,
}

/// What a request hears of its slot.
pub(super) enum Event {
    /// A token.
    Token,
    /// The end.
    End(Timings),
}

/// Tokens and seconds of a request.
#[derive(Clone, Copy, Default)]
pub(super) struct Timings {
    pub(super) cached: u64,
    pub(super) processed: u64,
    pub(super) prompt_seconds: f64,
    pub(super) decoded: u64,
    pub(super) decode_seconds: f64,
    /// It ended because it had as many tokens as it may.
    pub(super) limited: bool,
}

/// A slot: what it does, or else what it did last.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) task: Option<Task>,
    pub(super) timings: Timings,
    /// The tokens it holds, those of the last prompt first: a prompt that begins like it needs less work.
    pub(super) held: Vec<String>,
    /// Its last request and the limit of that.
    last: Option<(u64, i64)>,
}

impl Slot {
    pub(super) fn begin(&mut self, task: Task) {
        // At least one token of a prompt is computed anew.
        let same = self.held.iter().zip(&task.prompt).take_while(|(held, new)| held == new).count();
        let cached = same.min(task.prompt.len().saturating_sub(1));
        self.held.truncate(cached);
        self.timings = Timings { cached: cached as u64, ..Timings::default() };
        self.last = Some((task.id, task.limit.map_or(-1, |limit| limit as i64)));
        self.task = Some(task);
    }

    /// Ends what it does, and says so.
    pub(super) fn end(&mut self) {
        if let Some(task) = self.task.take() {
            let _ = task.send.send(Event::End(self.timings));
        }
        self.timings = Timings::default();
    }

    /// Tokens of the prompt that are not computed yet.
    pub(super) fn rest_of_prompt(&self) -> usize {
        let done = (self.timings.cached + self.timings.processed) as usize;
        self.task.as_ref().map_or(0, |task| task.prompt.len().saturating_sub(done))
    }

    /// When it was last given a request: what waits longest is taken first.
    pub(super) fn last_used(&self) -> u64 {
        self.last.map_or(0, |(id, _)| id)
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    id: usize,
    n_ctx: u64,
    speculative: bool,
    is_processing: bool,
    #[serde(flatten)]
    work: Option<Work<'a>>,
}

#[derive(Serialize)]
struct Work<'a> {
    id_task: u64,
    n_prompt_tokens: usize,
    n_prompt_tokens_processed: u64,
    n_prompt_tokens_cache: u64,
    params: &'a RawValue,
    next_token: [NextToken; 1],
}

#[derive(Serialize)]
struct NextToken {
    has_next_token: bool,
    has_new_line: bool,
    n_remain: i64,
    n_decoded: u64,
}

/// The answer to `/slots`. What was asked and answered is not in it.
pub(super) fn shown(slots: &[Slot], context: u64) -> String {
    let params: Vec<_> = slots.iter().map(|slot| params(slot.last.map_or(-1, |(_, limit)| limit))).collect();
    let shown: Vec<Shown<'_>> = slots
        .iter()
        .zip(&params)
        .enumerate()
        .map(|(id, (slot, params))| Shown {
            id,
            n_ctx: context,
            speculative: false,
            is_processing: slot.task.is_some(),
            work: slot.last.map(|(id_task, limit)| Work {
                id_task,
                n_prompt_tokens: slot.held.len(),
                n_prompt_tokens_processed: slot.timings.processed,
                n_prompt_tokens_cache: slot.timings.cached,
                params,
                next_token: [NextToken {
                    has_next_token: slot.task.is_some(),
                    has_new_line: false,
                    n_remain: if limit < 0 { -1 } else { limit - slot.timings.decoded as i64 },
                    n_decoded: slot.timings.decoded,
                }],
            }),
        })
        .collect();
    serde_json::to_string(&shown).unwrap_or_default()
}

/// What the sampler was set to: as Ollama sets it where nobody says otherwise.
fn params(limit: i64) -> Box<RawValue> {
    let text = format!(
        r#"{{"seed":4294967295,"temperature":0.800000011920929,"dynatemp_range":0.0,"dynatemp_exponent":1.0,"top_k":40,"top_p":0.8999999761581421,"min_p":0.0,"top_n_sigma":-1.0,"xtc_probability":0.0,"xtc_threshold":0.10000000149011612,"typical_p":1.0,"repeat_last_n":64,"repeat_penalty":1.0,"presence_penalty":0.0,"frequency_penalty":0.0,"dry_multiplier":0.0,"dry_base":1.75,"dry_allowed_length":2,"dry_penalty_last_n":64,"mirostat":0,"mirostat_tau":5.0,"mirostat_eta":0.10000000149011612,"adaptive_target":-1.0,"adaptive_decay":0.8999999761581421,"max_tokens":{limit},"n_predict":{limit},"n_keep":4,"n_discard":0,"ignore_eos":false,"stream":true,"n_probs":0,"min_keep":0,"chat_format":"Content-only","reasoning_format":"deepseek","reasoning_in_content":false,"generation_prompt":"","samplers":["penalties","dry","top_n_sigma","top_k","typ_p","top_p","min_p","xtc","temperature"],"speculative.types":"none","timings_per_token":false,"post_sampling_probs":false,"backend_sampling":false,"lora":[]}}"#
    );
    RawValue::from_string(text).unwrap_or_else(|_| to_raw_value(&()).unwrap_or_default())
}
