//! What a server has in memory, told by weights, as a command sees it.

use std::{collections::HashSet, time::Duration};

use aura_model::{Name, Stopwatch};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    Client, CommandError, Expiry, Failure, Server, Target, Weights,
    command::refusal,
    is_same_name,
    wire::{self, Installed, Running, Show},
};

/// `/api/ps` is asked so often whether it is done.
const LOOK: Duration = Duration::from_millis(200);
/// One answer of `/api/ps` may take so long; it is busy then and asked again.
const ANSWER: Duration = Duration::from_secs(5);

/// A server's models in memory beside the one that is meant.
pub(crate) struct Resident<'a> {
    pub(crate) client: Client,
    target: &'a Target,
    /// Those of the target, once they are known.
    weights: Option<Name>,
    known: Weights,
    /// Digests whose weights nobody can tell.
    hopeless: HashSet<String>,
}

impl<'a> Resident<'a> {
    pub(crate) fn new(server: &Server, target: &'a Target, known: Weights) -> Self {
        let weights = target.digest.as_ref().and_then(|digest| known.get(digest)).cloned();
        Self { client: Client::new(server.clone()), target, weights, known, hopeless: HashSet::new() }
    }

    /// Asks what the target is made of now. One that does not say this is taken for what was known before.
    ///
    /// # Errors
    /// There is no such model, or nobody answers.
    pub(crate) async fn show_target(&mut self) -> Result<Show, CommandError> {
        let answer = match self.client.post("/api/show", &json!({ "model": self.target.name }), ANSWER).await {
            Ok(answer) => answer,
            Err(Failure::Busy { .. }) => return Ok(Show::default()),
            Err(failure) => return Err(failure.into()),
        };
        // A look-alike without this route says nothing in JSON.
        if answer.status == StatusCode::NOT_FOUND && !wire::error(&answer.body).is_empty() {
            return Err(refusal(&answer));
        }
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(refusal(&answer));
        }
        let show = if answer.status.is_success() { Show::read(&answer.body) } else { Show::default() };
        if let Some(weights) = show.weights() {
            self.weights = Some(weights.into());
        }
        Ok(show)
    }

    /// What is in memory.
    ///
    /// # Errors
    /// It is not to be had in time.
    pub(crate) async fn list(&mut self, within: Duration) -> Result<Vec<Running>, CommandError> {
        self.wait(within, |_, _| true).await?.ok_or_else(|| {
            CommandError::Busy(
                "Ollama does not say what is in memory: it is busy, or one of its engines hangs".to_owned(),
            )
        })
    }

    /// Asks until what is in memory is as it should be, and gives that; nothing when it did not become so in time.
    ///
    /// # Errors
    /// Nobody answers.
    pub(crate) async fn wait(
        &mut self,
        within: Duration,
        mut is_so: impl FnMut(&[Running], &dyn Fn(&Running) -> bool) -> bool,
    ) -> Result<Option<Vec<Running>>, CommandError> {
        let begun = Stopwatch::start();
        loop {
            match self.client.get("/api/ps", ANSWER).await {
                Ok(answer) if answer.status != StatusCode::OK => return Err(refusal(&answer)),
                Ok(answer) => {
                    if let Ok((all, _)) = Running::list(&answer.body) {
                        self.weigh(&all).await;
                        if is_so(&all, &|running| self.is_target(running)) {
                            return Ok(Some(all));
                        }
                    }
                }
                Err(Failure::Busy { .. }) => {}
                Err(failure) => return Err(failure.into()),
            }
            if begun.left(within).is_zero() {
                return Ok(None);
            }
            sleep(LOOK).await;
        }
    }

    /// Finds out the weights of what is in memory, where a name on disk still means it.
    async fn weigh(&mut self, all: &[Running]) {
        let unknown = |running: &&Running| {
            !running.digest.is_empty()
                && self.known(running).is_none()
                && self.target.digest.as_deref() != Some(running.digest.as_str())
                && !self.hopeless.contains(&running.digest)
        };
        let digests: Vec<String> = all.iter().filter(unknown).map(|running| running.digest.clone()).collect();
        if digests.is_empty() {
            return;
        }
        let Ok(answer) = self.client.get("/api/tags", ANSWER).await else { return };
        let Ok((installed, _)) = Installed::list(&answer.body) else { return };
        for digest in digests {
            if let Some(model) = installed.iter().find(|model| model.digest == digest)
                && let Ok(answer) = self.client.post("/api/show", &json!({ "model": model.name }), ANSWER).await
                && let Some(weights) = Show::read(&answer.body).weights()
            {
                self.known.insert(digest.into(), weights.into());
            } else {
                self.hopeless.insert(digest);
            }
        }
    }

    fn known(&self, running: &Running) -> Option<&Name> {
        self.known.get(running.digest.as_str())
    }

    /// Whether it is what the target means now: Ollama has each file of weights in memory once.
    pub(crate) fn is_target(&self, running: &Running) -> bool {
        let own = self.target.digest.as_deref();
        match (&self.weights, self.known(running)) {
            (Some(weights), Some(known)) => weights == known,
            // What no name on disk means is an older version of the target at most.
            (Some(_), None) if self.hopeless.contains(&running.digest) => own == Some(running.digest.as_str()),
            _ if running.digest.is_empty() || own.is_none() => is_same_name(&running.name, &self.target.name),
            _ => own == Some(running.digest.as_str()),
        }
    }

    /// Whether nobody knows: it was deleted before anybody asked.
    pub(crate) fn may_be_target(&self, running: &Running) -> bool {
        self.weights.is_some()
            && !running.digest.is_empty()
            && self.known(running).is_none()
            && !self.is_target(running)
    }

    /// Why one that was deleted while it is in memory cannot be unloaded.
    pub(crate) fn deleted(&self, running: &Running) -> CommandError {
        let name = &running.name;
        CommandError::OutOfReach(format!(
            "{name} was deleted while it was in memory, and Ollama unloads by name: it {}",
            until(running)
        ))
    }
}

/// How long a model stays, in words.
pub(crate) fn until(running: &Running) -> String {
    let text = running.expires_at.as_deref().unwrap_or_default();
    match wire::expiry(running.expires_at.as_deref(), Timestamp::now()) {
        Expiry::Never => "stays until it has to make room or Ollama is restarted".to_owned(),
        Expiry::At(_) => format!("stays until {text} unless it is used"),
        Expiry::Unknown => "stays for a time that Ollama does not say".to_owned(),
    }
}
