//! Role files that do not change, looked at by the agent and by a reader that reads and parses them each time.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Only, every_second, side_by_side};
use crate::{
    process::Program,
    table::{Row, Target},
};

/// Once a second a reader of the whole file must cost more than a look that finds nothing new.
const LOOK: Target = Target::Ratio(0.5);

pub(crate) fn measure(rows: &mut Vec<Row>) -> Result<()> {
    const ROLES: usize = 300;
    let folder = tempfile::tempdir()?;
    let engine = folder.path().join("ops/role_engine");
    fs::create_dir_all(&engine)?;
    let registry = engine.join("role_registry_v2.json");
    fs::write(&registry, text(ROLES))?;
    let size = fs::metadata(&registry)?.len() / 1000;
    let only = Only::start("roles", &format!("roots: [{}]", folder.path().display()))?;
    let peer = Program::own(&["poll", "roles", registry.to_str().context("an odd folder")?])?;
    only.wait("roles")?;
    // A file that was written just now is read again until its time can be trusted.
    std::thread::sleep(std::time::Duration::from_secs(5));
    let pairs = side_by_side(&only.agent, &peer)?;
    let what = format!("{ROLES} roles once a second ({size} KB), nothing new: CPU a second");
    rows.push(Row::pairs(what, "ms", "the file read and parsed each time", &pairs, LOOK));
    Ok(())
}

/// A registry as an installation has it.
fn text(roles: usize) -> String {
    let role = |number: usize| {
        json!({
            "purpose": format!("Looks after part {number} of the installation"),
            "capabilities": ["read the reports", "write a summary", "ask for approval", "close what is done"],
            "responsibilities": ["keep the log", "tell the others"],
            "scoring_profile": {"priority": number % 10 + 1, "confidence_weight": 0.7, "risk_factor": 0.2},
            "interactions": [format!("Role {}", (number + 1) % roles)],
            "version": "1.0.0",
        })
    };
    let all: serde_json::Map<String, Value> =
        (0..roles).map(|number| (format!("Role {number}"), role(number))).collect();
    format!("{:#}", json!({"meta": {"version": "2.0.0"}, "roles": all}))
}

/// Reads and parses the file once a second, for ever.
pub(crate) fn poll(registry: &Path) -> Result<()> {
    every_second(|| {
        let value: Value = serde_json::from_slice(&fs::read(registry)?)?;
        let roles = value["roles"].as_object().map_or(0, serde_json::Map::len);
        std::hint::black_box(roles);
        Ok(())
    })
}
