//! PUT, and the common end of everything that replaces an object.

use serde_json::Value;

use super::write::{ATTEMPTS_MAX, Written, after_removal, after_write, check_identity, is_finished, writer};
use super::{Call, WriteOptions};
use crate::admit;
use crate::error::{ApiError, Cause};
use crate::kinds;
use crate::meta;
use crate::patch::managed::{self, Entry};
use crate::patch::shape::Shape;
use crate::registry::Resource;
use crate::request::Body;
use crate::state::State;
use crate::store::{Object, WriteError};
use crate::view;
use crate::webhook::{self, Attributes, Operation};

/// `PUT` of an object or of its status.
pub async fn update(call: &Call, body: Body) -> Result<Written, ApiError> {
    let options = call.write_options("UpdateOptions", body.duplicates)?;
    let mut new = body.value;
    check_identity(&call.resource, &mut new, &call.namespace, &call.name)?;
    for _ in 0..ATTEMPTS_MAX {
        let current = call.state.get(&call.resource, &call.namespace, &call.name)?;
        if meta::resource_version(&new) == 0 && !call.resource.unconditional_update() {
            let cause =
                Cause::invalid("metadata.resourceVersion", &0.into(), "must be specified for an update");
            let target = call.resource.target(&call.name);
            return Err(ApiError::Invalid { target, causes: vec![cause] });
        }
        match replace(call, &current, new.clone(), &options, None).await? {
            Some(written) => return Ok(written),
            None => continue,
        }
    }
    Err(busy(call))
}

/// The error after too many lost races.
pub fn busy(call: &Call) -> ApiError {
    ApiError::Conflict { target: call.resource.target(&call.name), detail: MODIFIED.to_owned() }
}

const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// Replaces `current` by `new`, which is in the form of the wire. `applied`
/// holds the `managedFields` of a server-side apply. `None` means that another
/// writer was faster and the caller should look again.
pub async fn replace(
    call: &Call,
    current: &Object,
    mut new: Value,
    options: &WriteOptions,
    applied: Option<Vec<Entry>>,
) -> Result<Option<Written>, ApiError> {
    let (state, resource) = (&call.state, &*call.resource);
    check_identity(resource, &mut new, &call.namespace, &call.name)?;
    check_preconditions(resource, current, &new)?;
    let mut warnings = admit::decode(resource, &mut new, options.validation, &options.duplicates)?;
    view::to_stored(resource, &mut new);
    let sent_entries = meta::at(&new, &["metadata", "managedFields"]).cloned();
    let mut new = combine(resource, &call.subresource, current, new);
    admit::default(resource, &mut new);
    if call.subresource.is_empty() {
        kinds::prepare_update(resource, &mut new, current);
    }
    check_finalizers(resource, current, &new)?;
    let entries = match applied {
        Some(entries) => entries,
        None => {
            let start = starting_entries(current, sent_entries.as_ref());
            let shape = Shape::of(resource);
            managed::record_update(
                Some(current),
                &new,
                start,
                &writer(call, "Update"),
                shape,
                &meta::now_seconds(),
            )
        }
    };
    // What webhooks change belongs to nobody.
    let attributes = Attributes::of(call, &call.name, Operation::Update, options.dry_run);
    // The door of the scale has an object of its own.
    let is_asked = call.writes_as == call.subresource;
    if is_asked {
        warnings.extend(webhook::mutate(&attributes, Some(&mut new), Some(current)).await?);
    }
    admit::check(resource, &new, Some(current))?;
    if resource.has_generation() && admit::specification_differs(resource, &new, current) {
        meta::metadata_mut(&mut new).insert("generation".into(), (meta::generation(current) + 1).into());
    }
    if is_asked {
        warnings.extend(webhook::validate(&attributes, Some(&new), Some(current)).await?);
    }
    managed::write(&mut new, &entries);
    if same(&new, current) {
        return Ok(Some(Written { object: current.clone(), created: false, warnings }));
    }
    if options.dry_run {
        return Ok(Some(Written { object: new.into(), created: false, warnings }));
    }
    let key = State::key(resource, &call.namespace, &call.name);
    let version = meta::resource_version(current);
    let finished = is_finished(resource, &new);
    let result = if finished {
        // The last finalizer goes with the object: watches see it as it was, the writer as it asked.
        state.store.remove(&key, version, Value::clone(current)).map(|last| {
            after_removal(state, resource, &last);
            Object::new(new)
        })
    } else {
        state.store.replace(&key, version, new).inspect(|object| after_write(state, resource, object))
    };
    match result {
        Ok(object) => Ok(Some(Written { object, created: false, warnings })),
        Err(WriteError::Missing) => Err(ApiError::NotFound(resource.target(&call.name))),
        Err(WriteError::Moved | WriteError::Exists) => Ok(None),
    }
}

