//! The first version of the agent protocol, for agents that do not speak the second: the same groups and configs in
//! other messages. Tags have no names in it: each is a custom id, where some group lists one of an agent's tags only
//! those that are listed. Configs of agents themselves, commands and the calls of users are not served.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use jiff::Timestamp;
use prost::Message;
use rusqlite::{Connection, Transaction};
use sls_api::agent::v1::{
    CheckStatus, ConfigCheckResult, ConfigDetail, EXTRA_USER_IDS, FETCH_AGENT_CONFIG_PATH,
    FETCH_PIPELINE_CONFIG_PATH, FetchAgentConfigRequest, FetchConfigResponse, FetchPipelineConfigRequest,
    HEARTBEAT_PATH, HeartBeatRequest, HeartBeatResponse, RespCode,
};
use sls_api::agent::{FetchConfigRequest, TAG_USER_DEFINED_ID, TAG_USER_ID, VERSION_DELETED};

use super::report::{self, ENTRIES_MAX, text};
use super::{Outcome, assigned, body, decode, respond};
use crate::app::App;
use crate::error::ApiError;
use crate::store::agents::{self, Agent, AgentConfig};

/// Name under which a tag is kept that is no custom id.
const TAG_WITHOUT_NAME: &str = "tag";

/// The routes that are of this version alone. Agents leave out the final slash, which the protocol's comments have.
pub fn router() -> Router<Arc<App>> {
    let slashed = |path: &str| format!("{path}/");
    Router::new()
        .route(HEARTBEAT_PATH, post(heartbeat))
        .route(&slashed(HEARTBEAT_PATH), post(heartbeat))
        .route(&slashed(FETCH_PIPELINE_CONFIG_PATH), post(fetch_pipelines))
        .route(FETCH_AGENT_CONFIG_PATH, post(fetch_agent_configs))
        .route(&slashed(FETCH_AGENT_CONFIG_PATH), post(fetch_agent_configs))
}

async fn heartbeat(State(app): State<Arc<App>>, request: Request) -> Response {
    let now = app.clock.now();
    let answer = async {
        let here = app.here(request.headers());
        let beat: HeartBeatRequest = decode(body(&app, request).await?)?;
        let server = Arc::clone(&app);
        app.store.write(move |tx| answer_heartbeat(tx, &server, &here, &beat, now)).await
    };
    respond(answer.await, now)
}

fn answer_heartbeat(
    tx: &Transaction<'_>,
    app: &App,
    here: &str,
    beat: &HeartBeatRequest,
    now: Timestamp,
) -> Result<HeartBeatResponse, ApiError> {
    let mut agent = agent(tx, beat, now)?;
    let outcome = assigned(tx, app, here, &agent)?;
    agent.notice.clone_from(&outcome.message);
    agents::save(tx, &agent)?;
    let mut response = HeartBeatResponse {
        request_id: beat.request_id.clone(),
        code: code(&outcome).into(),
        message: outcome.message,
        ..HeartBeatResponse::default()
    };
    if outcome.status == 0 {
        let updates = outcome.pipelines.updates_for(&agent.configs);
        let results = updates.into_iter().map(|update| {
            let old = agent.configs.iter().find(|has| has.name == update.name).map(|has| has.version);
            let status = match (update.version, old) {
                (VERSION_DELETED, _) => CheckStatus::Deleted,
                (_, None) => CheckStatus::New,
                (_, Some(_)) => CheckStatus::Modified,
            };
            let old_version = old.unwrap_or_default();
            ConfigCheckResult {
                name: update.name,
                old_version,
                // A deletion names the version that goes. Source: the server of iLogtail 1.8.
                new_version: if status == CheckStatus::Deleted { old_version } else { update.version },
                check_status: status.into(),
                ..ConfigCheckResult::default()
            }
        });
        response.pipeline_check_results = results.collect();
    }
    Ok(response)
}

fn code(outcome: &Outcome) -> RespCode {
    if outcome.status == 0 { RespCode::Accept } else { RespCode::InvalidParameter }
}

