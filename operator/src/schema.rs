//! Checks an object against the CRD's schema as the API server would: types, ranges, patterns, required
//! and unknown fields. For `operator validate`, which has no API server at hand; kube-cel evaluates the
//! rules but not this part. Pure.

use std::collections::HashSet;

use regex::Regex;
use serde_json::{Map, Value};
use sls_api::nearest::nearest;

/// A place in an object and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub field: String,
    pub message: String,
}

/// Everything in `value` that `schema` does not allow. `metadata` and the type are not looked at.
pub fn check(schema: &Value, value: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    let properties = schema.get("properties");
    for part in ["spec", "status"] {
        if let (Some(schema), Some(value)) = (properties.and_then(|all| all.get(part)), value.get(part)) {
            visit(schema, value, part, &mut found);
        }
    }
    if value.get("spec").is_none_or(Value::is_null) {
        found.push(Violation { field: "spec".into(), message: "missing".into() });
    }
    found
}

fn visit(schema: &Value, value: &Value, field: &str, found: &mut Vec<Violation>) {
    let mut say = |message: String| found.push(Violation { field: field.to_owned(), message });
    if value.is_null() {
        if !flag(schema, "nullable") {
            say("null is not allowed".into());
        }
        return;
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let list: Vec<_> = allowed.iter().filter(|one| !one.is_null()).map(ToString::to_string).collect();
        say(format!("{value} is not one of {}", list.join(", ")));
    }
    let expected = schema.get("type").and_then(Value::as_str);
    match (expected, value) {
        (Some("object") | None, Value::Object(map)) => object(schema, map, field, found),
        (Some("array") | None, Value::Array(items)) => array(schema, items, field, found),
        (Some("string") | None, Value::String(text)) => string(schema, text, &mut say),
        (Some("integer"), Value::Number(number)) if number.is_f64() => {
            say(format!("{number} is not a whole number"));
        }
        (Some("integer" | "number") | None, Value::Number(number)) => {
            range(schema, number.as_f64().unwrap_or_default(), ["minimum", "maximum"], "", &mut say);
        }
        (Some("boolean") | None, Value::Bool(_)) => {}
        (Some(expected), other) => say(format!("must be of type {expected}, is {}", kind(other))),
        (None, Value::Null) => {}
    }
}

fn object(schema: &Value, map: &Map<String, Value>, field: &str, found: &mut Vec<Violation>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    for key in required.into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(key) {
            found.push(Violation { field: format!("{field}.{key}"), message: "missing".into() });
        }
    }
    range(schema, map.len() as f64, ["minProperties", "maxProperties"], " entries", &mut |message| {
        found.push(Violation { field: field.to_owned(), message });
    });
    let additional = schema.get("additionalProperties").filter(|additional| additional.is_object());
    for (key, value) in map {
        let path = format!("{field}.{key}");
        match properties.and_then(|all| all.get(key)).or(additional) {
            Some(schema) => visit(schema, value, &path, found),
            None if flag(schema, "x-kubernetes-preserve-unknown-fields") => {}
            None => {
                let known = properties.into_iter().flatten().map(|(known, _)| known.as_str());
                let hint =
                    nearest(key, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                found.push(Violation {
                    field: path,
                    message: format!("unknown field, it would be dropped{hint}"),
                });
            }
        }
    }
}

fn array(schema: &Value, items: &[Value], field: &str, found: &mut Vec<Violation>) {
    range(schema, items.len() as f64, ["minItems", "maxItems"], " entries", &mut |message| {
        found.push(Violation { field: field.to_owned(), message });
    });
    if schema.get("x-kubernetes-list-type").and_then(Value::as_str) == Some("set") {
        let mut seen = HashSet::new();
        for (index, item) in items.iter().enumerate().filter(|(_, item)| !seen.insert(item.to_string())) {
            found.push(Violation {
                field: format!("{field}[{index}]"),
                message: format!("{item} is listed twice"),
            });
        }
    }
    if let Some(schema) = schema.get("items") {
        for (index, item) in items.iter().enumerate() {
            visit(schema, item, &format!("{field}[{index}]"), found);
        }
    }
}

fn string(schema: &Value, text: &str, say: &mut dyn FnMut(String)) {
    range(schema, text.chars().count() as f64, ["minLength", "maxLength"], " characters", say);
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text))
    {
        say(format!("{text:?} does not match {pattern}"));
    }
}

fn range(schema: &Value, number: f64, [min, max]: [&str; 2], unit: &str, say: &mut dyn FnMut(String)) {
    let bound = |key| schema.get(key).and_then(Value::as_f64);
    if let Some(min) = bound(min).filter(|min| number < *min) {
        say(format!("{number}{unit}, at least {min} needed"));
    }
    if let Some(max) = bound(max).filter(|max| number > *max) {
        say(format!("{number}{unit}, at most {max} allowed"));
    }
}

fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::kind::ConfigKind;

    fn check(spec: Value, expected: Expect) {
        let found = super::check(&crate::crd::AliyunLogConfig::schema(), &json!({ "spec": spec }));
        let lines: Vec<_> = found.iter().map(|one| format!("{}: {}\n", one.field, one.message)).collect();
        expected.assert_eq(&lines.concat());
    }

    fn spec(more: &Value) -> Value {
        let mut spec = json!({
            "project": "project-a", "logstore": "store",
            "logtailConfig": {"configName": "config", "inputType": "file", "inputDetail": {
                "logType": "common_reg_log", "logPath": "/var/log", "filePattern": "a.log"}}
        });
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        spec
    }

    #[test]
    fn an_ordinary_object_and_a_legacy_one_with_nulls_pass() {
        check(spec(&json!({})), expect![""]);
        let nulls = json!({"project": "", "lifeCycle": null, "machineGroups": null, "shardCount": null});
        check(spec(&nulls), expect![""]);
    }

    #[test]
    fn types_ranges_patterns_and_duplicates_are_told() {
        let wrong = json!({"shardCount": 99, "lifeCycle": "90", "logstore": "UPPER", "logstoreMode": "fast",
            "machineGroups": ["group", "group", 7]});
        check(
            spec(&wrong),
            expect![[r#"
                spec.logstore: "UPPER" does not match ^[a-z0-9][a-z0-9_-]{0,61}[a-z0-9]$
                spec.shardCount: 99, at most 10 allowed
                spec.lifeCycle: must be of type integer, is string
                spec.logstoreMode: "fast" is not one of "standard", "query"
                spec.machineGroups[1]: "group" is listed twice
                spec.machineGroups[2]: must be of type string, is number
            "#]],
        );
    }

    #[test]
    fn an_unknown_field_names_the_nearest_known_one() {
        let unknown = json!({"ttl": 7, "lifecycle": 7});
        check(
            spec(&unknown),
            expect![[r#"
                spec.ttl: unknown field, it would be dropped
                spec.lifecycle: unknown field, it would be dropped; did you mean lifeCycle?
            "#]],
        );
    }

    #[test]
    fn an_object_without_spec_is_told() {
        let found = super::check(&crate::crd::AliyunLogConfig::schema(), &json!({}));
        assert_eq!(found, [Violation { field: "spec".into(), message: "missing".into() }]);
    }
}
