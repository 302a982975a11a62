//! Sends a script of requests to any API server and says in what two servers'
//! answers differ. Callers: the tests that hold the simulator against answers
//! of the real server, live or from files.
//!
//! A script is written by hand, or made of what a simulator recorded
//! ([`script`]).

mod compare;
mod normal;
mod recorded;
mod script;

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use futures::StreamExt as _;
use http::{Request, Response};
use kube::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::task::JoinHandle;

use compare::{Difference, differences};
use normal::{normal, without_descriptions};
pub use recorded::Recorded;
pub use script::{ScriptError, script};

/// Largest answer that is compared, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Hang guard of what takes a real server a moment.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between looks at a definition that is not established yet.
const LOOK: Duration = Duration::from_millis(50);

/// One request of a script.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Method and path. Here and in the body, `${3:/metadata/uid}` stands for
    /// that value in the answer to the script's step 3, counted from 0.
    pub r#do: String,
    /// `json` (default), `yaml`, `merge`, `strategic`, `json-patch` or `apply`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub r#as: String,
    /// `Accept` header; JSON by default.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub accept: String,
    /// `User-Agent` header, which names the field manager; `recorder/1.0` by
    /// default, `-` for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Body as a value.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
    /// Body as text, for what is not a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// For a watch that stays open while the script goes on: how many events,
    /// not counting bookmarks, it brings. Other watches are read to their end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<usize>,
    /// JSON pointers where the simulator is known to differ, with the reason.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub differs: Map<String, Value>,
}

/// An answer without what no two servers have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Status code.
    pub code: u16,
    /// `Warning` headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Body; of a watch the list of its events.
    pub body: Value,
}

/// Why a script cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The server could not be asked.
    #[error("step {index}, {request}: {cause}")]
    Send {
        /// Number of the step, from 0.
        index: usize,
        /// Method and path.
        request: String,
        /// What happened.
        cause: String,
    },
    /// The script is wrong.
    #[error("step {index}: {cause}; the script was changed by hand, or made for another one")]
    Script {
        /// Number of the step, from 0.
        index: usize,
        /// What is wrong.
        cause: String,
    },
}

/// A name in a script and the one to use instead.
type Rename<'a> = Option<(&'a str, &'a str)>;

/// An answer before it is normal, for steps that refer to it.
struct Raw {
    code: u16,
    warnings: Vec<String>,
    body: Value,
    table: bool,
}

enum Asked {
    Now(Raw),
    Watching { code: u16, warnings: Vec<String>, events: JoinHandle<Result<Vec<Value>, String>> },
}

/// Sends the requests of a script in order; their answers. `rename` is a name in
/// the script and the one to use instead, for a namespace that must not be
/// anybody else's; the answers have the script's.
///
/// # Errors
/// If the server does not answer, or the script is wrong.
pub async fn replay(
    steps: &[Step],
    client: &Client,
    rename: Option<(&str, &str)>,
) -> Result<Vec<Answer>, ReplayError> {
    let mut asked: Vec<Asked> = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let text = |error: String| ReplayError::Script { index, cause: error };
        let request = request(step, &asked, rename).map_err(text)?;
        let failed = |cause| ReplayError::Send { index, request: step.r#do.clone(), cause };
        let response = send(client, request).await.map_err(failed)?;
        let answer = receive(step, response, rename).await.map_err(failed)?;
        if let Asked::Now(raw) = &answer
            && raw.code == 201
            && raw.body["kind"] == "CustomResourceDefinition"
        {
            established(&raw.body, client).await.map_err(failed)?;
        }
        asked.push(answer);
    }
    let mut answers = Vec::with_capacity(asked.len());
    for (index, (step, one)) in steps.iter().zip(asked).enumerate() {
        let failed = |cause| ReplayError::Send { index, request: step.r#do.clone(), cause };
        answers.push(match one {
            Asked::Now(Raw { code, warnings, body, table }) => {
                let body = if table { without_descriptions(body) } else { body };
                Answer { code, warnings, body: normal(body, "") }
            }
            Asked::Watching { code, warnings, mut events } => {
                let seen = tokio::time::timeout(PATIENCE, &mut events).await;
                events.abort();
                let seen = seen
                    .map_err(|_| format!("fewer than {} events came", step.events.unwrap_or_default()))
                    .and_then(|joined| joined.map_err(|error| error.to_string()))
                    .and_then(|seen| seen)
                    .map_err(failed)?;
                Answer { code, warnings, body: normal(Value::Array(seen), "") }
            }
        });
    }
    Ok(answers)
}

async fn send(client: &Client, request: Request<Vec<u8>>) -> Result<Response<Body>, String> {
    let response = client.send(request.map(Into::into)).await.map_err(|error| error.to_string())?;
    Ok(response.map(Body::new))
}

fn media_type(step: &Step) -> Result<&'static str, String> {
    Ok(match step.r#as.as_str() {
        "" | "json" => "application/json",
        "yaml" => "application/yaml",
        "merge" => "application/merge-patch+json",
        "strategic" => "application/strategic-merge-patch+json",
        "json-patch" => "application/json-patch+json",
        "apply" => "application/apply-patch+yaml",
        other => return Err(format!("unknown format {other:?}")),
    })
}

