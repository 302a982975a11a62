//! Fields with few or bounded values: paths, choices, ranges.

use super::{Known, Report};
use crate::logtail::{
    regex_shape::capture_groups,
    translate::{CONSTANT_TOPIC, LOG_TYPES},
};
use crate::nearest::nearest;

/// Levels below `logPath`. Source: API document; -1 is the agent's word for "all".
const MAX_DEPTH: std::ops::RangeInclusive<i64> = -1..=1000;
/// Levels that are watched with `preserve: false`. Source: API document.
const PRESERVE_DEPTH: std::ops::RangeInclusive<i64> = 1..=3;
/// Longest topic, in bytes. Source: data model document.
const TOPIC_BYTES_MAX: usize = 128;

pub(super) fn check(fields: Known<'_>, report: &mut Report) {
    paths(fields, report);
    choice(fields, "logType", &LOG_TYPES.map(|(name, _)| name), report);
    choice(fields, "fileEncoding", &["utf8", "gbk"], report);
    choice(fields, "mergeType", &["topic", "logstore"], report);
    topic(fields, report);
    zone(fields, report);
    if let Some(depth) = fields.number("maxDepth").filter(|d| !MAX_DEPTH.contains(d)) {
        report.error("maxDepth", format!("{depth} is out of range: write 0 to {}", MAX_DEPTH.end()));
    }
    let kept_depth = fields.number("preserveDepth").filter(|_| fields.flag("preserve") == Some(false));
    if let Some(depth) = kept_depth.filter(|d| !PRESERVE_DEPTH.contains(d)) {
        report.error("preserveDepth", format!("{depth} is out of range: write 1 to 3, or preserve: true"));
    }
    if fields.flag("dockerFile") == Some(true) {
        report.warning(
            "dockerFile",
            "a sidecar reads the directory that it shares with the application, not other containers' \
             files: write false",
        );
    }
    send_rate(fields, report);
    if let Some(skip @ 1..) = fields.number("delaySkipBytes") {
        report.warning(
            "delaySkipBytes",
            format!("lines are skipped once the collector is {skip} bytes behind: write 0 to lose none"),
        );
    }
}

fn send_rate(fields: Known<'_>, report: &mut Report) {
    let rate = fields.number("maxSendRate");
    if rate == Some(0) {
        // Source: `LogstoreSenderQueue` of Logtail 1.1, which sends nothing then until the time of expiry.
        report.error(
            "maxSendRate",
            "0 stops sending: write -1 for no limit, or the bytes that may be sent in a second",
        );
    }
    if fields.number("sendRateExpire").is_some_and(|until| until > 0) && rate.is_none_or(|rate| rate < 0) {
        report.warning("sendRateExpire", "has no effect without maxSendRate, whose end it is: remove it");
    }
}

fn paths(fields: Known<'_>, report: &mut Report) {
    if let Some(path) = fields.text("logPath") {
        if !path.starts_with('/') {
            report.error("logPath", format!("{path:?} is not absolute: write the directory from / on"));
        } else if path.split('/').any(|part| part == "..") {
            report.error("logPath", format!("{path:?} contains '..': write the directory itself"));
        } else if path.contains("**") {
            report.error(
                "logPath",
                format!("{path:?} contains '**': write the directory, and maxDepth for the levels below it"),
            );
        }
        let padded = path.trim() != path;
        if padded {
            report.warning("logPath", format!("{path:?} begins or ends with a blank: remove it"));
        }
    }
    let Some(pattern) = fields.text("filePattern") else {
        return;
    };
    if pattern.is_empty() {
        report.error("filePattern", "is empty and matches no file: write a name, or * for all");
    } else if pattern.contains('/') {
        report.error(
            "filePattern",
            format!("{pattern:?} contains a '/': put the directory into logPath, only the name here"),
        );
    } else if pattern.trim() != pattern {
        report.error("filePattern", format!("{pattern:?} begins or ends with a blank: remove it"));
    }
}

fn choice(fields: Known<'_>, name: &str, choices: &[&str], report: &mut Report) {
    let Some(value) = fields.text(name).filter(|value| !choices.contains(value)) else {
        return;
    };
    let hint = match nearest(value, choices.iter().copied()) {
        Some(near) => format!("write {near}"),
        None => format!("write one of {}", choices.join(", ")),
    };
    report.error(name, format!("{value:?} is not known: {hint}"));
}

fn topic(fields: Known<'_>, report: &mut Report) {
    let format = fields.some_text("topicFormat").unwrap_or("none");
    if matches!(format, "none" | "default" | "group_topic") || format.starts_with(CONSTANT_TOPIC) {
        if format == CONSTANT_TOPIC {
            report.error("topicFormat", format!("{format:?} names no topic: write customized://TOPIC"));
        }
        let bytes = format.strip_prefix(CONSTANT_TOPIC).map_or(0, str::len);
        if bytes > TOPIC_BYTES_MAX {
            let message = format!("the topic is {bytes} bytes long: use at most {TOPIC_BYTES_MAX}");
            report.error("topicFormat", message);
        }
        return;
    }
    let remedy = "write none, default, group_topic, customized://TOPIC or a regex on the path with one group";
    match capture_groups(format) {
        Err(e) => report.error("topicFormat", format!("{format:?}: {e}: {remedy}")),
        Ok(0) => report.error(
            "topicFormat",
            format!("{format:?} is taken as a regex without a group, so there is no topic in it: {remedy}"),
        ),
        Ok(_) => {}
    }
}

fn zone(fields: Known<'_>, report: &mut Report) {
    let Some(zone) = fields.some_text("logTimezone") else {
        return;
    };
    if !is_zone(zone) {
        report.error("logTimezone", format!("{zone:?} is not a zone: write it like GMT+08:00"));
    } else if fields.flag("adjustTimezone") != Some(true) {
        report.warning("logTimezone", "has no effect without adjustTimezone: true");
    }
}

/// `GMT+08:00`.
fn is_zone(text: &str) -> bool {
    let Some(offset) = text.strip_prefix("GMT").and_then(|rest| rest.strip_prefix(['+', '-'])) else {
        return false;
    };
    let Some((hours, minutes)) = offset.split_once(':') else {
        return false;
    };
    let below = |text: &str, end: u8| {
        text.len() == 2
            && text.bytes().all(|b| b.is_ascii_digit())
            && text.parse::<u8>().is_ok_and(|n| n < end)
    };
    below(hours, 15) && below(minutes, 60)
}
