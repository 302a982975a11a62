//! Consumer groups: who reads which shard of a Logstore, and how far each one got.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    Json, NoQuery,
    names::ConsumerGroupName,
    operation::{Fidelity, Source, operation, query},
    ops::{InConsumerGroup, InLogstore},
};

/// A new consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewConsumerGroup {
    /// Name.
    pub consumer_group: ConsumerGroupName,
    /// Seconds without a heartbeat after which a consumer is taken for dead.
    pub timeout: i64,
    /// Whether the shards that a split or merge makes wait until the old ones are read.
    #[serde(default)]
    pub order: bool,
}

/// A change of a consumer group; what is not given stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerGroupChange {
    /// See [`NewConsumerGroup::timeout`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    /// See [`NewConsumerGroup::order`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<bool>,
}

/// A consumer group in a list. Its name is called otherwise than when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerGroup {
    /// Name.
    pub name: ConsumerGroupName,
    /// See [`NewConsumerGroup::timeout`].
    pub timeout: i64,
    /// See [`NewConsumerGroup::order`].
    pub order: bool,
}

/// Parameters of [`ConsumerGroupHeartBeat`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartBeatQuery {
    /// Name that the consumer gave itself.
    pub consumer: String,
}

/// Shards that a consumer holds, as it says with a heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HeldShards(pub Vec<u32>);

impl<'de> Deserialize<'de> for HeldShards {
    /// A list, or in the oldest document an object with a list.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            List(Vec<u32>),
            Object { shards: Vec<u32> },
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::List(shards) | Form::Object { shards } => Self(shards),
        })
    }
}

/// Parameters of [`ConsumerGroupUpdateCheckPoint`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateCheckPointQuery {
    /// Name of the consumer; may be left out only with `force_success`.
    #[serde(default, deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Whether anyone may write, not only the consumer that holds the shard.
    #[serde(default, deserialize_with = "query::opt_bool", skip_serializing_if = "Option::is_none")]
    pub force_success: Option<bool>,
}

/// How far a shard was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCheckPoint {
    /// The shard.
    pub shard: u32,
    /// Cursor of the first group not yet read.
    pub checkpoint: String,
}

/// Parameters of [`GetCheckPoint`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckPointQuery {
    /// Only this shard; all where it is not given.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub shard: Option<u32>,
}

/// A stored checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckPoint {
    /// The shard.
    pub shard: u32,
    /// Cursor of the first group not yet read; empty when nothing was stored.
    pub checkpoint: String,
    /// When it was stored, microseconds since 1970; 0 for never.
    pub update_time: i64,
    /// Who stored it.
    pub consumer: String,
}

operation!(
    /// Creates a consumer group.
    CreateConsumerGroup: POST "/logstores/{logstore}/consumergroups", Project, B, Fidelity::Full, Source::Sdk("python, go, java: create_consumer_group"),
    InLogstore, NoQuery, Json<NewConsumerGroup> => ());
operation!(
    /// Changes timeout or order of a consumer group.
    UpdateConsumerGroup: PUT "/logstores/{logstore}/consumergroups/{consumer_group}", Project, B, Fidelity::Full, Source::Sdk("python, go, java: update_consumer_group"),
    InConsumerGroup, NoQuery, Json<ConsumerGroupChange> => ());
operation!(
    /// Deletes a consumer group with its checkpoints.
    DeleteConsumerGroup: DELETE "/logstores/{logstore}/consumergroups/{consumer_group}", Project, B, Fidelity::Full, Source::Sdk("python, go, java: delete_consumer_group"),
    InConsumerGroup, NoQuery, () => ());
operation!(
    /// Lists a Logstore's consumer groups.
    ListConsumerGroup: GET "/logstores/{logstore}/consumergroups", Project, B, Fidelity::Full, Source::Sdk("python, go, java: list_consumer_group"),
    InLogstore, NoQuery, () => Json<Vec<ConsumerGroup>>);
operation!(
    /// Says that a consumer lives and what it holds; answers the shards that it may read.
    ConsumerGroupHeartBeat: POST "/logstores/{logstore}/consumergroups/{consumer_group}" ? "type" = "heartbeat", Project, B, Fidelity::Full, Source::Guess("the rule of distribution; the call: python, go, java"),
    InConsumerGroup, HeartBeatQuery, Json<HeldShards> => Json<Vec<u32>>);
operation!(
    /// Stores how far a shard was read.
    ConsumerGroupUpdateCheckPoint: POST "/logstores/{logstore}/consumergroups/{consumer_group}" ? "type" = "checkpoint", Project, B, Fidelity::Full, Source::Docs("ConsumerGroupUpdateCheckPoint (2021)"),
    InConsumerGroup, UpdateCheckPointQuery, Json<NewCheckPoint> => ());
operation!(
    /// Reads the checkpoints.
    GetCheckPoint: GET "/logstores/{logstore}/consumergroups/{consumer_group}", Project, B, Fidelity::Full, Source::Sdk("python, go, java: get_check_point"),
    InConsumerGroup, CheckPointQuery, () => Json<Vec<CheckPoint>>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_shards_come_as_a_list_or_in_an_object() {
        for text in ["[0,1]", r#"{"shards":[0,1]}"#] {
            assert_eq!(serde_json::from_str::<HeldShards>(text).unwrap(), HeldShards(vec![0, 1]));
        }
        assert_eq!(serde_json::to_string(&HeldShards(vec![3])).unwrap(), "[3]");
        assert!(serde_json::from_str::<HeldShards>(r#""0""#).is_err());
    }

    #[test]
    fn the_python_sdk_spells_booleans_its_own_way() {
        let query: UpdateCheckPointQuery =
            serde_urlencoded::from_str("consumer=c&forceSuccess=True").unwrap();
        assert_eq!((query.consumer.as_deref(), query.force_success), (Some("c"), Some(true)));
    }
}
