//! Scale, binding, eviction and namespace finalization.

use serde_json::{Value, json};

use super::delete::{self, Deleted, Options};
use super::write::{self, ATTEMPTS_MAX};
use super::{Call, patch, update};
use crate::error::{ApiError, Cause, Target};
use crate::meta;
use crate::registry::ScalePaths;
use crate::request::{Body, BodyKind};
use crate::state::State;
use crate::store::Object;

fn paths(call: &Call) -> Result<&ScalePaths, ApiError> {
    call.resource.scale.as_ref().ok_or(ApiError::NoSuchPath)
}

fn at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, key| value.get(key))
}

fn set(object: &mut Value, path: &[String], value: Value) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut map = match object.as_object_mut() {
        Some(map) => map,
        None => return,
    };
    for key in parents {
        map = meta::object_mut(map, key);
    }
    map.insert(last.clone(), value);
}

/// A label selector as the string that `Scale.status.selector` holds.
fn selector_text(selector: &Value) -> String {
    if let Some(text) = selector.as_str() {
        return text.to_owned();
    }
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    let mut terms: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()))
        .collect();
    terms.sort();
    terms.join(",")
}

fn scale_of(call: &Call, object: &Value) -> Result<Value, ApiError> {
    let paths = paths(call)?;
    let number = |path: &[String]| at(object, path).and_then(Value::as_i64).unwrap_or(0);
    let meta_of = |field: &str| meta::meta_str(object, field);
    let mut status = json!({"replicas": number(&paths.status)});
    let selector = paths.selector.as_ref().and_then(|p| at(object, p)).map(selector_text).unwrap_or_default();
    if let (Some(map), false) = (status.as_object_mut(), selector.is_empty()) {
        map.insert("selector".into(), selector.into());
    }
    Ok(json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta_of("name"), "namespace": meta_of("namespace"), "uid": meta_of("uid"),
            "resourceVersion": meta_of("resourceVersion"), "creationTimestamp": meta_of("creationTimestamp"),
        },
        "spec": {"replicas": number(&paths.spec)}, "status": status,
    }))
}

/// `GET …/scale`.
pub fn get_scale(call: &Call) -> Result<Value, ApiError> {
    let object = call.state.get(&call.resource, &call.namespace, &call.name)?;
    scale_of(call, &object)
}

/// `PUT …/scale`.
pub async fn put_scale(call: &Call, body: Body) -> Result<Value, ApiError> {
    change_scale(call, |_| Ok(body.value.clone())).await
}

/// `PATCH …/scale`.
pub async fn patch_scale(call: &Call, kind: BodyKind, body: &Body) -> Result<Value, ApiError> {
    change_scale(call, |scale| match kind {
        // A scale has no lists, so that a merge does the same; an apply too,
        // but for the record of ownership.
        BodyKind::StrategicPatch | BodyKind::Apply => crate::patch::merge(scale, &body.value),
        _ => patch::patched(call, kind, scale, &body.value),
    })
    .await
}

