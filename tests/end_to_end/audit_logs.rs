//! Audit logs under the real agent: each line is counted once, whatever happens to the file, its folder, and the agent.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    net::TcpStream,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use aura_tests::{Agent, Control, Random, Setup, skip, wait_for, wait_until};
use flate2::{Compression, write::GzEncoder};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;

/// A security log that the test writes and rotates.
pub(crate) struct Log {
    pub(crate) live: PathBuf,
    /// What was written, by kind.
    pub(crate) written: BTreeMap<String, u64>,
    lines: u64,
}

impl Log {
    /// In the installation in this folder.
    pub(crate) fn below(folder: &Path) -> Self {
        let logs = folder.join("installation/logs");
        fs::create_dir_all(&logs).unwrap();
        Self { live: logs.join("security_audit.jsonl"), written: BTreeMap::new(), lines: 0 }
    }

    fn line(&mut self, kind: &str, rest: &str) -> String {
        self.lines += 1;
        *self.written.entry(kind.to_owned()).or_default() += 1;
        let rest = if rest.is_empty() { String::new() } else { format!(", {rest}") };
        format!("{{\"ts\": {}.25, \"type\": \"{kind}\", \"id\": {}{rest}}}\n", 1_765_800_000 + self.lines, self.lines)
    }

    /// One more event.
    pub(crate) fn append(&mut self, kind: &str, rest: &str) {
        let line = self.line(kind, rest);
        self.write(&line);
    }

    /// Bytes as they are.
    pub(crate) fn write(&self, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.live).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn archive(&self, number: usize, suffix: &str) -> PathBuf {
        self.live.with_extension(format!("{number}.jsonl{suffix}"))
    }

    fn shift(&self) {
        for number in (1..40).rev() {
            for suffix in ["", ".gz"] {
                let _ = fs::rename(self.archive(number, suffix), self.archive(number + 1, suffix));
            }
        }
    }

    /// Renames the live file; the next line makes a new one.
    pub(crate) fn rename_away(&self) {
        self.shift();
        fs::rename(&self.live, self.archive(1, "")).unwrap();
    }

    /// Packs the newest archive.
    pub(crate) fn pack(&self) {
        let plain = self.archive(1, "");
        let mut encoder = GzEncoder::new(File::create(self.archive(1, ".gz")).unwrap(), Compression::fast());
        encoder.write_all(&fs::read(&plain).unwrap()).unwrap();
        encoder.finish().unwrap();
        fs::remove_file(plain).unwrap();
    }

    /// Copies the live file and cuts it.
    fn copy_and_cut(&self) {
        self.shift();
        fs::copy(&self.live, self.archive(1, "")).unwrap();
        OpenOptions::new().write(true).truncate(true).open(&self.live).unwrap();
    }
}

/// Follows the log of the installation in this folder, whatever the agent's own folder is.
fn follow(setup: Setup, folder: &Path) -> Setup {
    let folder = folder.display();
    let config = format!(
        "storage: {{path: {folder}/storage}}\nsources:\n  host: {{interval: 200ms}}\n  \
         audit: {{roots: [{folder}/installation], interval: 100ms, timeout: 1s}}\n"
    );
    setup.config(&config)
}

/// How many events of this log are counted.
pub(crate) fn total(agent: &Agent, log: &str) -> f64 {
    counted(agent, log).values().sum()
}

/// Events by kind.
fn counted(agent: &Agent, log: &str) -> BTreeMap<String, f64> {
    let mut counted = BTreeMap::new();
    for sample in agent.scrape("/metrics/aura").all("aura_audit_events_total") {
        if sample.label("log") == Some(log) {
            *counted.entry(sample.label("kind").unwrap().to_owned()).or_default() += sample.value;
        }
    }
    counted
}

/// A metric of the security log.
fn value(agent: &Agent, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels: Vec<(&str, &str)> = [&[("log", "security_audit")], labels].concat();
    // A sample that is late on a busy machine takes the series away for a moment.
    wait_for(name, || agent.scrape("/metrics/aura").get(name, &labels))
}

/// The security log, as `/api/governance` shows it.
fn shown(agent: &Agent) -> Value {
    let message = agent.json("/api/governance");
    let logs = message["audit"]["logs"].as_array().cloned().unwrap_or_default();
    logs.into_iter().find(|log| log["name"] == "security_audit").unwrap_or_default()
}

