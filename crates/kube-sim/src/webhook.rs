//! Admission webhooks: which of those that are registered are asked about a write, in which order, and what
//! becomes of their answers. `rest` calls [`mutate`] before an object is checked and [`validate`] after that.
//!
//! Source: Kubernetes' documentation "Dynamic Admission Control", and the texts of kube-apiserver's
//! `admission/plugin/webhook`.

mod call;
mod hook;
mod matching;
mod review;

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::admit::{self, FieldValidation};
use crate::error::{ApiError, Denial};
use crate::meta;
use crate::patch;
use crate::registry::Resource;
use crate::request::Query;
use crate::rest::Call;
use crate::state::State;
use crate::store::Object;
use crate::view;
use hook::Hook;
use review::Answer;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    /// As reviews and rules name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    /// The kind of its options.
    fn options(self) -> &'static str {
        match self {
            Self::Create => "CreateOptions",
            Self::Update => "UpdateOptions",
            Self::Delete => "DeleteOptions",
        }
    }
}

/// A write, beside its objects.
pub struct Attributes<'a> {
    pub state: &'a State,
    pub resource: &'a Resource,
    /// Empty for cluster scope.
    pub namespace: &'a str,
    /// Empty where it is still to be made from a prefix.
    pub name: &'a str,
    pub subresource: &'a str,
    pub operation: Operation,
    pub dry_run: bool,
    /// Options of the request.
    pub options: Value,
}

impl<'a> Attributes<'a> {
    /// What `call` asks for.
    pub fn of(call: &'a Call, name: &'a str, operation: Operation, dry_run: bool) -> Self {
        Self {
            state: &call.state,
            resource: &call.resource,
            namespace: &call.namespace,
            name,
            subresource: &call.subresource,
            operation,
            dry_run,
            options: options(operation, &call.query, dry_run),
        }
    }
}

fn options(operation: Operation, query: &Query, dry_run: bool) -> Value {
    let mut options = json!({"kind": operation.options(), "apiVersion": "meta.k8s.io/v1"});
    if dry_run {
        options["dryRun"] = json!(["All"]);
    }
    for field in ["fieldManager", "fieldValidation"] {
        if !query.get(field).is_empty() {
            options[field] = query.get(field).into();
        }
    }
    options
}

/// The two kinds of configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Mutating,
    Validating,
}

impl Phase {
    fn storage(self) -> &'static str {
        match self {
            Self::Mutating => "mutatingwebhookconfigurations.admissionregistration.k8s.io",
            Self::Validating => "validatingwebhookconfigurations.admissionregistration.k8s.io",
        }
    }
}

/// Webhooks of a phase, in the order of the names of their configurations. None are asked about the
/// configurations themselves, so that a broken one can be removed.
fn hooks(attributes: &Attributes<'_>, phase: Phase) -> Vec<Hook> {
    if attributes.resource.is_builtin() && attributes.resource.group == "admissionregistration.k8s.io" {
        return Vec::new();
    }
    let snapshot = attributes.state.store.snapshot(phase.storage());
    let (operation, plural) = (attributes.operation.name(), &attributes.resource.plural);
    let configurations = snapshot.objects.values();
    configurations.flat_map(|one| hook::read(one, operation, plural, attributes.subresource)).collect()
}

/// Lets the mutating webhooks change `object`, which is in the form of the store; `None` for a delete. Returns
/// their warnings.
///
/// # Errors
/// One of them denies the request, or cannot be asked and must be.
pub async fn mutate(
    attributes: &Attributes<'_>,
    mut object: Option<&mut Value>,
    old: Option<&Object>,
) -> Result<Vec<String>, ApiError> {
    let hooks = hooks(attributes, Phase::Mutating);
    let mut warnings = Vec::new();
    // Those that want to see what others changed after them are asked once more.
    let mut asked: BTreeSet<usize> = BTreeSet::new();
    let mut again: BTreeSet<usize> = BTreeSet::new();
    for round in 0..2 {
        for (index, hook) in hooks.iter().enumerate() {
            if round == 1 && !again.contains(&index) {
                continue;
            }
            let Some(answer) = ask(hook, Phase::Mutating, attributes, object.as_deref(), old).await? else {
                continue;
            };
            warnings.extend(answer.warnings);
            if let Some(operations) = answer.patch {
                let Some(object) = object.as_deref_mut() else {
                    return Err(internal(format!(
                        "admission webhook {:?} attempted to modify the object, which is not supported for this operation",
                        hook.name
                    )));
                };
                if apply(attributes, &answer.seen_as, object, &operations)? {
                    again.append(&mut asked);
                }
            }
            if hook.asks_again {
                asked.insert(index);
            }
        }
        if again.is_empty() {
            break;
        }
    }
    Ok(warnings)
}

