//! The counters of an engine, and what `/metrics` says of them.

use std::fmt::Write;

/// Counters since the engine started. They move when a prompt is computed or a request ends, not while tokens come.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) prompt_tokens: u64,
    pub(super) cached_tokens: u64,
    pub(super) prompt_seconds: f64,
    pub(super) predicted_tokens: u64,
    pub(super) predicted_seconds: f64,
    /// Moves with each step, whatever the number of slots that are in it.
    pub(super) steps: u64,
    pub(super) busy_slots: u64,
    pub(super) most_tokens: u64,
}

impl Counters {
    /// The answer to `/metrics`. The two averages are those since the last question.
    pub(super) fn shown(&self, averages: [f64; 2], processing: usize, deferred: usize) -> String {
        let counters = [
            ("prompt_tokens_total", "Prompt tokens computed, without those from the cache", self.prompt_tokens as f64),
            ("prompt_tokens_cached_total", "Prompt tokens taken from the cache", self.cached_tokens as f64),
            ("prompt_seconds_total", "Time spent on prompts", self.prompt_seconds),
            ("tokens_predicted_total", "Tokens generated", self.predicted_tokens as f64),
            ("tokens_predicted_seconds_total", "Time spent on generating tokens", self.predicted_seconds),
            ("n_decode_total", "Steps of decoding", self.steps as f64),
            ("n_tokens_max", "The longest sequence seen, prompt and generated", self.most_tokens as f64),
            ("spec_decode_num_draft_tokens_total", "Speculative: tokens drafted", 0.0),
            ("spec_decode_num_accepted_tokens_total", "Speculative: drafted tokens accepted", 0.0),
            ("spec_decode_num_drafts_total", "Speculative: steps of verification", 0.0),
        ];
        let per_step = self.busy_slots as f64 / (self.steps.max(1)) as f64;
        let gauges = [
            ("prompt_tokens_seconds", "Prompt tokens a second", averages[0]),
            ("predicted_tokens_seconds", "Generated tokens a second", averages[1]),
            ("requests_processing", "Requests that slots work on", processing as f64),
            ("requests_deferred", "Requests that wait for a slot", deferred as f64),
            ("n_busy_slots_per_decode", "Busy slots a step", per_step),
        ];
        let mut text = String::new();
        let counters = counters.into_iter().map(|counter| ("counter", counter));
        for (kind, (name, help, value)) in counters.chain(gauges.into_iter().map(|gauge| ("gauge", gauge))) {
            let value = six_digits(value);
            let _ =
                writeln!(text, "# HELP llamacpp:{name} {help}\n# TYPE llamacpp:{name} {kind}\nllamacpp:{name} {value}");
        }
        text
    }
}

/// As a C++ stream writes a number: six digits that count, so that totals from a million on are rounded.
fn six_digits(value: f64) -> String {
    let exponent = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    // Rounding may carry into one more digit.
    let scientific = format!("{value:.5e}");
    let exponent = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(exponent);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if !(-4..6).contains(&exponent) {
        let digits = scientific.split('e').next().unwrap_or_default();
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(digits), exponent.abs());
    }
    trimmed(&format!("{value:.*}", (5 - exponent) as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (2797.0, "2797"),
            (999_999.0, "999999"),
            (1_234_567.0, "1.23457e+06"),
            (0.123_456_7, "0.123457"),
            (24.5, "24.5"),
            (0.000_012, "1.2e-05"),
        ] {
            assert_eq!(six_digits(value), expected);
        }
    }
}
