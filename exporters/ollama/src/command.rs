//! Loading and unloading, each on a connection of its own and finished only when `/api/ps` says so.

use std::time::Duration;

use aura_model::{Interval, Name, Stopwatch};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Action, Client, Failure, InstalledModel, Ledger, Outcome, Response, Server,
    wire::{self, Running},
};

/// `/api/ps` is asked so often whether it is done.
const LOOK: Duration = Duration::from_millis(200);
/// One answer of `/api/ps` may take so long; it is busy then and asked again.
const ANSWER: Duration = Duration::from_secs(5);
/// After Ollama has said that a model is loaded, the list shows it within this time or something is wrong.
const CONFIRM: Duration = Duration::from_secs(15);

/// Words of every version's refusals for want of memory. Newer ones do no reckoning before they load on a CPU: the
/// allocator or the kernel ends their runner.
const MEMORY: [&str; 11] = [
    "requires more",
    "out of memory",
    "unable to allocate",
    "insufficient memory",
    "not enough memory",
    "failed to allocate",
    "allocation failed",
    "cannot be allocated",
    "alloc_tensor_range",
    "bad_alloc",
    "signal: killed",
];

/// How long a model stays after its last use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// As the server is set, 5 minutes usually.
    Default,
    /// Until it is unloaded.
    Forever,
    /// So long.
    For(Interval),
}

impl KeepAlive {
    /// What goes into a request: seconds, negative for ever, nothing for the server's own choice.
    fn seconds(self) -> Option<i64> {
        match self {
            Self::Default => None,
            Self::Forever => Some(-1),
            // Rounded up: a zero would unload the model at once.
            Self::For(interval) => Some(i64::try_from(interval.get().as_millis().div_ceil(1000)).unwrap_or(i64::MAX)),
        }
    }
}

/// The model that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name with its tag.
    pub name: Name,
    /// Its digest, if known. Ollama lists a model under the name that loaded it, and others of its names share it.
    pub digest: Option<Name>,
    /// It can do nothing but embed.
    pub embedding: bool,
}

impl From<&str> for Target {
    fn from(name: &str) -> Self {
        Self { name: name.into(), digest: None, embedding: false }
    }
}

impl From<&InstalledModel> for Target {
    fn from(model: &InstalledModel) -> Self {
        let can = |what: &str| model.capabilities.as_ref().is_some_and(|all| all.iter().any(|known| known == what));
        Self {
            name: model.name.clone(),
            digest: Some(model.digest.clone()),
            embedding: can("embedding") && !can("completion"),
        }
    }
}

impl Target {
    fn is(&self, running: &Running) -> bool {
        *running.name == *self.name || self.digest.as_deref().is_some_and(|digest| running.digest == digest)
    }
}

/// It was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// From the request until `/api/ps` said so.
    pub took: Duration,
}

/// Why it was not done. The texts are Ollama's own where it gave one.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such model.
    #[error("{0}")]
    NotFound(String),
    /// It does not fit into memory.
    #[error("{0}")]
    NoMemory(String),
    /// The model cannot be used so.
    #[error("{0}")]
    Unsupported(String),
    /// The server takes no more requests.
    #[error("{0}")]
    Busy(String),
    /// It was loaded, but the server does not list it; or it was to be unloaded and is still there.
    #[error("{0}")]
    Unconfirmed(String),
    /// It took longer than allowed, and was given up.
    #[error("{0}")]
    TooLong(String),
    /// The server refused for another reason.
    #[error("{0}")]
    Refused(String),
    /// The server cannot be reached, or broke off.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl CommandError {
    /// How it counts.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NotFound(_) => Outcome::NotFound,
            Self::NoMemory(_) => Outcome::NoMemory,
            Self::Unsupported(_) => Outcome::Unsupported,
            Self::Busy(_) => Outcome::Busy,
            Self::TooLong(_) | Self::Unconfirmed(_) | Self::Failure(Failure::Busy { .. }) => Outcome::Timeout,
            Self::Failure(Failure::Unreachable { .. }) => Outcome::Unreachable,
            Self::Refused(_) | Self::Failure(Failure::Unconnected { .. } | Failure::Broken { .. }) => Outcome::Failed,
        }
    }
}

/// Loads a model, and waits until the server lists it. Giving up the wait aborts the load. How it ended is noted.
///
/// # Errors
/// Why it is not loaded.
pub async fn load(
    ledger: &Ledger,
    server: &Server,
    model: &Target,
    keep_alive: KeepAlive,
    within: Duration,
) -> Result<Done, CommandError> {
    noted(ledger, server, Action::Load, async {
        let mut client = Client::new(server.clone());
        let mut body = json!({ "model": model.name, "stream": false });
        if let Some(seconds) = keep_alive.seconds() {
            body["keep_alive"] = seconds.into();
        }
        let generated = if model.embedding { None } else { Some(ask(&mut client, "/api/generate", &body, within).await) };
        match generated {
            Some(Err(CommandError::Unsupported(_))) | None => ask(&mut client, "/api/embed", &body, within).await?,
            Some(result) => result?,
        }
        let confirmed = wait_for(&mut client, model, true, CONFIRM).await?;
        if confirmed {
            return Ok(());
        }
        Err(CommandError::Unconfirmed(format!(
            "Ollama said that {} was loaded, and does not list it: it had to make room again, or its weights are loaded \
             under another name",
            model.name
        )))
    })
    .await
}

