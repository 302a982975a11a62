//! DELETE of an object and of a collection: preconditions, grace period,
//! finalizers, what becomes of dependents.

use serde_json::Value;

use super::Call;
use super::read::{self, Page};
use super::write::{self, ATTEMPTS_MAX};
use crate::error::{ApiError, Cause};
use crate::gc;
use crate::meta;
use crate::registry::{Resource, custom};
use crate::state::State;
use crate::store::{Key, Object, WriteError};
use crate::webhook::{self, Attributes, Operation};

/// Options of a delete.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Overrides the grace period of the object, in seconds.
    pub grace_period_seconds: Option<i64>,
    /// Leave dependents alone.
    pub orphan: bool,
    /// The object must have this uid.
    pub uid: Option<String>,
    /// The object must have this resource version.
    pub resource_version: Option<String>,
    /// Do everything but store.
    pub dry_run: bool,
}

/// What a delete did.
pub enum Deleted {
    /// The object is gone; its last state.
    Gone(Object),
    /// It waits for finalizers or its grace period.
    Waiting(Object),
}

impl Options {
    fn parse(call: &Call, body: &Value) -> Result<Self, ApiError> {
        let text = |path: &[&str]| Some(meta::str_at(body, path).to_owned()).filter(|s| !s.is_empty());
        let policy =
            text(&["propagationPolicy"]).unwrap_or_else(|| call.query.get("propagationPolicy").to_owned());
        let orphan_flag = meta::at(body, &["orphanDependents"]).and_then(Value::as_bool).unwrap_or(false);
        if !matches!(policy.as_str(), "" | "Orphan" | "Background" | "Foreground") {
            let allowed = ["Foreground", "Background", "Orphan", "nil"].map(str::to_owned);
            let cause = Cause::not_supported("propagationPolicy", &policy.into(), &allowed);
            return Err(ApiError::options("DeleteOptions", cause));
        }
        let grace = match body.get("gracePeriodSeconds").and_then(Value::as_i64) {
            Some(grace) => Some(grace),
            None => call.query.number("gracePeriodSeconds")?.and_then(|n| i64::try_from(n).ok()),
        };
        Ok(Self {
            grace_period_seconds: grace,
            orphan: policy == "Orphan" || orphan_flag,
            uid: text(&["preconditions", "uid"]),
            resource_version: text(&["preconditions", "resourceVersion"]),
            dry_run: call.query.dry_run("DeleteOptions")?
                || body.get("dryRun").and_then(Value::as_array).is_some_and(|l| !l.is_empty()),
        })
    }
}

/// `DELETE` of an object.
pub async fn one(call: &Call, body: &Value) -> Result<Deleted, ApiError> {
    let options = Options::parse(call, body)?;
    let key = State::key(&call.resource, &call.namespace, &call.name);
    admit(call, &key, &options).await?;
    delete(&call.state, &call.resource, &key, &options)
}

