//! Loading and unloading, each on a connection of its own and finished only when `/api/ps` says so.

use std::time::Duration;

use aura_model::{Interval, Name, Stopwatch};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    Action, Client, Failure, GpuRoom, InstalledModel, Ledger, Machine, MemoryNeed, Outcome, Response, Server, Weights,
    is_same_name,
    probe::installed,
    resident::{Resident, until},
    wire::{self, Installed, Running},
};

/// After Ollama has said that a model is loaded, the list shows it within this time or something is wrong.
const CONFIRM: Duration = Duration::from_secs(15);
/// Ollama takes an idle model out of memory at once, if at all.
const AT_ONCE: Duration = Duration::from_secs(2);
/// The list of what is installed may take so long.
const LIST: Duration = Duration::from_secs(5);

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
    /// As the server is set, 5 minutes usually; what is in memory stays for as long as before.
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
    /// Its digest, if known.
    pub digest: Option<Name>,
    /// It can do nothing but embed.
    pub embedding: bool,
    /// Bytes of its files, if known.
    pub size: Option<u64>,
}

impl From<&str> for Target {
    fn from(name: &str) -> Self {
        Self { name: name.into(), digest: None, embedding: false, size: None }
    }
}

impl From<&InstalledModel> for Target {
    fn from(model: &InstalledModel) -> Self {
        let can = |what: &str| model.capabilities.as_ref().is_some_and(|all| all.iter().any(|known| known == what));
        Self {
            name: model.name.clone(),
            digest: Some(model.digest.clone()),
            embedding: can("embedding") && !can("completion"),
            size: model.size,
        }
    }
}

/// It is as it was to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// From the request until `/api/ps` said so.
    pub took: Duration,
    /// It was so already, so nothing was asked of Ollama, and nothing is counted.
    pub already: bool,
    /// The name under which it was in memory, where that is another: it is gone by that name, too.
    pub gone: Option<Name>,
    /// What else there is to say, in a sentence.
    pub note: Option<String>,
    /// What the load was reckoned to take; none where that is not known of any part, or it was in memory.
    pub memory: Option<MemoryNeed>,
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
    /// It takes more memory than there is: Ollama was not asked.
    #[error("{}", .0.sentence())]
    DoesNotFit(MemoryNeed),
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
    /// It is in memory under another name, which would go with it.
    #[error("{target} is in memory as {goes}, which would go")]
    OtherName {
        /// What was to be unloaded.
        target: Name,
        /// The name that would go.
        goes: Name,
    },
    /// Ollama cannot unload it: its name means something else by now, or nothing.
    #[error("{0}")]
    OutOfReach(String),
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
            Self::OtherName { .. } | Self::OutOfReach(_) | Self::DoesNotFit(_) => Outcome::Declined,
            Self::TooLong(_) | Self::Unconfirmed(_) | Self::Failure(Failure::Busy { .. }) => Outcome::Timeout,
            Self::Failure(Failure::Unreachable { .. }) => Outcome::Unreachable,
            Self::Refused(_) | Self::Failure(Failure::Unconnected { .. } | Failure::Broken { .. }) => Outcome::Failed,
        }
    }
}

/// One load or unload. How it ended is noted in the ledger.
pub struct Command<'a> {
    /// Where it is noted.
    pub ledger: &'a Ledger,
    /// The server.
    pub server: &'a Server,
    /// The model.
    pub target: &'a Target,
    /// The weights of what is on the server, as far as known; the others are asked for.
    pub known: Weights,
    /// Where the server runs, to see what it has left; none where that is not seen.
    pub machine: Option<Machine>,
    /// The GPUs there.
    pub gpus: GpuRoom,
    /// Whether what was not named may go with it, and what does not fit is tried.
    pub force: bool,
    /// It is given up after this time.
    pub within: Duration,
}

