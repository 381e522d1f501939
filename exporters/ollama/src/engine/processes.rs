//! Ollama's processes among all of this machine: a look at the list of numbers in `/proc` each second, and into a process
//! only when it is new or was of interest before.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_model::{Missing, Reason};

use super::{
    command_line::{Program, Role},
    events::Events,
};

/// A process that is younger than so many looks may still become another program.
const YOUNG: u32 = 5;
/// Each look also sees into one of so many that were of no interest: a shell may become an Ollama at any time, and a
/// number may have been given away anew.
const ROUNDS: u32 = 64;
/// What is read of a command line.
const LONGEST: u64 = 64 << 10;
/// The kernel's clock of processes.
pub(crate) const TICKS_PER_SECOND: f64 = 100.0;

/// A server or an engine.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) id: Id,
    /// Unix seconds, to the second.
    pub(crate) born: f64,
    /// Whether it was not there at the look before.
    pub(crate) fresh: bool,
    /// Whether it came and went between two looks, as the kernel told. Of an engine alone; what it did is not known.
    pub(crate) ended: bool,
    pub(crate) parent: u32,
    pub(crate) uid: u32,
    /// Whether a signal stopped it.
    pub(crate) stopped: bool,
    pub(crate) ticks: u64,
    pub(crate) user_ticks: u64,
    /// Of its children that ended and that it took notice of.
    pub(crate) children_user_ticks: u64,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) role: Arc<Role>,
}

/// A number and when it was given: no two processes share both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id {
    pub(crate) pid: u32,
    /// Ticks since the machine was started.
    pub(crate) started: u64,
}

/// What is remembered of the processes from one look to the next.
pub(crate) struct Processes {
    procfs: PathBuf,
    known: HashMap<u32, Known>,
    turn: u32,
    /// When the machine was started, in Unix seconds.
    boot: Option<f64>,
    /// What was started since the last look, where the kernel tells.
    events: Option<Events>,
}

struct Known {
    started: u64,
    program: Option<Program>,
    role: Arc<Role>,
    looks: u32,
    turn: u32,
}

impl Processes {
    pub(crate) fn new(procfs: &Path) -> Self {
        Self { procfs: procfs.into(), known: HashMap::new(), turn: 0, boot: None, events: None }
    }

    /// Has the kernel tell of engines that no look sees, where it does.
    pub(crate) fn with_events(mut self) -> Self {
        match Events::listen(&self.procfs) {
            Ok(events) => self.events = Some(events),
            Err(error) => tracing::debug!("engines that live for less than a sample may be missed: {error}"),
        }
        self
    }

    /// The servers and engines that live now, and the engines that came and went since the last look.
    ///
    /// # Errors
    /// There is no such list.
    pub(crate) fn look(&mut self) -> Result<Vec<Process>, Missing> {
        let missing = |error| Missing::from_io(&self.procfs, &error);
        let boot = match self.boot {
            Some(boot) => boot,
            None => boot(&self.procfs).map_err(missing)?,
        };
        self.boot = Some(boot);
        self.turn = self.turn.wrapping_add(1);
        let mut found = Vec::new();
        // Taken before the list is read: what lives is then in the list.
        let mut started = self.events.as_ref().map_or_else(Vec::new, Events::take);
        started.retain(|process| !self.knows_engine(process.id));
        for entry in fs::read_dir(&self.procfs).map_err(missing)? {
            let Some(pid) = entry.ok().and_then(|entry| entry.file_name().to_str()?.parse().ok()) else { continue };
            found.extend(self.see(pid, boot));
        }
        let turn = self.turn;
        self.known.retain(|_, known| known.turn == turn);
        let lives = |id: Id| self.known.get(&id.pid).is_some_and(|known| known.started == id.started);
        let ended = started.into_iter().filter(|process| !lives(process.id));
        found.extend(ended.map(|process| Process { ended: true, ..process }));
        if let Some(events) = &self.events {
            let is_server = |(pid, known): (&u32, &Known)| matches!(*known.role, Role::Server { .. }).then_some(*pid);
            events.watch(self.known.iter().filter_map(is_server).collect());
        }
        Ok(found)
    }

    fn knows_engine(&self, id: Id) -> bool {
        let is_engine = |known: &Known| known.started == id.started && matches!(*known.role, Role::Engine(_));
        self.known.get(&id.pid).is_some_and(is_engine)
    }

