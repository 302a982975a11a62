//! Pods and pod templates: defaults, validation, what may change.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::error::Cause;
use crate::meta::{self, default_to};

/// Source: Kubernetes API reference, PodSpec.
const TERMINATION_GRACE_PERIOD_SECONDS: i64 = 30;

/// Fills in the defaults of a pod specification.
pub fn default_spec(spec: &mut Map<String, Value>) {
    default_to(spec, "restartPolicy", "Always");
    default_to(spec, "terminationGracePeriodSeconds", TERMINATION_GRACE_PERIOD_SECONDS);
    default_to(spec, "dnsPolicy", "ClusterFirst");
    default_to(spec, "securityContext", json!({}));
    default_to(spec, "schedulerName", "default-scheduler");
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                default_container(container);
            }
        }
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(volume) = volume.as_object_mut() {
            default_volume(volume);
        }
    }
}

/// Sets what the admission of service accounts sets; no token is mounted.
pub fn set_service_account(spec: &mut Map<String, Value>) {
    default_to(spec, "serviceAccountName", "default");
    if let Some(name) = spec.get("serviceAccountName").cloned() {
        spec.insert("serviceAccount".into(), name);
    }
}

/// Keeps the single and the plural form of the pod's address in step.
pub fn default_status(status: &mut Map<String, Value>) {
    for (one, many) in [("podIP", "podIPs"), ("hostIP", "hostIPs")] {
        match status.get(one).and_then(Value::as_str).map(str::to_owned) {
            Some(ip) if !ip.is_empty() => default_to(status, many, json!([{"ip": ip}])),
            _ => {}
        }
    }
}

fn default_container(container: &mut Map<String, Value>) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    let floating = !last.contains('@') && (!last.contains(':') || last.ends_with(":latest"));
    default_to(container, "imagePullPolicy", if floating { "Always" } else { "IfNotPresent" });
    default_to(container, "terminationMessagePath", "/dev/termination-log");
    default_to(container, "terminationMessagePolicy", "File");
    default_to(container, "resources", json!({}));
    text_quantities(container);
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            default_to(port, "protocol", "TCP");
        }
    }
    for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        let field =
            variable.get_mut("valueFrom").and_then(|v| v.get_mut("fieldRef")).and_then(Value::as_object_mut);
        if let Some(field) = field {
            default_to(field, "apiVersion", "v1");
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe).and_then(Value::as_object_mut) {
            default_probe(probe);
        }
    }
    if let Some(lifecycle) = container.get_mut("lifecycle").and_then(Value::as_object_mut) {
        for handler in ["postStart", "preStop"] {
            if let Some(http) =
                lifecycle.get_mut(handler).and_then(|h| h.get_mut("httpGet")).and_then(Value::as_object_mut)
            {
                default_http(http);
            }
        }
    }
}

/// Quantities are strings, even where a number was given.
fn text_quantities(container: &mut Map<String, Value>) {
    let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut) else { return };
    for list in ["limits", "requests"] {
        for amount in
            resources.get_mut(list).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
        {
            if amount.is_number() {
                *amount = amount.to_string().into();
            }
        }
    }
}

/// What only pods get, not templates: requests that are not given are equal to
/// the limits, and services are visible in the environment.
pub fn default_pod(spec: &mut Map<String, Value>) {
    default_to(spec, "enableServiceLinks", true);
    for container in spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(container) = container.as_object_mut() {
            default_requests(container);
        }
    }
}

fn default_requests(container: &mut Map<String, Value>) {
    let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut) else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { return };
    let requests = meta::object_mut(resources, "requests");
    for (name, amount) in limits {
        default_to(requests, &name, amount);
    }
}

fn default_probe(probe: &mut Map<String, Value>) {
    default_to(probe, "timeoutSeconds", 1);
    default_to(probe, "periodSeconds", 10);
    default_to(probe, "successThreshold", 1);
    default_to(probe, "failureThreshold", 3);
    if let Some(http) = probe.get_mut("httpGet").and_then(Value::as_object_mut) {
        default_http(http);
    }
}

fn default_http(http: &mut Map<String, Value>) {
    default_to(http, "path", "/");
    default_to(http, "scheme", "HTTP");
}

fn default_volume(volume: &mut Map<String, Value>) {
    /// `defaultMode` of files in volumes, 0644.
    const FILE_MODE: i64 = 0o644;
    if volume.keys().all(|k| k == "name") {
        volume.insert("emptyDir".into(), json!({}));
    }
    for source in ["configMap", "secret", "downwardAPI", "projected"] {
        if let Some(source) = volume.get_mut(source).and_then(Value::as_object_mut) {
            default_to(source, "defaultMode", FILE_MODE);
        }
    }
    let items = volume.get_mut("downwardAPI").and_then(|d| d.get_mut("items")).and_then(Value::as_array_mut);
    for item in items.into_iter().flatten() {
        if let Some(field) = item.get_mut("fieldRef").and_then(Value::as_object_mut) {
            default_to(field, "apiVersion", "v1");
        }
    }
    if let Some(path) = volume.get_mut("hostPath").and_then(Value::as_object_mut) {
        default_to(path, "type", "");
    }
}

