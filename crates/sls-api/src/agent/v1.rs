//! The first version of the agent config protocol, which agents up to iLogtail 1.8 speak, and newer ones where
//! `ilogtail_configserver_address` names a server.
//!
//! A heartbeat is answered with the names and versions of what is new, changed or gone; the agent then fetches the
//! texts, as YAML. Tags have no names, so groups are found by their values. Field numbers: LoongCollector
//! `config_server/protocol/v1/agent.proto`; behaviour: its `LegacyCommonConfigProvider.cpp`, and the server of iLogtail
//! 1.8 beside it.

use prost::Message;
use std::collections::BTreeMap;

/// Heartbeats. Agents leave out the final slash that the protocol's comments have.
pub const HEARTBEAT_PATH: &str = "/Agent/HeartBeat";
/// Texts of pipeline configs. Version 2 has the same path; the field numbers of what is asked for tell them apart.
pub const FETCH_PIPELINE_CONFIG_PATH: &str = "/Agent/FetchPipelineConfig";
/// Texts of configs of the agents themselves.
pub const FETCH_AGENT_CONFIG_PATH: &str = "/Agent/FetchAgentConfig";

/// Name of the entry of [`AgentAttributes::extras`] that carries account ids, separated by commas. Ours: the protocol
/// knows no accounts.
pub const EXTRA_USER_IDS: &str = super::TAG_USER_ID;

/// What a config is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum ConfigType {
    PipelineConfig = 0,
    AgentConfig = 1,
}

/// What became of a config on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum CheckStatus {
    New = 0,
    Deleted = 1,
    Modified = 2,
}

/// Success or error of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum RespCode {
    Accept = 0,
    InvalidParameter = 1,
    InternalServerError = 2,
}

/// A config that an agent has, or asks for.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ConfigInfo {
    /// What it is of.
    #[prost(enumeration = "ConfigType", tag = "1")]
    pub kind: i32,
    /// Name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Version.
    #[prost(int64, tag = "3")]
    pub version: i64,
    /// Anything else.
    #[prost(string, tag = "4")]
    pub context: String,
}

/// A config that differs between agent and server.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ConfigCheckResult {
    /// What it is of.
    #[prost(enumeration = "ConfigType", tag = "1")]
    pub kind: i32,
    /// Name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Version that the agent has.
    #[prost(int64, tag = "3")]
    pub old_version: i64,
    /// Version that the server has.
    #[prost(int64, tag = "4")]
    pub new_version: i64,
    /// Anything else.
    #[prost(string, tag = "5")]
    pub context: String,
    /// How they differ.
    #[prost(enumeration = "CheckStatus", tag = "6")]
    pub check_status: i32,
}

/// The text of a config.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ConfigDetail {
    /// What it is of.
    #[prost(enumeration = "ConfigType", tag = "1")]
    pub kind: i32,
    /// Name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Version.
    #[prost(int64, tag = "3")]
    pub version: i64,
    /// Anything else.
    #[prost(string, tag = "4")]
    pub context: String,
    /// YAML (or JSON, which is YAML too).
    #[prost(string, tag = "5")]
    pub detail: String,
}

/// Version and addresses of an agent.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AgentAttributes {
    /// Version of the agent.
    #[prost(string, tag = "1")]
    pub version: String,
    /// Which configs of agents it takes.
    #[prost(string, tag = "2")]
    pub category: String,
    /// Its address.
    #[prost(string, tag = "3")]
    pub ip: String,
    /// Its host name.
    #[prost(string, tag = "4")]
    pub hostname: String,
    /// Its region.
    #[prost(string, tag = "5")]
    pub region: String,
    /// Its zone.
    #[prost(string, tag = "6")]
    pub zone: String,
    /// Anything else.
    #[prost(btree_map = "string, string", tag = "100")]
    pub extras: BTreeMap<String, String>,
}

/// Something for an agent to do.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Command {
    /// Kind.
    #[prost(string, tag = "1")]
    pub kind: String,
    /// Name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Identity.
    #[prost(string, tag = "3")]
    pub id: String,
    /// Arguments.
    #[prost(btree_map = "string, string", tag = "4")]
    pub args: BTreeMap<String, String>,
}

