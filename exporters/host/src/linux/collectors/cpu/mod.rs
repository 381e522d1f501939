//! CPU time by mode from /proc/stat. The kernel counts in ticks of 1/100 s (USER_HZ, the same on every
//! architecture we build for). `guest` is contained in `user` and `guest_nice` in `nice`.
//!
//! /proc/stat is read each sample, for the stat collector too. Which CPUs there are, their cores and packages is
//! looked up every minute and whenever other CPUs count; how often they were throttled every 10 s, because it is a
//! file a core that hardly ever changes.
//!
//! The kernel's counts may fall a little (proc(5) says so of `iowait`), and a counter must not: a scraper takes
//! whatever falls for a restart. So each is [held](hold) at its highest, as node_exporter does.

mod cores;
mod model;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use aura_model::{Context, Metric, Missing, Name, Value, rows};
use serde::Serialize;

use self::cores::Cores;
use super::{Collector, count};
use crate::{
    HostOptions,
    linux::kernel::{
        every::Every,
        file::{Buffer, KeptFile},
        names::Names,
        scan::{lines, number, words},
        stat::Stat,
    },
};

/// The modes in the kernel's order.
pub const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

/// One CPU's time since boot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CpuTime {
    /// The CPU's number. Offline CPUs are left out by the kernel, so there may be gaps.
    pub cpu: Name,
    /// Ticks of 1/100 s in each of [`MODES`].
    pub ticks: [u64; 8],
    /// Ticks spent on virtual CPUs, plain and niced; containers of some kernels do not say.
    pub guest: Option<[u64; 2]>,
}

/// All CPUs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cpu {
    /// One row a CPU that is online.
    pub cpus: Vec<CpuTime>,
    /// What is looked up seldom.
    pub topology: Arc<Topology>,
}

/// Which CPUs there are. Empty where /sys does not say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Topology {
    /// Every CPU that there is, and whether it is online.
    pub present: Vec<(Name, bool)>,
    /// CPUs that the scheduler leaves alone.
    pub isolated: Vec<Name>,
    /// What the processor is called.
    pub model: Option<Name>,
    /// How many cores there are, however many threads each runs.
    pub cores: Option<usize>,
    /// How often cores were slowed down for heat: package, core, times.
    pub core_throttles: Vec<(Name, Name, u64)>,
    /// How often packages were: package, times.
    pub package_throttles: Vec<(Name, u64)>,
}

pub(super) const METRICS: &[Metric<Cpu>] = rows! { |reading|
    for (package, core, times) in &reading.topology.core_throttles => { package, core } {
        counter "node_cpu_core_throttles_total" = *times, "Number of times this CPU core has been throttled.";
    }
    for cpu in &reading.cpus, guest in cpu.guest.iter(), (mode, ticks) in ["user", "nice"].iter().zip(guest)
        => { cpu: cpu.cpu, mode } {
        counter "node_cpu_guest_seconds_total" in Seconds = seconds(*ticks),
            "Seconds the CPUs spent in guests (VMs) for each mode.";
    }
    for cpu in &reading.topology.isolated => { cpu } {
        gauge "node_cpu_isolated" = 1,
            "Whether each core is isolated, information from /sys/devices/system/cpu/isolated.";
    }
    for (cpu, online) in &reading.topology.present => { cpu } {
        gauge "node_cpu_online" = *online, "CPUs that are online and being scheduled.";
    }
    for (package, times) in &reading.topology.package_throttles => { package } {
        counter "node_cpu_package_throttles_total" = *times, "Number of times this CPU package has been throttled.";
    }
    for cpu in &reading.cpus, (mode, ticks) in MODES.iter().zip(cpu.ticks) => { cpu: cpu.cpu, mode } {
        counter "node_cpu_seconds_total" in Seconds = seconds(ticks), "Seconds the CPUs spent in each mode.";
    }
};

#[expect(clippy::cast_precision_loss, reason = "2^53 ticks are three million years")]
fn seconds(ticks: u64) -> Value {
    Value::Float(ticks as f64 / 100.0)
}

pub(super) struct Reader {
    path: PathBuf,
    stat: KeptFile,
    names: Names,
    folder: PathBuf,
    cpuinfo: PathBuf,
    model: Option<Name>,
    enumerate: Every,
    throttled: Every,
    cores: Cores,
    topology: Arc<Topology>,
}

impl Collector for Reader {
    type Reading = Cpu;

