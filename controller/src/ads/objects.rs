//! How each object stands, for those who ask the controller itself: what `metactl status` shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xds::Origin;

use crate::status::{Progress, Severity, Status};

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectStatus {
    /// Kind, namespace and name, such as `MetaRouter shop/orders`; empty: a file that cannot be read so far.
    pub object: String,
    /// Connected proxies that want what it comes to; absent: it comes to nothing by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<u32>,
    /// How many of them have all of it in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programmed: Option<u32>,
    /// Whether there is a mistake in it, so that it is not in force as it is written.
    pub has_mistake: bool,
    /// What the controller says of it, each with its place.
    pub says: Vec<String>,
    /// What proxies refuse of it.
    pub refused: Vec<String>,
}

/// All objects that proxies can have, or of which there is something to say, by kind and name.
pub(super) fn objects(status: &Status) -> Vec<ObjectStatus> {
    let mut all = BTreeMap::new();
    for (key, Progress { proxies, programmed }) in &status.progress {
        let one = entry(&mut all, key.to_string());
        (one.proxies, one.programmed) = (Some(*proxies), Some(*programmed));
    }
    for diagnostic in &status.diagnostics {
        let object = diagnostic.object.as_ref().map(ToString::to_string);
        let one = entry(&mut all, object.unwrap_or_default());
        one.has_mistake |= diagnostic.severity == Severity::Error;
        one.says.push(diagnostic.to_string());
    }
    for refusal in &status.refusals {
        let one = entry(&mut all, refusal.origin.as_ref().map(name_of).unwrap_or_default());
        one.refused.push(refusal.to_string());
    }
    all.into_values().collect()
}

/// As [`crate::object::Key`] is written.
fn name_of(origin: &Origin) -> String {
    let Origin { kind, namespace, name, .. } = origin;
    if namespace.is_empty() { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") }
}

fn entry(all: &mut BTreeMap<String, ObjectStatus>, object: String) -> &mut ObjectStatus {
    all.entry(object.clone()).or_insert_with(|| ObjectStatus {
        object,
        proxies: None,
        programmed: None,
        has_mistake: false,
        says: Vec::new(),
        refused: Vec::new(),
    })
}
