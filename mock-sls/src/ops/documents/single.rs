//! What single kinds demand beyond what the table can say. Source of codes and texts, where none other is
//! named: the tests of the Java SDK that each function names.

use rusqlite::Connection;
use serde_json::{Map, Value, json};
use sls_api::error::code;
use sls_api::names::LogstoreName;
use sls_api::ops::documents::{Kind, Verb, stored_as};

use super::{Caller, Owner, rules};
use crate::error::ApiError;
use crate::ops::metric_stores::METRICS;
use crate::store::{applied, logstores};

/// What a project can keep logs of. Source: LoggingFunctionTest, API reference "CreateLogging".
const LOGGING_TYPES: [&str; 8] = [
    "consumergroup_log",
    "etl_alert",
    "logtail_alarm",
    "logtail_profile",
    "logtail_status",
    "metering",
    "operation_log",
    "scheduledsqlalert",
];
/// The metering mode that not every Logstore can have.
const BY_DATA_INGEST: &str = "ChargeByDataIngest";

/// What a call on a document of this name must fulfil, before it is looked for.
pub(super) fn check_call(
    db: &Connection,
    caller: &Caller,
    kind: &Kind,
    owner: &Owner,
    verb: Verb,
    name: &str,
) -> Result<(), ApiError> {
    match (kind.stored_as, verb) {
        (stored_as::PIPELINE_CONFIG, Verb::Create) => {
            applied::check_free(db, caller.project(db)?, &name.parse()?)
        }
        (stored_as::METRICS_CONFIG, _) => of_a_metric_store(db, caller, name),
        (stored_as::SUB_STORE, Verb::Update) => sub_stores_change(db, owner),
        _ => Ok(()),
    }
}

/// What a document must fulfil that is to be kept.
pub(super) fn check_body(
    db: &Connection,
    caller: &Caller,
    kind: &Kind,
    owner: &Owner,
    body: &Map<String, Value>,
) -> Result<(), ApiError> {
    match kind.stored_as {
        stored_as::LOGGING => logging_types(body),
        stored_as::METERING_MODE => metering_mode(db, kind, owner, body),
        stored_as::ETL_JOB => etl_source(db, caller, body),
        stored_as::JOB => job_logstore(db, caller, body),
        _ => Ok(()),
    }
}

/// MetricsConfigFunctionTest; the text is a guess.
fn of_a_metric_store(db: &Connection, caller: &Caller, name: &str) -> Result<(), ApiError> {
    let id = logstores::find(db, caller.project(db)?, &name.parse()?)?;
    if logstores::get(db, id)?.telemetry_type == METRICS {
        return Ok(());
    }
    let message = format!("logstore {name} is no metric store, only these have a metrics config");
    Err(ApiError::Refused { status: 400, code: code::NOT_SUPPORTED, message })
}

/// SubStoreTest, the text included.
fn sub_stores_change(db: &Connection, owner: &Owner) -> Result<(), ApiError> {
    let Owner::Logstore(id) = owner else { return Ok(()) };
    if logstores::get(db, *id)?.telemetry_type != METRICS {
        return Ok(());
    }
    let message = "this method is not implemented for metric store not Implemented yet!".to_owned();
    Err(ApiError::Refused { status: 501, code: "NotImplemented", message })
}

/// LoggingFunctionTest; that no type may be there twice is a guess.
fn logging_types(body: &Map<String, Value>) -> Result<(), ApiError> {
    let details = body.get("loggingDetails").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut seen = Vec::new();
    for detail in details {
        let text = detail.get("type").and_then(Value::as_str).unwrap_or_default();
        if !LOGGING_TYPES.contains(&text) {
            return Err(ApiError::ParameterInvalid(format!("Invalid type '{text}'")));
        }
        if seen.contains(&text) {
            return Err(ApiError::ParameterInvalid(format!("Duplicate type '{text}'")));
        }
        seen.push(text);
    }
    Ok(())
}

/// UpdateLogStoreMeteringModeFunctionTest, the text included. Not for the path of metric stores, by which the
/// Go and Python SDKs set every mode.
fn metering_mode(
    db: &Connection,
    kind: &Kind,
    owner: &Owner,
    body: &Map<String, Value>,
) -> Result<(), ApiError> {
    let Owner::Logstore(id) = owner else { return Ok(()) };
    let by_ingest = body.get("meteringMode").and_then(Value::as_str) == Some(BY_DATA_INGEST);
    let path_of_logstores = kind.calls.iter().any(|call| call.path.starts_with("/logstores/"));
    if !by_ingest || !path_of_logstores {
        return Ok(());
    }
    let logstore = logstores::get(db, *id)?;
    if logstore.mode == "standard" && logstore.telemetry_type != METRICS {
        return Ok(());
    }
    let message = "The metring mode is not supported for current mode or telemetryType.".to_owned();
    Err(ApiError::Refused { status: 400, code: code::NOT_SUPPORTED, message })
}

/// EtlJobFunctionTest; the text is a guess.
fn etl_source(db: &Connection, caller: &Caller, body: &Map<String, Value>) -> Result<(), ApiError> {
    let source = body.get("sourceConfig").and_then(|source| source.get("logstoreName"));
    let Some(name) = source.and_then(Value::as_str) else { return Ok(()) };
    let missing = || ApiError::PostBodyInvalid(format!("The source logstore {name} does not exist"));
    let logstore: LogstoreName = name.parse().map_err(|_| missing())?;
    match logstores::find(db, caller.project(db)?, &logstore) {
        Err(ApiError::LogStoreNotExist(_)) => Err(missing()),
        found => found.map(|_| ()),
    }
}

/// Transformations and imports need the Logstore that they read or fill. Source: guess; what the tests of the
/// SDKs make before.
fn job_logstore(db: &Connection, caller: &Caller, body: &Map<String, Value>) -> Result<(), ApiError> {
    let kind = body.get("type").and_then(Value::as_str).unwrap_or_default();
    match body.get("configuration") {
        Some(Value::Object(configuration))
            if ["ETL", "Ingestion"].contains(&kind) && configuration.get("logstore") != Some(&json!("")) =>
        {
            rules::logstore_exists(db, caller.project(db)?, configuration, "logstore")
        }
        _ => Ok(()),
    }
}
