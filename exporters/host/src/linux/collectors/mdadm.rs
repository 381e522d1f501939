//! Software RAID: arrays from /proc/mdstat, and what /sys/block/md*/md says of their redundancy.
//!
//! ```text
//! md127 : active raid1 sdb1[2](F) sda1[0]
//!       312319552 blocks super 1.2 [2/1] [U_]
//!       [=>...................]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec
//! ```

use std::path::{Path, PathBuf};

use aura_model::{Context, Metric, Missing, Name, rows};
use serde::Serialize;

use super::{Collector, some};
use crate::{
    HostOptions,
    linux::kernel::{
        file::{Buffer, KeptFile},
        names::Names,
        scan::{number, words},
    },
};

/// What an array can be doing.
const STATES: [&str; 5] = ["active", "inactive", "recovering", "resync", "check"];

/// One array.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MdArray {
    /// Its name: `md127`.
    pub device: Name,
    /// `active`, `inactive`, `recovering`, `resync`, `check`, `reshape` or `broken`.
    pub state: &'static str,
    /// Disks in step.
    pub active: u64,
    /// Disks marked as failed.
    pub failed: u64,
    /// Disks waiting to take a failed one's place.
    pub spare: u64,
    /// Disks that should be there and are not.
    pub down: u64,
    /// Disks that a whole array has.
    pub required: u64,
    /// Size, in blocks of 1 KiB.
    pub blocks: u64,
    /// How much of it is in step.
    pub blocks_synced: u64,
}

/// How redundant the kernel says an array is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MdRedundancy {
    /// The array: `md127`.
    pub device: Name,
    /// Disks missing to redundancy.
    pub degraded: Option<i64>,
    /// Disks of a whole array.
    pub raid_disks: Option<i64>,
}

/// All arrays.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mdadm {
    /// From /proc/mdstat.
    pub arrays: Vec<MdArray>,
    /// From sysfs, for levels that know redundancy.
    pub redundancy: Vec<MdRedundancy>,
}

pub(super) const METRICS: &[Metric<Mdadm>] = rows! { |md|
    for array in &md.arrays => { device: array.device } {
        gauge "node_md_blocks" = array.blocks, "Total number of blocks on device.";
        gauge "node_md_blocks_synced" = array.blocks_synced, "Number of blocks synced on device.";
    }
    for array in &md.redundancy => { device: array.device } {
        gauge "node_md_degraded" = array.degraded, "Number of degraded disks on device.";
    }
    for MdArray { device, active, failed, spare, .. } in &md.arrays,
        (state, disks) in [("active", *active), ("failed", *failed), ("spare", *spare)] => { device, state } {
        gauge "node_md_disks" = disks, "Number of active/failed/spare disks of device.";
    }
    for array in &md.arrays => { device: array.device } {
        gauge "node_md_disks_required" = array.required, "Total number of disks of device.";
    }
    for array in &md.redundancy => { device: array.device } {
        gauge "node_md_raid_disks" = array.raid_disks, "Number of raid disks on device.";
    }
    for array in &md.arrays, state in array.states() => { device: array.device, state } {
        gauge "node_md_state" = array.state == state, "Indicates the state of md-device.";
    }
};

impl MdArray {
    /// The states that are always shown, and its own if that is another.
    fn states(&self) -> impl Iterator<Item = &'static str> {
        STATES.into_iter().chain(Some(self.state).filter(|state| !STATES.contains(state)))
    }
}

pub(super) struct Reader {
    mdstat: KeptFile,
    block: PathBuf,
    names: Names,
    redundancy: Vec<(Name, KeptFile, KeptFile)>,
}

