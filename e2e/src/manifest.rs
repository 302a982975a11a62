//! Changes a scenario makes to a manifest before it applies it: counts, names, probe times.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::api::DynamicObject;
use serde_json::{Value, json};

/// The container of the example that writes the logs.
pub const WRITER: &str = "nginx-log-demo";
/// The sidecar of the example that collects them.
pub const SIDECAR: &str = "logtail";

/// What a run changes in the example's pods; everything else stays as in the manifest.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// Run id in every line; `None` lets the writer choose one.
    pub run: Option<String>,
    /// Lines of each log; `None` leaves the manifest's number.
    pub total_count: Option<u64>,
    pub logs_per_sec: u32,
    /// Liveness probe: first after and every so many seconds; `None` leaves the document's 30 and 30.
    pub probe_seconds: Option<u32>,
    /// How long the Log Service may be away. A pod that is told to stop meanwhile goes with its
    /// volume when its grace period is over, so it must get that much more of it.
    pub outage: Option<Duration>,
}

/// Grace period of a pod and drain of its sidecar beyond an outage: the defaults of Kubernetes (30 s)
/// and of the collector (20 s).
const POD_GRACE: Duration = Duration::from_secs(30);
const DRAIN: Duration = Duration::from_secs(20);

/// Applies `tuning` to the pod template of a Job or Deployment. Returns what differs from the manifest
/// afterwards, for people.
///
/// # Errors
/// The object has no such template or containers.
pub fn tune(object: &mut DynamicObject, tuning: &Tuning) -> Result<Vec<String>> {
    let mut changes = Vec::new();
    let containers = containers(object)?;
    let args = container(containers, WRITER)?["args"].as_array_mut().context("the writer has no args")?;
    let run = tuning.run.clone().map(|run| ("--run-id", run));
    let count = tuning.total_count.map(|count| ("--total-count", count.to_string()));
    let rate = ("--logs-per-sec", tuning.logs_per_sec.to_string());
    for (flag, value) in run.into_iter().chain([rate]).chain(count) {
        changes.extend(set_flag(args, flag, &value));
    }
    if let Some(seconds) = tuning.probe_seconds {
        let probe = &mut container(containers, SIDECAR)?["livenessProbe"];
        for key in ["initialDelaySeconds", "periodSeconds"] {
            if probe[key] != seconds {
                changes.push(format!("livenessProbe {key}: {seconds} instead of {}", probe[key]));
                probe[key] = json!(seconds);
            }
        }
    }
    if let Some(outage) = tuning.outage {
        let drain = (outage + DRAIN).as_millis().to_string();
        set_sidecar_env(object, "exit_flushout_duration", &drain)?;
        let grace = (outage + POD_GRACE).as_secs();
        object.data["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(grace);
        changes.push(format!("exit_flushout_duration: {drain}, terminationGracePeriodSeconds: {grace}"));
    }
    Ok(changes)
}

/// Seconds between liveness probes of the sidecar, and before the first.
///
/// # Errors
/// The object has no such container or probe.
pub fn probe_seconds(object: &mut DynamicObject) -> Result<u32> {
    let probe = &container(containers(object)?, SIDECAR)?["livenessProbe"];
    let seconds =
        |key: &str| probe[key].as_u64().with_context(|| format!("the sidecar's probe has no {key}"));
    Ok(u32::try_from(seconds("initialDelaySeconds")?.max(seconds("periodSeconds")?))?)
}

/// Gives the sidecar the resources of the document's template.
///
/// # Errors
/// The object has no such container.
pub fn set_document_resources(object: &mut DynamicObject) -> Result<()> {
    container(containers(object)?, SIDECAR)?["resources"] =
        json!({"limits": {"memory": "512Mi"}, "requests": {"cpu": "10m", "memory": "30Mi"}});
    Ok(())
}

/// Gives the sidecar a volume of its own for its read positions, so that they outlive its container.
///
/// # Errors
/// The object has no such container or no volumes.
pub fn keep_sidecar_state(object: &mut DynamicObject) -> Result<()> {
    const NAME: &str = "logtail-state";
    const PATH: &str = "/var/lib/logtail";
    set_sidecar_env(object, "ALIYUN_LOGTAIL_CHECK_POINT_PATH", PATH)?;
    let volumes = object.data["spec"]["template"]["spec"]["volumes"].as_array_mut();
    volumes.context("the object has no volumes")?.push(json!({"name": NAME, "emptyDir": {}}));
    let mounts = container(containers(object)?, SIDECAR)?["volumeMounts"].as_array_mut();
    mounts.context("the sidecar has no volumeMounts")?.push(json!({"name": NAME, "mountPath": PATH}));
    Ok(())
}

/// Sets a flag of the writer.
///
/// # Errors
/// The object has no such container.
pub fn set_writer_flag(object: &mut DynamicObject, flag: &str, value: &str) -> Result<()> {
    let args = container(containers(object)?, WRITER)?["args"].as_array_mut();
    set_flag(args.context("the writer has no args")?, flag, value);
    Ok(())
}

/// A bare Pod made of the object's pod template.
///
/// # Errors
/// The object has no template, or what comes out is not an object.
pub fn bare_pod(object: &DynamicObject, name: &str) -> Result<DynamicObject> {
    let template = object.data.pointer("/spec/template").context("the object has no spec.template")?;
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    });
    serde_json::from_value(pod).context("the template makes no Pod")
}

