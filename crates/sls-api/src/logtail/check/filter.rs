//! Filters and masks: which logs are sent, and what of them.

use serde_json::Value;

use super::{Known, Report};
use crate::logtail::regex_shape::{capture_groups, ends_in_stray_blank, stray_blank};

pub(super) fn check(fields: Known<'_>, report: &mut Report) {
    let keys = fields.texts("filterKey").unwrap_or_default();
    let regexes = fields.texts("filterRegex").unwrap_or_default();
    if keys.len() != regexes.len() {
        report.error(
            "filterRegex",
            format!("has {} entries but filterKey {}: give each key one regex", regexes.len(), keys.len()),
        );
    }
    for (n, regex) in regexes.iter().enumerate() {
        let field = format!("filterRegex[{n}]");
        if let Err(e) = capture_groups(regex) {
            report.error(field, e.to_string());
        } else if ends_in_stray_blank(regex) {
            let what = stray_blank(regex).unwrap_or_default();
            report.error(
                field,
                format!("{what}; as it is it matches almost no log, and the others are dropped"),
            );
        }
    }
    let parsed = parsed_keys(fields);
    // Names with two underscores may be made by the collector (extra columns, raw logs).
    let is_unknown =
        |key: &str| parsed.as_ref().is_some_and(|keys| !keys.contains(&key)) && !key.starts_with("__");
    for (n, key) in keys.iter().enumerate().filter(|(_, key)| is_unknown(key)) {
        report.error(
            format!("filterKey[{n}]"),
            format!("no field is named {key:?}, so every log would be dropped: use one of key"),
        );
    }
    for (n, entry) in fields.list("sensitive_keys").unwrap_or_default().iter().enumerate() {
        let path = format!("sensitive_keys[{n}]");
        mask(&path, entry, report);
        let key = entry.get("key").and_then(Value::as_str).unwrap_or_default();
        if !key.is_empty() && is_unknown(key) {
            report.error(
                format!("{path}.key"),
                format!("no field is named {key:?}, so nothing would be masked: use one of key"),
            );
        }
    }
}

/// The fields that the parser makes, where the config names them all.
fn parsed_keys<'a>(fields: Known<'a>) -> Option<Vec<&'a str>> {
    match fields.text("logType") {
        Some("common_reg_log") => Some(fields.texts("key").unwrap_or_else(|| vec!["content"])),
        Some("delimiter_log") => Some(fields.texts("key").unwrap_or_default()),
        _ => None,
    }
}

fn mask(path: &str, entry: &Value, report: &mut Report) {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    if !entry.is_object() {
        report
            .error(path, "has the wrong type: write an object with key, type, regex_begin and regex_content");
        return;
    }
    if text("key").is_empty() {
        report.error(format!("{path}.key"), "is missing: name the field to mask");
    }
    if !matches!(text("type"), "const" | "md5") {
        report.error(format!("{path}.type"), format!("{:?} is not known: write const or md5", text("type")));
    }
    if text("regex_content").is_empty() {
        report.error(format!("{path}.regex_content"), "is missing: write a regex for the text to replace");
    }
    for name in ["regex_begin", "regex_content"] {
        if let Err(e) = capture_groups(text(name)) {
            report.error(format!("{path}.{name}"), e.to_string());
        }
    }
}
