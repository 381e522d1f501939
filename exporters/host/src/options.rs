//! The host's part of the configuration.

use aura_model::{Interval, Options, Schedule, Switch};
use regex_lite::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The machine itself: CPU, memory, disks, network, temperatures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostOptions {
    /// Whether the host is watched: `auto` and `true` watch it, `false` does not.
    pub enabled: Switch,
    /// From one sample to the next; at least 100ms.
    pub interval: Interval,
    /// A sample that takes longer is shown as late, and so is the host until it returns.
    pub timeout: Interval,
    /// Which collectors are read.
    pub collectors: CollectorOptions,
    /// Which disks' I/O is read.
    pub disk: DiskOptions,
    /// Which fields of /proc/net/netstat, snmp and snmp6 are read.
    pub netstat: NetstatOptions,
    /// Which network devices are watched, their traffic and the state of their links.
    pub network: NetworkOptions,
    /// All that hwmon chips and thermal zones measure: temperatures, fans, voltages, power. `auto` reads what there is,
    /// `true` also complains in the log when there is no temperature, `false` reads none of it.
    pub temperature: Switch,
    /// Which fields of /proc/vmstat are read.
    pub vmstat: VmstatOptions,
    /// Which mounts are shown, and how long one may take to answer.
    pub filesystem: FilesystemOptions,
    /// Metrics that other programs leave in files.
    pub textfile: TextfileOptions,
}

/// Which collectors are read, by the names that `collect[]` takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CollectorOptions {
    /// Collectors that are off unless they are named here: `meminfo_numa`. `processes` named here reads every thread too.
    pub enable: Vec<String>,
    /// Collectors that are not read, such as `hwmon` or `mdadm`. The names are those of the node_exporter and of
    /// `collect[]`; docs/compatibility.md lists them.
    pub disable: Vec<String>,
}

/// Which disks are watched: those that `devices_include` matches, without those that `devices_exclude` matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiskOptions {
    /// Regular expression of devices to leave out. As it stands these are partitions, RAM disks and loop devices.
    pub devices_exclude: String,
    /// Regular expression of devices to watch; all if empty.
    pub devices_include: String,
}

/// Which fields are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetstatOptions {
    /// Regular expression over the names of the fields, such as `Tcp_CurrEstab`: those that it matches are read.
    pub fields: String,
}

/// Which network devices are watched: those that `devices_include` matches, without those that `devices_exclude`
/// matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkOptions {
    /// Regular expression of devices to leave out; none if empty.
    pub devices_exclude: String,
    /// Regular expression of devices to watch; all if empty.
    pub devices_include: String,
}

/// Which fields are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VmstatOptions {
    /// Regular expression over the names of the fields, such as `pgmajfault`: those that it matches are read.
    pub fields: String,
}

/// Which mounts are shown, and how long one may take to answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FilesystemOptions {
    /// Regular expression of mount points to leave out; not asked when `mount_points_include` is set.
    pub mount_points_exclude: String,
    /// Regular expression of the only mount points to show.
    pub mount_points_include: Option<String>,
    /// Regular expression of kinds of file systems to leave out; not asked when `fs_types_include` is set.
    pub fs_types_exclude: String,
    /// Regular expression of the only kinds of file systems to show.
    pub fs_types_include: Option<String>,
    /// A mount that has not answered for so long is shown as failed. It never holds up a sample.
    pub timeout: Interval,
}

impl Default for FilesystemOptions {
    fn default() -> Self {
        Self {
            mount_points_exclude:
                "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)".into(),
            mount_points_include: None,
            fs_types_exclude: concat!(
                "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|",
                "nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$"
            )
            .into(),
            fs_types_include: None,
            timeout: Interval::from_secs(5),
        }
    }
}

impl FilesystemOptions {
    fn problems(&self) -> impl Iterator<Item = (String, String)> {
        [
            ("mount_points_exclude", Some(&self.mount_points_exclude)),
            ("mount_points_include", self.mount_points_include.as_ref()),
            ("fs_types_exclude", Some(&self.fs_types_exclude)),
            ("fs_types_include", self.fs_types_include.as_ref()),
        ]
        .into_iter()
        .filter_map(|(key, pattern)| {
            let error = Regex::new(pattern?).err()?;
            Some((format!("filesystem.{key}"), format!("not a regular expression: {error}")))
        })
    }
}

/// Where text files with metrics lie.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TextfileOptions {
    /// Directory whose `*.prom` files are published; `*` and `?` in its path match several directories. It should be
    /// on a local disk: a network file system that hangs holds up the host's samples.
    pub directory: Option<String>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            interval: Interval::from_secs(1),
            timeout: Interval::from_secs(5),
            collectors: CollectorOptions::default(),
            disk: DiskOptions::default(),
            netstat: NetstatOptions::default(),
            network: NetworkOptions::default(),
            temperature: Switch::Auto,
            vmstat: VmstatOptions::default(),
            filesystem: FilesystemOptions::default(),
            textfile: TextfileOptions::default(),
        }
    }
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            devices_exclude: r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$".into(),
            devices_include: String::new(),
        }
    }
}

impl Default for NetstatOptions {
    fn default() -> Self {
        Self {
            fields: "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|\
                TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|\
                Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|\
                Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$"
                .into(),
        }
    }
}

impl Default for VmstatOptions {
    fn default() -> Self {
        Self { fields: "^(oom_kill|pgpg|pswp|pg.*fault).*".into() }
    }
}