    fn open(_: &HostOptions, context: &Context) -> Self {
        let path = context.paths.procfs.join("stat");
        Self {
            stat: KeptFile::short_lines(&path),
            path,
            names: Names::default(),
            folder: context.paths.sysfs.join("devices/system/cpu"),
            cpuinfo: context.paths.procfs.join("cpuinfo"),
            model: None,
            enumerate: Every::seconds(60),
            throttled: Every::seconds(10),
            cores: Cores::default(),
            topology: Arc::default(),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Cpu, Missing> {
        let text = self.stat.read(buffer)?;
        let mut cpus = parse(text, &mut self.names);
        buffer.stat = Stat::parse(text);
        if cpus.is_empty() {
            return Err(self.stat.unreadable("a line for each CPU"));
        }
        let others = hold_in_process(&self.path, &mut cpus);
        if self.enumerate.due() || others {
            self.cores = Cores::find(&self.folder);
            self.model = self.model.take().or_else(|| model::read(&self.cpuinfo));
            self.topology = self.cores.topology(&self.folder, self.model.clone());
        } else if !self.cores.throttled.is_empty() && self.throttled.due() {
            self.topology = self.cores.topology(&self.folder, self.model.clone());
        }
        Ok(Cpu { cpus, topology: self.topology.clone() })
    }

    fn watched(reading: &Cpu) -> Option<String> {
        Some(count(reading.cpus.len(), "CPU"))
    }
}

/// What was last shown of each /proc/stat. A reload opens the collector anew, and its counters must not fall then
/// either, so this lives as long as the process.
static SHOWN: Mutex<BTreeMap<PathBuf, Vec<CpuTime>>> = Mutex::new(BTreeMap::new());

/// Holds the counts at what this process last showed of them; says whether other CPUs count now.
fn hold_in_process(path: &Path, cpus: &mut [CpuTime]) -> bool {
    let mut all = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if !all.contains_key(path) {
        all.insert(path.to_owned(), Vec::new());
    }
    let Some(shown) = all.get_mut(path) else { return true };
    let others = !shown.iter().map(|cpu| &cpu.cpu).eq(cpus.iter().map(|cpu| &cpu.cpu));
    hold(shown, cpus);
    shown.clear();
    shown.extend_from_slice(cpus);
    others
}

/// Idle time that falls by so many ticks is no wobble: the CPU was taken away and came back, and counts from 0.
const CAME_BACK: u64 = 300;

/// Raises each count to what was shown before, except of CPUs that came back: those start anew in all modes.
fn hold(shown: &[CpuTime], cpus: &mut [CpuTime]) {
    const IDLE: usize = 3;
    for (place, now) in cpus.iter_mut().enumerate() {
        let same = |before: &&CpuTime| before.cpu == now.cpu;
        let Some(before) = shown.get(place).filter(same).or_else(|| shown.iter().find(same)) else { continue };
        if before.ticks[IDLE].saturating_sub(now.ticks[IDLE]) >= CAME_BACK {
            continue;
        }
        let highest = |now: &mut [u64], before: &[u64]| {
            now.iter_mut().zip(before).for_each(|(now, before)| *now = (*now).max(*before));
        };
        highest(&mut now.ticks, &before.ticks);
        if let (Some(now), Some(before)) = (&mut now.guest, &before.guest) {
            highest(now, before);
        }
    }
}

fn parse(text: &[u8], names: &mut Names) -> Vec<CpuTime> {
    lines(text).take_while(|line| line.starts_with(b"cpu")).filter_map(|line| cpu(line, names)).collect()
}

fn cpu(line: &[u8], names: &mut Names) -> Option<CpuTime> {
    let mut words = words(line);
    let cpu = words.next()?.strip_prefix(b"cpu").filter(|cpu| number(cpu).is_some())?;
    let mut next = || words.next().and_then(number);
    let mut ticks = [0; 8];
    for slot in &mut ticks {
        *slot = next()?;
    }
    let guest = next().zip(next()).map(|(user, nice)| [user, nice]);
    Some(CpuTime { cpu: names.intern(cpu), ticks, guest })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{cores::cpu_list, *};
    use crate::linux::testing::{TREES, output, sample};

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("cpu@{tree}"), output(tree, &["cpu"]));
        }
    }

    #[test]
    fn threads_of_one_core_count_once() {
        let reading = sample("workstation-6.1");
        let cpu = reading.cpu.value().unwrap();
        assert_eq!((cpu.cpus.len(), cpu.topology.cores), (3, Some(2)));
        assert_eq!(cpu.topology.model.as_deref(), Some("12th Gen Intel(R) Core(TM) i7-1260P"));
    }

    #[test]
    fn a_cpu_is_offline_when_its_folder_says_so_whatever_counts_in_proc_stat() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        std::fs::write(root.path().join("proc/stat"), "cpu0 1 0 1 9 0 0 0 0 0 0\ncpu1 1 0 1 9 0 0 0 0 0 0\n").unwrap();
        for (cpu, online) in [("cpu1", None), ("cpu4", Some("1\n")), ("cpu7", Some("0\n")), ("cpu9", Some("1\n"))] {
            let folder = root.path().join("sys/devices/system/cpu").join(cpu);
            std::fs::create_dir_all(&folder).unwrap();
            online.inspect(|text| std::fs::write(folder.join("online"), text).unwrap());
        }
        let paths = aura_model::Paths {
            procfs: root.path().join("proc"),
            sysfs: root.path().join("sys"),
            ..Default::default()
        };
        let reading = Reader::open(&HostOptions::default(), &Context::new(paths)).read(&mut Buffer::default()).unwrap();
        let text = crate::linux::testing::text(METRICS, &reading);
        let online: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("node_cpu_online")).collect();
        assert_eq!(online, ["{cpu=\"1\"} 1", "{cpu=\"4\"} 1", "{cpu=\"7\"} 0", "{cpu=\"9\"} 1"]);
    }

    #[test]
    fn what_was_shown_is_held_over_a_reload_too() {
        let root = tempfile::tempdir().unwrap();
        let paths =
            aura_model::Paths { procfs: root.path().to_owned(), sysfs: root.path().to_owned(), ..Default::default() };
        let ticks = |line: &str| {
            std::fs::write(root.path().join("stat"), line).unwrap();
            let mut reader = Reader::open(&HostOptions::default(), &Context::new(paths.clone()));
            reader.read(&mut Buffer::default()).unwrap().cpus[0].ticks
        };
        assert_eq!(ticks("cpu0 5 0 0 1000 70 0 0 0\n")[3..5], [1000, 70]);
        assert_eq!(ticks("cpu0 6 0 0 990 69 0 0 0\n"), [6, 0, 0, 1000, 70, 0, 0, 0]);
    }

    #[test]
    fn lists_of_cpus() {
        for (list, expected) in
            [("", vec![]), ("3", vec!["3"]), ("1-3,7", vec!["1", "2", "3", "7"]), ("x,2", vec!["2"])]
        {
            assert_eq!(cpu_list(list).iter().map(|cpu| &**cpu).collect::<Vec<_>>(), expected, "{list:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn well_formed_lines_are_read_as_they_were_written(
            cpus in prop::collection::vec(prop::collection::vec(any::<u64>(), 10), 1..20)
        ) {
            let mut text = "cpu  1 2 3 4 5 6 7 8 9 10\n".to_owned();
            for (number, ticks) in cpus.iter().enumerate() {
                let ticks: Vec<String> = ticks.iter().map(u64::to_string).collect();
                text += &format!("cpu{number} {}\n", ticks.join(" "));
            }
            text += "intr 5 1 1\n";
            let read = parse(text.as_bytes(), &mut Names::default());
            prop_assert_eq!(read.len(), cpus.len());
            for (number, (read, ticks)) in read.iter().zip(&cpus).enumerate() {
                prop_assert_eq!(&*read.cpu, &*number.to_string());
                prop_assert_eq!(&read.ticks[..], &ticks[..8]);
                prop_assert_eq!(&read.guest.unwrap()[..], &ticks[8..]);
            }
        }

        /// Beside a reference that knows each CPU's counts by name, in seconds, as node_exporter keeps them.
        #[test]
        fn no_count_ever_falls_but_of_a_cpu_that_came_back(
            history in prop::collection::vec(
                prop::collection::btree_map(0_u8..4, (prop::collection::vec(0_u64..2000, 10), 0_u8..4), 1..5),
                1..12,
            )
        ) {
            let mut names = Names::default();
            let mut shown: Vec<CpuTime> = Vec::new();
            let mut reference: BTreeMap<u8, Vec<f64>> = BTreeMap::new();
            let mut raw: BTreeMap<u8, Vec<u64>> = BTreeMap::new();
            for rows in history {
                // Most counts grow, some fall a little, and a few CPUs start again.
                for (cpu, (numbers, kind)) in &rows {
                    let counts = raw.entry(*cpu).or_insert_with(|| vec![0; 10]);
                    for (count, number) in counts.iter_mut().zip(numbers) {
                        *count = match kind {
                            0 => *number,
                            1 => count.saturating_sub(number / 8),
                            _ => *count + number,
                        };
                    }
                }
                let mut text = "cpu  1 2 3 4 5 6 7 8 9 10\n".to_owned();
                reference.retain(|cpu, _| rows.contains_key(cpu));
                for cpu in rows.keys() {
                    let counts = &raw[cpu];
                    text += &format!("cpu{cpu} {}\n", counts.iter().map(u64::to_string).collect::<Vec<_>>().join(" "));
                    let kept = reference.entry(*cpu).or_insert_with(|| vec![0.0; 10]);
                    if kept[3] - counts[3] as f64 / 100.0 >= 3.0 - 1e-9 {
                        kept.fill(0.0);
                    }
                    for (kept, count) in kept.iter_mut().zip(counts) {
                        *kept = kept.max(*count as f64 / 100.0);
                    }
                }
                let mut cpus = parse(text.as_bytes(), &mut names);
                hold(&shown, &mut cpus);
                for cpu in &cpus {
                    let expected = &reference[&cpu.cpu.parse::<u8>().unwrap()];
                    let counts: Vec<f64> =
                        cpu.ticks.iter().chain(&cpu.guest.unwrap()).map(|&ticks| ticks as f64 / 100.0).collect();
                    prop_assert_eq!(&counts, expected);
                    if let Some(before) = shown.iter().find(|before| before.cpu == cpu.cpu) {
                        let fell = (0..8).any(|mode| cpu.ticks[mode] < before.ticks[mode]);
                        prop_assert!(!fell || before.ticks[3] >= cpu.ticks[3] + CAME_BACK);
                    }
                }
                shown = cpus;
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(text in "(cpu)?[0-9]{0,3}( [0-9]{0,20}){0,12}(\n|\\PC){0,3}") {
            parse(text.as_bytes(), &mut Names::default());
            cpu_list(&text);
        }
    }
}
