//! Starts the configured sources, and starts those anew whose options a reload has changed.

use std::{any::Any, collections::HashMap, sync::Arc};

use aura_model::{Context, Missing, Options, Reason, Source, Switch};
use tracing::info;

use crate::{
    config::{Sources, Visit},
    hub::{Hub, Running},
};

/// The sources that run, with the options they were started with.
pub(super) struct Supervised {
    hub: Arc<Hub>,
    context: Context,
    running: HashMap<&'static str, (Box<dyn Any>, Option<Running>)>,
}

impl Supervised {
    pub(super) fn new(hub: Arc<Hub>, context: Context) -> Self {
        Self { hub, context, running: HashMap::new() }
    }

    /// Brings the sources in line with the configuration.
    pub(super) fn apply(&mut self, sources: &Sources) {
        sources.visit(self);
    }

    /// Stops all sources.
    pub(super) fn stop(&mut self) {
        self.running.clear();
    }
}

impl Visit for Supervised {
    fn visit<S: Source>(&mut self, options: &S::Options) {
        let known = self.running.get(S::NAME).and_then(|(before, _)| before.downcast_ref::<S::Options>());
        if known == Some(options) {
            return;
        }
        let changed = known.is_some();
        let channel = self.hub.channel::<S>().unwrap_or_else(|| self.hub.register::<S>());
        self.running.remove(S::NAME);
        let running = if options.schedule().enabled == Switch::Off {
            let detail = format!("switched off: sources.{}.enabled is false", S::NAME);
            info!(source = S::NAME, "not watched: {detail}");
            channel.off(Missing::new(Reason::NotConfigured, detail));
            None
        } else {
            if changed {
                info!(source = S::NAME, "its options have changed: it is started anew");
            }
            Some(channel.start(options.clone(), self.context.clone()))
        };
        self.running.insert(S::NAME, (Box::new(options.clone()), running));
    }
}
