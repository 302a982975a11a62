//! One file of local configs: bytes → named entries in pipeline form, or why not. Pure.

use std::path::Path;

use serde_json::{Map, Value};
use sls_api::logtail::{AgentConfig, from_agent_form};

use crate::instance_config::{InstanceConfig, kind};
use crate::json_file::{self, NotJson};
use crate::pipeline::Pipeline;
use crate::pipeline_json;

/// How a file holds configs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One pipeline config, named like the file.
    Pipeline,
    /// `{"metrics": {name: config}}`, the configs in the classic form of agents or in pipeline form.
    Metrics,
}

/// What can become of an entry.
#[derive(Debug, Clone)]
pub enum Read {
    Runs {
        pipeline: Box<Pipeline>,
        /// What has no effect; empty if all has.
        notice: String,
    },
    /// Switched off; a config of this name from the server is off too.
    Disabled,
    /// As if it were not there.
    Deleted,
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Content {
    /// Entries by name.
    pub entries: Vec<(String, Value)>,
    /// What is there beside them and has no effect.
    pub unknown: Vec<String>,
}

/// Takes the content of a file apart.
///
/// # Errors
/// The place in the file and the reason.
pub fn content(path: &Path, form: Form, bytes: &[u8]) -> Result<Content, String> {
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let value = if is_json { json(bytes)? } else { yaml(bytes)? };
    let Value::Object(mut object) = value else {
        return Err(format!("it must hold an object, not {}", kind(&value)));
    };
    match form {
        Form::Pipeline if object.contains_key("metrics") => {
            Err("it holds `metrics`, the form of user_local_config.json: move it to user_config.d".to_owned())
        }
        Form::Pipeline => {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            Ok(Content { entries: vec![(name.to_owned(), Value::Object(object))], ..Content::default() })
        }
        Form::Metrics => {
            let metrics = match object.remove("metrics") {
                Some(Value::Object(metrics)) => metrics,
                Some(other) => return Err(format!("`metrics` must be an object, not {}", kind(&other))),
                None if object.is_empty() => Map::new(),
                None => return Err("it has no `metrics`: write {\"metrics\": {\"NAME\": {…}}}".to_owned()),
            };
            let unknown =
                object.keys().map(|key| format!("{key:?} beside `metrics` has no effect")).collect();
            Ok(Content { entries: metrics.into_iter().collect(), unknown })
        }
    }
}

fn json(bytes: &[u8]) -> Result<Value, String> {
    json_file::parse(bytes).map_err(|NotJson { line, column, reason }| {
        format!("it is not JSON: {reason} at line {line}, column {column}")
    })
}

/// # Errors
/// The place in the text and the reason.
pub fn yaml(bytes: &[u8]) -> Result<Value, String> {
    serde_saphyr::from_slice(json_file::without_mark(bytes)).map_err(|error| {
        let error = error.without_snippet();
        let text = error.to_string();
        let reason = text.lines().next().unwrap_or_default();
        match error.location() {
            Some(at) if !reason.contains("line ") => {
                format!("it is not YAML: {reason} at line {}, column {}", at.line(), at.column())
            }
            _ => format!("it is not YAML: {reason}"),
        }
    })
}

/// Reads one entry.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(name: &str, version: i64, entry: &Value, instance: &InstanceConfig) -> Result<Read, String> {
    let mut entry = entry.clone();
    let missing = instance.env_refs.as_ref().map(|refs| refs.replace(&mut entry)).unwrap_or_default();
    let because = missing.iter().map(|text| format!("; {text}")).collect::<String>();
    read_replaced(name, version, entry, instance, missing).map_err(|reason| reason + &because)
}

/// The same of an entry whose references to variables are replaced; `notices` are of that.
fn read_replaced(
    name: &str,
    version: i64,
    entry: Value,
    instance: &InstanceConfig,
    mut notices: Vec<String>,
) -> Result<Read, String> {
    let Value::Object(object) = &entry else {
        return Err(format!("it must be an object, not {}", kind(&entry)));
    };
    if object.contains_key("inputs") || object.contains_key("flushers") {
        return pipeline(name, version, entry, instance, notices);
    }
    match from_agent_form(object) {
        Ok(AgentConfig::Runs { pipeline: form, notices: of_form }) => {
            notices.extend(of_form.iter().map(ToString::to_string));
            pipeline(name, version, form, instance, notices)
        }
        Ok(AgentConfig::Disabled) => Ok(Read::Disabled),
        Ok(AgentConfig::Deleted) => Ok(Read::Deleted),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    }
}

fn pipeline(
    name: &str,
    version: i64,
    form: Value,
    instance: &InstanceConfig,
    mut notices: Vec<String>,
) -> Result<Read, String> {
    let accepted = pipeline_json::parse_value(name, version, form, instance);
    let accepted = accepted.map_err(|invalid| invalid.to_string())?;
    notices.extend(Some(accepted.notice_text()).filter(|text| !text.is_empty()));
    Ok(match accepted.pipeline {
        Some(pipeline) => Read::Runs { pipeline: Box::new(pipeline), notice: notices.join("; ") },
        None => Read::Disabled,
    })
}