    fn see(&mut self, pid: u32, boot: f64) -> Option<Process> {
        let known = self.known.get_mut(&pid);
        if let Some(known) = known
            && matches!(*known.role, Role::Other)
            && known.looks > YOUNG
            && !pid.wrapping_add(self.turn).is_multiple_of(ROUNDS)
        {
            known.turn = self.turn;
            return None;
        }
        let folder = self.procfs.join(pid.to_string());
        let mut text = [0; 1024];
        // A process may end between being listed and being read.
        let length = read(&folder.join("stat"), &mut text).ok()?;
        let stat = Stat::parse(&text[..length])?;
        // It is dead, and its parent has not yet taken notice.
        if matches!(stat.state, b'Z' | b'X') {
            return None;
        }
        let program = Program::named(stat.name);
        let before = self.known.remove(&pid).filter(|known| known.started == stat.started);
        let fresh = before.is_none() && self.turn > 1;
        let looks = before.as_ref().map_or(0, |known| known.looks.saturating_add(1));
        let role = match before {
            Some(known) if known.program == program && (known.looks > YOUNG || program.is_none()) => known.role,
            _ => Arc::new(program.map_or(Role::Other, |program| role(program, &folder))),
        };
        let known = Known { started: stat.started, program, role: Arc::clone(&role), looks, turn: self.turn };
        self.known.insert(pid, known);
        if matches!(*role, Role::Other) {
            return None;
        }
        Some(Process { fresh, ..process(&folder, pid, &stat, boot, role)? })
    }
}

/// The engine of this number; none where it is something else or gone.
#[cfg(target_os = "linux")]
pub(super) fn engine(procfs: &Path, pid: u32, boot: f64) -> Option<Process> {
    let folder = procfs.join(pid.to_string());
    let mut text = [0; 1024];
    let length = read(&folder.join("stat"), &mut text).ok()?;
    let stat = Stat::parse(&text[..length])?;
    let role = role(Program::named(stat.name)?, &folder);
    matches!(role, Role::Engine(_)).then(|| process(&folder, pid, &stat, boot, Arc::new(role)))?
}

fn process(folder: &Path, pid: u32, stat: &Stat<'_>, boot: f64, role: Arc<Role>) -> Option<Process> {
    let mut text = [0; 4096];
    let length = read(&folder.join("status"), &mut text).ok()?;
    let status = &text[..length];
    let field = |name: &str, at: usize| {
        let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(name.as_bytes()))?;
        std::str::from_utf8(line).ok()?.split_ascii_whitespace().nth(at)?.parse::<u64>().ok()
    };
    Some(Process {
        id: Id { pid, started: stat.started },
        born: boot + seconds(stat.started),
        fresh: true,
        ended: false,
        parent: stat.parent,
        // The second is the one that counts.
        uid: u32::try_from(field("Uid:", 1)?).ok()?,
        stopped: matches!(stat.state, b'T' | b't'),
        ticks: stat.user.saturating_add(stat.system),
        user_ticks: stat.user,
        children_user_ticks: stat.children_user,
        memory_bytes: field("VmRSS:", 0).and_then(|kib| kib.checked_mul(1024)),
        role,
    })
}

#[expect(clippy::cast_precision_loss, reason = "exact for longer than any machine runs")]
pub(crate) fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_PER_SECOND
}

fn role(program: Program, folder: &Path) -> Role {
    let mut text = Vec::new();
    let read = File::open(folder.join("cmdline")).and_then(|file| file.take(LONGEST).read_to_end(&mut text));
    if read.is_ok() { Role::of(program, &text) } else { Role::Other }
}

fn read(path: &Path, text: &mut [u8]) -> io::Result<usize> {
    File::open(path)?.read(text)
}

/// `btime` of `/proc/stat`.
pub(super) fn boot(procfs: &Path) -> io::Result<f64> {
    let text = fs::read_to_string(procfs.join("stat"))?;
    let time = text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
    time.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not say when the machine was started"))
}

/// Whether a process has this socket open; none where we may not look.
pub(crate) fn has_socket(procfs: &Path, pid: u32, inode: u64) -> Result<bool, Missing> {
    let process = procfs.join(pid.to_string());
    let folder = process.join("fd");
    let socket = format!("socket:[{inode}]");
    let open = match fs::read_dir(&folder) {
        Ok(open) => open,
        // It ended meanwhile.
        Err(_) if !process.exists() => return Ok(false),
        Err(error) => return Err(Missing::from_io(&folder, &error)),
    };
    let mut refused = None;
    for entry in open.flatten() {
        match fs::read_link(entry.path()) {
            Ok(target) if target.as_os_str() == &*socket => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => refused = Some(error),
            _ => {}
        }
    }
    refused.map_or(Ok(false), |error| Err(Missing::new(Reason::NoPermission, format!("{}: {error}", folder.display()))))
}

