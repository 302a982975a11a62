//! The columns of nodes.

use serde_json::Value;

use super::Column;
use super::builtin::{text, wide};
use crate::meta;

/// Columns after the name.
pub fn columns() -> Vec<Column> {
    vec![
        text("Status", |o, _| node_status(o).into()),
        text("Roles", |o, _| node_roles(o).into()),
        Column::age(),
        text("Version", |o, _| meta::str_at(o, &["status", "nodeInfo", "kubeletVersion"]).into()),
        wide("Internal-IP", |o, _| node_address(o, "InternalIP").into()),
        wide("External-IP", |o, _| node_address(o, "ExternalIP").into()),
        wide("OS-Image", |o, _| known(o, "osImage")),
        wide("Kernel-Version", |o, _| known(o, "kernelVersion")),
        wide("Container-Runtime", |o, _| known(o, "containerRuntimeVersion")),
    ]
}

fn node_status(node: &Value) -> String {
    let list = meta::at(node, &["status", "conditions"]).and_then(Value::as_array);
    let ready = list.into_iter().flatten().find(|c| meta::str_at(c, &["type"]) == "Ready");
    let mut status = match ready.map(|c| meta::str_at(c, &["status"])) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if meta::at(node, &["spec", "unschedulable"]).and_then(Value::as_bool) == Some(true) {
        status.push_str(",SchedulingDisabled");
    }
    status
}

fn node_roles(node: &Value) -> String {
    let labels = meta::at(node, &["metadata", "labels"]).and_then(Value::as_object);
    let mut roles: Vec<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(k, _)| k.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    roles.sort_unstable();
    if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") }
}

fn node_address(node: &Value, kind: &str) -> String {
    let list = meta::at(node, &["status", "addresses"]).and_then(Value::as_array);
    let address = list.into_iter().flatten().find(|a| meta::str_at(a, &["type"]) == kind);
    address.map_or("<none>", |a| meta::str_at(a, &["address"])).to_owned()
}

fn known(node: &Value, what: &str) -> Value {
    match meta::str_at(node, &["status", "nodeInfo", what]) {
        "" => "<unknown>".into(),
        text => text.into(),
    }
}