/// Reads a heartbeat; every one holds the full state.
fn agent(db: &Connection, beat: &HeartBeatRequest, now: Timestamp) -> Result<Agent, ApiError> {
    if beat.agent_id.is_empty() {
        return Err(report::nameless("agent_id"));
    }
    let attributes = beat.attributes.clone().unwrap_or_default();
    let ip = text(&attributes.ip);
    let values: Vec<String> = beat.tags.iter().take(ENTRIES_MAX).map(|tag| text(tag)).collect();
    let claimed: BTreeSet<String> =
        agents::claims(db, &values.iter().map(String::as_str).collect::<Vec<_>>(), &ip)?
            .into_iter()
            .filter(|claim| claim.by_custom_id)
            .map(|claim| claim.value)
            .collect();
    let tags = values.into_iter().map(|value| {
        let is_id = claimed.is_empty() || claimed.contains(&value);
        (if is_id { TAG_USER_DEFINED_ID } else { TAG_WITHOUT_NAME }.to_owned(), value)
    });
    let user_ids = attributes.extras.get(EXTRA_USER_IDS).map(String::as_str).unwrap_or_default();
    let user_ids = user_ids.split(',').map(str::trim).filter(|id| !id.is_empty()).take(ENTRIES_MAX);
    Ok(Agent {
        instance_id: text(&beat.agent_id),
        agent_type: text(&beat.agent_type),
        version: text(&attributes.version),
        ip,
        hostname: text(&attributes.hostname),
        running_status: text(&beat.running_status),
        startup_time: beat.startup_time,
        last_heartbeat: now.as_second(),
        tags: tags.chain(user_ids.map(|id| (TAG_USER_ID.to_owned(), text(id)))).collect(),
        configs: beat
            .pipeline_configs
            .iter()
            .take(ENTRIES_MAX)
            .map(|has| AgentConfig {
                name: text(&has.name),
                version: has.version,
                // This version of the protocol does not say how it went.
                status: report::STATUS_UNSET.to_owned(),
                message: String::new(),
            })
            .collect(),
        ..Agent::default()
    })
}

async fn fetch_pipelines(State(app): State<Arc<App>>, request: Request) -> Response {
    let now = app.clock.now();
    let answer = async {
        let here = app.here(request.headers());
        let wanted = decode(body(&app, request).await?)?;
        answer_fetch(&app, here, wanted).await
    };
    respond(answer.await, now)
}

/// What this asks for, if it is of this version. On the path that both have, the numbers of fields tell.
pub fn asked(request: &Bytes) -> Option<FetchPipelineConfigRequest> {
    match FetchConfigRequest::decode(request.clone()) {
        Ok(_) => None,
        Err(_) => FetchPipelineConfigRequest::decode(request.clone()).ok(),
    }
}

pub async fn answer_fetch(
    app: &Arc<App>,
    here: String,
    wanted: FetchPipelineConfigRequest,
) -> Result<FetchConfigResponse, ApiError> {
    let server = Arc::clone(app);
    app.store.read(move |db| fetched(db, &server, &here, wanted)).await
}

fn fetched(
    db: &Connection,
    app: &App,
    here: &str,
    wanted: FetchPipelineConfigRequest,
) -> Result<FetchConfigResponse, ApiError> {
    let outcome = match agents::get(db, &text(&wanted.agent_id))? {
        Some(agent) => assigned(db, app, here, &agent)?,
        None => Outcome::stranger(&wanted.agent_id),
    };
    let code = code(&outcome).into();
    let details = outcome.pipelines.named(wanted.req_configs.iter().map(|config| config.name.as_str()));
    let detail = |detail: sls_api::agent::ConfigDetail| ConfigDetail {
        name: detail.name,
        version: detail.version,
        detail: String::from_utf8_lossy(&detail.detail).into_owned(),
        ..ConfigDetail::default()
    };
    Ok(FetchConfigResponse {
        request_id: wanted.request_id,
        code,
        message: outcome.message,
        config_details: details.into_iter().map(detail).collect(),
    })
}

/// There are no configs of agents here.
async fn fetch_agent_configs(State(app): State<Arc<App>>, request: Request) -> Response {
    let now = app.clock.now();
    let answer = async {
        let wanted: FetchAgentConfigRequest = decode(body(&app, request).await?)?;
        Ok(FetchConfigResponse { request_id: wanted.request_id, ..FetchConfigResponse::default() })
    };
    respond(answer.await, now)
}
