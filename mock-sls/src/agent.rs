//! The side that collectors talk to: the public agent protocol, version 2; version 1 is in [`v1`].
//!
//! An agent says who it is and which custom ids it brings; it is told the configs of the
//! machine groups that list these ids, as pipelines that send to this server. Requests are
//! unsigned, as the protocol has it. Stock LoongCollector speaks it as well as ours.
//!
//! [`report`] reads what an agent says, [`decide`] finds its groups and what to complain about,
//! [`pipelines`] makes the answer; all three are pure. Here is only the exchange itself.

mod decide;
mod pipelines;
mod report;
mod v1;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use prost::Message;
use rusqlite::{Connection, Transaction};
use sls_api::agent::{
    CommonResponse, FETCH_CONFIG_PATH, FETCH_INSTANCE_CONFIG_PATH, FETCH_PIPELINE_CONFIG_PATH,
    FetchConfigRequest, FetchConfigResponse, HEARTBEAT_PATH, HeartbeatRequest, HeartbeatResponse,
    RESPONSE_REPORT_FULL_STATE,
};
use sls_api::header;

use self::decide::{Identity, Verdict};
use self::pipelines::{Pipelines, Server};
use crate::app::App;
use crate::error::ApiError;
use crate::store::agents::{self, Agent};
use crate::store::applied;

/// Status of an answer that refuses the agent. Source: own choice; LoongCollector only tells
/// zero from others.
const STATUS_REFUSED: i32 = 401;

/// The routes of the agent protocol.
pub fn router() -> Router<Arc<App>> {
    let fetch_route = || post(fetch);
    v1::router()
        .route(HEARTBEAT_PATH, post(heartbeat))
        .route(FETCH_PIPELINE_CONFIG_PATH, fetch_route())
        .route(FETCH_INSTANCE_CONFIG_PATH, fetch_route())
        .route(FETCH_CONFIG_PATH, fetch_route())
}

async fn heartbeat(State(app): State<Arc<App>>, request: Request) -> Response {
    let now = app.clock.now();
    let answer = async {
        let here = app.here(request.headers());
        let beat: HeartbeatRequest = decode(body(&app, request).await?)?;
        let server = Arc::clone(&app);
        app.store.write(move |tx| answer_heartbeat(tx, &server, &here, beat, now)).await
    };
    respond(answer.await, now)
}

fn answer_heartbeat(
    tx: &Transaction<'_>,
    app: &App,
    here: &str,
    beat: HeartbeatRequest,
    now: Timestamp,
) -> Result<HeartbeatResponse, ApiError> {
    let mut response = HeartbeatResponse {
        request_id: beat.request_id.clone(),
        opaque: beat.opaque.clone(),
        common_response: Some(CommonResponse::default()),
        ..HeartbeatResponse::default()
    };
    if !report::is_full(&beat) {
        let id = report::instance_id(&beat.instance_id);
        agents::touch(tx, &id, report::sequence(&beat), now)?;
        // This server does not claim to remember states, so it asks for the full one.
        response.flags = RESPONSE_REPORT_FULL_STATE;
        return Ok(response);
    }
    let mut agent = report::agent(&beat, now)?;
    let outcome = assigned(tx, app, here, &agent)?;
    agent.notice.clone_from(&outcome.message);
    agents::save(tx, &agent)?;
    response.common_response =
        Some(CommonResponse { status: outcome.status, error_message: outcome.message.into_bytes() });
    if outcome.status == 0 {
        response.continuous_pipeline_config_updates = outcome.pipelines.updates_for(&agent.configs);
    }
    Ok(response)
}

/// What an agent should run, or why it is refused.
struct Outcome {
    status: i32,
    /// A refusal, or a notice beside configs; empty when all is well.
    message: String,
    pipelines: Pipelines,
}

impl Outcome {
    fn refused(message: String) -> Self {
        Self { status: STATUS_REFUSED, message, pipelines: Pipelines::default() }
    }

    /// Of an agent that asks for texts before it has said who it is.
    fn stranger(id: &str) -> Self {
        Self::refused(format!("agent {id:?} has not sent a heartbeat yet: send one first"))
    }
}

fn assigned(db: &Connection, app: &App, here: &str, agent: &Agent) -> Result<Outcome, ApiError> {
    let identity = Identity::of(agent);
    let claims = agents::claims(db, &identity.custom_ids, &agent.ip)?;
    match decide::decide(&identity, claims, |uid| app.accounts.has_account(uid)) {
        Verdict::Refused(message) => Ok(Outcome::refused(message)),
        Verdict::Member { groups, mut notices } => {
            let mut configs = Vec::new();
            for group in groups {
                configs.extend(applied::assigned(db, group)?);
            }
            let server = Server { region: &app.region, endpoint: here };
            let pipelines = pipelines::translate(&configs, server);
            notices.extend(pipelines.problems().cloned());
            Ok(Outcome { status: 0, message: notices.join("; "), pipelines })
        }
    }
}

/// All three fetch calls: the details of the named pipelines, as far as the agent gets them.
/// There are no instance configs here. An agent of version 1 is answered in its own messages.
async fn fetch(State(app): State<Arc<App>>, request: Request) -> Response {
    let now = app.clock.now();
    let here = app.here(request.headers());
    let request = match body(&app, request).await {
        Ok(request) => request,
        Err(error) => return respond::<FetchConfigResponse>(Err(error), now),
    };
    if let Some(wanted) = v1::asked(&request) {
        return respond(v1::answer_fetch(&app, here, wanted).await, now);
    }
    let answer = async {
        let wanted: FetchConfigRequest = decode(request)?;
        let server = Arc::clone(&app);
        app.store.read(move |db| answer_fetch(db, &server, &here, wanted)).await
    };
    respond(answer.await, now)
}

fn answer_fetch(
    db: &Connection,
    app: &App,
    here: &str,
    wanted: FetchConfigRequest,
) -> Result<FetchConfigResponse, ApiError> {
    let id = report::instance_id(&wanted.instance_id);
    let outcome = match agents::get(db, &id)? {
        Some(agent) => assigned(db, app, here, &agent)?,
        None => Outcome::stranger(&id),
    };
    let names = wanted.continuous_pipeline_configs.iter().map(|config| config.name.as_str());
    Ok(FetchConfigResponse {
        continuous_pipeline_config_updates: outcome.pipelines.named(names),
        common_response: Some(CommonResponse {
            status: outcome.status,
            error_message: outcome.message.into_bytes(),
        }),
        request_id: wanted.request_id,
        ..FetchConfigResponse::default()
    })
}

async fn body(app: &App, request: Request) -> Result<Bytes, ApiError> {
    let (parts, body) = request.into_parts();
    Ok(app.bodies.read(&parts.headers, body).await?.bytes)
}

fn decode<M: Message + Default>(body: Bytes) -> Result<M, ApiError> {
    M::decode(body)
        .map_err(|error| ApiError::PostBodyInvalid(format!("Protobuffer content cannot be parsed: {error}")))
}

fn respond<M: Message>(answer: Result<M, ApiError>, now: Timestamp) -> Response {
    let mut response = match answer {
        Ok(message) => {
            let mut response = Response::new(Body::from(Bytes::from(message.encode_to_vec())));
            let kind = HeaderValue::from_static(header::PROTOBUF);
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        Err(error) => {
            let (status, code) = error.wire();
            tracing::warn!(%error, code, "agent request failed");
            (status, error.to_string()).into_response()
        }
    };
    response.headers_mut().insert(header::TIME, HeaderValue::from(now.as_second()));
    response
}
