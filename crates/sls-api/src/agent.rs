//! The public agent config protocol, version 2: how a collector shows itself and learns its
//! configs. Plain HTTP POST with protobuf bodies, unsigned.
//!
//! Spoken by our collector, by stock LoongCollector, and by the mock. Field numbers and
//! behaviour: LoongCollector `config_server/protocol/v2/agentV2.proto` and
//! `CommonConfigProvider.cpp`.

pub mod v1;

use prost::Message;
use std::collections::BTreeMap;

/// Heartbeats, each answered with config updates.
pub const HEARTBEAT_PATH: &str = "/Agent/Heartbeat";
/// Full pipeline configs, when the heartbeat's answer asks to fetch them.
pub const FETCH_PIPELINE_CONFIG_PATH: &str = "/Agent/FetchPipelineConfig";
/// Full instance configs.
pub const FETCH_INSTANCE_CONFIG_PATH: &str = "/Agent/FetchInstanceConfig";
/// The path that the protocol's comments name; no known agent calls it.
pub const FETCH_CONFIG_PATH: &str = "/Agent/FetchConfig";

/// Agent can take pipeline configs.
pub const CAPABILITY_PIPELINE_CONFIG: u64 = 1;
/// Agent can take instance configs.
pub const CAPABILITY_INSTANCE_CONFIG: u64 = 2;
/// Agent can run one-time commands.
pub const CAPABILITY_ONETIME_CONFIG: u64 = 4;

/// Answer asks the agent to repeat everything it has told before.
pub const RESPONSE_REPORT_FULL_STATE: u64 = 1;
/// Answer asks the agent to fetch pipeline configs.
pub const RESPONSE_FETCH_PIPELINE_CONFIG: u64 = 2;
/// Answer asks the agent to fetch instance configs.
pub const RESPONSE_FETCH_INSTANCE_CONFIG: u64 = 4;

/// Version of a [`ConfigDetail`] that means "delete this config".
pub const VERSION_DELETED: i64 = -1;

/// Name of the tag that carries one custom id of the machine (one tag for each id).
pub const TAG_USER_DEFINED_ID: &str = "user_defined_id";
/// Name of the tag that carries one account id (one tag for each id).
pub const TAG_USER_ID: &str = "aliyun_user_id";

/// What an agent says at every heartbeat.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct HeartbeatRequest {
    /// Identity of the request; the answer repeats it.
    #[prost(bytes = "vec", tag = "1")]
    pub request_id: Vec<u8>,
    /// Counts heartbeats.
    #[prost(uint64, tag = "2")]
    pub sequence_num: u64,
    /// Bits `CAPABILITY_…`.
    #[prost(uint64, tag = "3")]
    pub capabilities: u64,
    /// Identity of the agent.
    #[prost(bytes = "vec", tag = "4")]
    pub instance_id: Vec<u8>,
    /// E.g. `LoongCollector`.
    #[prost(string, tag = "5")]
    pub agent_type: String,
    /// Version and addresses.
    #[prost(message, optional, tag = "6")]
    pub attributes: Option<AgentAttributes>,
    /// What decides about groups.
    #[prost(message, repeated, tag = "7")]
    pub tags: Vec<AgentGroupTag>,
    /// For people.
    #[prost(string, tag = "8")]
    pub running_status: String,
    /// Start of the agent, Unix seconds.
    #[prost(int64, tag = "9")]
    pub startup_time: i64,
    /// Pipeline configs that the agent has.
    #[prost(message, repeated, tag = "10")]
    pub continuous_pipeline_configs: Vec<ConfigInfo>,
    /// Instance configs that the agent has.
    #[prost(message, repeated, tag = "11")]
    pub instance_configs: Vec<ConfigInfo>,
    /// Commands that the agent has.
    #[prost(message, repeated, tag = "12")]
    pub onetime_pipeline_configs: Vec<ConfigInfo>,
    /// Request flags; 1: this is the full state.
    #[prost(uint64, tag = "13")]
    pub flags: u64,
    /// Returned by the server as sent.
    #[prost(bytes = "vec", tag = "14")]
    pub opaque: Vec<u8>,
}

/// What the server answers to a heartbeat.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct HeartbeatResponse {
    /// The request's identity.
    #[prost(bytes = "vec", tag = "1")]
    pub request_id: Vec<u8>,
    /// Success or error.
    #[prost(message, optional, tag = "2")]
    pub common_response: Option<CommonResponse>,
    /// Bits of what the server can do.
    #[prost(uint64, tag = "3")]
    pub capabilities: u64,
    /// New, changed and deleted pipeline configs.
    #[prost(message, repeated, tag = "4")]
    pub continuous_pipeline_config_updates: Vec<ConfigDetail>,
    /// New, changed and deleted instance configs.
    #[prost(message, repeated, tag = "5")]
    pub instance_config_updates: Vec<ConfigDetail>,
    /// Commands.
    #[prost(message, repeated, tag = "6")]
    pub onetime_pipeline_config_updates: Vec<CommandDetail>,
    /// Bits `RESPONSE_…`.
    #[prost(uint64, tag = "7")]
    pub flags: u64,
    /// As the agent sent it.
    #[prost(bytes = "vec", tag = "8")]
    pub opaque: Vec<u8>,
}