/// What an agent says at every heartbeat.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct HeartBeatRequest {
    /// Identity of the request; the answer repeats it.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// Identity of the agent.
    #[prost(string, tag = "2")]
    pub agent_id: String,
    /// `iLogtail`.
    #[prost(string, tag = "3")]
    pub agent_type: String,
    /// Version and addresses.
    #[prost(message, optional, tag = "4")]
    pub attributes: Option<AgentAttributes>,
    /// What decides about groups.
    #[prost(string, repeated, tag = "5")]
    pub tags: Vec<String>,
    /// For people.
    #[prost(string, tag = "6")]
    pub running_status: String,
    /// Start of the agent, Unix seconds.
    #[prost(int64, tag = "7")]
    pub startup_time: i64,
    /// Seconds between heartbeats.
    #[prost(int32, tag = "8")]
    pub interval: i32,
    /// Pipeline configs that the agent has.
    #[prost(message, repeated, tag = "9")]
    pub pipeline_configs: Vec<ConfigInfo>,
    /// Configs of its own that the agent has.
    #[prost(message, repeated, tag = "10")]
    pub agent_configs: Vec<ConfigInfo>,
}

/// What the server answers to a heartbeat.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct HeartBeatResponse {
    /// The request's identity.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// Success or error.
    #[prost(enumeration = "RespCode", tag = "2")]
    pub code: i32,
    /// For people.
    #[prost(string, tag = "3")]
    pub message: String,
    /// Pipeline configs that differ.
    #[prost(message, repeated, tag = "4")]
    pub pipeline_check_results: Vec<ConfigCheckResult>,
    /// Configs of agents that differ.
    #[prost(message, repeated, tag = "5")]
    pub agent_check_results: Vec<ConfigCheckResult>,
    /// Things to do.
    #[prost(message, repeated, tag = "6")]
    pub custom_commands: Vec<Command>,
}

/// Asks for the texts of pipeline configs.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FetchPipelineConfigRequest {
    /// Identity of the request; the answer repeats it.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// Identity of the agent.
    #[prost(string, tag = "2")]
    pub agent_id: String,
    /// Configs wanted.
    #[prost(message, repeated, tag = "3")]
    pub req_configs: Vec<ConfigInfo>,
}

/// Asks for the texts of configs of agents.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FetchAgentConfigRequest {
    /// Identity of the request; the answer repeats it.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// Identity of the agent.
    #[prost(string, tag = "2")]
    pub agent_id: String,
    /// Version and addresses.
    #[prost(message, optional, tag = "3")]
    pub attributes: Option<AgentAttributes>,
    /// Configs wanted.
    #[prost(message, repeated, tag = "4")]
    pub req_configs: Vec<ConfigInfo>,
}

/// The texts of configs: the answer to both ways of asking.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FetchConfigResponse {
    /// The request's identity.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// Success or error.
    #[prost(enumeration = "RespCode", tag = "2")]
    pub code: i32,
    /// For people.
    #[prost(string, tag = "3")]
    pub message: String,
    /// The configs.
    #[prost(message, repeated, tag = "4")]
    pub config_details: Vec<ConfigDetail>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> FetchPipelineConfigRequest {
        let config = ConfigInfo { name: "c".into(), version: 3, ..ConfigInfo::default() };
        FetchPipelineConfigRequest { agent_id: "a".into(), req_configs: vec![config], ..Default::default() }
    }

    /// Written by hand from the public schema: numbers and kinds of fields are what others read.
    #[test]
    fn the_bytes_are_those_of_the_schema() {
        assert_eq!(asked().encode_to_vec(), b"\x12\x01a\x1a\x05\x12\x01c\x18\x03");
        let result = ConfigCheckResult {
            name: "c".into(),
            old_version: 1,
            new_version: 2,
            check_status: CheckStatus::Modified.into(),
            ..ConfigCheckResult::default()
        };
        let answer = HeartBeatResponse {
            request_id: "r".into(),
            code: RespCode::InvalidParameter.into(),
            pipeline_check_results: vec![result],
            ..HeartBeatResponse::default()
        };
        assert_eq!(answer.encode_to_vec(), b"\x0a\x01r\x10\x01\x22\x09\x12\x01c\x18\x01\x20\x02\x30\x02");
        let beat = HeartBeatRequest {
            tags: vec!["t".into()],
            interval: 10,
            pipeline_configs: vec![ConfigInfo { name: "c".into(), ..ConfigInfo::default() }],
            ..HeartBeatRequest::default()
        };
        assert_eq!(beat.encode_to_vec(), b"\x2a\x01t\x40\x0a\x4a\x03\x12\x01c");
    }

    #[test]
    fn a_request_for_configs_is_none_of_the_second_version() {
        let first = asked().encode_to_vec();
        assert!(crate::agent::FetchConfigRequest::decode(&*first).is_err());
        let config = crate::agent::ConfigInfo { name: "c".into(), version: 3, ..Default::default() };
        let second = crate::agent::FetchConfigRequest {
            continuous_pipeline_configs: vec![config],
            ..Default::default()
        };
        assert!(FetchPipelineConfigRequest::decode(&*second.encode_to_vec()).is_err());
    }
}
