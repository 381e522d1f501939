//! What block devices did, from /proc/diskstats: a line a device of major, minor, name and 11 numbers; 15 since
//! Linux 4.18 (discards), 17 since 5.5 (flushes). Sectors are of 512 bytes whatever the device says, times in
//! milliseconds.
//!
//! What a device is (udev's database, /sys/block) does not change while it is there: it is looked up when the device
//! appears and every minute, since udev may learn later what it is.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_model::{Context, Metric, Missing, Name, Value, rows};
use serde::Serialize;

use super::{Collector, count};
use crate::{
    HostOptions,
    linux::kernel::{
        attribute,
        every::Every,
        file::{Buffer, KeptFile},
        filter::{Devices, Filter},
        scan::{float, lines, number, words},
    },
};

/// One row a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diskstats {
    /// The devices that the option `disk` lets pass.
    pub disks: Vec<Disk>,
}

/// A device since boot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disk {
    /// Its name, without `/dev/`.
    pub device: Name,
    /// Reads.
    pub reads: Io,
    /// Writes.
    pub writes: Io,
    /// Requests under way now.
    pub io_now: u64,
    /// Milliseconds during which at least one request was under way.
    pub io_time: u64,
    /// Milliseconds, each counted as often as requests were under way.
    pub io_time_weighted: u64,
    /// Discards, since Linux 4.18.
    pub discards: Option<Io>,
    /// Flushes since Linux 5.5: requests, milliseconds.
    pub flushes: Option<(u64, u64)>,
    /// What it is.
    #[serde(flatten)]
    pub info: Arc<DiskInfo>,
}

/// Requests of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Io {
    /// Completed.
    pub completed: u64,
    /// Merged with a neighbour before they were issued.
    pub merged: u64,
    /// Sectors of 512 bytes.
    pub sectors: u64,
    /// Milliseconds spent.
    pub time: u64,
}

impl Io {
    /// The sectors as bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.sectors.saturating_mul(512)
    }
}

/// What a device is; empty where udev does not say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DiskInfo {
    /// Device number.
    pub major: String,
    /// Device number.
    pub minor: String,
    /// Where it is plugged in.
    pub path: String,
    /// World wide name.
    pub wwn: String,
    /// Model.
    pub model: String,
    /// Serial number, as on the label where udev knows it.
    pub serial: String,
    /// Firmware.
    pub revision: String,
    /// `1` if it turns; `0` also for what has no queue of its own, as every partition, as node_exporter has it.
    pub rotational: String,
    /// Its file system, if it has one.
    pub filesystem: Option<DiskFilesystem>,
    /// What the device mapper says, if it made the device.
    pub mapper: Option<Mapper>,
    /// For ATA disks: has a write cache; has it switched on; turns a minute.
    pub ata: [Option<f64>; 3],
}

/// A file system as udev saw it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DiskFilesystem {
    /// Such as `ext4`.
    pub kind: String,
    /// Such as `filesystem` or `raid`.
    pub usage: String,
    /// Its id.
    pub uuid: String,
    /// Its version.
    pub version: String,
}

/// A device of the device mapper.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mapper {
    /// As below /dev/mapper: `vg0-root`.
    pub name: String,
    /// Its id.
    pub uuid: String,
    /// Volume group.
    pub volume_group: String,
    /// Logical volume.
    pub volume: String,
    /// Layer of the logical volume.
    pub layer: String,
    /// The devices that it stands on.
    pub backing: Vec<String>,
}