/// Asks for the text of configs.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FetchConfigRequest {
    /// Identity of the request; the answer repeats it.
    #[prost(bytes = "vec", tag = "1")]
    pub request_id: Vec<u8>,
    /// Identity of the agent.
    #[prost(bytes = "vec", tag = "2")]
    pub instance_id: Vec<u8>,
    /// Pipeline configs wanted.
    #[prost(message, repeated, tag = "3")]
    pub continuous_pipeline_configs: Vec<ConfigInfo>,
    /// Instance configs wanted.
    #[prost(message, repeated, tag = "4")]
    pub instance_configs: Vec<ConfigInfo>,
    /// Commands wanted.
    #[prost(message, repeated, tag = "5")]
    pub onetime_pipeline_configs: Vec<ConfigInfo>,
}

/// The text of configs.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FetchConfigResponse {
    /// The request's identity.
    #[prost(bytes = "vec", tag = "1")]
    pub request_id: Vec<u8>,
    /// Success or error.
    #[prost(message, optional, tag = "2")]
    pub common_response: Option<CommonResponse>,
    /// Pipeline configs.
    #[prost(message, repeated, tag = "3")]
    pub continuous_pipeline_config_updates: Vec<ConfigDetail>,
    /// Instance configs.
    #[prost(message, repeated, tag = "4")]
    pub instance_config_updates: Vec<ConfigDetail>,
    /// Commands.
    #[prost(message, repeated, tag = "5")]
    pub onetime_pipeline_config_updates: Vec<CommandDetail>,
}

/// What an agent has of one config.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ConfigInfo {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Version that the agent has.
    #[prost(int64, tag = "2")]
    pub version: i64,
    /// How it went.
    #[prost(enumeration = "ConfigStatus", tag = "3")]
    pub status: i32,
    /// Why, when it failed.
    #[prost(string, tag = "4")]
    pub message: String,
    /// Anything else.
    #[prost(btree_map = "string, bytes", tag = "5")]
    pub extra: BTreeMap<String, Vec<u8>>,
}

/// How applying a config went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum ConfigStatus {
    Unset = 0,
    Applying = 1,
    Applied = 2,
    Failed = 3,
}

/// One config for an agent.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ConfigDetail {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Changes with the config; [`VERSION_DELETED`] deletes it.
    #[prost(int64, tag = "2")]
    pub version: i64,
    /// The config, pipeline JSON.
    #[prost(bytes = "vec", tag = "3")]
    pub detail: Vec<u8>,
    /// Anything else.
    #[prost(btree_map = "string, bytes", tag = "4")]
    pub extra: BTreeMap<String, Vec<u8>>,
}

/// One command for an agent.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CommandDetail {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The command, pipeline JSON.
    #[prost(bytes = "vec", tag = "2")]
    pub detail: Vec<u8>,
    /// Unix seconds after which it must not run.
    #[prost(int64, tag = "3")]
    pub expire_time: i64,
    /// Anything else.
    #[prost(btree_map = "string, bytes", tag = "4")]
    pub extra: BTreeMap<String, Vec<u8>>,
}

/// Version and addresses of an agent.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AgentAttributes {
    /// Version of the agent.
    #[prost(bytes = "vec", tag = "1")]
    pub version: Vec<u8>,
    /// Its address.
    #[prost(bytes = "vec", tag = "2")]
    pub ip: Vec<u8>,
    /// Its host name.
    #[prost(bytes = "vec", tag = "3")]
    pub hostname: Vec<u8>,
    /// Its host id.
    #[prost(bytes = "vec", tag = "4")]
    pub hostid: Vec<u8>,
    /// Anything else.
    #[prost(btree_map = "string, bytes", tag = "100")]
    pub extras: BTreeMap<String, Vec<u8>>,
}

/// A tag of an agent.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AgentGroupTag {
    /// E.g. [`TAG_USER_DEFINED_ID`].
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Success or error of a call.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CommonResponse {
    /// 0 for success.
    #[prost(int32, tag = "1")]
    pub status: i32,
    /// For people; with status 0 a notice.
    #[prost(bytes = "vec", tag = "2")]
    pub error_message: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_survives_the_wire() {
        let sent = HeartbeatRequest {
            request_id: b"r".to_vec(),
            tags: vec![AgentGroupTag { name: TAG_USER_DEFINED_ID.into(), value: "nginx-log-sidecar".into() }],
            continuous_pipeline_configs: vec![ConfigInfo {
                name: "c".into(),
                version: 3,
                status: ConfigStatus::Failed.into(),
                message: "why".into(),
                extra: BTreeMap::from([("k".into(), b"v".to_vec())]),
            }],
            ..HeartbeatRequest::default()
        };
        let got = HeartbeatRequest::decode(&*sent.encode_to_vec()).unwrap();
        assert_eq!(got, sent);
        assert_eq!(got.continuous_pipeline_configs[0].status(), ConfigStatus::Failed);
    }
}
