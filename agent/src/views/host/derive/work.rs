//! How much a GPU worked, from two walks over its processes (AMD and Intel): the growth of each engine's counter over
//! the time between them. The busiest engine is the load, as a card that decodes and one that computes are both busy.

use std::{collections::BTreeMap, sync::Arc};

use aura_gpu::{Busy, Engine, Gpu, GpuReading, Gpus, Process};

use crate::hub::Snapshot;

/// A mean over more than this says little of now.
const LONGEST: f64 = 30.0;

/// The newest reading of a walk and that of the walk before.
#[derive(Clone, Default)]
pub(crate) struct Walks {
    now: Option<Arc<Snapshot<Gpus>>>,
    before: Option<Arc<Snapshot<Gpus>>>,
}

impl Walks {
    /// Takes in a reading; most show the same walk as the one before.
    pub(crate) fn take(&mut self, reading: Arc<Snapshot<Gpus>>) {
        let at = |reading: &GpuReading| reading.gpus.iter().find_map(|gpu| Some(gpu.walk?.at));
        match &self.now {
            Some(now) if at(&now.reading) == at(&reading.reading) => {}
            _ => self.before = self.now.replace(reading),
        }
    }

    /// This card and its processes one walk earlier.
    pub(super) fn before(&self, gpu: &Gpu) -> Option<&Gpu> {
        let before = &self.before.as_ref()?.reading;
        before.gpus.iter().find(|other| other.identity.uuid == gpu.identity.uuid)
    }
}

/// The share of time in which the card worked; nothing when some of its work cannot be known.
pub(super) fn load(now: &Gpu, before: &Gpu) -> Option<f64> {
    let seconds = between(now, before)?;
    if !(now.walk?.complete && before.walk?.complete) {
        return None;
    }
    let (processes, earlier) = (now.processes.as_ref()?, before.processes.as_ref()?);
    // One that has ended took its counters with it.
    if earlier.iter().any(|gone| processes.iter().all(|process| process.pid != gone.pid)) {
        return None;
    }
    let mut engines: BTreeMap<&str, f64> = BTreeMap::new();
    for process in processes {
        let before = earlier.iter().find(|other| other.pid == process.pid);
        for engine in &process.engines {
            *engines.entry(&engine.name).or_default() += share(engine, before, true, seconds)?;
        }
    }
    Some(engines.into_values().fold(0.0, f64::max).min(1.0))
}

/// The share of time in which a card worked for a process.
pub(super) fn process_load(process: &Process, now: &Gpu, before: &Gpu) -> Option<f64> {
    let seconds = between(now, before)?;
    let earlier = before.processes.as_ref()?.iter().find(|other| other.pid == process.pid);
    let complete = before.walk?.complete;
    let shares: Option<Vec<f64>> =
        process.engines.iter().map(|engine| share(engine, earlier, complete, seconds)).collect();
    Some(shares?.into_iter().reduce(f64::max)?.min(1.0))
}

fn between(now: &Gpu, before: &Gpu) -> Option<f64> {
    let seconds = now.walk?.at.checked_duration_since(before.walk?.at)?.as_secs_f64();
    (seconds > 0.0 && seconds <= LONGEST).then_some(seconds)
}