pub(super) const METRICS: &[Metric<Diskstats>] = rows! { |reading|
    for disk in &reading.disks => { device: disk.device } {
        gauge "node_disk_ata_rotation_rate_rpm" = disk.info.ata[2], "ATA disk rotation rate in RPMs (0 for SSDs).";
        gauge "node_disk_ata_write_cache" = disk.info.ata[0], "ATA disk has a write cache.";
        gauge "node_disk_ata_write_cache_enabled" = disk.info.ata[1], "ATA disk has its write cache enabled.";
    }
    for disk in &reading.disks, mapper in disk.info.mapper.iter(), backing in &mapper.backing
        => { device: disk.device, backing_device: backing } {
        gauge "node_disk_device_mapper_backing_device_info" = 1,
            "Info about the underlying block devices of a device mapper device.";
    }
    for disk in &reading.disks, Mapper { name, uuid, volume_group, volume, layer, .. } in disk.info.mapper.iter()
        => { device: disk.device, name, uuid, vg_name: volume_group, lv_name: volume, lv_layer: layer } {
        gauge "node_disk_device_mapper_info" = 1, "Info about disk device mapper.";
    }
    for disk in &reading.disks => { device: disk.device } {
        counter "node_disk_discard_time_seconds_total" in Seconds = disk.discards.map(|io| seconds(io.time)),
            "This is the total number of seconds spent by all discards.";
        counter "node_disk_discarded_sectors_total" = disk.discards.map(|io| io.sectors),
            "The total number of sectors discarded successfully.";
        counter "node_disk_discards_completed_total" = disk.discards.map(|io| io.completed),
            "The total number of discards completed successfully.";
        counter "node_disk_discards_merged_total" = disk.discards.map(|io| io.merged),
            "The total number of discards merged.";
    }
    for disk in &reading.disks, DiskFilesystem { kind, usage, uuid, version } in disk.info.filesystem.iter()
        => { device: disk.device, type: kind, usage, uuid, version } {
        gauge "node_disk_filesystem_info" = 1, "Info about disk filesystem.";
    }
    for disk in &reading.disks => { device: disk.device } {
        counter "node_disk_flush_requests_time_seconds_total" in Seconds
            = disk.flushes.map(|(_, time)| seconds(time)),
            "This is the total number of seconds spent by all flush requests.";
        counter "node_disk_flush_requests_total" = disk.flushes.map(|(requests, _)| requests),
            "The total number of flush requests completed successfully";
    }
    for disk in &reading.disks, info in [&disk.info] => {
        device: disk.device,
        major: info.major,
        minor: info.minor,
        path: info.path,
        wwn: info.wwn,
        model: info.model,
        serial: info.serial,
        revision: info.revision,
        rotational: info.rotational,
    } {
        gauge "node_disk_info" = 1, "Info of /sys/block/<block_device>.";
    }
    for disk in &reading.disks => { device: disk.device } {
        gauge "node_disk_io_now" = disk.io_now, "The number of I/Os currently in progress.";
        counter "node_disk_io_time_seconds_total" in Seconds = seconds(disk.io_time), "Total seconds spent doing I/Os.";
        counter "node_disk_io_time_weighted_seconds_total" in Seconds = seconds(disk.io_time_weighted),
            "The weighted # of seconds spent doing I/Os.";
        counter "node_disk_read_bytes_total" in Bytes = disk.reads.bytes(),
            "The total number of bytes read successfully.";
        counter "node_disk_read_time_seconds_total" in Seconds = seconds(disk.reads.time),
            "The total number of seconds spent by all reads.";
        counter "node_disk_reads_completed_total" = disk.reads.completed,
            "The total number of reads completed successfully.";
        counter "node_disk_reads_merged_total" = disk.reads.merged, "The total number of reads merged.";
        counter "node_disk_write_time_seconds_total" in Seconds = seconds(disk.writes.time),
            "This is the total number of seconds spent by all writes.";
        counter "node_disk_writes_completed_total" = disk.writes.completed,
            "The total number of writes completed successfully.";
        counter "node_disk_writes_merged_total" = disk.writes.merged, "The number of writes merged.";
        counter "node_disk_written_bytes_total" in Bytes = disk.writes.bytes(),
            "The total number of bytes written successfully.";
    }
};

#[expect(clippy::cast_precision_loss, reason = "2^53 milliseconds are 285,000 years")]
fn seconds(milliseconds: u64) -> Value {
    Value::Float(milliseconds as f64 / 1e3)
}

pub(super) struct Reader {
    file: KeptFile,
    devices: Devices,
    refresh: Every,
    infos: HashMap<Name, ((u32, u32), Arc<DiskInfo>)>,
    block: PathBuf,
    udev: PathBuf,
}

impl Collector for Reader {
    type Reading = Diskstats;

