//! What is found of Pods without a sidecar: whose they are, why they have none, and what is said of it. Pure.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;

use crate::inject::{CONTAINER, SKIPPED, SYSTEM_NAMESPACES, Skip};
use crate::notices::Notice;

/// Names in one event. Source: guess.
const NAMES_MAX: usize = 3;

/// An object that makes Pods, or a Pod that nothing has made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    pub namespace: String,
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub uid: String,
}

/// Why a Pod has no sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// Nobody tried: it was created without the webhook.
    Restart,
    /// It cannot have one; the webhook has said why.
    Skipped(&'static str),
}

impl Why {
    fn of(pod: &Pod) -> Self {
        match skipped(pod).and_then(|text| Skip::known_reason(text.split(':').next().unwrap_or_default())) {
            Some(reason) => Self::Skipped(reason),
            None => Self::Restart,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart_needed",
            Self::Skipped(reason) => reason,
        }
    }
}

fn skipped(pod: &Pod) -> Option<&String> {
    pod.metadata.annotations.as_ref()?.get(SKIPPED)
}

/// Pods of one owner without a sidecar: their names by reason, and what one of them says.
#[derive(Debug, Default)]
pub struct Missing {
    by_reason: BTreeMap<Why, (Vec<String>, Option<String>)>,
}

/// Whether a Pod that asks for a sidecar should have one, has none, and is here to stay.
pub fn is_missing(pod: &Pod, own_namespace: Option<&str>) -> bool {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let spec = pod.spec.as_ref();
    let containers =
        spec.into_iter().flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    pod.metadata.deletion_timestamp.is_none()
        && !SYSTEM_NAMESPACES.contains(&namespace)
        && own_namespace != Some(namespace)
        && containers.into_iter().all(|container| container.name != CONTAINER)
}

/// Pods by reason.
pub fn counts(missing: &BTreeMap<Owner, Missing>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (why, (pods, _)) in missing.values().flat_map(|missing| &missing.by_reason) {
        *counts.entry(why.name().to_owned()).or_default() += u64::try_from(pods.len()).unwrap_or(u64::MAX);
    }
    counts
}

impl Owner {
    /// What controls the Pod, or itself.
    pub fn of(pod: &Pod) -> Self {
        Self::above(&pod.metadata).unwrap_or_else(|| Self {
            namespace: pod.namespace().unwrap_or_default(),
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
        })
    }

    /// What controls an object.
    pub fn above(object: &ObjectMeta) -> Option<Self> {
        let owner = object.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))?;
        Some(Self {
            namespace: object.namespace.clone().unwrap_or_default(),
            api_version: owner.api_version.clone(),
            kind: owner.kind.clone(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
        })
    }

    /// As events name it.
    pub fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some(self.api_version.clone()),
            kind: Some(self.kind.clone()),
            name: Some(self.name.clone()),
            namespace: Some(self.namespace.clone()),
            uid: Some(self.uid.clone()),
            ..ObjectReference::default()
        }
    }

    /// How its Pods are made again.
    fn remedy(&self) -> String {
        let Self { namespace, kind, name, .. } = self;
        match kind.as_str() {
            "Deployment" | "StatefulSet" | "DaemonSet" => {
                format!("kubectl rollout restart {}/{name} -n {namespace}", kind.to_lowercase())
            }
            "CronJob" => "its next Job gets one".to_owned(),
            "ReplicaSet" | "ReplicationController" => "delete its Pods".to_owned(),
            _ => "delete it and create it again".to_owned(),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl Missing {
    /// Notes a Pod.
    pub fn add(&mut self, pod: &Pod) {
        let (names, said) = self.by_reason.entry(Why::of(pod)).or_default();
        names.push(pod.name_any());
        if said.is_none() {
            *said = skipped(pod).cloned();
        }
    }

    /// Whether a Pod has none for this reason.
    pub fn has(&self, why: Why) -> bool {
        self.by_reason.contains_key(&why)
    }

    /// What the owner is told, by reason.
    pub fn notices(&self, owner: &Owner) -> Vec<(Why, Notice)> {
        let notice = |(why, (names, said)): (&Why, &(Vec<String>, Option<String>))| {
            let shown = names.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
            let more = if names.len() > NAMES_MAX { ", …" } else { "" };
            let pods = if names.len() == 1 { "Pod asks" } else { "Pods ask" };
            let begin = format!("{} {pods} for a sidecar and got none ({shown}{more})", names.len());
            let (reason, note) = match why {
                Why::Restart => (
                    "RestartNeeded",
                    format!(
                        "{begin}: created while the webhook was not asked; restart needed: {}",
                        owner.remedy()
                    ),
                ),
                Why::Skipped(_) => {
                    ("InjectionSkipped", format!("{begin}: {}", said.as_deref().unwrap_or_default()))
                }
            };
            (*why, Notice { warning: true, reason, action: format!("Inject {}", why.name()), note })
        };
        self.by_reason.iter().map(notice).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(metadata: Value, containers: Value) -> Pod {
        let mut metadata = metadata;
        metadata["namespace"] = json!("shop");
        serde_json::from_value(json!({"metadata": metadata, "spec": {"containers": containers}})).unwrap()
    }

    fn app() -> Value {
        json!([{"name": "app"}])
    }

    #[test]
    fn pods_that_go_have_a_sidecar_or_are_the_clusters_do_not_miss_one() {
        assert!(is_missing(&pod(json!({"name": "a"}), app()), Some("sls-system")));
        assert!(!is_missing(&pod(json!({"name": "a"}), app()), Some("shop")));
        let going = json!({"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert!(!is_missing(&pod(going, app()), None));
        assert!(!is_missing(&pod(json!({"name": "a"}), json!([{"name": "logtail"}])), None));
    }

    #[test]
    fn the_owner_is_told_what_to_do_for_each_reason() {
        let owned = |name: &str, skipped: Option<&str>| {
            let annotations = skipped.map(|text| json!({SKIPPED: text})).unwrap_or(json!({}));
            let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u",
                "controller": true});
            pod(json!({"name": name, "annotations": annotations, "ownerReferences": [owner]}), app())
        };
        let mut missing = Missing::default();
        for one in ["a", "b", "c", "d"] {
            missing.add(&owned(one, None));
        }
        missing.add(&owned("e", Some("no_config: there is none")));
        missing.add(&owned("f", Some("whatever")));
        let owner = Owner::of(&owned("a", None));
        assert_eq!(owner.to_string(), "StatefulSet shop/web");
        let notes: Vec<String> = missing
            .notices(&owner)
            .into_iter()
            .map(|(_, notice)| format!("{} {}", notice.reason, notice.note))
            .collect();
        assert_eq!(
            notes,
            [
                "RestartNeeded 5 Pods ask for a sidecar and got none (a, b, c, …): created while the webhook was \
             not asked; restart needed: kubectl rollout restart statefulset/web -n shop",
                "InjectionSkipped 1 Pod asks for a sidecar and got none (e): no_config: there is none",
            ]
        );
        let counts = counts(&BTreeMap::from([(owner, missing)]));
        assert_eq!(counts, BTreeMap::from([("no_config".to_owned(), 1), ("restart_needed".to_owned(), 5)]));
    }

    #[test]
    fn a_pod_that_nothing_has_made_is_its_own_owner() {
        let owner = Owner::of(&pod(json!({"name": "a", "uid": "u"}), app()));
        assert_eq!((owner.kind.as_str(), owner.name.as_str(), owner.uid.as_str()), ("Pod", "a", "u"));
    }
}
