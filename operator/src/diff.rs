//! What differs between what an object asks for and what Log Service holds. Pure; used by `plan`.

use std::fmt;

use serde_json::{Map, Value};
use sls_api::logtail;
use sls_api::names::LogstoreName;
use sls_api::ops::logstores::Logstore;
use sls_api::ops::logtail_configs::LogtailConfig;

use crate::crd::{InputType, LogstoreMode, TelemetryType};
use crate::desired::{ClassicConfig, Desired, DesiredConfig, DesiredLogstore};
use crate::plan::HeldConfig;

/// Longest value shown in a difference, in characters; the rest is cut.
const SHOWN_CHARS_MAX: usize = 80;

/// One field that is not as wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDiff {
    /// Name of the field as the user writes it.
    pub field: String,
    /// What the object asks for; `None` when it asks for nothing.
    pub wanted: Option<Value>,
    /// What Log Service holds.
    pub actual: Option<Value>,
}

impl fmt::Display for FieldDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.wanted.as_ref().map_or_else(|| "not set".to_owned(), shown);
        let actual = self.actual.as_ref().map_or_else(|| "not set".to_owned(), shown);
        write!(f, "{}: wanted {wanted}, is {actual}", self.field)
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// What of the config has to be updated. A key that only Log Service has counts unless `keep_foreign_keys`.
pub fn config(desired: &Desired, actual: &HeldConfig, keep_foreign_keys: bool) -> Vec<FieldDiff> {
    match (&desired.config, actual) {
        (DesiredConfig::Classic(wanted), HeldConfig::Classic(actual)) => {
            classic(wanted, &desired.destination, actual, keep_foreign_keys)
        }
        (DesiredConfig::Pipeline(wanted), HeldConfig::Pipeline(actual)) => {
            pipeline(&wanted.body, &actual.body, keep_foreign_keys)
        }
        // Not an update: plan replaces the one, and the other is never looked at.
        _ => Vec::new(),
    }
}

/// Fields of a pipeline config that Log Service makes. Source: Python SDK; recorded by the emulator's tests.
const MADE_BY_SERVER: [&str; 2] = ["createTime", "lastModifyTime"];

fn pipeline(
    wanted: &Map<String, Value>,
    actual: &Map<String, Value>,
    keep_foreign_keys: bool,
) -> Vec<FieldDiff> {
    let mut diffs = Vec::new();
    for (key, value) in wanted {
        let found = actual.get(key);
        if !found.is_some_and(|found| covers(value, found)) {
            diffs.push(FieldDiff { field: key.clone(), wanted: Some(value.clone()), actual: found.cloned() });
        }
    }
    let says_something = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    let foreign = actual
        .iter()
        .filter(|(key, value)| !wanted.contains_key(*key) && says_something(value))
        .filter(|(key, _)| !keep_foreign_keys && !MADE_BY_SERVER.contains(&key.as_str()));
    diffs.extend(foreign.map(|(key, value)| FieldDiff {
        field: key.clone(),
        wanted: None,
        actual: Some(value.clone()),
    }));
    diffs
}

/// inputDetail is compared after the SDK's defaults are filled in on both sides.
fn classic(
    wanted: &ClassicConfig,
    destination: &LogstoreName,
    actual: &LogtailConfig,
    keep_foreign_keys: bool,
) -> Vec<FieldDiff> {
    let mut diffs = Vec::new();
    let input_type = match wanted.input_type {
        InputType::File => "file",
        InputType::Plugin => "plugin",
    };
    compare(&mut diffs, "inputType", input_type, actual.input_type.as_str());
    compare(
        &mut diffs,
        "outputDetail.logstoreName",
        destination.as_str(),
        actual.output_detail.logstore_name.as_str(),
    );
    let sample = actual.log_sample.as_deref().unwrap_or_default();
    if !wanted.log_sample.is_empty() || !keep_foreign_keys {
        compare(&mut diffs, "logSample", wanted.log_sample.as_str(), sample);
    }
    input_detail(&mut diffs, &wanted.input_detail, &actual.input_detail, keep_foreign_keys);
    diffs
}

fn input_detail(
    diffs: &mut Vec<FieldDiff>,
    wanted: &Map<String, Value>,
    actual: &Map<String, Value>,
    keep_foreign_keys: bool,
) {
    let mut actual = actual.clone();
    logtail::complete_input_detail(&mut actual);
    for (key, value) in wanted {
        let found = actual.get(key);
        if !found.is_some_and(|found| covers(value, found)) {
            diffs.push(FieldDiff {
                field: format!("inputDetail.{key}"),
                wanted: Some(value.clone()),
                actual: found.cloned(),
            });
        }
    }
    if keep_foreign_keys {
        return;
    }
    let foreign = actual.iter().filter(|(key, value)| !wanted.contains_key(*key) && !value.is_null());
    diffs.extend(foreign.map(|(key, value)| FieldDiff {
        field: format!("inputDetail.{key}"),
        wanted: None,
        actual: Some(value.clone()),
    }));
}