fn check_preconditions(resource: &Resource, current: &Value, new: &Value) -> Result<(), ApiError> {
    let target = || resource.target(meta::name(current));
    let sent = meta::meta_str(new, "resourceVersion");
    if !matches!(sent, "" | "0") && sent != meta::meta_str(current, "resourceVersion") {
        return Err(ApiError::Conflict { target: target(), detail: MODIFIED.to_owned() });
    }
    let uid = meta::uid(new);
    if !uid.is_empty() && uid != meta::uid(current) {
        let detail = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            meta::uid(current)
        );
        return Err(ApiError::Conflict { target: target(), detail });
    }
    Ok(())
}

/// Takes from the new object what the door may change, and the rest from the
/// stored one.
fn combine(resource: &Resource, subresource: &str, current: &Value, mut new: Value) -> Value {
    if subresource == "status" && resource.is_builtin() {
        return combine_builtin_status(resource, current, new);
    }
    if subresource == "status" {
        let mut out = current.clone();
        if let Some(map) = out.as_object_mut() {
            match new.get_mut("status").map(Value::take) {
                Some(status) if !status.is_null() => map.insert("status".into(), status),
                _ => map.remove("status"),
            };
            // The door of a version may not be the one it was stored through.
            if !resource.is_builtin() {
                map.insert("apiVersion".into(), resource.api_version().into());
            }
        }
        return out;
    }
    let metadata = meta::metadata_mut(&mut new);
    let owned = [
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "resourceVersion",
        "selfLink",
    ];
    for field in owned {
        match meta::metadata(current).and_then(|m| m.get(field)) {
            Some(value) => metadata.insert(field.to_owned(), value.clone()),
            None => metadata.remove(field),
        };
    }
    if let Some(map) = new.as_object_mut().filter(|_| resource.has_status) {
        match current.get("status") {
            Some(status) => map.insert("status".into(), status.clone()),
            None => map.remove("status"),
        };
    }
    new
}

/// The status door of built-in kinds leaves the specification alone, but lets
/// labels and annotations pass, except for the labels of workloads.
fn combine_builtin_status(resource: &Resource, current: &Value, new: Value) -> Value {
    let status = new.get("status").cloned();
    let mut out = combine(resource, "", current, new);
    let kept = if resource.group == "apps" {
        ["ownerReferences", "labels"].as_slice()
    } else {
        &["ownerReferences"]
    };
    let metadata = meta::metadata_mut(&mut out);
    for field in kept {
        match meta::metadata(current).and_then(|m| m.get(*field)) {
            Some(value) => metadata.insert((*field).to_owned(), value.clone()),
            None => metadata.remove(*field),
        };
    }
    let Some(map) = out.as_object_mut() else { return out };
    map.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "metadata"));
    for (key, value) in current.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "metadata" | "status") {
            map.insert(key.clone(), value.clone());
        }
    }
    if let Some(status) = status {
        map.insert("status".into(), status);
    }
    out
}

/// While an object is being deleted, finalizers may only go.
fn check_finalizers(resource: &Resource, current: &Value, new: &Value) -> Result<(), ApiError> {
    if !meta::is_deleting(current) {
        return Ok(());
    }
    let before = meta::finalizers(current);
    let added: Vec<&str> = meta::finalizers(new).into_iter().filter(|f| !before.contains(f)).collect();
    if added.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        added.iter().map(|f| format!("{f:?}")).collect::<Vec<_>>().join(", ")
    );
    let causes = vec![Cause::forbidden("metadata.finalizers", &detail)];
    Err(ApiError::Invalid { target: resource.kind_target(meta::name(current)), causes })
}

/// `managedFields` to start from: those the client sent, if it changed them
/// (an empty list resets them), otherwise the stored ones.
fn starting_entries(current: &Value, sent: Option<&Value>) -> Vec<Entry> {
    match sent {
        Some(list) if Some(list) != meta::at(current, &["metadata", "managedFields"]) => {
            let scratch = serde_json::json!({"metadata": {"managedFields": list}});
            managed::read(&scratch)
        }
        _ => managed::read(current),
    }
}

/// True if nothing differs but resource version and times of `managedFields`.
fn same(new: &Value, current: &Value) -> bool {
    let strip = |object: &Value| {
        let mut object = object.clone();
        let metadata = meta::metadata_mut(&mut object);
        metadata.remove("resourceVersion");
        for entry in metadata.get_mut("managedFields").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(map) = entry.as_object_mut() {
                map.remove("time");
            }
        }
        object
    };
    strip(new) == strip(current)
}
