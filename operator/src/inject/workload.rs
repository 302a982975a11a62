//! Where the pods of a workload are described.

use serde_json::{Map, Value};

use super::object;

/// Namespace of objects that name none.
const NAMESPACE_DEFAULT: &str = "default";

/// An object that makes pods, and the place in it where these are described.
#[derive(Debug)]
pub struct Workload<'a> {
    kind: String,
    namespace: String,
    name: String,
    /// A pod or its template.
    template: &'a mut Map<String, Value>,
}

/// The path to the template in an object of this kind; empty where the object is the pod itself.
fn path(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "Pod" => &[],
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job" => {
            &["spec", "template"]
        }
        "CronJob" => &["spec", "jobTemplate", "spec", "template"],
        _ => return None,
    })
}

impl<'a> Workload<'a> {
    /// The workload that `object` is, if it is one and has a template; in `namespace` if it names none itself.
    pub fn of(object: &'a mut Value, namespace: Option<&str>) -> Option<Self> {
        let kind = object.get("kind")?.as_str()?.to_owned();
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let namespace = text("/metadata/namespace")
            .or(namespace.map(str::to_owned))
            .unwrap_or_else(|| NAMESPACE_DEFAULT.to_owned());
        let name = text("/metadata/name").or(text("/metadata/generateName")).unwrap_or_default();
        let template =
            path(&kind)?.iter().try_fold(object, |value, key| value.get_mut(key))?.as_object_mut()?;
        Some(Self { kind, namespace, name, template })
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Variables with a value of the containers, one list for each; those taken from elsewhere are left out.
    pub fn environments(&self) -> Vec<Vec<(&str, &str)>> {
        let containers = self.spec().and_then(|spec| spec.get("containers")).and_then(Value::as_array);
        containers
            .into_iter()
            .flatten()
            .map(|container| {
                let all = container.get("env").and_then(Value::as_array).into_iter().flatten();
                all.filter_map(|one| Some((one.get("name")?.as_str()?, one.get("value")?.as_str()?)))
                    .collect()
            })
            .collect()
    }

    /// Whether its pods end when their work is done.
    pub(super) fn is_job(&self) -> bool {
        let of_job = |owner: &Value| owner.get("kind").is_some_and(|kind| kind == "Job");
        let owners = || self.metadata()?.get("ownerReferences")?.as_array();
        matches!(self.kind.as_str(), "Job" | "CronJob")
            || (self.kind == "Pod" && owners().into_iter().flatten().any(of_job))
    }

    pub(super) fn spec(&self) -> Option<&Value> {
        self.template.get("spec")
    }

    pub(super) fn metadata(&self) -> Option<&Value> {
        self.template.get("metadata")
    }

    pub(super) fn spec_mut(&mut self) -> Option<&mut Map<String, Value>> {
        object(self.template, "spec")
    }

    pub(super) fn metadata_mut(&mut self) -> Option<&mut Map<String, Value>> {
        object(self.template, "metadata")
    }

    pub(super) fn template_mut(&mut self) -> &mut Map<String, Value> {
        self.template
    }

    /// A label or annotation of the pods; `of` is `labels` or `annotations`.
    pub(super) fn mark(&self, of: &str, name: &str) -> Option<&str> {
        self.template.get("metadata")?.get(of)?.get(name)?.as_str()
    }
}

impl std::fmt::Display for Workload<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}
