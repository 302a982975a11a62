//! What this collector and the config server know of each other. Pure: messages in, messages and
//! decisions out.
//!
//! Protocol: sls-proto.md §6, collector.md §5.3. Called by `control`.

mod v1;

use std::collections::BTreeMap;

use sls_api::agent::{
    AgentAttributes, AgentGroupTag, CAPABILITY_PIPELINE_CONFIG, ConfigDetail, ConfigInfo, ConfigStatus,
    FetchConfigRequest, HeartbeatRequest, HeartbeatResponse, RESPONSE_FETCH_PIPELINE_CONFIG,
    RESPONSE_REPORT_FULL_STATE, TAG_USER_DEFINED_ID, TAG_USER_ID, VERSION_DELETED,
};

use super::store::Stored;
use crate::app_info;
use crate::identity::GroupIds;
use crate::instance_config::InstanceConfig;
use crate::pipeline::Pipeline;
use crate::pipeline_json::{self, Accepted};

/// What agents of this protocol call themselves (sls-proto.md §6).
const AGENT_TYPE: &str = "LoongCollector";

/// Request flag "this is the full state" (collector.md §5.3).
const REQUEST_FULL_STATE: u64 = 1;

/// The server keeps attributes, or config statuses, between heartbeats. Source: guess at the bits
/// (collector.md §5.3 names the meaning only); a server that does not keep them asks for the full state.
const SERVER_REMEMBERS_ATTRIBUTES: u64 = 1;
const SERVER_REMEMBERS_PIPELINE_STATUS: u64 = 2;

/// Configs that one collector takes; further ones fail with a message. Source: own choice.
pub const CONFIGS_MAX: usize = 1000;

/// The unchanging part of what heartbeats say.
#[derive(Debug, Clone)]
pub struct Agent {
    pub instance_id: String,
    pub ip: String,
    pub hostname: String,
    /// Start of this process, Unix seconds.
    pub startup_time: i64,
    /// Further tags, from `ilogtail_tags`.
    pub tags: BTreeMap<String, String>,
}

/// One config and how it went.
#[derive(Debug, Clone)]
struct Held {
    version: i64,
    status: ConfigStatus,
    message: String,
    /// What collects under this name: this version, or the last good one after a failure.
    running: Option<Pipeline>,
}

/// What a successful exchange has told the server.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    attributes: AgentAttributes,
    configs: Vec<ConfigInfo>,
}

#[derive(Debug)]
pub struct Session {
    agent: Agent,
    sequence: u64,
    configs: BTreeMap<String, Held>,
    /// Names that a local config has, and its file.
    shadowed: BTreeMap<String, String>,
    /// Sent and not yet answered.
    asked: Option<Told>,
    /// Answered.
    told: Option<Told>,
    server_remembers: u64,
    full_state_wanted: bool,
}

/// A server's answer, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The server reports an error; nothing else of the answer counts.
    Refused { status: i32, message: String },
    Accepted {
        /// A text for people although all went well.
        notice: String,
        updates: Vec<ConfigDetail>,
        /// The updates' texts must be fetched.
        fetch: bool,
    },
}

/// What an update did.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The version was known.
    None,
    /// New or changed: store it. `notice` is empty or says what has no effect.
    Applied {
        store: Stored,
        notice: String,
    },
    Removed,
    /// Cannot be used; the text says why and what goes on.
    Failed {
        message: String,
    },
}

impl Session {
    /// Starts with what an earlier run has stored.
    pub fn new(agent: Agent) -> Self {
        Self {
            agent,
            sequence: 0,
            configs: BTreeMap::new(),
            shadowed: BTreeMap::new(),
            asked: None,
            told: None,
            server_remembers: 0,
            full_state_wanted: false,
        }
    }

    /// Everything that should collect now.
    pub fn pipelines(&self) -> impl Iterator<Item = &Pipeline> {
        let configs = self.configs.iter().filter(|(name, _)| !self.shadowed.contains_key(*name));
        configs.filter_map(|(_, held)| held.running.as_ref())
    }

