//! Columns of built-in kinds, as the real server prints them.

use std::collections::HashMap;
use std::sync::OnceLock;

use jiff::Timestamp;
use serde_json::Value;

use super::{Column, age, pods};
use crate::meta;

/// The column that every table starts with.
pub fn name_only() -> &'static [Column] {
    static NAME: OnceLock<[Column; 1]> = OnceLock::new();
    NAME.get_or_init(|| [Column::name()])
}

/// Columns of a built-in kind.
pub fn columns(kind: &str) -> &'static [Column] {
    static TABLES: OnceLock<HashMap<&'static str, Vec<Column>>> = OnceLock::new();
    let tables = TABLES.get_or_init(all);
    match tables.get(kind).or_else(|| tables.get("")) {
        Some(columns) => columns,
        None => &[],
    }
}

fn text(name: &str, compute: super::Compute) -> Column {
    Column::computed(name, "string", "", 0, compute)
}

fn wide(name: &str, compute: super::Compute) -> Column {
    Column::computed(name, "string", "", 1, compute)
}

fn number(name: &str, compute: super::Compute) -> Column {
    Column::computed(name, "integer", "", 0, compute)
}

fn with_name(columns: Vec<Column>) -> Vec<Column> {
    std::iter::once(Column::name()).chain(columns).collect()
}

fn all() -> HashMap<&'static str, Vec<Column>> {
    let templates = || {
        vec![
            wide("Containers", |o, _| template_containers(o, "name")),
            wide("Images", |o, _| template_containers(o, "image")),
            wide("Selector", |o, _| selector(meta::at(o, &["spec", "selector"]))),
        ]
    };
    let join = |head: Vec<Column>, tail: Vec<Column>| with_name(head.into_iter().chain(tail).collect());
    HashMap::from([
        ("", with_name(vec![Column::age()])),
        ("Pod", join(pods::columns(), Vec::new())),
        (
            "Job",
            join(
                vec![
                    text("Status", |o, _| job_status(o).into()),
                    text("Completions", |o, _| job_completions(o).into()),
                    text("Duration", job_duration),
                    Column::age(),
                ],
                templates(),
            ),
        ),
        (
            "Deployment",
            join(
                vec![
                    text("Ready", |o, _| ratio(o, "readyReplicas")),
                    number("Up-to-date", |o, _| count(o, &["status", "updatedReplicas"])),
                    number("Available", |o, _| count(o, &["status", "availableReplicas"])),
                    Column::age(),
                ],
                templates(),
            ),
        ),
        (
            "ReplicaSet",
            join(
                vec![
                    number("Desired", |o, _| count(o, &["spec", "replicas"])),
                    number("Current", |o, _| count(o, &["status", "replicas"])),
                    number("Ready", |o, _| count(o, &["status", "readyReplicas"])),
                    Column::age(),
                ],
                templates(),
            ),
        ),
        (
            "StatefulSet",
            join(vec![text("Ready", |o, _| ratio(o, "readyReplicas")), Column::age()], templates()),
        ),
        (
            "DaemonSet",
            join(
                vec![
                    number("Desired", |o, _| count(o, &["status", "desiredNumberScheduled"])),
                    number("Current", |o, _| count(o, &["status", "currentNumberScheduled"])),
                    number("Ready", |o, _| count(o, &["status", "numberReady"])),
                    Column::age(),
                ],
                templates(),
            ),
        ),
        (
            "CronJob",
            with_name(vec![
                text("Schedule", |o, _| field(o, &["spec", "schedule"])),
                text("Timezone", |o, _| field(o, &["spec", "timeZone"])),
                text("Suspend", |o, _| python_bool(meta::at(o, &["spec", "suspend"])).into()),
                number("Active", |o, _| length(meta::at(o, &["status", "active"]))),
                text("Last Schedule", |o, now| match meta::str_at(o, &["status", "lastScheduleTime"]) {
                    "" => "<none>".into(),
                    at => age::since(at, now).into(),
                }),
                Column::age(),
            ]),
        ),
        ("Namespace", with_name(vec![text("Status", |o, _| field(o, &["status", "phase"])), Column::age()])),
        ("Node", with_name(node_columns())),
        ("Event", event_columns()),
        (
            "Service",
            with_name(vec![
                text("Type", |o, _| field(o, &["spec", "type"])),
                text("Cluster-IP", |o, _| field(o, &["spec", "clusterIP"])),
                text("External-IP", |_, _| "<none>".into()),
                text("Port(s)", |o, _| service_ports(o).into()),
                Column::age(),
                wide("Selector", |o, _| selector(meta::at(o, &["spec", "selector"]))),
            ]),
        ),
        ("ConfigMap", with_name(vec![number("Data", |o, _| data_count(o)), Column::age()])),
        (
            "Secret",
            with_name(vec![
                text("Type", |o, _| field(o, &["type"])),
                number("Data", |o, _| data_count(o)),
                Column::age(),
            ]),
        ),
        (
            "ServiceAccount",
            with_name(vec![number("Secrets", |o, _| length(o.get("secrets"))), Column::age()]),
        ),
        (
            "Lease",
            with_name(vec![text("Holder", |o, _| field(o, &["spec", "holderIdentity"])), Column::age()]),
        ),
        (
            "CustomResourceDefinition",
            with_name(vec![Column::computed("Created At", "date", "", 0, |o, _| {
                field(o, &["metadata", "creationTimestamp"])
            })]),
        ),
    ])
}

