//! Which fields exist, and of which type.

use serde_json::{Map, Value};

use super::Report;
use crate::logtail::agent_form::keys::{self, ADVANCED, judge};
use crate::nearest::nearest;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Flag,
    Number,
    Object,
    List,
    Texts,
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Flag => value.is_boolean(),
            Self::Number => value.is_i64() || value.is_u64(),
            Self::Object => value.is_object(),
            Self::List => value.is_array(),
            Self::Texts => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        }
    }

    /// What to write.
    fn wanted(self) -> &'static str {
        match self {
            Self::Text => "a text (in YAML in quotes)",
            Self::Flag => "true or false, without quotes",
            Self::Number => "a whole number, without quotes",
            Self::Object => "an object",
            Self::List => "a list",
            Self::Texts => "a list of texts, [\"a\", \"b\"]",
        }
    }
}

/// Fields of `inputDetail` for input type `file`. Source: API document "Logtail configurations",
/// what the SDKs send, and the agent's own parser.
const KNOWN: &[(&str, Kind)] = &[
    ("acceptNoEnoughKeys", Kind::Flag),
    ("adjustTimezone", Kind::Flag),
    ("advanced", Kind::Object),
    ("autoExtend", Kind::Flag),
    ("customizedFields", Kind::Text),
    ("delayAlarmBytes", Kind::Number),
    ("delaySkipBytes", Kind::Number),
    ("dirPatternBlackList", Kind::Texts),
    ("discardNonUtf8", Kind::Flag),
    ("discardUnmatch", Kind::Flag),
    ("dockerExcludeEnv", Kind::Object),
    ("dockerExcludeLabel", Kind::Object),
    ("dockerFile", Kind::Flag),
    ("dockerIncludeEnv", Kind::Object),
    ("dockerIncludeLabel", Kind::Object),
    ("enableRawLog", Kind::Flag),
    ("enableTag", Kind::Flag),
    ("fileEncoding", Kind::Text),
    ("filePattern", Kind::Text),
    ("filterKey", Kind::Texts),
    ("filterRegex", Kind::Texts),
    ("key", Kind::Texts),
    ("localStorage", Kind::Flag),
    ("logBeginRegex", Kind::Text),
    ("logFormat", Kind::Text),
    ("logPath", Kind::Text),
    ("logTimezone", Kind::Text),
    ("logType", Kind::Text),
    ("maxDepth", Kind::Number),
    ("maxSendRate", Kind::Number),
    ("mergeType", Kind::Text),
    ("plugin", Kind::Object),
    ("preserve", Kind::Flag),
    ("preserveDepth", Kind::Number),
    ("priority", Kind::Number),
    ("quote", Kind::Text),
    ("regex", Kind::Text),
    ("sendRateExpire", Kind::Number),
    ("sensitive_keys", Kind::List),
    ("separator", Kind::Text),
    ("shardHashKey", Kind::Texts),
    ("tailExisted", Kind::Flag),
    ("timeFormat", Kind::Text),
    ("timeKey", Kind::Text),
    ("topicFormat", Kind::Text),
];

/// Reports unknown fields and wrong types.
pub(super) fn check(detail: &Map<String, Value>, report: &mut Report) {
    for (name, value) in detail.iter().filter(|(_, value)| !value.is_null()) {
        match KNOWN.iter().find(|(known, _)| known == name) {
            None => unknown(name, report),
            Some((_, Kind::Object)) if name == "advanced" && value.is_object() => {
                let keys = value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
                for (key, value) in keys {
                    judge(ADVANCED, "advanced.", key, value, &mut report.0);
                }
            }
            Some((_, kind)) if !kind.fits(value) => {
                let shown: String = value.to_string().chars().take(60).collect();
                report.error(name, format!("{shown} has the wrong type: write {}", kind.wanted()));
            }
            Some(_) => report.0.extend(keys::without_effect(name, value)),
        }
    }
}

fn unknown(name: &str, report: &mut Report) {
    let shown: String = name.chars().take(60).collect();
    let message = match nearest(name, KNOWN.iter().map(|(known, _)| *known)) {
        Some(known) => format!("{shown:?} is not a field and has no effect: did you mean {known}?"),
        None => format!("{shown:?} is not a field and has no effect: remove it"),
    };
    report.warning(name, message);
}
