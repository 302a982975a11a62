//! Replays requests whose answers were recorded from a real kube-apiserver
//! (1.37.2) and compares what the simulator says.
//!
//! `data/recorded/requests.yaml` is the script; `answers.json` beside it the
//! recording. To record again, put a `kubectl proxy` before an empty cluster
//! without controllers and set `KUBE_SIM_RECORD_FROM` to its URL.

mod common;

use std::path::PathBuf;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One request of the script.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Method and path.
    r#do: String,
    /// `json` (default), `yaml`, `merge`, `strategic`, `json-patch` or `apply`.
    #[serde(default)]
    r#as: String,
    /// `Accept` header.
    #[serde(default)]
    accept: String,
    /// Body as a value.
    #[serde(default)]
    body: Value,
    /// Body as text, for what is not a value.
    #[serde(default)]
    text: Option<String>,
    /// JSON pointers where the simulator is known to differ, with the reason.
    #[serde(default)]
    differs: Map<String, Value>,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Answer {
    code: u16,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    body: Value,
}

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/recorded").join(name)
}

fn script() -> Vec<Step> {
    let text = std::fs::read_to_string(data("requests.yaml")).expect("the script");
    serde_saphyr::from_str(&text).expect("a list of requests")
}

async fn ask(client: &kube::Client, step: &Step) -> Answer {
    if step.r#do.ends_with("?wait") && std::env::var_os("KUBE_SIM_RECORD_FROM").is_some() {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    }
    let (method, path) = step.r#do.split_once(' ').expect("method and path");
    let media = match step.r#as.as_str() {
        "" | "json" => "application/json",
        "yaml" => "application/yaml",
        "merge" => "application/merge-patch+json",
        "strategic" => "application/strategic-merge-patch+json",
        "json-patch" => "application/json-patch+json",
        "apply" => "application/apply-patch+yaml",
        other => panic!("unknown format {other:?}"),
    };
    let mut headers = vec![("user-agent", "recorder/1.0")];
    let body = match (&step.text, &step.body) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Value::Null) => Vec::new(),
        (None, value) => value.to_string().into_bytes(),
    };
    if !body.is_empty() {
        headers.push(("content-type", media));
    }
    let accept = if step.accept.is_empty() { "application/json" } else { &step.accept };
    headers.push(("accept", accept));
    let (code, headers, text) = common::raw(client, method, path, &headers, body).await;
    let warnings =
        headers.get_all("warning").iter().map(|w| w.to_str().unwrap_or_default().to_owned()).collect();
    let body = if path.contains("watch=true") && code == 200 {
        // One event per line.
        let events = text.lines().map(|line| serde_json::from_str(line).expect("an event"));
        events
            .map(|mut event: Value| {
                event["object"] = without_descriptions(event["object"].take());
                event
            })
            .collect()
    } else {
        serde_json::from_str(&text).map_or(Value::String(text), without_descriptions)
    };
    Answer { code, warnings, body: normal(body, "") }
}

/// The words that describe a column are not the simulator's business, and ages
/// depend on the clock.
fn without_descriptions(mut table: Value) -> Value {
    if table.get("kind") != Some(&json!("Table")) {
        return table;
    }
    for column in table["columnDefinitions"].as_array_mut().into_iter().flatten() {
        column.as_object_mut().expect("a column").remove("description");
    }
    for row in table["rows"].as_array_mut().into_iter().flatten() {
        row["object"]["metadata"].as_object_mut().expect("metadata").remove("managedFields");
        for cell in row["cells"].as_array_mut().expect("cells") {
            if cell.as_str().is_some_and(|c| AGE.is_match(c)) {
                *cell = json!("<age>");
            }
        }
    }
    table
}

static AGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(\d+[smhdy])+$").expect("a pattern"));

