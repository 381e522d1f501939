//! What a machine that has much else to do makes every agent miss.

use std::time::{Duration, SystemTime};

use crate::{Agent, Feed, Machine, Setup, wait_until};

/// An agent that nothing happens to. What it misses, the machine that runs the tests made it miss.
pub struct Control(Agent);

/// An agent's host, and that of a control, since a moment.
pub struct Beside<'a> {
    agent: &'a Agent,
    control: &'a Control,
    before: [f64; 2],
}

impl Control {
    /// Starts it; its host is read as often as that of the agent which it is held against.
    #[must_use]
    pub fn start(interval: &str) -> Self {
        let setup = Setup::default();
        let machine = Machine::beside(&setup);
        let off = "gpu: {enabled: false}, ollama: {enabled: false}, postgres: {enabled: false}";
        Self(setup.config(&format!("sources: {{host: {{interval: {interval}}}, {off}}}\n")).over(&machine).start())
    }

    /// How often its host was read.
    #[must_use]
    pub fn samples(&self) -> f64 {
        counted(&self.0, "samples_total")
    }

    /// How often its host should have been read and was not.
    #[must_use]
    pub fn missed(&self) -> f64 {
        counted(&self.0, "missed_ticks_total")
    }

    /// A client of its host's feed.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.0.feed()
    }

    /// The age of its newest reading.
    #[must_use]
    pub fn age(&self) -> Duration {
        let taken = Duration::from_secs_f64(counted(&self.0, "sample_timestamp_seconds"));
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + taken).unwrap_or_default()
    }

    /// From now on this agent's host is held against its own.
    #[must_use]
    pub fn beside<'a>(&'a self, agent: &'a Agent) -> Beside<'a> {
        Beside { agent, control: self, before: [counted(agent, "samples_total"), self.samples()] }
    }
}

impl Beside<'_> {
    /// The agent's host goes on, and was read at least half as often as that of the control.
    ///
    /// # Panics
    /// When it waited for something.
    pub fn assert_kept_pace(&self) {
        let taken = || counted(self.agent, "samples_total") - self.before[0];
        wait_until("the host goes on", || taken() > 5.0);
        // Accounts may be a second old, of five readings.
        let (taken, could) = (taken(), self.control.samples() - self.before[1]);
        assert!(taken >= could / 2.0 - 5.0, "the host was read {taken} times, that of an undisturbed agent {could}");
    }
}

fn counted(agent: &Agent, name: &str) -> f64 {
    agent.scrape("/metrics/aura").value(&format!("aura_source_{name}"), &[("source", "host")])
}
