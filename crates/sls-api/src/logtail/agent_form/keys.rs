//! The keys of the agent's form, and what becomes of each.
//!
//! The names are those that the vendor's agent 1.x reads. That a key has no effect is said only where its value
//! asks for something else than what is done anyway.

use serde_json::Value;

use crate::logtail::check::{Problem, Severity};
use crate::nearest::nearest;

/// What becomes of a key.
#[derive(Debug, Clone, Copy)]
pub(in crate::logtail) enum Fate {
    /// `inputDetail` has it under this name.
    Detail(&'static str),
    /// It is read by itself.
    Own,
    /// It is for people, or says what is so anyway.
    Silent,
    /// It asks for nothing unless it has another value than the first of these or an empty one; the second says why
    /// it then changes nothing.
    WithoutEffect(&'static str, &'static str),
}

use Fate::{Detail, Own, Silent, WithoutEffect};

const KEPT: &str = "directories are watched as long as a config names them";
const OWN_POD: &str = "a sidecar reads the directory that it shares with the application";

/// Keys of an entry.
pub(super) const KEYS: &[(&str, Fate)] = &[
    ("accept_no_enough_keys", Detail("acceptNoEnoughKeys")),
    ("advanced", Detail("advanced")),
    ("aliuid", Silent),
    ("auto_extend", Detail("autoExtend")),
    ("category", Own),
    ("column_keys", Own),
    ("create_time", Silent),
    ("customized_fields", WithoutEffect("", "it is about counts that the vendor makes of its own")),
    ("defaultEndpoint", Own),
    ("delay_alarm_bytes", Detail("delayAlarmBytes")),
    ("delay_skip_bytes", WithoutEffect("", "nothing is skipped: what is behind is read later")),
    ("delimiter_quote", Detail("quote")),
    ("delimiter_separator", Detail("separator")),
    ("dir_pattern_black_list", Detail("dirPatternBlackList")),
    ("discard_none_utf8", Detail("discardNonUtf8")),
    ("discard_unmatch", Detail("discardUnmatch")),
    ("docker_exclude_env", WithoutEffect("", OWN_POD)),
    ("docker_exclude_label", WithoutEffect("", OWN_POD)),
    ("docker_file", Detail("dockerFile")),
    ("docker_include_env", WithoutEffect("", OWN_POD)),
    ("docker_include_label", WithoutEffect("", OWN_POD)),
    ("enable", Own),
    ("enable_tag", Silent),
    ("file_encoding", Detail("fileEncoding")),
    ("file_pattern", Detail("filePattern")),
    ("filter_keys", Detail("filterKey")),
    ("filter_regs", Detail("filterRegex")),
    ("group_topic", Own),
    ("keys", Own),
    // Nothing is ever spilled: what is not sent stays in its file.
    ("local_storage", Silent),
    ("log_begin_reg", Detail("logBeginRegex")),
    ("log_format", Detail("logFormat")),
    ("log_path", Detail("logPath")),
    ("log_type", Detail("logType")),
    ("log_tz", Detail("logTimezone")),
    ("max_depth", Detail("maxDepth")),
    ("max_send_rate", Detail("maxSendRate")),
    // A group has one topic, a request may have many groups: both are so anyway.
    ("merge_type", Detail("mergeType")),
    ("plugin", Detail("plugin")),
    ("preserve", WithoutEffect("true", KEPT)),
    ("preserve_depth", WithoutEffect("", KEPT)),
    ("priority", WithoutEffect("", "all configs share the connection evenly")),
    ("project_name", Own),
    ("raw_log", Detail("enableRawLog")),
    ("regex", Own),
    ("region", Own),
    ("send_rate_expire", Detail("sendRateExpire")),
    ("sensitive_keys", Detail("sensitive_keys")),
    ("shard_hash_key", Detail("shardHashKey")),
    ("tail_existed", Detail("tailExisted")),
    ("tail_limit", Own),
    ("time_key", Detail("timeKey")),
    ("timeformat", Detail("timeFormat")),
    ("topic_format", Detail("topicFormat")),
    ("tz_adjust", Detail("adjustTimezone")),
    ("version", Silent),
];

/// Keys of `advanced`, which has the same names in both forms.
pub(in crate::logtail) const ADVANCED: &[(&str, Fate)] = &[
    (
        "batch_send_interval",
        WithoutEffect("", "it holds for all configs: set batch_send_interval of ilogtail_config.json"),
    ),
    ("blacklist", Own),
    (
        "close_unused_reader_interval",
        WithoutEffect("", "a file stays open as long as it is there, so that nothing of it is missed"),
    ),
    ("collect_containers_flag", WithoutEffect("", OWN_POD)),
    ("enable_log_position_meta", Own),
    ("enable_precise_timestamp", Own),
    ("enable_root_path_collection", WithoutEffect("", "a directory may be the root anyway")),
    ("enable_timestamp_nanosecond", Own),
    ("exactly_once_concurrency", Own),
    ("extract_partial_fields", Own),
    ("filter_expression", Own),
    // Several configs may have one file here.
    ("force_multiconfig", Silent),
    ("k8s", WithoutEffect("", OWN_POD)),
    (
        "max_rotate_queue_size",
        WithoutEffect("", "rotated files are read to their end, however many there are"),
    ),
    ("pass_tags_to_plugin", WithoutEffect("", "there are no plugins")),
    ("precise_timestamp_key", Own),
    ("precise_timestamp_unit", Own),
    ("raw_log_tag", Own),
    (
        "search_checkpoint_dir_depth",
        WithoutEffect("", "a moved file is looked for in the directories of its config"),
    ),
    ("specified_year", Own),
    ("tail_size_kb", Own),
];

/// The fate of a key that is set; what is to be said of it goes to `problems`. None for an unknown one.
pub(in crate::logtail) fn judge(
    table: &'static [(&'static str, Fate)],
    prefix: &str,
    key: &str,
    value: &Value,
    problems: &mut Vec<Problem>,
) -> Option<&'static Fate> {
    let fate = table.iter().find(|(known, _)| *known == key).map(|(_, fate)| fate);
    let said = match fate {
        None => Some((Severity::Warning, unknown(table, key))),
        Some(WithoutEffect(usual, why)) if !asks_nothing(value, usual) => {
            Some((Severity::Warning, format!("has no effect in this collector: {why}")))
        }
        Some(_) => None,
    };
    if let Some((severity, message)) = said {
        let shown: String = key.chars().take(60).collect();
        problems.push(Problem { field: format!("{prefix}{shown}"), message, severity });
    }
    fate
}

