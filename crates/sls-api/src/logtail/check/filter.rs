//! Filters and masks: which logs are sent, and what of them.

use serde_json::Value;

use super::{Known, Report, reported};
use crate::logtail::condition::read_condition;
use crate::logtail::extra_column;
use crate::logtail::fields::Fields;
use crate::logtail::regex_shape::{capture_groups, ends_in_stray_blank, stray_blank};
use crate::logtail::translate::{DROPPED_COLUMN, SIMPLE_REGEX, UNPARSED_KEY};

/// Path of the filter that is a tree.
const EXPRESSION: &str = "advanced.filter_expression";

pub(super) fn check(fields: Known<'_>, report: &mut Report) {
    let parsed = parsed_keys(fields);
    let is_unknown = |key: &str| {
        let is_parsed = parsed.as_ref().is_none_or(|keys| keys.contains(&key));
        !(is_parsed || is_extra_column(fields, key))
    };
    let advanced = reported(fields.0.object("advanced"));
    match advanced.and_then(|advanced| Fields::inside(advanced, "advanced.").value("filter_expression")) {
        Some(value) => {
            if fields.texts("filterKey").is_some_and(|keys| !keys.is_empty()) {
                report.warning(
                    "filterKey",
                    format!("has no effect beside {EXPRESSION}: remove one of the two"),
                );
            }
            expression(value, &is_unknown, report);
        }
        None => lists(fields, &is_unknown, report),
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

/// `filterKey` and `filterRegex`.
fn lists(fields: Known<'_>, is_unknown: &impl Fn(&str) -> bool, report: &mut Report) {
    let keys = fields.texts("filterKey").unwrap_or_default();
    let regexes = fields.texts("filterRegex").unwrap_or_default();
    if keys.len() != regexes.len() {
        report.error(
            "filterRegex",
            format!("has {} entries but filterKey {}: give each key one regex", regexes.len(), keys.len()),
        );
    }
    for (n, regex) in regexes.iter().enumerate() {
        pattern(format!("filterRegex[{n}]"), regex, report);
    }
    for (n, key) in keys.iter().enumerate().filter(|(_, key)| is_unknown(key)) {
        report.error(
            format!("filterKey[{n}]"),
            format!("no field is named {key:?}, so every log would be dropped: use one of key"),
        );
    }
}

/// A regex that decides which logs are sent.
fn pattern(field: String, regex: &str, report: &mut Report) {
    if let Err(e) = capture_groups(regex) {
        report.error(field, e.to_string());
    } else if ends_in_stray_blank(regex) {
        let what = stray_blank(regex).unwrap_or_default();
        report.error(field, format!("{what}; as it is it matches almost no log, and the others are dropped"));
    }
}

/// `advanced.filter_expression`.
fn expression(value: &Value, is_unknown: &impl Fn(&str) -> bool, report: &mut Report) {
    let condition = match read_condition(value, EXPRESSION) {
        Ok(condition) => condition,
        Err(faults) => return faults.into_iter().for_each(|fault| report.error(fault.field, fault.message)),
    };
    let drops_all = condition.constant(&|key: &str| !is_unknown(key)) == Some(false);
    for (key, expected) in condition.fields() {
        pattern(format!("{}.exp", expected.place), &expected.text, report);
        let field = format!("{}.key", expected.place);
        match (is_unknown(key), drops_all) {
            (false, _) => {}
            (true, true) => report.error(
                field,
                format!("no field is named {key:?}, so every log would be dropped: use one of key"),
            ),
            (true, false) => report.warning(
                field,
                format!("no field is named {key:?}, so this condition never holds: use one of key"),
            ),
        }
    }
}

/// The fields that a filter or mask sees, where the config names them all. The text and the offset that are
/// sent beside them are not among them.
pub(super) fn parsed_keys<'a>(fields: Known<'a>) -> Option<Vec<&'a str>> {
    let keeps_unmatched = fields.flag("discardUnmatch") == Some(false);
    match fields.text("logType") {
        Some("common_reg_log") => {
            let mut keys = fields.texts("key").unwrap_or_else(|| vec!["content"]);
            let is_simple = fields.text("regex").is_none_or(|r| r == SIMPLE_REGEX) && keys.len() == 1;
            if keeps_unmatched && !is_simple {
                keys.push(UNPARSED_KEY);
            }
            Some(keys)
        }
        Some("delimiter_log") => {
            let mut keys = fields.texts("key").unwrap_or_default();
            keys.retain(|key| *key != DROPPED_COLUMN);
            keys.extend(keeps_unmatched.then_some(UNPARSED_KEY));
            Some(keys)
        }
        _ => None,
    }
}

/// Whether this names a column beyond those of `key`, counted from 0, of which there may be any number, or one
/// without `autoExtend`, or none that is sent with `extract_partial_fields`.
pub(super) fn is_extra_column(fields: Known<'_>, key: &str) -> bool {
    if fields.text("logType") != Some("delimiter_log") {
        return false;
    }
    let advanced = fields.0.object("advanced").ok().flatten();
    if advanced.and_then(|advanced| advanced.get("extract_partial_fields")) == Some(&Value::Bool(true)) {
        return false;
    }
    let named = fields.texts("key").unwrap_or_default().len();
    let extends = fields.flag("autoExtend").unwrap_or(true);
    extra_column(key).is_some_and(|column| if extends { column >= named } else { column == named })
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
