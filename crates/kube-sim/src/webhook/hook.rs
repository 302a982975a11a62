//! A webhook as its configuration describes it.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, RuleWithOperations, WebhookClientConfig};
use serde_json::Value;

use crate::meta;

/// Time that a webhook has by default. Source: Kubernetes API reference, timeoutSeconds.
pub const TIMEOUT_SECONDS_DEFAULT: u64 = 10;

/// One webhook.
#[derive(Debug)]
pub struct Hook {
    pub name: String,
    pub client: WebhookClientConfig,
    /// A webhook that cannot be asked is passed over.
    pub fails_open: bool,
    pub timeout: Duration,
    /// Whether only the API versions of the rules count, not others of the same objects.
    pub exact: bool,
    pub namespaces: Value,
    pub objects: Value,
    pub rules: Vec<RuleWithOperations>,
    /// Expressions of its match conditions.
    pub conditions: Vec<String>,
    /// It wants to be asked again when others changed the object after it.
    pub asks_again: bool,
}

/// The webhooks of a configuration of either kind that may be responsible for an operation on a resource, in order:
/// every write asks, and most have none.
pub fn read(configuration: &Value, operation: &str, plural: &str, subresource: &str) -> Vec<Hook> {
    let list = meta::at(configuration, &["webhooks"]).and_then(Value::as_array);
    let has = |rule: &Value, field: &str, wanted: &dyn Fn(&str) -> bool| {
        let all = rule.get(field).and_then(Value::as_array);
        all.into_iter().flatten().filter_map(Value::as_str).any(wanted)
    };
    let of_resource = |one: &str| resource_matches(one, plural, subresource);
    let covers = |rule: &Value| {
        has(rule, "operations", &|one| one == "*" || one == operation) && has(rule, "resources", &of_resource)
    };
    let concerns = |webhook: &Value| {
        webhook.get("rules").and_then(Value::as_array).is_some_and(|rules| rules.iter().any(covers))
    };
    // What is stored has been checked; validating webhooks have the fields of mutating ones, less one.
    let webhooks = list
        .into_iter()
        .flatten()
        .filter(|webhook| concerns(webhook))
        .filter_map(|one| serde_json::from_value(one.clone()).ok());
    webhooks.map(of).collect()
}

/// Whether an entry of a rule's resources, `pods`, `pods/status` or with `*`, names these.
pub fn resource_matches(entry: &str, plural: &str, subresource: &str) -> bool {
    let (name, part) = entry.split_once('/').unwrap_or((entry, ""));
    (name == "*" || name == plural) && (part == "*" || part == subresource)
}

fn of(webhook: MutatingWebhook) -> Hook {
    let selector = |selector| serde_json::to_value(selector).unwrap_or_default();
    let seconds = webhook.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Hook {
        name: webhook.name,
        client: webhook.client_config,
        fails_open: webhook.failure_policy.as_deref() == Some("Ignore"),
        timeout: Duration::from_secs(seconds.unwrap_or(TIMEOUT_SECONDS_DEFAULT)),
        exact: webhook.match_policy.as_deref() == Some("Exact"),
        namespaces: selector(webhook.namespace_selector),
        objects: selector(webhook.object_selector),
        rules: webhook.rules.unwrap_or_default(),
        conditions: webhook.match_conditions.into_iter().flatten().map(|one| one.expression).collect(),
        asks_again: webhook.reinvocation_policy.as_deref() == Some("IfNeeded"),
    }
}
