//! From a recording to a script: values that the server chose are replaced by
//! references to the answers they came from.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::normal::uids;
use super::{Step, normal};
use crate::record::{Exchange, Recording};

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The log was full.
    #[error("{0} requests or events were left out of the recording, which was full; record less")]
    Partial(usize),
    /// A value that the server chose, but that is in no answer before.
    #[error("{request} uses {value}, which no answer before it contains; begin to record earlier")]
    Unknown {
        /// Method and path.
        request: String,
        /// The uid or version.
        value: String,
    },
    /// A format that a script has no word for.
    #[error("{request} has a body of type {media:?}, which a script has no word for")]
    Format {
        /// Method and path.
        request: String,
        /// Media type.
        media: String,
    },
}

/// Makes a script of a recording. A request that reads again what it read
/// before, with nothing written in between, is left out: how often somebody
/// polls is chance.
///
/// # Errors
/// If the recording is not whole.
pub fn script(recording: &Recording) -> Result<Vec<Step>, ScriptError> {
    if recording.left_out > 0 {
        return Err(ScriptError::Partial(recording.left_out));
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut origins = Origins::default();
    let mut reads: Vec<(Step, Value)> = Vec::new();
    for exchange in &recording.exchanges {
        let step = step(exchange, &origins)?;
        let answer: Value = serde_json::from_slice(&exchange.answer).unwrap_or_default();
        if exchange.method != "GET" {
            reads.clear();
        } else if !exchange.streamed {
            let read = (step.clone(), normal(answer.clone(), ""));
            if reads.contains(&read) {
                continue;
            }
            reads.push(read);
        }
        if !exchange.streamed {
            origins.learn(steps.len(), "", &answer);
        }
        steps.push(step);
    }
    Ok(steps)
}

fn step(exchange: &Exchange, origins: &Origins) -> Result<Step, ScriptError> {
    let line = format!("{} {}", exchange.method, exchange.uri);
    let text = String::from_utf8_lossy(&exchange.body);
    let unknown = |value: &str| ScriptError::Unknown { request: line.clone(), value: value.to_owned() };
    let media = exchange.content_type.split(';').next().unwrap_or_default().trim();
    let word = match media {
        "" | "application/json" => "",
        "application/yaml" => "yaml",
        "application/merge-patch+json" => "merge",
        "application/strategic-merge-patch+json" => "strategic",
        "application/json-patch+json" => "json-patch",
        "application/apply-patch+yaml" => "apply",
        media => return Err(ScriptError::Format { request: line, media: media.to_owned() }),
    };
    let mut body: Value =
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or_default() };
    let raw = (body.is_null() && !text.is_empty()).then(|| text.clone().into_owned());
    origins.refer(&mut body, "").map_err(|value| unknown(&value))?;
    let r#do = origins.refer_in_query(&line).map_err(|value| unknown(&value))?;
    let by = if exchange.user_agent.is_empty() { "-" } else { &exchange.user_agent };
    let accept = if exchange.accept == "application/json" { "" } else { &exchange.accept };
    Ok(Step {
        r#do,
        r#as: if text.is_empty() { String::new() } else { word.to_owned() },
        accept: accept.to_owned(),
        by: by.to_owned(),
        body,
        text: raw,
        events: exchange.streamed.then(|| events(&exchange.answer)),
        differs: serde_json::Map::new(),
    })
}

/// Events of a watch, without bookmarks.
fn events(answer: &[u8]) -> usize {
    let lines = answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let values = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    values.filter(|event| event["type"] != "BOOKMARK").count()
}

/// Where values that the server chose were seen last: step and pointer.
#[derive(Default)]
struct Origins {
    uids: HashMap<String, (usize, String)>,
    versions: HashMap<String, (usize, String)>,
}

