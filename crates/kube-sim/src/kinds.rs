//! What the real server knows about single built-in kinds: defaults, fields it
//! sets on creation, fields that may not change. `rest` calls these in the
//! order prepare → default → validate.

mod pod;
mod webhook;
mod workload;

use serde_json::{Map, Value};

use crate::error::Cause;
use crate::meta;
use crate::registry::{Resource, custom};

fn part<'a>(object: &'a mut Value, field: &str) -> Option<&'a mut Map<String, Value>> {
    Some(meta::object_mut(object.as_object_mut()?, field))
}

/// Sets what the server owns when an object is created.
pub fn prepare_create(resource: &Resource, object: &mut Value) {
    if !resource.is_builtin() {
        return;
    }
    if let Some(status) = workload::first_status(&resource.kind)
        && let Some(map) = object.as_object_mut()
    {
        map.insert("status".into(), status);
    }
    match resource.kind.as_str() {
        "Pod" => {
            let qos = pod::qos_class(object);
            if let Some(spec) = part(object, "spec") {
                pod::set_service_account(spec);
            }
            if let Some(status) = part(object, "status") {
                status.insert("phase".into(), "Pending".into());
                status.insert("qosClass".into(), qos.into());
            }
        }
        "Namespace" => {
            if let Some(spec) = part(object, "spec") {
                spec.insert("finalizers".into(), vec!["kubernetes"].into());
            }
            if let Some(status) = part(object, "status") {
                status.insert("phase".into(), "Active".into());
            }
        }
        "CustomResourceDefinition" => custom::accept(object),
        "Event" => {
            if let Some(map) = object.as_object_mut() {
                meta::default_to(map, "reportingComponent", "");
                meta::default_to(map, "reportingInstance", "");
            }
            part(object, "source");
        }
        "Job" => workload::prepare_job(object),
        "Service" => prepare_service(object),
        "Node" => {
            part(object, "spec");
        }
        _ => {}
    }
}

/// Sets what the server owns when an object is replaced by its main door.
pub fn prepare_update(resource: &Resource, object: &mut Value, old: &Value) {
    if !resource.is_builtin() {
        return;
    }
    match resource.kind.as_str() {
        "CustomResourceDefinition" => custom::establish(object, &meta::now_seconds()),
        // It has no source of its own, and shows that.
        "Event" => {
            part(object, "source");
        }
        "Namespace" => {
            // Only the finalize subresource may touch these.
            if let (Some(finalizers), Some(spec)) =
                (meta::at(old, &["spec", "finalizers"]).cloned(), part(object, "spec"))
            {
                spec.insert("finalizers".into(), finalizers);
            }
        }
        "Service" => {
            let (ip, ips) = (
                meta::at(old, &["spec", "clusterIP"]).cloned(),
                meta::at(old, &["spec", "clusterIPs"]).cloned(),
            );
            if let Some(spec) = part(object, "spec") {
                for (field, value) in [("clusterIP", ip), ("clusterIPs", ips)] {
                    if let Some(value) = value {
                        meta::default_to(spec, field, value);
                    }
                }
            }
        }
        _ => {}
    }
}

/// Fills in the defaults that controllers and kubelets rely on.
pub fn default(resource: &Resource, object: &mut Value) {
    if !resource.is_builtin() {
        return;
    }
    match resource.kind.as_str() {
        "Secret" => {
            fold_string_data(object);
            if let Some(map) = object.as_object_mut() {
                meta::default_to(map, "type", "Opaque");
            }
        }
        "CustomResourceDefinition" => custom::default_crd(object),
        kind @ ("MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration") => {
            webhook::default(kind, object);
        }
        "Namespace" => {
            let name = meta::name(object).to_owned();
            let labels = meta::object_mut(meta::metadata_mut(object), "labels");
            labels.insert("kubernetes.io/metadata.name".into(), name.into());
        }
        _ => {}
    }
    if resource.kind == "Job" {
        workload::default_job_labels(object);
    }
    if resource.kind == "Pod"
        && let Some(status) = object.get_mut("status").and_then(Value::as_object_mut)
    {
        pod::default_status(status);
    }
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    match resource.kind.as_str() {
        "Pod" => {
            pod::default_spec(spec);
            pod::default_pod(spec);
        }
        "Job" => workload::default_job(spec),
        "CronJob" => workload::default_cron_job(spec),
        "Deployment" => workload::default_deployment(spec),
        "ReplicaSet" => workload::default_replica_set(spec),
        "StatefulSet" => workload::default_stateful_set(spec),
        "DaemonSet" => workload::default_daemon_set(spec),
        "Service" => default_service(spec),
        _ => {}
    }
}

/// Problems that the schema cannot express. `old` is the stored object on
/// update.
pub fn problems(resource: &Resource, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    if !resource.is_builtin() {
        return Vec::new();
    }
    match resource.kind.as_str() {
        "Pod" => match old {
            None => pod::problems(object.get("spec"), "spec", pod::RestartRule::Any),
            Some(old) => pod::update_problems(object, old),
        },
        "Job" | "CronJob" | "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => {
            workload::problems(&resource.kind, object, old)
        }
        "CustomResourceDefinition" => custom::problems(object),
        "Secret" | "ConfigMap" => immutable_problems(object, old),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => webhook::problems(object),
        _ => Vec::new(),
    }
}

fn immutable_problems(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let Some(old) = old.filter(|o| o.get("immutable").and_then(Value::as_bool) == Some(true)) else {
        return Vec::new();
    };
    ["data", "binaryData"]
        .into_iter()
        .filter(|field| old.get(*field) != object.get(*field))
        .map(|field| Cause::forbidden(field, "field is immutable when `immutable` is set"))
        .collect()
}

fn fold_string_data(object: &mut Value) {
    use base64::Engine as _;
    let Some(map) = object.as_object_mut() else { return };
    let Some(Value::Object(strings)) = map.remove("stringData") else { return };
    let data = meta::object_mut(map, "data");
    for (key, value) in strings {
        let text = value.as_str().unwrap_or_default();
        data.insert(key, base64::engine::general_purpose::STANDARD.encode(text).into());
    }
}

fn default_service(spec: &mut Map<String, Value>) {
    meta::default_to(spec, "type", "ClusterIP");
    meta::default_to(spec, "sessionAffinity", "None");
    meta::default_to(spec, "internalTrafficPolicy", "Cluster");
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            meta::default_to(port, "protocol", "TCP");
            if let Some(number) = port.get("port").cloned() {
                meta::default_to(port, "targetPort", number);
            }
        }
    }
}

fn prepare_service(object: &mut Value) {
    let Some(spec) = part(object, "spec") else { return };
    if spec.get("type").and_then(Value::as_str) == Some("ExternalName") {
        return;
    }
    // Nothing routes to it; it only has to look like one.
    let ip = format!("10.96.{}.{}", fastrand::u8(..), fastrand::u8(1..255));
    meta::default_to(spec, "clusterIP", ip);
    if let Some(ip) = spec.get("clusterIP").cloned() {
        meta::default_to(spec, "clusterIPs", vec![ip]);
    }
    meta::default_to(spec, "ipFamilies", vec!["IPv4"]);
    meta::default_to(spec, "ipFamilyPolicy", "SingleStack");
    if let Some(status) = part(object, "status") {
        status.insert("loadBalancer".into(), Value::Object(Map::new()));
    }
}
