//! The requests of one sample to one server.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use aura_model::{Missing, Name, Reason};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use crate::{
    Address, Client, Failure, FailureKind, InstalledModel, LoadedModel, Response, Server,
    wire::{self, Installed, Models, Running, Show},
};

/// The list of installed models is asked for again only after so many times as long as the last answer took:
/// Ollama reads a file for each model. It costs the server at most a twentieth of one core, however many there are.
const GENTLE: u32 = 20;
/// However long that answer took.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// While nobody looks it is asked for so often.
const LIST_REST: Duration = Duration::from_secs(30);
/// Models described in one sample besides those in memory: a server with a hundred of them is not asked a hundred questions
/// at once.
const DESCRIBED_AT_ONCE: usize = 2;

/// Asks one server, and remembers what need not be asked again.
pub(crate) struct Probe {
    address: Address,
    client: Client,
    within: Duration,
    version: Option<Name>,
    /// The connection on which the version was asked.
    version_of: u64,
    installed: Arc<Vec<InstalledModel>>,
    /// What is odd about the list.
    odd: Vec<String>,
    /// When it was asked for; none when it is not known.
    listed: Option<Instant>,
    /// Not before then it may be asked for again.
    list_due: Instant,
    /// Digests of models in memory that the list did not have: they were deleted, and it need not be asked for them.
    unlisted: Vec<String>,
    /// By digest, of what is on disk, and of what is in memory though it was deleted.
    described: HashMap<Name, Description>,
    describe_due: Instant,
}

#[derive(Clone, Default)]
struct Description {
    context_length: Option<u64>,
    parameter_count: Option<u64>,
    capabilities: Option<Vec<String>>,
    weights: Option<Name>,
    setup: Option<Name>,
}

/// What a server says of itself.
pub(crate) struct ProbeResult {
    pub(crate) version: Option<Name>,
    pub(crate) installed: Arc<Vec<InstalledModel>>,
    /// Without what only an observer knows: when it was loaded and used.
    pub(crate) loaded: Vec<LoadedModel>,
    /// What in them could not be read, while the rest could.
    pub(crate) odd: Vec<String>,
    /// Models on disk that are still to be described.
    pub(crate) incomplete: bool,
    pub(crate) answered_at: Timestamp,
    pub(crate) clock_offset_seconds: f64,
    pub(crate) seconds: f64,
}

/// Why it says nothing.
#[derive(Clone, Debug)]
pub(crate) struct ProbeError {
    pub(crate) kind: FailureKind,
    pub(crate) missing: Missing,
}

impl Probe {
    pub(crate) fn new(server: Server, within: Duration) -> Self {
        Self {
            address: server.address.clone(),
            client: Client::new(server),
            within,
            version: None,
            version_of: 0,
            installed: Arc::default(),
            odd: Vec::new(),
            listed: None,
            list_due: Instant::now(),
            unlisted: Vec::new(),
            described: HashMap::new(),
            describe_due: Instant::now(),
        }
    }

    /// Whether an Ollama is there at all.
    pub(crate) async fn greet(&mut self) -> Result<(), ProbeError> {
        self.ask_version().await?;
        match self.version {
            Some(_) => Ok(()),
            None => Err(self.unreadable("/api/version", "it has no version")),
        }
    }

    /// How many requests it sent.
    pub(crate) fn requests(&self) -> u64 {
        self.client.requests()
    }

