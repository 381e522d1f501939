//! The log: standard error, one line an event.

use std::io::{IsTerminal, stderr};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, Registry, fmt,
    layer::SubscriberExt,
    reload::{self, Handle},
    util::SubscriberInitExt,
};

use crate::config::{Log, LogFormat, LogLevel};

/// Changes the level of the running log.
pub(super) struct Logging(Handle<LevelFilter, Registry>);

impl Logging {
    /// Starts logging. The format stays as it is until the agent is started again.
    #[must_use]
    pub(super) fn start(log: &Log) -> Self {
        let (filter, handle) = reload::Layer::new(level(log.level));
        let layer = fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
        let layer = match log.format {
            LogFormat::Text => layer.with_target(false).compact().boxed(),
            LogFormat::Json => layer.json().flatten_event(true).boxed(),
        };
        // A second start, in a test say, keeps the first log.
        let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
        Self(handle)
    }

    /// Puts another level in force.
    pub(super) fn set_level(&self, log: &Log) {
        let _ = self.0.reload(level(log.level));
    }
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
