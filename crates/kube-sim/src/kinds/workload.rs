//! Jobs, Deployments and the other owners of pods: defaults, what the server
//! sets on creation, validation.

use serde_json::{Map, Value, json};

use super::pod::{self, RestartRule};
use crate::error::Cause;
use crate::meta::{self, default_to, object_mut};
use crate::selector::label_selector_matches;

fn default_template(spec: &mut Map<String, Value>) {
    if let Some(template) = spec.get_mut("template").and_then(Value::as_object_mut) {
        pod::default_spec(object_mut(template, "spec"));
    }
}

/// Source: Kubernetes API reference, JobSpec.
pub fn default_job(spec: &mut Map<String, Value>) {
    // Without both, one pod has to succeed; with parallelism only, it is a
    // work queue and completions stay unset.
    if spec.get("completions").is_none() && spec.get("parallelism").is_none() {
        spec.insert("completions".into(), 1.into());
    }
    default_to(spec, "parallelism", 1);
    default_to(spec, "backoffLimit", 6);
    default_to(spec, "completionMode", "NonIndexed");
    default_to(spec, "suspend", false);
    default_to(spec, "manualSelector", false);
    default_to(spec, "podReplacementPolicy", "TerminatingOrFailed");
    default_template(spec);
}

/// A job without labels has those of its template.
pub fn default_job_labels(job: &mut Value) {
    let labels = meta::at(job, &["spec", "template", "metadata", "labels"]).cloned();
    if let Some(labels) = labels.filter(|l| l.as_object().is_some_and(|l| !l.is_empty())) {
        default_to(meta::metadata_mut(job), "labels", labels);
    }
}

/// What the status of a new object shows, for kinds that always show one.
pub fn first_status(kind: &str) -> Option<Value> {
    Some(match kind {
        "Deployment" | "Job" | "CronJob" => json!({}),
        "ReplicaSet" => json!({"replicas": 0}),
        "StatefulSet" => json!({"replicas": 0, "availableReplicas": 0}),
        "DaemonSet" => {
            json!({"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0})
        }
        _ => return None,
    })
}

/// Source: Kubernetes API reference, CronJobSpec.
pub fn default_cron_job(spec: &mut Map<String, Value>) {
    default_to(spec, "concurrencyPolicy", "Allow");
    default_to(spec, "suspend", false);
    default_to(spec, "successfulJobsHistoryLimit", 3);
    default_to(spec, "failedJobsHistoryLimit", 1);
    if let Some(job) =
        spec.get_mut("jobTemplate").and_then(|t| t.get_mut("spec")).and_then(Value::as_object_mut)
    {
        default_template(job);
    }
}

/// Source: Kubernetes API reference, DeploymentSpec.
pub fn default_deployment(spec: &mut Map<String, Value>) {
    default_to(spec, "replicas", 1);
    default_to(spec, "revisionHistoryLimit", 10);
    default_to(spec, "progressDeadlineSeconds", 600);
    let strategy = object_mut(spec, "strategy");
    default_to(strategy, "type", "RollingUpdate");
    if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
        let rolling = object_mut(strategy, "rollingUpdate");
        default_to(rolling, "maxUnavailable", "25%");
        default_to(rolling, "maxSurge", "25%");
    }
    default_template(spec);
}

/// Source: Kubernetes API reference, ReplicaSetSpec.
pub fn default_replica_set(spec: &mut Map<String, Value>) {
    default_to(spec, "replicas", 1);
    default_template(spec);
}

/// Source: Kubernetes API reference, StatefulSetSpec.
pub fn default_stateful_set(spec: &mut Map<String, Value>) {
    default_to(spec, "replicas", 1);
    default_to(spec, "podManagementPolicy", "OrderedReady");
    default_to(spec, "revisionHistoryLimit", 10);
    default_to(
        spec,
        "updateStrategy",
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}}),
    );
    let retention = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
    default_to(spec, "persistentVolumeClaimRetentionPolicy", retention);
    default_template(spec);
}

/// Source: Kubernetes API reference, DaemonSetSpec.
pub fn default_daemon_set(spec: &mut Map<String, Value>) {
    default_to(spec, "revisionHistoryLimit", 10);
    default_to(
        spec,
        "updateStrategy",
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}),
    );
    default_template(spec);
}

/// Gives a job its selector and the labels of its pods, unless the user
/// manages them.
pub fn prepare_job(job: &mut Value) {
    let (uid, name) = (meta::uid(job).to_owned(), meta::name(job).to_owned());
    let Some(spec) = job.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if spec.get("manualSelector").and_then(Value::as_bool) == Some(true) {
        return;
    }
    let template = object_mut(spec, "template");
    let labels = object_mut(object_mut(template, "metadata"), "labels");
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels.insert(key.to_owned(), value.as_str().into());
    }
    let selector = object_mut(spec, "selector");
    object_mut(selector, "matchLabels").insert("batch.kubernetes.io/controller-uid".into(), uid.into());
}

/// Problems of a workload beyond its schema.
pub fn problems(kind: &str, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut out = Vec::new();
    for field in ["replicas", "parallelism", "completions", "backoffLimit"] {
        if let Some(number) = meta::at(object, &["spec", field]).filter(|n| n.as_i64().is_some_and(|n| n < 0))
        {
            out.push(Cause::invalid(format!("spec.{field}"), number, "must be greater than or equal to 0"));
        }
    }
    if !matches!(kind, "Job" | "CronJob") {
        selector_problems(object, &mut out);
    }
    let (template_path, restart): (&[&str], _) = match kind {
        "Job" => (&["spec", "template"], RestartRule::Job),
        "CronJob" => (&["spec", "jobTemplate", "spec", "template"], RestartRule::Job),
        _ => (&["spec", "template"], RestartRule::Always),
    };
    if let Some(template) = meta::at(object, template_path) {
        let path = format!("{}.spec", template_path.join("."));
        out.extend(pod::problems(template.get("spec"), &path, restart));
    }
    if let Some(old) = old {
        for path in immutable(kind, old) {
            if meta::at(object, path) != meta::at(old, path) {
                let value = meta::at(object, path).cloned().unwrap_or_default();
                out.push(Cause::invalid(path.join("."), &value, "field is immutable"));
            }
        }
    }
    out
}

fn immutable(kind: &str, old: &Value) -> Vec<&'static [&'static str]> {
    match kind {
        "Job" => {
            let suspended = meta::at(old, &["spec", "suspend"]).and_then(Value::as_bool) == Some(true);
            let mut paths: Vec<&'static [&'static str]> =
                vec![&["spec", "selector"], &["spec", "completions"], &["spec", "completionMode"]];
            if !suspended {
                paths.push(&["spec", "template"]);
            }
            paths
        }
        "CronJob" => Vec::new(),
        _ => vec![&["spec", "selector"]],
    }
}

fn selector_problems(object: &Value, out: &mut Vec<Cause>) {
    let labels = meta::at(object, &["spec", "template", "metadata", "labels"]);
    let mismatch = || {
        let detail = "`selector` does not match template `labels`";
        Cause::invalid("spec.template.metadata.labels", labels.unwrap_or(&Value::Null), detail)
    };
    let Some(selector) = meta::at(object, &["spec", "selector"]) else {
        out.push(Cause::required("spec.selector", ""));
        out.push(mismatch());
        return;
    };
    if selector.as_object().is_none_or(Map::is_empty) {
        out.push(Cause::invalid("spec.selector", selector, "empty selector is invalid for deployment"));
        return;
    }
    if !label_selector_matches(selector, labels.unwrap_or(&Value::Null)) {
        out.push(mismatch());
    }
}