/// Each event once, and no gap.
fn expect(agent: &Agent, log: &Log) {
    let expected: BTreeMap<String, f64> =
        log.written.iter().map(|(kind, count)| (kind.clone(), *count as f64)).collect();
    wait_until("every line to be counted", || {
        counted(agent, "security_audit").values().sum::<f64>() >= expected.values().sum()
    });
    // Late looks at renamed files must not find anything twice.
    let looks = || agent.scrape("/metrics/aura").value("aura_source_samples_total", &[("source", "audit")]);
    let now = looks();
    wait_until("a few more looks", || looks() > now + 5.0);
    wait_until("the series", || total(agent, "security_audit") > 0.0);
    assert_eq!(counted(agent, "security_audit"), expected);
    assert_eq!(value(agent, "aura_audit_gaps_total", &[]), 0.0);
    let all: f64 = expected.values().sum();
    wait_until("the feed to say the same", || shown(agent)["events"].as_f64() == Some(all));
}

/// How much of the log is counted, as the agent has written it down.
fn counted_bytes(kept: &Path) -> u64 {
    let state: Value = fs::read(kept).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let logs = state["logs"].as_object().into_iter().flat_map(|logs| logs.values());
    logs.filter_map(|log| log["counts"]["bytes"].as_u64()).sum()
}

#[test]
fn no_line_is_lost_or_counted_twice_over_twenty_kills_while_others_write_and_rotate() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(Mutex::new(Log::below(folder.path())));
    let kept = folder.path().join("storage/audit.json");
    let agent = follow(Setup::default(), folder.path()).announced();
    wait_until("the first look", || kept.exists());
    drop(agent);

    let mut random = Random::any();
    let seed = random.below(usize::MAX);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (log, stop, kept) = (Arc::clone(&log), Arc::clone(&stop), kept.clone());
        thread::spawn(move || {
            let mut random = Random::of(seed);
            // How much was written before each rotation.
            let mut rotations: Vec<u64> = Vec::new();
            let mut bytes = 0;
            while !stop.load(Ordering::SeqCst) {
                let mut log = log.lock().unwrap();
                for _ in 0..=random.below(20) {
                    let kind = format!("kind_{}", random.below(30));
                    let line = log.line(&kind, "");
                    // Now and then half a line, and the rest of it a little later.
                    let cut = if random.below(8) == 0 { random.below(line.len()) } else { 0 };
                    log.write(&line[..cut]);
                    if cut > 0 {
                        thread::sleep(Duration::from_millis(random.below(3) as u64));
                    }
                    log.write(&line[cut..]);
                    bytes += line.len() as u64;
                }
                // More rotations than archives that are looked at lose lines; so wait until what came before is counted.
                let counted = counted_bytes(&kept);
                rotations.retain(|before| *before > counted);
                if random.below(12) == 0 && rotations.len() < 12 {
                    rotations.push(bytes);
                    match random.below(3) {
                        0 => log.rename_away(),
                        1 => {
                            log.rename_away();
                            File::create(&log.live).unwrap();
                        }
                        _ => {
                            log.rename_away();
                            log.pack();
                        }
                    }
                }
                drop(log);
                thread::sleep(Duration::from_millis(random.below(10) as u64));
            }
        })
    };
    for _ in 0..22 {
        let before = fs::read(&kept).unwrap();
        let mut agent = follow(Setup::default(), folder.path()).announced();
        wait_until("it counts", || fs::read(&kept).unwrap() != before);
        thread::sleep(Duration::from_millis(random.below(300) as u64));
        agent.kill();
        // Shown where the test fails.
        agent.log().lines().filter(|line| line.contains("WARN")).for_each(|line| eprintln!("{line}"));
    }
    stop.store(true, Ordering::SeqCst);
    writer.join().unwrap();
    let mut log = log.lock().unwrap();
    log.append("last", "");
    let agent = follow(Setup::default(), folder.path()).announced();
    expect(&agent, &log);
    assert_eq!(value(&agent, "aura_audit_skipped_lines_total", &[("reason", "unreadable")]), 0.0);
}

