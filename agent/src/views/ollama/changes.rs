//! One line in the log for each change of a server's state: away, busy, back, restarted with another version.

use std::collections::HashMap;

use aura_model::Name;
use aura_ollama::{HostReading, HostStatus, OllamaReading};

/// What was last seen of each server.
#[derive(Default)]
pub(super) struct Changes(HashMap<Name, (HostStatus, Option<Name>)>);

impl Changes {
    /// Logs what has changed since the reading before. Of a server's first reading the source itself tells.
    pub(super) fn log(&mut self, reading: &OllamaReading) {
        for host in &reading.hosts {
            match (host.status, self.take(host)) {
                (_, None) => {}
                (HostStatus::Answering, Some(line)) => tracing::info!(host = %host.host, "{line}"),
                (_, Some(line)) => tracing::warn!(host = %host.host, "{line}"),
            }
        }
    }

    /// What there is to say of a server now.
    fn take(&mut self, host: &HostReading) -> Option<String> {
        let before = self.0.get(&host.host).cloned();
        // What is away tells no version; the one before is what it is compared with when it is back.
        let version = host.version.clone().or(before.as_ref().and_then(|(_, version)| version.clone()));
        self.0.insert(host.host.clone(), (host.status, version.clone()));
        let (state, old) = before?;
        let other = old.filter(|old| Some(old) != version.as_ref());
        let detail = host.missing.as_ref().map(|missing| format!(": {}", missing.detail)).unwrap_or_default();
        let version = version.map(|version| format!("Ollama {version}")).unwrap_or_default();
        match host.status {
            HostStatus::Answering => match (state, other) {
                (HostStatus::Answering, Some(old)) => Some(format!("restarted: {version}, before {old}")),
                (HostStatus::Answering, None) => None,
                (_, Some(old)) => Some(format!("answers again: {version}, before {old}")),
                (_, None) => Some(format!("answers again: {version}")),
            },
            state_now if state_now == state => None,
            HostStatus::Busy => Some(format!("busy{detail}")),
            HostStatus::Away => Some(format!("away{detail}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use aura_model::{Missing, Reason};
    use aura_ollama_simulator::{Settings, Simulator};

    use super::{super::tests::watch, *};

    #[test]
    fn each_change_is_one_line_and_no_change_is_none() {
        use aura_model::Source;
        let simulator = Simulator::start(Settings::default()).unwrap();
        let answering = watch(&[&simulator]).sample().unwrap().hosts.remove(0);
        let missing = Some(Missing::new(Reason::Unreachable, "nobody listens"));
        let away =
            HostReading { status: HostStatus::Away, version: None, missing: missing.clone(), ..answering.clone() };
        let busy = HostReading { status: HostStatus::Busy, missing, ..answering.clone() };
        let newer = HostReading { version: Some("0.34.0".into()), ..answering.clone() };
        let mut changes = Changes::default();
        for (host, line) in [
            (&answering, None),
            (&answering, None),
            (&busy, Some("busy: nobody listens")),
            (&busy, None),
            (&away, Some("away: nobody listens")),
            (&away, None),
            (&answering, Some("answers again: Ollama 0.33.0")),
            (&newer, Some("restarted: Ollama 0.34.0, before 0.33.0")),
            (&away, Some("away: nobody listens")),
            (&answering, Some("answers again: Ollama 0.33.0, before 0.34.0")),
        ] {
            assert_eq!(changes.take(host).as_deref(), line);
        }
    }
}