/// Unloads a model, and waits until the server no longer lists it. How it ended is noted.
///
/// # Errors
/// Why it is still there.
pub async fn unload(ledger: &Ledger, server: &Server, model: &Target, within: Duration) -> Result<Done, CommandError> {
    noted(ledger, server, Action::Unload, async {
        let mut client = Client::new(server.clone());
        let body = json!({ "model": model.name, "stream": false, "keep_alive": 0 });
        ask(&mut client, "/api/generate", &body, within).await?;
        if wait_for(&mut client, model, false, within).await? {
            return Ok(());
        }
        Err(CommandError::Unconfirmed(format!(
            "{} is still there after {:.0} s: it finishes a request first, or an older version of it goes by itself",
            model.name,
            within.as_secs_f64()
        )))
    })
    .await
}

async fn noted(
    ledger: &Ledger,
    server: &Server,
    action: Action,
    work: impl Future<Output = Result<(), CommandError>>,
) -> Result<Done, CommandError> {
    let begun = Stopwatch::start();
    let result = work.await;
    let took = begun.started().elapsed();
    let outcome = result.as_ref().err().map_or(Outcome::Ok, CommandError::outcome);
    ledger.note(&server.address.authority(), action, outcome, took);
    result.map(|()| Done { took })
}

async fn ask(client: &mut Client, path: &str, body: &Value, within: Duration) -> Result<(), CommandError> {
    match client.post(path, body, within).await {
        Ok(answer) if answer.status == StatusCode::OK => Ok(()),
        Ok(answer) => Err(refusal(&answer)),
        Err(Failure::Busy { .. }) => {
            Err(CommandError::TooLong(format!("it was given up after {:.0} s", within.as_secs_f64())))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Asks until the list holds the model, or no longer does; whether that came true in time.
async fn wait_for(client: &mut Client, model: &Target, listed: bool, within: Duration) -> Result<bool, CommandError> {
    let begun = Stopwatch::start();
    loop {
        match client.get("/api/ps", ANSWER).await {
            Ok(answer) => {
                let running = Running::list(&answer.body);
                if running.is_ok_and(|(models, _)| models.iter().any(|running| model.is(running)) == listed) {
                    return Ok(true);
                }
            }
            Err(Failure::Busy { .. }) => {}
            Err(failure) => return Err(failure.into()),
        }
        if begun.left(within).is_zero() {
            return Ok(false);
        }
        sleep(LOOK).await;
    }
}

/// What Ollama's status and text mean.
fn refusal(answer: &Response) -> CommandError {
    let text = wire::error(&answer.body);
    let text =
        if text.is_empty() { format!("Ollama answered {}", answer.status) } else { text.chars().take(500).collect() };
    let lower = text.to_lowercase();
    let about_memory = MEMORY.iter().any(|words| lower.contains(words));
    match answer.status {
        StatusCode::NOT_FOUND => CommandError::NotFound(text),
        StatusCode::BAD_REQUEST if lower.contains("does not support") => CommandError::Unsupported(text),
        StatusCode::SERVICE_UNAVAILABLE => CommandError::Busy(text),
        _ if about_memory => CommandError::NoMemory(text),
        _ => CommandError::Refused(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        for (status, text, outcome) in [
            (404, "model 'x' not found", Outcome::NotFound),
            (400, "\"x\" does not support generate", Outcome::Unsupported),
            (400, "model is required", Outcome::Failed),
            (503, "server busy, please try again.  maximum pending requests exceeded", Outcome::Busy),
            (500, "model requires more system memory (5.6 GiB) than is available (3.1 GiB)", Outcome::NoMemory),
            (500, "llama runner process has terminated: cudaMalloc failed: out of memory", Outcome::NoMemory),
            (500, "memory layout cannot be allocated with num_gpu = 26", Outcome::NoMemory),
            (500, "llama runner process has terminated: signal: killed", Outcome::NoMemory),
            (
                500,
                "llama-server process has terminated: exit status 1: llama_init_from_model: failed to initialize the \
                 context: std::bad_alloc",
                Outcome::NoMemory,
            ),
            (500, "unable to allocate CUDA0 buffer", Outcome::NoMemory),
            (500, "llama runner process has terminated: exit status 2", Outcome::Failed),
            (500, "invalid file magic", Outcome::Failed),
        ] {
            let body = json!({ "error": text }).to_string().into();
            let answer = Response { status: StatusCode::from_u16(status).unwrap(), body, date: None };
            let error = refusal(&answer);
            assert_eq!((error.outcome(), error.to_string().as_str()), (outcome, text));
        }
        let empty = Response { status: StatusCode::FORBIDDEN, body: "".into(), date: None };
        assert_eq!(refusal(&empty).to_string(), "Ollama answered 403 Forbidden");
    }

    #[test]
    fn no_keep_alive_rounds_to_an_unload() {
        assert_eq!(KeepAlive::For(Interval::from_millis(1)).seconds(), Some(1));
        assert_eq!(KeepAlive::For(Interval::from_secs(90)).seconds(), Some(90));
        assert_eq!(KeepAlive::Forever.seconds(), Some(-1));
        assert_eq!(KeepAlive::Default.seconds(), None);
    }
}
