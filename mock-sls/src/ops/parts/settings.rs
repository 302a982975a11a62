//! Resource group and policy of a project, time to live of sub-stores.

use serde_json::{Map, Value};
use sls_api::Json;
use sls_api::names::ProjectName;
use sls_api::operation::Text;
use sls_api::ops::parts::{
    ChangeResourceGroup, DeleteProjectPolicy, GetProjectPolicy, GetSubStoreTtl, PutProjectPolicy, Ttl,
    UpdateSubStoreTtl,
};

use crate::error::ApiError;
use crate::ops::logstores::TTL_DAYS_MAX;
use crate::route::{Call, Operations};
use crate::store::documents::{self, Owner};
use crate::store::{logstores, projects};

/// Under which names these settings are stored.
const POLICY: &str = "policy";
const SUB_STORE_TTL: &str = "substorettl";

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op(change_group).op(put_policy).op(get_policy).op(delete_policy).op(get_ttl).op(set_ttl)
}

/// The body names the project; that in the host name does not count. Source: the Python SDK
/// sends the same in both.
async fn change_group(call: Call<ChangeResourceGroup>) -> Result<(), ApiError> {
    let (Json(change), account, now) = (call.body, call.context.account, call.context.now);
    let missing = || ApiError::ProjectNotExist(change.resource_id.clone());
    let project: ProjectName = change.resource_id.parse().map_err(|_| missing())?;
    call.context
        .app
        .store
        .write(move |tx| {
            let id = projects::owned(tx, &project, &account)?;
            projects::set_resource_group(tx, id, change.resource_group_id, now)
        })
        .await
}

async fn put_policy(call: Call<PutProjectPolicy>) -> Result<(), ApiError> {
    let (Text(text), now) = (call.body, call.context.now);
    let _: Map<String, Value> = serde_json::from_str(&text)
        .map_err(|error| ApiError::ParameterInvalid(format!("The policy is not a JSON object: {error}")))?;
    let body = Map::from_iter([("text".to_owned(), Value::String(text))]);
    call.context.write(move |tx, project| put(tx, &Owner::Project(project), POLICY, &body, now)).await
}

fn put(
    tx: &rusqlite::Transaction<'_>,
    owner: &Owner,
    kind: &str,
    body: &Map<String, Value>,
    now: jiff::Timestamp,
) -> Result<(), ApiError> {
    match documents::find(tx, owner, kind, "")? {
        Some(document) => documents::replace(tx, document.id, body, now),
        None => documents::insert(tx, owner, kind, "", body, now),
    }
}

/// Empty where there is none, which is a guess.
async fn get_policy(call: Call<GetProjectPolicy>) -> Result<Text, ApiError> {
    let found = call
        .context
        .read(move |db, project| documents::find(db, &Owner::Project(project), POLICY, ""))
        .await?;
    let text = found.as_ref().and_then(|document| document.body.get("text")).and_then(Value::as_str);
    Ok(Text(text.unwrap_or_default().to_owned()))
}

async fn delete_policy(call: Call<DeleteProjectPolicy>) -> Result<(), ApiError> {
    call.context
        .write(move |tx, project| match documents::find(tx, &Owner::Project(project), POLICY, "")? {
            Some(document) => documents::delete(tx, document.id),
            None => Ok(()),
        })
        .await
}

/// That of the Logstore until another one is set, which is a guess.
async fn get_ttl(call: Call<GetSubStoreTtl>) -> Result<Json<Ttl>, ApiError> {
    let name = call.path.logstore;
    call.context
        .read(move |db, project| {
            let id = logstores::find(db, project, &name)?;
            let set = documents::find(db, &Owner::Logstore(id), SUB_STORE_TTL, "")?;
            let days = set.and_then(|document| document.body.get("ttl")?.as_i64());
            let days = match days {
                Some(days) => days,
                None => logstores::get(db, id)?.ttl,
            };
            Ok(Json(Ttl { ttl: Some(days) }))
        })
        .await
}

async fn set_ttl(call: Call<UpdateSubStoreTtl>) -> Result<(), ApiError> {
    let (name, now) = (call.path.logstore, call.context.now);
    let days = call.query.ttl.filter(|days| (1..=TTL_DAYS_MAX).contains(days)).ok_or_else(|| {
        ApiError::ParameterInvalid(format!("The parameter ttl must be 1 to {TTL_DAYS_MAX} days"))
    })?;
    let body = Map::from_iter([("ttl".to_owned(), Value::from(days))]);
    call.context
        .write(move |tx, project| {
            let id = logstores::find(tx, project, &name)?;
            put(tx, &Owner::Logstore(id), SUB_STORE_TTL, &body, now)
        })
        .await
}
