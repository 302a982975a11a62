//! Takes out of an answer what no two servers have in common. This is the one
//! place that says what is never compared: uids, times, versions' values,
//! tokens, and the order of what has none.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value, json};

static AGE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(\d+[smhdy])+$").ok());
static UUID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").ok());
static TIME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").ok());

/// Text of a uid.
pub fn uids(text: &str) -> impl Iterator<Item = &str> {
    UUID.iter().flat_map(|uuid| uuid.find_iter(text)).map(|found| found.as_str())
}

/// The words that describe a column are not the simulator's business, and ages
/// depend on the clock.
pub fn without_descriptions(mut table: Value) -> Value {
    if table.get("kind") != Some(&json!("Table")) {
        return table;
    }
    let list = |table: &mut Value, name: &str| match table.get_mut(name).map(Value::take) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let mut columns = list(&mut table, "columnDefinitions");
    for column in columns.iter_mut().filter_map(Value::as_object_mut) {
        column.remove("description");
    }
    let mut rows = list(&mut table, "rows");
    for row in &mut rows {
        if let Some(metadata) = row.pointer_mut("/object/metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        for cell in row.get_mut("cells").and_then(Value::as_array_mut).into_iter().flatten() {
            if cell.as_str().is_some_and(|c| AGE.as_ref().is_some_and(|age| age.is_match(c))) {
                *cell = json!("<age>");
            }
        }
    }
    table["columnDefinitions"] = columns.into();
    table["rows"] = rows.into();
    table
}

/// Replaces what no two servers have in common, and drops nulls and empty
/// details, which mean the same as missing.
pub fn normal(value: Value, key: &str) -> Value {
    match value {
        Value::Object(mut map) => {
            if is_empty_list(&map) {
                map.remove("items");
            }
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

/// A list of nothing: the real server says null when it reads from storage, `[]` from its cache.
fn is_empty_list(map: &Map<String, Value>) -> bool {
    let is_list = map.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    is_list && map.get("items").and_then(Value::as_array).is_some_and(Vec::is_empty)
}

/// Members that mean the same as missing ones.
fn empty(key: &str, value: &Value) -> bool {
    matches!(key, "details") && *value == json!({}) || key == "continue" && value == ""
}

/// UUIDs and times inside of a text.
fn placeholder(text: &str) -> String {
    let (Some(uuid), Some(time)) = (&*UUID, &*TIME) else { return text.to_owned() };
    let text = uuid.replace_all(text, "<uuid>");
    // Times that a script itself uses stay.
    let text = time.replace_all(&text, |found: &Captures<'_>| {
        let found = found.get(0).map_or("", |m| m.as_str());
        if found.starts_with("2020-") { found.to_owned() } else { "<time>".to_owned() }
    });
    text.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_and_times_become_placeholders_and_nulls_go() {
        let found = normal(
            json!({
                "uid": "0b5e2a4e-9f0e-4c43-8f0d-6c34e5a4d6f1", "at": "2031-01-02T03:04:05Z", "none": null,
                "continue": "abc", "old": "2020-01-02T03:04:05Z", "details": {},
            }),
            "",
        );
        let expected =
            json!({"uid": "<uuid>", "at": "<time>", "continue": "<token>", "old": "2020-01-02T03:04:05Z"});
        assert_eq!(found, expected);
    }

    #[test]
    fn ages_in_tables_become_placeholders() {
        let table = json!({"kind": "Table", "columnDefinitions": [{"name": "Age", "description": "d"}],
            "rows": [{"cells": ["a", "3m2s"], "object": {"metadata": {"name": "a", "managedFields": []}}}]});
        let expected = json!({"kind": "Table", "columnDefinitions": [{"name": "Age"}],
            "rows": [{"cells": ["a", "<age>"], "object": {"metadata": {"name": "a"}}}]});
        assert_eq!(without_descriptions(table), expected);
    }
}