/// What is to be said of a field of `inputDetail` that agents have under the name in their own spelling, if its value
/// changes nothing here.
pub(in crate::logtail) fn without_effect(name: &str, value: &Value) -> Option<Problem> {
    let (_, fate) = KEYS.iter().find(|(key, _)| is_spelled(key, name))?;
    match fate {
        // The check of values says more of it.
        WithoutEffect(..) if name == "delaySkipBytes" => None,
        WithoutEffect(usual, why) if !asks_nothing(value, usual) => Some(Problem {
            field: name.to_owned(),
            message: format!("has no effect in this collector: {why}"),
            severity: Severity::Warning,
        }),
        _ => None,
    }
}

/// Whether `camel` is `snake` without its bars, as in `maxDepth` and `max_depth`.
fn is_spelled(snake: &str, camel: &str) -> bool {
    snake.split('_').map(str::len).sum::<usize>() == camel.len()
        && snake.replace('_', "").eq_ignore_ascii_case(camel)
}

fn unknown(table: &[(&str, Fate)], key: &str) -> String {
    match nearest(key, table.iter().map(|(known, _)| *known)) {
        Some(known) => format!("is not known and has no effect: did you mean {known}?"),
        None => "is not known and has no effect: remove it".to_owned(),
    }
}

fn asks_nothing(value: &Value, usual: &str) -> bool {
    let text = value.to_string();
    text == usual
        || usual != "true" && matches!(text.as_str(), "null" | "false" | "0" | "-1" | "\"\"" | "[]" | "{}")
}

/// The agent's name of a field of `inputDetail`.
pub(super) fn own_name(name: &str) -> Option<&'static str> {
    KEYS.iter().find(|(_, fate)| matches!(fate, Detail(detail) if *detail == name)).map(|(own, _)| *own)
}