    fn open(options: &HostOptions, context: &Context) -> Self {
        Self {
            file: KeptFile::short_lines(context.paths.procfs.join("diskstats")),
            devices: Devices::new(Filter::new(&options.disk.devices_exclude, &options.disk.devices_include)),
            refresh: Every::seconds(60),
            infos: HashMap::new(),
            block: context.paths.sysfs.join("block"),
            udev: context.paths.udev.clone(),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Diskstats, Missing> {
        let text = self.file.read(buffer)?;
        let mut rows = lines(text).filter_map(row).enumerate().peekable();
        if rows.peek().is_none() && !text.is_empty() {
            return Err(self.file.unreadable("lines of major, minor, name and 11 numbers"));
        }
        let devices = &mut self.devices;
        let watched: Vec<(Name, Row)> =
            rows.filter_map(|(place, (device, row))| Some((devices.name(place, device)?, row))).collect();
        if self.refresh.due() {
            self.infos.clear();
        }
        let disks = watched.into_iter().map(|(device, row)| self.disk(device, &row, buffer)).collect();
        Ok(Diskstats { disks })
    }

    fn watched(reading: &Diskstats) -> Option<String> {
        Some(count(reading.disks.len(), "disk"))
    }
}

impl Reader {
    fn disk(&mut self, device: Name, row: &Row, buffer: &mut Buffer) -> Disk {
        let known = self.infos.get(&device).filter(|(number, _)| *number == row.number);
        let info = if let Some((_, info)) = known {
            info.clone()
        } else {
            let info = Arc::new(DiskInfo::find(&self.block, &self.udev, &device, row.number, buffer));
            self.infos.insert(device.clone(), (row.number, info.clone()));
            info
        };
        let [r0, r1, r2, r3, w0, w1, w2, w3, io_now, io_time, io_time_weighted] = row.always;
        let io = |[completed, merged, sectors, time]: [u64; 4]| Io { completed, merged, sectors, time };
        Disk {
            device,
            reads: io([r0, r1, r2, r3]),
            writes: io([w0, w1, w2, w3]),
            io_now,
            io_time,
            io_time_weighted,
            discards: row.discards.map(io),
            flushes: row.flushes,
            info,
        }
    }
}

/// The numbers of a line.
#[derive(Debug, PartialEq)]
struct Row {
    number: (u32, u32),
    always: [u64; 11],
    discards: Option<[u64; 4]>,
    flushes: Option<(u64, u64)>,
}

/// The device that a line is about, and its numbers.
fn row(line: &[u8]) -> Option<(&[u8], Row)> {
    let mut words = words(line);
    let mut device_number = || u32::try_from(number(words.next()?)?).ok();
    let device_number = (device_number()?, device_number()?);
    let device = words.next()?;
    let mut numbers = words.map(number);
    let mut next = || numbers.next().flatten();
    let mut always = [0; 11];
    for slot in &mut always {
        *slot = next()?;
    }
    let discards = match [next(), next(), next(), next()] {
        [Some(completed), Some(merged), Some(sectors), Some(time)] => Some([completed, merged, sectors, time]),
        _ => None,
    };
    let flushes = next().zip(next());
    Some((device, Row { number: device_number, always, discards, flushes }))
}

impl DiskInfo {
    fn find(block: &Path, udev: &Path, device: &str, (major, minor): (u32, u32), buffer: &mut Buffer) -> Self {
        // A slash in a device's name is an exclamation mark in /sys.
        let folder = block.join(device.replace('/', "!"));
        let turns = attribute::text(&folder.join("queue/rotational")).is_ok_and(|text| text == "1");
        let rotational = if turns { "1" } else { "0" }.to_owned();
        let text = KeptFile::new(udev.join(format!("b{major}:{minor}"))).read(buffer).unwrap_or_default();
        let properties = properties(text);
        let property = |name: &str| properties.get(name).cloned().unwrap_or_default();
        let given = |name: &str| Some(property(name)).filter(|value| !value.is_empty());
        let ata = |name: &str| given("ID_ATA").and_then(|_| float(given(name)?.as_bytes()));
        Self {
            major: major.to_string(),
            minor: minor.to_string(),
            path: property("ID_PATH"),
            wwn: property("ID_WWN"),
            model: property("ID_MODEL"),
            serial: ["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"]
                .into_iter()
                .find_map(given)
                .unwrap_or_default(),
            revision: property("ID_REVISION"),
            rotational,
            filesystem: given("ID_FS_TYPE").map(|kind| DiskFilesystem {
                kind,
                usage: property("ID_FS_USAGE"),
                uuid: property("ID_FS_UUID"),
                version: property("ID_FS_VERSION"),
            }),
            mapper: given("DM_NAME").map(|name| Mapper {
                name,
                uuid: property("DM_UUID"),
                volume_group: property("DM_VG_NAME"),
                volume: property("DM_LV_NAME"),
                layer: property("DM_LV_LAYER"),
                backing: entries(&folder.join("slaves")),
            }),
            ata: [ata("ID_ATA_WRITE_CACHE"), ata("ID_ATA_WRITE_CACHE_ENABLED"), ata("ID_ATA_ROTATION_RATE_RPM")],
        }
    }
}

/// The lines `E:NAME=value` of a file of udev's database.
fn properties(text: &[u8]) -> HashMap<String, String> {
    let text = String::from_utf8_lossy(text);
    let pairs = text.lines().filter_map(|line| line.strip_prefix("E:")?.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What a folder holds, sorted. Nothing if there is none.
fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing::{TREES, output};

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("diskstats@{tree}"), output(tree, &["diskstats"]));
        }
    }

    proptest! {
        #[test]
        fn every_number_of_columns_is_read(
            number in any::<(u32, u32)>(),
            device in "[a-z]{1,4}",
            columns in prop::collection::vec(any::<u64>(), 0..20)
        ) {
            let texts: Vec<String> = columns.iter().map(u64::to_string).collect();
            let line = format!("{:4} {:7} {device} {}", number.0, number.1, texts.join(" "));
            let expected = (columns.len() >= 11).then(|| (device.as_bytes(), Row {
                number,
                always: columns[..11].try_into().unwrap(),
                discards: (columns.len() >= 15).then(|| columns[11..15].try_into().unwrap()),
                flushes: (columns.len() >= 17).then(|| (columns[15], columns[16])),
            }));
            prop_assert_eq!(row(line.as_bytes()), expected);
        }

        #[test]
        fn no_bytes_make_the_parsers_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            row(&text);
            properties(&text);
        }
    }
}
