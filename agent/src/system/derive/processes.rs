//! The processes that use most.

use aura_host::HostReading;

use crate::system::message::Processes;

pub(super) fn processes(now: &HostReading) -> Option<Processes> {
    let stat = now.stat.value();
    Some(Processes {
        sampled_at: None,
        total: None,
        running: stat.and_then(|stat| stat.running),
        blocked: stat.and_then(|stat| stat.blocked),
        top_cpu: Vec::new(),
        top_memory: Vec::new(),
    })
}
