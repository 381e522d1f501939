//! How full the mounted file systems are. The table of mounts is read when the kernel says that it has changed, as
//! making it costs the kernel a walk to each mount. Sizes come from `statfs`, which [`ask`] calls elsewhere: a mount
//! that doesn't answer holds up nothing, and has no numbers for as long as it is silent.
//!
//! Sizes are counted in fragments (`f_frsize`), as df does. node_exporter multiplies by `f_bsize`, which is the same
//! on local file systems, and wrong where a network file system gives its transfer size there.

mod ask;
mod mounts;

use std::{io, path::Path};

use aura_model::{Context, Metric, Missing, Name, Reason, rows};
use serde::Serialize;

use self::{
    ask::{Answer, Asker},
    mounts::{Mount, Table},
};
use super::{Collector, some};
use crate::{
    HostOptions,
    linux::kernel::{
        every::Every,
        file::{Buffer, KeptFile},
        names::Names,
    },
};

/// One mount.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Filesystem {
    /// What is mounted: a device, a server's share.
    pub device: Name,
    /// Where, without the prefix of the watched root.
    pub mountpoint: Name,
    /// Its kind: ext4, xfs, nfs4.
    pub fstype: Name,
    /// Major number of the device.
    pub major: Name,
    /// Minor number of the device.
    pub minor: Name,
    /// Mounted read-only, or turned so after an error, as the table of mounts says. What `statfs` says is true of the
    /// path that we reach it by: in a container that is a read-only bind of what may be written to.
    pub readonly: bool,
    /// Its sizes; missing when it refused or has not answered.
    pub usage: Option<Usage>,
    /// Why it has no sizes: the kernel's words, or `mountpoint timeout`. Missing while an answer is still due.
    pub error: Option<Name>,
}

/// What `statfs` says of a file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Bytes in all.
    pub size: u64,
    /// Bytes free, counting those kept for root.
    pub free: u64,
    /// Bytes free for everybody.
    pub available: u64,
    /// Inodes in all; 0 where the file system has no fixed number.
    pub files: u64,
    /// Inodes free.
    pub files_free: u64,
}

/// The mounts that the filters let through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Filesystems {
    /// One row a mount point.
    pub mounts: Vec<Filesystem>,
}

pub(super) const METRICS: &[Metric<Filesystems>] = rows! { |reading|
    for mount in &reading.mounts, error in [mount.error.as_deref().unwrap_or_default()]
        => { device: mount.device, mountpoint: mount.mountpoint, fstype: mount.fstype, device_error: error } {
        gauge "node_filesystem_avail_bytes" in Bytes = mount.usage.map(|usage| usage.available),
            "Filesystem space available to non-root users in bytes.";
        gauge "node_filesystem_device_error" = mount.error.is_some(),
            "Whether an error occurred while getting statistics for the given device.";
        gauge "node_filesystem_files" = mount.usage.map(|usage| usage.files), "Filesystem total file nodes.";
        gauge "node_filesystem_files_free" = mount.usage.map(|usage| usage.files_free),
            "Filesystem total free file nodes.";
        gauge "node_filesystem_free_bytes" in Bytes = mount.usage.map(|usage| usage.free),
            "Filesystem free space in bytes.";
    }
    for mount in &reading.mounts
        => { device: mount.device, major: mount.major, minor: mount.minor, mountpoint: mount.mountpoint } {
        gauge "node_filesystem_mount_info" = mount.usage.map(|_| 1), "Filesystem mount information.";
    }
    for mount in &reading.mounts, error in [mount.error.as_deref().unwrap_or_default()]
        => { device: mount.device, mountpoint: mount.mountpoint, fstype: mount.fstype, device_error: error } {
        gauge "node_filesystem_readonly" = mount.readonly, "Filesystem read-only status.";
        gauge "node_filesystem_size_bytes" in Bytes = mount.usage.map(|usage| usage.size), "Filesystem size in bytes.";
    }
};

pub(super) struct Reader {
    /// The mounts of the first process; in a container with the host's /proc, those of the host.
    first: KeptFile,
    /// Our own, when those of the first process are hidden.
    own: KeptFile,
    table: Table,
    /// The kernel does not tell of every change: a file system that it turns read-only stays the same mount.
    again: Every,
    text: Vec<u8>,
    mounts: Vec<Mount>,
    asker: Asker,
    errors: Names,
}

