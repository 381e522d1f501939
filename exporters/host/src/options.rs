//! The host's part of the configuration.

use aura_model::{Interval, Options, Schedule, Switch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The machine itself: CPU, memory, disks, network, temperatures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostOptions {
    /// Whether the host is watched.
    pub enabled: Switch,
    /// From one sample to the next; at least 100ms.
    pub interval: Interval,
    /// A sample that takes longer is shown as late.
    pub timeout: Interval,
    /// Temperatures and fans (hwmon and thermal zones): `auto` reads them where the box has them.
    pub temperature: Switch,
    /// Mounted file systems.
    pub filesystem: FilesystemOptions,
    /// Metrics that other programs leave in files.
    pub textfile: TextfileOptions,
}

/// Which mounts are shown, and how long one may take to answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FilesystemOptions {
    /// Mount points left out (a regular expression), unless `mount_points_include` is set.
    pub mount_points_exclude: String,
    /// Shows only these mount points (a regular expression).
    pub mount_points_include: Option<String>,
    /// Kinds of file systems left out (a regular expression), unless `fs_types_include` is set.
    pub fs_types_exclude: String,
    /// Shows only these kinds of file systems (a regular expression).
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
            let error = regex_lite::Regex::new(pattern?).err()?;
            Some((format!("filesystem.{key}"), format!("not a regular expression: {error}")))
        })
    }
}

/// Where text files with metrics lie.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TextfileOptions {
    /// Directory whose `*.prom` files are published; `*` and `?` in its path match several directories.
    pub directory: Option<String>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            interval: Interval::from_secs(1),
            timeout: Interval::from_secs(5),
            temperature: Switch::Auto,
            filesystem: FilesystemOptions::default(),
            textfile: TextfileOptions::default(),
        }
    }
}

impl Options for HostOptions {
    fn schedule(&self) -> Schedule {
        Schedule { enabled: self.enabled, interval: self.interval, timeout: self.timeout }
    }

    fn problems(&self) -> Vec<(String, String)> {
        self.filesystem.problems().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_problem_and_a_broken_pattern_is_named() {
        let mut options = HostOptions::default();
        assert_eq!(options.problems(), []);
        options.filesystem.fs_types_include = Some("ext4|(".into());
        let problems = options.problems();
        assert_eq!(problems[0].0, "filesystem.fs_types_include");
        assert!(problems[0].1.starts_with("not a regular expression: "), "{problems:?}");
    }
}
