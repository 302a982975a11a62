//! The journal and the faults over HTTP; the same is on [`crate::Running`] for tests in Rust. Described for
//! users in `docs/faults.md`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sls_expect::fault::{RULES_MAX, Rule};
use sls_expect::journal::Filter;

use crate::app::App;

/// Which faults: the one of this name, or all. A parameter of another name is refused, because to ignore
/// it would remove all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: Option<String>,
}

/// No parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Entries of the journal. A server that stops lets nobody wait.
pub(super) async fn journal(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let filter: Filter = match parameters(query) {
        Ok(filter) => filter,
        Err(why) => return refused(StatusCode::BAD_REQUEST, &why),
    };
    let asked = app.stop.run_until_cancelled(app.journal.ask(&filter)).await;
    let asked = match asked {
        Some(asked) => asked,
        None => app.journal.ask(&Filter { follow_ms: None, ..filter }).await,
    };
    match asked {
        Ok(page) => Json(page).into_response(),
        Err(bad) => refused(StatusCode::BAD_REQUEST, &bad.to_string()),
    }
}

pub(super) async fn clear(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    if let Err(why) = parameters::<Nothing>(query) {
        return refused(StatusCode::BAD_REQUEST, &why);
    }
    app.journal.clear();
    Json(json!({ "ok": true })).into_response()
}

pub(super) async fn add_faults(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let rules = match rules(&body) {
        Ok(rules) => rules,
        Err(why) => return refused(StatusCode::BAD_REQUEST, &why),
    };
    let several = rules.len() > 1;
    match app.faults.add(rules, app.clock.now()) {
        Ok(added) => {
            let names: Vec<&str> = added.iter().map(|added| &*added.name).collect();
            Json(json!({ "names": names })).into_response()
        }
        Err((place, invalid)) => {
            let why = if several { format!("fault {}: {invalid}", place + 1) } else { invalid.to_string() };
            refused(StatusCode::BAD_REQUEST, &why)
        }
    }
}

pub(super) async fn faults(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    match parameters::<Nothing>(query) {
        Ok(Nothing {}) => Json(json!({ "faults": app.faults.list(app.clock.now()) })).into_response(),
        Err(why) => refused(StatusCode::BAD_REQUEST, &why),
    }
}

pub(super) async fn remove_faults(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let Named { name } = match parameters(query) {
        Ok(named) => named,
        Err(why) => return refused(StatusCode::BAD_REQUEST, &why),
    };
    match (app.faults.remove(name.as_deref()), name) {
        (0, Some(name)) => refused(StatusCode::NOT_FOUND, &format!("there is no fault of the name {name:?}")),
        (removed, _) => Json(json!({ "removed": removed })).into_response(),
    }
}

/// One fault, or a list of them, as JSON.
pub(crate) fn rules(body: &[u8]) -> Result<Vec<Rule>, String> {
    let given: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    let Value::Array(several) = given else {
        return Ok(vec![serde_json::from_value(given).map_err(|error| error.to_string())?]);
    };
    if several.len() > RULES_MAX {
        return Err(format!("{} faults are more than the {RULES_MAX} that there may be", several.len()));
    }
    let numbered = (1..).zip(several);
    numbered
        .map(|(number, rule): (usize, Value)| {
            serde_json::from_value(rule).map_err(|error| format!("fault {number}: {error}"))
        })
        .collect()
}

fn parameters<T: DeserializeOwned>(query: Option<String>) -> Result<T, String> {
    serde_urlencoded::from_str(&query.unwrap_or_default()).map_err(|error| error.to_string())
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "ok": false, "error": why }))).into_response()
}