/// Replaces what no two servers have in common, and drops nulls and empty
/// details, which mean the same as missing.
fn normal(value: Value, key: &str) -> Value {
    match value {
        Value::Object(map) => {
            let members = map.into_iter().filter(|(k, v)| !v.is_null() && !empty(k, v)).map(|(k, v)| {
                let v = normal(v, &k);
                (placeholder(&k), v)
            });
            Value::Object(members.collect())
        }
        Value::Array(list) => {
            let mut list: Vec<Value> = list.into_iter().map(|v| normal(v, key)).collect();
            // Their order depends on the second they were made in, or on
            // nothing at all.
            if matches!(key, "managedFields" | "causes") {
                list.sort_by_key(|v| {
                    ["manager", "operation", "subresource", "field", "message"]
                        .map(|k| v[k].as_str().unwrap_or("").to_owned())
                });
            }
            if key == "verbs" {
                list.sort_by_key(Value::to_string);
            }
            Value::Array(list)
        }
        Value::String(text) => {
            Value::String(if key == "continue" { "<token>".to_owned() } else { placeholder(&text) })
        }
        other => other,
    }
}

/// Members that mean the same as missing ones.
fn empty(key: &str, value: &Value) -> bool {
    matches!(key, "details") && *value == json!({}) || key == "continue" && value == ""
}

/// UUIDs, times and versions inside of a text.
fn placeholder(text: &str) -> String {
    static UUID: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").expect("a pattern")
    });
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").expect("a pattern"));
    let text = UUID.replace_all(text, "<uuid>");
    // Times that the script itself uses stay.
    let text = TIME.replace_all(&text, |found: &Captures<'_>| {
        let found = found.get(0).map_or("", |m| m.as_str());
        if found.starts_with("2020-") { found.to_owned() } else { "<time>".to_owned() }
    });
    text.into_owned()
}

/// Pointers at which two values differ, with both sides.
fn differences(path: &str, expected: &Value, found: &Value, out: &mut Vec<(String, String)>) {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k)));
            for key in keys {
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                let nothing = Value::Null;
                differences(&path, a.get(key).unwrap_or(&nothing), b.get(key).unwrap_or(&nothing), out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}/{index}"), a, b, out);
            }
        }
        (a, b) if versions(path, a, b) => {}
        (a, b) if a == b => {}
        (a, b) => out.push((path.to_owned(), format!("recorded {a}\n      found    {b}"))),
    }
}

/// Resource versions are numbers on both sides; their values mean nothing.
fn versions(path: &str, a: &Value, b: &Value) -> bool {
    let number = |v: &Value| v.as_str().is_some_and(|t| t.parse::<u64>().is_ok());
    path.ends_with("/resourceVersion") && number(a) && number(b)
}

#[tokio::test]
async fn answers_are_those_of_the_real_server() {
    let script = script();
    if let Ok(url) = std::env::var("KUBE_SIM_RECORD_FROM") {
        let config = kube::Config::new(url.parse().expect("a URL"));
        let client = kube::Client::try_from(config).expect("a client");
        let mut answers = Vec::new();
        for step in &script {
            answers.push(json!({"to": step.r#do, "answer": ask(&client, step).await}));
        }
        let text = serde_json::to_string_pretty(&answers).expect("text");
        std::fs::write(data("answers.json"), text + "\n").expect("the recording is written");
        return;
    }
    let text = std::fs::read_to_string(data("answers.json")).expect("the recording");
    let answers: Vec<Value> = serde_json::from_str(&text).expect("a list of answers");
    assert_eq!(answers.len(), script.len(), "the recording is of another script; record again");
    let (_server, client) = common::start().await;
    let mut report = String::new();
    for (index, (step, recorded)) in script.iter().zip(answers).enumerate() {
        assert_eq!(recorded["to"], json!(step.r#do), "the recording is of another script; record again");
        let found = json!(ask(&client, step).await);
        let mut all = Vec::new();
        differences("", &recorded["answer"], &found, &mut all);
        all.retain(|(path, _)| !step.differs.keys().any(|known| path.starts_with(known.as_str())));
        if !all.is_empty() {
            report.push_str(&format!("\n{index}: {} {}\n", step.r#do, step.r#as));
            for (path, text) in all {
                report.push_str(&format!("   at {path}\n      {text}\n"));
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}
