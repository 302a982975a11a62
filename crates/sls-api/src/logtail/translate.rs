//! Classic form to pipeline form, as the service does it before it hands a config to agents.
//!
//! Purely syntactic: whether a regex compiles is the agent's to say, so that a bad config shows
//! as failed on the machine. Key names are those of LoongCollector's documented plugins, so that
//! a stock agent runs the result as well as ours.

mod input;
mod processors;
mod topic;

pub(super) use processors::{DROPPED_COLUMN, RAW_KEY, SIMPLE_REGEX, SOURCE_KEY, TIME_KEY, UNPARSED_KEY};
pub use topic::CONSTANT as CONSTANT_TOPIC;

use serde_json::{Map, Value, json};

use super::{
    complete_input_detail,
    fields::{Fields, WrongType},
    nginx,
};
use crate::{
    names::{LogstoreName, ProjectName},
    ops::logtail_configs::LogtailConfig,
};

/// Where a pipeline sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Project.
    pub project: ProjectName,
    /// Logstore.
    pub logstore: LogstoreName,
    /// Region id, e.g. `cn-hangzhou`.
    pub region: String,
    /// Endpoint, without scheme: `host` or `host:port`.
    pub endpoint: String,
}

/// A config that has no pipeline form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranslateError {
    /// A field is missing or has a value that cannot be used.
    #[error("inputDetail.{field} {reason}")]
    Field {
        /// Path of the field.
        field: String,
        /// What is wrong, and what to write.
        reason: String,
    },
    /// An input or log type that agents of this kind do not run.
    #[error("{what} {name:?} cannot be run by a collector: use {instead}")]
    Unsupported {
        /// `inputType` or `logType`.
        what: &'static str,
        /// Its value.
        name: String,
        /// What can be run.
        instead: &'static str,
    },
}

impl TranslateError {
    fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Field { field: field.into(), reason: reason.into() }
    }
}

impl From<WrongType> for TranslateError {
    fn from(wrong: WrongType) -> Self {
        Self::field(wrong.field, format!("has the wrong type: write {}", wrong.wanted))
    }
}

/// How the lines of a file are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogType {
    Regex,
    Json,
    Delimiter,
    Apsara,
}

/// The values of `logType`.
pub(super) const LOG_TYPES: [(&str, LogType); 4] = [
    ("common_reg_log", LogType::Regex),
    ("json_log", LogType::Json),
    ("delimiter_log", LogType::Delimiter),
    ("apsara_log", LogType::Apsara),
];

/// The pipeline of a config; missing fields take the SDKs' defaults first.
///
/// # Errors
/// [`TranslateError`] when a field that decides what is read, or how, cannot be used.
pub fn to_pipeline(config: &LogtailConfig, destination: &Destination) -> Result<Value, TranslateError> {
    let compression = config.output_detail.compress_type.as_deref();
    pipeline_of(&config.input_type, &config.input_detail, config.create_time, compression, destination)
}

/// The same of a config that has no name yet.
pub(super) fn pipeline_of(
    input_type: &str,
    detail: &Map<String, Value>,
    create_time: Option<i64>,
    compression: Option<&str>,
    destination: &Destination,
) -> Result<Value, TranslateError> {
    let mut detail = detail.clone();
    nginx::derive(&mut detail).map_err(|wrong| TranslateError::field(nginx::LOG_FORMAT, wrong))?;
    complete_input_detail(&mut detail);
    let mut pipeline = Map::from_iter([("enable".to_owned(), json!(true))]);
    if let Some(time) = create_time {
        pipeline.insert("createTime".into(), json!(time));
    }
    match input_type {
        "file" => file_pipeline(&detail, &mut pipeline)?,
        "plugin" => plugin_pipeline(&detail, &mut pipeline)?,
        other => {
            return Err(TranslateError::Unsupported {
                what: "inputType",
                name: other.to_owned(),
                instead: "file or plugin",
            });
        }
    }
    pipeline.insert("flushers".into(), json!([flusher(compression, &detail, destination)?]));
    Ok(Value::Object(pipeline))
}

