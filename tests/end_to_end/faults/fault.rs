//! What can go wrong with each far side, how it is mended, and what of it must be seen from outside.

use std::{fs, os::unix::fs::symlink, path::Path};

use aura_ollama_simulator::Fault as OllamaFault;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use serde_json::Value;

use super::{
    watch::Look,
    world::{REGISTRY, Watched, World},
};

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// The kernel does not answer: a file that does not open.
    HostHangs,
    /// A file of the kernel holds something else.
    HostGarbage,
    /// A call does not return.
    GpuHangs,
    /// Both cards fall off the bus.
    GpuLost,
    /// Every call fails.
    GpuFails,
    OllamaDies,
    OllamaHangs,
    OllamaGarbage,
    OllamaBreaksOff,
    OllamaRefuses,
    PostgresKilled,
    PostgresFrozen,
    /// Somebody else listens in its place and says nothing.
    PostgresSilent,
    /// Somebody else listens in its place and speaks another language.
    PostgresGarbage,
    /// A pipe in the log's place: whoever opens it waits for somebody to write.
    AuditPipe,
    /// A name in the log's place that leads nowhere.
    AuditUnreadable,
    AuditFolder,
    RolesHalfWritten,
    RolesGarbage,
    RolesPipe,
}

pub(super) const HOST: &[Fault] = &[Fault::HostHangs, Fault::HostGarbage];
pub(super) const GPU: &[Fault] = &[Fault::GpuHangs, Fault::GpuLost, Fault::GpuFails];
pub(super) const OLLAMA: &[Fault] =
    &[Fault::OllamaDies, Fault::OllamaHangs, Fault::OllamaGarbage, Fault::OllamaBreaksOff, Fault::OllamaRefuses];
pub(super) const POSTGRES: &[Fault] =
    &[Fault::PostgresKilled, Fault::PostgresFrozen, Fault::PostgresSilent, Fault::PostgresGarbage];
pub(super) const AUDIT: &[Fault] = &[Fault::AuditPipe, Fault::AuditUnreadable, Fault::AuditFolder];
pub(super) const ROLES: &[Fault] = &[Fault::RolesHalfWritten, Fault::RolesGarbage, Fault::RolesPipe];

/// Each source with all that can happen to it.
pub(super) const ALL: [(&str, &[Fault]); 6] =
    [("host", HOST), ("gpu", GPU), ("ollama", OLLAMA), ("postgres", POSTGRES), ("audit", AUDIT), ("roles", ROLES)];