/// What an engine worked for a process. Who was not there before began with nothing, if all were seen.
fn share(engine: &Engine, before: Option<&Process>, complete: bool, seconds: f64) -> Option<f64> {
    if before.is_none() && !complete {
        return None;
    }
    let earlier = before.and_then(|before| before.engines.iter().find(|other| other.name == engine.name));
    let share = match (engine.busy, earlier.map(|earlier| earlier.busy)) {
        (Busy::Nanoseconds(now), None) => now as f64 / 1e9 / seconds,
        (Busy::Nanoseconds(now), Some(Busy::Nanoseconds(before))) => now.checked_sub(before)? as f64 / 1e9 / seconds,
        (Busy::Cycles { busy, total }, Some(Busy::Cycles { busy: before, total: then })) => {
            let gone_by = total.checked_sub(then).filter(|&cycles| cycles > 0)?;
            busy.checked_sub(before)? as f64 / gone_by as f64
        }
        _ => return None,
    };
    Some(share / engine.capacity as f64)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        time::{Duration, Instant},
    };

    use aura_gpu::{Identity, Values, Vendor, Walk};
    use proptest::prelude::*;

    use super::*;

    fn gpu(at: Instant, complete: bool, processes: Vec<Process>) -> Gpu {
        let identity = Identity {
            vendor: Vendor::Intel,
            uuid: "pci-0000:00:02.0".into(),
            name: "a GPU".into(),
            pci_bus_id: "0000:00:02.0".into(),
            device: "card0".into(),
            driver: "i915".into(),
        };
        Gpu {
            index: 0,
            identity: Arc::new(identity),
            missing: None,
            values: Values::default(),
            unavailable: BTreeMap::new(),
            xids: None,
            instances: Vec::new(),
            processes: Some(processes),
            walk: Some(Walk { at, complete }),
        }
    }

    fn process(pid: u32, engines: &[(&str, Busy, u64)]) -> Process {
        let engines = engines.iter().map(|&(name, busy, capacity)| Engine { name: name.into(), busy, capacity });
        Process {
            pid,
            name: None,
            memory: None,
            busy: None,
            gpu_instance: None,
            weights: None,
            engines: engines.collect(),
        }
    }

    #[test]
    fn the_load_is_that_of_the_busiest_engine_by_the_clock_that_it_has() {
        let start = Instant::now();
        let later = start + Duration::from_secs(10);
        let ns = |seconds: u64| Busy::Nanoseconds(seconds * 1_000_000_000);
        let before = gpu(start, true, vec![process(1, &[("render", ns(100), 1), ("video", ns(7), 2)])]);
        let now = gpu(
            later,
            true,
            vec![process(1, &[("render", ns(104), 1), ("video", ns(17), 2)]), process(2, &[("render", ns(3), 1)])],
        );
        assert_eq!(load(&now, &before), Some(0.7), "4 + 3 of 10 seconds; the two video engines half of 10");
        let loads: Vec<_> =
            now.processes.iter().flatten().map(|process| process_load(process, &now, &before)).collect();
        assert_eq!(loads, [Some(0.5), Some(0.3)]);

        let cycles = |busy, total| Busy::Cycles { busy, total };
        let before = gpu(start, true, vec![process(1, &[("rcs", cycles(400, 1_000), 1)])]);
        let now = gpu(later, true, vec![process(1, &[("rcs", cycles(1_400, 5_000), 1)])]);
        assert_eq!(load(&now, &before), Some(0.25));
        assert_eq!(load(&gpu(later, true, vec![]), &gpu(start, true, vec![])), Some(0.0), "nobody uses it");
    }

    #[test]
    fn what_cannot_be_known_is_not_made_up() {
        let start = Instant::now();
        let later = start + Duration::from_secs(10);
        let ns = |number| Busy::Nanoseconds(number);
        let used = |complete, at, number| gpu(at, complete, vec![process(1, &[("render", ns(number), 1)])]);
        let nobody = |at| gpu(at, true, vec![]);
        assert_eq!(load(&used(false, later, 5), &used(true, start, 4)), None, "somebody is hidden now");
        assert_eq!(load(&used(true, later, 5), &used(false, start, 4)), None, "or was then");
        assert_eq!(load(&used(true, later, 3), &used(true, start, 4)), None, "a client was closed");
        assert_eq!(load(&nobody(later), &used(true, start, 4)), None, "one has ended");
        assert_eq!(load(&used(true, start, 5), &used(true, start, 4)), None, "no time went by");
        assert_eq!(load(&used(true, start + Duration::from_secs(99), 5), &used(true, start, 4)), None, "too long ago");
        let stopped = || vec![process(1, &[("rcs", Busy::Cycles { busy: 1, total: 1 }, 1)])];
        assert_eq!(load(&gpu(later, true, stopped()), &gpu(start, true, stopped())), None, "the clock stands still");
        let now = used(false, later, 5);
        let row = &now.processes.as_ref().unwrap()[0];
        assert!(process_load(row, &now, &used(false, start, 4)).is_some(), "those who can be seen are");
        assert_eq!(process_load(row, &now, &gpu(start, false, vec![])), None, "it may have been hidden until now");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn a_load_is_a_share_whatever_is_counted(
            before in prop::collection::vec((0..4_u32, any::<u64>(), 1..4_u64), 0..4),
            now in prop::collection::vec((0..4_u32, any::<u64>(), 1..4_u64), 0..4),
            milliseconds in 0..40_000_u64,
        ) {
            let start = Instant::now();
            let rows = |rows: &[(u32, u64, u64)]| rows.iter().map(|&(pid, busy, capacity)| process(pid, &[("gfx", Busy::Nanoseconds(busy), capacity)])).collect();
            let (before, now) = (gpu(start, true, rows(&before)), gpu(start + Duration::from_millis(milliseconds), true, rows(&now)));
            for share in now.processes.iter().flatten().map(|process| process_load(process, &now, &before)).chain([load(&now, &before)]).flatten() {
                prop_assert!((0.0..=1.0).contains(&share), "{share}");
            }
        }
    }
}
