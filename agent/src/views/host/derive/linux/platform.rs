//! What the machine is.

use aura_host::HostReading;
use jiff::Timestamp;

use crate::views::{host::message::Platform, time::rfc3339};

pub(super) fn platform(now: &HostReading, sampled_at: Timestamp) -> Platform {
    let uname = now.uname.value();
    let boot = now.stat.value().and_then(|stat| stat.boot_time).and_then(|seconds| i64::try_from(seconds).ok());
    let boot = boot.and_then(|seconds| Timestamp::from_second(seconds).ok());
    Platform {
        system: uname.map(|uname| uname.sysname.clone()),
        release: uname.map(|uname| uname.release.clone()),
        machine: uname.map(|uname| uname.machine.clone()),
        processor: now.cpu.value().and_then(|cpu| Some(cpu.topology.model.as_deref()?.to_owned())),
        hostname: uname.map(|uname| uname.nodename.clone()),
        distribution: now.os.value().map(|os| os.pretty_name.clone()).filter(|name| !name.is_empty()),
        boot_time: boot.map(rfc3339),
        uptime_seconds: boot.map(|boot| sampled_at.duration_since(boot).as_secs_f64()),
    }
}
