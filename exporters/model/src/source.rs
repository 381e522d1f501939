//! What a source is to the agent: options in, readings out.

use std::{
    any::Any,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Group, Interval, Missing, Switch};

/// A device's, file system's or process's name: many readings share one allocation.
pub type Name = Arc<str>;

/// When a source is asked, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Whether it is asked at all.
    pub enabled: Switch,
    /// From the start of one sample to the start of the next.
    pub interval: Interval,
    /// A sample that takes longer is late: the source is shown as stale until it returns.
    pub timeout: Interval,
}

/// A source's part of the configuration. Its serde form is the YAML below `sources.<name>`; its doc comments
/// become the example file and the reference.
pub trait Options: DeserializeOwned + Serialize + JsonSchema + Default + Clone + PartialEq + Send + 'static {
    /// When the source is asked.
    fn schedule(&self) -> Schedule;

    /// What serde cannot see: values that contradict each other or lie out of range. Each problem names the
    /// key, relative to this section (`filesystem.timeout`).
    fn problems(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Where the outside world is mounted: elsewhere in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Paths {
    /// Root of procfs.
    pub procfs: PathBuf,
    /// Root of sysfs.
    pub sysfs: PathBuf,
    /// Root of the watched file systems; it is stripped from mount points.
    pub rootfs: PathBuf,
    /// udev's database, where disks have their names and serial numbers.
    pub udev: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self { procfs: "/proc".into(), sysfs: "/sys".into(), rootfs: "/".into(), udev: "/run/udev/data".into() }
    }
}

/// What the agent lends a source.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where the outside world is mounted.
    pub paths: Paths,
    /// The one folder that may be written to, for what outlives a restart; none unless one is configured.
    pub storage: Option<PathBuf>,
    /// The names of all metrics that the agent declares, as declared: what comes from outside must take no other's.
    pub declared: Arc<[&'static str]>,
    /// So long a reading that no newer one follows is still shown, with its age.
    pub stale_after: Duration,
    watched: Arc<AtomicBool>,
    lent: Vec<Arc<dyn Any + Send + Sync>>,
}

impl Default for Context {
    fn default() -> Self {
        Self::new(Paths::default())
    }
}

impl Context {
    /// The usual time for which a reading is shown: longer than a busy machine stands still, and no longer than most
    /// scrapers wait from one scrape to the next.
    pub const STALE_AFTER: Duration = Duration::from_secs(15);

    /// A context over these roots.
    #[must_use]
    pub fn new(paths: Paths) -> Self {
        let declared = [].into();
        Self {
            paths,
            storage: None,
            declared,
            stale_after: Self::STALE_AFTER,
            watched: Arc::default(),
            lent: Vec::new(),
        }
    }

    /// The same with a folder for what outlives a restart.
    #[must_use]
    pub fn with_storage(self, storage: Option<PathBuf>) -> Self {
        Self { storage, ..self }
    }

    /// The same with the names that are taken.
    #[must_use]
    pub fn with_declared(self, declared: Arc<[&'static str]>) -> Self {
        Self { declared, ..self }
    }

    /// The same with another time for which a reading is shown.
    #[must_use]
    pub fn with_stale_after(self, stale_after: Duration) -> Self {
        Self { stale_after, ..self }
    }

    /// The same with something of the agent's own that one source knows by its type.
    #[must_use]
    pub fn lending<T: Any + Send + Sync>(mut self, value: Arc<T>) -> Self {
        self.lent.push(value);
        self
    }

    /// What was lent of this type.
    #[must_use]
    pub fn lent<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.lent.iter().find_map(|value| Arc::clone(value).downcast().ok())
    }

    /// Whether somebody looks at the live page now: the time for readings that are too expensive to take otherwise.
    #[must_use]
    pub fn watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Says whether somebody looks.
    pub fn set_watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }
}

/// One thing that is watched. The agent gives each source a thread of its own, so `sample` may block; it is
/// never called again before it has returned.
pub trait Source: Sized + 'static {
    /// Its part of the configuration.
    type Options: Options;
    /// What one sample yields: raw counters in base units, with the reasons of what is missing.
    type Reading: Serialize + Send + Sync + 'static;

    /// Its name in the configuration, on the command line and in `aura_source_*`.
    const NAME: &'static str;
    /// Its part of the metrics: `/metrics/<PART>`.
    const PART: &'static str;

    /// Its metrics, declared once.
    fn groups() -> &'static [Group<Self::Reading>];

    /// Looks for what is there. Called on the source's own thread, and again with exponential backoff for as
    /// long as it fails: what is missing today may be plugged in tomorrow.
    ///
    /// # Errors
    /// Why there is nothing to watch.
    fn open(options: &Self::Options, context: &Context) -> Result<Self, Missing>;

    /// Takes one sample.
    ///
    /// # Errors
    /// Why the whole reading is missing; a part that is missing is said inside the reading.
    fn sample(&mut self) -> Result<Self::Reading, Missing>;

    /// A few words for the log, from a first reading: what is watched, and what is not and why.
    fn describe(reading: &Self::Reading) -> Vec<String>;

    /// What is left to say when this reading has become too old to be shown: what was watched, none of it up. A name
    /// that ends in `_up` must not vanish when it matters most.
    fn outdated(_reading: &Self::Reading, _missing: &Missing) -> Option<Self::Reading> {
        None
    }
}

/// How one group of a reading fared.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupHealth {
    /// The group's name.
    pub group: &'static str,
    /// How long it took.
    pub duration: Duration,
    /// Whether it was read.
    pub success: bool,
}
