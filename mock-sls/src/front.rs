//! Everything that happens to a request before and after its handler, as one ordered list:
//! [`answer`] is the list, each line a step with a name. [`serve`] wraps it with what every
//! response carries and with the access log. Called by the routes that [`crate::route`] makes.

mod body;
mod faults;
pub mod project;
mod seen;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, AUTHORIZATION, CONTENT_TYPE, DATE, HOST, SERVER,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use sls_api::codec::Compression;
use sls_api::error::ErrorBody;
use sls_api::header;
use sls_api::names::ProjectName;
use sls_api::operation::{Endpoint, Json, Payload, WireBody};

use self::project::Addressed;
use self::seen::Seen;
use crate::app::App;
use crate::arrivals::Change;
use crate::error::ApiError;
use crate::faults::Facts;
use crate::journal::Writing;
use crate::route::{self, Context, Raw, Target};
use crate::server::cut::How;

pub use body::{BODY_BYTES_MAX, Bodies};

/// How long decoding, handler and encoding may take together (own choice; a query over much
/// data is the slowest).
pub(crate) const HANDLER_TIME_MAX: Duration = Duration::from_secs(60);

/// Value of the response header `Server`.
const SERVER_NAME: &str = "mock-sls";

/// Headers that must not be repeated, besides all `x-log-` and `x-acs-` ones.
const SINGLE_HEADERS: [HeaderName; 4] = [HOST, AUTHORIZATION, DATE, CONTENT_TYPE];

/// How long a browser may remember that a page may send (own choice).
const PREFLIGHT_SECONDS: u64 = 3_600;

/// Why a request does not come to the answer of its handler.
enum Stop {
    /// It is refused.
    Refused(ApiError),
    /// A fault answers.
    Injected { status: u16, code: String, message: String },
    /// A fault ends the connection.
    Cut(How),
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

/// Answers one request; `target` holds the operations of its path.
pub async fn serve(app: Arc<App>, target: Target, request: Request) -> Response {
    let now = app.clock.now();
    let mut seen = Seen::new(&app, &request, request_id(), now);

    let outcome = answer(&app, &target, request, now, &mut seen).await;

    let (status, payload) = match outcome {
        Ok(payload) => (StatusCode::OK, payload),
        Err(Stop::Cut(how)) => return cut(seen, how).await,
        Err(Stop::Refused(error)) => {
            log_error(&error, seen.request_id());
            let (status, code) = error.wire();
            (status, error_payload(code.into(), error.to_string(), &mut seen))
        }
        Err(Stop::Injected { status, code, message }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, error_payload(code.into(), message, &mut seen))
        }
    };
    let plan = seen.plan.take();
    let response = respond(status, payload, seen.request_id(), faults::clock(plan.as_deref(), now));
    seen.answered(&response);
    let Some(plan) = plan else { return response };
    let outcome = faults::after(&plan, response, &mut seen);
    seen.plan = Some(plan);
    match outcome {
        Ok(response) => response,
        Err(how) => cut(seen, how).await,
    }
}

/// Ends the connection of a request, which thereby ends as well: whoever sent it finds it in the journal
/// as soon as he notices.
async fn cut(mut seen: Seen<'_>, how: How) -> Response {
    seen.lost();
    let peer = seen.peer.clone();
    drop(seen);
    match peer {
        Some(peer) => {
            peer.cut.cut(how);
            std::future::pending().await
        }
        // Asked without a connection, by a fuzz target.
        None => Response::default(),
    }
}