/// The quality-of-service class, from requests and limits of all containers.
pub fn qos_class(pod: &Value) -> &'static str {
    let containers = meta::at(pod, &["spec", "containers"]).and_then(Value::as_array);
    let amounts = |c: &Value, kind: &str, name: &str| meta::at(c, &["resources", kind, name]).cloned();
    let all: Vec<&Value> = containers.into_iter().flatten().collect();
    let any = all.iter().any(|c| {
        ["requests", "limits"].iter().any(|k| ["cpu", "memory"].iter().any(|n| amounts(c, k, n).is_some()))
    });
    let guaranteed = !all.is_empty()
        && all.iter().all(|c| {
            ["cpu", "memory"].iter().all(|n| {
                let limit = amounts(c, "limits", n);
                let request = amounts(c, "requests", n);
                limit.is_some() && (request.is_none() || request == limit)
            })
        });
    match (any, guaranteed) {
        (_, true) => "Guaranteed",
        (true, false) => "Burstable",
        (false, false) => "BestEffort",
    }
}

/// Which restart policies a pod specification may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartRule {
    /// A bare pod: all of them.
    Any,
    /// The template of a long-running workload: `Always`.
    Always,
    /// The template of a job: `OnFailure` or `Never`.
    Job,
}

/// Problems of a pod specification beyond its schema.
pub fn problems(spec: Option<&Value>, path: &str, restart: RestartRule) -> Vec<Cause> {
    let mut out = Vec::new();
    let Some(spec) = spec else { return vec![Cause::required(path, "")] };
    restart_problems(spec, path, restart, &mut out);
    let volumes: BTreeSet<&str> = items(spec, "volumes").map(|v| meta::str_at(v, &["name"])).collect();
    check_names(spec, "volumes", path, &mut out);
    let mut names = BTreeSet::new();
    for list in ["initContainers", "containers"] {
        for (index, container) in items(spec, list).enumerate() {
            let path = format!("{path}.{list}[{index}]");
            let name = meta::str_at(container, &["name"]);
            check_label(name, &format!("{path}.name"), &mut out);
            if !name.is_empty() && !names.insert(name) {
                out.push(Cause::duplicate(format!("{path}.name"), &name.into()));
            }
            container_problems(container, &path, &volumes, &mut out);
        }
    }
    if items(spec, "containers").next().is_none() {
        out.push(Cause::required(format!("{path}.containers"), ""));
    }
    out
}

fn restart_problems(spec: &Value, path: &str, restart: RestartRule, out: &mut Vec<Cause>) {
    let policy = meta::str_at(spec, &["restartPolicy"]);
    let path = format!("{path}.restartPolicy");
    let not_among = |allowed: &[&str]| {
        let names: Vec<String> = allowed.iter().map(|s| (*s).to_owned()).collect();
        Cause::not_supported(path.clone(), &policy.into(), &names)
    };
    let all = ["Always", "OnFailure", "Never"];
    if !all.contains(&policy) {
        out.push(not_among(&all));
    }
    match (restart, policy) {
        (RestartRule::Always, "OnFailure" | "Never") => out.push(not_among(&["Always"])),
        // Also what a template without a policy comes to.
        (RestartRule::Job, "Always") => {
            out.push(Cause::required(path, "valid values: \"OnFailure\", \"Never\""));
        }
        (RestartRule::Job, policy) if !all.contains(&policy) => out.push(not_among(&["OnFailure", "Never"])),
        _ => {}
    }
}

fn items<'a>(spec: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    spec.get(list).and_then(Value::as_array).into_iter().flatten()
}

fn check_names(spec: &Value, list: &str, path: &str, out: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (index, item) in items(spec, list).enumerate() {
        let name = meta::str_at(item, &["name"]);
        let path = format!("{path}.{list}[{index}].name");
        check_label(name, &path, out);
        if !name.is_empty() && !seen.insert(name) {
            out.push(Cause::duplicate(path, &name.into()));
        }
    }
}

fn check_label(name: &str, path: &str, out: &mut Vec<Cause>) {
    if name.is_empty() {
        out.push(Cause::required(path, ""));
    } else if !crate::names::is_dns_label(name) {
        out.push(Cause::invalid(path, &name.into(), crate::names::DNS_LABEL_RULE));
    }
}

