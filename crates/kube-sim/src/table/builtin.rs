//! Columns of built-in kinds, as the real server prints them.

use std::collections::HashMap;
use std::sync::OnceLock;

use jiff::Timestamp;
use serde_json::Value;

use super::{Column, age, events, nodes, pods};
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

/// A column that is always shown.
pub fn text(name: &str, compute: super::Compute) -> Column {
    Column::computed(name, "string", "", 0, compute)
}

/// A column of `-o wide`.
pub fn wide(name: &str, compute: super::Compute) -> Column {
    Column::computed(name, "string", "", 1, compute)
}

fn number(name: &str, compute: super::Compute) -> Column {
    Column::computed(name, "integer", "", 0, compute)
}

fn with_name(columns: Vec<Column>) -> Vec<Column> {
    std::iter::once(Column::name()).chain(columns).collect()
}

/// Containers, images and selector of a workload.
fn template_columns() -> Vec<Column> {
    vec![
        wide("Containers", |o, _| containers(o, &["spec", "template"], "name")),
        wide("Images", |o, _| containers(o, &["spec", "template"], "image")),
        wide("Selector", |o, _| selector(meta::at(o, &["spec", "selector"]))),
    ]
}

fn all() -> HashMap<&'static str, Vec<Column>> {
    let with_template =
        |columns: Vec<Column>| with_name(columns.into_iter().chain(template_columns()).collect());
    HashMap::from([
        ("", with_name(vec![created_at()])),
        ("Pod", with_name(pods::columns())),
        ("Job", with_template(job_columns())),
        ("CronJob", with_name(cron_job_columns())),
        (
            "Deployment",
            with_template(vec![
                text("Ready", |o, _| ratio(o, "readyReplicas")),
                text("Up-to-date", |o, _| count(o, &["status", "updatedReplicas"])),
                text("Available", |o, _| count(o, &["status", "availableReplicas"])),
                Column::age(),
            ]),
        ),
        (
            "ReplicaSet",
            with_template(vec![
                number("Desired", |o, _| count(o, &["spec", "replicas"])),
                number("Current", |o, _| count(o, &["status", "replicas"])),
                number("Ready", |o, _| count(o, &["status", "readyReplicas"])),
                Column::age(),
            ]),
        ),
        (
            "StatefulSet",
            with_name(
                [text("Ready", |o, _| ratio(o, "readyReplicas")), Column::age()]
                    .into_iter()
                    .chain(template_columns().into_iter().take(2))
                    .collect(),
            ),
        ),
        (
            "DaemonSet",
            with_template(vec![
                number("Desired", |o, _| count(o, &["status", "desiredNumberScheduled"])),
                number("Current", |o, _| count(o, &["status", "currentNumberScheduled"])),
                number("Ready", |o, _| count(o, &["status", "numberReady"])),
                number("Up-to-date", |o, _| count(o, &["status", "updatedNumberScheduled"])),
                number("Available", |o, _| count(o, &["status", "numberAvailable"])),
                text("Node Selector", |o, _| {
                    selector(meta::at(o, &["spec", "template", "spec", "nodeSelector"]))
                }),
                Column::age(),
            ]),
        ),
        ("Namespace", with_name(vec![text("Status", |o, _| field(o, &["status", "phase"])), Column::age()])),
        ("Node", with_name(nodes::columns())),
        ("Event", events::columns()),
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
        ("ConfigMap", with_name(vec![text("Data", |o, _| data_count(o)), Column::age()])),
        (
            "Secret",
            with_name(vec![
                text("Type", |o, _| field(o, &["type"])),
                text("Data", |o, _| data_count(o)),
                Column::age(),
            ]),
        ),
        ("ServiceAccount", with_name(vec![Column::age()])),
        (
            "Lease",
            with_name(vec![text("Holder", |o, _| field(o, &["spec", "holderIdentity"])), Column::age()]),
        ),
        ("CustomResourceDefinition", with_name(crd_columns())),
        ("RoleBinding", with_name(binding_columns())),
        ("ClusterRoleBinding", with_name(binding_columns())),
        ("MutatingWebhookConfiguration", with_name(webhook_columns())),
        ("ValidatingWebhookConfiguration", with_name(webhook_columns())),
        ("Endpoints", with_name(vec![text("Endpoints", |o, _| endpoints(o).into()), Column::age()])),
    ])
}

fn created_at() -> Column {
    Column::computed("Created At", "date", "", 0, |o, _| field(o, &["metadata", "creationTimestamp"]))
}

fn job_columns() -> Vec<Column> {
    vec![
        text("Status", |o, _| job_status(o).into()),
        text("Completions", |o, _| job_completions(o).into()),
        text("Duration", job_duration),
        Column::age(),
    ]
}