fn file_pipeline(
    detail: &Map<String, Value>,
    pipeline: &mut Map<String, Value>,
) -> Result<(), TranslateError> {
    let fields = Fields::new(detail);
    let log_type = log_type(fields)?;
    if let Some(global) = topic::global(fields)? {
        pipeline.insert("global".into(), global);
    }
    pipeline.insert("inputs".into(), json!([input::input_file(fields, log_type)?]));
    let mut processors = processors::native(fields, log_type)?;
    if let Some(plugin) = fields.object("plugin")? {
        processors.extend(go_plugins(Fields::inside(plugin, "plugin."), "processors")?);
    }
    pipeline.insert("processors".into(), Value::Array(processors));
    Ok(())
}

fn log_type(fields: Fields<'_>) -> Result<LogType, TranslateError> {
    let name = fields
        .text("logType")?
        .ok_or_else(|| TranslateError::field("logType", "is missing: write common_reg_log"))?;
    let known = LOG_TYPES.into_iter().find(|(known, _)| *known == name);
    known.map(|(_, kind)| kind).ok_or_else(|| TranslateError::Unsupported {
        what: "logType",
        name: name.to_owned(),
        instead: "common_reg_log, json_log, delimiter_log or apsara_log",
    })
}

/// Go plugins: `{"type", "detail": {…}}` becomes `{"Type", …}`. Our collector does not run them.
fn plugin_pipeline(
    detail: &Map<String, Value>,
    pipeline: &mut Map<String, Value>,
) -> Result<(), TranslateError> {
    let plugin = Fields::new(detail).object("plugin")?.ok_or_else(|| {
        TranslateError::field("plugin", "is missing: inputType plugin needs {\"inputs\": […]}")
    })?;
    let fields = Fields::inside(plugin, "plugin.");
    if let Some(global) = fields.object("global")? {
        pipeline.insert("global".into(), Value::Object(global.clone()));
    }
    for part in ["inputs", "processors"] {
        pipeline.insert(part.into(), Value::Array(go_plugins(fields, part)?));
    }
    Ok(())
}

fn go_plugins(fields: Fields<'_>, part: &str) -> Result<Vec<Value>, TranslateError> {
    let plugins = fields.list(part)?.unwrap_or_default().iter().enumerate();
    plugins
        .map(|(n, plugin)| {
            let bad = || {
                TranslateError::field(
                    format!("plugin.{part}[{n}]"),
                    "has no \"type\": write the plugin's name",
                )
            };
            let kind = plugin.get("type").and_then(Value::as_str).ok_or_else(bad)?;
            let mut merged = Map::from_iter([("Type".to_owned(), json!(kind))]);
            if let Some(detail) = plugin.get("detail").and_then(Value::as_object) {
                merged.extend(detail.clone());
            }
            Ok(Value::Object(merged))
        })
        .collect()
}

fn flusher(
    compression: Option<&str>,
    detail: &Map<String, Value>,
    destination: &Destination,
) -> Result<Value, TranslateError> {
    let fields = Fields::new(detail);
    let mut flusher = json!({
        "Type": "flusher_sls",
        "Project": destination.project,
        "Logstore": destination.logstore,
        "Region": destination.region,
        "Endpoint": destination.endpoint,
    });
    if let Some(compression) = compression.filter(|compression| !compression.is_empty()) {
        flusher["CompressType"] = json!(compression);
    }
    let hash_keys = fields.texts("shardHashKey")?;
    if !hash_keys.is_empty() {
        flusher["ShardHashKeys"] = json!(hash_keys);
    }
    if let Some(rate @ 1..) = fields.number("maxSendRate")? {
        flusher["MaxSendRate"] = json!(rate);
        if let Some(until @ 1..) = fields.number("sendRateExpire")? {
            flusher["FlowControlExpireTime"] = json!(until);
        }
    }
    Ok(flusher)
}

#[cfg(test)]
mod tests;