impl Collector for Reader {
    type Reading = Mdadm;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self {
            mdstat: KeptFile::new(context.paths.procfs.join("mdstat")),
            block: context.paths.sysfs.join("block"),
            names: Names::default(),
            redundancy: Vec::new(),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Mdadm, Missing> {
        let text = self.mdstat.read(buffer)?;
        if !text.starts_with(b"Personalities") {
            return Err(self.mdstat.unreadable("a line of personalities"));
        }
        let arrays = parse(text, &mut self.names);
        // The files of sysfs come and go with the arrays.
        if !self.redundancy.iter().map(|(device, ..)| device).eq(arrays.iter().map(|array| &array.device)) {
            let file = |device: &str, name: &str| KeptFile::one_line(folder(&self.block, device).join(name));
            self.redundancy = arrays
                .iter()
                .map(|array| (array.device.clone(), file(&array.device, "degraded"), file(&array.device, "raid_disks")))
                .collect();
        }
        let redundancy = self.redundancy.iter_mut().map(|(device, degraded, disks)| MdRedundancy {
            device: device.clone(),
            degraded: degraded.integer(buffer).ok(),
            // While an array is reshaped it says `4 (3)`: the new number, and the old one.
            raid_disks: disks.read(buffer).ok().and_then(|text| number(words(text).next()?)).map(u64::cast_signed),
        });
        Ok(Mdadm { redundancy: redundancy.collect(), arrays })
    }

    fn watched(reading: &Mdadm) -> Option<String> {
        some(reading.arrays.len(), "RAID array")
    }
}

fn folder(block: &Path, device: &str) -> PathBuf {
    block.join(device).join("md")
}

fn parse(text: &[u8], names: &mut Names) -> Vec<MdArray> {
    let mut arrays: Vec<MdArray> = Vec::new();
    // Whether the size of the last array is still to come.
    let mut sized = true;
    for line in text.split(|&byte| byte == b'\n') {
        if line.starts_with(b"Personalities") || line.starts_with(b"unused") || line.is_empty() {
            continue;
        }
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            if !sized {
                arrays.pop();
            }
            let array = first_line(line, names);
            sized = array.is_none();
            arrays.extend(array);
        } else if let Some(array) = arrays.last_mut() {
            if sized { progress(line, array) } else { sized = size_line(line, array).is_some() }
        }
    }
    if !sized {
        arrays.pop();
    }
    arrays
}

/// `md0 : active (auto-read-only) raid1 sdb1[1] sda1[0](F)`
fn first_line(line: &[u8], names: &mut Names) -> Option<MdArray> {
    let mut all = words(line);
    let device = names.intern(all.next()?);
    (all.next()? == b":").then_some(())?;
    let state = match all.next()? {
        b"active" => "active",
        b"inactive" => "inactive",
        b"broken" => "broken",
        _ => return None,
    };
    let members: Vec<&[u8]> = all.filter(|word| word.contains(&b'[')).collect();
    let marked = |mark: &[u8]| members.iter().filter(|member| member.ends_with(mark)).count() as u64;
    let (failed, spare) = (marked(b"(F)"), marked(b"(S)"));
    let active = if state != "inactive" { members.len() as u64 - failed - spare } else { 0 };
    Some(MdArray { device, state, active, failed, spare, down: 0, required: active, blocks: 0, blocks_synced: 0 })
}

/// `312319552 blocks super 1.2 [2/1] [U_]`: arrays with redundancy say how many disks they should have and have.
fn size_line(line: &[u8], array: &mut MdArray) -> Option<()> {
    let mut all = words(line);
    array.blocks = number(all.next()?)?;
    all.next()?.starts_with(b"block").then_some(())?;
    array.blocks_synced = array.blocks;
    if array.state == "inactive" {
        // Whatever it had or should have: it has none now, as node_exporter sees it.
        array.required = 0;
        return Some(());
    }
    for word in all {
        let Some(inner) = word.strip_prefix(b"[").and_then(|word| word.strip_suffix(b"]")) else { continue };
        if let Some(slash) = inner.iter().position(|&byte| byte == b'/') {
            if let (Some(total), Some(active)) = (number(&inner[..slash]), number(&inner[slash + 1..])) {
                (array.required, array.active) = (total, active);
            }
        } else if inner.iter().all(|byte| b"U_".contains(byte)) {
            array.down = inner.iter().filter(|&&byte| byte == b'_').count() as u64;
        }
    }
    Some(())
}

