//! Who uses AMD's and Intel's cards: the kernel tells it of each open descriptor of a card, in /proc/PID/fdinfo
//! (the kernel's documentation has the format under "DRM client usage stats"). So the descriptors of all processes are
//! looked through, every ten seconds, and every second while somebody looks.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use aura_model::{Context, Name};

use crate::{
    process::Processes,
    reading::{Busy, Engine, Process, Walk},
};

const SELDOM: Duration = Duration::from_secs(10);
const OFTEN: Duration = Duration::from_secs(1);
/// So many are shown of a card, those with most memory first: each is a label value that comes and goes.
const MOST: usize = 32;
/// A machine with more processes, or a process with more descriptors, is looked through up to here.
const MOST_PROCESSES: usize = 8192;
const MOST_DESCRIPTORS: usize = 4096;
/// An fdinfo is about one page.
const LONGEST: u64 = 16 << 10;

/// The newest walk over all descriptors.
pub(super) struct Clients {
    context: Context,
    walk: Option<Walk>,
    cards: HashMap<String, Vec<Process>>,
    descriptors_hidden: bool,
}

impl Clients {
    pub(super) fn new(context: &Context) -> Self {
        Self { context: context.clone(), walk: None, cards: HashMap::new(), descriptors_hidden: false }
    }

    /// Walks, if it is time to.
    pub(super) fn refresh(&mut self, known: &mut Processes) {
        // A bit less, so that a sample that comes a moment early is not left out.
        let interval = if self.context.watched() { OFTEN } else { SELDOM } - Duration::from_millis(50);
        if self.walk.is_some_and(|walk| walk.at.elapsed() < interval) {
            // Names are remembered from walk to walk.
            self.cards.values_mut().flatten().for_each(|process| known.complete(process));
            return;
        }
        let at = Instant::now();
        let mut walker = Walker { complete: true, hidden: false, seen: HashSet::new(), cards: BTreeMap::new() };
        walker.walk(&self.context.paths.procfs);
        self.cards.clear();
        for ((card, _), mut process) in walker.cards {
            known.complete(&mut process);
            self.cards.entry(card).or_default().push(process);
        }
        for processes in self.cards.values_mut() {
            processes.sort_by_key(|process| (std::cmp::Reverse(process.memory), process.pid));
            walker.complete &= processes.len() <= MOST;
            processes.truncate(MOST);
        }
        self.descriptors_hidden = walker.hidden;
        self.walk = Some(Walk { at, complete: walker.complete });
    }

    /// The processes that use the card at this place on the bus, and the walk that found them; none where the kernel
    /// has no /proc.
    pub(super) fn of(&self, place: &str) -> Option<(Vec<Process>, Walk)> {
        Some((self.cards.get(place).cloned().unwrap_or_default(), self.walk?))
    }

    /// Whether some processes did not let themselves be looked into: those of other users.
    pub(super) fn are_hidden(&self) -> bool {
        self.descriptors_hidden
    }
}

struct Walker {
    /// Every descriptor was looked at.
    complete: bool,
    /// Some may not be looked at.
    hidden: bool,
    /// Cards and their clients: a descriptor that was copied or inherited is the same client.
    seen: HashSet<(String, u64)>,
    cards: BTreeMap<(String, u32), Process>,
}

impl Walker {
    fn walk(&mut self, procfs: &Path) {
        let Ok(entries) = fs::read_dir(procfs) else {
            (self.complete, self.hidden) = (false, true);
            return;
        };
        let mut pids: Vec<u32> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        // Those that have run longest first: a client that was inherited belongs to the parent.
        pids.sort_unstable();
        self.complete &= pids.len() <= MOST_PROCESSES;
        for pid in pids.into_iter().take(MOST_PROCESSES) {
            self.process(pid, &procfs.join(pid.to_string()));
        }
    }

    fn process(&mut self, pid: u32, folder: &Path) {
        let descriptors = match fs::read_dir(folder.join("fd")) {
            Ok(descriptors) => descriptors,
            // It has ended meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH) => return,
            Err(_) => {
                (self.complete, self.hidden) = (false, true);
                return;
            }
        };
        let mut computes = false;
        let mut cards: Vec<PathBuf> = Vec::new();
        for (count, descriptor) in descriptors.flatten().enumerate() {
            if count == MOST_DESCRIPTORS {
                self.complete = false;
                break;
            }
            let Ok(target) = fs::read_link(descriptor.path()) else { continue };
            let Some(target) = target.to_str() else { continue };
            computes |= target == "/dev/kfd";
            if target.starts_with("/dev/dri/renderD") || target.starts_with("/dev/dri/card") {
                cards.push(folder.join("fdinfo").join(descriptor.file_name()));
            }
        }
        for path in cards {
            let mut text = Vec::new();
            let read = fs::File::open(&path).and_then(|file| file.take(LONGEST).read_to_end(&mut text));
            match read {
                Ok(_) => self.client(pid, &String::from_utf8_lossy(&text), computes),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    (self.complete, self.hidden) = (false, true);
                }
                // Closed meanwhile.
                Err(_) => {}
            }
        }
    }

    fn client(&mut self, pid: u32, text: &str, computes: bool) {
        let Some(client) = Client::parse(text) else { return };
        if !self.seen.insert((client.card.clone(), client.id)) {
            return;
        }
        let process = self.cards.entry((client.card, pid)).or_insert_with(|| Process::new(pid));
        process.memory = match (process.memory, client.memory) {
            (Some(one), Some(other)) => one.checked_add(other),
            (one, other) => one.or(other),
        };
        // What a process computes through /dev/kfd (ROCm) is not in these counters: none is better than too few.
        if computes {
            self.complete = false;
            return;
        }
        for engine in client.engines {
            match process.engines.iter_mut().find(|known| known.name == engine.name) {
                Some(known) => known.busy = known.busy.plus(engine.busy),
                None => process.engines.push(engine),
            }
        }
    }
}