#[derive(Debug, PartialEq)]
struct Stat<'a> {
    name: &'a [u8],
    state: u8,
    parent: u32,
    user: u64,
    system: u64,
    children_user: u64,
    started: u64,
}

impl<'a> Stat<'a> {
    /// `2450 (cat) R 2448 ...`: a name may hold anything, brackets too, but what follows it may not.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let open = text.iter().position(|&byte| byte == b'(')?;
        let close = text.iter().rposition(|&byte| byte == b')')?;
        let name = text.get(open + 1..close)?;
        let mut words = std::str::from_utf8(&text[close + 1..]).ok()?.split_ascii_whitespace();
        let state = *words.next()?.as_bytes().first()?;
        let parent = words.next()?.parse().ok()?;
        let user = words.nth(9)?.parse().ok()?;
        let system = words.next()?.parse().ok()?;
        let children_user = words.next()?.parse().ok()?;
        let started = words.nth(5)?.parse().ok()?;
        Some(Self { name, state, parent, user, system, children_user, started })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A tree like `/proc`, of processes that the test makes up.
    pub(crate) struct Tree(pub(crate) tempfile::TempDir);

    impl Tree {
        pub(crate) fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("stat"), "cpu 1 2 3\nbtime 1000\nprocesses 5\n").unwrap();
            Self(folder)
        }

        /// `stat` is its state, parent, start, and ticks of its own in user mode and of its children.
        pub(crate) fn process(&self, pid: u32, uid: u32, arguments: &[&str], stat: (char, u32, u64, u64, u64)) {
            let folder = self.0.path().join(pid.to_string());
            fs::create_dir_all(&folder).unwrap();
            let name = arguments[0].rsplit('/').next().unwrap();
            let (state, parent, started, user, children) = stat;
            let line = format!(
                "{pid} ({name}) {state} {parent} 1 1 0 -1 4194304 9 0 8 0 {user} 0 {children} 0 20 0 12 0 {started} 9 9 9\n"
            );
            fs::write(folder.join("stat"), line).unwrap();
            fs::write(folder.join("status"), format!("Name:\t{name}\nUid:\t0\t{uid}\t0\t0\nVmRSS:\t    2048 kB\n"))
                .unwrap();
            fs::write(folder.join("cmdline"), arguments.join("\0") + "\0").unwrap();
        }

        pub(crate) fn end(&self, pid: u32) {
            fs::remove_dir_all(self.0.path().join(pid.to_string())).unwrap();
        }
    }

    fn pids(processes: &mut Processes) -> Vec<(u32, bool)> {
        let mut found: Vec<_> =
            processes.look().unwrap().iter().map(|process| (process.id.pid, process.fresh)).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn servers_and_engines_are_found_and_others_are_not() {
        let tree = Tree::new();
        tree.process(1, 0, &["/sbin/init"], ('S', 0, 0, 0, 0));
        tree.process(10, 998, &["/usr/bin/ollama", "serve"], ('S', 1, 250, 7, 30));
        tree.process(11, 998, &["/lib/llama-server", "--model", "/b/m", "--port", "9"], ('R', 10, 300, 5, 0));
        tree.process(12, 998, &["/lib/llama-server", "--model", "/b/m", "--port", "9"], ('Z', 10, 300, 5, 0));
        let mut processes = Processes::new(tree.0.path());
        let mut found = processes.look().unwrap();
        found.sort_by_key(|process| process.id.pid);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].born, found[0].children_user_ticks, found[0].fresh), (1002.5, 30, false));
        assert_eq!((found[1].uid, found[1].parent, found[1].memory_bytes), (998, 10, Some(2 << 20)));
        tree.process(11, 998, &["/lib/llama-server", "--model", "/b/m", "--port", "9"], ('T', 10, 999, 5, 0));
        assert_eq!(pids(&mut processes), [(10, false), (11, true)], "another process of the same number");
        tree.end(11);
        assert_eq!(pids(&mut processes), [(10, false)]);
    }

    #[test]
    fn a_process_may_become_another_program_when_it_is_young_and_later_too() {
        let tree = Tree::new();
        let child = |arguments: &[&str]| tree.process(11, 0, arguments, ('S', 10, 300, 0, 0));
        let runner = ["ollama", "runner", "--model", "/b/m"];
        child(&["ollama", "serve"]);
        let mut processes = Processes::new(tree.0.path());
        assert!(matches!(*processes.look().unwrap()[0].role, Role::Server { .. }));
        child(&runner);
        assert!(matches!(*processes.look().unwrap()[0].role, Role::Engine(_)));
        child(&["sh"]);
        for _ in 0..10 {
            assert_eq!(pids(&mut processes), []);
        }
        child(&runner);
        assert!((0..ROUNDS).any(|_| !processes.look().unwrap().is_empty()));
    }

    #[test]
    fn engines_between_two_looks_are_told_once_and_those_that_a_look_sees_are_not() {
        let tree = Tree::new();
        let started = |pid, started| {
            tree.process(pid, 0, &["llama-server", "--model", "/b/m"], ('R', 10, started, 0, 0));
            engine(tree.0.path(), pid, 1000.0).unwrap()
        };
        let mut processes = Processes::new(tree.0.path());
        processes.events = Some(Events::silent());
        let mut look = |told: &[&Process]| {
            told.iter().for_each(|engine| processes.events.as_ref().unwrap().tell((*engine).clone()));
            let found = processes.look().unwrap().into_iter();
            found.map(|process| (process.id, process.fresh, process.ended)).collect::<Vec<_>>()
        };
        assert_eq!(look(&[]), []);
        let brief = started(11, 300);
        tree.end(11);
        assert_eq!(look(&[&brief]), [(brief.id, true, true)]);
        assert_eq!(look(&[]), [], "it is told once");
        // One that lives on, of which the kernel tells again after a look.
        let lives = started(11, 400);
        assert_eq!(look(&[&lives]), [(lives.id, true, false)]);
        assert_eq!(look(&[&lives]), [(lives.id, false, false)]);
        tree.end(11);
        assert_eq!(look(&[&lives]), [], "looks have seen it");
        // One whose number another has by now, and one that is dead and not yet taken notice of.
        let before = started(11, 500);
        let after = started(11, 600);
        assert_eq!(look(&[&before]), [(after.id, true, false), (before.id, true, true)]);
        tree.process(11, 0, &["llama-server", "--model", "/b/m"], ('Z', 10, 600, 0, 0));
        assert_eq!(look(&[]), []);
        // One that a look saw before it became an engine.
        tree.process(12, 0, &["sh"], ('R', 10, 700, 0, 0));
        assert_eq!(look(&[]), []);
        let became = started(12, 700);
        tree.end(12);
        assert_eq!(look(&[&became]), [(became.id, true, true)]);
        tree.process(12, 0, &["sh"], ('R', 10, 700, 0, 0));
        assert!(engine(tree.0.path(), 12, 0.0).is_none() && engine(tree.0.path(), 99, 0.0).is_none());
    }

    #[test]
    fn where_there_is_no_list_the_reason_is_said() {
        let missing = Processes::new(Path::new("/nowhere")).look().unwrap_err();
        assert_eq!(missing.reason, Reason::NoSensor);
    }

    #[test]
    fn this_process_has_its_own_sockets() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let procfs = Path::new("/proc");
        let sockets = super::super::sockets::Sockets::read(procfs, &["net/tcp"], &[port]).unwrap();
        let inode = sockets.listener(port).unwrap().inode;
        assert_eq!(has_socket(procfs, std::process::id(), inode), Ok(true));
        assert_eq!(has_socket(procfs, std::process::id(), 1), Ok(false));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            Stat::parse(&text);
        }

        #[test]
        fn a_name_may_hold_anything(name in "[a-z() :0-9]{0,15}", numbers in any::<[u32; 4]>()) {
            let [user, system, children, started] = numbers.map(u64::from);
            let text = format!("5 ({name}) S 77 1 1 0 -1 4 9 0 8 0 {user} {system} {children} 0 20 0 12 0 {started} 9\n");
            let expected =
                Stat { name: name.as_bytes(), state: b'S', parent: 77, user, system, children_user: children, started };
            prop_assert_eq!(Stat::parse(text.as_bytes()), Some(expected));
        }
    }
}