/// `[=>..]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec`, or `resync=PENDING`.
fn progress(line: &[u8], array: &mut MdArray) {
    let has = |what: &[u8]| line.windows(what.len()).any(|window| window == what);
    let state = match () {
        () if has(b"recovery") => "recovering",
        () if has(b"resync") => "resync",
        () if has(b"check") => "check",
        () if has(b"reshape") => "reshape",
        () => return,
    };
    array.state = state;
    let inside = line.iter().position(|&byte| byte == b'(').and_then(|open| {
        let rest = &line[open + 1..];
        let slash = rest.iter().position(|&byte| byte == b'/')?;
        number(&rest[..slash])
    });
    // Waiting its turn (`resync=PENDING`), it has begun nothing.
    array.blocks_synced = inside.unwrap_or(0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing;

    const MDSTAT: &str = "\
Personalities : [raid6] [raid5] [raid4] [raid1] [raid0] [linear]
md0 : active raid1 sdb1[1] sda1[0]
      248896 blocks [2/2] [UU]

md6 : active raid1 sdb2[2](F) sdc[1](S) sda2[0]
      195310144 blocks [2/1] [U_]
      [=>...................]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec

md8 : active raid1 sdb1[1] sda1[0] sdc[2](S) sde[3](S)
      195310144 blocks [2/2] [UU]
      resync=PENDING

md9 : active (auto-read-only) raid5 sdd1[3] sdb1[1] sda1[0]
      3906764800 blocks super 1.2 level 5, 64k chunk, algorithm 2 [4/3] [UU_U]
      [========>............]  check = 42.0% (820000/1953382400) finish=1.0min speed=1K/sec
      bitmap: 2/8 pages [8KB], 65536KB chunk

md12 : active raid0 sdc2[0] sdd2[1]
      3886394368 blocks super 1.2 512k chunks

md127 : inactive sdb[2](S) sdc[1](S) sda[0](S)
        7932 blocks super external:imsm

md14 : broken raid0 sda6[0]
      100 blocks super 1.2 512k chunks

md15 : inactive raid1 sda3[0](F) sdb3[1](S)
      4883648 blocks [2/2] [UU]

md13 : active raid1 torn
unused devices: <none>
";

    #[test]
    fn arrays_in_every_state() {
        let arrays = parse(MDSTAT.as_bytes(), &mut Names::default());
        insta::assert_snapshot!(testing::text(METRICS, &Mdadm { arrays, redundancy: Vec::new() }));
    }

    #[test]
    fn no_arrays_are_no_error_and_no_series() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mdstat"), "Personalities : \nunused devices: <none>\n").unwrap();
        let paths = aura_model::Paths { procfs: folder.path().into(), ..Default::default() };
        let mut reader = Reader::open(&HostOptions::default(), &Context::new(paths));
        let reading = reader.read(&mut Buffer::default()).unwrap();
        assert_eq!(testing::text(METRICS, &reading), "");
        std::fs::write(folder.path().join("mdstat"), "").unwrap();
        assert!(reader.read(&mut Buffer::default()).is_err(), "an empty file is not an empty list");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(bytes: Vec<u8>, lines in prop::collection::vec("[ a-z0-9\\[\\]()/_U:=%]{0,40}", 0..10)) {
            parse(&bytes, &mut Names::default());
            parse(lines.join("\n").as_bytes(), &mut Names::default());
        }

        #[test]
        fn disks_are_counted(active in 0..6_u64, failed in 0..4_u64, spare in 0..4_u64, blocks: u32) {
            let member = |mark: &'static str| move |number| format!(" sd{number}[{number}]{mark}");
            let members: String = (0..active).map(member("")).chain((0..failed).map(member("(F)"))).chain((0..spare).map(member("(S)"))).collect();
            let flags = "U".repeat(active as usize) + &"_".repeat(failed as usize);
            let total = active + failed;
            let text = format!("md1 : active raid1{members}\n      {blocks} blocks [{total}/{active}] [{flags}]\n");
            let arrays = parse(text.as_bytes(), &mut Names::default());
            let array = &arrays[0];
            prop_assert_eq!((array.active, array.failed, array.spare, array.down, array.required), (active, failed, spare, failed, total));
            prop_assert_eq!(array.blocks, u64::from(blocks));
        }
    }

    #[test]
    fn the_folder_of_an_array() {
        assert_eq!(folder(Path::new("/sys/block"), "md0"), Path::new("/sys/block/md0/md"));
    }
}
