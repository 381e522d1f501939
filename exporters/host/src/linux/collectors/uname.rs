//! What the kernel says of itself. The host's name may change, so it is asked every ten seconds.

use std::sync::Arc;

use aura_model::{Context, Metric, Missing, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{every::Seldom, file::Buffer},
};

/// The answer of uname(2).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Uname {
    /// `Linux`.
    pub sysname: String,
    /// The kernel's release.
    pub release: String,
    /// The kernel's build.
    pub version: String,
    /// The hardware's name: `x86_64`.
    pub machine: String,
    /// The host's name.
    pub nodename: String,
    /// The NIS domain, mostly `(none)`.
    pub domainname: String,
}

pub(super) const METRICS: &[Metric<Arc<Uname>>] = rows! { |uname|
    for Uname { sysname, release, version, machine, nodename, domainname } in [&**uname]
        => { sysname, release, version, machine, nodename, domainname } {
        gauge "node_uname_info" = 1, "Labeled system information as provided by the uname system call.";
    }
};

pub(super) struct Reader(Seldom<Uname>);

impl Collector for Reader {
    type Reading = Arc<Uname>;

    fn open(_: &HostOptions, _: &Context) -> Self {
        Self(Seldom::seconds(10))
    }

    fn read(&mut self, _: &mut Buffer) -> Result<Arc<Uname>, Missing> {
        self.0.get(|| {
            let uname = rustix::system::uname();
            let text = |field: &std::ffi::CStr| field.to_string_lossy().into_owned();
            Ok(Uname {
                sysname: text(uname.sysname()),
                release: text(uname.release()),
                version: text(uname.version()),
                machine: text(uname.machine()),
                nodename: text(uname.nodename()),
                domainname: text(uname.domainname()),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_the_one_of_proc() {
        let uname = Reader::open(&HostOptions::default(), &Context::default()).read(&mut Buffer::default()).unwrap();
        let proc = |name: &str| std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap().trim().to_owned();
        assert_eq!(uname.release, proc("osrelease"));
        assert_eq!(uname.nodename, proc("hostname"));
        assert_eq!(uname.domainname, proc("domainname"));
    }
}
