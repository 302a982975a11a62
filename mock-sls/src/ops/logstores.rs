//! Logstores.

use jiff::Timestamp;
use rusqlite::Transaction;
use serde_json::Value;
use sls_api::Json;
use sls_api::error::code;
use sls_api::operation::DecodeError;
use sls_api::ops::logstores::{
    ClearLogStoreStorage, CreateLogStore, DeleteLogStore, GetLogStore, ListLogStore, ListLogStoreQuery,
    Logstore, LogstoreList, LogstoreSettings, UpdateLogStore,
};

use crate::error::ApiError;
use crate::quotas;
use crate::route::{Call, Operations};
use crate::store::page::Page;
use crate::store::projects::ProjectId;
use crate::store::{expiry, logstores, shards};

/// Page size where the caller gives none. Source: the SDKs' own default.
const PAGE_SIZE_DEFAULT: i64 = 200;
/// Days that logs can be kept; the largest means for ever. Source: API reference.
pub(super) const TTL_DAYS_MAX: i64 = logstores::TTL_FOREVER_DAYS;
/// Days that logs are kept where the creator says nothing. Source: guess.
const TTL_DAYS_DEFAULT: i64 = 30;
/// Shards where the creator says nothing. Source: SDK defaults.
const SHARDS_DEFAULT: i64 = 2;
/// Most shards of a new Logstore. Source: limits document.
const SHARDS_MAX: i64 = 100;
/// Most shards after automatic splits. Source: limits document.
const SPLIT_SHARDS_MAX: i64 = 256;
/// The same where the creator says nothing. Source: API reference.
const SPLIT_SHARDS_DEFAULT: i64 = 64;

/// The value of `mode` with which a Logstore has no index of fields.
const LITE: &str = "lite";

/// Values of `encrypt_type`. Source: comments of the OpenAPI client's models.
const ENCRYPTIONS: [&str; 10] =
    ["default", "m4", "sm4_ecb", "sm4_cbc", "sm4_gcm", "aes_ecb", "aes_cbc", "aes_cfb", "aes_ofb", "aes_gcm"];

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op_or(bad_body, create).op(get).op_or(bad_body, update).op(delete).op(list).op(clear)
}

fn bad_body(error: DecodeError) -> ApiError {
    match error {
        DecodeError::Json(error) => ApiError::LogStoreInfoInvalid(match refused_name(&error.to_string()) {
            Some(name) => format!("logstore name {name} is invalid"),
            None => format!("The body is not a valid logstore description: {error}"),
        }),
        other => other.into(),
    }
}

/// The name in the error of a body that was refused for it. Source of the answer: JavaSDK
/// LogStoreFunctionTest.
fn refused_name(error: &str) -> Option<&str> {
    let (name, _) = error.strip_prefix("logstore name \"")?.rsplit_once("\" is not valid: ")?;
    Some(name)
}

async fn create(call: Call<CreateLogStore>) -> Result<(), ApiError> {
    let (Json(given), now) = (call.body, call.context.now);
    let logstore = new(&given)?;
    let quota = call.context.app.quotas.logstores;
    call.context.write(move |tx, project| add(tx, project, &logstore, quota, now)).await
}

/// Adds a Logstore with its shards.
pub(super) fn add(
    tx: &Transaction<'_>,
    project: ProjectId,
    logstore: &Logstore,
    quota: u64,
    now: Timestamp,
) -> Result<(), ApiError> {
    let id = logstores::create(tx, project, logstore, now)?;
    quotas::check_after("logstore", logstores::list(tx, project)?.len(), quota)?;
    shards::create(tx, id, u32::try_from(logstore.shard_count).unwrap_or_default(), now)
}

/// A Logstore with the service's defaults where the creator says nothing.
pub(super) fn new(given: &LogstoreSettings) -> Result<Logstore, ApiError> {
    let Some(logstore_name) = given.logstore_name.clone() else {
        let text = "The body is not a valid logstore description: missing field `logstoreName`";
        return Err(ApiError::LogStoreInfoInvalid(text.to_owned()));
    };
    let defaults = Logstore {
        logstore_name,
        ttl: TTL_DAYS_DEFAULT,
        shard_count: given.shard_count.unwrap_or(SHARDS_DEFAULT),
        enable_tracking: false,
        auto_split: false,
        max_split_shard: SPLIT_SHARDS_DEFAULT,
        append_meta: false,
        telemetry_type: "None".to_owned(),
        mode: "standard".to_owned(),
        hot_ttl: 0,
        infrequent_access_ttl: None,
        encrypt_conf: None,
        create_time: 0,
        last_modify_time: 0,
    };
    checked(logstores::merge(defaults, given))
}

