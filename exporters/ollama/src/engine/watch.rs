//! The engines of one server: whose children they are, and what becomes of them.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use aura_model::{Missing, Name, Reason, Section};
use tokio::runtime::Runtime;

use super::{
    EngineKind, EnginesReading, Look, Parent,
    ask::DEADLINE,
    command_line::Role,
    life::Life,
    names::Names,
    processes::{Id, Process, has_socket},
    sockets::Sockets,
    totals::{Share, Totals, sum},
};
use crate::Address;

/// CPU time in which an engine does nothing that it counts: it ends.
const NOTHING: u64 = 2;
/// What is not expected to change is looked at again after so many looks.
const AGAIN: u32 = 10;

/// The engines of one server.
pub(crate) struct Engines {
    procfs: PathBuf,
    /// Where the server listens.
    port: u16,
    /// An engine that takes longer to answer is given up.
    pub(super) deadline: Duration,
    /// The server's process.
    server: Option<Server>,
    missing: Option<Missing>,
    searched: Option<(Vec<Id>, u32)>,
    lives: Vec<Life>,
    totals: Totals,
    names: Names,
    became_ready: bool,
    looks: u32,
}

struct Server {
    id: Id,
    uid: u32,
    /// Whether no other server of this user is there, so that what its user left behind was its own.
    alone: bool,
    children_user_ticks: u64,
    /// Whether its engines count, once one of them has said.
    counts: Option<bool>,
}

impl Engines {
    /// Those of a server on this machine.
    ///
    /// # Errors
    /// It is not on this machine.
    pub(crate) fn new(address: &Address, procfs: PathBuf) -> Result<Self, Missing> {
        if !address.is_loopback() {
            let detail = format!("{address} is not on this machine: what its engines do is seen there alone");
            return Err(Missing::new(Reason::NoSensor, detail));
        }
        Ok(Self {
            procfs,
            port: address.port(),
            deadline: DEADLINE,
            server: None,
            missing: None,
            searched: None,
            lives: Vec::new(),
            totals: Totals::default(),
            names: Names::default(),
            became_ready: false,
            looks: 0,
        })
    }

    /// Takes what a look at the processes saw, once a sample. None where they cannot be seen (a container): then nothing
    /// hints at changes.
    /// `knows` says which weights are those of the server's models.
    pub(crate) fn look(
        &mut self,
        processes: &Result<Vec<Process>, Missing>,
        knows: impl Fn(&str) -> bool,
    ) -> Option<Look> {
        let processes = match processes {
            Ok(processes) => processes,
            Err(missing) => {
                self.missing = Some(missing.clone());
                return None;
            }
        };
        let cpu_of_the_dead = self.find_server(processes);
        let servers =
            |pid| processes.iter().any(|other| other.id.pid == pid && matches!(*other.role, Role::Server { .. }));
        let mut before = std::mem::take(&mut self.lives);
        let (mut changed, mut worked) = (std::mem::take(&mut self.became_ready), false);
        for process in processes.iter().filter(|process| process.ended) {
            changed |= self.count_missed(process);
        }
        let engines = processes.iter().filter(|process| !process.ended && matches!(*process.role, Role::Engine(_)));
        for process in engines {
            let is_child = self.server.as_ref().is_some_and(|server| server.is_parent(process));
            let known = before.iter().position(|life| life.process.id == process.id).map(|at| before.swap_remove(at));
            let parent = if is_child { Parent::Server } else { Parent::Gone };
            if let Some(mut life) = known {
                changed |= life.parent != parent;
                life.parent = parent;
                self.lives.push(life);
                continue;
            }
            let is_left = |server: &Server| server.alone && server.uid == process.uid && !servers(process.parent);
            let is_ours = is_child || (has_weights(process, &knows) && self.server.as_ref().is_some_and(is_left));
            let counts = process.fresh && self.server.as_ref().is_some_and(|server| server.counts == Some(true));
            if let Some(life) =
                is_ours.then(|| Life::new(process.clone(), parent, counts && is_child, self.deadline)).flatten()
            {
                self.totals.found(&life.key, process.born, process.fresh && is_child);
                self.lives.push(life);
                changed = true;
            }
        }
        changed |= !before.is_empty();
        self.bury(before, cpu_of_the_dead);
        self.lives.sort_by_key(|life| (life.process.id.started, life.process.id.pid));
        let mut silent = false;
        for life in &mut self.lives {
            let Some(process) = processes.iter().find(|process| process.id == life.process.id) else { continue };
            worked |= life.look(process.clone());
            silent |= life.is_silent();
        }
        // The kernel walks over all sockets for each such table, which costs more than all else here.
        self.looks = self.looks.wrapping_add(1);
        let ports: Vec<u16> = self.lives.iter().filter_map(Life::port).collect();
        if !ports.is_empty() && (silent || self.looks.is_multiple_of(AGAIN)) {
            let sockets = Sockets::read(&self.procfs, &["net/tcp"], &ports);
            self.lives.iter_mut().for_each(|life| worked |= life.connect(sockets.as_ref()));
        }
        self.totals.decide(self.server.is_some());
        self.server.is_some().then_some(Look { changed, worked })
    }

