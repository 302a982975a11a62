//! The webhook configurations: which requests API servers ask the webhook about. Printed by `operator webhooks`, and
//! installed by chart and kustomize base; the operator itself only writes `caBundle` into them.

use serde_json::{Value, json};

use crate::inject::{ASK_LABEL, SYSTEM_NAMESPACES};

/// Name of both configurations.
pub const NAME: &str = "sls-operator";
/// Label of namespaces all of whose Pods ask for a sidecar, with the value `enabled`.
pub const NAMESPACE_LABEL: &str = "sls.testbed/injection";
/// Label of namespaces whose AliyunLogConfigs are not judged here, with the value `disabled`: what is wrong with them is
/// told in their status alone.
pub const VALIDATION_LABEL: &str = "sls.testbed/validation";
/// Name of the Service in front of the webhook.
pub const SERVICE: &str = "sls-operator-webhook";
/// Seconds that an API server waits. Source: operator specification §8.3.
const TIMEOUT_SECONDS: u32 = 5;
/// Pods of namespaces that ask.
const NAMESPACE_HOOK: &str = "namespace.inject.sls.testbed";
/// Pods that ask themselves.
const POD_HOOK: &str = "pod.inject.sls.testbed";
/// AliyunLogConfigs and ClusterAliyunPipelineConfigs.
const CONFIG_HOOK: &str = "configs.sls.testbed";

/// Whether a webhook of the configurations is one of these.
pub fn is_ours(webhook: &str) -> bool {
    [NAMESPACE_HOOK, POD_HOOK, CONFIG_HOOK].contains(&webhook)
}

/// Where API servers find the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind the Service in this namespace.
    Service { namespace: String },
    /// Outside of the cluster: `https://HOST:PORT`, without a path.
    Url(String),
}

/// What happens to Pods for which nobody can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    /// They are created without a sidecar.
    Ignore,
    /// They are refused.
    Fail,
}

impl FailurePolicy {
    /// As Kubernetes writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ignore => "Ignore",
            Self::Fail => "Fail",
        }
    }
}

/// Both configurations. Pods of `own_namespace`, that of the operator, are not asked about.
pub fn configurations(place: &Place, policy: FailurePolicy, own_namespace: &str) -> [Value; 2] {
    let mut kept_out: Vec<&str> = SYSTEM_NAMESPACES.to_vec();
    kept_out.push(own_namespace);
    let elsewhere = json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": kept_out});
    let pods = |name: &str, namespaces: Value, objects: Value| {
        json!({
            "name": name,
            "clientConfig": client(place, "/mutate"),
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                "resources": ["pods"], "scope": "Namespaced"}],
            "namespaceSelector": {"matchExpressions": namespaces},
            "objectSelector": {"matchExpressions": objects},
            "failurePolicy": policy.name(),
            "matchPolicy": "Equivalent",
            // Containers and volumes that other webhooks add are seen too.
            "reinvocationPolicy": "IfNeeded",
            "sideEffects": "None",
            "timeoutSeconds": TIMEOUT_SECONDS,
            "admissionReviewVersions": ["v1"],
        })
    };
    // No Pod is in both: what it says itself goes before what its namespace says.
    let enabled = json!({"key": NAMESPACE_LABEL, "operator": "In", "values": ["enabled"]});
    let silent = json!([{"key": ASK_LABEL, "operator": "NotIn", "values": ["true", "false"]}]);
    let asking = json!([{"key": ASK_LABEL, "operator": "In", "values": ["true"]}]);
    let mutating = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [
            pods(NAMESPACE_HOOK, json!([elsewhere, enabled]), silent),
            pods(POD_HOOK, json!([elsewhere]), asking),
        ],
    });
    let validating = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [{
            "name": CONFIG_HOOK,
            "clientConfig": client(place, "/validate"),
            // Deletes are not asked about, nor is the status.
            "rules": [{"apiGroups": ["log.alibabacloud.com"], "apiVersions": ["*"],
                "operations": ["CREATE", "UPDATE"], "resources": ["aliyunlogconfigs"], "scope": "Namespaced"},
                {"apiGroups": ["telemetry.alibabacloud.com"], "apiVersions": ["*"],
                "operations": ["CREATE", "UPDATE"], "resources": ["clusteraliyunpipelineconfigs"],
                "scope": "Cluster"}],
            "namespaceSelector": {"matchExpressions": [
                {"key": VALIDATION_LABEL, "operator": "NotIn", "values": ["disabled"]},
            ]},
            // Whatever comes past it the controller refuses; and a finalizer can go while nobody answers.
            "failurePolicy": "Ignore",
            "matchPolicy": "Equivalent",
            "sideEffects": "None",
            "timeoutSeconds": TIMEOUT_SECONDS,
            "admissionReviewVersions": ["v1"],
        }],
    });
    [mutating, validating]
}

fn client(place: &Place, path: &str) -> Value {
    match place {
        Place::Service { namespace } => {
            json!({"service": {"namespace": namespace, "name": SERVICE, "path": path, "port": 443}})
        }
        Place::Url(url) => json!({"url": format!("{}{path}", url.trim_end_matches('/'))}),
    }
}
