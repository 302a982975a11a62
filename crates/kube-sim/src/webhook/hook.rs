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

/// The webhooks of a configuration of either kind, in order.
pub fn read(configuration: &Value) -> Vec<Hook> {
    let list = meta::at(configuration, &["webhooks"]).and_then(Value::as_array);
    // What is stored has been checked; validating webhooks have the fields of mutating ones, less one.
    let webhooks = list.into_iter().flatten().filter_map(|one| serde_json::from_value(one.clone()).ok());
    webhooks.map(of).collect()
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