impl Collector for Reader {
    type Reading = Filesystems;

    fn open(options: &HostOptions, context: &Context) -> Self {
        let file = |name| KeptFile::new(context.paths.procfs.join(name));
        Self {
            first: file("1/mountinfo"),
            own: file("self/mountinfo"),
            table: Table::new(&options.filesystem, &context.paths.rootfs),
            again: Every::seconds(10),
            text: Vec::new(),
            mounts: Vec::new(),
            asker: Asker::new(options.filesystem.timeout.get(), statfs),
            errors: Names::default(),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Filesystems, Missing> {
        // Both are asked: each remembers for itself what it has told.
        let changed = self.first.changed() & self.own.changed();
        if self.again.due() || changed {
            self.read_table(buffer).inspect_err(|_| self.again.hurry())?;
        }
        let answers = self.asker.ask(&self.mounts);
        let mounts = self.mounts.iter().zip(answers).map(|(mount, answer)| {
            let (usage, error) = match answer {
                Answer::Usage(usage) => (Some(usage), None),
                Answer::Error(error) => (None, Some(self.errors.intern(words_of(&error).as_bytes()))),
                Answer::Timeout => (None, Some(self.errors.intern(b"mountpoint timeout"))),
                Answer::Pending => (None, None),
            };
            Filesystem {
                device: mount.device.clone(),
                mountpoint: mount.mountpoint.clone(),
                fstype: mount.fstype.clone(),
                major: mount.major.clone(),
                minor: mount.minor.clone(),
                readonly: mount.readonly,
                usage,
                error,
            }
        });
        Ok(Filesystems { mounts: mounts.collect() })
    }

    fn watched(reading: &Filesystems) -> Option<String> {
        some(reading.mounts.len(), "file system")
    }
}

impl Reader {
    fn read_table(&mut self, buffer: &mut Buffer) -> Result<(), Missing> {
        let text = match self.first.read(buffer) {
            Ok(text) => text,
            Err(missing) if matches!(missing.reason, Reason::NoSensor | Reason::NoPermission) => {
                self.own.read(buffer)?
            }
            Err(missing) => return Err(missing),
        };
        if text != self.text {
            self.mounts = self.table.parse(text);
            self.text.clear();
            self.text.extend_from_slice(text);
        }
        Ok(())
    }
}

fn statfs(path: &Path) -> io::Result<Usage> {
    let answer = rustix::fs::statvfs(path)?;
    let bytes = |fragments: u64| fragments.saturating_mul(answer.f_frsize);
    Ok(Usage {
        size: bytes(answer.f_blocks),
        free: bytes(answer.f_bfree),
        available: bytes(answer.f_bavail),
        files: answer.f_files,
        files_free: answer.f_ffree,
    })
}

/// The error as node_exporter labels it: the system's words, in lower case, without the number.
fn words_of(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use aura_model::Paths;

    use super::*;

    /// A bind of ours may be read-only where the file system is not, and the other way round: `statfs` speaks of the
    /// former.
    #[test]
    fn read_only_is_what_the_table_says_and_not_the_path_that_we_reach_it_by() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = root.path().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            folder
        };
        folder("data");
        let table = folder("proc/1").join("mountinfo");
        let paths = Paths { procfs: folder("proc"), rootfs: root.path().to_owned(), ..Paths::default() };
        let mut reader = Reader::open(&HostOptions::default(), &Context::new(paths));
        for (options, expected) in [("rw - ext4 /dev/sda1 rw", false), ("rw - ext4 /dev/sda1 rw,emergency_ro", true)] {
            std::fs::write(&table, format!("27 1 8:1 / /data {options}\n")).unwrap();
            let mount = loop {
                let mounts = reader.read(&mut Buffer::default()).unwrap().mounts;
                if let Some(mount) = mounts.into_iter().find(|mount| mount.usage.is_some()) {
                    break mount;
                }
            };
            assert_eq!(mount.readonly, expected, "{options}");
        }
    }
}