fn cron_job_columns() -> Vec<Column> {
    const TEMPLATE: [&str; 4] = ["spec", "jobTemplate", "spec", "template"];
    vec![
        text("Schedule", |o, _| field(o, &["spec", "schedule"])),
        text("Timezone", |o, _| field(o, &["spec", "timeZone"])),
        Column::computed("Suspend", "boolean", "", 0, |o, _| {
            capital_bool(meta::at(o, &["spec", "suspend"])).into()
        }),
        number("Active", |o, _| length(meta::at(o, &["status", "active"]))),
        text("Last Schedule", |o, now| match meta::str_at(o, &["status", "lastScheduleTime"]) {
            "" => "<none>".into(),
            at => age::since(at, now).into(),
        }),
        Column::age(),
        wide("Containers", |o, _| containers(o, &TEMPLATE, "name")),
        wide("Images", |o, _| containers(o, &TEMPLATE, "image")),
        wide("Selector", |o, _| selector(meta::at(o, &["spec", "jobTemplate", "spec", "selector"]))),
    ]
}

fn crd_columns() -> Vec<Column> {
    vec![
        text("Scope", |o, _| field(o, &["spec", "scope"])),
        text("Versions", |o, _| crd_versions(o).into()),
        created_at(),
        wide("Group", |o, _| field(o, &["spec", "group"])),
        wide("Kind", |o, _| field(o, &["spec", "names", "kind"])),
        wide("ShortNames", |o, _| {
            let names = meta::at(o, &["spec", "names", "shortNames"]).and_then(Value::as_array);
            let names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
            if names.is_empty() { "<none>".into() } else { names.join(",").into() }
        }),
        Column::computed("Established", "boolean", "", 1, |o, _| condition(o, "Established").into()),
    ]
}

fn webhook_columns() -> Vec<Column> {
    vec![number("Webhooks", |o, _| length(o.get("webhooks"))), Column::age()]
}

fn binding_columns() -> Vec<Column> {
    vec![
        text("Role", |o, _| {
            format!("{}/{}", meta::str_at(o, &["roleRef", "kind"]), meta::str_at(o, &["roleRef", "name"]))
                .into()
        }),
        Column::age(),
        wide("Users", |o, _| subjects(o, "User").into()),
        wide("Groups", |o, _| subjects(o, "Group").into()),
        wide("ServiceAccounts", |o, _| subjects(o, "ServiceAccount").into()),
    ]
}

fn subjects(binding: &Value, kind: &str) -> String {
    let list = binding.get("subjects").and_then(Value::as_array);
    let names: Vec<String> = list
        .into_iter()
        .flatten()
        .filter(|s| meta::str_at(s, &["kind"]) == kind)
        .map(|s| match meta::str_at(s, &["namespace"]) {
            "" => meta::str_at(s, &["name"]).to_owned(),
            namespace => format!("{namespace}/{}", meta::str_at(s, &["name"])),
        })
        .collect();
    names.join(", ")
}

/// The first addresses with their ports.
fn endpoints(object: &Value) -> String {
    /// More are counted only.
    const SHOWN: usize = 3;
    let array = |v: &Value, field: &str| v.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut all = Vec::new();
    for subset in array(object, "subsets") {
        for address in array(&subset, "addresses") {
            let ip = meta::str_at(&address, &["ip"]);
            let ports = array(&subset, "ports");
            all.extend(ports.iter().filter_map(|p| Some(format!("{ip}:{}", p.get("port")?.as_i64()?))));
            if ports.is_empty() {
                all.push(ip.to_owned());
            }
        }
    }
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    match (all.is_empty(), more) {
        (true, _) => "<none>".to_owned(),
        (_, 0) => all.join(","),
        (_, more) => format!("{} + {more} more...", all.join(",")),
    }
}

fn crd_versions(crd: &Value) -> String {
    let names: Vec<String> = crate::registry::custom::versions(crd)
        .map(|v| {
            let stored = v.get("storage").and_then(Value::as_bool).unwrap_or(false);
            format!("{}{}", meta::str_at(v, &["name"]), if stored { "(storage)" } else { "" })
        })
        .collect();
    names.join(",")
}

fn condition(object: &Value, kind: &str) -> bool {
    let list = meta::at(object, &["status", "conditions"]).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .any(|c| meta::str_at(c, &["type"]) == kind && meta::str_at(c, &["status"]) == "True")
}

/// The text at a path, or `<none>`.
pub fn field(object: &Value, path: &[&str]) -> Value {
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

fn capital_bool(value: Option<&Value>) -> &'static str {
    if value.and_then(Value::as_bool).unwrap_or(false) { "True" } else { "False" }
}

fn ratio(object: &Value, ready: &str) -> Value {
    let number = |path: &[&str]| meta::at(object, path).and_then(Value::as_i64).unwrap_or(0);
    format!("{}/{}", number(&["status", ready]), number(&["spec", "replicas"])).into()
}

fn containers(object: &Value, template: &[&str], what: &str) -> Value {
    let list = meta::at(object, &[template, &["spec", "containers"]].concat()).and_then(Value::as_array);
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
    if condition(job, "Complete") {
        "Complete"
    } else if condition(job, "Failed") {
        "Failed"
    } else if meta::is_deleting(job) {
        "Terminating"
    } else if condition(job, "Suspended") {
        "Suspended"
    } else if condition(job, "FailureTarget") {
        "FailureTarget"
    } else if condition(job, "SuccessCriteriaMet") {
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