impl Fault {
    /// Whose far side it is.
    pub(super) fn source(self) -> &'static str {
        ALL.iter().find(|(_, faults)| faults.contains(&self)).unwrap().0
    }

    /// Lets it happen; the files of the host lie beside each agent.
    pub(super) fn inject(self, world: &mut World, agents: &[&Watched]) {
        let ollama = |fault| world.ollama.set_fault("/api/ps", Some(fault));
        match self {
            Self::HostHangs => agents.iter().for_each(|watched| {
                pipe(&watched.machine.path("schedstat"));
                watched.reopen_host();
            }),
            Self::HostGarbage => agents.iter().for_each(|watched| {
                fs::write(watched.machine.path("meminfo"), "MemTotal: \u{fffd}\0 lots\n").unwrap();
            }),
            Self::GpuHangs => world.driver.scenario("block"),
            Self::GpuLost => world.driver.scenario("lost0 lost1"),
            Self::GpuFails => world.driver.scenario("unknown"),
            Self::OllamaDies => world.ollama.stop(),
            Self::OllamaHangs => ollama(OllamaFault::Hang),
            Self::OllamaGarbage => ollama(OllamaFault::Garbage("<html>{\"models\": 7".to_owned())),
            Self::OllamaBreaksOff => ollama(OllamaFault::Break),
            Self::OllamaRefuses => ollama(OllamaFault::Refuse(500, "out of everything".to_owned())),
            Self::PostgresKilled => world.postgres.kill(),
            Self::PostgresFrozen => world.postgres.freeze(),
            Self::PostgresSilent => world.impersonate(b""),
            Self::PostgresGarbage => world.impersonate(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
            Self::AuditPipe => world.writer.replace(pipe),
            Self::AuditUnreadable => world.writer.replace(|path| symlink(path, path).unwrap()),
            // A folder is taken away as a file is, so a link to one it is.
            Self::AuditFolder => world.writer.replace(|path| symlink("/", path).unwrap()),
            Self::RolesHalfWritten => fs::write(world.registry(), &REGISTRY[..REGISTRY.len() / 2]).unwrap(),
            Self::RolesGarbage => fs::write(world.registry(), "[7, \"roles\"").unwrap(),
            Self::RolesPipe => {
                fs::remove_file(world.registry()).unwrap();
                pipe(&world.registry());
            }
        }
    }

    /// Mends it.
    pub(super) fn mend(self, world: &mut World, agents: &[&Watched]) {
        match self {
            Self::HostHangs => agents.iter().for_each(|watched| open_pipe(&watched.machine.path("schedstat"))),
            Self::HostGarbage => agents.iter().for_each(|watched| watched.machine.set_available(3_000_000)),
            Self::GpuHangs | Self::GpuLost | Self::GpuFails => world.driver.scenario(""),
            Self::OllamaDies => world.ollama.start_again().unwrap(),
            Self::OllamaHangs | Self::OllamaGarbage | Self::OllamaBreaksOff | Self::OllamaRefuses => {
                world.ollama.set_fault("/api/ps", None);
            }
            Self::PostgresKilled => world.postgres.start_again(),
            Self::PostgresFrozen => world.postgres.thaw(),
            Self::PostgresSilent | Self::PostgresGarbage => {
                world.impostor = None;
                world.postgres.start_again();
            }
            Self::AuditPipe | Self::AuditUnreadable | Self::AuditFolder => world.writer.bring_back(),
            Self::RolesHalfWritten | Self::RolesGarbage => fs::write(world.registry(), REGISTRY).unwrap(),
            Self::RolesPipe => {
                fs::remove_file(world.registry()).unwrap();
                fs::write(world.registry(), REGISTRY).unwrap();
            }
        }
    }

    /// The source's values are gone, and it says why; or why not.
    pub(super) fn is_shown(self, look: &Look) -> Result<(), String> {
        match self {
            Self::HostHangs => {
                wanted(!look.up("host") && !look.has("node_"), "the host is gone from the metrics")?;
                wanted(look.system.is_none(), "the host's newest message is not given out as new")
            }
            Self::HostGarbage => {
                let system = look.system.as_ref().ok_or("there is no message of the host")?;
                wanted(!look.has("node_memory_"), "there are no numbers of memory")?;
                wanted(look.value("node_load1").is_some(), "all else of the host is there")?;
                wanted(reason(system, "memory").is_some(), &format!("it is said why: {}", system["missing"]))?;
                wanted(system["metrics"]["memory"].is_null(), "no number of memory is shown")
            }
            Self::GpuHangs | Self::GpuLost | Self::GpuFails => {
                for series in ["DCGM_FI_DEV_GPU_TEMP", "aura_gpu_utilization_ratio", "aura_gpu_memory_used_bytes"] {
                    wanted(!look.has(series), series)?;
                }
                let Some(system) = &look.system else { return Ok(()) };
                let cards = system["metrics"]["gpu"].as_array().map_or(&[][..], |cards| cards);
                for card in cards {
                    wanted(card["temperature"].is_null() && card["load_percent"].is_null(), "a card has no values")?;
                    wanted(card["reason"].is_string(), "a card says why")?;
                }
                wanted(!cards.is_empty() || reason(system, "gpu").is_some(), "it is said why there are no cards")
            }
            Self::OllamaDies | Self::OllamaGarbage | Self::OllamaBreaksOff | Self::OllamaRefuses => {
                wanted(look.value("ollama_up") == Some(0.0), "ollama_up is 0")?;
                no_models(look, "away")
            }
            // That it is silent says nothing but that it is busy.
            Self::OllamaHangs => {
                wanted(look.value("ollama_busy") == Some(1.0), "ollama_busy is 1")?;
                no_models(look, "busy")
            }
            Self::PostgresKilled | Self::PostgresFrozen | Self::PostgresSilent | Self::PostgresGarbage => {
                wanted(look.value("pg_up").is_none_or(|up| up == 0.0), "pg_up is 0 or not there")?;
                wanted(!look.has("pg_stat_"), "there are no statistics")?;
                let Some(database) = &look.database else { return Ok(()) };
                let server = &database["metrics"];
                if server.is_null() {
                    return wanted(reason(database, "metrics").is_some(), "it is said why there is no server");
                }
                wanted(server["status"] != "connected", "it is not shown as connected")?;
                wanted(server["error"].is_string() && server["connections"].is_null(), "it is said why")
            }
            Self::AuditPipe | Self::AuditUnreadable | Self::AuditFolder => {
                let governance = look.governance.as_ref().ok_or("there is no message of governance")?;
                match audit_log(governance) {
                    Some(log) => {
                        wanted(log["state"] == "unreadable", &format!("the log is unreadable: {log}"))?;
                        wanted(log["missing"]["reason"].is_string() && log["size_bytes"].is_null(), "it is said why")
                    }
                    None => wanted(!look.up("audit") && !look.has("aura_audit_"), "audit is gone from the metrics"),
                }
            }
            Self::RolesHalfWritten | Self::RolesGarbage | Self::RolesPipe => {
                let governance = look.governance.as_ref().ok_or("there is no message of governance")?;
                if governance["roles"].is_null() {
                    return wanted(!look.up("roles") && !look.has("aura_roles"), "roles are gone from the metrics");
                }
                // The last good copy is shown, with the finding.
                let findings = &governance["roles"]["installations"][0]["findings"];
                let kind = "unreadable_file";
                wanted(findings[0]["kind"] == kind, &format!("the file is a finding: {findings}"))?;
                let counted = look.scrape.get("aura_roles_findings", &[("kind", kind)]);
                wanted(counted == Some(1.0), "the finding is counted")
            }
        }
    }
}

