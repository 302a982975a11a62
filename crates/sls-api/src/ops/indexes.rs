//! The index of a Logstore: what of it can be searched and analysed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

use crate::{
    Json, NoQuery,
    operation::{Fidelity, Source, null_is_default, operation},
    ops::InLogstore,
};

/// Index settings, as sent and as returned; the last four fields are the service's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Days that the index is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// Full-text index; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<IndexLine>,
    /// Field indexes by field name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<BTreeMap<String, IndexKey>>,
    /// Longest text value that is indexed, 64 to 16384 bytes; default 2048.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_text_len: Option<i64>,
    /// Whether similar logs are clustered; stored, without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_reduce: Option<bool>,
    /// Unix seconds of the last change.
    #[serde(default, rename = "lastModifyTime", skip_serializing_if = "Option::is_none")]
    pub last_modify_time: Option<i64>,
    /// `v2`. Source: guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_mode: Option<String>,
    /// `pg`, documented as fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    /// What else was sent (`log_reduce_white_list`, `scan_index`, `all_keys`…), returned as is.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Full-text index.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IndexLine {
    /// Single characters that separate words.
    #[serde(deserialize_with = "null_is_default")]
    pub token: Vec<String>,
    /// Whether case counts.
    #[serde(default, rename = "caseSensitive")]
    pub case_sensitive: bool,
    /// Whether Chinese text is cut into words.
    #[serde(default)]
    pub chn: bool,
    /// Only these fields belong to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_keys: Option<Vec<String>>,
    /// These fields do not belong to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_keys: Option<Vec<String>>,
    /// What else was sent, returned as is.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Index of one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexKey {
    /// `text`, `long`, `double` or `json`.
    #[serde(rename = "type")]
    pub kind: IndexType,
    /// Single characters that separate words; for text and json.
    #[serde(default, deserialize_with = "null_is_default")]
    pub token: Vec<String>,
    /// Whether case counts.
    #[serde(default, rename = "caseSensitive")]
    pub case_sensitive: bool,
    /// Whether Chinese text is cut into words; absent means no, and stays absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chn: Option<bool>,
    /// Whether SQL can use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc_value: Option<bool>,
    /// Another name in SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// For json: whether all text values inside are indexed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_all: Option<bool>,
    /// For json: levels indexed by `index_all`; -1 for no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_depth: Option<i64>,
    /// For json: typed fields inside, by dotted path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_keys: Option<BTreeMap<String, JsonKey>>,
    /// What else was sent, returned as is.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Type of an indexed field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum IndexType {
    Text,
    Long,
    Double,
    Json,
}

/// A typed field inside a json field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JsonKey {
    /// `text`, `long` or `double`.
    #[serde(rename = "type")]
    pub kind: IndexType,
    /// Whether SQL can use it.
    #[serde(default)]
    pub doc_value: bool,
    /// Another name in SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

operation!(
    /// Creates the index; at least one of `line` and `keys`.
    CreateIndex: POST "/logstores/{logstore}/index", Project, A, Fidelity::Full, Source::Sdk("python, go, java, node: create_index"),
    InLogstore, NoQuery, Json<Index> => ());
operation!(
    /// Describes the index. With `type=histogram` this path is a query.
    GetIndex: GET "/logstores/{logstore}/index", Project, A, Fidelity::Full, Source::Sdk("python, go, java, node, rust: get_index"),
    InLogstore, NoQuery, () => Json<Index>);
operation!(
    /// Replaces the index.
    UpdateIndex: PUT "/logstores/{logstore}/index", Project, A, Fidelity::Full, Source::Docs("API reference, UpdateIndex"),
    InLogstore, NoQuery, Json<Index> => ());
operation!(
    /// Deletes the index.
    DeleteIndex: DELETE "/logstores/{logstore}/index", Project, A, Fidelity::Full, Source::Sdk("node: deleteIndex"),
    InLogstore, NoQuery, () => ());