/// Lets the validating webhooks judge, all at once. Returns their warnings.
///
/// # Errors
/// One of them denies the request, or cannot be asked and must be.
pub async fn validate(
    attributes: &Attributes<'_>,
    object: Option<&Value>,
    old: Option<&Object>,
) -> Result<Vec<String>, ApiError> {
    let hooks = hooks(attributes, Phase::Validating);
    let answers = hooks.iter().map(|hook| ask(hook, Phase::Validating, attributes, object, old));
    let mut warnings = Vec::new();
    for answer in join_all(answers).await {
        warnings.extend(answer?.into_iter().flat_map(|answer| answer.warnings));
    }
    Ok(warnings)
}

/// Asks one webhook, if it is responsible. `None` where it is not, or could not be asked and need not be.
async fn ask(
    hook: &Hook,
    phase: Phase,
    attributes: &Attributes<'_>,
    object: Option<&Value>,
    old: Option<&Object>,
) -> Result<Option<Answer>, ApiError> {
    let Some(resource) = matching::seen_as(hook, attributes, object, old) else { return Ok(None) };
    let object = object.map(|object| view::to_wire(&resource, &object.clone().into()));
    let old = old.map(|old| view::to_wire(&resource, old));
    match matching::conditions_hold(hook, attributes, &resource, object.as_deref(), old.as_deref()) {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(error) if hook.fails_open => {
            tracing::warn!(webhook = hook.name, error, "a match condition failed, failing open");
            return Ok(None);
        }
        Err(error) => {
            return Err(internal(format!(
                "failed to evaluate match condition of webhook {:?}: {error}",
                hook.name
            )));
        }
    }
    let uid = meta::new_uid();
    let review = review::request(attributes, &resource, &uid, object.as_deref(), old.as_deref());
    let called = call::post(hook, attributes.state, &review).await;
    let reason = match called {
        Err(error) => format!("failed to call webhook: {error}"),
        Ok(body) => match review::response(&body, &uid, phase) {
            Err(error) => format!("received invalid webhook response: {error}"),
            Ok(response) if response.allowed => {
                return Ok(Some(Answer {
                    patch: response.patch,
                    warnings: response.warnings,
                    seen_as: resource,
                }));
            }
            Ok(response) => return Err(ApiError::Denied(Box::new(Denial::new(&hook.name, response.status)))),
        },
    };
    let message = format!("failed calling webhook {:?}: {reason}", hook.name);
    if hook.fails_open {
        tracing::warn!(message, "failing open");
        return Ok(None);
    }
    Err(internal(message))
}

/// Changes `object` as a webhook says that saw it as `resource`; whether that made a difference.
fn apply(
    attributes: &Attributes<'_>,
    resource: &Resource,
    object: &mut Value,
    operations: &Value,
) -> Result<bool, ApiError> {
    let seen = view::to_wire(resource, &object.clone().into());
    let mut patched = patch::json(&seen, operations).map_err(|error| match error {
        ApiError::PatchFailed(detail) => internal(detail),
        other => other,
    })?;
    admit::decode(resource, &mut patched, FieldValidation::Ignore, &[])
        .map_err(|error| internal(error.to_string()))?;
    let is_same_form = meta::str_at(&seen, &["apiVersion"]) == meta::str_at(object, &["apiVersion"]);
    if !is_same_form {
        view::to_stored(resource, &mut patched);
        patched["apiVersion"] = object["apiVersion"].clone();
    }
    admit::default(attributes.resource, &mut patched);
    let differs = patched != *object;
    *object = patched;
    Ok(differs)
}

fn internal(message: String) -> ApiError {
    ApiError::Coded {
        code: 500,
        message: format!("Internal error occurred: {message}"),
        retry_after_seconds: None,
    }
}