/// The source shows what its far side has.
pub(super) fn is_well(source: &str, look: &Look) -> Result<(), String> {
    wanted(look.up(source), &format!("{source} is up"))?;
    match source {
        "host" => {
            let system = look.system.as_ref().ok_or("there is no message of the host")?;
            wanted(look.value("node_load1") == Some(0.1), "node_load1")?;
            wanted(look.value("node_memory_MemAvailable_bytes") == Some(3_000_000.0 * 1024.0), "memory")?;
            wanted(reason(system, "memory").is_none(), "no memory is missed")
        }
        "gpu" => {
            for (card, degrees) in [("0", 64.0), ("1", 38.0)] {
                let shown = look.scrape.get("DCGM_FI_DEV_GPU_TEMP", &[("gpu", card)]);
                wanted(shown == Some(degrees), "the cards' temperatures")?;
            }
            let Some(system) = &look.system else { return Ok(()) };
            wanted(system["metrics"]["gpu"][0]["temperature"] == 64.0, "a card's temperature in the message")
        }
        "ollama" => {
            let models = look.models.as_ref().ok_or("there is no message of the models")?;
            wanted(look.value("ollama_up") == Some(1.0) && look.value("ollama_busy") != Some(1.0), "ollama_up")?;
            wanted(models["available_models"][0] == "llama3.1:8b", &format!("the model: {}", models["hosts"]))
        }
        "postgres" => {
            let database = look.database.as_ref().ok_or("there is no message of the database")?;
            wanted(look.value("pg_up") == Some(1.0), "pg_up is 1")?;
            let backends = look.scrape.get("pg_stat_database_numbackends", &[("datname", "postgres")]);
            wanted(backends.is_some(), "statistics")?;
            wanted(database["metrics"]["status"] == "connected", "connected")
        }
        "audit" => {
            let governance = look.governance.as_ref().ok_or("there is no message of governance")?;
            let log = audit_log(governance).ok_or("there are no logs")?;
            wanted(log["state"] == "following", &format!("the log is followed: {log}"))?;
            wanted(counted_lines(look) > 0.0, "its lines are counted")
        }
        "roles" => {
            let governance = look.governance.as_ref().ok_or("there is no message of governance")?;
            let roles = &governance["roles"];
            wanted(roles["meta"]["total_roles"] == 2, "two roles")?;
            let findings = &roles["installations"][0]["findings"];
            wanted(findings.as_array().is_some_and(Vec::is_empty), &format!("no findings: {findings}"))
        }
        other => unreachable!("{other}"),
    }
}

/// Lines of the log that are counted as events.
pub(super) fn counted_lines(look: &Look) -> f64 {
    look.scrape.all("aura_audit_events_total").map(|sample| sample.value).sum()
}

fn no_models(look: &Look, state: &str) -> Result<(), String> {
    wanted(!look.has("ollama_model_"), "there are no models in the metrics")?;
    let models = look.models.as_ref().ok_or("there is no message of the models")?;
    wanted(models["loaded_models"].is_null() && models["installed_models"].is_null(), "no models are shown")?;
    wanted(models["hosts"][0]["state"] == state, &format!("it is {state}: {}", models["hosts"]))?;
    wanted(models["hosts"][0]["detail"].is_string(), "it is said why")
}

fn audit_log(governance: &Value) -> Option<&Value> {
    governance["audit"]["logs"].as_array()?.iter().find(|log| log["name"] == "security_audit")
}

fn reason<'m>(message: &'m Value, of: &str) -> Option<&'m str> {
    message["missing"][of]["reason"].as_str()
}

fn wanted(is_so: bool, what: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(format!("not so: {what}")) }
}

/// Whoever opens it to read waits until somebody opens it to write.
fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
}

/// Out of the way, so that it is not opened again, and then open on both sides: the reader goes on.
fn open_pipe(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt;
    let aside = path.with_file_name("aside");
    fs::rename(path, &aside).unwrap();
    let nonblocking = OFlags::NONBLOCK.bits() as i32;
    // Without a reader there is nobody to free.
    let _ = fs::OpenOptions::new().write(true).custom_flags(nonblocking).open(&aside);
    fs::remove_file(aside).unwrap();
}
