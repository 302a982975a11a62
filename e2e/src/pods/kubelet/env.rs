//! The environment of a container, as the kubelet makes it. Pure.
//!
//! Called by the worker of a pod before each start of a container, with the ConfigMaps and
//! Secrets that [`super::sources`] has fetched.

use k8s_openapi::api::core::v1 as core;

use super::sources::Sources;
use crate::pods::expand::expand;

/// Addresses that the manifest may ask for.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Address of the pod.
    pub pod_ip: String,
    /// Address of the node.
    pub host_ip: String,
}

/// Why the environment cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// A ConfigMap or Secret does not exist.
    #[error("{kind} {name:?} not found: create it, or mark the reference as optional")]
    SourceMissing {
        /// `configmap` or `secret`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// It exists and lacks the key.
    #[error("couldn't find key {key} in {kind} {name:?}")]
    KeyMissing {
        /// `configmap` or `secret`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
    /// A `fieldRef` that the downward API does not know.
    #[error("env {variable}: fieldRef {path:?} is not a field of the downward API")]
    FieldUnknown {
        /// Name of the variable.
        variable: String,
        /// The path as given.
        path: String,
    },
    /// A kind of source that the bed does not have.
    #[error("env {variable}: {what} is not supported here")]
    Unsupported {
        /// Name of the variable.
        variable: String,
        /// What was asked for.
        what: &'static str,
    },
}

/// The variables of `container` in the order of the manifest; later ones win. References like
/// `$(NAME)` are replaced by variables defined before.
///
/// # Errors
/// See [`EnvError`].
pub fn environment(
    pod: &core::Pod,
    container: &core::Container,
    addresses: &Addresses,
    sources: &Sources,
) -> Result<Vec<(String, String)>, EnvError> {
    let mut env = Vec::new();
    for from in container.env_from.iter().flatten() {
        let prefix = from.prefix.as_deref().unwrap_or_default();
        for (key, value) in sources.all_of(from)? {
            env.push((format!("{prefix}{key}"), value));
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (Some(value), _) => Some(expand(value, &env)),
            (None, Some(from)) => value_from(pod, &variable.name, from, addresses, sources)?,
            (None, None) => Some(String::new()),
        };
        if let Some(value) = value {
            env.push((variable.name.clone(), value));
        }
    }
    Ok(env)
}

/// The value of one variable; `None` when an optional source is missing.
fn value_from(
    pod: &core::Pod,
    variable: &str,
    from: &core::EnvVarSource,
    addresses: &Addresses,
    sources: &Sources,
) -> Result<Option<String>, EnvError> {
    let unsupported = |what| Err(EnvError::Unsupported { variable: variable.to_owned(), what });
    if let Some(field) = &from.field_ref {
        let path = &field.field_path;
        field_value(pod, path, addresses)
            .map(Some)
            .ok_or_else(|| EnvError::FieldUnknown { variable: variable.to_owned(), path: path.clone() })
    } else if let Some(key) = &from.config_map_key_ref {
        sources.config_map_value(&key.name, &key.key, key.optional == Some(true))
    } else if let Some(key) = &from.secret_key_ref {
        sources.secret_value(&key.name, &key.key, key.optional == Some(true))
    } else if from.resource_field_ref.is_some() {
        unsupported("resourceFieldRef (resources are not limited)")
    } else {
        unsupported("this kind of valueFrom")
    }
}

/// A field of the downward API. Labels and annotations that are not set are empty; a path that
/// does not exist is `None`. Source: Kubernetes documentation, "Downward API".
pub fn field_value(pod: &core::Pod, path: &str, addresses: &Addresses) -> Option<String> {
    let meta = &pod.metadata;
    let spec = pod.spec.as_ref();
    let value = match path {
        "metadata.name" => meta.name.clone(),
        "metadata.namespace" => meta.namespace.clone(),
        "metadata.uid" => meta.uid.clone(),
        "metadata.labels" => Some(lines(meta.labels.as_ref())),
        "metadata.annotations" => Some(lines(meta.annotations.as_ref())),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()),
        "spec.serviceAccountName" => {
            let name = spec.and_then(|spec| spec.service_account_name.clone());
            Some(name.unwrap_or_else(|| "default".to_owned()))
        }
        "status.podIP" | "status.podIPs" => Some(addresses.pod_ip.clone()),
        "status.hostIP" | "status.hostIPs" => Some(addresses.host_ip.clone()),
        _ => {
            let (map, key) = if let Some(key) = subscript(path, "metadata.labels") {
                (meta.labels.as_ref(), key)
            } else {
                (meta.annotations.as_ref(), subscript(path, "metadata.annotations")?)
            };
            map.and_then(|map| map.get(key)).cloned()
        }
    };
    Some(value.unwrap_or_default())
}

/// `KEY` of `prefix['KEY']`.
fn subscript<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix)?.strip_prefix("['")?.strip_suffix("']")
}

fn lines(map: Option<&std::collections::BTreeMap<String, String>>) -> String {
    let lines = map.into_iter().flatten().map(|(key, value)| format!("{key}={value:?}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> core::Pod {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "u",
                         "labels": {"app": "x"}, "annotations": {"a/b": "y"}},
            "spec": {"nodeName": "node", "containers": []},
        }))
        .unwrap()
    }

    fn addresses() -> Addresses {
        Addresses { pod_ip: "127.1.0.1".into(), host_ip: "127.0.0.1".into() }
    }

    #[test]
    fn the_documents_five_fields_are_known() {
        let value = |path| field_value(&pod(), path, &addresses());
        assert_eq!(value("metadata.name").as_deref(), Some("p"));
        assert_eq!(value("status.podIP").as_deref(), Some("127.1.0.1"));
        assert_eq!(value("metadata.namespace").as_deref(), Some("n"));
        assert_eq!(value("spec.nodeName").as_deref(), Some("node"));
        assert_eq!(value("status.hostIP").as_deref(), Some("127.0.0.1"));
        assert_eq!(value("metadata.labels['app']").as_deref(), Some("x"));
        assert_eq!(value("metadata.annotations['a/b']").as_deref(), Some("y"));
        assert_eq!(value("metadata.labels['none']").as_deref(), Some(""));
        assert_eq!(value("spec.nonsense"), None);
    }

    #[test]
    fn an_unknown_field_is_named_in_the_error() {
        let container: core::Container = serde_json::from_value(serde_json::json!({
            "name": "c",
            "env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "spec.nothing"}}}],
        }))
        .unwrap();
        let error = environment(&pod(), &container, &addresses(), &Sources::default()).unwrap_err();
        assert_eq!(error.to_string(), "env X: fieldRef \"spec.nothing\" is not a field of the downward API");
    }
}
