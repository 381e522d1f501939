//! What Ollama does not say and an observer sees: when a model was loaded, and when it was last used.

use std::collections::HashMap;

use aura_model::Name;

use crate::{Expiry, LoadedModel};

/// By name and digest: after a pull the old version of a model may still be loaded beside the new one.
type Known = HashMap<(Name, Name), Seen>;

/// One server's models as they were seen.
#[derive(Default)]
pub(crate) struct Observer {
    /// None before the first answer: what was loaded then was loaded at a time that nobody knows.
    known: Option<Known>,
}

struct Seen {
    /// Ollama writes the same time with the same digits, so what differs at all was moved.
    expires_at: Option<String>,
    loaded_at: Option<f64>,
    last_used: Option<f64>,
}

impl Observer {
    /// Adds to the models of an answer when they were loaded and used.
    pub(crate) fn look(&mut self, models: &mut [LoadedModel], now: f64, server_time: f64) {
        let known = self.known.take();
        let first = known.is_none();
        let mut before = known.unwrap_or_default();
        let mut after = Known::new();
        for model in models {
            let seen = match before.remove(&(model.name.clone(), model.digest.clone())) {
                Some(seen) => {
                    let used = model.expires_at != seen.expires_at && is_use(model.expiry, server_time);
                    let last_used = if used { Some(now) } else { seen.last_used };
                    Seen { last_used, ..seen }
                }
                None => {
                    let since = if first { None } else { Some(now) };
                    Seen { expires_at: None, loaded_at: since, last_used: since }
                }
            };
            (model.loaded_at, model.last_used) = (seen.loaded_at, seen.last_used);
            after.insert(
                (model.name.clone(), model.digest.clone()),
                Seen { expires_at: model.expires_at.clone(), ..seen },
            );
        }
        self.known = Some(after);
    }

    /// The server was away: what it loaded meanwhile nobody saw.
    pub(crate) fn forget(&mut self) {
        self.known = None;
    }
}

/// Whether an expiry was moved by a use: that sets it to then and the keep-alive, which may be a shorter one than before. An
/// unload sets it to then.
fn is_use(expiry: Expiry, server_time: f64) -> bool {
    match expiry {
        Expiry::At(time) => time > server_time,
        Expiry::Never => true,
        Expiry::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str, expiry: Expiry) -> LoadedModel {
        let expires_at = match expiry {
            Expiry::At(time) => Some(time.to_string()),
            Expiry::Never => Some("far away".into()),
            Expiry::Unknown => None,
        };
        LoadedModel {
            name: name.into(),
            digest: "d".into(),
            weights: None,
            setup: None,
            size: None,
            size_vram: None,
            family: None,
            parameter_size: None,
            quantization: None,
            context_length: None,
            expiry,
            expires_at,
            stopping: false,
            crashed: false,
            loaded_at: None,
            last_used: None,
        }
    }

    fn look(observer: &mut Observer, mut models: Vec<LoadedModel>, now: f64) -> Vec<(Option<f64>, Option<f64>)> {
        observer.look(&mut models, now, now);
        models.iter().map(|model| (model.loaded_at, model.last_used)).collect()
    }

    #[test]
    fn what_was_there_before_us_has_no_time_until_it_is_used() {
        let mut observer = Observer::default();
        assert_eq!(look(&mut observer, vec![model("a", Expiry::At(100.0))], 1.0), [(None, None)]);
        assert_eq!(look(&mut observer, vec![model("a", Expiry::At(100.0))], 2.0), [(None, None)]);
        assert_eq!(look(&mut observer, vec![model("a", Expiry::At(103.0))], 3.0), [(None, Some(3.0))]);
    }

    #[test]
    fn what_comes_while_we_look_was_loaded_then_and_an_unload_is_no_use() {
        let mut observer = Observer::default();
        assert_eq!(look(&mut observer, vec![], 1.0), []);
        assert_eq!(look(&mut observer, vec![model("a", Expiry::At(100.0))], 2.0), [(Some(2.0), Some(2.0))]);
        assert_eq!(look(&mut observer, vec![model("a", Expiry::At(3.0))], 3.0), [(Some(2.0), Some(2.0))]);
        assert_eq!(look(&mut observer, vec![model("a", Expiry::Never)], 4.0), [(Some(2.0), Some(4.0))]);
        assert_eq!(look(&mut observer, vec![model("a", Expiry::Never)], 5.0), [(Some(2.0), Some(4.0))]);
    }

    #[test]
    fn a_use_with_a_shorter_keep_alive_is_a_use() {
        let mut observer = Observer::default();
        look(&mut observer, vec![model("a", Expiry::At(3600.0))], 1.0);
        assert_eq!(look(&mut observer, vec![model("a", Expiry::At(302.0))], 2.0), [(None, Some(2.0))]);
        assert_eq!(look(&mut observer, vec![model("a", Expiry::Never)], 3.0), [(None, Some(3.0))]);
        assert_eq!(look(&mut observer, vec![model("a", Expiry::At(604.0))], 4.0), [(None, Some(4.0))]);
        assert_eq!(look(&mut observer, vec![model("a", Expiry::At(4.9))], 5.0), [(None, Some(4.0))]);
    }

    #[test]
    fn another_version_of_a_model_is_another_model_and_an_absence_forgets() {
        let mut observer = Observer::default();
        look(&mut observer, vec![model("a", Expiry::At(100.0))], 1.0);
        let other = || LoadedModel { digest: "e".into(), ..model("a", Expiry::At(100.0)) };
        let both = || vec![model("a", Expiry::At(100.0)), other()];
        for now in [2.0, 3.0] {
            assert_eq!(look(&mut observer, both(), now), [(None, None), (Some(2.0), Some(2.0))]);
        }
        observer.forget();
        assert_eq!(look(&mut observer, vec![model("a", Expiry::At(100.0))], 4.0), [(None, None)]);
    }
}
