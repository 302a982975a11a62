//! PATCH of an object or of its status.

use serde_json::Value;

use super::{Call, WriteOptions, update, write};
use crate::admit;
use crate::error::{ApiError, Cause, Target};
use crate::kinds;
use crate::meta;
use crate::patch::{self, apply, managed, shape::Shape};
use crate::request::{Body, BodyKind};
use crate::store::Object;
use crate::view;
use write::Written;

/// Applies a patch.
pub async fn patch(call: &Call, kind: BodyKind, body: Body) -> Result<Written, ApiError> {
    let options = call.write_options("PatchOptions", body.duplicates)?;
    if kind == BodyKind::Apply {
        return apply(call, body.value, &options).await;
    }
    for _ in 0..write::ATTEMPTS_MAX {
        let current = call.state.get(&call.resource, &call.namespace, &call.name)?;
        let seen = view::to_wire(&call.resource, &current);
        let patched = patched(call, kind, &seen, &body.value)?;
        let shown = patched.to_string();
        let result = update::replace(call, &current, patched, &options, None).await;
        if let Some(written) = result.map_err(|error| in_patch(error, &shown))? {
            return Ok(written);
        }
    }
    Err(update::busy(call))
}

/// What does not decode after a patch is an invalid patch.
fn in_patch(error: ApiError, patched: &str) -> ApiError {
    match error {
        ApiError::Undecodable { problem, .. } => {
            let cause = Cause::invalid("patch", &patched.into(), &problem);
            let target = Target { group: String::new(), kind: String::new(), name: String::new() };
            ApiError::Invalid { target, causes: vec![cause] }
        }
        other => other,
    }
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

async fn apply(call: &Call, config: Value, options: &WriteOptions) -> Result<Written, ApiError> {
    if call.query.get("fieldManager").is_empty() {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(ApiError::options("PatchOptions", cause));
    }
    if meta::at(&config, &["metadata", "managedFields"])
        .and_then(Value::as_array)
        .is_some_and(|l| !l.is_empty())
    {
        return Err(ApiError::BadRequest("metadata.managedFields must be nil".into()));
    }
    for _ in 0..write::ATTEMPTS_MAX {
        let written = match call.state.get(&call.resource, &call.namespace, &call.name) {
            Ok(current) => apply_to(call, &config, &current, options).await?,
            Err(missing) if !call.subresource.is_empty() => return Err(missing),
            Err(_) => match create(call, &config, options).await {
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
    let (api_version, kind) = (meta::str_at(&config, &["apiVersion"]), meta::str_at(&config, &["kind"]));
    if (api_version, kind) != (&*call.resource.api_version(), &*call.resource.kind) {
        return Err(ApiError::BadRequest(format!("invalid object type: {}", kind_text(api_version, kind))));
    }
    if call.resource.has_status
        && call.subresource.is_empty()
        && let Some(map) = config.as_object_mut()
    {
        map.remove("status");
    }
    if let Some(problem) = admit::apply_problem(&call.resource, &config) {
        return Err(ApiError::Unclassified(format!(
            "failed to create typed patch object ({}/{}; {}): {problem}",
            meta::namespace(&config),
            meta::name(&config),
            kind_text(&call.resource.api_version(), &call.resource.kind),
        )));
    }
    let warnings = admit::decode(&call.resource, &mut config, options.validation, &options.duplicates)?;
    view::to_stored(&call.resource, &mut config);
    Ok((config, warnings))
}

/// A kind as Go prints it.
fn kind_text(api_version: &str, kind: &str) -> String {
    let slash = if api_version.contains('/') { "" } else { "/" };
    format!("{slash}{api_version}, Kind={kind}")
}

async fn create(call: &Call, config: &Value, options: &WriteOptions) -> Result<Written, ApiError> {
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
    // The checked configuration goes through the wire form once more. A
    // version means nothing when there is no object yet.
    let mut object = Value::clone(&view::to_wire(&call.resource, &config.into()));
    meta::metadata_mut(&mut object).remove("resourceVersion");
    let mut written = write::create_object(call, object, options, |_| entries).await?;
    // What it has found in the cleaned configuration comes after what was cleaned away.
    written.warnings.splice(0..0, warnings);
    Ok(written)
}

async fn apply_to(
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
    let written = update::replace(call, current, wire, options, Some(entries)).await?;
    Ok(written.map(|mut written| {
        written.warnings.splice(0..0, warnings);
        written
    }))
}