async fn change_scale(
    call: &Call,
    change: impl Fn(&Value) -> Result<Value, ApiError> + Send,
) -> Result<Value, ApiError> {
    let options = call.write_options("UpdateOptions", Vec::new())?;
    let paths = paths(call)?;
    // The parent is written through its main door.
    let parent = Call {
        state: call.state.clone(),
        resource: call.resource.clone(),
        namespace: call.namespace.clone(),
        name: call.name.clone(),
        subresource: String::new(),
        writes_as: "scale".to_owned(),
        query: call.query.clone(),
        representation: call.representation.clone(),
        manager: call.manager.clone(),
    };
    for _ in 0..ATTEMPTS_MAX {
        let current = call.state.get(&call.resource, &call.namespace, &call.name)?;
        let wanted = change(&scale_of(call, &current)?)?;
        let replicas = meta::at(&wanted, &["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(0);
        if replicas < 0 {
            let cause =
                Cause::invalid("spec.replicas", &replicas.into(), "must be greater than or equal to 0");
            let target =
                Target { group: "autoscaling".into(), kind: "Scale".into(), name: call.name.clone() };
            return Err(ApiError::Invalid { target, causes: vec![cause] });
        }
        let mut new = Value::clone(&crate::view::to_wire(&call.resource, &current));
        set(&mut new, &paths.spec, replicas.into());
        let version = meta::meta_str(&wanted, "resourceVersion").to_owned();
        meta::metadata_mut(&mut new).insert("resourceVersion".into(), version.into());
        if let Some(written) = update::replace(&parent, &current, new, &options, None).await? {
            return scale_of(call, &written.object);
        }
    }
    Err(update::busy(call))
}

/// `POST …/pods/<name>/binding`: what a scheduler does.
pub fn bind(call: &Call, body: &Value) -> Result<Value, ApiError> {
    let node = meta::str_at(body, &["target", "name"]);
    if node.is_empty() {
        return Err(ApiError::BadRequest("target.name: Required value: the node to bind the pod to".into()));
    }
    for _ in 0..ATTEMPTS_MAX {
        let current = call.state.get(&call.resource, &call.namespace, &call.name)?;
        let target = Target { kind: "pods/binding".into(), ..call.resource.target(&call.name) };
        let bound = meta::str_at(&current, &["spec", "nodeName"]);
        if !bound.is_empty() {
            let detail = format!("pod {} is already assigned to node {bound:?}", call.name);
            return Err(ApiError::Conflict { target, detail });
        }
        if meta::is_deleting(&current) {
            let detail = format!("pod {} is being deleted, cannot be assigned to a host", call.name);
            return Err(ApiError::Conflict { target, detail });
        }
        let mut pod = Value::clone(&current);
        if let Some(map) = pod.as_object_mut() {
            meta::object_mut(map, "spec").insert("nodeName".into(), node.into());
            let status = meta::object_mut(map, "status");
            status.insert("conditions".into(), scheduled_conditions(status.get("conditions")));
        }
        if store(call, &current, pod)? {
            return Ok(success());
        }
    }
    Err(update::busy(call))
}

fn scheduled_conditions(old: Option<&Value>) -> Value {
    let mut list = old.and_then(Value::as_array).cloned().unwrap_or_default();
    list.retain(|c| meta::str_at(c, &["type"]) != "PodScheduled");
    list.push(json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": meta::now_seconds()}));
    list.into()
}

fn store(call: &Call, current: &Object, object: Value) -> Result<bool, ApiError> {
    let key = State::key(&call.resource, &call.namespace, &call.name);
    match call.state.store.replace(&key, meta::resource_version(current), object) {
        Ok(object) => {
            write::after_write(&call.state, &call.resource, &object);
            Ok(true)
        }
        Err(crate::store::WriteError::Missing) => Err(ApiError::NotFound(call.resource.target(&call.name))),
        Err(_) => Ok(false),
    }
}

/// `POST …/pods/<name>/eviction`: a delete, as there are no budgets here.
pub fn evict(call: &Call, body: &Value) -> Result<Value, ApiError> {
    let grace = meta::at(body, &["deleteOptions", "gracePeriodSeconds"]).and_then(Value::as_i64);
    let options = Options {
        grace_period_seconds: grace,
        dry_run: call.query.dry_run("CreateOptions")?,
        ..Options::default()
    };
    let key = State::key(&call.resource, &call.namespace, &call.name);
    match delete::delete(&call.state, &call.resource, &key, &options)? {
        Deleted::Gone(_) | Deleted::Waiting(_) => Ok(success()),
    }
}

fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
}

/// `PUT …/namespaces/<name>/finalize`: sets `spec.finalizers`.
pub fn finalize(call: &Call, body: &Value) -> Result<Object, ApiError> {
    for _ in 0..ATTEMPTS_MAX {
        let current = call.state.get(&call.resource, &call.namespace, &call.name)?;
        let mut namespace = Value::clone(&current);
        let finalizers = meta::at(body, &["spec", "finalizers"]).cloned().unwrap_or_else(|| json!([]));
        if let Some(map) = namespace.as_object_mut() {
            meta::object_mut(map, "spec").insert("finalizers".into(), finalizers);
        }
        if write::is_finished(&call.resource, &namespace) {
            let key = State::key(&call.resource, "", &call.name);
            if let Ok(last) = call.state.store.remove(&key, meta::resource_version(&current), namespace) {
                write::after_removal(&call.state, &call.resource, &last);
                return Ok(last);
            }
        } else if store(call, &current, namespace)? {
            return call.state.get(&call.resource, "", &call.name);
        }
    }
    Err(update::busy(call))
}
