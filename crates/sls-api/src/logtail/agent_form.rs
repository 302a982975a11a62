//! The form in which agents of the classic generation keep their configs (`user_local_config.json`), to a
//! pipeline. By way of `inputDetail`, which the keys correspond to, so that both are checked and translated by
//! the same code.
//!
//! Every key has an effect, or is reported as having none, or makes the config refused; [`keys`] says which.
//! Source: the vendor's agent 1.x, `ConfigManagerBase::LoadSingleUserConfig` and `UserLogConfigParser`.

pub(super) mod keys;

use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::check::{Problem, Severity, check_input_detail};
use super::translate::{Destination, TranslateError, pipeline_of};
use crate::names::InvalidName;
use keys::{Fate, KEYS};

/// Version of a config that was deleted and whose entry was left.
const VERSION_DELETED: i64 = -1;

/// An entry that can be used.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentConfig {
    /// A config to run.
    Runs {
        /// The pipeline. Region and endpoint are empty where the entry names none.
        pipeline: Value,
        /// What has no effect, or may not be meant.
        notices: Vec<Problem>,
    },
    /// `enable: false`. Without the key a config runs: whoever writes one by hand means it (the vendor's agent,
    /// whose configs come from its server, takes it to be off).
    Disabled,
    /// `version: -1`.
    Deleted,
}

/// Reads one entry of `metrics`.
///
/// # Errors
/// Everything that keeps the config from running, by the entry's own keys.
pub fn from_agent_form(entry: &Map<String, Value>) -> Result<AgentConfig, Vec<Problem>> {
    let mut reader = Reader { entry, detail: Map::new(), problems: Vec::new() };
    if reader.value("version").and_then(Value::as_i64) == Some(VERSION_DELETED) {
        return Ok(AgentConfig::Deleted);
    }
    if reader.typed("enable", "true or false", Value::as_bool) == Some(false) {
        return Ok(AgentConfig::Disabled);
    }
    reader.sort_keys();
    let is_plugin = matches!(reader.text("log_type"), None | Some("" | "plugin"));
    if is_plugin {
        reader.detail.retain(|key, _| key == "plugin");
    } else {
        reader.add_file_keys();
    }
    let destination = reader.destination();
    let Reader { detail, mut problems, .. } = reader;
    if !is_plugin {
        let found = check_input_detail(&detail);
        problems.extend(found.into_iter().map(|problem| renamed(problem, entry)));
    }
    let pipeline = destination.and_then(|destination| {
        let input_type = if is_plugin { "plugin" } else { "file" };
        match pipeline_of(input_type, &detail, None, None, &destination) {
            Ok(pipeline) => Some(pipeline),
            Err(error) => {
                // The checks say it better where they say it at all.
                if !problems.iter().any(is_error) {
                    problems.push(refusal(error, entry));
                }
                None
            }
        }
    });
    match pipeline {
        Some(mut pipeline) if !problems.iter().any(is_error) => {
            add_group_topic(&mut pipeline, entry);
            Ok(AgentConfig::Runs { pipeline, notices: problems })
        }
        _ => Err(problems.into_iter().filter(is_error).collect()),
    }
}

