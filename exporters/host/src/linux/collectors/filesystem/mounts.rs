//! The table of mounts, from /proc/<pid>/mountinfo:
//! `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_model::Name;
use regex_lite::Regex;

use crate::FilesystemOptions;
use crate::linux::kernel::scan::{lines, number};

/// One mount that is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mount {
    /// The kernel's number; free again only when nobody holds the mount any more.
    pub(super) id: u64,
    pub(super) device: Name,
    pub(super) mountpoint: Name,
    pub(super) fstype: Name,
    pub(super) major: Name,
    pub(super) minor: Name,
    pub(super) readonly: bool,
    /// Whether a server or another program answers for it, which may fall silent.
    pub(super) remote: bool,
    /// Where it is for us.
    pub(super) path: Arc<Path>,
}

/// Which mounts are shown, and where they are.
pub(super) struct Table {
    points: Filter,
    types: Filter,
    rootfs: PathBuf,
}

impl Table {
    pub(super) fn new(options: &FilesystemOptions, rootfs: &Path) -> Self {
        Self {
            points: Filter::new(options.mount_points_include.as_deref(), &options.mount_points_exclude),
            types: Filter::new(options.fs_types_include.as_deref(), &options.fs_types_exclude),
            rootfs: rootfs.to_owned(),
        }
    }

    /// The mounts that are shown, each mount point once.
    ///
    /// A mount that lies below another one at the same place can't be reached by its path: its numbers would be
    /// those of the upper one. It is left out.
    pub(super) fn parse(&self, text: &[u8]) -> Vec<Mount> {
        let rows: Vec<Row<'_>> = lines(text).filter_map(row).collect();
        let covered = |row: &Row<'_>| {
            rows.iter().any(|above| above.parent == row.id && above.id != row.id && above.point == row.point)
        };
        let mut mounts: Vec<Mount> = Vec::new();
        for row in rows.iter().filter(|row| !covered(row)) {
            let point = unescape(row.point);
            let path = self.stripped(&point);
            let mountpoint = path.to_string_lossy();
            let fstype = String::from_utf8_lossy(row.fstype);
            if !self.points.shows(&mountpoint) || !self.types.shows(&fstype) {
                continue;
            }
            let device = String::from_utf8_lossy(row.device);
            if mounts.iter().any(|m| *m.mountpoint == *mountpoint && *m.device == *device && *m.fstype == *fstype) {
                continue;
            }
            mounts.push(Mount {
                id: row.id,
                major: String::from_utf8_lossy(row.major).into(),
                minor: String::from_utf8_lossy(row.minor).into(),
                readonly: row.readonly,
                remote: is_remote(&fstype),
                path: self.rootfs.join(path.strip_prefix("/").unwrap_or(&path)).into(),
                device: device.into(),
                mountpoint: mountpoint.into(),
                fstype: fstype.into(),
            });
        }
        mounts
    }

    /// The mount point as the watched system sees it.
    fn stripped(&self, point: &Path) -> PathBuf {
        match point.strip_prefix(&self.rootfs) {
            Ok(inside) => Path::new("/").join(inside),
            Err(_) => point.to_owned(),
        }
    }
}

/// What is shown: all that is included, or all that is not excluded.
struct Filter {
    include: Option<Regex>,
    exclude: Option<Regex>,
}

impl Filter {
    /// The patterns were checked with the configuration; one that is no pattern counts as not given, and an empty one
    /// says nothing.
    fn new(include: Option<&str>, exclude: &str) -> Self {
        let regex =
            |pattern: &str| Some(pattern).filter(|pattern| !pattern.is_empty()).and_then(|p| Regex::new(p).ok());
        Self { include: include.and_then(regex), exclude: regex(exclude) }
    }

    fn shows(&self, text: &str) -> bool {
        match (&self.include, &self.exclude) {
            (Some(include), _) => include.is_match(text),
            (None, Some(exclude)) => !exclude.is_match(text),
            (None, None) => true,
        }
    }
}

struct Row<'t> {
    id: u64,
    parent: u64,
    major: &'t [u8],
    minor: &'t [u8],
    point: &'t [u8],
    device: &'t [u8],
    fstype: &'t [u8],
    readonly: bool,
}

fn row(line: &[u8]) -> Option<Row<'_>> {
    // The device may be empty, so words are what lies between single spaces.
    let mut words = line.split(|&byte| byte == b' ');
    let id = number(words.next()?)?;
    let parent = number(words.next()?)?;
    let numbers = words.next()?;
    let colon = numbers.iter().position(|&byte| byte == b':')?;
    let (major, minor) = (&numbers[..colon], &numbers[colon + 1..]);
    number(major).and(number(minor))?;
    let _root = words.next()?;
    let point = words.next().filter(|point| point.starts_with(b"/"))?;
    let options = words.next()?;
    words.by_ref().find(|&word| word == b"-")?;
    let fstype = words.next()?;
    let device = words.next()?;
    let super_options = words.next()?;
    let has = |all: &[u8], option: &[u8]| all.split(|&byte| byte == b',').any(|one| one == option);
    // Since Linux 6.15 an ext4 that stopped writing after an error stays `rw` and says so by this word alone.
    let readonly = has(options, b"ro") || has(super_options, b"ro") || has(super_options, b"emergency_ro");
    Some(Row { id, parent, major, minor, point, device, fstype, readonly })
}

/// The kernel writes white space, backslashes and `#` as three octal digits.
fn unescape(text: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let octal = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                Some(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'))
            }
            _ => None,
        };
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &rest[4..] } else { tail };
    }
    OsString::from_vec(bytes).into()
}

