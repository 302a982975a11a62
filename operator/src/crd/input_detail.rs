//! `spec.logtailConfig.inputDetail`: the schema of its known keys.
//!
//! The value itself travels as a JSON map, verbatim; these types only describe it to the API server, so
//! that types, ranges and rules are enforced on the keys we know while unknown keys are kept.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Known keys of inputDetail; never built, only its schema is used.
#[derive(Clone, Debug, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
#[x_kube(
    validation = Rule::new("!has(self.logPath) || self.logPath.startsWith('/')")
        .message("logPath must be an absolute directory, for example /var/log/nginx"),
    validation = Rule::new("!has(self.filePattern) || !self.filePattern.contains('/')")
        .message("filePattern is a file name such as access*.log; the directory belongs in logPath"),
    validation = Rule::new("(has(self.filterKey) ? size(self.filterKey) : 0) == (has(self.filterRegex) ? size(self.filterRegex) : 0)")
        .message("filterKey and filterRegex must have the same number of entries"),
    validation = Rule::new("!has(self.logType) || self.logType != 'delimiter_log' || (has(self.separator) && size(self.separator) > 0 && has(self.key) && size(self.key) > 0)")
        .message("logType delimiter_log needs separator and key")
)]
pub struct InputDetailSchema {
    /// How lines are parsed: common_reg_log (regular expression; simple mode when regex and key are not
    /// set), json_log, delimiter_log or apsara_log. Needed for inputType file.
    pub log_type: Option<LogType>,

    /// Absolute directory of the files. Needed for inputType file.
    #[schemars(length(max = 4096))]
    pub log_path: Option<String>,

    /// Name of the files; * and ? are wildcards. Needed for inputType file.
    #[schemars(length(max = 255))]
    pub file_pattern: Option<String>,

    /// Whether the files are inside other containers. Must be false (the default) in a sidecar, which
    /// shares a volume with the application instead.
    pub docker_file: Option<bool>,

    /// Only containers with these labels, for dockerFile.
    pub docker_include_label: Option<BTreeMap<String, String>>,
    /// No containers with these labels, for dockerFile.
    pub docker_exclude_label: Option<BTreeMap<String, String>>,
    /// Only containers with these environment variables, for dockerFile.
    pub docker_include_env: Option<BTreeMap<String, String>>,
    /// No containers with these environment variables, for dockerFile.
    pub docker_exclude_env: Option<BTreeMap<String, String>>,

    /// Regular expression that the first line of every log matches; .* (the default) makes every line a
    /// log of its own.
    #[schemars(length(max = 10240))]
    pub log_begin_regex: Option<String>,

    /// The line log_format of nginx.conf, in place of regex and key: both, and the time, are made of it.
    #[schemars(length(max = 4096))]
    pub log_format: Option<String>,

    /// Regular expression with one group per entry of key. It must match the whole log; (.*) is the
    /// default.
    #[schemars(length(max = 10240))]
    pub regex: Option<String>,

    /// Names of the extracted fields, one per group of regex or per column.
    #[schemars(length(max = 512), inner(length(max = 256)))]
    pub key: Option<Vec<String>>,

    /// Additional settings of the parser, passed on as they are.
    #[schemars(extend("x-kubernetes-preserve-unknown-fields" = true, "type" = "object"))]
    pub customized_fields: Option<Value>,

    /// Character (or up to 3) between columns, for delimiter_log.
    #[schemars(length(max = 64))]
    pub separator: Option<String>,

    /// Character that quotes a column, for delimiter_log.
    #[schemars(length(max = 64))]
    pub quote: Option<String>,

    /// Whether columns beyond key are kept, for delimiter_log; true when not set.
    pub auto_extend: Option<bool>,

    /// Whether a line with fewer columns than key is accepted, for delimiter_log.
    pub accept_no_enough_keys: Option<bool>,

    /// Field that holds the time of the log, for json_log and delimiter_log.
    #[schemars(length(max = 256))]
    pub time_key: Option<String>,

    /// strptime format of the time field; the time of reading is used when empty.
    #[schemars(length(max = 256))]
    pub time_format: Option<String>,

    /// Whether times are in logTimezone instead of the machine's zone.
    pub adjust_timezone: Option<bool>,

