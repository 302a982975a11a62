//! Logs and an index in memory: those of `fixtures/query-cases.json`, all in one Logstore.

use std::collections::HashMap;

use mock_sls::fuzzing::source::Indexes;
use mock_sls::fuzzing::testing::{Bed, config};
use serde_json::{Map, Value};
use sls_api::log_group::{Content, Log, LogGroup, LogTag};

const CASES: &str = include_str!("../../fixtures/query-cases.json");
/// Those of the file's data sets and indexes that have many kinds of fields.
const SETS: [&str; 3] = ["nginx", "app", "json"];

/// The Logstore. Its logs are within the hour that begins with [`mock_sls::fuzzing::testing::START`].
pub fn stored() -> Bed {
    let cases: Value = serde_json::from_str(CASES).expect("the cases are JSON");
    let logs = SETS.iter().flat_map(|set| cases["datasets"][set].as_array().expect("logs"));
    let mut keys = Map::new();
    for set in SETS {
        keys.extend(cases["indexes"][set]["keys"].as_object().expect("keys").clone());
    }
    let mut index = cases["indexes"]["app"].clone();
    index["keys"] = Value::Object(keys);
    let mut groups: Vec<(LogGroup, i64)> = Vec::new();
    for log in logs.map(group) {
        let is_alike = |(group, _): &&mut (LogGroup, i64)| {
            (&group.topic, &group.source, &group.log_tags) == (&log.topic, &log.source, &log.log_tags)
        };
        match groups.iter_mut().find(is_alike) {
            Some((group, _)) => group.logs.extend(log.logs),
            None => groups.push((log, 1)),
        }
    }
    let indexes = Indexes { current: config(index), since: 1, earlier: Vec::new() };
    Bed { indexes: Some(indexes), groups, kept: HashMap::new() }
}

/// One log as a group.
fn group(log: &Value) -> LogGroup {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let fields = |value: &Value| {
        let fields = value.as_object().expect("fields").iter();
        fields.map(|(key, value)| (key.clone(), text(value))).collect::<Vec<_>>()
    };
    let time = log["time"].as_u64().and_then(|time| u32::try_from(time).ok()).expect("a time");
    let contents = fields(&log["contents"]).into_iter().map(|(key, value)| Content::new(key, value));
    LogGroup {
        logs: vec![Log { time, contents: contents.collect(), time_ns: None }],
        topic: Some(text(&log["topic"])),
        source: Some(text(&log["source"])),
        log_tags: fields(&log["tags"]).into_iter().map(|(key, value)| LogTag { key, value }).collect(),
        ..LogGroup::default()
    }
}