fn is_remote(fstype: &str) -> bool {
    const KINDS: [&str; 15] = [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fuse",
        "gfs2",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "ocfs2",
        "smb",
        "virtiofs",
    ];
    KINDS.iter().any(|kind| fstype.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Vec<Mount> {
        Table::new(&FilesystemOptions::default(), Path::new("/")).parse(text.as_bytes())
    }

    fn points(mounts: &[Mount]) -> Vec<&str> {
        mounts.iter().map(|mount| &*mount.mountpoint).collect()
    }

    #[test]
    fn a_line_of_the_kernels_documentation() {
        let mounts = parse("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n");
        let [mount] = &mounts[..] else { panic!("{mounts:?}") };
        assert_eq!((&*mount.device, &*mount.mountpoint, &*mount.fstype), ("/dev/root", "/mnt2", "ext3"));
        assert_eq!((&*mount.major, &*mount.minor, mount.readonly, mount.remote), ("98", "0", false, false));
    }

    #[test]
    fn read_only_by_the_mount_or_by_the_file_system() {
        let table = "1 0 8:1 / /a ro - ext4 /dev/a rw\n2 0 8:2 / /b rw - ext4 /dev/b ro,noload\n\
                     3 0 8:3 / /c rw - ext4 /dev/c rw,errors=remount-ro\n\
                     4 0 8:4 / /d rw shared:7 master:1 - ext4 /dev/d rw,emergency_ro,errors=remount-ro\n\
                     5 0 8:5 / /e rw - ext4 /dev/e rw,x=ro,emergency_rocket\n6 0 8:6 / /ro rw - ext4 ro rw\n";
        let readonly: Vec<bool> = parse(table).iter().map(|mount| mount.readonly).collect();
        assert_eq!(readonly, [true, true, false, true, false, false]);
    }

    #[test]
    fn what_node_exporter_excludes_is_excluded() {
        let table = "1 0 0:1 / /dev rw - ext4 d rw\n2 0 0:2 / /sys/fs rw - ext4 d rw\n3 0 0:3 / /x rw - squashfs d rw\n\
                     4 0 0:4 / /run/credentials/a.service rw - tmpfs t rw\n5 0 0:5 / /y rw - cgroup2 c rw\n\
                     6 0 0:6 / /var/lib/docker/overlay2/1 rw - ext4 d rw\n7 0 0:7 / /var/lib/docker rw - ext4 d rw\n\
                     8 0 0:8 / /run rw - tmpfs t rw\n9 0 0:9 / /devices rw - xfs d rw\n";
        assert_eq!(points(&parse(table)), ["/var/lib/docker", "/run", "/devices"]);
    }

    #[test]
    fn a_covered_mount_is_not_shown_with_the_numbers_of_what_covers_it() {
        let table = "20 1 8:1 / /data rw - ext4 /dev/old rw\n21 20 8:2 / /data rw - ext4 /dev/new rw\n";
        let mounts = parse(table);
        assert_eq!(mounts.iter().map(|mount| &*mount.device).collect::<Vec<_>>(), ["/dev/new"]);
    }

    #[test]
    fn the_root_of_the_watched_system_is_stripped() {
        let table = Table::new(&FilesystemOptions::default(), Path::new("/host"));
        let mounts = table.parse(
            b"1 0 8:1 / /host rw - ext4 a rw\n2 0 8:2 / /host/home rw - ext4 b rw\n3 0 8:3 / /hostile rw - ext4 c rw\n",
        );
        assert_eq!(points(&mounts), ["/", "/home", "/hostile"]);
        assert_eq!(&*mounts[1].path, Path::new("/host/home"));
    }

    #[test]
    fn an_include_pattern_takes_the_place_of_the_exclude_pattern() {
        let options = FilesystemOptions { mount_points_include: Some("^/dev$".into()), ..Default::default() };
        let mounts =
            Table::new(&options, Path::new("/")).parse(b"1 0 8:1 / /dev rw - ext4 a rw\n2 0 8:2 / / rw - ext4 b rw\n");
        assert_eq!(points(&mounts), ["/dev"]);
    }

    #[test]
    fn an_empty_pattern_says_nothing() {
        let options = FilesystemOptions {
            mount_points_include: Some(String::new()),
            mount_points_exclude: String::new(),
            fs_types_exclude: String::new(),
            ..Default::default()
        };
        let mounts =
            Table::new(&options, Path::new("/")).parse(b"1 0 8:1 / /dev rw - tmpfs a rw\n2 0 8:2 / / rw - ext4 b rw\n");
        assert_eq!(points(&mounts), ["/dev", "/"]);
    }

    fn escape(text: &str) -> String {
        text.chars()
            .map(|c| if " \t\n\\#".contains(c) { format!("\\{:03o}", c as u32) } else { c.to_string() })
            .collect()
    }

    proptest! {
        #[test]
        fn any_mount_point_comes_back(names in prop::collection::vec("[a-z \t\n\\\\#µ]{1,12}", 1..6)) {
            let table: String = names.iter().enumerate()
                .map(|(id, name)| format!("{} 0 8:{id} / /mnt/{id}{} rw - ext4 /dev/x rw\n", id + 1, escape(name)))
                .collect();
            let expected: Vec<String> = names.iter().enumerate().map(|(id, name)| format!("/mnt/{id}{name}")).collect();
            let mounts = parse(&table);
            prop_assert_eq!(points(&mounts), expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            Table::new(&FilesystemOptions::default(), Path::new("/")).parse(&bytes);
        }

        #[test]
        fn a_broken_line_costs_that_line(line in "[0-9a-z/: -]{0,60}") {
            let good = "1 0 8:1 / /good rw - ext4 /dev/good rw\n";
            let mounts = parse(&(line + "\n" + good));
            prop_assert!(points(&mounts).contains(&"/good"));
        }
    }
}