    /// The server's process.
    pub(crate) fn server(&self) -> Option<u32> {
        Some(self.server.as_ref()?.id.pid)
    }

    /// Counts an engine that no look saw, if it was the server's. Nobody asked it, so what it counted is lost.
    fn count_missed(&mut self, process: &Process) -> bool {
        let Role::Engine(line) = &*process.role else { return false };
        let Some(server) = self.server.as_ref().filter(|server| server.is_parent(process)) else { return false };
        let cut = server.counts == Some(true) && line.kind == EngineKind::LlamaServer;
        self.totals.found(line.key(), process.born, true);
        self.totals.ended(line.key(), Share::default(), cut);
        true
    }

    /// Those that are gone.
    fn bury(&mut self, gone: Vec<Life>, cpu_of_the_dead: Option<u64>) {
        let known: u64 = gone.iter().map(|life| life.process.user_ticks).sum();
        let worked = cpu_of_the_dead.is_some_and(|ticks| ticks > known + NOTHING);
        for life in gone {
            let counts = self.server.as_ref().and_then(|server| server.counts).or(life.counts()) == Some(true);
            let was_child = life.parent == Parent::Server;
            let cut = counts && was_child && life.is_kind(EngineKind::LlamaServer) && (worked || life.is_active());
            self.totals.ended(&life.key, life.share(), cut);
        }
    }

    /// Finds the process that listens where the server does, unless it is known. CPU time of those of its children that
    /// ended since the last look.
    fn find_server(&mut self, processes: &[Process]) -> Option<u64> {
        let is_server = |process: &&Process| matches!(*process.role, Role::Server { .. });
        let servers: Vec<&Process> = processes.iter().filter(is_server).collect();
        // A child that is about to become an engine is still called as its parent.
        let is_first = |process: &&&Process| !servers.iter().any(|other| other.id.pid == process.parent);
        let first: Vec<&Process> = servers.iter().filter(is_first).copied().collect();
        if let Some(server) = &mut self.server
            && let Some(process) = first.iter().find(|process| process.id == server.id)
        {
            let ticks = process.children_user_ticks.saturating_sub(server.children_user_ticks);
            server.children_user_ticks = process.children_user_ticks;
            return Some(ticks);
        }
        self.server = None;
        let ids: Vec<Id> = first.iter().map(|process| process.id).collect();
        match &mut self.searched {
            Some((before, looks)) if *before == ids && *looks < AGAIN => *looks += 1,
            searched => {
                *searched = Some((ids, 0));
                match self.search(&first) {
                    Ok(server) => {
                        self.server = Some(server);
                        self.missing = None;
                    }
                    Err(missing) => self.missing = Some(missing),
                }
            }
        }
        None
    }

    fn search(&self, servers: &[&Process]) -> Result<Server, Missing> {
        let Self { port, procfs, .. } = self;
        let missing = |reason, why: &str| Missing::new(reason, format!("its engines are not seen: {why}"));
        let sockets = Sockets::read(procfs, &["net/tcp", "net/tcp6"], &[*port]).ok_or_else(|| {
            missing(Reason::NoSensor, &format!("there is no table of sockets in {}", procfs.join("net").display()))
        })?;
        let listener = sockets.listener(*port).ok_or_else(|| {
            missing(Reason::NoSensor, &format!("nobody listens on port {port} in the network that this agent is in"))
        })?;
        let mut of_user: Vec<&Process> = servers.iter().filter(|server| server.uid == listener.uid).copied().collect();
        if of_user.iter().any(|server| *server.role == Role::Server { serves: true }) {
            of_user.retain(|server| *server.role == Role::Server { serves: true });
        }
        let alone = of_user.len() == 1;
        // Where we may look it is certain: a tunnel or a proxy of the same user may listen there.
        let mut owners = Vec::new();
        for server in of_user {
            match has_socket(procfs, server.id.pid, listener.inode) {
                Ok(true) => owners.push(server),
                Ok(false) => {}
                Err(_) if alone => owners.push(server),
                Err(error) => {
                    let why = format!(
                        "several servers of one user run here, and only it and root see which is meant ({error})"
                    );
                    return Err(missing(Reason::NoPermission, &why));
                }
            }
        }
        let Some(server) = owners.first() else {
            let why = format!(
                "what listens on port {port} is no process named ollama that can be seen from here: it is a proxy, runs in a \
                 container, or /proc hides the processes of others"
            );
            return Err(missing(Reason::NoSensor, &why));
        };
        let (id, uid) = (server.id, server.uid);
        Ok(Server { id, uid, alone, children_user_ticks: server.children_user_ticks, counts: None })
    }

