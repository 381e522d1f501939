//! Ollama as a source: which models are installed, which are loaded, how much memory they take and until when.
//!
//! Ollama has no metrics of its own, so its HTTP API is asked: `/api/ps` at every sample, `/api/tags` as often as it
//! is cheap, `/api/version` once a connection, `/api/show` once a digest. `/api/ps` takes Ollama's scheduler lock, and
//! Ollama answers nothing before it has something to say: silence means that it is busy, never that it is down.
//!
//! Ollama keys what is in memory by the **file of the weights**: names and digests of manifests are labels on it, and several
//! may be on one. What is loaded is told by that file here too, wherever it is known.
//!
//! Besides the [`Ollama`] source stands the [`Command`], which loads and unloads on a connection of its own: Ollama gives a load up
//! when the connection that asked for it closes, so no sample and no user may own that connection.

mod address;
mod client;
mod command;
mod engine;
mod fields;
mod hosts;
mod ledger;
mod machine;
mod metrics;
mod names;
mod need;
mod observe;
mod options;
mod pace;
mod probe;
mod reading;
mod resident;
mod server;
mod source;
mod wire;

pub use self::{
    address::Address,
    client::{Client, Failure, Response},
    command::{Command, CommandError, Done, KeepAlive, Target, installed_now},
    engine::{Counters, End, Engine, EngineKind, EngineState, EnginesReading, Parent, Slot, WeightsTotals},
    hosts::OllamaHost,
    ledger::{Action, Commands, Ledger, Outcome, Tally},
    machine::{Limits, Machine, ServerSettings},
    names::{find_named, is_same_name, name_problem, similar_names},
    need::{GpuRoom, MemoryNeed},
    options::OllamaOptions,
    pace::Audience,
    reading::{
        Expiry, FailureKind, HostReading, HostStatus, InstalledModel, LoadedModel, OllamaReading, RequestStats,
        Version, Weights,
    },
    server::Server,
    source::Ollama,
};
