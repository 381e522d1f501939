//! What has to be waited for: error reports (XID) and the chip's own counters. One thread a session does both, so
//! that the sample never waits. The driver gives one report at a time and forgets older codes when nobody listens,
//! so listening once a sample would lose some.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aura_model::Name;
use nvml_wrapper::{
    Device, EventSet, GpmSample, Nvml, bitmasks::event::EventTypes, enums::event::XidError, enums::gpm::GpmMetricId,
    error::NvmlError, gpm::gpm_metrics_get,
};

use super::raw;
use crate::reading::{Profile, Xid, Xids};

/// The longest that one wait takes: so long may the end of a session take too.
const WAIT_MILLISECONDS: u32 = 500;

/// What was reported, by card. It outlives a session: counts go on over a reset.
#[derive(Default)]
pub(super) struct Reports(Mutex<HashMap<Name, Report>>);

#[derive(Default)]
struct Report {
    xids: Option<Xids>,
    /// The driver refused to report the card's errors.
    silent: bool,
    profile: Option<(Instant, Profile)>,
}

/// The thread; it ends when this is dropped.
pub(super) struct Watcher {
    stop: Option<Sender<()>>,
    ended: Receiver<()>,
}

impl Reports {
    /// The card's errors; none where the driver does not report any.
    pub(super) fn xids(&self, uuid: &str) -> Option<Xids> {
        self.lock().get(uuid)?.xids.clone()
    }

    /// Whether the driver refused to report the card's errors: not so while nobody has asked yet.
    pub(super) fn is_silent(&self, uuid: &str) -> bool {
        self.lock().get(uuid).is_some_and(|report| report.silent)
    }

    /// What the card's counters said, unless that is long ago.
    pub(super) fn profile(&self, uuid: &str) -> Option<Profile> {
        let (taken, profile) = self.lock().get(uuid)?.profile?;
        (taken.elapsed() < Duration::from_secs(10)).then_some(profile)
    }

    fn listened(&self, uuid: &Name) {
        let mut reports = self.lock();
        let report = reports.entry(uuid.clone()).or_default();
        report.silent = false;
        report.xids.get_or_insert_default();
    }

    fn reported(&self, uuid: &Name, code: u64) {
        let last_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let mut reports = self.lock();
        let xids = reports.entry(uuid.clone()).or_default().xids.get_or_insert_default();
        xids.last = Some(code);
        let seen = xids.seen.entry(code).or_insert(Xid { count: 0, last_at });
        *seen = Xid { count: seen.count + 1, last_at };
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Report>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher {
    /// Starts listening.
    pub(super) fn start(nvml: Arc<Nvml>, reports: Arc<Reports>, interval: Duration) -> Self {
        let (stop, stopped) = channel();
        let (ending, ended) = channel();
        let work = move || {
            watch(&nvml, &reports, interval, &stopped);
            drop(nvml);
            drop(ending);
        };
        // Without the thread there are no reports and no profile, and both say so by being absent.
        let _ = thread::Builder::new().name("gpu-events".into()).stack_size(256 << 10).spawn(work);
        Self { stop: Some(stop), ended }
    }
}

impl Drop for Watcher {
    /// Waits for the thread to let go of the library, but not for one that hangs in the driver.
    fn drop(&mut self) {
        self.stop = None;
        let _ = self.ended.recv_timeout(Duration::from_millis(2 * u64::from(WAIT_MILLISECONDS)));
    }
}

fn watch(nvml: &Nvml, reports: &Reports, interval: Duration, stopped: &Receiver<()>) {
    let cards = cards(nvml);
    let mut profiler = Profiler::new(nvml, &cards, interval);
    let mut wait = Duration::ZERO;
    loop {
        let set = subscribe(nvml, &cards, reports);
        loop {
            match stopped.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
            profiler.look(reports);
            wait = Duration::ZERO;
            match set.as_ref().map(|set| set.wait(WAIT_MILLISECONDS)) {
                Some(Ok(event)) => {
                    let code = match event.event_data {
                        Some(XidError::Value(code)) => code,
                        Some(XidError::Unknown) | None => continue,
                    };
                    let address = raw::address(&event.device);
                    if let Some(card) = cards.iter().find(|card| raw::address(&card.device) == address) {
                        reports.reported(&card.uuid, code);
                    }
                }
                Some(Err(NvmlError::Timeout)) => {}
                // A card is gone or the driver is: the sample finds out which. Until then listen to the others.
                Some(Err(_)) => {
                    wait = Duration::from_secs(1);
                    break;
                }
                None => wait = Duration::from_millis(WAIT_MILLISECONDS.into()),
            }
        }
    }
}

struct Card<'n> {
    uuid: Name,
    device: Device<'n>,
}

fn cards(nvml: &Nvml) -> Vec<Card<'_>> {
    let count = nvml.device_count().unwrap_or(0);
    let card = |index| {
        let device = nvml.device_by_index(index).ok()?;
        Some(Card { uuid: device.uuid().ok()?.into(), device })
    };
    (0..count).filter_map(card).collect()
}

