//! POST and PUT, and the common end of every write.

use serde_json::Value;

use super::{Call, WriteOptions};
use crate::admit;
use crate::error::{ApiError, Cause};
use crate::kinds;
use crate::meta;
use crate::patch::managed::{self, Entry, Writer};
use crate::patch::shape::Shape;
use crate::registry::Resource;
use crate::request::Body;
use crate::state::State;
use crate::store::{Object, WriteError};
use crate::view;

/// The result of a write.
pub struct Written {
    /// The object as stored (or as it would be, on a dry run).
    pub object: Object,
    /// True if it was created.
    pub created: bool,
    /// Texts for `Warning` headers.
    pub warnings: Vec<String>,
}

/// Attempts of a compare-and-swap before giving up; each loss means that
/// another writer won.
pub const ATTEMPTS_MAX: usize = 64;

/// `POST` to a collection.
pub fn create(call: &Call, body: Body) -> Result<Written, ApiError> {
    let options = call.write_options(body.duplicates)?;
    let writer = writer(call, "Update");
    create_object(call, body.value, &options, |object| {
        let shape = Shape::of(&call.resource);
        managed::record_update(None, object, Vec::new(), &writer, shape, &meta::now_seconds())
    })
}

/// Who writes, for `managedFields`.
pub fn writer(call: &Call, operation: &'static str) -> Writer {
    Writer {
        manager: call.manager.clone(),
        operation,
        api_version: call.resource.api_version(),
        subresource: call.subresource.clone(),
    }
}

/// Creates an object; `own` computes its `managedFields`.
pub fn create_object(
    call: &Call,
    mut object: Value,
    options: &WriteOptions,
    own: impl FnOnce(&Value) -> Vec<Entry>,
) -> Result<Written, ApiError> {
    let (state, resource) = (&call.state, &*call.resource);
    check_identity(resource, &mut object, &call.namespace, &call.name)?;
    check_namespace(state, resource, &call.namespace, meta::name(&object))?;
    let warnings = admit::decode(resource, &mut object, options.validation, &options.duplicates)?;
    view::to_stored(resource, &mut object);
    if meta::resource_version(&object) != 0 {
        return Err(ApiError::BadRequest(
            "resourceVersion should not be set on objects to be created".into(),
        ));
    }
    prepare_metadata(resource, &mut object, &call.namespace);
    kinds::prepare_create(resource, &mut object);
    admit::default(resource, &mut object);
    admit::check(resource, &object, None)?;
    let entries = own(&object);
    managed::write(&mut object, &entries);
    let key = State::key(resource, &call.namespace, meta::name(&object));
    if options.dry_run {
        if state.store.get(&key).is_some() {
            return Err(ApiError::AlreadyExists(resource.target(&key.name)));
        }
        return Ok(Written { object: object.into(), created: true, warnings });
    }
    let object =
        state.store.create(&key, object).map_err(|_| ApiError::AlreadyExists(resource.target(&key.name)))?;
    after_write(state, resource, &object);
    Ok(Written { object, created: true, warnings })
}

/// Checks that the object is what the path says, and fills in what it leaves
/// out.
fn check_identity(
    resource: &Resource,
    object: &mut Value,
    namespace: &str,
    name: &str,
) -> Result<(), ApiError> {
    let Some(map) = object.as_object_mut() else {
        return Err(ApiError::BadRequest(format!("the body must be an object of kind {}", resource.kind)));
    };
    let api_version = resource.api_version();
    for (field, expected, what) in
        [("apiVersion", &api_version, "API version"), ("kind", &resource.kind, "kind")]
    {
        match map.get(field).and_then(Value::as_str).unwrap_or_default() {
            "" => {
                map.insert(field.to_owned(), expected.as_str().into());
            }
            found if found == expected => {}
            found => {
                return Err(ApiError::BadRequest(format!(
                    "the {what} in the data ({found}) does not match the expected {what} ({expected})"
                )));
            }
        }
    }
    if map.get("metadata").is_some_and(|m| !m.is_object() && !m.is_null()) {
        return Err(ApiError::BadRequest("metadata must be an object".into()));
    }
    let given = meta::namespace(object).to_owned();
    if resource.namespaced && !given.is_empty() && given != namespace {
        return Err(ApiError::BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request".into(),
        ));
    }
    let metadata = meta::metadata_mut(object);
    if resource.namespaced {
        metadata.insert("namespace".into(), namespace.into());
    } else {
        metadata.remove("namespace");
    }
    if !name.is_empty() {
        match metadata.get("name").and_then(Value::as_str).unwrap_or_default() {
            "" => {
                metadata.insert("name".into(), name.into());
            }
            found if found == name => {}
            found => {
                return Err(ApiError::BadRequest(format!(
                    "the name of the object ({found}) does not match the name on the URL ({name})"
                )));
            }
        }
    }
    Ok(())
}

