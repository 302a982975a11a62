//! PATCH of an object or of its status.

use serde_json::Value;

use super::{Call, WriteOptions, update, write};
use crate::admit;
use crate::error::ApiError;
use crate::kinds;
use crate::meta;
use crate::patch::{self, apply, managed, shape::Shape};
use crate::request::{Body, BodyKind};
use crate::store::Object;
use crate::view;
use write::Written;

/// Applies a patch.
pub fn patch(call: &Call, kind: BodyKind, body: Body) -> Result<Written, ApiError> {
    let options = call.write_options(body.duplicates)?;
    if kind == BodyKind::Apply {
        return apply(call, body.value, &options);
    }
    for _ in 0..write::ATTEMPTS_MAX {
        let current = call.state.get(&call.resource, &call.namespace, &call.name)?;
        let seen = view::to_wire(&call.resource, &current);
        let patched = patched(call, kind, &seen, &body.value)?;
        if let Some(written) = update::replace(call, &current, patched, &options, None)? {
            return Ok(written);
        }
    }
    Err(update::busy(call))
}

/// The object after the patch, in the form of the wire.
pub fn patched(call: &Call, kind: BodyKind, target: &Value, body: &Value) -> Result<Value, ApiError> {
    match kind {
        BodyKind::JsonPatch => patch::json(target, body),
        BodyKind::MergePatch => patch::merge(target, body),
        BodyKind::StrategicPatch if call.resource.is_builtin() => {
            patch::strategic::patch(target, body, Shape::of(&call.resource))
        }
        BodyKind::StrategicPatch => Err(ApiError::UnsupportedMediaType(
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )),
        BodyKind::Object | BodyKind::Apply => Err(ApiError::Internal("not a patch of an object".into())),
    }
}

fn apply(call: &Call, config: Value, options: &WriteOptions) -> Result<Written, ApiError> {
    if call.query.get("fieldManager").is_empty() {
        return Err(ApiError::BadRequest(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch".into(),
        ));
    }
    if meta::at(&config, &["metadata", "managedFields"])
        .and_then(Value::as_array)
        .is_some_and(|l| !l.is_empty())
    {
        return Err(ApiError::BadRequest("metadata.managedFields must be nil".into()));
    }
    for _ in 0..write::ATTEMPTS_MAX {
        let written = match call.state.get(&call.resource, &call.namespace, &call.name) {
            Ok(current) => apply_to(call, &config, &current, options)?,
            Err(missing) if !call.subresource.is_empty() => return Err(missing),
            Err(_) => match create(call, &config, options) {
                Err(ApiError::AlreadyExists(_)) => None,
                other => Some(other?),
            },
        };
        if let Some(written) = written {
            return Ok(written);
        }
    }
    Err(update::busy(call))
}

/// The configuration, checked and reduced to known fields.
fn cleaned(call: &Call, config: &Value, options: &WriteOptions) -> Result<(Value, Vec<String>), ApiError> {
    let mut config = config.clone();
    if !config.is_object() {
        return Err(ApiError::BadRequest("an apply patch must be an object".into()));
    }
    for (field, expected) in
        [("apiVersion", call.resource.api_version()), ("kind", call.resource.kind.clone())]
    {
        let found = meta::str_at(&config, &[field]);
        if found != expected {
            return Err(ApiError::BadRequest(format!(
                "the {field} of the applied configuration ({found:?}) must be {expected:?}"
            )));
        }
    }
    if call.resource.has_status
        && call.subresource.is_empty()
        && let Some(map) = config.as_object_mut()
    {
        map.remove("status");
    }
    let warnings = admit::decode(&call.resource, &mut config, options.validation, &options.duplicates)?;
    view::to_stored(&call.resource, &mut config);
    Ok((config, warnings))
}

fn create(call: &Call, config: &Value, options: &WriteOptions) -> Result<Written, ApiError> {
    let (config, warnings) = cleaned(call, config, options)?;
    let writer = write::writer(call, "Apply");
    let shape = Shape::of(&call.resource);
    let request = apply::Request {
        live: None,
        config: &config,
        writer: &writer,
        force: true,
        shape,
        now: &meta::now_seconds(),
    };
    let entries = apply::apply(&request).map_err(ApiError::ApplyConflict)?.entries;
    // The checked configuration goes through the wire form once more.
    let object = Value::clone(&view::to_wire(&call.resource, &config.into()));
    let mut written = write::create_object(call, object, options, |_| entries)?;
    written.warnings = warnings;
    Ok(written)
}

fn apply_to(
    call: &Call,
    config: &Value,
    current: &Object,
    options: &WriteOptions,
) -> Result<Option<Written>, ApiError> {
    let (config, warnings) = cleaned(call, config, options)?;
    let resource = &call.resource;
    let uid = meta::uid(&config);
    if !uid.is_empty() && uid != meta::uid(current) {
        let detail = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            meta::uid(current)
        );
        return Err(ApiError::Conflict { target: resource.target(&call.name), detail });
    }
    let writer = write::writer(call, "Apply");
    let force = call.query.flag("force");
    let request = apply::Request {
        live: Some(current),
        config: &config,
        writer: &writer,
        force,
        shape: Shape::of(resource),
        now: &meta::now_seconds(),
    };
    let applied = apply::apply(&request).map_err(ApiError::ApplyConflict)?;
    let mut object = applied.object;
    let mut entries = applied.entries;
    // Defaulting may put back what the merge took away; nobody owns that.
    kinds::default(resource, &mut object);
    if call.subresource == "status" {
        entries.retain(|e| !e.fields.is_empty());
    }
    managed::write(&mut object, &entries);
    let wire = Value::clone(&view::to_wire(resource, &object.into()));
    let written = update::replace(call, current, wire, options, Some(entries))?;
    Ok(written.map(|w| Written { warnings, ..w }))
}