impl CollectorOptions {
    /// Whether this collector is read.
    #[cfg(all(target_os = "linux", not(feature = "portable")))]
    pub(crate) fn reads(&self, name: &str, opt_in: bool) -> bool {
        let named = |list: &[String]| list.iter().any(|entry| entry == name);
        (!opt_in || named(&self.enable)) && !named(&self.disable)
    }
}

impl Options for HostOptions {
    fn schedule(&self) -> Schedule {
        Schedule { enabled: self.enabled, interval: self.interval, timeout: self.timeout }
    }

    fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        // What is never read may be switched off too, as the flags of a node_exporter did.
        let disabled = self.collectors.disable.iter().filter(|name| !NOT_READ.contains(&name.as_str()));
        for (key, list) in [
            ("collectors.enable", self.collectors.enable.iter().collect::<Vec<_>>()),
            ("collectors.disable", disabled.collect()),
        ] {
            problems.extend(list.into_iter().filter_map(|name| unknown(name)).map(|problem| (key.to_owned(), problem)));
        }
        for (key, expression) in [
            ("disk.devices_exclude", &self.disk.devices_exclude),
            ("disk.devices_include", &self.disk.devices_include),
            ("netstat.fields", &self.netstat.fields),
            ("network.devices_exclude", &self.network.devices_exclude),
            ("network.devices_include", &self.network.devices_include),
            ("vmstat.fields", &self.vmstat.fields),
        ] {
            if let Err(error) = Regex::new(expression) {
                problems.push((key.to_owned(), format!("{expression:?} is not a regular expression: {error}")));
            }
        }
        problems.extend(self.filesystem.problems());
        problems
    }
}

/// Collectors of node_exporter 1.12 that are not read; docs/compatibility.md says why.
pub const NOT_READ: &[&str] = &[
    "bcache",
    "bcachefs",
    "btrfs",
    "buddyinfo",
    "cgroups",
    "cpu_vulnerabilities",
    "dmmultipath",
    "drbd",
    "drm",
    "ethtool",
    "fibrechannel",
    "infiniband",
    "interrupts",
    "ipvs",
    "ksmd",
    "lnstat",
    "logind",
    "mountstats",
    "network_route",
    "nfs",
    "nfsd",
    "ntp",
    "nvmesubsystem",
    "pcidevice",
    "perf",
    "qdisc",
    "runit",
    "slabinfo",
    "softirqs",
    "supervisord",
    "swap",
    "sysctl",
    "systemd",
    "tapestats",
    "tcpstat",
    "wifi",
    "xfrm",
    "xfs",
    "zfs",
    "zoneinfo",
];

fn unknown(name: &str) -> Option<String> {
    if crate::NAMES.contains(&name) {
        return None;
    }
    if NOT_READ.contains(&name) {
        return Some(format!(
            "node_exporter's collector {name:?} is not read by this agent: docs/compatibility.md says why; take it out"
        ));
    }
    let nearest = crate::NAMES.iter().min_by_key(|known| distance(name, known))?;
    Some(format!("there is no collector {name:?}; did you mean {nearest:?}?"))
}

/// How many letters must be added, removed or changed to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, opposite) in other.bytes().enumerate() {
            let changed = diagonal + usize::from(letter != opposite);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_without_problems() {
        assert_eq!(HostOptions::default().problems(), []);
    }

    #[test]
    #[cfg(all(target_os = "linux", not(feature = "portable")))]
    fn an_unknown_collector_is_a_problem_that_names_the_nearest() {
        let collectors = CollectorOptions { enable: vec![], disable: vec!["loadavrg".into(), "cpu".into()] };
        let problems = HostOptions { collectors, ..Default::default() }.problems();
        let [(key, problem)] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!(key, "collectors.disable");
        assert_eq!(problem, r#"there is no collector "loadavrg"; did you mean "loadavg"?"#);
    }

    #[test]
    #[cfg(all(target_os = "linux", not(feature = "portable")))]
    fn a_collector_that_is_not_read_is_said_to_be_none_of_ours_and_may_be_switched_off() {
        let collectors = CollectorOptions { enable: vec!["zfs".into()], disable: vec!["xfs".into()] };
        let problems = HostOptions { collectors, ..Default::default() }.problems();
        let [(key, problem)] = &problems[..] else { panic!("{problems:?}") };
        assert!(key == "collectors.enable" && problem.contains("is not read by this agent"), "{problem}");
        let table = include_str!("../../../docs/compatibility.md");
        let no: Vec<&str> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split_once(" | no | "))
            .map(|(name, _)| name)
            .collect();
        let mut listed = NOT_READ.to_vec();
        listed.sort_unstable_by_key(|name| no.iter().position(|other| other == name));
        assert_eq!(listed, no);
    }

    #[test]
    fn a_broken_expression_is_a_problem_of_its_key() {
        let mut options = HostOptions::default();
        options.disk.devices_include = "(".into();
        options.filesystem.fs_types_include = Some("ext4|(".into());
        let keys: Vec<String> = options.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["disk.devices_include", "filesystem.fs_types_include"]);
    }

    #[test]
    fn distances() {
        for (one, other, expected) in
            [("", "", 0), ("cpu", "cpu", 0), ("cpu", "", 3), ("hwmn", "hwmon", 1), ("stat", "vmstat", 2)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }
}
