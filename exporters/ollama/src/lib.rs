//! Ollama as a source: which models are installed, which are loaded, how much memory they take and until when.
//!
//! Ollama has no metrics of its own, so its HTTP API is asked: `/api/ps` at every sample, `/api/tags` as often as it
//! is cheap, `/api/version` once a connection, `/api/show` once a model. `/api/ps` takes Ollama's scheduler lock, and
//! Ollama answers nothing before it has something to say: silence means that it is busy, never that it is down.
//!
//! Besides the [`Ollama`] source stands [`load`] and [`unload`], on connections of their own: Ollama gives a load up
//! when the connection that asked for it closes, so no sample and no user may own that connection.

mod address;
mod client;
mod command;
mod engine;
mod fields;
mod hosts;
mod ledger;
mod metrics;
mod observe;
mod options;
mod probe;
mod reading;
mod server;
mod source;
mod wire;

pub use self::{
    address::Address,
    client::{Client, Failure, Response},
    command::{CommandError, Done, KeepAlive, Target, load, unload},
    engine::{Counters, End, Engine, EngineKind, EngineState, EnginesReading, Parent, Slot, WeightsTotals},
    hosts::OllamaHost,
    ledger::{Action, Commands, Ledger, Outcome, Tally},
    options::OllamaOptions,
    reading::{Expiry, FailureKind, HostReading, HostStatus, InstalledModel, LoadedModel, OllamaReading, RequestStats},
    server::Server,
    source::Ollama,
};
