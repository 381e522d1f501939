//! The engines: since 0.30 Ollama runs a `llama-server` for each file of weights, and that tells what Ollama does not:
//! tokens a second, slots, requests that run. Its command line names the weights and its port, which any user may read;
//! it is asked on 127.0.0.1 alone, and only when it is the watched server's child.

mod reading;

pub use self::reading::{Counters, End, Engine, EngineKind, EngineState, EnginesReading, Parent, Slot, WeightsTotals};

/// What a look at the processes of this machine says before anything is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// An engine appeared, became ready or went since the last look: what the server lists has changed.
    pub(crate) changed: bool,
    /// An engine worked since the last look or works now: a use that moves an expiry.
    pub(crate) worked: bool,
}

/// The engines of one server.
#[derive(Default)]
pub(crate) struct Engines;

impl Engines {
    /// Looks at the processes, once a sample. None where they cannot be seen (another machine, a container): then nothing
    /// hints at changes.
    pub(crate) fn look(&mut self) -> Option<Look> {
        None
    }

    #[expect(dead_code, reason = "the observer asks it once it knows weights")]
    /// When the newest engine of these weights was started, in Unix seconds, where that is known.
    pub(crate) fn born(&self, _weights: &str) -> Option<f64> {
        None
    }
}