    /// Asks for what is in memory, and for what else is due. `rest` says that nobody looks.
    pub(crate) async fn ask(&mut self, rest: bool) -> Result<ProbeResult, ProbeError> {
        let begun = Instant::now();
        let answer = self.get("/api/ps").await?;
        let answered_at = Timestamp::now();
        let (mut running, odd) = self.list_of("/api/ps", Running::list(&answer.body))?;
        // Ollama sorts by the second, and within one by chance.
        running.sort_by_cached_key(|model| {
            (Reverse(wire::second(model.expires_at.as_deref())), model.name.clone(), model.digest.clone())
        });
        if self.client.connections() != self.version_of {
            self.ask_version().await?;
        }
        let is_new = |model: &Running| !self.is_listed(model) && !self.unlisted.contains(&model.digest);
        let pause = if rest { LIST_REST } else { Duration::ZERO };
        let is_due = self.listed.is_none_or(|at| at.elapsed() >= pause && Instant::now() >= self.list_due);
        if is_due || running.iter().any(is_new) {
            self.list().await?;
            let unlisted = running.iter().filter(|model| !self.is_listed(model));
            self.unlisted = unlisted.map(|model| model.digest.clone()).collect();
        }
        self.described.retain(|digest, _| {
            self.installed.iter().any(|model| model.digest == *digest)
                || running.iter().any(|model| *model.digest == **digest)
        });
        self.describe(&running).await;
        let clock_offset_seconds = answer.date.map_or(0.0, |date| clock_offset(date, answered_at));
        let server_time = answered_at.as_duration().as_secs_f64() + clock_offset_seconds;
        let no_version = self.version.is_none().then(|| "/api/version has no text \"version\"".to_owned());
        let loaded = running.into_iter().map(|model| {
            let description = self.described.get(&*model.digest).cloned().unwrap_or_default();
            LoadedModel {
                weights: description.weights,
                setup: description.setup,
                ..loaded(model, answered_at, server_time)
            }
        });
        Ok(ProbeResult {
            version: self.version.clone(),
            installed: Arc::clone(&self.installed),
            loaded: loaded.collect(),
            odd: odd.into_iter().chain(self.odd.iter().cloned()).chain(no_version).collect(),
            incomplete: Instant::now() >= self.describe_due
                && self.installed.iter().any(|model| !model.remote && !self.described.contains_key(&model.digest)),
            answered_at,
            clock_offset_seconds,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }

    fn is_listed(&self, model: &Running) -> bool {
        self.installed.iter().any(|installed| *installed.digest == *model.digest)
    }

    async fn ask_version(&mut self) -> Result<(), ProbeError> {
        let answer = self.get("/api/version").await?;
        self.version = wire::version(&answer.body).map(Into::into);
        self.version_of = self.client.connections();
        Ok(())
    }

    async fn list(&mut self) -> Result<(), ProbeError> {
        let begun = Instant::now();
        // One that cannot be read is asked for again at once: until then nobody knows what is installed.
        self.listed = None;
        let answer = self.get("/api/tags").await?;
        let (list, odd) = self.list_of("/api/tags", Installed::list(&answer.body))?;
        self.odd = odd;
        self.listed = Some(begun);
        self.list_due = Instant::now() + (begun.elapsed() * GENTLE).min(LONGEST_INTERVAL);
        let mut installed: Vec<InstalledModel> = list.into_iter().map(installed).collect();
        // Ollama lists what was changed last first, by the second, and within one by chance.
        installed.sort_by_cached_key(|model| {
            (Reverse(wire::second(model.modified_at.as_deref())), model.name.clone(), model.digest.clone())
        });
        for model in &mut installed {
            if let Some(description) = self.described.get(&model.digest) {
                complete(model, description);
            }
        }
        if installed != *self.installed {
            self.installed = Arc::new(installed);
        }
        Ok(())
    }

    /// Asks what the list does not say, once a digest: first of what is in memory, as its weights tell what else is. That this
    /// fails costs nothing but the detail.
    async fn describe(&mut self, running: &[Running]) {
        if Instant::now() < self.describe_due {
            return;
        }
        let unknown =
            self.installed.iter().filter(|model| !model.remote && !self.described.contains_key(&model.digest));
        let (loaded, others): (Vec<_>, Vec<_>) =
            unknown.partition(|model| running.iter().any(|running| *running.digest == *model.digest));
        let next = loaded.into_iter().chain(others.into_iter().take(DESCRIBED_AT_ONCE));
        let next: Vec<(Name, Name)> = next.map(|model| (model.name.clone(), model.digest.clone())).collect();
        for (name, digest) in next {
            if self.described.contains_key(&digest) {
                continue;
            }
            let Ok(answer) = self.client.post("/api/show", &json!({ "model": name }), self.within).await else {
                self.describe_due = Instant::now() + LONGEST_INTERVAL;
                return;
            };
            let show = if answer.status.is_success() { Show::read(&answer.body) } else { Show::default() };
            let description = Description {
                context_length: show.context_length,
                parameter_count: show.parameter_count,
                weights: show.weights().map(Into::into),
                setup: (!show.modelfile.is_empty()).then(|| show.setup().into()),
                capabilities: show.capabilities,
            };
            for model in Arc::make_mut(&mut self.installed).iter_mut().filter(|model| model.digest == digest) {
                complete(model, &description);
            }
            self.described.insert(digest, description);
        }
    }

    async fn get(&mut self, path: &str) -> Result<Response, ProbeError> {
        let answer = self.client.get(path, self.within).await.map_err(|failure| silence(&failure))?;
        if answer.status == StatusCode::OK {
            return Ok(answer);
        }
        let said = said(&answer);
        let help = match answer.status {
            StatusCode::UNAUTHORIZED => ": it wants a login; see token_file, user and password_file of its host",
            status if status.is_redirection() => ": this address leads elsewhere; name the one that it leads to",
            StatusCode::FORBIDDEN => ": it does not answer under this name; see OLLAMA_HOST and OLLAMA_ORIGINS there",
            StatusCode::NOT_FOUND => ": this is no Ollama, or a very old one",
            _ => "",
        };
        let detail = format!("{}{path} answered {}{said}{help}", self.address, answer.status);
        let reason = if answer.status == StatusCode::UNAUTHORIZED { Reason::NoPermission } else { Reason::Unreadable };
        Err(ProbeError { kind: FailureKind::Status, missing: Missing::new(reason, detail) })
    }

    fn list_of<M>(&self, path: &str, list: Result<Models<M>, String>) -> Result<Models<M>, ProbeError> {
        let (models, odd) = list.map_err(|error| self.unreadable(path, &error))?;
        Ok((models, odd.into_iter().map(|what| format!("{path}, {what}")).collect()))
    }

    fn unreadable(&self, path: &str, error: &str) -> ProbeError {
        let detail = format!("{}{path} did not answer as Ollama does: {error}", self.address);
        ProbeError { kind: FailureKind::Unreadable, missing: Missing::new(Reason::Unreadable, detail) }
    }
}

/// What a server's error says, in brackets; nothing when it says nothing.
pub(crate) fn said(answer: &Response) -> String {
    let text = wire::error(&answer.body);
    if text.is_empty() { String::new() } else { format!(" ({})", text.chars().take(300).collect::<String>()) }
}

fn silence(failure: &Failure) -> ProbeError {
    let reason = match failure {
        Failure::Unreachable { .. } => Reason::Unreachable,
        Failure::Busy { .. } => Reason::Stale,
        Failure::Unconnected { missing, .. } => missing.reason,
        Failure::Broken { .. } => Reason::Unreadable,
    };
    ProbeError { kind: failure.kind(), missing: Missing::new(reason, failure.to_string()) }
}

pub(crate) fn installed(model: Installed) -> InstalledModel {
    let digest = if model.digest.is_empty() { model.name.clone() } else { model.digest };
    InstalledModel {
        name: model.name.into(),
        digest: digest.into(),
        size: model.size,
        modified_at: model.modified_at,
        family: name(model.details.family),
        format: name(model.details.format),
        parameter_size: name(model.details.parameter_size),
        parameter_count: None,
        quantization: name(model.details.quantization_level),
        context_length: model.details.context_length.filter(|&tokens| tokens > 0),
        capabilities: model.capabilities,
        weights: None,
        setup: None,
        remote: model.remote,
    }
}

fn complete(model: &mut InstalledModel, description: &Description) {
    model.context_length = model.context_length.or(description.context_length);
    model.parameter_count = model.parameter_count.or(description.parameter_count);
    model.weights.clone_from(&description.weights);
    model.setup.clone_from(&description.setup);
    if model.capabilities.is_none() {
        model.capabilities.clone_from(&description.capabilities);
    }
}

fn loaded(model: Running, answered_at: Timestamp, server_time: f64) -> LoadedModel {
    let expiry = wire::expiry(model.expires_at.as_deref(), answered_at);
    LoadedModel {
        name: model.name.into(),
        digest: model.digest.into(),
        weights: None,
        setup: None,
        size: model.size,
        size_vram: model.size_vram,
        family: name(model.details.family),
        parameter_size: name(model.details.parameter_size),
        quantization: name(model.details.quantization_level),
        // Versions before 0.12 do not say; a zero is none.
        context_length: model.context_length.filter(|&tokens| tokens > 0),
        stopping: matches!(expiry, crate::Expiry::At(time) if time <= server_time),
        expiry,
        expires_at: model.expires_at,
        crashed: false,
        loaded_at: None,
        last_used: None,
    }
}

fn name(text: Option<String>) -> Option<Name> {
    text.filter(|text| !text.is_empty()).map(Into::into)
}

/// How far a server's clock is ahead. Its date has no fraction and was written before it came here, so up to two
/// seconds of difference mean nothing.
fn clock_offset(date: Timestamp, now: Timestamp) -> f64 {
    let offset = date.as_duration().as_secs_f64() + 0.5 - now.as_duration().as_secs_f64();
    if offset.abs() > 2.0 { offset } else { 0.0 }
}