fn request(step: &Step, asked: &[Asked], rename: Rename<'_>) -> Result<Request<Vec<u8>>, String> {
    let known = |index: usize, pointer: &str| match asked.get(index)? {
        Asked::Now(raw) => raw.body.pointer(pointer)?.as_str(),
        Asked::Watching { .. } => None,
    };
    let body = match (&step.text, &step.body) {
        (Some(text), _) => text.clone(),
        (None, Value::Null) => String::new(),
        (None, value) => value.to_string(),
    };
    let mut texts = [script::resolve(&step.r#do, known)?, script::resolve(&body, known)?];
    if let Some((from, to)) = rename {
        texts = texts.map(|text| text.replace(from, to));
    }
    let [line, body] = texts;
    let (method, path) = line.split_once(' ').ok_or("a step begins with method and path")?;
    let mut request = Request::builder().method(method).uri(path);
    if !body.is_empty() {
        request = request.header("content-type", media_type(step)?);
    }
    let accept = if step.accept.is_empty() { "application/json" } else { &step.accept };
    request = request.header("accept", accept);
    match step.by.as_str() {
        "" => request = request.header("user-agent", "recorder/1.0"),
        "-" => {}
        by => request = request.header("user-agent", by),
    }
    request.body(body.into_bytes()).map_err(|error| error.to_string())
}

fn parse(text: &str, rename: Rename<'_>) -> Value {
    let text = match rename {
        Some((from, to)) => text.replace(to, from),
        None => text.to_owned(),
    };
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

async fn receive(step: &Step, response: Response<Body>, rename: Rename<'_>) -> Result<Asked, String> {
    let (head, body) = response.into_parts();
    let code = head.status.as_u16();
    let warnings = head.headers.get_all("warning");
    let warnings = warnings.iter().map(|w| w.to_str().unwrap_or_default().to_owned()).collect();
    if let (Some(count), 200) = (step.events, code) {
        let rename = rename.map(|(from, to)| (to.to_owned(), from.to_owned()));
        let events = tokio::spawn(watched(body, count, rename));
        return Ok(Asked::Watching { code, warnings, events });
    }
    let bytes = to_bytes(body, ANSWER_BYTES_MAX).await.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&bytes);
    let watch = step.r#do.contains("watch=true") && code == 200;
    let body = if watch {
        // One event per line.
        let event = |line| {
            let mut event: Value = parse(line, rename);
            if let Some(object) = event.get_mut("object") {
                *object = without_descriptions(object.take());
            }
            event
        };
        text.lines().map(event).collect()
    } else {
        parse(&text, rename)
    };
    Ok(Asked::Now(Raw { code, warnings, body, table: !watch }))
}

/// The first `count` events of a watch; bookmarks come when a server likes.
async fn watched(body: Body, count: usize, rename: Option<(String, String)>) -> Result<Vec<Value>, String> {
    let mut stream = body.into_data_stream();
    let mut rest = Vec::new();
    let mut events = Vec::new();
    while events.len() < count {
        let Some(part) = stream.next().await else {
            return Err(format!("the watch ended after {} of {count} events", events.len()));
        };
        rest.extend_from_slice(&part.map_err(|error| error.to_string())?);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let mut line = String::from_utf8_lossy(&line).into_owned();
            if let Some((from, to)) = &rename {
                line = line.replace(from, to);
            }
            let event: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
            if event["type"] != "BOOKMARK" && events.len() < count {
                events.push(event);
            }
        }
    }
    Ok(events)
}

/// Waits until the kinds of a new definition are served: a real server needs a
/// moment for it.
async fn established(crd: &Value, client: &Client) -> Result<(), String> {
    let text = |pointer: &str| crd.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, plural) = (text("/spec/group"), text("/spec/names/plural"));
    let path = format!("/apis/{group}/{}/{plural}?limit=1", text("/spec/versions/0/name"));
    let wait = async {
        loop {
            let request = Request::get(&path).header("accept", "application/json");
            let request = request.body(Vec::new()).map_err(|error| error.to_string())?;
            if send(client, request).await?.status().is_success() {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.map_err(|_| format!("{plural}.{group} is not served"))?
}

/// What is wrong with a simulator's answers to a script, as text for people;
/// empty if nothing is. Differences that a step lists are known; one that is
/// listed and does not occur is wrong too, so that the list only shrinks.
pub fn report(steps: &[Step], real: &[Answer], simulated: &[Answer]) -> String {
    let mut report = String::new();
    if real.len() != steps.len() || simulated.len() != steps.len() {
        return "the answers are not those of this script; record again\n".to_owned();
    }
    for (index, step) in steps.iter().enumerate() {
        let mut unused: BTreeSet<&str> = step.differs.keys().map(String::as_str).collect();
        let mut all = differences(&real[index], &simulated[index]);
        all.retain(|one| {
            let known: Vec<&str> =
                step.differs.keys().map(String::as_str).filter(|known| one.at.starts_with(known)).collect();
            for one in &known {
                unused.remove(one);
            }
            known.is_empty()
        });
        if all.is_empty() && unused.is_empty() {
            continue;
        }
        report.push_str(&format!("\n{index}: {} {}\n", step.r#do, step.r#as));
        for Difference { at, real, simulated } in all {
            report.push_str(&format!("   at {at}\n      real      {real}\n      simulated {simulated}\n"));
        }
        for at in unused {
            report.push_str(&format!("   at {at}: listed as a difference, but there is none; remove it\n"));
        }
    }
    report
}
