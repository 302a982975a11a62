//! The defaults that SDKs add to `inputDetail` before they send it.
//!
//! Source: `AddNecessaryInputConfigField` of the Go SDK, which the vendor's operator uses.

use serde_json::{Map, Value, json};

use super::nginx;

/// Adds what is missing; a key that is there stays, unless it is `null`, which means "not set". A `logFormat` becomes
/// the regex and the keys that it stands for; one that cannot be read stays, and the check tells why.
pub fn complete_input_detail(detail: &mut Map<String, Value>) {
    let _ = nginx::derive(detail);
    set(detail, "localStorage", json!(true));
    set(detail, "enableTag", json!(true));
    set(detail, "maxSendRate", json!(-1));
    set(detail, "mergeType", json!("topic"));
    let Some(log_type) = detail.get("logType").and_then(Value::as_str).map(str::to_owned) else {
        return;
    };
    set(detail, "fileEncoding", json!("utf8"));
    set(detail, "maxDepth", json!(100));
    set(detail, "topicFormat", json!("none"));
    set(detail, "preserve", json!(true));
    set(detail, "discardUnmatch", json!(true));
    set(detail, "timeFormat", json!(""));
    match log_type.as_str() {
        "common_reg_log" => {
            set(detail, "logBeginRegex", json!(".*"));
            set(detail, "regex", json!("(.*)"));
            set(detail, "key", json!(["content"]));
        }
        "apsara_log" => set(detail, "logBeginRegex", json!(".*")),
        "json_log" => set(detail, "timeKey", json!("")),
        "delimiter_log" => {
            set(detail, "quote", json!("\u{1}"));
            set(detail, "autoExtend", json!(true));
            set(detail, "timeKey", json!(""));
        }
        _ => {}
    }
}

fn set(detail: &mut Map<String, Value>, key: &str, value: Value) {
    let entry = detail.entry(key).or_insert(Value::Null);
    if entry.is_null() {
        *entry = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(detail: Value) -> Map<String, Value> {
        let mut detail = detail.as_object().unwrap().clone();
        complete_input_detail(&mut detail);
        detail
    }

    #[test]
    fn the_error_config_of_the_document_becomes_simple_mode() {
        let got = completed(json!({"logType": "common_reg_log", "logPath": "/var/log/nginx",
            "filePattern": "error.log", "dockerFile": false}));
        assert_eq!(got["regex"], "(.*)");
        assert_eq!(got["key"], json!(["content"]));
        assert_eq!(got["logBeginRegex"], ".*");
        assert_eq!(got["discardUnmatch"], true);
        assert_eq!(got["maxDepth"], 100);
        assert_eq!(got["filePattern"], "error.log");
    }

    #[test]
    fn what_is_there_stays_and_null_counts_as_missing() {
        let got = completed(json!({"logType": "json_log", "discardUnmatch": false, "timeKey": "t",
            "maxDepth": null}));
        assert_eq!((&got["discardUnmatch"], &got["timeKey"]), (&json!(false), &json!("t")));
        assert_eq!(got["maxDepth"], 100);
        assert!(!got.contains_key("regex"));
    }

    #[test]
    fn plugin_configs_get_only_the_common_defaults() {
        let got = completed(json!({"plugin": {}}));
        assert_eq!(got.len(), 5);
        assert_eq!(got["mergeType"], "topic");
    }
}