/// Sets an environment variable of the sidecar.
///
/// # Errors
/// The object has no such container.
pub fn set_sidecar_env(object: &mut DynamicObject, name: &str, value: &str) -> Result<()> {
    let env = container(containers(object)?, SIDECAR)?["env"].as_array_mut();
    let env = env.context("the sidecar has no env")?;
    env.retain(|entry| entry["name"] != name);
    env.push(json!({"name": name, "value": value}));
    Ok(())
}

/// Sets an environment variable of the sidecar to a label of its pod.
///
/// # Errors
/// The object has no such container.
pub fn set_sidecar_env_from_label(object: &mut DynamicObject, name: &str, label: &str) -> Result<()> {
    set_sidecar_env(object, name, "")?;
    let env = container(containers(object)?, SIDECAR)?["env"].as_array_mut();
    let entry = env.and_then(|env| env.last_mut()).context("the sidecar has no env")?;
    let field = format!("metadata.labels['{label}']");
    *entry = json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": field}}});
    Ok(())
}

/// Takes the sidecar away, and the directory that the writer shares with it. Returns its image.
///
/// # Errors
/// The object has no such containers.
pub fn without_sidecar(object: &mut DynamicObject) -> Result<String> {
    let containers = containers(object)?;
    let image =
        container(containers, SIDECAR)?["image"].as_str().context("the sidecar has no image")?.to_owned();
    containers.retain(|container| container["name"] != SIDECAR);
    container(containers, WRITER)?.as_object_mut().context("the writer is no object")?.remove("volumeMounts");
    let spec = object.data["spec"]["template"]["spec"].as_object_mut();
    spec.context("the object has no spec.template.spec")?.remove("volumes");
    Ok(image)
}

/// Labels the object's pods.
///
/// # Errors
/// The object has no template.
pub fn set_pod_label(object: &mut DynamicObject, label: &str, value: &str) -> Result<()> {
    let template =
        object.data["spec"]["template"].as_object_mut().context("the object has no spec.template")?;
    let metadata = template.entry("metadata").or_insert_with(|| json!({}));
    metadata["labels"][label] = json!(value);
    Ok(())
}

/// Keeps the nodes from pulling images that were loaded into them: where the tag is `latest` and the
/// manifest is silent, Kubernetes would. Returns what was changed, if anything was.
pub fn use_loaded_images(object: &mut DynamicObject) -> Option<String> {
    let of_a_pod = object.types.as_ref().is_some_and(|types| types.kind == "Pod");
    let path = if of_a_pod { "/spec" } else { "/spec/template/spec" };
    let mut changed = Vec::new();
    for list in ["initContainers", "containers"] {
        let containers = object.data.pointer_mut(&format!("{path}/{list}")).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter(|c| c["imagePullPolicy"].is_null()) {
            container["imagePullPolicy"] = json!("IfNotPresent");
            changed.push(container["name"].as_str().unwrap_or_default().to_owned());
        }
    }
    let name = object.metadata.name.as_deref().unwrap_or_default();
    (!changed.is_empty())
        .then(|| format!("{name}: imagePullPolicy: IfNotPresent added to {}", changed.join(" and ")))
}

/// Images of the containers in the object's pod template.
pub fn images(object: &DynamicObject) -> Vec<(String, String)> {
    let containers = object.data.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    containers.into_iter().flatten().map(|c| (text(&c["name"]), text(&c["image"]))).collect()
}

fn containers(object: &mut DynamicObject) -> Result<&mut Vec<Value>> {
    object.data["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .context("the object has no spec.template.spec.containers")
}

fn container<'a>(containers: &'a mut [Value], name: &str) -> Result<&'a mut Value> {
    containers.iter_mut().find(|c| c["name"] == name).with_context(|| format!("no container {name}"))
}