#[test]
fn whatever_happens_to_the_file_each_line_is_counted_once() {
    let setup = Setup::default();
    let folder = setup.folder().to_owned();
    let mut log = Log::below(&folder);
    let agent = follow(setup, &folder).start();
    // It appears later.
    wait_until("it waits", || shown(&agent)["state"] == "waiting");
    assert_eq!(value(&agent, "aura_audit_log_present", &[]), 0.0);
    let step = |what: &str, log: &mut Log, change: &dyn Fn(&mut Log)| {
        change(log);
        log.append(what, "");
        expect(&agent, log);
    };
    step("appears", &mut log, &|_| {});
    step("renamed", &mut log, &|log| log.rename_away());
    step("packed", &mut log, &|log| {
        log.rename_away();
        log.pack();
    });
    step("cut", &mut log, &|log| log.copy_and_cut());
    step("twice", &mut log, &|log| {
        log.append("between", "");
        log.rename_away();
        log.append("between", "");
        log.rename_away();
        log.pack();
    });
    step("torn", &mut log, &|log| log.write("{\"ts\": 1765800000, \"type\": \"to\n"));
    // Another file in its place, and one that shrinks: what stood there was read, so nothing is lost.
    step("replaced", &mut log, &|log| {
        let other = log.live.with_extension("new");
        fs::write(&other, "").unwrap();
        fs::rename(&other, &log.live).unwrap();
    });
    step("in two pieces", &mut log, &|log| {
        let line = log.line("half", "");
        log.write(&line[..20]);
        wait_until("the piece is seen", || value(&agent, "aura_audit_unread_bytes", &[]) == 20.0);
        log.write(&line[20..]);
    });
    assert_eq!(value(&agent, "aura_audit_skipped_lines_total", &[("reason", "unreadable")]), 1.0);
    assert!(value(&agent, "aura_audit_rotations_total", &[]) >= 6.0);
    assert_eq!(value(&agent, "aura_audit_unread_bytes", &[]), 0.0);
    let last = 1_765_800_000.25 + log.written.values().sum::<u64>() as f64;
    assert_eq!(value(&agent, "aura_audit_last_event_timestamp_seconds", &[]), last);
    assert_eq!(shown(&agent)["skipped"], 1);
}

#[test]
fn a_search_whose_client_left_keeps_no_other_waiting() {
    let setup = Setup::default();
    let folder = setup.folder().to_owned();
    let log = Log::below(&folder);
    // As much as nobody can read in time, and takes no place on the disk.
    File::create(&log.live).unwrap().set_len(1 << 40).unwrap();
    let agent = follow(setup, &folder).start();
    let page = |asked: &str| format!("/api/governance/audit-logs?{asked}");
    let given_up = agent.json(&page("text=nowhere"));
    assert_eq!((&given_up["complete"], &given_up["count"]), (&false.into(), &0.into()), "{given_up}");
    // Many more than are read at once; each would take two seconds, those in a queue are refused after less.
    for _ in 0..40 {
        let mut stream = TcpStream::connect(agent.address()).unwrap();
        let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", page("text=nowhere"), agent.address());
        stream.write_all(request.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(20));
    }
    let other = agent.get(&page("log=provenance"));
    assert_eq!(other.status, 200, "{}", other.text());
}

#[test]
fn ten_thousand_kinds_make_few_series() {
    let setup = Setup::default();
    let folder = setup.folder().to_owned();
    let mut log = Log::below(&folder);
    let lines: String = (0..10_000).map(|kind| log.line(&format!("kind_{kind}"), "")).collect();
    log.write(&lines);
    let agent = follow(setup, &folder).start();
    wait_until("all are counted", || total(&agent, "security_audit") == 10_000.0);
    let counted = counted(&agent, "security_audit");
    assert_eq!((counted.len(), counted["other"], counted["kind_0"]), (65, 9936.0, 1.0));
    assert_eq!(agent.json("/api/governance/audit-logs?kind=kind_9000")["count"], 1, "they can still be asked for");
}

