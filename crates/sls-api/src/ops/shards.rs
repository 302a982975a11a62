//! Shards: slices of a Logstore's 128-bit key space.

use serde::{Deserialize, Serialize};

use crate::{
    Json, NoQuery,
    operation::{Fidelity, Source, operation, query},
    ops::{InLogstore, InShard},
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

/// Parameters of [`SplitShard`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SplitQuery {
    /// Key that divides the shard, up to 32 hex digits; the middle where it is not given.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Shards that it becomes; 2 where it is not given.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub shard_count: Option<u32>,
}

operation!(
    /// Lists a Logstore's shards.
    ListShards: GET "/logstores/{logstore}/shards", Project, A, Fidelity::Full, Source::Sdk("python, go, java, rust: list_shards"),
    InLogstore, NoQuery, () => Json<Vec<Shard>>);
operation!(
    /// Divides a shard's keys among new shards; the old one stays to be read. Answers the old
    /// shard, then the new ones.
    SplitShard: POST "/logstores/{logstore}/shards/{shard}" ? "action" = "split", Project, B, Fidelity::Full, Source::Docs("SplitShard (2021)"),
    InShard, SplitQuery, () => Json<Vec<Shard>>);
operation!(
    /// Joins a shard with its right neighbour to a new one; the old ones stay to be read. Answers
    /// the new shard last.
    MergeShards: POST "/logstores/{logstore}/shards/{shard}" ? "action" = "merge", Project, B, Fidelity::Full, Source::Docs("MergeShards (2021)"),
    InShard, NoQuery, () => Json<Vec<Shard>>);
operation!(
    /// Removes a shard that was split or merged, with what is left in it.
    DeleteShard: DELETE "/logstores/{logstore}/shards/{shard}", Project, C, Fidelity::Full, Source::Sdk("python: delete_shard, readonly shards only"),
    InShard, NoQuery, () => ());
