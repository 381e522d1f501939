//! SELinux: whether it is there, what it does, and the counters of its cache of decisions (AVC).

use std::path::PathBuf;

use aura_model::{Context, Metric, Missing, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        attribute,
        file::{Buffer, KeptFile},
        scan::{lines, number, words},
    },
};

/// SELinux, if it is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Selinux {
    /// Whether the kernel runs with it.
    pub enabled: bool,
    /// What the configuration asks for: 1 enforcing, 0 permissive, -1 disabled.
    pub configured: Option<i64>,
    /// What it does now: 1 enforcing, 0 permissive.
    pub current: Option<i64>,
    /// lookups, hits, misses, allocations, reclaims, frees, over all CPUs.
    pub cache: Option<[u64; 6]>,
    /// entries, buckets used, buckets available, longest chain.
    pub hash: Option<[u64; 4]>,
    /// Entries beyond which the cache is cut back.
    pub threshold: Option<i64>,
}

pub(super) const METRICS: &[Metric<Selinux>] = rows! { |selinux|
    counter "node_selinux_avc_allocations_total" = selinux.cache.map(|cache| cache[3]), "SELinux AVC allocations";
    counter "node_selinux_avc_frees_total" = selinux.cache.map(|cache| cache[5]), "SELinux AVC frees";
    gauge "node_selinux_avc_hash_buckets_available" = selinux.hash.map(|hash| hash[2]),
        "SELinux AVC hash buckets available";
    gauge "node_selinux_avc_hash_buckets_used" = selinux.hash.map(|hash| hash[1]), "SELinux AVC hash buckets used";
    gauge "node_selinux_avc_hash_entries" = selinux.hash.map(|hash| hash[0]), "SELinux AVC hash entries";
    gauge "node_selinux_avc_hash_longest_chain" = selinux.hash.map(|hash| hash[3]), "SELinux AVC hash longest chain";
    counter "node_selinux_avc_hits_total" = selinux.cache.map(|cache| cache[1]), "SELinux AVC hits";
    counter "node_selinux_avc_lookups_total" = selinux.cache.map(|cache| cache[0]), "SELinux AVC lookups";
    counter "node_selinux_avc_misses_total" = selinux.cache.map(|cache| cache[2]), "SELinux AVC misses";
    counter "node_selinux_avc_reclaims_total" = selinux.cache.map(|cache| cache[4]), "SELinux AVC reclaims";
    gauge "node_selinux_avc_threshold" = selinux.threshold, "SELinux AVC threshold";
    gauge "node_selinux_config_mode" = selinux.configured, "Configured SELinux enforcement mode";
    gauge "node_selinux_current_mode" = selinux.current, "Current SELinux enforcement mode";
    gauge "node_selinux_enabled" = selinux.enabled, "SELinux is enabled, 1 is true, 0 is false";
};

pub(super) struct Reader {
    root: PathBuf,
    config: PathBuf,
    enforce: KeptFile,
    cache: KeptFile,
    hash: KeptFile,
}

impl Collector for Reader {
    type Reading = Selinux;

    fn open(_: &HostOptions, context: &Context) -> Self {
        let root = context.paths.sysfs.join("fs/selinux");
        Self {
            config: context.paths.rootfs.join("etc/selinux/config"),
            enforce: KeptFile::one_line(root.join("enforce")),
            cache: KeptFile::new(root.join("avc/cache_stats")),
            hash: KeptFile::new(root.join("avc/hash_stats")),
            root,
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Selinux, Missing> {
        // The folder is there, and empty, on kernels that could run SELinux and do not.
        let Ok(current) = self.enforce.integer(buffer) else { return Ok(Selinux::default()) };
        Ok(Selinux {
            enabled: true,
            configured: attribute::text(&self.config).ok().as_deref().and_then(configured),
            current: Some(current),
            cache: self.cache.read(buffer).ok().and_then(cache),
            hash: self.hash.read(buffer).ok().and_then(hash),
            threshold: attribute::number(&self.root.join("avc/cache_threshold")).ok(),
        })
    }
}

fn configured(text: &str) -> Option<i64> {
    match text.lines().find_map(|line| line.trim().strip_prefix("SELINUX="))?.trim() {
        "enforcing" => Some(1),
        "permissive" => Some(0),
        "disabled" => Some(-1),
        _ => None,
    }
}

/// A line of names, then a line a CPU.
fn cache(text: &[u8]) -> Option<[u64; 6]> {
    let mut sums = [0_u64; 6];
    for line in lines(text).skip(1) {
        let mut row = words(line).map(number);
        for sum in &mut sums {
            *sum = sum.wrapping_add(row.next()??);
        }
    }
    text.starts_with(b"lookups hits misses allocations reclaims frees").then_some(sums)
}

/// `entries: 503`, `buckets used: 283/512`, `longest chain: 7`
fn hash(text: &[u8]) -> Option<[u64; 4]> {
    let field = |name: &str| lines(text).find_map(|line| Some(line.strip_prefix(name.as_bytes())?.trim_ascii()));
    let used = field("buckets used:")?;
    let slash = used.iter().position(|&byte| byte == b'/')?;
    Some([
        number(field("entries:")?)?,
        number(&used[..slash])?,
        number(&used[slash + 1..])?,
        number(field("longest chain:")?)?,
    ])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing;

    #[test]
    fn a_system_with_selinux_and_one_without() {
        let root = tempfile::tempdir().unwrap();
        let paths =
            aura_model::Paths { sysfs: root.path().join("sys"), rootfs: root.path().into(), ..Default::default() };
        let context = Context::new(paths);
        let read = || Reader::open(&HostOptions::default(), &context).read(&mut Buffer::default()).unwrap();
        let text = testing::text(METRICS, &read());
        assert!(text.ends_with("node_selinux_enabled 0\n") && text.lines().count() == 3, "{text}");
        for (file, text) in [
            ("sys/fs/selinux/enforce", "1"),
            ("etc/selinux/config", "# SELINUX=no\nSELINUX=permissive\nSELINUXTYPE=targeted\n"),
            (
                "sys/fs/selinux/avc/cache_stats",
                "lookups hits misses allocations reclaims frees\n91590784 91569452 21332 21332 20176 20833\n1 2 3 4 5 6\n",
            ),
            ("sys/fs/selinux/avc/hash_stats", "entries: 503\nbuckets used: 283/512\nlongest chain: 7\n"),
            ("sys/fs/selinux/avc/cache_threshold", "512"),
        ] {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        insta::assert_snapshot!(testing::text(METRICS, &read()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text: String) {
            let _ = (cache(&bytes), hash(&bytes), configured(&text));
        }
    }
}