/// A namespaced object needs a namespace that exists and stays.
fn check_namespace(state: &State, resource: &Resource, namespace: &str, name: &str) -> Result<(), ApiError> {
    if !resource.namespaced {
        return Ok(());
    }
    if namespace.is_empty() {
        return Err(ApiError::BadRequest("an empty namespace may not be set during creation".into()));
    }
    let Some(namespaces) = state.registry.find("", "v1", "namespaces") else { return Ok(()) };
    let found = state.get(&namespaces, "", namespace)?;
    if meta::is_deleting(&found) {
        return Err(ApiError::Forbidden {
            target: resource.target(name),
            detail: format!(
                "unable to create new content in namespace {namespace} because it is being terminated"
            ),
            cause: Some(("NamespaceTerminating", format!("namespace {namespace} is being terminated"))),
        });
    }
    if let Some(crds) = state.registry.find_kind("apiextensions.k8s.io", "CustomResourceDefinition")
        && !resource.is_builtin()
        && state.get(&crds, "", &resource.storage).is_ok_and(|crd| meta::is_deleting(&crd))
    {
        return Err(ApiError::MethodNotAllowed);
    }
    Ok(())
}

fn prepare_metadata(resource: &Resource, object: &mut Value, namespace: &str) {
    let metadata = meta::metadata_mut(object);
    for field in [
        "resourceVersion",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "managedFields",
    ] {
        metadata.remove(field);
    }
    let prefix = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let unnamed = metadata.get("name").and_then(Value::as_str).unwrap_or_default().is_empty();
    if unnamed && !prefix.is_empty() {
        metadata.insert("name".into(), meta::generate_name(&prefix).into());
    }
    if resource.namespaced {
        metadata.insert("namespace".into(), namespace.into());
    }
    metadata.insert("uid".into(), meta::new_uid().into());
    metadata.insert("creationTimestamp".into(), meta::now_seconds().into());
    if resource.has_generation() {
        metadata.insert("generation".into(), 1.into());
    }
}

/// `PUT` of an object or of its status.
pub fn update(call: &Call, body: Body) -> Result<Written, ApiError> {
    let options = call.write_options(body.duplicates)?;
    let mut new = body.value;
    check_identity(&call.resource, &mut new, &call.namespace, &call.name)?;
    for _ in 0..ATTEMPTS_MAX {
        let current = call.state.get(&call.resource, &call.namespace, &call.name)?;
        if meta::resource_version(&new) == 0 && !call.resource.unconditional_update() {
            let cause =
                Cause::invalid("metadata.resourceVersion", &0.into(), "must be specified for an update");
            let target = call.resource.kind_target(&call.name);
            return Err(ApiError::Invalid { target, causes: vec![cause] });
        }
        match replace(call, &current, new.clone(), &options, None)? {
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
pub fn replace(
    call: &Call,
    current: &Object,
    mut new: Value,
    options: &WriteOptions,
    applied: Option<Vec<Entry>>,
) -> Result<Option<Written>, ApiError> {
    let (state, resource) = (&call.state, &*call.resource);
    check_identity(resource, &mut new, &call.namespace, &call.name)?;
    check_preconditions(resource, current, &new)?;
    let warnings = admit::decode(resource, &mut new, options.validation, &options.duplicates)?;
    view::to_stored(resource, &mut new);
    let sent_entries = meta::at(&new, &["metadata", "managedFields"]).cloned();
    let mut new = combine(resource, &call.subresource, current, new);
    if call.subresource.is_empty() {
        kinds::prepare_update(resource, &mut new, current);
    }
    admit::default(resource, &mut new);
    check_finalizers(resource, current, &new)?;
    admit::check(resource, &new, Some(current))?;
    if resource.has_generation() && admit::specification_differs(resource, &new, current) {
        meta::metadata_mut(&mut new).insert("generation".into(), (meta::generation(current) + 1).into());
    }
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
        state.store.remove(&key, version, new)
    } else {
        state.store.replace(&key, version, new)
    };
    match result {
        Ok(object) => {
            if finished {
                after_removal(state, resource, &object);
            } else {
                after_write(state, resource, &object);
            }
            Ok(Some(Written { object, created: false, warnings }))
        }
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
        "no new finalizers can be added if the object is being deleted, found new finalizers {added:?}"
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

/// True if an object that is being deleted has nothing left to wait for.
pub fn is_finished(resource: &Resource, object: &Value) -> bool {
    let waits = if resource.is("", "Pod") {
        meta::metadata(object)
            .and_then(|m| m.get("deletionGracePeriodSeconds"))
            .and_then(Value::as_i64)
            .unwrap_or(0)
            > 0
    } else if resource.is("", "Namespace") {
        meta::at(object, &["spec", "finalizers"])
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty())
    } else {
        false
    };
    meta::is_deleting(object) && meta::finalizers(object).is_empty() && !waits
}

/// Lets the rest of the server follow a stored object.
pub fn after_write(state: &State, resource: &Resource, object: &Object) {
    if resource.is("apiextensions.k8s.io", "CustomResourceDefinition") {
        state.registry.register(object);
    }
    state.gc.stored(resource, object);
}

/// Lets the rest of the server follow a removed object.
pub fn after_removal(state: &State, resource: &Resource, object: &Object) {
    if resource.is("apiextensions.k8s.io", "CustomResourceDefinition") {
        state.registry.unregister(object);
        state.store.drop_collection(meta::name(object));
    }
    state.gc.removed(object);
}
