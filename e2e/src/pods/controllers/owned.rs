//! Objects that belong to another: finding them, making pods from a template.

use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Pod, PodCondition, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::{Shared, missing_is_fine};

/// Letters of generated name endings: none that could spell words. Source: Kubernetes.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Characters of the generated ending of a pod's name.
const SUFFIX_CHARS: usize = 5;

/// Characters of a pod's name before its ending; longer ones are cut. Source: Kubernetes
/// (`maxGeneratedNameLength`).
const NAME_CHARS_MAX: usize = 63 - SUFFIX_CHARS;

/// All objects of a kind whose controller is `owner`.
pub async fn list<K, O>(api: &Api<K>, owner: &O) -> kube::Result<Vec<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
    O: Resource,
{
    let uid = owner.meta().uid.clone().unwrap_or_default();
    let mut list = api.list(&ListParams::default()).await?.items;
    list.retain(|object| {
        let mut owners = object.owner_references().iter();
        owners.any(|owner| owner.controller == Some(true) && owner.uid == uid)
    });
    Ok(list)
}

/// The reference to put into an owned object.
pub fn reference<O: Resource<DynamicType = ()>>(owner: &O) -> Vec<OwnerReference> {
    owner.controller_owner_ref(&()).into_iter().collect()
}

/// A pod for `owner` from its template, with a name made of `prefix`.
pub fn pod_from<O: Resource<DynamicType = ()>>(owner: &O, template: &PodTemplateSpec, prefix: &str) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    let prefix = format!("{prefix}-");
    let cut = prefix.char_indices().nth(NAME_CHARS_MAX).map_or(prefix.len(), |(at, _)| at);
    Pod {
        metadata: ObjectMeta {
            name: Some(format!("{}{}", &prefix[..cut], suffix(fastrand::u64(..), SUFFIX_CHARS))),
            generate_name: Some(prefix.clone()),
            namespace: owner.meta().namespace.clone(),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(reference(owner)),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// A name ending of `chars` letters made of a number.
pub fn suffix(mut number: u64, chars: usize) -> String {
    let base = LETTERS.len() as u64;
    let mut text = String::with_capacity(chars);
    for _ in 0..chars {
        let at = usize::try_from(number % base).unwrap_or(0);
        text.push(char::from(LETTERS[at]));
        number /= base;
    }
    text
}

/// Creates a pod and says so about its owner.
pub async fn create_pod<O: Resource<DynamicType = ()>>(
    shared: &Shared,
    owner: &O,
    pod: &Pod,
) -> kube::Result<()> {
    let namespace = owner.meta().namespace.clone().unwrap_or_default();
    match shared.api::<Pod>(&namespace).create(&PostParams::default(), pod).await {
        Ok(pod) => {
            let text = format!("Created pod: {}", pod.name_any());
            shared.recorder.normal(owner, "SuccessfulCreate", text);
            Ok(())
        }
        Err(error) => {
            shared.recorder.warning(owner, "FailedCreate", format!("Error creating pod: {error}"));
            Err(error)
        }
    }
}

/// Deletes a pod and says so about its owner.
pub async fn delete_pod<O: Resource<DynamicType = ()>>(
    shared: &Shared,
    owner: &O,
    name: &str,
) -> kube::Result<()> {
    let namespace = owner.meta().namespace.clone().unwrap_or_default();
    missing_is_fine(shared.api::<Pod>(&namespace).delete(name, &DeleteParams::default()).await)?;
    shared.recorder.normal(owner, "SuccessfulDelete", format!("Deleted pod: {name}"));
    Ok(())
}

/// The phase of a pod; empty before it has one.
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// Neither ended nor being deleted.
pub fn is_active(pod: &Pod) -> bool {
    !matches!(phase(pod), "Succeeded" | "Failed") && pod.metadata.deletion_timestamp.is_none()
}

/// Being deleted, and not ended yet.
pub fn is_terminating(pod: &Pod) -> bool {
    !matches!(phase(pod), "Succeeded" | "Failed") && pod.metadata.deletion_timestamp.is_some()
}

/// Since when the pod is ready, if it is.
pub fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let is_ready = |condition: &&PodCondition| condition.type_ == "Ready" && condition.status == "True";
    let ready = conditions.iter().find(is_ready)?;
    Some(ready.last_transition_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0))
}

/// How long it takes until a pod that is ready since then counts as available; zero when it does.
pub fn until_available(since: Timestamp, min_ready_seconds: i32, now: Timestamp) -> Duration {
    let age = now.duration_since(since);
    let wanted = k8s_openapi::jiff::SignedDuration::from_secs(i64::from(min_ready_seconds.max(0)));
    (wanted - age).try_into().unwrap_or(Duration::ZERO)
}
