//! The HTTP shell: one handler that sorts requests into discovery, OpenAPI,
//! health and resources, and the task that serves connections.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Shared};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::error::ApiError;
use crate::request::{self, Query};
use crate::state::State;
use crate::{discovery, openapi, rest};

/// Largest request body, in bytes. Source: kube-apiserver's default limit.
pub const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Serves until the state is cancelled.
pub async fn serve(listener: TcpListener, state: Arc<State>) -> std::io::Result<()> {
    let cancelled = state.cancel().cancelled_owned();
    let app = Router::new().fallback(handle).with_state(state);
    axum::serve(listener, app).with_graceful_shutdown(cancelled).await
}

async fn handle(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default();
    // A slow body keeps nobody else from their turn.
    let body = read_body(&parts.headers, body).await;
    let turn = state.recorder.turn().await;
    let (body, result) = match body {
        Ok(body) => {
            let result = answer(&state, &parts.method, &path, query, &parts.headers, &body).await;
            (body, result)
        }
        Err(refused) => (Bytes::new(), Err(refused)),
    };
    match &result {
        Ok(response) => {
            tracing::debug!(method = %parts.method, %path, query, status = response.status().as_u16())
        }
        Err(error) => tracing::debug!(method = %parts.method, %path, query, %error),
    }
    let response = result.unwrap_or_else(ApiError::into_response);
    match turn {
        Some(turn) => turn.note(&parts, &body, response).await,
        None => response,
    }
}

async fn answer(
    state: &Arc<State>,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, ApiError> {
    state.faults.act(method, path).await?;
    let query = Query::parse(query);
    if let Some(path) = request::parse_path(path) {
        state.rights.check(headers, method, &path, &query)?;
        return rest::handle(state, method, path, query, headers, body).await;
    }
    if method != Method::GET && method != Method::HEAD {
        return Err(ApiError::MethodNotAllowed);
    }
    document(state, path, headers)
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|n| n > BODY_BYTES_MAX) {
        return Err(ApiError::TooLarge(BODY_BYTES_MAX));
    }
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| ApiError::TooLarge(BODY_BYTES_MAX))
}

/// Everything that is not a resource.
fn document(state: &State, path: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let registry = &state.registry;
    let host = headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let value = match segments.as_slice() {
        ["healthz" | "readyz" | "livez", ..] => return Ok("ok".into_response()),
        ["version"] => discovery::version(),
        ["api" | "apis"] if discovery::wants_aggregated(headers).is_some() => {
            let version = discovery::wants_aggregated(headers).unwrap_or("v2");
            let list = discovery::aggregated(registry, segments.first() == Some(&"api"), version);
            return Ok(aggregated_response(&list, version));
        }
        ["api"] => discovery::core_versions(host),
        ["apis"] => discovery::group_list(registry),
        ["api", version] => discovery::resource_list(registry, "", version).ok_or(ApiError::NoSuchPath)?,
        ["apis", group] => discovery::group(registry, group).ok_or(ApiError::NoSuchPage)?,
        ["apis", group, version] => {
            discovery::resource_list(registry, group, version).ok_or_else(|| registry.no_such_path(group))?
        }
        ["openapi", "v2"] => {
            let mut response = Response::new(Body::from(openapi::EMPTY_V2.as_slice()));
            let media = HeaderValue::from_static(openapi::EMPTY_V2_TYPE);
            response.headers_mut().insert(header::CONTENT_TYPE, media);
            return Ok(response);
        }
        ["openapi", "v3"] => openapi::index(registry, registry.revision()),
        ["openapi", "v3", rest @ ..] => {
            openapi::document(registry, &rest.join("/")).ok_or(ApiError::NoSuchPath)?
        }
        [] => {
            json!({"paths": ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]})
        }
        _ => return Err(ApiError::NoSuchPage),
    };
    Ok(json_response(&value, HeaderValue::from_static("application/json")))
}

fn aggregated_response(value: &Value, version: &str) -> Response {
    let media = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    let media =
        HeaderValue::from_str(&media).unwrap_or_else(|_| HeaderValue::from_static("application/json"));
    json_response(value, media)
}

fn json_response(value: &Value, media: HeaderValue) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}
