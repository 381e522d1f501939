//! Who uses AMD's and Intel's cards, on trees of /proc made after the kernel's documentation of its usage statistics.

#![cfg(target_os = "linux")]

mod support;

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use aura_gpu::{Busy, Gpu, GpuOptions, GpuReading, Gpus, Process};
use aura_model::{Context, Paths, Source};
use proptest::prelude::*;
use support::text;
use tempfile::TempDir;

/// A machine with the cards of a tree, and with processes of its own.
struct Machine {
    folder: TempDir,
    context: Context,
}

impl Machine {
    fn with_cards_of(tree: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sysfs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees").join(tree).join("sys");
        let procfs = folder.path().join("proc");
        std::fs::create_dir(&procfs).unwrap();
        let context = Context::new(Paths { sysfs, procfs, ..Default::default() });
        Self { folder, context }
    }

    fn open(&self) -> Gpus {
        let options = GpuOptions { nvml_library: Some("/nonexistent/libnvidia-ml.so.1".into()), ..Default::default() };
        Gpus::open(&options, &self.context).unwrap()
    }

    fn read(&self) -> GpuReading {
        self.open().sample().unwrap()
    }

    fn folder(&self, pid: u32) -> PathBuf {
        self.folder.path().join("proc").join(pid.to_string())
    }

    fn process(&self, pid: u32, name: &str, descriptors: &[(&str, &str)]) {
        let folder = self.folder(pid);
        let _ = std::fs::remove_dir_all(&folder);
        for part in ["fd", "fdinfo"] {
            std::fs::create_dir_all(folder.join(part)).unwrap();
        }
        std::fs::write(folder.join("stat"), format!("{pid} ({name}) S 1{} 500 0\n", " 0".repeat(17))).unwrap();
        std::fs::write(folder.join("cmdline"), name).unwrap();
        for (number, (target, info)) in descriptors.iter().enumerate() {
            symlink(target, folder.join("fd").join(number.to_string())).unwrap();
            std::fs::write(
                folder.join("fdinfo").join(number.to_string()),
                format!("pos:\t0\nflags:\t02100002\n{info}"),
            )
            .unwrap();
        }
    }
}

const RENDER: &str = "/dev/dri/renderD128";
const AMD: &str = "drm-driver:\tamdgpu\ndrm-client-id:\t42\ndrm-pdev:\t0000:03:00.0\npasid:\t32771\n\
    drm-memory-vram:\t1048576 KiB\ndrm-memory-gtt: \t2048 KiB\ndrm-memory-cpu: \t0 KiB\n\
    drm-engine-gfx:\t1500000000 ns\ndrm-engine-dec:\t250 ns\ndrm-engine-capacity-dec:\t2\n";
const XE: &str = "drm-driver:\txe\ndrm-client-id:\t7\ndrm-pdev:\t0000:04:00.0\n\
    drm-total-vram0:\t67108864\ndrm-resident-vram0:\t33554432\ndrm-resident-system:\t524288\n\
    drm-cycles-rcs:\t400\ndrm-total-cycles-rcs:\t1000\n\
    drm-cycles-ccs:\t0\ndrm-total-cycles-ccs:\t1000\ndrm-engine-capacity-ccs:\t4\n";
const I915: &str = "drm-driver:\ti915\ndrm-client-id:\t3\ndrm-pdev:\t0000:00:02.0\n\
    drm-resident-system0:\t80 MiB\ndrm-resident-stolen-system0:\t4096\n\
    drm-engine-render:\t9288864723 ns\ndrm-engine-video:\t100 ns\ndrm-engine-capacity-video:\t2\n";

fn processes(gpu: &Gpu) -> &[Process] {
    gpu.processes.as_deref().unwrap()
}

fn engines(process: &Process) -> Vec<(&str, Busy, u64)> {
    process.engines.iter().map(|engine| (&*engine.name, engine.busy, engine.capacity)).collect()
}

#[test]
fn each_driver_tells_who_uses_its_card() {
    let machine = Machine::with_cards_of("amd-workstation");
    machine.process(100, "blender", &[("/dev/null", ""), (RENDER, AMD)]);
    machine.process(101, "bash", &[("/dev/pts/0", "")]);
    let reading = machine.read();
    let card = &reading.gpus[0];
    let [process] = processes(card) else { panic!("{:?}", card.processes) };
    assert_eq!((process.pid, process.name.as_deref(), process.memory), (100, Some("blender"), Some(1 << 30)));
    let nanoseconds = Busy::Nanoseconds;
    assert_eq!(engines(process), [("gfx", nanoseconds(1_500_000_000), 1), ("dec", nanoseconds(250), 2)]);
    assert_eq!(processes(&reading.gpus[1]), [], "the other card is not used");
    assert!(card.walk.unwrap().complete);
    assert!(!card.unavailable.contains_key("processes"));
    let page = text(&reading);
    for series in
        ["aura_gpu_process_memory_bytes{gpu=\"0\",uuid=\"amd-", "pid=\"100\",process=\"blender\",engine=\"gfx\"} 1.5\n"]
    {
        assert!(page.contains(series), "{series}: {page}");
    }

    let machine = Machine::with_cards_of("arc");
    machine.process(200, "llama-server", &[(RENDER, XE)]);
    let reading = machine.read();
    let [process] = processes(&reading.gpus[0]) else { panic!("{:?}", reading.gpus[0]) };
    assert_eq!(process.memory, Some(32 << 20), "what is resident on the card, not what was asked for");
    let cycles = |busy, total| Busy::Cycles { busy, total };
    assert_eq!(engines(process), [("rcs", cycles(400, 1000), 1), ("ccs", cycles(0, 1000), 4)]);
    assert!(text(&reading).contains("aura_gpu_process_engine_busy_cycles_total{gpu=\"0\""));

    let machine = Machine::with_cards_of("laptop");
    machine.process(300, "Xorg", &[("/dev/dri/card0", I915)]);
    let reading = machine.read();
    let intel = reading.gpus.iter().find(|gpu| &*gpu.identity.driver == "i915").unwrap();
    let [process] = processes(intel) else { panic!("{intel:?}") };
    assert_eq!(process.memory, Some(80 << 20), "a card without memory of its own takes the machine's");
    assert_eq!(engines(process)[0], ("render", nanoseconds(9_288_864_723), 1));
}