    /// Local configs have these names, with the files that hold them; configs of the server with one of them do
    /// not run.
    pub fn shadow(&mut self, names: BTreeMap<String, String>) {
        self.shadowed = names;
    }

    /// Number of configs that the server gave, whatever became of them.
    pub fn config_count(&self) -> usize {
        self.configs.len()
    }

    /// The next heartbeat. `troubles` are run-time errors by config name.
    pub fn heartbeat(&mut self, ids: &GroupIds, troubles: &BTreeMap<String, String>) -> HeartbeatRequest {
        let told = Told { attributes: self.attributes(), configs: self.config_infos(troubles) };
        let mut request = HeartbeatRequest {
            request_id: self.request_id(),
            sequence_num: self.sequence,
            capabilities: CAPABILITY_PIPELINE_CONFIG,
            instance_id: self.agent.instance_id.clone().into_bytes(),
            agent_type: AGENT_TYPE.to_owned(),
            tags: self.tags(ids),
            running_status: "running".to_owned(),
            startup_time: self.agent.startup_time,
            flags: REQUEST_FULL_STATE,
            ..HeartbeatRequest::default()
        };
        let known = self.told.as_ref().filter(|_| !self.full_state_wanted);
        let attributes_known = known.is_some_and(|known| {
            self.server_remembers & SERVER_REMEMBERS_ATTRIBUTES != 0 && known.attributes == told.attributes
        });
        let configs_known = known.is_some_and(|known| {
            self.server_remembers & SERVER_REMEMBERS_PIPELINE_STATUS != 0 && known.configs == told.configs
        });
        if attributes_known || configs_known {
            request.flags = 0;
        }
        request.attributes = (!attributes_known).then(|| told.attributes.clone());
        if !configs_known {
            request.continuous_pipeline_configs = told.configs.clone();
        }
        self.sequence += 1;
        self.asked = Some(told);
        request
    }

    /// Takes the answer to the last heartbeat.
    pub fn receive(&mut self, answer: HeartbeatResponse) -> Answer {
        let common = answer.common_response.unwrap_or_default();
        let message = String::from_utf8_lossy(&common.error_message).trim().to_owned();
        self.full_state_wanted = answer.flags & RESPONSE_REPORT_FULL_STATE != 0;
        if common.status != 0 {
            return Answer::Refused { status: common.status, message };
        }
        self.told = self.asked.take();
        self.server_remembers = answer.capabilities;
        Answer::Accepted {
            notice: message,
            updates: answer.continuous_pipeline_config_updates,
            fetch: answer.flags & RESPONSE_FETCH_PIPELINE_CONFIG != 0,
        }
    }

    /// Asks for the texts of configs that the heartbeat's answer only named.
    pub fn fetch(&mut self, updates: &[ConfigDetail]) -> FetchConfigRequest {
        let wanted = updates.iter().filter(|update| update.version != VERSION_DELETED);
        FetchConfigRequest {
            request_id: self.request_id(),
            instance_id: self.agent.instance_id.clone().into_bytes(),
            continuous_pipeline_configs: wanted
                .map(|update| ConfigInfo {
                    name: update.name.clone(),
                    version: update.version,
                    ..ConfigInfo::default()
                })
                .collect(),
            ..FetchConfigRequest::default()
        }
    }

