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
    /// Run id in every line.
    pub run: String,
    /// Lines of each log; `None` leaves the manifest's number.
    pub total_count: Option<u64>,
    pub logs_per_sec: u32,
    /// Liveness probe: first after and every so many seconds (the document says 30 and 30).
    pub probe_seconds: u32,
    /// How long the Log Service may be away. A pod that is told to stop meanwhile goes with its
    /// volume when its grace period is over, so it must get that much more of it.
    pub outage: Option<Duration>,
}

/// Grace period of a pod and drain of its sidecar beyond an outage: the defaults of Kubernetes (30 s)
/// and of the collector (20 s).
const POD_GRACE: Duration = Duration::from_secs(30);
const DRAIN: Duration = Duration::from_secs(20);

/// Applies `tuning` to the pod template of a Job or Deployment.
///
/// # Errors
/// The object has no such template or containers.
pub fn tune(object: &mut DynamicObject, tuning: &Tuning) -> Result<()> {
    let containers = object.data["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .context("the object has no spec.template.spec.containers")?;
    let writer = container(containers, WRITER)?;
    let args = writer["args"].as_array_mut().context("the writer has no args")?;
    set_flag(args, "--run-id", &tuning.run);
    set_flag(args, "--logs-per-sec", &tuning.logs_per_sec.to_string());
    if let Some(count) = tuning.total_count {
        set_flag(args, "--total-count", &count.to_string());
    }
    let probe = &mut container(containers, SIDECAR)?["livenessProbe"];
    probe["initialDelaySeconds"] = json!(tuning.probe_seconds);
    probe["periodSeconds"] = json!(tuning.probe_seconds);
    if let Some(outage) = tuning.outage {
        let drain = (outage + DRAIN).as_millis().to_string();
        set_sidecar_env(object, "exit_flushout_duration", &drain)?;
        let grace = (outage + POD_GRACE).as_secs();
        object.data["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(grace);
    }
    Ok(())
}

/// Sets an environment variable of the sidecar.
///
/// # Errors
/// The object has no such container.
pub fn set_sidecar_env(object: &mut DynamicObject, name: &str, value: &str) -> Result<()> {
    let containers = object.data["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .context("the object has no spec.template.spec.containers")?;
    let env = container(containers, SIDECAR)?["env"].as_array_mut().context("the sidecar has no env")?;
    env.retain(|entry| entry["name"] != name);
    env.push(json!({"name": name, "value": value}));
    Ok(())
}

/// Keeps the nodes from pulling images that were loaded into them: where the tag is `latest` and the
/// manifest is silent, Kubernetes would. Returns what was changed, if anything was.
pub fn use_loaded_images(object: &mut DynamicObject) -> Option<String> {
    let containers = object.data.pointer_mut("/spec/template/spec/containers")?.as_array_mut()?;
    let mut changed = Vec::new();
    for container in containers.iter_mut().filter(|c| c["imagePullPolicy"].is_null()) {
        container["imagePullPolicy"] = json!("IfNotPresent");
        changed.push(container["name"].as_str().unwrap_or_default().to_owned());
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

fn container<'a>(containers: &'a mut [Value], name: &str) -> Result<&'a mut Value> {
    containers.iter_mut().find(|c| c["name"] == name).with_context(|| format!("no container {name}"))
}

fn set_flag(args: &mut Vec<Value>, flag: &str, value: &str) {
    let prefix = format!("{flag}=");
    args.retain(|arg| !arg.as_str().is_some_and(|text| text.starts_with(&prefix)));
    args.push(json!(format!("{prefix}{value}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuning_changes_the_flags_and_the_probe_and_nothing_else() {
        let mut job = crate::kubernetes::parse(fixtures::repaired::SIDECAR_JOB).expect("the job");
        let before = job.data.clone();
        let tuning = Tuning {
            run: "r".into(),
            total_count: Some(5),
            logs_per_sec: 50,
            probe_seconds: 1,
            outage: None,
        };
        tune(&mut job, &tuning).expect("tuned");
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
    fn pods_get_the_time_to_outlast_an_outage() {
        let mut job = crate::kubernetes::parse(fixtures::repaired::SIDECAR_JOB).expect("the job");
        let tuning = Tuning {
            run: "r".into(),
            total_count: None,
            logs_per_sec: 50,
            probe_seconds: 1,
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
