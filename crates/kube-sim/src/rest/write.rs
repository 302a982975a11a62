//! POST, and what every write begins and ends with.

use serde_json::{Map, Value};

use super::{Call, WriteOptions};
use crate::admit;
use crate::error::{ApiError, Cause, Target};
use crate::kinds;
use crate::meta;
use crate::patch::managed::{self, Entry, Writer};
use crate::patch::shape::Shape;
use crate::registry::{Resource, custom};
use crate::request::Body;
use crate::state::State;
use crate::store::{Key, Object};
use crate::view;
use crate::webhook::{self, Attributes, Operation};

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
pub async fn create(call: &Call, body: Body) -> Result<Written, ApiError> {
    let options = call.write_options("CreateOptions", body.duplicates)?;
    let writer = writer(call, "Update");
    create_object(call, body.value, &options, |object| {
        let shape = Shape::of(&call.resource);
        managed::record_update(None, object, Vec::new(), &writer, shape, &meta::now_seconds())
    })
    .await
}

/// Who writes, for `managedFields`.
pub fn writer(call: &Call, operation: &'static str) -> Writer {
    Writer {
        manager: call.manager.clone(),
        operation,
        api_version: call.resource.api_version(),
        subresource: call.writes_as.clone(),
    }
}

/// Creates an object; `own` computes its `managedFields`.
pub async fn create_object(
    call: &Call,
    mut object: Value,
    options: &WriteOptions,
    own: impl FnOnce(&Value) -> Vec<Entry> + Send,
) -> Result<Written, ApiError> {
    let (state, resource) = (&call.state, &*call.resource);
    check_identity(resource, &mut object, &call.namespace, &call.name)?;
    check_namespace(state, resource, &call.namespace, meta::name(&object))?;
    let mut warnings = admit::decode(resource, &mut object, options.validation, &options.duplicates)?;
    view::to_stored(resource, &mut object);
    if meta::resource_version(&object) != 0 {
        return Err(ApiError::Unclassified(
            "resourceVersion should not be set on objects to be created".into(),
        ));
    }
    reset_metadata(&mut object);
    if let Some(map) = object.as_object_mut().filter(|_| resource.has_status) {
        map.remove("status");
    }
    admit::default(resource, &mut object);
    // What the server adds from here on belongs to nobody.
    let entries = own(&object);
    let name = meta::name(&object).to_owned();
    let attributes = Attributes::of(call, &name, Operation::Create, options.dry_run);
    warnings.extend(webhook::mutate(&attributes, Some(&mut object), None).await?);
    reset_metadata(&mut object);
    fill_metadata(resource, &mut object, &call.namespace);
    kinds::prepare_create(resource, &mut object);
    admit::check(resource, &object, None)?;
    let name = meta::name(&object).to_owned();
    let attributes = Attributes { name: &name, ..attributes };
    warnings.extend(webhook::validate(&attributes, Some(&object), None).await?);
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
    if resource.is("apiextensions.k8s.io", "CustomResourceDefinition") {
        establish(state, resource, &key, &object);
    }
    Ok(Written { object, created: true, warnings })
}

/// A moment after a CRD is created the real server's controllers accept its names and serve it; here
/// that moment is over before the creation is answered, though the answer does not show it.
fn establish(state: &State, resource: &Resource, key: &Key, created: &Object) {
    let mut object = Value::clone(created);
    let now = meta::now_seconds();
    custom::establish(&mut object, &now);
    let writer = Writer {
        manager: "kube-apiserver".into(),
        operation: "Update",
        api_version: resource.api_version(),
        subresource: "status".into(),
    };
    let entries = managed::read(created);
    // The list of conditions is there from the beginning, so that nobody owns it: only its items.
    let mut before = Value::clone(created);
    if let Some(status) = before.get_mut("status").and_then(Value::as_object_mut) {
        status.insert("conditions".into(), Value::Array(Vec::new()));
    }
    let entries = managed::record_update(Some(&before), &object, entries, &writer, Shape::of(resource), &now);
    managed::write(&mut object, &entries);
    // Failing means that somebody changed it already, and that established it.
    if let Ok(object) = state.store.replace(key, meta::resource_version(created), object) {
        after_write(state, resource, &object);
    }
}

/// Checks that the object is what the path says, and fills in what it leaves
/// out.
pub fn check_identity(
    resource: &Resource,
    object: &mut Value,
    namespace: &str,
    name: &str,
) -> Result<(), ApiError> {
    let Some(map) = object.as_object_mut() else {
        return Err(ApiError::BadRequest(format!("the body must be an object of kind {}", resource.kind)));
    };
    check_kind(resource, map)?;
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

/// Built-in kinds are assumed where nothing is said; custom resources must say
/// what they are.
fn check_kind(resource: &Resource, map: &mut Map<String, Value>) -> Result<(), ApiError> {
    let api_version = resource.api_version();
    for (field, expected, what) in
        [("kind", &resource.kind, "kind"), ("apiVersion", &api_version, "API version")]
    {
        let found = map.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        if found == *expected {
            continue;
        }
        if found.is_empty() && resource.is_builtin() {
            map.insert(field.to_owned(), expected.as_str().into());
            continue;
        }
        if found.is_empty() && field == "kind" {
            return Err(ApiError::BadRequest(missing_kind(resource, &Value::Object(map.clone()))));
        }
        if field == "kind" && !resource.is_builtin() {
            let cause = Cause::invalid("kind", &found.as_str().into(), &format!("must be {}", resource.kind));
            let name = map.get("metadata").map(|m| meta::str_at(m, &["name"])).unwrap_or_default();
            let target = Target { kind: found, ..resource.kind_target(name) };
            return Err(ApiError::Invalid { target, causes: vec![cause] });
        }
        return Err(ApiError::BadRequest(format!(
            "the {what} in the data ({found}) does not match the expected {what} ({expected})"
        )));
    }
    Ok(())
}

fn missing_kind(resource: &Resource, object: &Value) -> String {
    /// Characters of the object at the end of the message.
    const EXCERPT: usize = 30;
    let text = object.to_string();
    let excerpt: String = text.chars().take(EXCERPT).collect();
    format!(
        "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing in '{text}' ({excerpt} ...)",
        resource.kind
    )
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
            cause: Some("NamespaceTerminating"),
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

/// Forgets what only the server may say of a new object.
fn reset_metadata(object: &mut Value) {
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
}

/// Says what only the server may say of a new object.
fn fill_metadata(resource: &Resource, object: &mut Value, namespace: &str) {
    let metadata = meta::metadata_mut(object);
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
