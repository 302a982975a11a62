//! Webhook configurations: defaults and rules. Source: Kubernetes API reference, admissionregistration.k8s.io/v1;
//! texts of kube-apiserver's validation of that group.

use std::collections::BTreeSet;

use http::Uri;
use serde_json::{Map, Value, json};

use crate::error::Cause;
use crate::meta;

/// Seconds that a webhook may have.
const TIMEOUT_SECONDS: std::ops::RangeInclusive<i64> = 1..=30;
/// What may be said to the side effects of a webhook.
const SIDE_EFFECTS: [&str; 2] = ["None", "NoneOnDryRun"];
/// Versions of reviews that the real server knows; webhooks here are asked in v1.
const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// Fills in what a configuration leaves out.
pub fn default(kind: &str, object: &mut Value) {
    let webhooks = object.get_mut("webhooks").and_then(Value::as_array_mut);
    for webhook in webhooks.into_iter().flatten().filter_map(Value::as_object_mut) {
        default_webhook(webhook);
        if kind == "MutatingWebhookConfiguration" {
            meta::default_to(webhook, "reinvocationPolicy", "Never");
        }
    }
}

fn default_webhook(webhook: &mut Map<String, Value>) {
    meta::default_to(webhook, "failurePolicy", "Fail");
    meta::default_to(webhook, "matchPolicy", "Equivalent");
    meta::default_to(webhook, "namespaceSelector", json!({}));
    meta::default_to(webhook, "objectSelector", json!({}));
    meta::default_to(webhook, "timeoutSeconds", 10);
    for rule in webhook.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(rule) = rule.as_object_mut() {
            meta::default_to(rule, "scope", "*");
        }
    }
    let service = webhook.get_mut("clientConfig").and_then(|client| client.get_mut("service"));
    if let Some(service) = service.and_then(Value::as_object_mut) {
        meta::default_to(service, "port", 443);
    }
}

/// What is wrong with a configuration.
pub fn problems(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut names = BTreeSet::new();
    let webhooks = object.get("webhooks").and_then(Value::as_array);
    for (index, webhook) in webhooks.into_iter().flatten().enumerate() {
        let at = |field: &str| format!("webhooks[{index}].{field}");
        let name = meta::str_at(webhook, &["name"]);
        if name.split('.').filter(|part| !part.is_empty()).count() < 3 {
            let why = "should be a domain with at least three segments separated by dots";
            causes.push(Cause::invalid(at("name"), &name.into(), why));
        }
        if !names.insert(name) {
            causes.push(Cause::duplicate(at("name"), &name.into()));
        }
        if let Some(seconds) = webhook.get("timeoutSeconds").and_then(Value::as_i64)
            && !TIMEOUT_SECONDS.contains(&seconds)
        {
            let why = "the timeout value must be between 1 and 30 seconds";
            causes.push(Cause::invalid(at("timeoutSeconds"), &seconds.into(), why));
        }
        for (field, allowed) in [
            ("failurePolicy", ["Fail", "Ignore"]),
            ("matchPolicy", ["Equivalent", "Exact"]),
            ("reinvocationPolicy", ["IfNeeded", "Never"]),
            ("sideEffects", SIDE_EFFECTS),
        ] {
            if let Some(value) = webhook.get(field)
                && !allowed.iter().any(|allowed| value == allowed)
            {
                causes.push(Cause::not_supported(at(field), value, &allowed.map(str::to_owned)));
            }
        }
        let versions = webhook.get("admissionReviewVersions").and_then(Value::as_array);
        if let Some(versions) = versions
            && !versions.iter().any(|version| REVIEW_VERSIONS.iter().any(|known| version == known))
        {
            let why = "must include at least one of v1, v1beta1";
            causes.push(Cause::invalid(at("admissionReviewVersions"), &versions.clone().into(), why));
        }
        causes.extend(client_problems(
            webhook.get("clientConfig").unwrap_or(&Value::Null),
            &at("clientConfig"),
        ));
    }
    causes
}

fn client_problems(client: &Value, field: &str) -> Option<Cause> {
    let url = client.get("url").and_then(Value::as_str);
    match (url, client.get("service")) {
        (Some(_), Some(_)) | (None, None) => {
            Some(Cause::required(field, "exactly one of url or service is required"))
        }
        (None, Some(_)) => None,
        (Some(url), None) => url_problem(url, &format!("{field}.url")),
    }
}

fn url_problem(url: &str, field: &str) -> Option<Cause> {
    const FORM: &str = "; desired format: https://host[/path]";
    let parsed = match url.parse::<Uri>() {
        Ok(parsed) => parsed,
        Err(error) => {
            return Some(Cause::required(field, &format!("url must be a valid URL: {error}{FORM}")));
        }
    };
    let refused = |value: &str, why: &str| Some(Cause::invalid(field, &value.into(), why));
    if parsed.scheme_str() != Some("https") {
        let why = format!("'https' is the only allowed URL scheme{FORM}");
        return refused(parsed.scheme_str().unwrap_or_default(), &why);
    }
    if parsed.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return refused(url, "user information is not permitted in the URL");
    }
    match parsed.query() {
        Some(query) => refused(query, "query parameters are not permitted in the URL"),
        None => None,
    }
}