    /// Asks the engines that may have news.
    pub(crate) fn begin(&mut self, runtime: &Runtime) {
        self.lives.iter_mut().for_each(|life| life.begin(runtime));
    }

    /// Waits for their answers. Giving up this wait leaves the requests running.
    pub(crate) async fn finish(&mut self) {
        for life in &mut self.lives {
            self.became_ready |= life.finish().await;
        }
        self.learn();
    }

    /// Takes the answers that are there.
    pub(crate) async fn finish_done(&mut self) {
        for life in self.lives.iter_mut().filter(|life| life.is_done()) {
            self.became_ready |= life.finish().await;
        }
        self.learn();
    }

    fn learn(&mut self) {
        if let Some(server) = &mut self.server {
            let told = self.lives.iter().filter(|life| life.parent == Parent::Server).filter_map(Life::counts);
            server.counts = told.reduce(|one, other| one && other).or(server.counts);
        }
    }

    /// What the server lists by its answer to a question of `asked`; none where that is not known of some weights.
    pub(crate) fn listed(&mut self, asked: Instant, is_listed: impl Fn(&str) -> Option<bool>) {
        let lives = |key: &str| self.lives.iter().any(|life| *life.key == *key && life.parent == Parent::Server);
        self.totals.listed(asked, is_listed, lives);
    }

    /// Whether the server lists these weights while their engine is dead.
    pub(crate) fn is_crashed(&self, weights: &str) -> bool {
        self.totals.is_crashed(weights)
    }

    /// When the newest engine of these weights was started, in Unix seconds, where that is known.
    pub(crate) fn born(&self, weights: &str) -> Option<f64> {
        let of_these = |life: &&Life| *life.key == *weights && life.parent == Parent::Server;
        self.lives.iter().rfind(of_these).map(|life| life.process.born)
    }

    /// Why the server may be silent: an engine that hangs, which it waits for.
    pub(crate) fn stuck(&self) -> Option<String> {
        let children = self.lives.iter().filter(|life| life.parent == Parent::Server);
        let stuck: Vec<String> = children
            .filter_map(|life| {
                Some(format!("its engine with process number {} {}", life.process.id.pid, life.stuck()?))
            })
            .collect();
        (!stuck.is_empty()).then(|| stuck.join(", "))
    }

    /// `models` says what the models of some weights are called now.
    pub(crate) fn reading<'a>(&mut self, models: impl Fn(&str) -> Vec<&'a Name>) -> Section<EnginesReading> {
        let totals = self.totals.with(|key| {
            let shares = self.lives.iter().filter(|life| *life.key == *key).map(Life::share);
            shares.fold(Share::default(), |one, other| Share {
                ticks: one.ticks + other.ticks,
                counters: sum(one.counters, other.counters),
            })
        });
        totals.iter().for_each(|total| self.names.give(&total.weights, &models(&total.weights)));
        match &self.missing {
            Some(missing) if totals.is_empty() => Section::Off { missing: missing.clone() },
            missing => Section::Fresh(EnginesReading {
                engines: self.lives.iter().filter_map(Life::reading).collect(),
                totals,
                names: self.names.all(),
                missing: missing.clone(),
            }),
        }
    }
}

impl Server {
    fn is_parent(&self, process: &Process) -> bool {
        process.parent == self.id.pid && process.uid == self.uid
    }
}

fn has_weights(process: &Process, knows: impl Fn(&str) -> bool) -> bool {
    matches!(&*process.role, Role::Engine(line) if line.weights.as_deref().is_some_and(knows))
}