/// The steps, in order. The request id was given before, so that every error has one; the
/// access log comes after, so that it sees every outcome.
async fn answer(
    app: &Arc<App>,
    target: &Target,
    request: Request,
    now: Timestamp,
    seen: &mut Seen<'_>,
) -> Result<Payload, Stop> {
    let (parts, body) = request.into_parts();
    single_headers(&parts.headers)?;
    let project = project(app, &parts)?;
    seen.project(project.as_ref());
    if let Some(permission) = preflight(target, &parts) {
        return Ok(permission);
    }
    let query = query_pairs(&parts);
    let entry = operation(app, target, &parts, &query, project.is_some())?;
    seen.operation(entry);
    let path = entry.endpoint.match_path(parts.uri.path()).unwrap_or_default();
    let change = project.as_ref().and_then(|project| change(app, project, &entry.endpoint, &path));
    let body = app.bodies.read(&parts.headers, body).await?;
    seen.body(&body.bytes);
    let facts = Facts {
        operation: entry.endpoint.name,
        project: project.as_ref().map(ProjectName::as_str),
        path: &path,
        headers: &parts.headers,
        client: seen.client(),
    };
    let plan = app.faults.plan(&facts, now).map(|plan| &**seen.plan.insert(plan));
    if let Some(plan) = plan {
        faults::before(plan, &facts, app).await?;
    }
    let (reading, clock) = (faults::reading(plan, now), faults::clock(plan, now));
    let account = if entry.anonymous {
        String::new()
    } else {
        let caller = app.accounts.verify(&parts, &body.bytes, clock)?;
        app.accounts.permit(&caller, entry.endpoint.name, || {
            resource(entry.endpoint.path, project.as_ref(), &path)
        })?;
        caller.account
    };
    let writing = Writing::default();
    seen.writing(&writing);
    let context = Context {
        app: Arc::clone(app),
        project,
        account,
        client_ip: seen.client().ip(),
        now,
        accepts: accepts(&parts.headers),
        reading,
        writing,
        change: change.clone(),
    };
    let raw = Raw {
        path,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        payload: Payload { headers: parts.headers, bytes: body.bytes.clone() },
    };
    let answer = tokio::time::timeout(HANDLER_TIME_MAX, entry.call(context, raw)).await;
    drop(change);
    let answer = answer.map_err(|_| ApiError::RequestTimeout { seconds: HANDLER_TIME_MAX.as_secs() })?;
    Ok(answer?)
}

/// What a request may change of what waits are about; nothing if it only reads.
pub(crate) fn change(
    app: &App,
    project: &ProjectName,
    endpoint: &Endpoint,
    path: &[(&'static str, String)],
) -> Option<Arc<Change>> {
    let is = |starts: &[&str]| starts.iter().any(|start| endpoint.name.starts_with(start));
    let logstore = path.iter().find(|(name, _)| *name == "logstore").map(|(_, logstore)| logstore);
    match logstore {
        // Consumers send heartbeats and checkpoints all the time; neither changes what is found.
        _ if is(&["Get", "List", "Pull", "Describe", "ConsumerGroup"]) => None,
        Some(logstore) if is(&["Put"]) => {
            Some(Arc::new(Change::Logs(app.arrivals.write(project.as_str(), logstore))))
        }
        _ => Some(Arc::new(Change::Other(Arc::clone(&app.arrivals), project.to_string()))),
    }
}

/// 24 upper-case hex digits. Source: answers of the real service.
fn request_id() -> String {
    format!("{:016X}{:08X}", fastrand::u64(..), fastrand::u32(..))
}

/// A header that counts must not be there twice: signature and handler might read different
/// ones. Source: RFC 9112 for `Host`, guess for the others; no client repeats one.
fn single_headers(headers: &HeaderMap) -> Result<(), ApiError> {
    let counts = |name: &HeaderName| {
        SINGLE_HEADERS.contains(name)
            || ["x-log-", "x-acs-"].iter().any(|start| name.as_str().starts_with(start))
    };
    let twice = |name: &&HeaderName| headers.get_all(*name).iter().nth(1).is_some();
    match headers.keys().filter(|name| counts(name)).find(twice) {
        Some(name) => Err(ApiError::ParameterInvalid(format!("The header {name} is given more than once."))),
        None => Ok(()),
    }
}

/// The answer to a browser that asks whether a page may send to an operation for everyone.
fn preflight(target: &Target, parts: &Parts) -> Option<Payload> {
    let Target::Group(group) = target else { return None };
    let open = group.entries.iter().any(|entry| entry.anonymous);
    if parts.method != Method::OPTIONS || !open {
        return None;
    }
    let mut permission = Payload::default();
    let wanted = parts.headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
    permission.headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    permission.headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(PREFLIGHT_SECONDS));
    if let Some(wanted) = wanted {
        permission.headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    Some(permission)
}

fn project(app: &App, parts: &Parts) -> Result<Option<ProjectName>, ApiError> {
    match app.hosts.addressed(parts) {
        Addressed::Endpoint => Ok(None),
        Addressed::Project(name) => name.parse().map(Some).map_err(|_| ApiError::ProjectNotExist(name)),
    }
}

fn query_pairs(parts: &Parts) -> Vec<(String, String)> {
    serde_urlencoded::from_str(parts.uri.query().unwrap_or_default()).unwrap_or_default()
}

fn operation<'a>(
    app: &App,
    target: &'a Target,
    parts: &Parts,
    query: &[(String, String)],
    has_project: bool,
) -> Result<&'a route::Entry, ApiError> {
    let chosen = match target {
        Target::Group(group) => group.choose(&parts.method, query, has_project),
        Target::OtherMethods => {
            Err(ApiError::InvalidMethod(format!("{} {}", parts.method, parts.uri.path())))
        }
        Target::Nothing => Err(route::not_supported(&parts.method, parts.uri.path(), query)),
    };
    if let Err(error) = &chosen {
        app.unknown.count(error.to_string());
    }
    chosen
}

