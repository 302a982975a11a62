//! `/_mock/v1`: what the emulator tells about itself and does to itself. Not part of the service;
//! unsigned. Described for users in `docs/admin.md`.

mod state;
mod told;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Map, Value, json};
use sls_api::operation::Endpoint;

pub(crate) use self::told::rules;
use crate::app::App;
use crate::route::Entry;
use crate::store::agents::{self, Agent};
use crate::{openapi, reference};

/// The routes of this file.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/_mock/v1/health", get(health))
        .route("/_mock/v1/operations", get(operations))
        .route("/_mock/v1/openapi.json", get(openapi))
        .route("/_mock/v1/agents", get(agents_seen))
        .route("/_mock/v1/snapshot", post(state::snapshot))
        .route("/_mock/v1/snapshots", get(state::snapshots))
        .route("/_mock/v1/restore", post(state::restore))
        .route("/_mock/v1/reset", post(state::reset))
        .route("/_mock/v1/journal", get(told::journal).delete(told::clear))
        .route("/_mock/v1/faults", get(told::faults).post(told::add_faults).delete(told::remove_faults))
}

/// Whether the database can be written and read.
async fn health(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let written = app.store.write(|tx| Ok(tx.query_row("SELECT 1", (), |_| Ok(()))?)).await;
    match written {
        Ok(()) => (StatusCode::OK, Json(json!({ "ok": true }))),
        Err(error) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ok": false, "error": error.to_string() })))
        }
    }
}

/// Every operation with what is known of it and how often it was called, and the requests that
/// none answered.
async fn operations(State(app): State<Arc<App>>) -> Json<Value> {
    let entries = app.operations.iter().flat_map(|group| &group.entries);
    Json(json!({
        "operations": entries.map(operation).collect::<Vec<_>>(),
        "unknown": app.unknown.counts(),
    }))
}

fn operation(entry: &Entry) -> Value {
    let Endpoint { name, method, path, selector, .. } = &entry.endpoint;
    let mut shown = Map::new();
    shown.insert("name".to_owned(), (*name).into());
    shown.insert("method".to_owned(), method.as_str().into());
    shown.insert("path".to_owned(), (*path).into());
    let selector = selector.map(|(key, value)| format!("{key}={value}"));
    shown.insert("selector".to_owned(), selector.into());
    shown.extend(reference::standing(&entry.endpoint));
    shown.insert("test".to_owned(), reference::test_of(name).into());
    shown.insert("calls".to_owned(), entry.calls.load(Ordering::Relaxed).into());
    shown.insert("errors".to_owned(), entry.errors.load(Ordering::Relaxed).into());
    Value::Object(shown)
}

/// The API description.
async fn openapi(State(app): State<Arc<App>>) -> Json<Value> {
    Json(openapi::document(&app.operations))
}

/// Every agent with its identity, its last heartbeat and the state of its configs.
async fn agents_seen(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    match app.store.read(agents::list).await {
        Ok(agents) => {
            let agents: Vec<Value> = agents.into_iter().map(agent).collect();
            (StatusCode::OK, Json(json!({ "agents": agents })))
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": error.to_string() }))),
    }
}

fn agent(agent: Agent) -> Value {
    let tags: Vec<Value> =
        agent.tags.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let configs: Vec<Value> = agent
        .configs
        .iter()
        .map(|config| {
            json!({
                "name": config.name,
                "version": config.version,
                "status": config.status,
                "message": config.message,
            })
        })
        .collect();
    json!({
        "instanceId": agent.instance_id,
        "agentType": agent.agent_type,
        "version": agent.version,
        "ip": agent.ip,
        "hostname": agent.hostname,
        "hostId": agent.host_id,
        "runningStatus": agent.running_status,
        "startupTime": agent.startup_time,
        "sequenceNum": agent.sequence_num,
        "lastHeartbeatTime": agent.last_heartbeat,
        "notice": agent.notice,
        "tags": tags,
        "configs": configs,
    })
}
