//! Whether a webhook is responsible for a write.

use std::sync::Arc;

use k8s_openapi::api::admissionregistration::v1::RuleWithOperations;
use kube_cel::{AdmissionRequest, GroupVersionKind, GroupVersionResource, VapEvaluator, VapExpression};
use serde_json::{Value, json};

use super::hook::{Hook, resource_matches};
use super::{Attributes, Operation, review};
use crate::registry::Resource;
use crate::selector::label_selector_matches;
use crate::store::Object;

/// What an expression that is false says; errors say more.
const FALSE: &str = "false";

/// The resource, and with it the API version, as which the webhook is shown the object; `None` if it is not asked.
pub fn seen_as(
    hook: &Hook,
    attributes: &Attributes<'_>,
    object: Option<&Value>,
    old: Option<&Object>,
) -> Option<Arc<Resource>> {
    let old = old.map(|old| &**old);
    let labels = |object: &Value| object.pointer("/metadata/labels").cloned().unwrap_or(json!({}));
    let objects = [object, old].into_iter().flatten();
    if !objects.into_iter().any(|object| label_selector_matches(&hook.objects, &labels(object))) {
        return None;
    }
    if let Some(namespace) = namespace(attributes, object, old)
        && !label_selector_matches(&hook.namespaces, &labels(&namespace))
    {
        return None;
    }
    let asked_for = attributes.state.registry.find(
        &attributes.resource.group,
        &attributes.resource.version,
        &attributes.resource.plural,
    )?;
    if hook.rules.iter().any(|rule| covers(rule, attributes, &asked_for)) {
        return Some(asked_for);
    }
    let all = if hook.exact { Vec::new() } else { attributes.state.registry.all() };
    let is_other = |other: &Arc<Resource>| other.storage == asked_for.storage;
    all.into_iter()
        .filter(is_other)
        .find(|other| hook.rules.iter().any(|rule| covers(rule, attributes, other)))
}

/// The namespace whose labels count; none for objects outside of namespaces.
fn namespace(attributes: &Attributes<'_>, object: Option<&Value>, old: Option<&Value>) -> Option<Value> {
    if attributes.resource.is("", "Namespace") {
        let itself = if attributes.operation == Operation::Delete { old } else { object };
        return itself.cloned();
    }
    if attributes.namespace.is_empty() {
        return None;
    }
    let namespaces = attributes.state.registry.find("", "v1", "namespaces")?;
    // One that is not there has no labels.
    let found = attributes.state.get(&namespaces, "", attributes.namespace);
    Some(found.map(|found| Value::clone(&found)).unwrap_or_default())
}

fn covers(rule: &RuleWithOperations, attributes: &Attributes<'_>, resource: &Resource) -> bool {
    let lists = |list: &Option<Vec<String>>, wanted: &str| {
        list.iter().flatten().any(|one| one == "*" || one == wanted)
    };
    let of_resource = rule
        .resources
        .iter()
        .flatten()
        .any(|one| resource_matches(one, &resource.plural, attributes.subresource));
    let of_scope = match rule.scope.as_deref() {
        Some("Namespaced") => resource.namespaced,
        Some("Cluster") => !resource.namespaced,
        _ => true,
    };
    of_resource
        && of_scope
        && lists(&rule.operations, attributes.operation.name())
        && lists(&rule.api_groups, &resource.group)
        && lists(&rule.api_versions, &resource.version)
}

/// Whether all match conditions hold. One that is false decides; what cannot be evaluated is told otherwise.
pub fn conditions_hold(
    hook: &Hook,
    attributes: &Attributes<'_>,
    resource: &Resource,
    object: Option<&Value>,
    old: Option<&Value>,
) -> Result<bool, String> {
    if hook.conditions.is_empty() {
        return Ok(true);
    }
    let request = AdmissionRequest {
        operation: attributes.operation.name().to_owned(),
        username: review::USER.to_owned(),
        groups: review::GROUPS.map(str::to_owned).to_vec(),
        name: attributes.name.to_owned(),
        namespace: attributes.namespace.to_owned(),
        dry_run: attributes.dry_run,
        kind: GroupVersionKind {
            group: resource.group.clone(),
            version: resource.version.clone(),
            kind: resource.kind.clone(),
        },
        resource: GroupVersionResource {
            group: resource.group.clone(),
            version: resource.version.clone(),
            resource: resource.plural.clone(),
        },
        ..AdmissionRequest::default()
    };
    let evaluator = VapEvaluator::builder()
        .object(object.cloned().unwrap_or_default())
        .old_object(old.cloned().unwrap_or_default())
        .request(request)
        .build();
    let expressions: Vec<VapExpression> = hook
        .conditions
        .iter()
        .map(|expression| VapExpression {
            expression: expression.clone(),
            message: Some(FALSE.to_owned()),
            message_expression: None,
        })
        .collect();
    let results = evaluator.evaluate(&expressions);
    let messages: Vec<String> =
        results.into_iter().filter(|one| !one.passed).filter_map(|one| one.message).collect();
    if messages.iter().any(|message| message == FALSE) {
        return Ok(false);
    }
    match messages.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(true),
    }
}