fn field(object: &Value, path: &[&str]) -> Value {
    match meta::str_at(object, path) {
        "" => "<none>".into(),
        text => text.into(),
    }
}

fn count(object: &Value, path: &[&str]) -> Value {
    meta::at(object, path).and_then(Value::as_i64).unwrap_or(0).into()
}

fn length(list: Option<&Value>) -> Value {
    list.and_then(Value::as_array).map_or(0, Vec::len).into()
}

fn data_count(object: &Value) -> Value {
    let size = |field: &str| object.get(field).and_then(Value::as_object).map_or(0, serde_json::Map::len);
    (size("data") + size("binaryData")).into()
}

fn python_bool(value: Option<&Value>) -> &'static str {
    if value.and_then(Value::as_bool).unwrap_or(false) { "True" } else { "False" }
}

fn ratio(object: &Value, ready: &str) -> Value {
    let number = |path: &[&str]| meta::at(object, path).and_then(Value::as_i64).unwrap_or(0);
    format!("{}/{}", number(&["status", ready]), number(&["spec", "replicas"])).into()
}

fn template_containers(object: &Value, what: &str) -> Value {
    let list = meta::at(object, &["spec", "template", "spec", "containers"]).and_then(Value::as_array);
    let names: Vec<&str> = list.into_iter().flatten().map(|c| meta::str_at(c, &[what])).collect();
    names.join(",").into()
}

/// A label selector, or the plain map of a Service.
fn selector(selector: Option<&Value>) -> Value {
    let labels = selector.and_then(|s| s.get("matchLabels").or(Some(s))).and_then(Value::as_object);
    let mut terms: Vec<String> =
        labels.into_iter().flatten().filter_map(|(k, v)| Some(format!("{k}={}", v.as_str()?))).collect();
    terms.sort();
    if terms.is_empty() { "<none>".into() } else { terms.join(",").into() }
}

