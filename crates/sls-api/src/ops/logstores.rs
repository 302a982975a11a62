//! Logstores: the tables that logs are written to.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Json, NoPath, NoQuery,
    names::LogstoreName,
    operation::{Fidelity, Source, operation, query},
    ops::InLogstore,
};

/// Body of creating and updating a Logstore; absent fields take the service's default or stay.
/// The Node SDK sends only the first three.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogstoreSettings {
    /// Name; the Rust SDK leaves it to the path of an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore_name: Option<LogstoreName>,
    /// Days that logs are kept, 1 to 3650; 3650 is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// Shards at creation, 1 to 10. Cannot change by update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_count: Option<i64>,
    /// Whether unsigned web tracking requests may write.
    #[serde(default, rename = "enable_tracking", skip_serializing_if = "Option::is_none")]
    pub enable_tracking: Option<bool>,
    /// Whether the service splits busy shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_split: Option<bool>,
    /// Most shards after splitting, 1 to 256; the Java SDK sends -1 for "not set".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_split_shard: Option<i64>,
    /// Whether the service adds `__client_ip__` and `__receive_time__` tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append_meta: Option<bool>,
    /// `None`, `Metrics`, `Event` or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry_type: Option<String>,
    /// `standard` or `query`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Days in the hot tier; 0 is off.
    #[serde(default, rename = "hot_ttl", skip_serializing_if = "Option::is_none")]
    pub hot_ttl: Option<i64>,
    /// Days in the infrequent-access tier.
    #[serde(default, rename = "infrequentAccessTTL", skip_serializing_if = "Option::is_none")]
    pub infrequent_access_ttl: Option<i64>,
    /// Encryption at rest; stored, without effect.
    #[serde(default, rename = "encrypt_conf", skip_serializing_if = "Option::is_none")]
    pub encrypt_conf: Option<Map<String, Value>>,
}

impl LogstoreSettings {
    /// A Logstore with the three fields that every client sends.
    #[must_use]
    pub fn new(logstore_name: LogstoreName, ttl_days: i64, shard_count: i64) -> Self {
        Self {
            logstore_name: Some(logstore_name),
            ttl: Some(ttl_days),
            shard_count: Some(shard_count),
            enable_tracking: None,
            auto_split: None,
            max_split_shard: None,
            append_meta: None,
            telemetry_type: None,
            mode: None,
            hot_ttl: None,
            infrequent_access_ttl: None,
            encrypt_conf: None,
        }
    }
}

/// A Logstore as the service describes it. The Python SDK fails without the first seven fields,
/// the Rust SDK without the times, `telemetryType` and `mode`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Logstore {
    /// Name.
    pub logstore_name: LogstoreName,
    /// Days that logs are kept; 3650 is for ever.
    pub ttl: i64,
    /// Shards that can be written.
    pub shard_count: i64,
    /// Whether unsigned web tracking requests may write.
    #[serde(default, rename = "enable_tracking")]
    pub enable_tracking: bool,
    /// Whether the service splits busy shards.
    #[serde(default)]
    pub auto_split: bool,
    /// Most shards after splitting.
    #[serde(default)]
    pub max_split_shard: i64,
    /// Whether the service adds `__client_ip__` and `__receive_time__` tags.
    #[serde(default)]
    pub append_meta: bool,
    /// `None`, `Metrics` or `Event`.
    #[serde(default)]
    pub telemetry_type: String,
    /// `standard` or `query`.
    #[serde(default)]
    pub mode: String,
    /// Days in the hot tier; 0 is off.
    #[serde(default, rename = "hot_ttl")]
    pub hot_ttl: i64,
    /// Days in the infrequent-access tier.
    #[serde(default, rename = "infrequentAccessTTL", skip_serializing_if = "Option::is_none")]
    pub infrequent_access_ttl: Option<i64>,
    /// Encryption at rest.
    #[serde(default, rename = "encrypt_conf", skip_serializing_if = "Option::is_none")]
    pub encrypt_conf: Option<Map<String, Value>>,
    /// Unix seconds.
    #[serde(default)]
    pub create_time: i64,
    /// Unix seconds.
    #[serde(default)]
    pub last_modify_time: i64,
}

/// Parameters of [`ListLogStore`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListLogStoreQuery {
    /// First entry wanted, from 0.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Most entries wanted, at most 500; default 200.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Only Logstores whose name contains this.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub logstore_name: Option<String>,
    /// Only Logstores of this telemetry type.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub telemetry_type: Option<String>,
    /// Only Logstores of this mode.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// One page of Logstore names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogstoreList {
    /// Entries in this page.
    pub count: u64,
    /// Entries in all.
    pub total: u64,
    /// The page.
    #[serde(default)]
    pub logstores: Vec<LogstoreName>,
}

operation!(
    /// Creates a Logstore.
    CreateLogStore: POST "/logstores", Project, A, Fidelity::Full, Source::Sdk("python, go, java, node: create_logstore"),
    NoPath, NoQuery, Json<LogstoreSettings> => ());
operation!(
    /// Describes a Logstore.
    GetLogStore: GET "/logstores/{logstore}", Project, A, Fidelity::Full, Source::Sdk("python, go, java, node, rust: get_logstore"),
    InLogstore, NoQuery, () => Json<Logstore>);
operation!(
    /// Changes a Logstore; the shard count must stay.
    UpdateLogStore: PUT "/logstores/{logstore}", Project, A, Fidelity::Full, Source::Sdk("node: updateLogStore"),
    InLogstore, NoQuery, Json<LogstoreSettings> => ());
operation!(
    /// Deletes a Logstore with its logs, index and shards.
    DeleteLogStore: DELETE "/logstores/{logstore}", Project, A, Fidelity::Full, Source::Sdk("node: deleteLogStore"),
    InLogstore, NoQuery, () => ());
operation!(
    /// Deletes the logs of a Logstore, and nothing else of it.
    ClearLogStoreStorage: DELETE "/logstores/{logstore}/storage", Project, C, Fidelity::Full, Source::Sdk("java: ClearLogStoreStorage"),
    InLogstore, NoQuery, () => ());
operation!(
    /// Lists the names of a project's Logstores.
    ListLogStore: GET "/logstores", Project, A, Fidelity::Full, Source::Sdk("python, go, java, node, rust: list_logstore"),
    NoPath, ListLogStoreQuery, () => Json<LogstoreList>);
