//! Shards: slices of a Logstore's 128-bit key space.

use serde::{Deserialize, Serialize};

use crate::{
    Json, NoQuery,
    operation::{Fidelity, Source, operation},
    ops::InLogstore,
};

/// A shard. The Rust SDK fails when any field is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shard {
    /// Id, counting from 0 in each Logstore.
    #[serde(rename = "shardID")]
    pub shard_id: u32,
    /// Whether it can be written.
    pub status: ShardStatus,
    /// First key, 32 hex digits.
    pub inclusive_begin_key: String,
    /// Key behind the last, 32 hex digits; all `f` in the last shard.
    pub exclusive_end_key: String,
    /// Unix seconds.
    #[serde(default)]
    pub create_time: i64,
}

/// State of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShardStatus {
    /// Can be written and read.
    Readwrite,
    /// Was split or merged; can only be read.
    Readonly,
}

operation!(
    /// Lists a Logstore's shards.
    ListShards: GET "/logstores/{logstore}/shards", Project, A, Fidelity::Full, Source::Sdk("python, go, java, rust: list_shards"),
    InLogstore, NoQuery, () => Json<Vec<Shard>>);
