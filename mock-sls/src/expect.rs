//! `/_mock/v1/expect` and what belongs to it: assertions on what was received, answered when they are
//! decided. Not part of the service; unsigned. Described for users in `docs/assertions.md`.
//!
//! [`selector`] which logs → [`look`] what has come since the last look → [`run`] waits for the verdict →
//! [`explain`] why it is what it is; [`tail`] shows logs as they come, [`account`]
//! holds them against a ledger. What is asked and how it is
//! decided is `sls_expect`'s, pure.

mod account;
mod explain;
mod look;
mod run;
mod selector;
pub(crate) mod tail;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::future::try_join_all;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sls_expect::expectation::{Checked, GOLDEN_LOGS_MAX, Invalid};
use sls_expect::{Expectation, Verdict, report};
use tokio::sync::Semaphore;

pub(crate) use self::account::account_of;
use self::explain::Show;
use self::look::LOGS_BYTES_MAX;
use self::run::Run;
use self::selector::{BadSelector, Scope, Scopes, Selector};
use self::waiting::LOOKS_MAX;
use crate::app::App;
use crate::error::ApiError;

/// Bytes of a request, most of them golden logs (own choice).
const BODY_BYTES_MAX: usize = 64 << 20;
/// Expectations that may wait at a time (own choice: each holds what it has seen).
const WAITING_MAX: usize = 10_000;
/// Expectations of one request (own choice).
const BATCH_MAX: usize = 1_000;

/// The expectations of a server.
#[derive(Debug)]
pub struct Expectations {
    scopes: Scopes,
    waiting: AtomicUsize,
    accounts: AtomicUsize,
    /// Turns to look.
    looks: Semaphore,
}

impl Default for Expectations {
    fn default() -> Self {
        Self {
            scopes: Scopes::default(),
            waiting: AtomicUsize::new(0),
            accounts: AtomicUsize::new(0),
            looks: Semaphore::new(LOOKS_MAX),
        }
    }
}

/// The routes of this file.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/_mock/v1/expect", post(expect).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)))
        .route("/_mock/v1/account", post(account::account))
        .route("/_mock/v1/scopes", post(scope))
        .route("/_mock/v1/explain", get(explained))
        .route("/_mock/v1/tail", get(tail::tail))
}

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Json(#[from] JsonRejection),
    #[error("{0}")]
    Query(#[from] QueryRejection),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Selector(#[from] BadSelector),
    #[error(transparent)]
    Account(#[from] account::BadRequest),
    #[error("no expectation is in the request: of nothing everything holds")]
    Nothing,
    #[error("count: rows are expected up to {GOLDEN_LOGS_MAX}; count them with SQL")]
    Rows,
    #[error("{count} expectations in one request, at most {BATCH_MAX} are allowed")]
    Batch { count: usize },
    #[error("{WAITING_MAX} expectations are waiting already: let some end first")]
    Busy,
    #[error(transparent)]
    Failed(#[from] ApiError),
}

impl Refusal {
    /// Status of the answer that says so.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Json(rejection) => rejection.status(),
            Self::Query(rejection) => rejection.status(),
            Self::Invalid(_) | Self::Selector(_) | Self::Batch { .. } | Self::Nothing | Self::Rows => {
                StatusCode::BAD_REQUEST
            }
            Self::Account(bad) => bad.status(),
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(error) => error.wire().0,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        (status, Json(json!({ "ok": false, "error": self.to_string() }))).into_response()
    }
}

/// One expectation or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Asked {
    Several(Vec<Value>),
    One(Value),
}

/// A verdict with its text.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    verdict: Verdict,
    text: String,
}

