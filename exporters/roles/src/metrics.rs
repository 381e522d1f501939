//! What scrapers get.

use std::collections::BTreeMap;

use aura_model::{Group, Metric, declare, rows, walk};

use crate::{Roles, RolesReading};

/// One series a level of trust (10 at most, if files keep to the scale), a band of risk (3), a status of drafts, a kind
/// of finding (10), for each installation.
pub(crate) const GROUPS: &[Group<RolesReading>] = &[Group {
    name: "roles",
    walk: |reading, emit| walk(METRICS, reading, emit),
    declare: |show| declare(METRICS, show),
}];

/// Above this the installation commits no draft by itself.
const HIGH_RISK: f64 = 0.6;
const MEDIUM_RISK: f64 = 0.3;

const METRICS: &[Metric<RolesReading>] = rows! { |reading|
    for roles in &reading.installations, ((scale, trust), count) in by_trust(roles)
        => { installation: roles.installation, scale, trust } {
        gauge "aura_roles" = count,
            "Roles by how far they are trusted. The scale priority_1_10 is the registry's, taxonomy_0_5 the taxonomy's.";
    }
    for roles in &reading.installations, (risk, count) in by_risk(roles) => { installation: roles.installation, risk } {
        gauge "aura_roles_risk" = count,
            "Roles by risk factor: low below 0.3, medium to 0.6, high above, where no draft is committed automatically.";
    }
    for roles in &reading.installations => { installation: roles.installation } {
        gauge "aura_roles_drafts_pending" = roles.drafts.iter().filter(|draft| draft.pending).count(),
            "Drafts that wait for a decision.";
        gauge "aura_roles_drafts" = roles.drafts.len(), "Drafts, decided or not.";
    }
    for roles in &reading.installations, (kind, count) in by_kind(roles) => { installation: roles.installation, kind } {
        gauge "aura_roles_findings" = count, "What is not as it should be in the role files, by kind.";
    }
    for roles in &reading.installations => { installation: roles.installation } {
        gauge "aura_roles_last_change_timestamp_seconds" in Seconds = roles.last_change,
            "When a role file last changed.";
    }
};

fn by_trust(roles: &Roles) -> BTreeMap<(&str, String), u64> {
    let mut counts: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for role in roles.roles.iter().chain(&roles.taxonomy) {
        // Whatever is written there, the labels stay few.
        let trust = role.trust_level.round();
        let trust = if (0.0..=10.0).contains(&trust) { format!("{trust}") } else { "other".to_owned() };
        *counts.entry((role.trust_scale.word(), trust)).or_default() += 1;
    }
    counts
}

fn by_risk(roles: &Roles) -> [(&'static str, usize); 3] {
    let count = |of: fn(f64) -> bool| roles.roles.iter().filter(|role| of(role.risk_factor)).count();
    [
        ("low", count(|risk| risk < MEDIUM_RISK)),
        ("medium", count(|risk| (MEDIUM_RISK..=HIGH_RISK).contains(&risk))),
        ("high", count(|risk| risk > HIGH_RISK)),
    ]
}

fn by_kind(roles: &Roles) -> BTreeMap<&str, u64> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for finding in &roles.findings {
        *counts.entry(finding.kind).or_default() += 1;
    }
    counts
}