#[test]
fn spikes_are_shown_with_limits_of_ones_own() {
    let setup = Setup::default();
    let folder = setup.folder().to_owned();
    let log = Log::below(&folder);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // One a minute for 40 minutes of the first kind, and as many within the last ten of the second.
    let lines = (0..40).map(|at| {
        let (slow, fast) = (now - 60 * at - 30, now - 15 * at - 5);
        format!("{{\"ts\": {slow}, \"type\": \"tool_failure\"}}\n{{\"ts\": {fast}, \"type\": \"mine\"}}\n")
    });
    log.write(&lines.collect::<String>());
    let config = format!(
        "sources: {{audit: {{roots: ['{}/installation'], interval: 100ms, spikes: {{tool_failure: 40, mine: 39}}}}}}\n",
        folder.display()
    );
    let agent = setup.config(&config).start();
    wait_until("all are counted", || total(&agent, "security_audit") == 80.0);
    assert_eq!(value(&agent, "aura_audit_spike", &[("kind", "tool_failure")]), 0.0, "40 are not more than 40");
    assert_eq!(value(&agent, "aura_audit_spike", &[("kind", "mine")]), 1.0);
    assert_eq!(value(&agent, "aura_audit_recent_events", &[("kind", "mine"), ("window", "1h")]), 40.0);
    assert_eq!(value(&agent, "aura_audit_recent_events", &[("kind", "mine"), ("window", "15m")]), 40.0);
    let message = agent.json("/api/governance");
    let spikes = message["audit"]["spikes"].as_array().unwrap();
    assert_eq!((spikes.len(), &spikes[0]["kind"]), (1, &"mine".into()));
    let expected = 40.0 / 900.0 - 40.0 / 3600.0;
    assert!((spikes[0]["acceleration"].as_f64().unwrap() - expected).abs() < 1e-9, "{}", spikes[0]);
}

#[test]
fn what_is_no_readable_file_is_said_and_the_other_logs_are_followed() {
    let Some(setup) = Setup::unprivileged() else { return };
    let folder = setup.folder().to_owned();
    let mut log = Log::below(&folder);
    let storage = folder.join("storage");
    fs::create_dir(&storage).unwrap();
    fs::set_permissions(&storage, fs::Permissions::from_mode(0o777)).unwrap();
    let other = log.live.with_file_name("provenance.jsonl");
    fs::write(&other, "{\"ts\": 1, \"kind\": \"tool\"}\n").unwrap();
    log.append("before", "");
    let agent = follow(setup, &folder).start();
    wait_until("both are counted", || total(&agent, "security_audit") == 1.0 && total(&agent, "provenance") == 1.0);
    let control = Control::start("200ms");
    let beside = control.beside(&agent);
    let aside = log.live.with_extension("aside");
    let closed = |mode: u32| fs::set_permissions(&log.live, fs::Permissions::from_mode(mode)).unwrap();
    let mut events = 1;
    let mut check = |what: &str, reason: &str| {
        wait_until(what, || {
            let log = shown(&agent);
            log["state"] == "unreadable" && log["missing"]["reason"] == reason
        });
        assert_eq!(value(&agent, "aura_audit_log_present", &[]), 0.0, "{what}");
        // The others go on, and a page still shows what can be read.
        events += 1;
        let mut file = OpenOptions::new().append(true).open(&other).unwrap();
        file.write_all(b"{\"ts\": 2, \"kind\": \"tool\"}\n").unwrap();
        wait_until("the other log goes on", || total(&agent, "provenance") == f64::from(events));
        let page = agent.json("/api/governance/audit-logs");
        assert!(page["events"].as_array().unwrap().len() >= events as usize, "{what}: {page}");
        assert!(page["problems"][0].as_str().unwrap().contains("security_audit.jsonl"), "{what}: {page}");
    };
    closed(0o000);
    check("no permission", "no_permission");
    closed(0o644);
    fs::rename(&log.live, &aside).unwrap();
    mknodat(CWD, &log.live, FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    check("a pipe", "unreadable");
    fs::remove_file(&log.live).unwrap();
    fs::create_dir(&log.live).unwrap();
    check("a folder", "unreadable");
    fs::remove_dir(&log.live).unwrap();
    symlink(&log.live, &log.live).unwrap();
    check("a link to itself", "unreadable");
    fs::remove_file(&log.live).unwrap();
    fs::rename(&aside, &log.live).unwrap();
    log.append("after", "");
    expect(&agent, &log);
    // The whole folder goes, and comes back.
    let logs = log.live.parent().unwrap();
    fs::rename(logs, logs.with_extension("away")).unwrap();
    wait_until("it waits", || shown(&agent)["state"] == "waiting");
    fs::rename(logs.with_extension("away"), logs).unwrap();
    log.append("back", "");
    expect(&agent, &log);
    beside.assert_kept_pace();
}

#[test]
fn where_positions_cannot_be_kept_counting_goes_on_and_says_so() {
    let Some(setup) = Setup::unprivileged() else { return };
    let folder = setup.folder().to_owned();
    let mut log = Log::below(&folder);
    let storage = folder.join("storage");
    fs::create_dir(&storage).unwrap();
    let writable = |mode: u32| fs::set_permissions(&storage, fs::Permissions::from_mode(mode)).unwrap();
    writable(0o777);
    log.append("before", "");
    let agent = follow(setup, &folder).start();
    let kept = || agent.scrape("/metrics/aura").value("aura_audit_position_kept", &[]);
    wait_until("it is kept", || total(&agent, "security_audit") == 1.0 && kept() == 1.0);
    let control = Control::start("200ms");
    let beside = control.beside(&agent);
    writable(0o555);
    log.append("while read-only", "");
    wait_until("it says so", || kept() == 0.0);
    wait_until("it counts on", || total(&agent, "security_audit") == 2.0);
    let problems = agent.json("/api/governance")["audit"]["problems"].clone();
    assert!(problems[0].as_str().unwrap().contains("a restart would count lines again"), "{problems}");
    writable(0o777);
    wait_until("it is kept again", || kept() == 1.0);
    expect(&agent, &log);
    beside.assert_kept_pace();
}

#[test]
fn a_full_disk_below_the_positions_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let storage = folder.path().join("storage");
    fs::create_dir(&storage).unwrap();
    let options = c"size=64k";
    if let Err(error) = rustix::mount::mount("tmpfs", &storage, "tmpfs", rustix::mount::MountFlags::empty(), options) {
        skip(&format!("the right to mount ({error})"));
        return;
    }
    let _mount = crate::audit_mount::Mounted(storage.clone());
    let mut log = Log::below(folder.path());
    log.append("before", "");
    let mut agent = follow(Setup::default(), folder.path()).start();
    let kept = |agent: &Agent| agent.scrape("/metrics/aura").value("aura_audit_position_kept", &[]);
    wait_until("it is kept", || total(&agent, "security_audit") == 1.0 && kept(&agent) == 1.0);
    let good = fs::read(storage.join("audit.json")).unwrap();
    let ballast = storage.join("ballast");
    let mut file = File::create(&ballast).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
    drop(file);
    log.append("while full", "");
    wait_until("it says so", || kept(&agent) == 0.0);
    assert_eq!(fs::read(storage.join("audit.json")).unwrap(), good, "the old positions are not damaged");
    agent.kill();
    fs::remove_file(ballast).unwrap();
    // What was counted but not kept is counted by the next, once.
    let agent = follow(Setup::default(), folder.path()).start();
    expect(&agent, &log);
    assert_eq!(kept(&agent), 1.0);
}