pub(super) fn checked(logstore: Logstore) -> Result<Logstore, ApiError> {
    let within = |what: &str, value: i64, max: i64| {
        if (1..=max).contains(&value) {
            return Ok(());
        }
        Err(ApiError::ParameterInvalid(format!("{what} must be 1 to {max}, not {value}")))
    };
    within("ttl", logstore.ttl, TTL_DAYS_MAX)?;
    within("shardCount", logstore.shard_count, SHARDS_MAX)?;
    if !(1..=SPLIT_SHARDS_MAX).contains(&logstore.max_split_shard) {
        let why = format!("maxSplitShard must be within range [1, {SPLIT_SHARDS_MAX}]");
        return Err(ApiError::LogStoreInfoInvalid(why));
    }
    check_encryption(&logstore)?;
    Ok(logstore)
}

/// Encryption that is on needs an algorithm. Source of code and text: JavaSDK
/// LogStoreFunctionTest.
fn check_encryption(logstore: &Logstore) -> Result<(), ApiError> {
    let Some(encryption) = &logstore.encrypt_conf else { return Ok(()) };
    let enabled = encryption.get("enable").and_then(Value::as_bool).unwrap_or_default();
    let algorithm = encryption.get("encrypt_type").and_then(Value::as_str).unwrap_or_default();
    if !enabled || ENCRYPTIONS.contains(&algorithm) {
        return Ok(());
    }
    Err(ApiError::LogStoreInfoInvalid(
        "The encrypt_conf is invalid, [encrypt_type] key is missing or not supported".to_owned(),
    ))
}

async fn get(call: Call<GetLogStore>) -> Result<Json<Logstore>, ApiError> {
    let name = call.path.logstore;
    call.context
        .read(move |db, project| logstores::get(db, logstores::find(db, project, &name)?))
        .await
        .map(Json)
}

/// The number of shards changes by splitting and merging only; that in an update has no effect.
/// Source: JavaSDK LogStoreFunctionTest.
async fn update(call: Call<UpdateLogStore>) -> Result<(), ApiError> {
    let (Json(given), name, now) = (call.body, call.path.logstore, call.context.now);
    if let Some(other) = given.logstore_name.as_ref().filter(|given| **given != name) {
        return Err(ApiError::LogStoreInfoInvalid(format!(
            "store name {other} is invalid: the path says {name}"
        )));
    }
    call.context
        .write(move |tx, project| {
            let id = logstores::find(tx, project, &name)?;
            let current = logstores::get(tx, id)?;
            check_mode(&current.mode, given.mode.as_deref())?;
            logstores::update(tx, id, &checked(logstores::merge(current, &given))?, now)
        })
        .await
}

/// A Logstore is made for this mode and does not change to it. Source of code and text: JavaSDK
/// LogStoreFunctionTest.
fn check_mode(current: &str, given: Option<&str>) -> Result<(), ApiError> {
    if given != Some(LITE) || current == LITE {
        return Ok(());
    }
    let message = "The logstore mode or telemetryType is not supported for current metering mode.".to_owned();
    Err(ApiError::Refused { status: 400, code: code::NOT_SUPPORTED, message })
}

/// Removes the logs and keeps the rest; cursors stay where they are. Source: JavaSDK `ClearLogStoreStorage`;
/// what becomes of cursors is a guess.
async fn clear(call: Call<ClearLogStoreStorage>) -> Result<(), ApiError> {
    let (name, now) = (call.path.logstore, call.context.now);
    call.context
        .write(move |tx, project| expiry::clear(tx, logstores::read_target(tx, project, &name, now)?))
        .await
}

async fn delete(call: Call<DeleteLogStore>) -> Result<(), ApiError> {
    let name = call.path.logstore;
    call.context.write(move |tx, project| logstores::delete(tx, logstores::find(tx, project, &name)?)).await
}

async fn list(call: Call<ListLogStore>) -> Result<Json<LogstoreList>, ApiError> {
    let query = call.query;
    let page = Page::new(query.offset, query.size, PAGE_SIZE_DEFAULT)?;
    let mut found = call.context.read(logstores::list).await?;
    found.retain(|logstore| wanted(logstore, &query));
    let (found, total) = page.of(found);
    Ok(Json(LogstoreList {
        count: found.len() as u64,
        total,
        logstores: found.into_iter().map(|logstore| logstore.logstore_name).collect(),
    }))
}

fn wanted(logstore: &Logstore, query: &ListLogStoreQuery) -> bool {
    let is = |value: &str, wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| wanted == value);
    query.logstore_name.as_ref().is_none_or(|part| logstore.logstore_name.as_str().contains(part.as_str()))
        && is(&logstore.telemetry_type, &query.telemetry_type)
        && is(&logstore.mode, &query.mode)
}
