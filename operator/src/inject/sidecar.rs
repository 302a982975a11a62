//! The container that is added.

use k8s_openapi::api::core::v1::PodSpec;
use serde_json::{Map, Value, json};

use super::directories::{Mount, Shared};
use super::{CONTAINER, Form, Profile, STATE_VOLUME, Workload};

/// Where the collector keeps its read positions.
const STATE_PATH: &str = "/var/lib/sls-state";
/// Tags of every log, by the variables that have their values. Source: the vendor's sidecar document.
const TAGS: [(&str, &str); 5] = [
    ("_pod_name_", "metadata.name"),
    ("_pod_ip_", "status.podIP"),
    ("_namespace_", "metadata.namespace"),
    ("_node_name_", "spec.nodeName"),
    ("_node_ip_", "status.hostIP"),
];
/// The label that the Job controller gives to its pods. Source: Kubernetes' documentation of Jobs.
const JOB_LABEL: &str = "metadata.labels['job-name']";
/// Seconds of the grace of a pod that the collector leaves for its own end. Source: operator specification §8.3.
pub const GRACE_SECONDS_LEFT: i64 = 2;
/// Variable with the time for which it may send after the end of its pod has begun, in milliseconds. Source: the
/// collector's settings.
pub const DRAIN_VARIABLE: &str = "ALIYUN_LOGTAIL_EXIT_FLUSHOUT_DURATION";
/// Seconds beyond those for which the application may be kept waiting, after which the startup probe gives up.
const STARTUP_SECONDS_MORE: u32 = 30;

/// The container for the workload.
pub(super) fn container(
    workload: &Workload<'_>,
    pod: &PodSpec,
    shared: &Shared,
    machine_group: &str,
    profile: &Profile,
) -> Value {
    let mut container = Map::new();
    let mut set = |name: &str, value: Value| {
        container.insert(name.to_owned(), value);
    };
    set("name", CONTAINER.into());
    set("image", profile.image.as_str().into());
    if profile.form == Form::Native {
        set("restartPolicy", "Always".into());
    }
    set("env", env(workload, pod, machine_group, profile).into());
    if profile.form == Form::Native {
        set(
            "startupProbe",
            json!({
                "httpGet": {
                    "path": format!("/startup?within={}", profile.startup_seconds), "port": profile.probe_port,
                },
                "periodSeconds": 1,
                "failureThreshold": profile.startup_seconds + STARTUP_SECONDS_MORE,
            }),
        );
    }
    // Probe and resources as in the vendor's document.
    set(
        "livenessProbe",
        json!({
            "exec": {"command": ["/etc/init.d/ilogtaild", "status"]},
            "initialDelaySeconds": 30,
            "periodSeconds": 30,
        }),
    );
    set("resources", json!({"limits": {"memory": "512Mi"}, "requests": {"cpu": "10m", "memory": "30Mi"}}));
    if let Some(security) = security(pod) {
        set("securityContext", security);
    }
    let mut mounts: Vec<Value> = shared.sidecar.iter().map(mount).collect();
    mounts.push(json!({"name": STATE_VOLUME, "mountPath": STATE_PATH}));
    set("volumeMounts", mounts.into());
    container.into()
}

fn env(workload: &Workload<'_>, pod: &PodSpec, machine_group: &str, profile: &Profile) -> Vec<Value> {
    let value = |name: &str, value: &str| json!({"name": name, "value": value});
    let field =
        |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let mut env = Vec::new();
    env.extend(profile.account_id.as_deref().map(|id| value("ALIYUN_LOGTAIL_USER_ID", id)));
    env.push(value("ALIYUN_LOGTAIL_USER_DEFINED_ID", machine_group));
    env.push(value("ALIYUN_LOGTAIL_CONFIG", &profile.config_path));
    env.push(value("ALIYUN_LOG_ENV_TAGS", &TAGS.map(|(name, _)| name).join("|")));
    env.extend(TAGS.iter().map(|(name, path)| field(name, path)));
    env.push(value("ALIYUN_LOGTAIL_SHARED_STATE_PATH", STATE_PATH));
    env.push(value("HTTP_PROBE_PORT", &profile.probe_port.to_string()));
    match profile.form {
        // Kubernetes ends it, and would begin it again.
        Form::Native => env.push(value("ALIYUN_LOGTAIL_EXIT_ON_IDLE", "false")),
        Form::Plain if workload.is_job() => env.push(field("ALIYUN_LOGTAIL_JOB_NAME", JOB_LABEL)),
        Form::Plain => {}
    }
    if let Some(grace) = pod.termination_grace_period_seconds.filter(|grace| *grace > GRACE_SECONDS_LEFT) {
        let drain_ms = (grace - GRACE_SECONDS_LEFT) * 1000;
        env.push(value(DRAIN_VARIABLE, &drain_ms.to_string()));
    }
    env
}

fn mount(mount: &Mount) -> Value {
    let mut value = json!({"name": mount.volume, "mountPath": mount.path, "readOnly": true});
    if let (Some(part), Some(map)) = (&mount.sub_path, value.as_object_mut()) {
        map.insert("subPath".to_owned(), part.as_str().into());
    }
    value
}

/// As confined as the first container is, so that a namespace that admits the pod admits it with the sidecar too;
/// with its user, whose files it can read then, and of which the kernel tells whether they are being written.
fn security(pod: &PodSpec) -> Option<Value> {
    let context = pod.containers.first()?.security_context.as_ref()?;
    let Value::Object(all) = serde_json::to_value(context).ok()? else { return None };
    const TAKEN_OVER: [&str; 6] = [
        "allowPrivilegeEscalation",
        "capabilities",
        "runAsGroup",
        "runAsNonRoot",
        "runAsUser",
        "seccompProfile",
    ];
    let mut confined: Map<String, Value> =
        all.into_iter().filter(|(name, _)| TAKEN_OVER.contains(&name.as_str())).collect();
    // What it may do beyond others is the application's affair.
    if let Some(capabilities) = confined.get_mut("capabilities").and_then(Value::as_object_mut) {
        capabilities.retain(|name, _| name == "drop");
        if capabilities.is_empty() {
            confined.shift_remove("capabilities");
        }
    }
    if confined.get("allowPrivilegeEscalation") == Some(&Value::Bool(true)) {
        confined.shift_remove("allowPrivilegeEscalation");
    }
    (!confined.is_empty()).then(|| confined.into())
}