fn container_problems(container: &Value, path: &str, volumes: &BTreeSet<&str>, out: &mut Vec<Cause>) {
    if meta::str_at(container, &["image"]).is_empty() {
        out.push(Cause::required(format!("{path}.image"), ""));
    }
    for (index, port) in items(container, "ports").enumerate() {
        for field in ["containerPort", "hostPort"] {
            let Some(number) =
                port.get(field).filter(|n| !n.as_i64().is_some_and(|n| (1..=65535).contains(&n)))
            else {
                continue;
            };
            let detail = "must be between 1 and 65535, inclusive";
            out.push(Cause::invalid(format!("{path}.ports[{index}].{field}"), number, detail));
        }
    }
    let mut mounted = BTreeSet::new();
    for (index, mount) in items(container, "volumeMounts").enumerate() {
        let path = format!("{path}.volumeMounts[{index}]");
        let name = meta::str_at(mount, &["name"]);
        if !volumes.contains(name) {
            out.push(Cause::not_found(format!("{path}.name"), &name.into()));
        }
        let target = meta::str_at(mount, &["mountPath"]);
        if target.is_empty() {
            out.push(Cause::required(format!("{path}.mountPath"), ""));
        } else if !mounted.insert(target) {
            out.push(Cause::invalid(format!("{path}.mountPath"), &target.into(), "must be unique"));
        }
    }
    for (index, variable) in items(container, "env").enumerate() {
        let path = format!("{path}.env[{index}]");
        if meta::str_at(variable, &["name"]).is_empty() {
            out.push(Cause::required(format!("{path}.name"), ""));
        }
        let from = variable.get("valueFrom").and_then(Value::as_object);
        if from.is_some() && !meta::str_at(variable, &["value"]).is_empty() {
            let detail = "may not be specified when `value` is not empty";
            out.push(Cause::invalid(format!("{path}.valueFrom"), &"".into(), detail));
        } else if let Some(from) = from {
            value_from_problems(from, &format!("{path}.valueFrom"), out);
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(value) = container.get(probe) else { continue };
        let handlers =
            ["exec", "httpGet", "tcpSocket", "grpc"].iter().filter(|h| value.get(**h).is_some()).count();
        if handlers != 1 {
            let detail = if handlers == 0 {
                "must specify a handler type"
            } else {
                "may not specify more than 1 handler type"
            };
            out.push(Cause::required(format!("{path}.{probe}"), detail));
        }
        let successes = value.get("successThreshold").and_then(Value::as_i64).unwrap_or(1);
        if probe != "readinessProbe" && successes != 1 {
            out.push(Cause::invalid(
                format!("{path}.{probe}.successThreshold"),
                &successes.into(),
                "must be 1",
            ));
        }
    }
}

fn value_from_problems(from: &Map<String, Value>, path: &str, out: &mut Vec<Cause>) {
    if from.is_empty() {
        let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        out.push(Cause::invalid(path, &"".into(), detail));
    }
    if from.len() > 1 {
        out.push(Cause::invalid(path, &"".into(), "may not have more than one field specified at a time"));
    }
    let Some(field) = from.get("fieldRef").map(|f| meta::str_at(f, &["fieldPath"])) else { return };
    let by_key =
        |name: &str| field.strip_prefix(name).is_some_and(|k| k.starts_with("['") && k.ends_with("']"));
    if field.is_empty() {
        out.push(Cause::required(format!("{path}.fieldRef.fieldPath"), ""));
    } else if !FIELD_PATHS.contains(&field) && !by_key("metadata.labels") && !by_key("metadata.annotations") {
        let detail = format!("error converting fieldPath: field label not supported: {field}");
        out.push(Cause::invalid(format!("{path}.fieldRef.fieldPath"), &field.into(), &detail));
    }
}

/// What environment variables can take from the pod. Source: Kubernetes API
/// reference, EnvVarSource.
const FIELD_PATHS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// A pod's specification may only change in a few fields.
pub fn update_problems(new: &Value, old: &Value) -> Vec<Cause> {
    let frozen = |pod: &Value| {
        let mut spec = pod.get("spec").cloned().unwrap_or_default();
        if let Some(map) = spec.as_object_mut() {
            for field in [
                "activeDeadlineSeconds",
                "tolerations",
                "terminationGracePeriodSeconds",
                "schedulingGates",
                "ephemeralContainers",
            ] {
                map.remove(field);
            }
            for list in ["containers", "initContainers"] {
                for container in map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                    if let Some(container) = container.as_object_mut() {
                        container.remove("image");
                        container.remove("resources");
                        // Follows the image when it was defaulted.
                        container.remove("imagePullPolicy");
                    }
                }
            }
        }
        spec
    };
    if frozen(new) == frozen(old) {
        return Vec::new();
    }
    let detail = "pod updates may not change fields other than `spec.containers[*].image`,\
        `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
        tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    vec![Cause::forbidden("spec", detail)]
}