/// Answers when the expectation is decided: 200 if it holds, 417 if it does not. Several are waited for
/// side by side, and the answer is the list of their verdicts.
async fn expect(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<Response, Refusal> {
    let here = app.here(&headers);
    let Json(asked) = body?;
    let (several, asked) = match asked {
        Asked::Several(asked) => (true, asked),
        Asked::One(asked) => (false, vec![asked]),
    };
    if asked.is_empty() {
        return Err(Refusal::Nothing);
    }
    if asked.len() > BATCH_MAX {
        return Err(Refusal::Batch { count: asked.len() });
    }
    let logs_bytes_max = LOGS_BYTES_MAX / asked.len();
    let runs = asked.into_iter().map(|asked| run(&app, asked, logs_bytes_max));
    let runs: Vec<Run> = runs.collect::<Result<_, _>>()?;
    let _admitted = Admitted::new(&app, runs.len())?;
    let verdicts = try_join_all(runs.into_iter().map(|run| run.verdict(&here))).await?;
    let ok = verdicts.iter().all(|verdict| verdict.ok);
    let status = if ok { StatusCode::OK } else { StatusCode::EXPECTATION_FAILED };
    let mut told = verdicts.into_iter().map(|verdict| Told { text: report::text(&verdict), verdict });
    match (several, told.next()) {
        (false, Some(told)) => Ok((status, Json(told)).into_response()),
        (_, first) => {
            let all: Vec<Told> = first.into_iter().chain(told).collect();
            Ok((status, Json(json!({ "ok": ok, "verdicts": all }))).into_response())
        }
    }
}

fn run(app: &Arc<App>, asked: Value, logs_bytes_max: usize) -> Result<Run, Refusal> {
    let expectation: Expectation =
        serde_json::from_value(asked).map_err(|error| ApiError::ParameterInvalid(error.to_string()))?;
    let checked: Checked = expectation.check()?;
    let asked = &checked.asked;
    let selector = selector(
        app,
        &Selection {
            project: asked.project.clone(),
            logstore: asked.logstore.clone(),
            query: Some(asked.query.clone()),
            scope: asked.scope.clone(),
            from: asked.from,
            to: asked.to,
        },
    )?;
    let (fewest, most) = checked.count.bounds();
    if selector.has_rows && most.unwrap_or(fewest) > GOLDEN_LOGS_MAX as u64 {
        return Err(Refusal::Rows);
    }
    Ok(Run::new(app, selector, checked, logs_bytes_max))
}

/// Expectations that wait.
struct Admitted<'a>(&'a App, usize);

impl<'a> Admitted<'a> {
    fn new(app: &'a App, more: usize) -> Result<Self, Refusal> {
        let before = app.expectations.waiting.fetch_add(more, Ordering::Relaxed);
        let admitted = Self(app, more);
        if before + more > WAITING_MAX { Err(Refusal::Busy) } else { Ok(admitted) }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.0.expectations.waiting.fetch_sub(self.1, Ordering::Relaxed);
    }
}

/// Which logs, in the query of a URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    project: String,
    logstore: String,
    query: Option<String>,
    scope: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
}

fn selector(app: &App, asked: &Selection) -> Result<Selector, BadSelector> {
    let scope = asked.scope.as_ref().map(|name| app.expectations.scopes.find(name)).transpose()?;
    let query = asked.query.as_deref().unwrap_or("*");
    Selector::new(&asked.project, &asked.logstore, query, (asked.from, asked.to), scope)
}

/// The name of a scope.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: Option<String>,
}

/// Makes a scope: what comes from now on.
async fn scope(
    State(app): State<Arc<App>>,
    named: Result<Query<Named>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(Named { name }) = named?;
    Ok(Json(json!({ "scope": new_scope(&app, name).await? })))
}

/// Makes a scope and returns its name, which is made up if none is given.
///
/// # Errors
/// [`Refusal`] for a name that cannot be, and if the store fails.
pub(crate) async fn new_scope(app: &App, name: Option<String>) -> Result<String, Refusal> {
    let name = name.unwrap_or_else(|| format!("{:016x}", fastrand::u64(..)));
    let scope = app.store.read(Scope::now).await?;
    app.expectations.scopes.keep(name.clone(), scope)?;
    Ok(name)
}

/// What a query finds, and why.
async fn explained(
    State(app): State<Arc<App>>,
    asked: Result<Query<Selection>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(asked) = asked?;
    let selector = Arc::new(selector(&app, &asked)?);
    let explained = explain::study(&app, &selector, Show { nearest: true, last: true }, None).await?;
    Ok(Json(explained).into_response())
}