fn job_status(job: &Value) -> &'static str {
    let condition = |kind: &str| {
        let list = meta::at(job, &["status", "conditions"]).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .any(|c| meta::str_at(c, &["type"]) == kind && meta::str_at(c, &["status"]) == "True")
    };
    if condition("Complete") {
        "Complete"
    } else if condition("Failed") {
        "Failed"
    } else if meta::is_deleting(job) {
        "Terminating"
    } else if condition("Suspended") {
        "Suspended"
    } else if condition("FailureTarget") {
        "FailureTarget"
    } else if condition("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn job_completions(job: &Value) -> String {
    let number = |path: &[&str]| meta::at(job, path).and_then(Value::as_i64);
    let succeeded = number(&["status", "succeeded"]).unwrap_or(0);
    match (number(&["spec", "completions"]), number(&["spec", "parallelism"]).unwrap_or(0)) {
        (Some(completions), _) => format!("{succeeded}/{completions}"),
        (None, parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn job_duration(job: &Value, now: Timestamp) -> Value {
    let start = meta::str_at(job, &["status", "startTime"]);
    let end = meta::str_at(job, &["status", "completionTime"]);
    match (start, end) {
        ("", _) => "".into(),
        (start, "") => age::since(start, now).into(),
        (start, end) => age::between(start, end).unwrap_or_default().into(),
    }
}

fn service_ports(service: &Value) -> String {
    let ports = meta::at(service, &["spec", "ports"]).and_then(Value::as_array);
    let texts: Vec<String> = ports
        .into_iter()
        .flatten()
        .map(|p| {
            let protocol = p.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
            format!("{}/{protocol}", p.get("port").and_then(Value::as_i64).unwrap_or(0))
        })
        .collect();
    if texts.is_empty() { "<none>".to_owned() } else { texts.join(",") }
}

fn node_columns() -> Vec<Column> {
    vec![
        text("Status", |o, _| node_status(o).into()),
        text("Roles", |o, _| node_roles(o).into()),
        Column::age(),
        text("Version", |o, _| field(o, &["status", "nodeInfo", "kubeletVersion"])),
        wide("Internal-IP", |o, _| node_address(o, "InternalIP").into()),
        wide("External-IP", |o, _| node_address(o, "ExternalIP").into()),
        wide("OS-Image", |o, _| field(o, &["status", "nodeInfo", "osImage"])),
        wide("Kernel-Version", |o, _| field(o, &["status", "nodeInfo", "kernelVersion"])),
        wide("Container-Runtime", |o, _| field(o, &["status", "nodeInfo", "containerRuntimeVersion"])),
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

/// Events start with the time, not with the name. They are in core form here.
fn event_columns() -> Vec<Column> {
    vec![
        text("Last Seen", |o, now| {
            event_age(
                o,
                &["series.lastObservedTime", "lastTimestamp", "eventTime", "metadata.creationTimestamp"],
                now,
            )
        }),
        text("Type", |o, _| field(o, &["type"])),
        text("Reason", |o, _| field(o, &["reason"])),
        text("Object", |o, _| {
            let kind = meta::str_at(o, &["involvedObject", "kind"]).to_lowercase();
            format!("{kind}/{}", meta::str_at(o, &["involvedObject", "name"])).into()
        }),
        wide("Subobject", |o, _| meta::str_at(o, &["involvedObject", "fieldPath"]).into()),
        wide("Source", |o, _| {
            let old = meta::str_at(o, &["source", "component"]);
            if old.is_empty() { meta::str_at(o, &["reportingComponent"]).into() } else { old.into() }
        }),
        text("Message", |o, _| meta::str_at(o, &["message"]).trim().into()),
        wide("First Seen", |o, now| {
            event_age(o, &["firstTimestamp", "eventTime", "metadata.creationTimestamp"], now)
        }),
        wide("Count", |o, _| {
            let series = meta::at(o, &["series", "count"]).or_else(|| o.get("count"));
            series.and_then(Value::as_i64).unwrap_or(1).to_string().into()
        }),
        Column::computed("Name", "string", "name", 1, |o, _| meta::name(o).into()),
    ]
}

fn event_age(event: &Value, paths: &[&str], now: Timestamp) -> Value {
    let found =
        paths.iter().map(|p| meta::str_at(event, &p.split('.').collect::<Vec<_>>())).find(|t| !t.is_empty());
    age::since(found.unwrap_or_default(), now).into()
}