/// Asks for the error reports of all cards that have them. A set to which one card could not be added is worth
/// nothing, so it is made anew without that card.
fn subscribe<'n>(nvml: &'n Nvml, cards: &[Card<'n>], reports: &Reports) -> Option<EventSet<'n>> {
    let mut able: Vec<&Card<'n>> = cards.iter().collect();
    while !able.is_empty() {
        let mut set = Some(nvml.create_event_set().ok()?);
        let unable = able.iter().position(|card| {
            set = set.take().and_then(|set| card.device.register_events(EventTypes::CRITICAL_XID_ERROR, set).ok());
            set.is_none()
        });
        let Some(at) = unable else {
            able.iter().for_each(|card| reports.listened(&card.uuid));
            return set;
        };
        reports.lock().entry(able.remove(at).uuid.clone()).or_default().silent = true;
    }
    None
}

/// The counters of Hopper and later: two looks make one value.
struct Profiler<'n> {
    nvml: &'n Nvml,
    every: Duration,
    looked: Option<Instant>,
    cards: Vec<(Name, Device<'n>, Option<GpmSample<'n>>)>,
}

const METRICS: [GpmMetricId; 8] = [
    GpmMetricId::GraphicsUtil,
    GpmMetricId::SmUtil,
    GpmMetricId::SmOccupancy,
    GpmMetricId::AnyTensorUtil,
    GpmMetricId::DramBwUtil,
    GpmMetricId::Fp64Util,
    GpmMetricId::Fp32Util,
    GpmMetricId::Fp16Util,
];

impl<'n> Profiler<'n> {
    fn new(nvml: &'n Nvml, cards: &[Card<'n>], every: Duration) -> Self {
        let able = cards.iter().filter(|card| card.device.gpm_support().unwrap_or(false));
        let again = |card: &Card<'n>| Some((card.uuid.clone(), nvml.device_by_uuid(&*card.uuid).ok()?, None));
        Self { nvml, every, looked: None, cards: able.filter_map(again).collect() }
    }

    fn look(&mut self, reports: &Reports) {
        if self.cards.is_empty() || self.looked.is_some_and(|looked| looked.elapsed() < self.every) {
            return;
        }
        self.looked = Some(Instant::now());
        for (uuid, device, before) in &mut self.cards {
            let now = device.gpm_sample().ok();
            if let Some((before, now)) = before.as_ref().zip(now.as_ref())
                && let Ok(values) = gpm_metrics_get(self.nvml, before, now, &METRICS)
            {
                let profile = profile(values.into_iter().map(|value| value.ok().map(|metric| metric.value)));
                reports.lock().entry(uuid.clone()).or_default().profile = Some((Instant::now(), profile));
            }
            *before = now;
        }
    }
}

fn profile(percentages: impl Iterator<Item = Option<f64>>) -> Profile {
    let shares = percentages.map(|percent| percent.map(|percent| percent / 100.0));
    let mut shares = shares.map(|share| share.filter(|share| (0.0..=1.0).contains(share)));
    let mut next = || shares.next().flatten();
    Profile {
        graphics: next(),
        sm: next(),
        sm_occupancy: next(),
        tensor: next(),
        memory: next(),
        fp64: next(),
        fp32: next(),
        fp16: next(),
    }
}