impl Command<'_> {
    /// Loads the model, and waits until the server lists its weights. Giving up the wait aborts the load.
    ///
    /// # Errors
    /// Why it is not loaded.
    pub async fn load(self, keep_alive: KeepAlive) -> Result<Done, CommandError> {
        let (name, within) = (&self.target.name, self.within);
        let mut resident = Resident::new(self.server, self.target, self.known);
        noted(self.ledger, self.server, Action::Load, async {
            let show = resident.show_target().await?;
            let was_there = resident.list(within).await?.iter().any(|running| resident.is_target(running));
            let machine = self.machine.as_ref().filter(|_| !was_there);
            let memory = machine.map(|machine| MemoryNeed::of(self.target, &show, machine, self.gpus));
            if let Some(need) = memory.as_ref().filter(|need| need.exceeds() && !self.force) {
                return Err(CommandError::DoesNotFit(need.clone()));
            }
            let mut body = json!({ "model": name, "stream": false });
            if let Some(seconds) = keep_alive.seconds() {
                body["keep_alive"] = seconds.into();
            }
            let client = &mut resident.client;
            let generated =
                if self.target.embedding { None } else { Some(ask(client, "/api/generate", &body, within).await) };
            match generated {
                Some(Err(CommandError::Unsupported(_))) | None => ask(client, "/api/embed", &body, within).await?,
                Some(result) => result?,
            }
            let Some(all) = resident.wait(CONFIRM, |all, is_target| all.iter().any(is_target)).await? else {
                return Err(CommandError::Unconfirmed(format!(
                    "Ollama said that {name} was loaded, and does not list it: it had to make room again"
                )));
            };
            let kept = all.iter().find(|running| resident.is_target(running)).filter(|_| was_there);
            let kept = kept.filter(|_| keep_alive == KeepAlive::Default);
            let note = kept.map(|kept| format!("it was in memory, and Ollama leaves it so: {}", until(kept)));
            Ok(Done { note, memory, ..Done::default() })
        })
        .await
    }

    /// Unloads the model, and waits until the server no longer lists its weights. For what is not in memory nothing is
    /// asked, and what goes by another name goes only by force.
    ///
    /// # Errors
    /// Why it is still there.
    pub async fn unload(self) -> Result<Done, CommandError> {
        let (name, force) = (&self.target.name, self.force);
        let mut resident = Resident::new(self.server, self.target, self.known);
        noted(self.ledger, self.server, Action::Unload, async {
            let shown = resident.show_target().await;
            let all = resident.list(self.within).await?;
            let is_named = |running: &&Running| is_same_name(&running.name, name);
            if let Err(CommandError::NotFound(text)) = shown {
                let deleted = all.iter().find(is_named).map(|model| resident.deleted(model));
                return Err(deleted.unwrap_or(CommandError::NotFound(text)));
            }
            shown?;
            let older = all.iter().find(|running| is_named(running) && !resident.is_target(running));
            let target = all.iter().find(|running| resident.is_target(running));
            // Whose weights nobody knows may be it.
            let unknown = || all.iter().find(|running| is_named(running) && resident.may_be_target(running));
            let unknown = unknown().or_else(|| all.iter().find(|running| resident.may_be_target(running)));
            let Some(goes) = target.or(unknown) else {
                return match older {
                    Some(older) => Err(CommandError::OutOfReach(format!(
                        "{name} means another model by now; the one in memory {}",
                        until(older)
                    ))),
                    None => Ok(Done { already: true, ..Done::default() }),
                };
            };
            if !is_named(&goes) && !force {
                return Err(CommandError::OtherName { target: name.clone(), goes: goes.name.as_str().into() });
            }
            let body = json!({ "model": name, "stream": false, "keep_alive": 0 });
            ask(&mut resident.client, "/api/generate", &body, self.within).await?;
            let within = if target.is_some() { self.within } else { AT_ONCE };
            let left = |all: &[Running], is_target: &dyn Fn(&Running) -> bool| {
                all.iter().any(|running| is_target(running) || target.is_none() && running.digest == goes.digest)
            };
            if resident.wait(within, |all, is_target| !left(all, &is_target)).await?.is_none() {
                return Err(match target {
                    Some(_) => CommandError::Unconfirmed(format!(
                        "{name} is still there after {:.0} s: it finishes a request first",
                        within.as_secs_f64()
                    )),
                    None => CommandError::OutOfReach(format!("{name} is not in memory; {} {}", goes.name, until(goes))),
                });
            }
            let gone = (!is_named(&goes)).then(|| goes.name.as_str().into());
            let older = older.filter(|older| older.digest != goes.digest);
            let note = older.map(|older| format!("an older version of it is still in memory: it {}", until(older)));
            Ok(Done { gone, note, ..Done::default() })
        })
        .await
    }
}

/// What is installed on a server at this moment.
///
/// # Errors
/// It does not say.
pub async fn installed_now(server: &Server) -> Result<Vec<InstalledModel>, CommandError> {
    let answer = Client::new(server.clone()).get("/api/tags", LIST).await?;
    let list = Installed::list(&answer.body).map_err(CommandError::Refused)?;
    Ok(list.0.into_iter().map(installed).collect())
}

async fn noted(
    ledger: &Ledger,
    server: &Server,
    action: Action,
    work: impl Future<Output = Result<Done, CommandError>>,
) -> Result<Done, CommandError> {
    let begun = Stopwatch::start();
    ledger.begin(&server.address.authority());
    let result = work.await;
    let took = begun.started().elapsed();
    let outcome = result.as_ref().err().map_or(Outcome::Ok, CommandError::outcome);
    if !result.as_ref().is_ok_and(|done| done.already) {
        ledger.note(&server.address.authority(), action, outcome, took);
    }
    result.map(|done| Done { took, ..done })
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

/// What Ollama's status and text mean.
pub(crate) fn refusal(answer: &Response) -> CommandError {
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
