//! The engines: since 0.30 Ollama runs a `llama-server` for each file of weights, and that tells what Ollama does not:
//! tokens a second, slots, requests that run. Its command line names the weights and its port, which any user may read;
//! it is asked on 127.0.0.1 alone, and only when it is the watched server's child.
//!
//! A process may call itself what it likes. So the server is the process named `ollama` whose user listens on the
//! server's port, an engine is a child of that process with the same user, and it is asked only where that user listens.

mod ask;
mod command_line;
#[cfg_attr(not(target_os = "linux"), path = "no_events.rs")]
mod events;
mod life;
pub(crate) mod metrics;
mod names;
mod processes;
mod reading;
mod sockets;
mod texts;
mod totals;
mod watch;

#[cfg(test)]
mod tests;

pub use self::reading::{Counters, End, Engine, EngineKind, EngineState, EnginesReading, Parent, Slot, WeightsTotals};
pub(crate) use self::{
    processes::{Process, Processes},
    watch::Engines,
};

/// What a look at the processes of this machine says before anything is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// An engine appeared, became ready or went since the last look: what the server lists has changed.
    pub(crate) changed: bool,
    /// An engine worked since the last look or works now: a use that moves an expiry.
    pub(crate) worked: bool,
}
