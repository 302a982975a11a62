//! Writing and querying logs.

mod put;
mod rows;

pub(crate) use put::JsonLogs;
pub use put::{CompressedLogs, EncodedGroup, PACKAGES_MAX};
pub use rows::{
    ContextLogs, Histogram, Histograms, LogsMeta, LogsReply, LogsRows, Progress, Row, Term, Topics,
};

use serde::{Deserialize, Serialize};

use crate::{
    Json, NoPath, NoQuery,
    operation::{Fidelity, Source, null_is_default, operation, query},
    ops::InLogstore,
};

/// Parameters of [`PutLogsByKey`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutByKeyQuery {
    /// Up to 32 hex digits; the shard whose range contains it takes the logs.
    pub key: String,
    /// Sequence number of exactly-once writers: must be larger than the last one of this key.
    #[serde(default, deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub seqid: Option<i64>,
}

/// Body of [`GetLogs`]. Unknown keys are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetLogsRequest {
    /// First second of log time.
    pub from: i64,
    /// Second behind the last.
    pub to: i64,
    /// Only this topic; empty for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Search, or search `|` SQL; empty for all.
    #[serde(default, deserialize_with = "null_is_default")]
    pub query: String,
    /// Most rows wanted, 0 to 100; default 100. Ignored with SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// First row wanted, from 0. Ignored with SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Newest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse: Option<bool>,
    /// Asks for more computing power.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_sql: Option<bool>,
    /// Nanoseconds within the second `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ns: Option<i64>,
    /// Nanoseconds within the second `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ns: Option<i64>,
    /// Whether order within a second matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accurate: Option<bool>,
    /// Asks for matched parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highlight: Option<bool>,
}

/// Parameters of [`GetLogsV1`]; as [`GetLogsRequest`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct GetLogsQuery {
    pub from: i64,
    pub to: i64,
    #[serde(default, deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[serde(default)]
    pub query: String,
    #[serde(default, deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    #[serde(default, deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    #[serde(default, deserialize_with = "query::opt_bool", skip_serializing_if = "Option::is_none")]
    pub reverse: Option<bool>,
    #[serde(default, deserialize_with = "query::opt_bool", skip_serializing_if = "Option::is_none")]
    pub power_sql: Option<bool>,
    #[serde(default, deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub from_ns: Option<i64>,
    #[serde(default, deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub to_ns: Option<i64>,
    #[serde(default, deserialize_with = "query::opt_bool", skip_serializing_if = "Option::is_none")]
    pub accurate: Option<bool>,
}

impl From<GetLogsQuery> for GetLogsRequest {
    fn from(q: GetLogsQuery) -> Self {
        Self {
            from: q.from,
            to: q.to,
            topic: q.topic,
            query: q.query,
            line: q.line,
            offset: q.offset,
            reverse: q.reverse,
            power_sql: q.power_sql,
            from_ns: q.from_ns,
            to_ns: q.to_ns,
            accurate: q.accurate,
            highlight: None,
        }
    }
}

/// Parameters of [`GetHistograms`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistogramQuery {
    /// First second of log time.
    pub from: i64,
    /// Second behind the last.
    pub to: i64,
    /// Only this topic; empty for all.
    #[serde(default, deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Search expression; empty for all.
    #[serde(default)]
    pub query: String,
    /// Width of a bucket in seconds; 0 or absent: the service chooses.
    #[serde(default, deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub interval: Option<i64>,
}

/// Parameters of [`GetContextLogs`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextQuery {
    /// The log's tag `__pack_id__`.
    pub pack_id: String,
    /// Its `__pack_meta__`, which a search `| with_pack_meta` tells.
    pub pack_meta: String,
    /// Most logs wanted from before it, 0 to 100.
    pub back_lines: i64,
    /// Most logs wanted from after it, 0 to 100; one of both is not 0.
    pub forward_lines: i64,
}

/// Parameters of [`GetProjectLogs`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectLogsQuery {
    /// SQL that names its Logstore, and its time by conditions on `__time__`.
    pub query: String,
    /// Asks for more computing power.
    #[serde(default, deserialize_with = "query::opt_bool", skip_serializing_if = "Option::is_none")]
    pub power_sql: Option<bool>,
}

/// Parameters of [`ListTopics`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicsQuery {
    /// First topic wanted, in order of bytes; empty for all.
    #[serde(default)]
    pub token: String,
    /// Most topics wanted, 0 to 100; default 100.
    #[serde(default, deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
}

operation!(
    /// Writes logs to any shard.
    PutLogs: POST "/logstores/{logstore}/shards/lb", Project, A, Fidelity::Full, Source::Sdk("python, java, rust, node: put_logs"),
    InLogstore, NoQuery, CompressedLogs => ());
operation!(
    /// Writes logs to the shard of a hash key.
    PutLogsByKey: POST "/logstores/{logstore}/shards/route", Project, A, Fidelity::Full, Source::Sdk("python, go, java: put_logs with hash key; LoongCollector: seqid"),
    InLogstore, PutByKeyQuery, CompressedLogs => ());
operation!(
    /// Writes logs to any shard, as the Go SDK spells it.
    PutLogsToLogstore: POST "/logstores/{logstore}", Project, A, Fidelity::Full, Source::Sdk("go: PutLogs"),
    InLogstore, NoQuery, CompressedLogs => ());
operation!(
    /// Queries logs, third form: everything in the body, the answer perhaps compressed.
    GetLogs: POST "/logstores/{logstore}/logs", Project, A, Fidelity::Partial("see the query documentation"), Source::Sdk("python, go, java, rust: get_logs"),
    InLogstore, NoQuery, Json<GetLogsRequest> => Json<LogsReply>);
operation!(
    /// Queries logs, first form: everything in the query string, statistics in headers.
    GetLogsV1: GET "/logstores/{logstore}" ? "type" = "log", Project, A, Fidelity::Partial("see the query documentation"), Source::Sdk("node: getLogs; python fallback"),
    InLogstore, GetLogsQuery, () => LogsRows);
operation!(
    /// Counts logs over time.
    GetHistograms: GET "/logstores/{logstore}" ? "type" = "histogram", Project, A, Fidelity::Full, Source::Sdk("python, go, node: get_histograms"),
    InLogstore, HistogramQuery, () => Histograms);
operation!(
    /// Counts logs over time, as the Java SDK spells it.
    GetHistogramsOfIndex: GET "/logstores/{logstore}/index" ? "type" = "histogram", Project, A, Fidelity::Full, Source::Sdk("java: GetHistograms"),
    InLogstore, HistogramQuery, () => Histograms);
operation!(
    /// What was written just before and after a log.
    GetContextLogs: GET "/logstores/{logstore}" ? "type" = "context_log", Project, B, Fidelity::Full, Source::Sdk("python, go, java: get_context_logs"),
    InLogstore, ContextQuery, () => Json<ContextLogs>);
operation!(
    /// Runs SQL on a Logstore that the statement names.
    GetProjectLogs: GET "/logs", Project, B, Fidelity::Full, Source::Sdk("python, java, node: get_project_logs"),
    NoPath, ProjectLogsQuery, () => LogsRows);
operation!(
    /// Lists the topics of a Logstore.
    ListTopics: GET "/logstores/{logstore}" ? "type" = "topic", Project, C, Fidelity::Full, Source::Sdk("python: list_topics"),
    InLogstore, TopicsQuery, () => Topics);