#[test]
fn a_log_on_a_mount_that_hangs_is_late_alone() {
    let setup = Setup::default();
    let folder = setup.folder().to_owned();
    let log = Log::below(&folder);
    let logs = log.live.parent().unwrap().to_owned();
    // The mount goes first: neither the agent nor its folder can go while it hangs.
    let mut agent;
    let mount = match crate::audit_mount::Silent::mount(&logs) {
        Ok(mount) => mount,
        Err(error) => return skip(&format!("fuse and the right to mount ({error})")),
    };
    agent = follow(setup, &folder).start();
    let up = |agent: &Agent| agent.scrape("/metrics/aura").value("aura_source_up", &[("source", "audit")]);
    wait_until("it is late", || up(&agent) == 0.0);
    let control = Control::start("200ms");
    let beside = control.beside(&agent);
    let message = agent.json("/api/governance");
    assert_eq!(
        (&message["audit"], &message["missing"]["audit"]["reason"]),
        (&Value::Null, &"stale".into()),
        "{message}"
    );
    beside.assert_kept_pace();
    mount.answer();
    wait_until("it is back", || up(&agent) == 1.0);
    assert_eq!(shown(&agent)["state"], "waiting");
    mount.hang();
    wait_until("it is late again", || up(&agent) == 0.0);
    agent.signal(rustix::process::Signal::TERM);
    // The kernel lets no process end while one of its threads waits for an answer; all else is done by then.
    agent.wait_for_log("INFO stopped");
    mount.answer();
    assert_eq!(agent.wait().code(), Some(0));
}