/// What an operation is about, as RAM names it: `project/p/logstore/ls`. `names` are those in the
/// path, in order; each is of the kind that the part of the template before it says, in the plural.
/// Source: RAM document for projects, Logstores, machine groups and configs; guess for the others.
fn resource(template: &str, project: Option<&ProjectName>, names: &[(&str, String)]) -> String {
    let mut resource = format!("project/{}", project.map_or("*", |project| project.as_str()));
    let mut names = names.iter().map(|(_, name)| name.as_str());
    let mut kinds = "";
    for part in template.split('/') {
        if !part.starts_with('{') {
            kinds = part;
            continue;
        }
        let kind = match kinds {
            "configs" => "logtailconfig",
            other => other.strip_suffix('s').unwrap_or(other),
        };
        resource.extend(["/", kind, "/", names.next().unwrap_or("*")]);
    }
    resource
}

fn accepts(headers: &HeaderMap) -> Compression {
    let names = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    Compression::accepted(names.unwrap_or_default())
}

fn log_error(error: &ApiError, request_id: &str) {
    match error {
        ApiError::Store(source) => tracing::error!(request_id, %source, "database failed"),
        ApiError::Internal(reason) => tracing::error!(request_id, reason, "request failed"),
        other => tracing::debug!(request_id, error = %other, "request refused"),
    }
}

fn error_payload(code: Cow<'static, str>, message: String, seen: &mut Seen<'_>) -> Payload {
    let body = ErrorBody { error_code: code.clone().into_owned(), error_message: message.clone() };
    seen.error(code, message);
    Json(body).to_payload()
}

/// Makes the response, with the headers that all responses carry: LoongCollector takes an
/// answer without `x-log-requestid` for a network fault and sets its clock by `x-log-time`.
fn respond(status: StatusCode, payload: Payload, request_id: &str, now: Timestamp) -> Response {
    let mut response = Response::new(Body::from(payload.bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    *headers = payload.headers;
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(header::REQUEST_ID, value);
    }
    headers.insert(header::TIME, HeaderValue::from(now.as_second()));
    headers.insert(SERVER, HeaderValue::from_static(SERVER_NAME));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
