//! The Node object of the machine.
//!
//! Made once when the pod runner starts. Nothing renews its lease: there is no node controller
//! that would miss it.

use k8s_openapi::api::core::v1 as core;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::RunnerConfig;

/// Pods per node, as the kubelet's default. Not enforced.
const PODS: &str = "110";

/// Creates the Node, or takes over one of this name, and marks it as ready.
///
/// # Errors
/// When the API server refuses.
pub async fn register(client: &Client, config: &RunnerConfig, isolation: &str) -> kube::Result<()> {
    let api: Api<core::Node> = Api::all(client.clone());
    let name = &config.node_name;
    let os = std::env::consts::OS;
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let node: core::Node = from_json(json!({
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": os,
                "kubernetes.io/arch": arch,
            },
            "annotations": {"pod-runner/isolation": isolation},
        },
        "spec": {},
    }))?;
    match api.create(&PostParams::default(), &node).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        other => drop(other?),
    }
    let now = k8s_openapi::jiff::Timestamp::now().to_string();
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).to_string();
    let resources = json!({"cpu": cpus, "memory": "8Gi", "pods": PODS});
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
               "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    let status = json!({
        "addresses": [
            {"type": "InternalIP", "address": config.node_ip},
            {"type": "Hostname", "address": name},
        ],
        "capacity": resources,
        "allocatable": resources,
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory", ""),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure", ""),
            condition("PIDPressure", "False", "KubeletHasSufficientPID", ""),
            condition("Ready", "True", "KubeletReady", &format!("pod runner, isolation: {isolation}")),
        ],
        "nodeInfo": {
            "architecture": arch, "operatingSystem": os, "kernelVersion": "", "osImage": os,
            "machineID": "", "systemUUID": "", "bootID": "", "kubeProxyVersion": "",
            "containerRuntimeVersion": "process://0", "kubeletVersion": "v0-pod-runner",
        },
    });
    let patch = Patch::Merge(json!({ "status": status }));
    api.patch_status(name, &PatchParams::default(), &patch).await.map(drop)
}

fn from_json(value: serde_json::Value) -> kube::Result<core::Node> {
    serde_json::from_value(value).map_err(kube::Error::SerdeError)
}
