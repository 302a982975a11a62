//! Binds pods to the one node there is.
//!
//! Started by [`super::PodRunner`]. Resources, affinity and taints play no part; a node selector
//! that the node does not fit is reported, as a cluster does.

use std::collections::BTreeMap;

use futures::StreamExt;
use k8s_openapi::api::core::v1 as core;
use kube::api::PostParams;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::events::Recorder;

/// The scheduler that pods ask for when they name none. Source: Kubernetes API reference, PodSpec.
const DEFAULT_SCHEDULER: &str = "default-scheduler";

/// Binds new pods to `node` until the client's server is gone for good or the task is dropped.
pub async fn run(client: Client, node: String, recorder: Recorder) {
    let api: Api<core::Pod> = Api::all(client.clone());
    let config = watcher::Config::default();
    let mut pods = watcher(api, config).default_backoff().applied_objects().boxed();
    let labels = BTreeMap::from([("kubernetes.io/hostname".to_owned(), node.clone())]);
    while let Some(change) = pods.next().await {
        match change {
            Ok(pod) if waits(&pod) => {
                if let Some(misfit) = misfit(&pod, &labels) {
                    let text = format!("0/1 nodes are available: the node has no label {misfit}");
                    recorder.warning(&pod, "FailedScheduling", text);
                } else if let Err(error) = bind(&client, &pod, &node, &recorder).await {
                    tracing::warn!(pod = pod.name_any(), %error, "could not bind the pod");
                }
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the watch of pods was interrupted"),
        }
    }
}

fn waits(pod: &core::Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let ours = spec.scheduler_name.as_deref().unwrap_or(DEFAULT_SCHEDULER) == DEFAULT_SCHEDULER;
    let gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
    let bound = spec.node_name.as_deref().is_some_and(|name| !name.is_empty());
    ours && !gated && !bound && pod.metadata.deletion_timestamp.is_none()
}

/// The first wanted label that the node lacks. Labels of the machine's kind are taken as given.
fn misfit(pod: &core::Pod, labels: &BTreeMap<String, String>) -> Option<String> {
    let wanted = pod.spec.as_ref()?.node_selector.as_ref()?;
    wanted
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "kubernetes.io/os" | "kubernetes.io/arch"))
        .find(|(key, value)| labels.get(*key) != Some(*value))
        .map(|(key, value)| format!("{key}={value}"))
}

async fn bind(client: &Client, pod: &core::Pod, node: &str, recorder: &Recorder) -> kube::Result<()> {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let api: Api<core::Pod> = Api::namespaced(client.clone(), &namespace);
    let binding = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace, "uid": pod.uid()},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    let params = PostParams::default();
    let bound: kube::Result<serde_json::Value> =
        api.create_subresource("binding", &name, &params, &binding).await;
    match bound {
        // It has been bound or deleted in the meantime.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            let text = format!("Successfully assigned {namespace}/{name} to {node}");
            recorder.normal(pod, "Scheduled", text);
            Ok(())
        }
    }
}