/// Sets the flag. Returns the change, if it is one.
fn set_flag(args: &mut Vec<Value>, flag: &str, value: &str) -> Option<String> {
    let prefix = format!("{flag}=");
    let is_flag = |arg: &Value| arg.as_str().is_some_and(|text| text.starts_with(&prefix));
    let new = json!(format!("{prefix}{value}"));
    let old = args.iter().find(|arg| is_flag(arg)).cloned();
    if old.as_ref() == Some(&new) {
        return None;
    }
    args.retain(|arg| !is_flag(arg));
    args.push(new);
    let old = old.as_ref().and_then(Value::as_str).map_or("nothing", |text| &text[prefix.len()..]);
    Some(format!("{prefix}{value} instead of {old}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuning_changes_the_flags_and_the_probe_and_nothing_else() {
        let mut job = crate::kubernetes::parse(fixtures::repaired::SIDECAR_JOB).expect("the job");
        let before = job.data.clone();
        let tuning = Tuning {
            run: Some("r".into()),
            total_count: Some(5),
            logs_per_sec: 50,
            probe_seconds: Some(1),
            outage: None,
        };
        let changes = tune(&mut job, &tuning).expect("tuned");
        assert_eq!(
            changes,
            [
                "--run-id=r instead of nothing",
                "--logs-per-sec=50 instead of 100",
                "--total-count=5 instead of 1000",
                "livenessProbe initialDelaySeconds: 1 instead of 30",
                "livenessProbe periodSeconds: 1 instead of 30",
            ]
        );
        assert_eq!(probe_seconds(&mut job).expect("a probe"), 1);
        set_sidecar_env(&mut job, "ALIYUN_LOGTAIL_USER_ID", "1").expect("env");
        let spec = &job.data["spec"]["template"]["spec"];
        let args: Vec<&str> = spec["containers"][0]["args"]
            .as_array()
            .expect("args")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert!(args.contains(&"--total-count=5") && args.contains(&"--run-id=r"));
        assert_eq!(args.iter().filter(|a| a.starts_with("--logs-per-sec=")).count(), 1);
        assert_eq!(spec["containers"][1]["livenessProbe"]["periodSeconds"], 1);
        assert_eq!(spec["volumes"], before["spec"]["template"]["spec"]["volumes"]);
        assert!(spec["terminationGracePeriodSeconds"].is_null());
    }

    #[test]
    fn values_that_are_the_manifests_own_are_no_change() {
        let mut job = crate::kubernetes::parse(fixtures::repaired::SIDECAR_JOB).expect("the job");
        let before = job.data.clone();
        let tuning = Tuning {
            run: None,
            total_count: Some(1000),
            logs_per_sec: 100,
            probe_seconds: None,
            outage: None,
        };
        assert!(tune(&mut job, &tuning).expect("tuned").is_empty());
        assert_eq!(job.data, before);
    }

    #[test]
    fn a_bare_pod_is_the_template_under_a_name() {
        let deployment = crate::kubernetes::parse(fixtures::repaired::SIDECAR_DEPLOYMENT).expect("parsed");
        let mut pod = bare_pod(&deployment, "alone").expect("a pod");
        assert_eq!(pod.data["spec"], deployment.data["spec"]["template"]["spec"]);
        assert!(use_loaded_images(&mut pod).is_some_and(|change| change.starts_with("alone: ")));
    }

    #[test]
    fn pods_get_the_time_to_outlast_an_outage() {
        let mut job = crate::kubernetes::parse(fixtures::repaired::SIDECAR_JOB).expect("the job");
        let tuning = Tuning {
            run: Some("r".into()),
            total_count: None,
            logs_per_sec: 50,
            probe_seconds: Some(1),
            outage: Some(Duration::from_secs(40)),
        };
        tune(&mut job, &tuning).expect("tuned");
        let spec = &job.data["spec"]["template"]["spec"];
        assert_eq!(spec["terminationGracePeriodSeconds"], 70);
        let env = spec["containers"][1]["env"].as_array().expect("env");
        assert!(env.contains(&json!({"name": "exit_flushout_duration", "value": "60000"})));
    }

    #[test]
    fn loaded_images_are_not_pulled_and_the_change_is_told_once() {
        let mut job = crate::kubernetes::parse(fixtures::repaired::SIDECAR_JOB).expect("the job");
        let change = use_loaded_images(&mut job).expect("a change");
        assert_eq!(
            change,
            "nginx-log-sidecar-demo: imagePullPolicy: IfNotPresent added to nginx-log-demo and logtail"
        );
        assert_eq!(use_loaded_images(&mut job), None);
        let mut config = crate::kubernetes::parse(fixtures::repaired::CRD_ACCESS).expect("the config");
        assert_eq!(use_loaded_images(&mut config), None);
        let names: Vec<String> = images(&job).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [WRITER, SIDECAR]);
    }
}