/// Whether `actual` holds all of `wanted`; objects may hold more, everything else must be equal.
fn covers(wanted: &Value, actual: &Value) -> bool {
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(actual)) => wanted.iter().all(|(key, value)| {
            actual.get(key).map_or_else(|| value.is_null(), |found| covers(value, found))
        }),
        // Parts of a pipeline are objects in lists, to which the server may add defaults as well.
        (Value::Array(wanted), Value::Array(actual)) => {
            wanted.len() == actual.len()
                && wanted.iter().zip(actual).all(|(wanted, actual)| covers(wanted, actual))
        }
        (Value::Number(wanted), Value::Number(actual)) => {
            wanted == actual || wanted.as_f64().is_some_and(|number| actual.as_f64() == Some(number))
        }
        _ => wanted == actual,
    }
}

/// What of an existing Logstore is not as the object says, in the object's own words.
pub fn logstore(desired: &DesiredLogstore, actual: &Logstore) -> Vec<FieldDiff> {
    let mut diffs = Vec::new();
    let number = |value: Option<u32>| value.map(i64::from);
    let word = |classic| desired.dialect.word(classic);
    // Automatic splits only ever add shards: more than asked for is what the user asked for.
    let grown = |wanted: &i64| actual.auto_split && actual.shard_count > *wanted;
    let shards = number(desired.shard_count).filter(|wanted| !grown(wanted));
    compare_set(&mut diffs, "shardCount", shards, actual.shard_count);
    compare_set(&mut diffs, word("lifeCycle"), number(desired.life_cycle_days), actual.ttl);
    compare_set(&mut diffs, word("logstoreHotTTL"), number(desired.hot_ttl_days), actual.hot_ttl);
    let infrequent = actual.infrequent_access_ttl.unwrap_or_default();
    compare_set(&mut diffs, "infrequentAccessTTL", number(desired.infrequent_ttl_days), infrequent);
    let mode = desired.mode.map(|mode| match mode {
        LogstoreMode::Standard => "standard",
        LogstoreMode::Query => "query",
    });
    let actual_mode = if actual.mode.is_empty() { "standard" } else { actual.mode.as_str() };
    compare_set(&mut diffs, word("logstoreMode"), mode, actual_mode);
    compare_set(&mut diffs, word("logstoreAutoSplit"), desired.auto_split, actual.auto_split);
    compare_set(
        &mut diffs,
        word("logstoreMaxSplitShard"),
        number(desired.max_split_shard),
        actual.max_split_shard,
    );
    let telemetry = desired.telemetry_type.map(|kind| match kind {
        TelemetryType::None => "None",
        TelemetryType::Metrics => "Metrics",
    });
    let actual_kind = if actual.telemetry_type.is_empty() { "None" } else { actual.telemetry_type.as_str() };
    compare_set(&mut diffs, word("logstoreTelemetryType"), telemetry, actual_kind);
    compare_set(&mut diffs, word("logstoreAppendMeta"), desired.append_meta, actual.append_meta);
    compare_set(&mut diffs, word("logstoreEnableTracking"), desired.enable_tracking, actual.enable_tracking);
    diffs
}

/// Of these, what can be changed in an existing Logstore: not its kind, and its shards only by splitting and merging.
/// Source: API reference, UpdateLogStore.
pub fn mutable(desired: &DesiredLogstore, actual: &Logstore) -> Vec<FieldDiff> {
    let fixed =
        ["shardCount", "logstoreMode", "logstoreTelemetryType"].map(|field| desired.dialect.word(field));
    let mut diffs = logstore(desired, actual);
    diffs.retain(|diff| !fixed.contains(&diff.field.as_str()));
    diffs
}

fn compare<T: PartialEq + Into<Value>>(diffs: &mut Vec<FieldDiff>, field: &str, wanted: T, actual: T) {
    compare_set(diffs, field, Some(wanted), actual);
}

fn compare_set<T: PartialEq + Into<Value>>(
    diffs: &mut Vec<FieldDiff>,
    field: &str,
    wanted: Option<T>,
    actual: T,
) {
    if let Some(wanted) = wanted.filter(|wanted| *wanted != actual) {
        diffs.push(FieldDiff {
            field: field.to_owned(),
            wanted: Some(wanted.into()),
            actual: Some(actual.into()),
        });
    }
}
