//! The few Kubernetes verbs the scenarios use; they work on any cluster a kubeconfig reaches.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use kube::api::{
    Api, ApiResource, DynamicObject, ListParams, LogParams, ObjectMeta, Patch, PatchParams, PostParams,
};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt, discovery};
use serde_json::json;

use crate::eventually::{Look, eventually};

/// Field manager of everything the bed applies.
const FIELD_MANAGER: &str = "sls-bed";

/// Reads a manifest of one object.
///
/// # Errors
/// The text is not YAML or has no `kind`, `apiVersion` and `metadata.name`.
pub fn parse(manifest: &str) -> Result<DynamicObject> {
    let value: serde_json::Value = serde_saphyr::from_str(manifest).context("the manifest is not YAML")?;
    serde_json::from_value(value).context("the manifest is not a Kubernetes object")
}

/// Creates or updates the object in `namespace`, as `kubectl apply --server-side` does.
///
/// # Errors
/// The kind is not served, or the API server refuses the object.
pub async fn apply(client: &Client, namespace: &str, mut object: DynamicObject) -> Result<DynamicObject> {
    object.metadata.namespace = Some(namespace.to_owned());
    let api = dynamic(client, namespace, &resource_of(client, &object).await?);
    let name = object.name_any();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&name, &params, &Patch::Apply(&object)).await.with_context(|| format!("cannot apply {name}"))
}

/// Deletes the object; one that is not there counts as deleted.
///
/// # Errors
/// Any other refusal of the API server.
pub async fn delete(client: &Client, namespace: &str, object: &DynamicObject) -> Result<()> {
    let api = dynamic(client, namespace, &resource_of(client, object).await?);
    match api.delete(&object.name_any(), &Default::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot delete {}", object.name_any())),
    }
}

/// Creates a namespace.
///
/// # Errors
/// It is there already, or the API server refuses it.
pub async fn create_namespace(client: &Client, name: &str) -> Result<()> {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let object = Namespace { metadata, ..Namespace::default() };
    let created = Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await;
    created.with_context(|| format!("cannot create namespace {name}"))?;
    Ok(())
}

/// Labels a namespace.
///
/// # Errors
/// It is not there, or the API server refuses.
pub async fn label_namespace(client: &Client, name: &str, label: &str, value: &str) -> Result<()> {
    let patch = Patch::Merge(json!({"metadata": {"labels": {label: value}}}));
    let patched = Api::<Namespace>::all(client.clone()).patch(name, &PatchParams::default(), &patch).await;
    patched.with_context(|| format!("cannot label namespace {name}"))?;
    Ok(())
}

/// Whether the API server knows policies that change objects: Kubernetes 1.36 and newer.
///
/// # Errors
/// It does not answer.
pub async fn has_mutating_policies(client: &Client) -> Result<bool> {
    let group = client.list_api_group_resources("admissionregistration.k8s.io/v1").await;
    let served = group.context("the API server does not say what it serves")?.resources;
    Ok(served.iter().any(|resource| resource.kind == "MutatingAdmissionPolicy"))
}

/// An API for objects of a kind known only by name.
pub fn dynamic(client: &Client, namespace: &str, resource: &ApiResource) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, resource)
}

/// Finds the resource of the object's kind by discovery.
///
/// # Errors
/// The object names no kind, or the server does not serve it.
pub async fn resource_of(client: &Client, object: &DynamicObject) -> Result<ApiResource> {
    let types = object.types.as_ref().ok_or_else(|| anyhow!("the object has no apiVersion and kind"))?;
    let gvk = GroupVersionKind::try_from(types)?;
    let (resource, _) = discovery::pinned_kind(client, &gvk)
        .await
        .with_context(|| format!("the API server does not serve {}/{}", types.api_version, types.kind))?;
    Ok(resource)
}

/// Group, version, kind and plural of the operator's objects. Source: the document.
pub const GROUP: &str = "log.alibabacloud.com";
pub const VERSION: &str = "v1alpha1";
pub const KIND: &str = "AliyunLogConfig";
pub const PLURAL: &str = "aliyunlogconfigs";

/// The `AliyunLogConfig` kind, without asking the server.
pub fn log_config_resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, VERSION, KIND))
}

/// The pods with these labels, by name.
///
/// # Errors
/// The API server does not answer.
pub async fn pods(client: &Client, namespace: &str, selector: &str) -> Result<Vec<Pod>> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut pods = api.list(&ListParams::default().labels(selector)).await?.items;
    pods.sort_by_key(ResourceExt::name_any);
    Ok(pods)
}

