//! The tree of a taxonomy. Both ends of an edge may name it, and they may disagree; what does not fit hangs under
//! the root and is reported. Every role stands in the tree once.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::role::{Finding, Role};

/// Deeper branches hang under the root, so that nobody who walks the tree runs out of stack.
const DEEPEST: usize = 32;

/// A role's place in the tree.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "RoleNode")]
pub struct Node {
    /// Name of the role.
    pub name: String,
    /// How far it is trusted, on its role's scale.
    pub trust_level: f64,
    /// The roles below it, the most trusted first.
    pub children: Vec<Node>,
}

/// The tree of these roles, which are sorted. Roles without edges, as all of a registry's, hang under the root.
pub(crate) fn tree(roles: &[Role], findings: &mut Vec<Finding>) -> Vec<Node> {
    let index: BTreeMap<&str, usize> = roles.iter().enumerate().map(|(at, role)| (role.name.as_str(), at)).collect();
    let mut claims: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); roles.len()];
    for (at, role) in roles.iter().enumerate() {
        if let Some(parent) = &role.parent_role {
            match index.get(parent.as_str()) {
                Some(&parent) => drop(claims[at].insert(parent)),
                None => {
                    findings.push(Finding::new(
                        "missing_parent",
                        &role.name,
                        format!("its parent {parent:?} is no role"),
                    ));
                }
            }
        }
        for child in &role.child_roles {
            match index.get(child.as_str()) {
                Some(&child) => drop(claims[child].insert(at)),
                None => {
                    findings.push(Finding::new("missing_child", &role.name, format!("its child {child:?} is no role")));
                }
            }
        }
    }
    let mut parents: Vec<Option<usize>> = vec![None; roles.len()];
    for (at, role) in roles.iter().enumerate() {
        let own = role.parent_role.as_deref().and_then(|parent| index.get(parent).copied());
        parents[at] = own.or_else(|| claims[at].first().copied());
        if claims[at].len() > 1 {
            let names: Vec<&str> = claims[at].iter().map(|&parent| roles[parent].name.as_str()).collect();
            let shown = parents[at].map_or("", |parent| &roles[parent].name);
            let detail = format!("{} have it as their child; it is shown under {shown}", names.join(", "));
            findings.push(Finding::new("several_parents", &role.name, detail));
        }
    }
    for at in in_cycles(&parents) {
        let detail = "it is its own ancestor; it is shown under the root".to_owned();
        findings.push(Finding::new("cycle", &roles[at].name, detail));
        parents[at] = None;
    }
    cut_deep(roles, &mut parents, findings);
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); roles.len()];
    for (at, parent) in parents.iter().enumerate() {
        if let Some(parent) = parent {
            children[*parent].push(at);
        }
    }
    (0..roles.len()).filter(|&at| parents[at].is_none()).map(|at| node(at, roles, &children)).collect()
}

fn node(at: usize, roles: &[Role], children: &[Vec<usize>]) -> Node {
    Node {
        name: roles[at].name.clone(),
        trust_level: roles[at].trust_level,
        children: children[at].iter().map(|&child| node(child, roles, children)).collect(),
    }
}

/// Those that are reached again on the way up from themselves.
fn in_cycles(parents: &[Option<usize>]) -> Vec<usize> {
    // 0 is not visited; otherwise the walk that came by.
    let mut walk = vec![0; parents.len()];
    let mut found = Vec::new();
    for start in 0..parents.len() {
        let mut at = Some(start);
        while let Some(here) = at.filter(|&here| walk[here] == 0) {
            walk[here] = start + 1;
            at = parents[here];
        }
        // Back on its own track: the way from here to here is the cycle.
        if let Some(first) = at.filter(|&here| walk[here] == start + 1) {
            let mut here = first;
            loop {
                found.push(here);
                match parents[here] {
                    Some(next) if next != first => here = next,
                    _ => break,
                }
            }
        }
    }
    found.sort_unstable();
    found
}

fn cut_deep(roles: &[Role], parents: &mut [Option<usize>], findings: &mut Vec<Finding>) {
    let mut depth: Vec<Option<usize>> = vec![None; parents.len()];
    for start in 0..parents.len() {
        let mut way = Vec::new();
        let mut at = Some(start);
        while let Some(here) = at.filter(|&here| depth[here].is_none()) {
            way.push(here);
            at = parents[here];
        }
        let mut above = at.and_then(|here| depth[here]);
        for here in way.into_iter().rev() {
            let own = above.map_or(0, |above| above + 1);
            if own > DEEPEST {
                findings.push(Finding::new(
                    "too_deep",
                    &roles[here].name,
                    "its branch goes on under the root".to_owned(),
                ));
                parents[here] = None;
            }
            depth[here] = Some(if own > DEEPEST { 0 } else { own });
            above = depth[here];
        }
    }
}
