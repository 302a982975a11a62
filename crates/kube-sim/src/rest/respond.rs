//! From results to HTTP responses, in the form the client asked for.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::Call;
use super::delete::Deleted;
use super::read::Page;
use super::write::Written;
use crate::error::ApiError;
use crate::meta;
use crate::registry::Resource;
use crate::request::Representation;
use crate::store::Object;
use crate::table;
use crate::view;

fn json_response(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A value that is not an object of the store.
pub fn value(value: &Value) -> Result<Response, ApiError> {
    Ok(json_response(StatusCode::OK, value))
}

/// A value that was created.
pub fn created(value: &Value) -> Result<Response, ApiError> {
    Ok(json_response(StatusCode::CREATED, value))
}

/// One object in the wanted form.
pub fn represent(call: &Call, object: &Object) -> Value {
    represent_as(&call.representation, &call.resource, object)
}

/// One object in a given form.
pub fn represent_as(form: &Representation, resource: &Resource, object: &Object) -> Value {
    match form {
        Representation::Full => Value::clone(&view::to_wire(resource, object)),
        Representation::Metadata(version) => partial(object, version),
        Representation::Table(version, include) => {
            table::render(resource, std::slice::from_ref(object), version, *include, true, &list_meta(object))
        }
    }
}

fn list_meta(object: &Object) -> Map<String, Value> {
    let mut meta = Map::new();
    meta.insert("resourceVersion".into(), meta::meta_str(object, "resourceVersion").into());
    meta
}

/// Metadata only.
pub fn partial(object: &Object, version: &str) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}

/// An object, with warnings.
pub fn object(call: &Call, object: &Object, warnings: &[String]) -> Result<Response, ApiError> {
    Ok(with_warnings(json_response(StatusCode::OK, &represent(call, object)), warnings))
}

/// The result of a write.
pub fn written(call: &Call, written: &Written) -> Result<Response, ApiError> {
    let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(with_warnings(json_response(status, &represent(call, &written.object)), &written.warnings))
}

fn with_warnings(mut response: Response, warnings: &[String]) -> Response {
    /// Warnings sent at most; clients show them one by one.
    const WARNINGS_MAX: usize = 32;
    for warning in warnings.iter().take(WARNINGS_MAX) {
        let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(header) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            response.headers_mut().append(header::WARNING, header);
        }
    }
    response
}

/// The result of a delete: a status when the object is gone, the object while
/// it waits. Pods always come back whole, as on the real server.
pub fn deleted(call: &Call, deleted: &Deleted) -> Result<Response, ApiError> {
    match deleted {
        Deleted::Waiting(object) => Ok(json_response(StatusCode::OK, &represent(call, object))),
        Deleted::Gone(object) if call.resource.is("", "Pod") => {
            Ok(json_response(StatusCode::OK, &represent(call, object)))
        }
        Deleted::Gone(object) => {
            let mut details =
                json!({"name": meta::name(object), "kind": call.resource.plural, "uid": meta::uid(object)});
            if let (Some(map), false) = (details.as_object_mut(), call.resource.group.is_empty()) {
                map.insert("group".into(), call.resource.group.as_str().into());
            }
            value(&json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
            }))
        }
    }
}

fn text_response(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Items of built-in kinds do not repeat the kind; the list says it.
fn list_item(resource: &Resource, object: &Object) -> String {
    let wire = view::to_wire(resource, object);
    if !resource.is_builtin() {
        return wire.to_string();
    }
    let members: Vec<String> = wire
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind"))
        .map(|(key, value)| format!("{}:{value}", json!(key)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A list as text: whole collections are not copied before they are printed.
fn full_list(resource: &Resource, page: &Page, list_meta: &Map<String, Value>) -> String {
    let items: Vec<String> = page.objects.iter().map(|o| list_item(resource, o)).collect();
    let (kind, version) = (json!(resource.list_kind), json!(resource.api_version()));
    let metadata = Value::Object(list_meta.clone());
    format!(
        "{{\"kind\":{kind},\"apiVersion\":{version},\"metadata\":{metadata},\"items\":[{}]}}",
        items.join(",")
    )
}

/// A page of a collection.
pub fn list(call: &Call, page: &Page) -> Result<Response, ApiError> {
    let resource = &call.resource;
    let mut list_meta = Map::new();
    list_meta.insert("resourceVersion".into(), page.version.to_string().into());
    if !page.next.is_empty() {
        list_meta.insert("continue".into(), page.next.as_str().into());
    }
    if let Some(remaining) = page.remaining {
        list_meta.insert("remainingItemCount".into(), remaining.into());
    }
    let body = match &call.representation {
        Representation::Table(version, include) => {
            table::render(resource, &page.objects, version, *include, true, &list_meta)
        }
        Representation::Metadata(version) => {
            let items: Vec<Value> = page.objects.iter().map(|o| partial(o, version)).collect();
            json!({"kind": "PartialObjectMetadataList", "apiVersion": format!("meta.k8s.io/{version}"),
                   "metadata": list_meta, "items": items})
        }
        Representation::Full => return Ok(text_response(full_list(resource, page, &list_meta))),
    };
    value(&body)
}