    /// Zone of the times in the log, for example GMT+08:00.
    #[schemars(length(max = 64))]
    pub log_timezone: Option<String>,

    /// Topic of the logs: none (the default), default, group_topic, or a regular expression on the path
    /// whose groups are the topic.
    #[schemars(length(max = 4096))]
    pub topic_format: Option<String>,

    /// Encoding of the files: utf8 (the default) or gbk.
    #[schemars(length(max = 32))]
    pub file_encoding: Option<String>,

    /// How many directories below logPath are searched, 0 to 1000; 100 when not set.
    #[schemars(range(min = 0, max = 1000))]
    pub max_depth: Option<i32>,

    /// Whether directories without change stay watched; true when not set.
    pub preserve: Option<bool>,

    /// How many levels of directories stay watched when preserve is false.
    #[schemars(range(min = 0, max = 1000))]
    pub preserve_depth: Option<i32>,

    /// Whether a log that does not parse is dropped instead of being sent whole; true when not set.
    pub discard_unmatch: Option<bool>,

    /// Whether files that exist before the config arrives are read from their beginning.
    pub tail_existed: Option<bool>,

    /// Whether bytes that are not UTF-8 are dropped.
    pub discard_non_utf8: Option<bool>,

    /// Bytes of backlog beyond which old data is skipped; 0 never skips.
    #[schemars(range(min = 0))]
    pub delay_skip_bytes: Option<i64>,

    /// Bytes of backlog beyond which an alarm is raised.
    #[schemars(range(min = 0))]
    pub delay_alarm_bytes: Option<i64>,

    /// Whether the unparsed log is sent too, as __raw__.
    pub enable_raw_log: Option<bool>,

    /// Whether tags are sent with the logs; true when not set.
    pub enable_tag: Option<bool>,

    /// Whether logs are buffered on disk while Log Service cannot be reached; true when not set.
    pub local_storage: Option<bool>,

    /// Fields whose hash selects the shard.
    #[schemars(length(max = 64), inner(length(max = 256)))]
    pub shard_hash_key: Option<Vec<String>>,

    /// Fields on which filterRegex decides whether a log is sent.
    #[schemars(length(max = 64), inner(length(max = 256)))]
    pub filter_key: Option<Vec<String>>,

    /// Regular expressions, one per entry of filterKey; a log is sent when all match.
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub filter_regex: Option<Vec<String>>,

    /// Fields to mask.
    #[serde(rename = "sensitive_keys")]
    pub sensitive_keys: Option<Vec<SensitiveKey>>,

    /// Bytes per second that may be sent; -1 (the default) is unlimited.
    #[schemars(range(min = -1))]
    pub max_send_rate: Option<i64>,

    /// Unix time in seconds at which maxSendRate ends; 0 never.
    pub send_rate_expire: Option<i64>,

    /// How logs are merged into groups: topic (the default) or logstore.
    #[schemars(length(max = 32))]
    pub merge_type: Option<String>,

    /// Order in which configs that match the same file are considered.
    pub priority: Option<i32>,

    /// Plugin pipeline: inputs, processors, aggregators, flushers and global. Needed for inputType
    /// plugin; with inputType file only processors are used.
    #[schemars(extend("x-kubernetes-preserve-unknown-fields" = true, "type" = "object"))]
    pub plugin: Option<Value>,

    /// Settings for special cases, passed on as they are.
    #[schemars(extend("x-kubernetes-preserve-unknown-fields" = true, "type" = "object"))]
    pub advanced: Option<Value>,
}

/// How lines are parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogType {
    CommonRegLog,
    JsonLog,
    DelimiterLog,
    ApsaraLog,
}

/// A field to mask.
#[derive(Clone, Debug, Serialize, Deserialize, KubeSchema)]
pub struct SensitiveKey {
    /// Name of the field.
    pub key: Option<String>,
    /// const (replace by a constant) or md5.
    #[serde(rename = "type")]
    pub type_: Option<String>,
    /// What stands before the part to mask.
    pub regex_begin: Option<String>,
    /// The part to mask.
    pub regex_content: Option<String>,
    /// Whether every occurrence is masked.
    pub all: Option<bool>,
    /// Replacement for type const.
    #[serde(rename = "const")]
    pub constant: Option<String>,
}
