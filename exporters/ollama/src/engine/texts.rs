//! What a `llama-server` answers: `/slots` (JSON) and `/metrics` (Prometheus text).

use aura_exposition::parse;
use serde_json::value::RawValue;

use super::{Counters, Slot};
use crate::fields::Fields;

/// The largest count that a float holds exactly.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// `/slots`.
///
/// # Errors
/// Why it is none.
pub(crate) fn slots(body: &[u8]) -> Result<Vec<Slot>, String> {
    let text = String::from_utf8_lossy(body);
    let list: Vec<&RawValue> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let mut slots = Vec::with_capacity(list.len());
    for entry in list {
        let mut fields = Fields::of(entry.get()).ok_or("a slot is no object")?;
        let (Some(id), Some(busy)) = (fields.count("id"), fields.flag("is_processing")) else {
            return Err(fields.odd.pop().unwrap_or_else(|| "a slot without id and is_processing".to_owned()));
        };
        let task = fields.count("id_task");
        slots.push(if busy {
            Slot {
                id,
                busy,
                task,
                prompt_tokens: fields.count("n_prompt_tokens"),
                generated_tokens: generated(&mut fields),
            }
        } else {
            Slot { id, ..Slot::default() }
        });
    }
    slots.sort_by_key(|slot| slot.id);
    Ok(slots)
}

/// A list of one since 2025, an object before.
fn generated(slot: &mut Fields<'_>) -> Option<u64> {
    slot.objects("next_token").first_mut()?.count("n_decoded")
}

/// `/metrics`. The engine writes six digits of each number, so from a million on a count is rounded; it never falls.
///
/// # Errors
/// What is missing in it.
pub(crate) fn counters(body: &[u8]) -> Result<Counters, String> {
    let families = parse(std::str::from_utf8(body).map_err(|_| "it is no text")?)?;
    let number = |name: &str| {
        let value = families.iter().find(|family| family.name == name)?.series.first()?.value;
        (value.is_finite() && value >= 0.0).then_some(value)
    };
    let seconds = |name: &str| number(name).ok_or_else(|| format!("it has no {name}"));
    let count = |name: &str| {
        let whole = seconds(name)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range")]
        (whole <= LARGEST).then_some(whole as u64).ok_or_else(|| format!("{name} is no count"))
    };
    Ok(Counters {
        prompt_tokens: count("llamacpp:prompt_tokens_total")?,
        // It came later than the others.
        cached_tokens: count("llamacpp:prompt_tokens_cached_total").ok(),
        generated_tokens: count("llamacpp:tokens_predicted_total")?,
        prompt_seconds: seconds("llamacpp:prompt_seconds_total")?,
        generation_seconds: seconds("llamacpp:tokens_predicted_seconds_total")?,
    })
}

/// `/health` of an `ollama runner`: how far it has loaded, while it does.
pub(crate) fn health(body: &[u8]) -> Option<f64> {
    #[derive(serde::Deserialize)]
    struct Health {
        status: i64,
        progress: f64,
    }
    let health: Health = serde_json::from_slice(body).ok()?;
    // 0 is ready and 1 is ready with all slots in use.
    (![0, 1].contains(&health.status)).then_some(health.progress.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of a real b10488 while slot 1 generates, shortened where nothing is read.
    const SLOTS: &str = r#"[{"id":1,"n_ctx":2048,"speculative":false,"is_processing":true,"id_task":2,"n_prompt_tokens":5,
        "n_prompt_tokens_processed":4,"n_prompt_tokens_cache":0,"params":{"seed":4294967295,"temperature":0.8,"lora":[]},
        "next_token":[{"has_next_token":true,"has_new_line":false,"n_remain":57,"n_decoded":3}]},
        {"id":0,"n_ctx":2048,"speculative":false,"is_processing":false}]"#;

    const METRICS: &str = "# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed, excluding cached tokens\n\
        # TYPE llamacpp:prompt_tokens_total counter\nllamacpp:prompt_tokens_total 4\n\
        # TYPE llamacpp:prompt_tokens_cached_total counter\nllamacpp:prompt_tokens_cached_total 9\n\
        # TYPE llamacpp:prompt_seconds_total counter\nllamacpp:prompt_seconds_total 0.189472\n\
        # TYPE llamacpp:tokens_predicted_total counter\nllamacpp:tokens_predicted_total 1.23457e+06\n\
        # TYPE llamacpp:tokens_predicted_seconds_total counter\nllamacpp:tokens_predicted_seconds_total 37.304\n\
        # TYPE llamacpp:requests_processing gauge\nllamacpp:requests_processing 0\n";

    #[test]
    fn the_answers_of_a_real_one() {
        let idle = Slot::default();
        let busy = Slot { id: 1, busy: true, task: Some(2), prompt_tokens: Some(5), generated_tokens: Some(3) };
        assert_eq!(slots(SLOTS.as_bytes()), Ok(vec![idle, busy.clone()]));
        let older = SLOTS.replace("[{\"has_next", "{\"has_next").replace("\"n_decoded\":3}]", "\"n_decoded\":3}");
        assert_eq!(slots(older.as_bytes()).unwrap()[1], busy);
        let read = counters(METRICS.as_bytes()).unwrap();
        assert_eq!((read.prompt_tokens, read.cached_tokens, read.generated_tokens), (4, Some(9), 1_234_570));
        assert_eq!((read.prompt_seconds, read.generation_seconds), (0.189_472, 37.304));
        let older = METRICS.replace("llamacpp:prompt_tokens_cached_total 9\n", "");
        assert_eq!(counters(older.as_bytes()).unwrap().cached_tokens, None);
    }

    #[test]
    fn a_runner_says_how_far_it_is() {
        assert_eq!(health(br#"{"status":3,"progress":0.25}"#), Some(0.25));
        assert_eq!(health(br#"{"status":0,"progress":1}"#), None);
    }

    #[test]
    fn what_is_no_such_answer_says_why() {
        for body in [
            "",
            "{}",
            "[1]",
            "[{}]",
            r#"[{"id":0}]"#,
            r#"[{"id":0,"is_processing":1}]"#,
            r#"[{"id":-1,"is_processing":true}]"#,
        ] {
            assert!(slots(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(slots(b"[]"), Ok(vec![]));
        for (from, to) in [
            ("llamacpp:prompt_tokens_total 4", "other 4"),
            ("1.23457e+06", "NaN"),
            ("1.23457e+06", "-1"),
            ("37.304", "x"),
        ] {
            assert!(counters(METRICS.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_them_panic(text in prop::collection::vec(any::<u8>(), 0..300), at in 0..300_usize, byte: u8) {
            slots(&text).ok();
            counters(&text).ok();
            for sound in [SLOTS, METRICS] {
                let mut broken = sound.as_bytes().to_vec();
                broken[at] = byte;
                slots(&broken).ok();
                counters(&broken).ok();
            }
        }

        #[test]
        fn totals_up_to_a_million_are_exact(tokens in 0_u64..1_000_000) {
            let text = METRICS.replace("1.23457e+06", &tokens.to_string());
            prop_assert_eq!(counters(text.as_bytes()).unwrap().generated_tokens, tokens);
        }
    }
}