/// True when the pod runs and all its containers are ready.
pub fn is_ready(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|s| s.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

/// Waits until exactly `count` pods with these labels are there, ready, and not being deleted.
///
/// # Errors
/// Not within `limit`.
pub async fn wait_ready(
    client: &Client,
    namespace: &str,
    selector: &str,
    count: usize,
    limit: Duration,
) -> Result<Vec<Pod>> {
    eventually(format!("{count} ready pods of {selector}"), limit, async || {
        let pods = pods(client, namespace, selector).await?;
        let ready = pods.iter().filter(|p| is_ready(p) && p.metadata.deletion_timestamp.is_none()).count();
        if ready == count && pods.len() == count {
            return Ok(Look::Done(pods));
        }
        let seen: Vec<String> = pods.iter().map(describe).collect();
        Ok(Look::Waiting(format!("{ready} ready of {} [{}]", pods.len(), seen.join("; "))))
    })
    .await
}

/// One line about a pod: name, phase and what its containers wait for.
pub fn describe(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let containers: Vec<String> = status
        .container_statuses
        .unwrap_or_default()
        .into_iter()
        .map(|c| {
            let state = c.state.unwrap_or_default();
            let text = match (state.waiting, state.running, state.terminated) {
                (Some(w), ..) => {
                    format!("waiting {} {}", w.reason.unwrap_or_default(), w.message.unwrap_or_default())
                }
                (_, Some(_), _) => "running".to_owned(),
                (.., Some(t)) => format!("exited {}", t.exit_code),
                _ => "not started".to_owned(),
            };
            format!("{} {text}, {} restarts", c.name, c.restart_count)
        })
        .collect();
    let phase = status.phase.unwrap_or_else(|| "no phase".to_owned());
    let message = status.message.unwrap_or_default();
    format!("{} {phase} {message} ({})", pod.name_any(), containers.join(", "))
}

/// Pause before a log whose stream broke off is read again: short, since the log goes with the pod.
const LOG_AGAIN: Duration = Duration::from_millis(500);

/// Follows a container's log to its end and returns it whole. A stream that ends before the container
/// does (a kubelet without a free inotify instance cannot follow) is read again.
///
/// # Errors
/// The pod or the container is not there.
pub async fn log_to_end(client: &Client, namespace: &str, pod: &str, container: &str) -> Result<String> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut text = String::new();
    loop {
        let runs = api.get_opt(pod).await?.is_some_and(|pod| runs(&pod, container));
        // Read once more after the end was seen, so that nothing was written since.
        match follow_log(&api, pod, container).await {
            // In place of a log that has been removed comes a sentence that says so.
            Ok(again) if again.len() < text.len() => {}
            Ok(again) => text = again,
            // A kubelet that is busy may not answer, or may break off.
            Err(kube::Error::Api(_) | kube::Error::ReadEvents(_)) if runs => {}
            // The pod has gone, and its log with it: what was read is what there was.
            Err(kube::Error::Api(_)) if !text.is_empty() => return Ok(text),
            Err(error) => return Err(error.into()),
        }
        if !runs {
            return Ok(text);
        }
        tokio::time::sleep(LOG_AGAIN).await;
    }
}

fn runs(pod: &Pod, container: &str) -> bool {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref());
    let mut statuses = statuses.unwrap_or_default().iter();
    let state = statuses.find(|status| status.name == container).and_then(|status| status.state.as_ref());
    state.is_some_and(|state| state.running.is_some())
}

async fn follow_log(api: &Api<Pod>, pod: &str, container: &str) -> kube::Result<String> {
    let params = LogParams { container: Some(container.to_owned()), follow: true, ..LogParams::default() };
    let mut lines = api.log_stream(pod, &params).await?.lines();
    let mut text = String::new();
    while let Some(line) = lines.try_next().await.map_err(kube::Error::ReadEvents)? {
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

/// The events about an object, "reason: message", oldest first.
///
/// # Errors
/// The API server does not answer.
pub async fn events(client: &Client, namespace: &str, name: &str) -> Result<Vec<String>> {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().fields(&format!("involvedObject.name={name}"));
    let mut events = api.list(&params).await?.items;
    events.sort_by_key(|e| e.metadata.creation_timestamp.clone().map(|t| t.0));
    Ok(events
        .into_iter()
        .map(|e| format!("{}: {}", e.reason.unwrap_or_default(), e.message.unwrap_or_default()))
        .collect())
}

/// What the cluster holds, as files of JSON: for the evidence of a failure.
pub async fn dump(client: &Client) -> Vec<(String, String)> {
    let kinds = [
        ("aliyunlogconfigs", log_config_resource()),
        ("pods", ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"))),
        ("jobs", ApiResource::from_gvk(&GroupVersionKind::gvk("batch", "v1", "Job"))),
        ("deployments", ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"))),
        ("events", ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Event"))),
    ];
    let mut files = Vec::new();
    for (name, resource) in kinds {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let text = match api.list(&ListParams::default()).await {
            Ok(list) => serde_json::to_string_pretty(&list).unwrap_or_else(|error| error.to_string()),
            Err(error) => format!("cannot list: {error}"),
        };
        files.push((format!("{name}.json"), text));
    }
    files
}