/// Reads one entry and collects what is wrong with it.
struct Reader<'a> {
    entry: &'a Map<String, Value>,
    /// The `inputDetail` in the making.
    detail: Map<String, Value>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn value(&self, key: &str) -> Option<&'a Value> {
        self.entry.get(key).filter(|value| !value.is_null())
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.value(key).and_then(Value::as_str)
    }

    fn error(&mut self, field: &str, message: impl Into<String>) {
        let (field, message) = (field.to_owned(), message.into());
        self.problems.push(Problem { field, message, severity: Severity::Error });
    }

    fn typed<T>(&mut self, key: &str, wanted: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Option<T> {
        let value = self.value(key)?;
        let read = read(value);
        if read.is_none() {
            self.error(key, format!("has the wrong type: write {wanted}"));
        }
        read
    }

    /// Gives every key its fate; those that `inputDetail` has go there.
    fn sort_keys(&mut self) {
        for (key, value) in self.entry.iter().filter(|(_, value)| !value.is_null()) {
            if let Some(Fate::Detail(name)) = keys::judge(KEYS, "", key, value, &mut self.problems) {
                self.detail.insert((*name).to_owned(), value.clone());
            }
        }
    }

    /// What looks different in the two forms.
    fn add_file_keys(&mut self) {
        if self.text("log_type") == Some("delimiter_log") {
            self.add_columns();
        } else {
            self.add_regex_and_keys();
        }
        if let Some(kb) = self.typed("tail_limit", "a whole number of KB", Value::as_i64) {
            let advanced = self.detail.entry("advanced").or_insert_with(|| json!({}));
            if let Some(advanced) = advanced.as_object_mut() {
                advanced.entry("tail_size_kb").or_insert_with(|| json!(kb));
            }
        }
        // The agent's own defaults where they are not those of the API.
        self.detail.entry("maxDepth").or_insert_with(|| json!(-1));
        for (needed, example) in [("log_path", "/var/log/nginx"), ("file_pattern", "access.log")] {
            if self.text(needed).is_none_or(str::is_empty) && self.value(needed).is_none_or(Value::is_string)
            {
                self.error(needed, format!("is missing: write for example {example}"));
            }
        }
    }

    fn add_columns(&mut self) {
        if let Some(columns) = self.value("column_keys") {
            self.detail.insert("key".to_owned(), columns.clone());
        }
        // Beside a longer one, counted in bytes, a quote has no effect.
        let is_one_byte =
            self.text("delimiter_separator").is_some_and(|text| text == "\\t" || text.len() == 1);
        if is_one_byte {
            self.detail.entry("quote").or_insert_with(|| json!("\""));
        }
    }

    /// One regex, and its keys in one text with commas.
    fn add_regex_and_keys(&mut self) {
        if let Some(regexes) = self.texts("regex") {
            match regexes.as_slice() {
                [] => {}
                [regex] => drop(self.detail.insert("regex".to_owned(), json!(regex))),
                more => {
                    let message = format!(
                        "has {} expressions, of which this collector takes one: write a|b inside of one, or a \
                         config for each",
                        more.len()
                    );
                    self.error("regex", message);
                }
            }
        }
        if let Some(keys) = self.texts("keys")
            && !keys.is_empty()
        {
            let names: Vec<&str> = keys.iter().flat_map(|keys| keys.split(',')).collect();
            self.detail.insert("key".to_owned(), json!(names));
        }
    }

    /// A list of texts, or one text.
    fn texts(&mut self, key: &str) -> Option<Vec<&'a str>> {
        self.typed(key, "a list of texts", |value| match value {
            Value::String(text) => Some(vec![text.as_str()]),
            Value::Array(list) => list.iter().map(Value::as_str).collect(),
            _ => None,
        })
    }

    fn destination(&mut self) -> Option<Destination> {
        let project = self.name("project_name", "the project");
        let logstore = self.name("category", "the Logstore");
        let mut text =
            |key| self.typed(key, "a text", |value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let (region, endpoint) = (text("region"), text("defaultEndpoint"));
        Some(Destination { project: project?, logstore: logstore?, region, endpoint })
    }

    fn name<T: FromStr<Err = InvalidName>>(&mut self, key: &str, what: &str) -> Option<T> {
        let text = self.typed(key, "a text", Value::as_str).unwrap_or_default();
        if text.is_empty() {
            self.error(key, format!("is missing: name {what} that the logs go to"));
            return None;
        }
        text.parse().map_err(|invalid: InvalidName| self.error(key, invalid.to_string())).ok()
    }
}

fn is_error(problem: &Problem) -> bool {
    problem.severity == Severity::Error
}

/// `group_topic` stands for the topic of the machine group, which the entry may name.
fn add_group_topic(pipeline: &mut Value, entry: &Map<String, Value>) {
    if let Some(global) = pipeline.get_mut("global").and_then(Value::as_object_mut)
        && global.get("TopicType").and_then(Value::as_str) == Some("machine_group_topic")
        && let Some(topic) = entry.get("group_topic").and_then(Value::as_str)
    {
        global.insert("TopicFormat".to_owned(), json!(topic));
    }
}

/// A problem of `inputDetail` by the key that the entry has for it.
fn renamed(problem: Problem, entry: &Map<String, Value>) -> Problem {
    Problem { field: own_field(&problem.field, entry), ..problem }
}

fn own_field(field: &str, entry: &Map<String, Value>) -> String {
    let end = field.find(['[', '.']).unwrap_or(field.len());
    let (name, rest) = field.split_at(end);
    let own = match name {
        "key" if entry.contains_key("column_keys") => "column_keys",
        "key" => "keys",
        _ => keys::own_name(name).unwrap_or(name),
    };
    format!("{own}{rest}")
}

fn refusal(error: TranslateError, entry: &Map<String, Value>) -> Problem {
    let (field, message) = match error {
        TranslateError::Field { field, reason } => (own_field(&field, entry), reason),
        unsupported @ TranslateError::Unsupported { .. } => ("log_type".to_owned(), unsupported.to_string()),
    };
    Problem { field, message, severity: Severity::Error }
}

#[cfg(test)]
mod tests;