    /// Takes over one config.
    pub fn update(&mut self, update: &ConfigDetail, instance: &InstanceConfig) -> Change {
        let name = &update.name;
        if update.version == VERSION_DELETED {
            return if self.configs.remove(name).is_some() { Change::Removed } else { Change::None };
        }
        if self.configs.get(name).is_some_and(|held| held.version == update.version) {
            return Change::None;
        }
        let running = self.configs.values().filter(|held| held.running.is_some()).count();
        if running >= CONFIGS_MAX && !self.configs.contains_key(name) {
            let message =
                format!("more than {CONFIGS_MAX} configs for one collector; bind fewer to its groups");
            let invalid =
                pipeline_json::Invalid(vec![pipeline_json::Problem { field: String::new(), message }]);
            return Change::Failed { message: self.fail(name, update.version, &invalid) };
        }
        let accepted = pipeline_json::parse(name, update.version, &update.detail, instance);
        match accepted {
            Ok(accepted) => {
                let notice = accepted.notice_text();
                self.hold(name, update.version, accepted);
                // It parsed as an object a moment ago.
                let config = serde_json::from_slice(&update.detail).unwrap_or_default();
                Change::Applied {
                    store: Stored { name: name.clone(), version: update.version, config },
                    notice,
                }
            }
            Err(invalid) => Change::Failed { message: self.fail(name, update.version, &invalid) },
        }
    }

    /// Takes over a config stored by an earlier run; a text says why it cannot be used.
    pub fn restore(&mut self, stored: Stored, instance: &InstanceConfig) -> Result<(), String> {
        let text = serde_json::to_vec(&stored.config).unwrap_or_default();
        match pipeline_json::parse(&stored.name, stored.version, &text, instance) {
            Ok(accepted) => {
                self.hold(&stored.name, stored.version, accepted);
                Ok(())
            }
            Err(invalid) => Err(self.fail(&stored.name, stored.version, &invalid)),
        }
    }

    fn hold(&mut self, name: &str, version: i64, accepted: Accepted) {
        let message = accepted.notice_text();
        let held = Held { version, status: ConfigStatus::Applied, message, running: accepted.pipeline };
        self.configs.insert(name.to_owned(), held);
    }

    /// Notes the failure; what ran under the name goes on.
    fn fail(&mut self, name: &str, version: i64, invalid: &pipeline_json::Invalid) -> String {
        let running = self.configs.remove(name).and_then(|held| held.running);
        let message = match &running {
            Some(running) => format!("{invalid}; version {} goes on collecting", running.version),
            None => invalid.to_string(),
        };
        let held = Held { version, status: ConfigStatus::Failed, message: message.clone(), running };
        self.configs.insert(name.to_owned(), held);
        message
    }

    fn request_id(&self) -> Vec<u8> {
        format!("{}-{}", self.agent.instance_id, self.sequence).into_bytes()
    }

    fn attributes(&self) -> AgentAttributes {
        AgentAttributes {
            version: app_info::VERSION.into(),
            ip: self.agent.ip.clone().into_bytes(),
            hostname: self.agent.hostname.clone().into_bytes(),
            ..AgentAttributes::default()
        }
    }

    fn tags(&self, ids: &GroupIds) -> Vec<AgentGroupTag> {
        let tag = |name: &str, value: &String| AgentGroupTag { name: name.to_owned(), value: value.clone() };
        let user_defined = ids.user_defined_ids.iter().map(|id| tag(TAG_USER_DEFINED_ID, id));
        let users = ids.user_ids.iter().map(|id| tag(TAG_USER_ID, id));
        let others = self.agent.tags.iter().map(|(name, value)| tag(name, value));
        user_defined.chain(users).chain(others).collect()
    }

    fn config_infos(&self, troubles: &BTreeMap<String, String>) -> Vec<ConfigInfo> {
        let infos = self.configs.iter().map(|(name, held)| {
            if let Some(file) = self.shadowed.get(name) {
                let message = format!(
                    "not collected: {file} on this machine holds a config of the same name, which comes first; \
                     rename one of the two, or remove that one"
                );
                let status = ConfigStatus::Failed.into();
                let (name, version) = (name.clone(), held.version);
                return ConfigInfo { name, version, status, message, ..ConfigInfo::default() };
            }
            let trouble = troubles.get(name).filter(|_| held.running.is_some());
            let parts = [Some(&held.message), trouble];
            let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
            ConfigInfo {
                name: name.clone(),
                version: held.version,
                status: held.status.into(),
                message: parts.cloned().collect::<Vec<_>>().join("; "),
                ..ConfigInfo::default()
            }
        });
        infos.collect()
    }
}

#[cfg(test)]
mod tests;