impl Origins {
    fn learn(&mut self, step: usize, pointer: &str, value: &Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                    match (key.as_str(), value) {
                        ("uid", Value::String(uid)) => {
                            self.uids.insert(uid.clone(), (step, pointer));
                        }
                        ("resourceVersion", Value::String(version)) => {
                            self.versions.insert(version.clone(), (step, pointer));
                        }
                        _ => self.learn(step, &pointer, value),
                    }
                }
            }
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    self.learn(step, &format!("{pointer}/{index}"), value);
                }
            }
            _ => {}
        }
    }

    /// Replaces what is known; the value that should be and is not.
    fn refer(&self, value: &mut Value, key: &str) -> Result<(), String> {
        match value {
            Value::Object(map) => map.iter_mut().try_for_each(|(key, value)| self.refer(value, key)),
            Value::Array(list) => list.iter_mut().try_for_each(|value| self.refer(value, key)),
            Value::String(text) if key == "resourceVersion" => {
                *text = self.version(text)?;
                Ok(())
            }
            Value::String(text) => {
                let mut changed = text.clone();
                for uid in uids(text) {
                    let (step, pointer) = self.uids.get(uid).ok_or(uid)?;
                    changed = changed.replace(uid, &format!("${{{step}:{pointer}}}"));
                }
                *text = changed;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn version(&self, version: &str) -> Result<String, String> {
        if version.is_empty() || version == "0" {
            return Ok(version.to_owned());
        }
        let (step, pointer) = self.versions.get(version).ok_or(version)?;
        Ok(format!("${{{step}:{pointer}}}"))
    }

    fn refer_in_query(&self, line: &str) -> Result<String, String> {
        let Some((path, query)) = line.split_once('?') else { return Ok(line.to_owned()) };
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some(("resourceVersion", version)) => Ok(format!("resourceVersion={}", self.version(version)?)),
            _ => Ok(pair.to_owned()),
        });
        Ok(format!("{path}?{}", pairs.collect::<Result<Vec<_>, String>>()?.join("&")))
    }
}

/// `${step:pointer}`.
static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\{(\d+):([^}]*)\}").ok());

/// Puts values in place of references.
pub fn resolve<'a>(text: &str, known: impl Fn(usize, &str) -> Option<&'a str>) -> Result<String, String> {
    let Some(reference) = &*REFERENCE else { return Ok(text.to_owned()) };
    let mut missing = None;
    let resolved = reference.replace_all(text, |found: &Captures<'_>| {
        let value = found[1].parse().ok().and_then(|step| known(step, &found[2]));
        if value.is_none() {
            missing = Some(format!("{} refers to nothing that was answered", &found[0]));
        }
        value.unwrap_or_default().to_owned()
    });
    let resolved = resolved.into_owned();
    missing.map_or(Ok(resolved), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const UID: &str = "0b5e2a4e-9f0e-4c43-8f0d-6c34e5a4d6f1";

    fn exchange(method: &str, uri: &str, body: &Value, answer: &Value) -> Exchange {
        Exchange {
            method: method.into(),
            uri: uri.into(),
            body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() }.into(),
            code: 200,
            answer: answer.to_string().into_bytes(),
            ..Exchange::default()
        }
    }

    fn made(exchanges: Vec<Exchange>) -> Result<Vec<Step>, String> {
        script(&Recording { exchanges, left_out: 0 }).map_err(|error| error.to_string())
    }

    #[test]
    fn chosen_values_become_references_and_come_back() {
        let object = json!({"metadata": {"uid": UID, "resourceVersion": "17"}});
        let body = json!({"regarding": {"uid": UID}, "metadata": {"resourceVersion": "17"}});
        let steps = made(vec![
            exchange("POST", "/a", &Value::Null, &object),
            exchange("PUT", "/b?resourceVersion=17", &body, &json!({})),
        ])
        .unwrap();
        assert_eq!(steps[1].r#do, "PUT /b?resourceVersion=${0:/metadata/resourceVersion}");
        assert_eq!(steps[1].body["regarding"]["uid"], "${0:/metadata/uid}");
        let text = steps[1].body.to_string();
        let known = |step: usize, pointer: &str| (step == 0).then(|| object.pointer(pointer)?.as_str())?;
        assert_eq!(resolve(&text, known), Ok(body.to_string()));
        assert!(resolve(&text, |_, _| None).is_err());
    }

    #[test]
    fn a_value_from_before_the_recording_is_told() {
        let error = made(vec![exchange("PUT", "/b", &json!({"uid": UID}), &json!({}))]).unwrap_err();
        assert!(error.contains(UID) && error.contains("PUT /b"), "{error}");
    }

    #[test]
    fn reading_the_same_again_is_left_out_until_something_is_written() {
        let read = || exchange("GET", "/a", &Value::Null, &json!({"x": 1}));
        let steps =
            made(vec![read(), read(), exchange("POST", "/a", &json!({}), &json!({})), read()]).unwrap();
        let lines: Vec<_> = steps.iter().map(|step| step.r#do.as_str()).collect();
        assert_eq!(lines, ["GET /a", "POST /a", "GET /a"]);
    }

    #[test]
    fn a_recording_that_was_full_is_refused() {
        let recording = Recording { exchanges: Vec::new(), left_out: 3 };
        assert!(script(&recording).unwrap_err().to_string().contains('3'));
    }
}
