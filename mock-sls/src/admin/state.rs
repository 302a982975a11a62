//! Snapshot, restore and reset over HTTP; the same is on [`crate::Running`] for tests in Rust.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use sls_api::names::ProjectName;

use crate::app::App;
use crate::error::ApiError;

/// Name of a snapshot whose maker gives none.
const NAME_DEFAULT: &str = "default";

/// Which snapshot.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    name: Option<String>,
}

impl Named {
    fn or_default(&self) -> &str {
        self.name.as_deref().unwrap_or(NAME_DEFAULT)
    }
}

/// What to reset: a project, or everything. A parameter of another name is refused, because to
/// ignore it would reset everything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reset {
    project: Option<ProjectName>,
}

pub(super) async fn snapshot(State(app): State<Arc<App>>, Query(named): Query<Named>) -> Response {
    answer(app.store.snapshot(named.or_default()).await)
}

pub(super) async fn restore(State(app): State<Arc<App>>, Query(named): Query<Named>) -> Response {
    answer(app.restore(named.or_default()).await)
}

pub(super) async fn snapshots(State(app): State<Arc<App>>) -> Response {
    match app.store.snapshots() {
        Ok(names) => Json(json!({ "snapshots": names })).into_response(),
        Err(error) => refusal(&error),
    }
}

pub(super) async fn reset(State(app): State<Arc<App>>, Query(reset): Query<Reset>) -> Response {
    answer(app.reset(reset.project.as_ref()).await)
}

fn answer(outcome: Result<(), ApiError>) -> Response {
    match outcome {
        Ok(()) => (StatusCode::OK, Json(json!({ "ok": true }))).into_response(),
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &ApiError) -> Response {
    (error.wire().0, Json(json!({ "ok": false, "error": error.to_string() }))).into_response()
}
