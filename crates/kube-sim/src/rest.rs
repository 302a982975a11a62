//! The verbs on resources. `handle` takes a request apart and hands it to the
//! verb; the verbs are functions over the state, which wait for admission
//! webhooks only, and their results become responses in `respond`.

pub mod delete;
pub mod patch;
pub mod read;
pub mod respond;
pub mod subresource;
pub mod update;
pub mod write;

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::admit::FieldValidation;
use crate::error::ApiError;
use crate::logs;
use crate::registry::Resource;
use crate::request::{self, BodyKind, Query, Representation, ResourcePath};
use crate::state::State;
use crate::watch;

/// A resource request after parsing.
pub struct Call {
    /// Shared state.
    pub state: Arc<State>,
    /// The resource of the path.
    pub resource: Arc<Resource>,
    /// Namespace; empty for cluster scope or all namespaces.
    pub namespace: String,
    /// Object name; empty for the collection.
    pub name: String,
    /// Subresource; empty for the object itself.
    pub subresource: String,
    /// Query parameters.
    pub query: Query,
    /// Form of the answer.
    pub representation: Representation,
    /// Who writes, if this is a write.
    pub manager: String,
    /// Subresource that the write counts as in `managedFields`.
    pub writes_as: String,
}

/// Options of a write.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Do everything but store.
    pub dry_run: bool,
    /// What to do about unknown fields.
    pub validation: FieldValidation,
    /// Fields that stood twice in the body.
    pub duplicates: Vec<String>,
}

impl Call {
    /// Options of a write; `kind` is their name in refusals.
    fn write_options(&self, kind: &str, duplicates: Vec<String>) -> Result<WriteOptions, ApiError> {
        Ok(WriteOptions {
            dry_run: self.query.dry_run(kind)?,
            validation: FieldValidation::parse(self.query.get("fieldValidation"), kind)?,
            duplicates,
        })
    }
}

/// Serves a resource request.
pub async fn handle(
    state: &Arc<State>,
    method: &Method,
    path: ResourcePath,
    query: Query,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, ApiError> {
    let resource = state
        .registry
        .find(&path.group, &path.version, &path.plural)
        .ok_or_else(|| state.registry.no_such_path(&path.group))?;
    if !resource.namespaced && !path.namespace.is_empty() {
        return Err(ApiError::NoSuchPath);
    }
    let watching = path.watch || query.flag("watch");
    let call = Call {
        representation: request::negotiate(headers, &query)?,
        manager: request::field_manager(&query, headers),
        state: state.clone(),
        resource,
        writes_as: path.subresource.clone(),
        namespace: path.namespace,
        name: path.name,
        subresource: path.subresource,
        query,
    };
    if !call.subresource.is_empty() {
        return on_subresource(&call, method, headers, body).await;
    }
    match (method.as_str(), call.name.is_empty()) {
        ("GET", _) if watching => watch::handle(&call),
        ("GET", true) => respond::list(&call, &read::list(&call)?),
        ("GET", false) => respond::object(&call, &read::get(&call)?, &[]),
        ("POST", true) => {
            respond::written(&call, &write::create(&call, object_body(method, headers, body)?).await?)
        }
        ("PUT", false) => {
            respond::written(&call, &update::update(&call, object_body(method, headers, body)?).await?)
        }
        ("PATCH", false) => on_patch(&call, method, headers, body).await,
        ("DELETE", false) => {
            respond::deleted(&call, &delete::one(&call, &object_body(method, headers, body)?.value).await?)
        }
        ("DELETE", true) => respond::list(
            &call,
            &delete::collection(&call, &object_body(method, headers, body)?.value).await?,
        ),
        _ => Err(ApiError::MethodNotAllowed),
    }
}

fn object_body(method: &Method, headers: &HeaderMap, body: &Bytes) -> Result<request::Body, ApiError> {
    // An empty body needs no type; kubectl sends none with some deletes.
    if !body.is_empty() {
        request::body_kind(method, headers)?;
    }
    request::parse_body(headers, body)
}

async fn on_patch(
    call: &Call,
    method: &Method,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, ApiError> {
    let kind: BodyKind = request::body_kind(method, headers)?;
    respond::written(call, &patch::patch(call, kind, request::parse_body(headers, body)?).await?)
}

async fn on_subresource(
    call: &Call,
    method: &Method,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, ApiError> {
    let resource = &call.resource;
    let is_pod = resource.is("", "Pod");
    if !resource.is_builtin() && !served(resource, &call.subresource) {
        return Err(ApiError::NotFound(resource.target(&call.name)));
    }
    match (call.subresource.as_str(), method.as_str()) {
        ("status", _) if !resource.has_status => Err(ApiError::NoSuchPath),
        ("status", "GET") => respond::object(call, &read::get(call)?, &[]),
        ("status", "PUT") => {
            respond::written(call, &update::update(call, object_body(method, headers, body)?).await?)
        }
        ("status", "PATCH") => on_patch(call, method, headers, body).await,
        ("scale", _) if resource.scale.is_none() => Err(ApiError::NoSuchPath),
        ("scale", "GET") => respond::value(&subresource::get_scale(call)?),
        ("scale", "PUT") => {
            respond::value(&subresource::put_scale(call, object_body(method, headers, body)?).await?)
        }
        ("scale", "PATCH") => {
            let kind = request::body_kind(method, headers)?;
            respond::value(&subresource::patch_scale(call, kind, &request::parse_body(headers, body)?).await?)
        }
        ("log", "GET") if is_pod => {
            logs::handle(&call.state, resource, &call.namespace, &call.name, &call.query)
        }
        ("binding", "POST") if is_pod => {
            respond::created(&subresource::bind(call, &object_body(method, headers, body)?.value)?)
        }
        ("eviction", "POST") if is_pod => {
            respond::created(&subresource::evict(call, &object_body(method, headers, body)?.value)?)
        }
        ("finalize", "PUT") if resource.is("", "Namespace") => respond::object(
            call,
            &subresource::finalize(call, &object_body(method, headers, body)?.value)?,
            &[],
        ),
        ("status" | "scale", _) => Err(ApiError::MethodNotAllowed),
        _ => Err(ApiError::NoSuchPath),
    }
}

/// Whether a custom resource has a subresource.
fn served(resource: &Resource, subresource: &str) -> bool {
    match subresource {
        "status" => resource.has_status,
        "scale" => resource.scale.is_some(),
        _ => false,
    }
}