/// `DELETE` of a collection: everything the selectors match.
pub async fn collection(call: &Call, body: &Value) -> Result<Page, ApiError> {
    let options = Options::parse(call, body)?;
    let page = read::list(call)?;
    for object in &page.objects {
        let key = State::key(&call.resource, meta::namespace(object), meta::name(object));
        admit(call, &key, &options).await?;
        match delete(&call.state, &call.resource, &key, &options) {
            // Someone else removed it meanwhile.
            Err(ApiError::NotFound(_)) | Ok(_) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(page)
}

/// Asks the admission webhooks about a delete. Warnings of theirs are not passed on.
async fn admit(call: &Call, key: &Key, options: &Options) -> Result<(), ApiError> {
    let Some(current) = call.state.store.get(key) else { return Ok(()) };
    let mut attributes = Attributes::of(call, &key.name, Operation::Delete, options.dry_run);
    attributes.namespace = &key.namespace;
    webhook::mutate(&attributes, None, Some(&current)).await?;
    webhook::validate(&attributes, None, Some(&current)).await?;
    Ok(())
}

/// Deletes an object, or starts to.
pub fn delete(state: &State, resource: &Resource, key: &Key, options: &Options) -> Result<Deleted, ApiError> {
    for _ in 0..ATTEMPTS_MAX {
        let current = state.store.get(key).ok_or_else(|| ApiError::NotFound(resource.target(&key.name)))?;
        check_preconditions(resource, &current, options)?;
        let marked = mark(resource, &current, options);
        let finished = write::is_finished(resource, &marked);
        if options.dry_run {
            return Ok(if finished { Deleted::Gone(current) } else { Deleted::Waiting(marked.into()) });
        }
        if options.orphan {
            gc::release_dependents(state, meta::uid(&current));
        }
        if !finished && marked == *current {
            return Ok(Deleted::Waiting(current));
        }
        let version = meta::resource_version(&current);
        let result = if finished {
            // The last state does not show the marks of an immediate delete,
            // but that of a pod does.
            let shown = meta::is_deleting(&current) || resource.is("", "Pod");
            let last = if shown { marked } else { Value::clone(&current) };
            state.store.remove(key, version, last)
        } else {
            state.store.replace(key, version, marked)
        };
        match result {
            Ok(object) if finished => {
                write::after_removal(state, resource, &object);
                return Ok(Deleted::Gone(object));
            }
            Ok(object) => {
                write::after_write(state, resource, &object);
                return Ok(Deleted::Waiting(object));
            }
            Err(WriteError::Moved) => {}
            Err(WriteError::Missing | WriteError::Exists) => {
                return Err(ApiError::NotFound(resource.target(&key.name)));
            }
        }
    }
    let detail = "the object is being modified too often".to_owned();
    Err(ApiError::Conflict { target: resource.target(&key.name), detail })
}

fn check_preconditions(resource: &Resource, current: &Value, options: &Options) -> Result<(), ApiError> {
    let checks = [
        ("UID", &options.uid, meta::uid(current)),
        ("ResourceVersion", &options.resource_version, meta::meta_str(current, "resourceVersion")),
    ];
    for (what, wanted, found) in checks {
        if let Some(wanted) = wanted
            && wanted != found
        {
            let detail = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object \
                 might have been deleted and then recreated"
            );
            return Err(ApiError::Conflict { target: resource.kind_target(meta::name(current)), detail });
        }
    }
    Ok(())
}

/// The object with the marks of deletion.
fn mark(resource: &Resource, current: &Value, options: &Options) -> Value {
    let grace = grace_period(resource, current, options);
    let mut object = current.clone();
    let metadata = meta::metadata_mut(&mut object);
    let previous = metadata.get("deletionGracePeriodSeconds").and_then(Value::as_i64);
    // A second delete may shorten the grace period, not lengthen it.
    if metadata.contains_key("deletionTimestamp") && previous.is_none_or(|p| p <= grace) {
        return object;
    }
    let first = !metadata.contains_key("deletionTimestamp");
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(grace);
    metadata.insert("deletionTimestamp".into(), meta::format_seconds(at).into());
    // Namespaces and CRDs have their own way to be deleted.
    let is_crd = resource.is("apiextensions.k8s.io", "CustomResourceDefinition");
    if !is_crd && !resource.is("", "Namespace") {
        metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
    }
    if first {
        if !is_crd && let Some(generation) = metadata.get("generation").and_then(Value::as_i64) {
            metadata.insert("generation".into(), (generation + 1).into());
        }
        if resource.is("", "Namespace") {
            meta::object_mut(object_map(&mut object), "status").insert("phase".into(), "Terminating".into());
        }
        if is_crd {
            custom::mark_terminating(&mut object, &meta::now_seconds());
            let metadata = meta::metadata_mut(&mut object);
            let finalizers = metadata.entry("finalizers").or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = finalizers
                && !list.iter().any(|f| f == gc::CRD_FINALIZER)
            {
                list.push(gc::CRD_FINALIZER.into());
            }
        }
    }
    object
}

fn object_map(object: &mut Value) -> &mut serde_json::Map<String, Value> {
    match object {
        Value::Object(map) => map,
        _ => unreachable!("stored values are objects"),
    }
}

/// Seconds that a pod may take to stop. Only pods know a grace period; those
/// that never ran, or have stopped, need none.
fn grace_period(resource: &Resource, current: &Value, options: &Options) -> i64 {
    if !resource.is("", "Pod") {
        return 0;
    }
    let phase = meta::str_at(current, &["status", "phase"]);
    if meta::str_at(current, &["spec", "nodeName"]).is_empty() || matches!(phase, "Succeeded" | "Failed") {
        return 0;
    }
    let own = meta::at(current, &["spec", "terminationGracePeriodSeconds"]).and_then(Value::as_i64);
    options.grace_period_seconds.or(own).unwrap_or(30).max(0)
}