/// "No such process", for which the standard library has no name.
const ESRCH: i32 = 3;

/// One open card.
#[derive(Debug, PartialEq)]
struct Client {
    card: String,
    id: u64,
    memory: Option<u64>,
    engines: Vec<Engine>,
}

impl Client {
    fn parse(text: &str) -> Option<Self> {
        let pairs: Vec<(&str, &str)> = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.trim(), value.trim()))
            .collect();
        let find = |wanted: &str| pairs.iter().find(|(key, _)| *key == wanted).map(|&(_, value)| value);
        let number = |key: &str| find(key)?.parse::<u64>().ok();
        let mut engines: Vec<Engine> = Vec::new();
        for &(key, value) in &pairs {
            let (name, busy) = if let Some(name) = key.strip_prefix("drm-engine-") {
                let nanoseconds = value.strip_suffix("ns").and_then(|value| value.trim().parse().ok());
                (name, nanoseconds.map(Busy::Nanoseconds))
            } else if let Some(name) = key.strip_prefix("drm-cycles-") {
                let total = number(&format!("drm-total-cycles-{name}"));
                (name, value.parse().ok().zip(total).map(|(busy, total)| Busy::Cycles { busy, total }))
            } else {
                continue;
            };
            let Some(busy) = busy.filter(|_| !name.starts_with("capacity-")) else { continue };
            let capacity = number(&format!("drm-engine-capacity-{name}")).filter(|&engines| engines > 0).unwrap_or(1);
            if engines.iter().all(|engine| *engine.name != *name) {
                engines.push(Engine { name: Name::from(name), busy, capacity });
            }
        }
        Some(Self { card: find("drm-pdev")?.to_owned(), id: number("drm-client-id")?, memory: memory(&pairs), engines })
    }
}

/// What is there of it: on the card where the card has memory of its own, else in the machine's. Older kernels have
/// `drm-memory-*` alone, with the same meaning.
fn memory(pairs: &[(&str, &str)]) -> Option<u64> {
    let sum = |prefix: &str, regions: &[&str]| {
        let sizes = pairs.iter().filter_map(|(key, value)| {
            let region = key.strip_prefix(prefix)?.trim_end_matches(|letter: char| letter.is_ascii_digit());
            regions.contains(&region).then(|| bytes(value))
        });
        sizes.reduce(|one, other| one?.checked_add(other?)).flatten()
    };
    let of = |regions: &[&str]| sum("drm-resident-", regions).or_else(|| sum("drm-memory-", regions));
    of(&["vram", "local"]).or_else(|| of(&["system", "gtt"]))
}

/// `5 KiB`; without a unit, bytes.
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_clients_memory_is_what_is_resident_on_the_card_or_else_in_the_machine() {
        for (text, expected) in [
            ("drm-memory-vram:\t12 KiB\ndrm-memory-gtt: \t2048 KiB", Some(12 << 10)),
            ("drm-memory-vram:\t12 KiB\ndrm-resident-vram:\t10 KiB\ndrm-total-vram:\t99 KiB", Some(10 << 10)),
            (
                "drm-resident-local0:\t512 MiB\ndrm-resident-local1:\t1 MiB\ndrm-resident-system0:\t5 MiB",
                Some(513 << 20),
            ),
            ("drm-resident-system0:\t4096\ndrm-resident-stolen-system0:\t8192", Some(4096)),
            ("drm-resident-system:\t1 MiB\ndrm-resident-gtt:\t2 MiB\ndrm-resident-stolen:\t4 MiB", Some(3 << 20)),
            ("drm-total-system0:\t4096", None),
            ("drm-resident-vram0:\t5 furlongs", None),
            ("drm-resident-vram0:\t18446744073709551615 KiB", None),
        ] {
            let client = Client::parse(&format!("drm-pdev:\t0000:03:00.0\ndrm-client-id:\t7\n{text}\n")).unwrap();
            assert_eq!(client.memory, expected, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// Whatever a driver writes is parsed without panic, and nothing but a number is a number.
        #[test]
        fn garbage_gives_no_engine(lines in prop::collection::vec("drm-(engine|cycles|engine-capacity)-[a-z]{1,3}:[ \t]?[a-z0-9 ]{0,22}", 0..8)) {
            let text = format!("drm-pdev: 0000:03:00.0\ndrm-client-id: 1\n{}\n", lines.join("\n"));
            let client = Client::parse(&text).unwrap();
            for engine in &client.engines {
                prop_assert!(engine.capacity > 0);
                let Busy::Nanoseconds(busy) = engine.busy else { return Err(TestCaseError::fail("no total was given")) };
                let says = |line: &&String| line.starts_with(&format!("drm-engine-{}:", engine.name)) && line.ends_with("ns");
                prop_assert!(lines.iter().filter(says).any(|line| line.contains(&busy.to_string()) || line.contains('0')));
            }
        }
    }
}
