//! `/_mock/v1`: what the emulator tells about itself. Not part of the service; unsigned.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use sls_api::operation::{Endpoint, Fidelity, Scope, Source};

use crate::app::App;
use crate::route::Entry;
use crate::store::agents::{self, Agent};

/// The routes of this file.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/_mock/v1/health", get(health))
        .route("/_mock/v1/operations", get(operations))
        .route("/_mock/v1/agents", get(agents_seen))
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
    let Endpoint { name, scope, method, path, selector, tier, fidelity, source } = &entry.endpoint;
    let (fidelity, difference) = match fidelity {
        Fidelity::Full => ("full", None),
        Fidelity::Partial(what) => ("partial", Some(*what)),
        Fidelity::Accepted => ("accepted", None),
    };
    let (known_from, source) = match source {
        Source::Sdk(what) => ("sdk", what),
        Source::Docs(what) => ("docs", what),
        Source::Recorded(what) => ("recorded", what),
        Source::Guess(what) => ("guess", what),
    };
    json!({
        "name": name,
        "scope": match scope {
            Scope::Account => "account",
            Scope::Project => "project",
            Scope::Either => "either",
        },
        "method": method.as_str(),
        "path": path,
        "selector": selector.map(|(key, value)| format!("{key}={value}")),
        "tier": format!("{tier:?}"),
        "fidelity": fidelity,
        "difference": difference,
        "knownFrom": known_from,
        "source": source,
        "calls": entry.calls.load(Ordering::Relaxed),
        "errors": entry.errors.load(Ordering::Relaxed),
    })
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
