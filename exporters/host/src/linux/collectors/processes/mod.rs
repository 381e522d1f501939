//! How many processes and threads there are, and those that use most of the CPU and of memory: the latter for people
//! alone, since processes come and go. From /proc/<pid>/stat alone, a file a process that the kernel makes afresh for
//! each read: the expensive part of a sample. So the table is taken every 10 s, and every second only while somebody looks at
//! the page.

mod stat;
mod top;
mod users;

use std::{
    collections::BTreeMap,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use aura_model::{Context, Metric, Missing, Name, rows};
use rustix::{
    fs::{CWD, Mode, OFlags, RawDir, SeekFrom, openat, seek},
    io::Errno,
};
use serde::Serialize;

use self::{
    stat::{parse, stat, threads},
    top::Top,
    users::Users,
};
use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        every::Every,
        file::{Buffer, KeptFile},
        names::Names,
        scan::number,
    },
};

/// A table of processes. It is as old as `sampled_at` says, and shared by the readings until the next one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Processes {
    /// When it was taken: milliseconds since 1970.
    pub sampled_at: u64,
    /// Seconds since the table before, which `previous_ticks` are from. There is none at first.
    pub elapsed_seconds: Option<f64>,
    /// How many processes there are.
    pub total: usize,
    /// How many there are of each kind; missing where there are more than are read.
    pub counts: Option<ProcessCounts>,
    /// How many threads the kernel allows.
    pub max_threads: Option<u64>,
    /// Where the numbers of processes end.
    pub max_processes: Option<u64>,
    /// The largest share of the CPU since the table before; those that did nothing are left out.
    pub top_cpu: Vec<Process>,
    /// The most memory.
    pub top_memory: Vec<Process>,
}

/// Processes and threads by what they do: `R` runs, `S` sleeps, `D` waits for a device, `Z` is dead and not yet buried.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProcessCounts {
    /// Processes.
    pub processes: u64,
    /// Their threads.
    pub threads: u64,
    /// Processes by state.
    pub states: BTreeMap<char, u64>,
    /// Threads by state, where they were asked for: each is a file to read.
    pub thread_states: Option<BTreeMap<char, u64>>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// What it calls itself; the kernel keeps 15 bytes.
    pub name: Name,
    /// Whose it is; the number where /etc/passwd has no name for it.
    pub user: Option<Name>,
    /// Ticks of 1/100 s that it ran, with those of its children that it waited for left out.
    pub ticks: u64,
    /// Ticks at the table before; 0 if it was started since.
    pub previous_ticks: Option<u64>,
    /// Memory that is its own or shared, in RAM.
    pub memory_bytes: u64,
    /// When it was started: ticks of 1/100 s since boot.
    pub started: u64,
}

/// More processes than this are counted and not read.
const MOST: usize = 10_000;

pub(super) const METRICS: &[Metric<Arc<Processes>>] = rows! { |table|
    gauge "node_processes_max_processes" = table.max_processes, "Number of max PIDs limit";
    gauge "node_processes_max_threads" = table.max_threads, "Limit of threads in the system";
    gauge "node_processes_pids" = table.counts.as_ref().map(|counts| counts.processes), "Number of PIDs";
    for counts in table.counts.iter(), (state, number) in &counts.states
        => { state: state.encode_utf8(&mut [0; 4]) } {
        gauge "node_processes_state" = *number, "Number of processes in each state.";
    }
    gauge "node_processes_threads" = table.counts.as_ref().map(|counts| counts.threads), "Allocated threads in system";
    for counts in table.counts.iter(), (state, number) in counts.thread_states.iter().flatten()
        => { thread_state: state.encode_utf8(&mut [0; 4]) } {
        gauge "node_processes_threads_state" = *number, "Number of threads in each state.";
    }
};

pub(super) struct Reader {
    context: Context,
    seldom: Every,
    often: Every,
    folder: PathBuf,
    handle: Option<OwnedFd>,
    entries: Vec<MaybeUninit<u8>>,
    /// Whether the state of each thread is wanted.
    threads: bool,
    max_threads: KeptFile,
    max_processes: KeptFile,
    names: Names,
    users: Users,
    page: u64,
    previous: Vec<Seen>,
    previous_at: Option<Instant>,
    table: Option<Arc<Processes>>,
}

/// A process as the next table has to know it, by its number.
struct Seen {
    pid: u32,
    started: u64,
    ticks: u64,
}

impl Collector for Reader {
    type Reading = Arc<Processes>;

