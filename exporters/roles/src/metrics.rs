//! What scrapers get.

use std::collections::BTreeMap;

use aura_model::{Emit, Group, Metric, Unit, declare, gauge, walk};

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

const METRICS: &[Metric<RolesReading>] = &[
    gauge(
        "aura_roles",
        "Roles by how far they are trusted. The scale priority_1_10 is the registry's, taxonomy_0_5 the taxonomy's.",
        Unit::None,
        &["installation", "scale", "trust"],
        |reading, emit| {
            for roles in &reading.installations {
                let all = roles.roles.iter().chain(&roles.taxonomy);
                let mut counts: BTreeMap<(&str, String), u64> = BTreeMap::new();
                for role in all {
                    // Whatever is written there, the labels stay few.
                    let trust = role.trust_level.round();
                    let trust = if (0.0..=10.0).contains(&trust) { format!("{trust}") } else { "other".to_owned() };
                    *counts.entry((role.trust_scale.word(), trust)).or_default() += 1;
                }
                for ((scale, trust), count) in counts {
                    emit.sample(&[&roles.installation, scale, &trust], count.into());
                }
            }
        },
    ),
    gauge(
        "aura_roles_risk",
        "Roles by risk factor: low below 0.3, medium to 0.6, high above, where no draft is committed automatically.",
        Unit::None,
        &["installation", "risk"],
        |reading, emit| {
            for roles in &reading.installations {
                let band = |low: f64, high: f64| {
                    let within = |risk: f64| risk > low && risk <= high;
                    roles.roles.iter().filter(|role| within(role.risk_factor)).count()
                };
                let below = f64::from_bits(MEDIUM_RISK.to_bits() - 1);
                for (name, low, high) in [
                    ("low", f64::NEG_INFINITY, below),
                    ("medium", below, HIGH_RISK),
                    ("high", HIGH_RISK, f64::INFINITY),
                ] {
                    emit.sample(&[&roles.installation, name], band(low, high).into());
                }
            }
        },
    ),
    gauge(
        "aura_roles_drafts_pending",
        "Drafts that wait for a decision.",
        Unit::None,
        &["installation"],
        |reading, emit| {
            each(reading, emit, |roles| Some(roles.drafts.iter().filter(|draft| draft.pending).count() as f64));
        },
    ),
    gauge("aura_roles_drafts", "Drafts, decided or not.", Unit::None, &["installation"], |reading, emit| {
        each(reading, emit, |roles| Some(roles.drafts.len() as f64));
    }),
    gauge(
        "aura_roles_findings",
        "What is not as it should be in the role files, by kind.",
        Unit::None,
        &["installation", "kind"],
        |reading, emit| {
            for roles in &reading.installations {
                let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
                for finding in &roles.findings {
                    *counts.entry(finding.kind).or_default() += 1;
                }
                for (kind, count) in counts {
                    emit.sample(&[&roles.installation, kind], count.into());
                }
            }
        },
    ),
    gauge(
        "aura_roles_last_change_timestamp_seconds",
        "When a role file last changed.",
        Unit::Seconds,
        &["installation"],
        |reading, emit| each(reading, emit, |roles| roles.last_change),
    ),
];

fn each(reading: &RolesReading, emit: &mut dyn Emit, take: fn(&Roles) -> Option<f64>) {
    for roles in &reading.installations {
        emit.maybe(&[&roles.installation], take(roles));
    }
}
