//! How lines are parsed: regexes, groups, keys, time.

use serde_json::Value;

use super::{Known, Report, begin, filter, keys};
use crate::logtail::{
    regex_shape::{self, capture_groups},
    translate::{DROPPED_COLUMN, LOG_TYPES, LogType, SIMPLE_REGEX, TIME_KEY},
};

/// Most bytes of a separator. Source: LoongCollector's delimiter parser, which counts bytes.
const SEPARATOR_BYTES_MAX: usize = 4;
/// Fields of one log type that another may be given by mistake.
const DELIMITER_ONLY: [&str; 4] = ["separator", "quote", "autoExtend", "acceptNoEnoughKeys"];

pub(super) fn check(fields: Known<'_>, report: &mut Report) {
    let name = fields.text("logType").unwrap_or_default();
    let Some((_, log_type)) = LOG_TYPES.into_iter().find(|(known, _)| *known == name) else {
        return;
    };
    let mut without_effect = Vec::new();
    match log_type {
        LogType::Regex => {
            regex_mode(fields, report);
            begin::check(fields, report);
            without_effect.extend(DELIMITER_ONLY);
        }
        LogType::Delimiter => {
            delimiter_mode(fields, report);
            without_effect.push("regex");
        }
        LogType::Json => without_effect.extend(["regex", "key"].iter().chain(&DELIMITER_ONLY)),
        LogType::Apsara => {
            begin::check(fields, report);
            without_effect.extend(["regex", "key"].iter().chain(&DELIMITER_ONLY));
        }
    }
    for field in without_effect.into_iter().filter(|field| fields.0.value(field).is_some()) {
        report.warning(field, format!("has no effect with logType {name}: remove it"));
    }
    time(fields, log_type, report);
}

fn regex_mode(fields: Known<'_>, report: &mut Report) {
    let regex = fields.text("regex").unwrap_or(SIMPLE_REGEX);
    // Simple mode's key is the default; a list of another type is reported already.
    let keys = match fields.0.value("key") {
        None => Some(vec!["content"]),
        Some(_) => fields.texts("key"),
    };
    if let Some(message) = regex_shape::stray_blank(regex) {
        let at_the_end = regex_shape::ends_in_stray_blank(regex);
        if at_the_end {
            report.error(
                "regex",
                format!("{message}; as it is it matches almost no line, and the others are dropped"),
            );
        } else {
            report.warning("regex", message);
        }
    }
    match capture_groups(regex) {
        Err(e) => report.error("regex", e.to_string()),
        Ok(groups) => {
            if let Some(keys) = keys.as_ref().filter(|keys| keys.len() != groups) {
                report.error("key", count_message(groups, keys.len(), fields));
            }
        }
    }
    keys::check(&keys.unwrap_or_default(), None, report);
}

fn count_message(groups: usize, keys: usize, fields: Known<'_>) -> String {
    let groups_text = match groups {
        1 => "1 capture group".to_owned(),
        n => format!("{n} capture groups"),
    };
    let keys_text = match fields.0.value("key") {
        Some(_) => format!("key names {keys}"),
        None => format!("key is not set and names {keys} (content)"),
    };
    let remedy = match groups.cmp(&keys) {
        std::cmp::Ordering::Greater => "name the others too, or write (?:…) for groups that are not fields",
        _ => "remove the surplus names, or put parentheses around what they name",
    };
    format!("regex has {groups_text} but {keys_text}, so no line can be parsed: {remedy}")
}

fn delimiter_mode(fields: Known<'_>, report: &mut Report) {
    match fields.some_text("separator") {
        None => report.error("separator", "is missing: write the text between columns, for example \",\""),
        Some(text) if text.len() > SEPARATOR_BYTES_MAX => report.error(
            "separator",
            format!(
                "{text:?} has {} bytes, at most {SEPARATOR_BYTES_MAX}: write only the text between two columns",
                text.len()
            ),
        ),
        Some(text) if text.len() > 1 && text != "\\t" && quotes(fields) => {
            report.warning("quote", "has no effect with a separator of several characters: remove it")
        }
        Some(_) => {}
    }
    if let Some(quote) = fields.text("quote").filter(|quote| quote.len() > 1) {
        report.error("quote", format!("{quote:?} has {} bytes, at most 1: write one character", quote.len()));
    }
    let keys = fields.texts("key").unwrap_or_default();
    if keys.iter().all(|key| *key == DROPPED_COLUMN) && fields.0.value("key").is_none_or(Value::is_array) {
        report.error("key", "names no column that is sent: list the names of the columns");
    }
    keys::check(&keys, Some(DROPPED_COLUMN), report);
}

/// Whether a quote is set, other than the SDKs' default for "none".
fn quotes(fields: Known<'_>) -> bool {
    fields.some_text("quote").is_some_and(|quote| quote != "\u{1}")
}

fn time(fields: Known<'_>, log_type: LogType, report: &mut Report) {
    let format = fields.some_text("timeFormat");
    let named = fields.some_text("timeKey");
    if format.is_none() {
        if named.is_some() {
            report.warning("timeKey", "has no effect without timeFormat: the time of collection is used");
        }
        return;
    }
    let key = match log_type {
        LogType::Apsara => {
            report
                .warning("timeFormat", "has no effect with logType apsara_log: the time in brackets counts");
            return;
        }
        LogType::Json | LogType::Delimiter => named,
        LogType::Regex => Some(named.unwrap_or(TIME_KEY)),
    };
    let Some(key) = key else {
        report.warning(
            "timeFormat",
            "has no effect without timeKey: write the name of the field with the time",
        );
        return;
    };
    let keys = fields.texts("key");
    let is_made = log_type == LogType::Json
        || keys.unwrap_or_default().contains(&key)
        || filter::is_extra_column(fields, key);
    if !is_made {
        report.warning(
            "timeFormat",
            format!(
                "there is no field {key:?} in key, so the time of collection is used: add it, or set timeKey"
            ),
        );
    }
}