#[test]
fn a_client_that_is_open_several_times_is_counted_once_and_several_are_added() {
    let machine = Machine::with_cards_of("amd-workstation");
    let second = AMD.replace("drm-client-id:\t42", "drm-client-id:\t43");
    machine.process(100, "parent", &[(RENDER, AMD), (RENDER, AMD), (RENDER, &second)]);
    machine.process(101, "child", &[(RENDER, AMD)]);
    let reading = machine.read();
    let [process] = processes(&reading.gpus[0]) else { panic!("{:?}", reading.gpus[0]) };
    assert_eq!((process.pid, process.memory), (100, Some(2 << 30)));
    assert_eq!(engines(process)[0].1, Busy::Nanoseconds(3_000_000_000));
}

#[test]
fn what_is_computed_past_the_counters_is_not_shown_as_no_work() {
    let machine = Machine::with_cards_of("amd-workstation");
    machine.process(100, "ollama", &[("/dev/kfd", ""), (RENDER, AMD)]);
    let card = machine.read().gpus.remove(0);
    assert_eq!(engines(&processes(&card)[0]), []);
    assert_eq!(processes(&card)[0].memory, Some(1 << 30));
    assert!(!card.walk.unwrap().complete);
}

/// Roots read everything, so a descriptor folder that cannot be a folder stands for one that may not be read.
#[test]
fn processes_that_cannot_be_looked_into_are_said_and_not_counted_as_idle() {
    let machine = Machine::with_cards_of("arc");
    machine.process(200, "mine", &[(RENDER, XE)]);
    machine.process(201, "theirs", &[]);
    std::fs::remove_dir(machine.folder(201).join("fd")).unwrap();
    std::fs::write(machine.folder(201).join("fd"), "").unwrap();
    let card = machine.read().gpus.remove(0);
    assert_eq!(processes(&card).len(), 1);
    assert!(!card.walk.unwrap().complete);
    assert_eq!(card.unavailable.get("processes"), Some(&aura_model::Reason::NoPermission));
}

#[test]
fn descriptors_are_walked_seldom_unless_somebody_looks() {
    let machine = Machine::with_cards_of("arc");
    machine.process(200, "first", &[(RENDER, XE)]);
    let mut gpus = machine.open();
    let first = gpus.sample().unwrap().gpus[0].walk.unwrap();
    machine.process(201, "second", &[(RENDER, &XE.replace("client-id:\t7", "client-id:\t8"))]);
    let reading = gpus.sample().unwrap();
    assert_eq!((reading.gpus[0].walk.unwrap().at, processes(&reading.gpus[0]).len()), (first.at, 1));
    machine.context.set_watched(true);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(9);
    while processes(&gpus.sample().unwrap().gpus[0]).len() == 1 {
        assert!(std::time::Instant::now() < deadline, "no second walk while somebody looks");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    /// However clients are spread over processes: every client is in exactly one row, at most 32 rows are shown, and
    /// the walk calls itself complete exactly when nothing was left out.
    #[test]
    fn every_client_is_counted_once(holders in prop::collection::vec(prop::collection::vec(0..60_u64, 0..4), 0..40)) {
        let machine = Machine::with_cards_of("amd-workstation");
        let mut first: std::collections::BTreeMap<u64, usize> = Default::default();
        for (at, clients) in holders.iter().enumerate() {
            let infos: Vec<String> = clients.iter().map(|id| format!(
                "drm-pdev:\t0000:03:00.0\ndrm-client-id:\t{id}\ndrm-memory-vram:\t{} KiB\ndrm-engine-gfx:\t{} ns\n", id + 1, id * 7
            )).collect();
            let descriptors: Vec<(&str, &str)> = infos.iter().map(|info| (RENDER, &**info)).collect();
            machine.process(1000 + at as u32, "any", &descriptors);
            clients.iter().for_each(|id| { first.entry(*id).or_insert(at); });
        }
        let card = machine.read().gpus.remove(0);
        let rows: std::collections::BTreeSet<usize> = first.values().copied().collect();
        prop_assert_eq!(processes(&card).len(), rows.len().min(32));
        prop_assert_eq!(card.walk.unwrap().complete, rows.len() <= 32);
        for process in processes(&card) {
            let own = || first.iter().filter(|(_, at)| **at as u32 + 1000 == process.pid).map(|(id, _)| *id);
            prop_assert_eq!(process.memory, Some(own().map(|id| (id + 1) << 10).sum()));
            prop_assert_eq!(process.engines[0].busy, Busy::Nanoseconds(own().map(|id| id * 7).sum()));
        }
    }
}
