//! Random bits that the kernel has in store, from /proc/sys/kernel/random. Since Linux 5.18 the answer is always 256.

use aura_model::{Context, Metric, Missing, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::file::{Buffer, KeptFile},
};

/// The pool.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Entropy {
    /// Bits in it.
    pub available: u64,
    /// Bits that fit.
    pub pool_size: Option<u64>,
}

pub(super) const METRICS: &[Metric<Entropy>] = rows! { |entropy|
    gauge "node_entropy_available_bits" = entropy.available, "Bits of available entropy.";
    gauge "node_entropy_pool_size_bits" = entropy.pool_size, "Bits of entropy pool.";
};

pub(super) struct Reader {
    available: KeptFile,
    pool_size: KeptFile,
}

impl Collector for Reader {
    type Reading = Entropy;

    fn open(_: &HostOptions, context: &Context) -> Self {
        let random = context.paths.procfs.join("sys/kernel/random");
        Self {
            available: KeptFile::one_line(random.join("entropy_avail")),
            pool_size: KeptFile::one_line(random.join("poolsize")),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Entropy, Missing> {
        Ok(Entropy { available: self.available.number(buffer)?, pool_size: self.pool_size.number(buffer).ok() })
    }
}

#[cfg(test)]
mod tests {
    use crate::linux::testing::{TREES, output};

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("entropy@{tree}"), output(tree, &["entropy"]));
        }
    }
}