    fn open(options: &HostOptions, context: &Context) -> Self {
        let limit = |name: &str| KeptFile::one_line(context.paths.procfs.join("sys/kernel").join(name));
        Self {
            threads: options.collectors.enable.iter().any(|name| name == "processes"),
            max_threads: limit("threads-max"),
            max_processes: limit("pid_max"),
            context: context.clone(),
            seldom: Every::seconds(10),
            often: Every::seconds(1),
            folder: context.paths.procfs.clone(),
            handle: None,
            entries: vec![MaybeUninit::uninit(); 8 << 10],
            names: Names::default(),
            users: Users::new(context),
            page: rustix::param::page_size() as u64,
            previous: Vec::new(),
            previous_at: None,
            table: None,
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Arc<Processes>, Missing> {
        let due = if self.context.watched() { self.often.due() } else { self.seldom.due() };
        if let Some(table) = self.table.as_ref().filter(|_| !due) {
            return Ok(table.clone());
        }
        self.table = None;
        let table = self.take(buffer).map_err(|error| Missing::from_io(&self.folder, &error.into()))?;
        Ok(self.table.insert(Arc::new(table)).clone())
    }
}

impl Reader {
    fn take(&mut self, buffer: &mut Buffer) -> Result<Processes, Errno> {
        let handle = match self.handle.take() {
            Some(handle) => handle,
            None => openat(CWD, &self.folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?,
        };
        seek(&handle, SeekFrom::Start(0))?;
        let now = Instant::now();
        let known = self.previous_at.is_some() && self.previous.len() < MOST;
        let mut counts = ProcessCounts { thread_states: self.threads.then(BTreeMap::new), ..ProcessCounts::default() };
        let (mut total, mut seen) = (0, Vec::with_capacity(self.previous.len() + 8));
        let (mut top_cpu, mut top_memory) = (Top::default(), Top::default());
        let mut folder = RawDir::new(&handle, &mut self.entries);
        let mut text = [0; 1024];
        while let Some(entry) = folder.next() {
            let entry = entry?;
            let Some(pid) = number(entry.file_name().to_bytes()).and_then(|pid| u32::try_from(pid).ok()) else {
                continue;
            };
            total += 1;
            if seen.len() == MOST {
                continue;
            }
            // A process may end between being listed and being read.
            let Ok(length) = stat(&handle, entry.file_name().to_bytes(), &mut text) else { continue };
            let Some(row) = parse(&text[..length]) else { continue };
            counts.processes += 1;
            counts.threads += row.threads;
            *counts.states.entry(row.state).or_insert(0) += 1;
            if let Some(states) = &mut counts.thread_states {
                *states.entry(row.state).or_insert(0) += 1;
                if row.threads > 1 {
                    threads(&handle, entry.file_name().to_bytes(), states);
                }
            }
            let before = self.previous.binary_search_by_key(&pid, |seen| seen.pid).ok().map(|at| &self.previous[at]);
            let before = before.filter(|before| before.started == row.started).map(|before| before.ticks);
            let previous_ticks = before.or(known.then_some(0));
            let mut process = |name: &[u8]| Process {
                pid,
                name: self.names.intern(name),
                user: None,
                ticks: row.ticks,
                previous_ticks,
                memory_bytes: row.pages.saturating_mul(self.page),
                started: row.started,
            };
            let ran = previous_ticks.map_or(0, |before| row.ticks.saturating_sub(before));
            top_cpu.offer(ran, || process(row.name));
            top_memory.offer(row.pages, || process(row.name));
            seen.push(Seen { pid, started: row.started, ticks: row.ticks });
        }
        seen.sort_unstable_by_key(|seen| seen.pid);
        self.users.refresh(buffer);
        let mut rows = |top: Top| {
            let mut rows = top.sorted();
            rows.iter_mut().for_each(|process| process.user = self.users.of(&handle, process.pid));
            rows
        };
        let (top_cpu, top_memory) = (rows(top_cpu), rows(top_memory));
        let elapsed_seconds = self.previous_at.replace(now).map(|before| now.duration_since(before).as_secs_f64());
        self.previous = seen;
        self.handle = Some(handle);
        let sampled_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        Ok(Processes {
            sampled_at,
            elapsed_seconds,
            total,
            counts: (total <= MOST).then_some(counts),
            max_threads: self.max_threads.number(buffer).ok(),
            max_processes: self.max_processes.number(buffer).ok(),
            top_cpu,
            top_memory,
        })
    }
}

#[cfg(test)]
mod tests {
    use aura_model::Paths;
    use proptest::prelude::*;

    use super::{stat::Row, users::users, *};

    fn line(pid: u32, name: &str, user: u64, system: u64, started: u64, pages: u64) -> String {
        format!(
            "{pid} ({name}) S 1 2 3 4 -1 4194304 9 9 9 9 {user} {system} 7 7 20 0 1 0 {started} 3133440 {pages} 18446744073709551615 9\n"
        )
    }

    struct Fake(tempfile::TempDir);

    impl Fake {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn process(&self, pid: u32, text: &str) {
            let folder = self.0.path().join(pid.to_string());
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("stat"), text).unwrap();
        }

        fn reader(&self) -> (Reader, Context) {
            let path = self.0.path().to_owned();
            let context = Context::new(Paths { procfs: path.clone(), rootfs: path, ..Paths::default() });
            (Reader::open(&HostOptions::default(), &context), context)
        }
    }

    #[test]
    fn the_busiest_and_the_largest() {
        let fake = Fake::new();
        for pid in 1..=40 {
            fake.process(pid, &line(pid, "idle", 5, 5, pid.into(), pid.into()));
        }
        fake.process(41, &line(41, "kernel thread", 0, 3, 0, 0));
        std::fs::create_dir(fake.0.path().join("sys")).unwrap();
        let (mut reader, _) = fake.reader();
        let first = reader.take(&mut Buffer::default()).unwrap();
        assert_eq!((first.total, first.elapsed_seconds, first.top_cpu.len()), (41, None, 0));
        let page = reader.page;
        let largest: Vec<_> =
            first.top_memory.iter().map(|process| (process.pid, process.memory_bytes / page)).collect();
        assert_eq!(largest, (26..=40).rev().map(|pid| (pid, pid.into())).collect::<Vec<(u32, u64)>>());

        fake.process(7, &line(7, "busy", 6, 9, 7, 7));
        fake.process(8, &line(8, "other with the same number", 1, 1, 99, 8));
        fake.process(50, &line(50, "new", 100, 0, 100, 1));
        let second = reader.take(&mut Buffer::default()).unwrap();
        assert!(second.elapsed_seconds.is_some());
        let busiest: Vec<_> =
            second.top_cpu.iter().map(|row| (row.pid, &*row.name, row.ticks, row.previous_ticks)).collect();
        assert_eq!(
            busiest,
            [(50, "new", 100, Some(0)), (7, "busy", 15, Some(10)), (8, "other with the same number", 2, Some(0))]
        );
    }

    #[test]
    fn processes_and_threads_are_counted_by_state_the_threads_when_asked() {
        let fake = Fake::new();
        let state = |pid, state, threads| {
            line(pid, "x) y", 0, 0, 0, 0)
                .replace(") S ", &format!(") {state} "))
                .replace("20 0 1 0", &format!("20 0 {threads} 0"))
        };
        fake.process(1, &state(1, "S", 3));
        fake.process(7, &state(7, "Z", 1));
        for (thread, letter) in [(1, "R"), (8, "R"), (9, "D")] {
            let folder = fake.0.path().join(format!("1/task/{thread}"));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("stat"), state(thread, letter, 3)).unwrap();
        }
        std::fs::create_dir_all(fake.0.path().join("sys/kernel")).unwrap();
        std::fs::write(fake.0.path().join("sys/kernel/pid_max"), "123\n").unwrap();
        let text = |options: &HostOptions| {
            let path = fake.0.path().to_owned();
            let context = Context::new(Paths { procfs: path.clone(), rootfs: path, ..Paths::default() });
            let table = Reader::open(options, &context).take(&mut Buffer::default()).unwrap();
            let text = crate::linux::testing::text(METRICS, &Arc::new(table));
            text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
        };
        let plain = text(&HostOptions::default());
        assert_eq!(
            plain,
            [
                "node_processes_max_processes 123",
                "node_processes_pids 2",
                "node_processes_state{state=\"S\"} 1",
                "node_processes_state{state=\"Z\"} 1",
                "node_processes_threads 4",
            ]
        );
        let mut options = HostOptions::default();
        options.collectors.enable = vec!["processes".into()];
        let states = ["D\"} 1", "R\"} 1", "S\"} 1", "Z\"} 1"];
        assert_eq!(
            text(&options)[5..],
            states.map(|state| format!("node_processes_threads_state{{thread_state=\"{state}"))
        );
    }

    #[test]
    fn the_table_is_kept_until_it_is_due_or_somebody_looks() {
        let fake = Fake::new();
        fake.process(1, &line(1, "init", 0, 0, 0, 1));
        let (mut reader, context) = fake.reader();
        let mut buffer = Buffer::default();
        let first = reader.read(&mut buffer).unwrap();
        assert!(Arc::ptr_eq(&first, &reader.read(&mut buffer).unwrap()));
        context.set_watched(true);
        let second = reader.read(&mut buffer).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &reader.read(&mut buffer).unwrap()));
    }

    #[test]
    fn this_process_is_known_by_its_user() {
        let (mut reader, _) = {
            let context = Context::default();
            (Reader::open(&HostOptions::default(), &context), context)
        };
        let table = reader.take(&mut Buffer::default()).unwrap();
        assert!(table.total > 0);
        assert!(table.top_memory.iter().all(|process| process.user.is_some()));
        // Where few processes run, the last of the list are the kernel's own, which have none.
        assert!(table.top_memory[0].memory_bytes > 0);
    }

    #[test]
    fn users_by_number() {
        let names =
            users(b"root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\nbroken\n:x:5:5::/:\npg:x:26:26::/:/bin/sh");
        assert_eq!(names.len(), 2);
        assert_eq!((&*names[&0], &*names[&26]), ("root", "pg"));
    }

    proptest! {
        #[test]
        fn a_name_may_hold_anything(name in "[a-z() :0-9]{0,15}", ticks in any::<[u32; 4]>()) {
            let [user, system, started, pages] = ticks.map(u64::from);
            let text = line(1, &name, user, system, started, pages);
            let expected = Row { name: name.as_bytes(), state: 'S', threads: 1, ticks: user + system, started, pages };
            prop_assert_eq!(parse(text.as_bytes()), Some(expected));
        }

        #[test]
        fn no_bytes_make_the_parsers_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&text);
            users(&text);
        }
    }
}
