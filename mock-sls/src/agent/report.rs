//! What an agent says, as text of bounded length.

use jiff::Timestamp;
use sls_api::agent::{ConfigInfo, ConfigStatus, HeartbeatRequest};

use crate::error::ApiError;
use crate::store::agents::{Agent, AgentConfig};

/// Request flag: the heartbeat holds the full state. Source: agent protocol v2.
const FLAG_FULL_STATE: u64 = 1;
/// Longest text kept of any field, in characters (own choice).
const TEXT_CHARS_MAX: usize = 2_000;
/// Most tags and most configs kept of an agent (own choice).
pub const ENTRIES_MAX: usize = 1_000;

/// Whether a heartbeat carries everything, or only says that nothing changed.
pub fn is_full(beat: &HeartbeatRequest) -> bool {
    beat.flags & FLAG_FULL_STATE != 0 || beat.attributes.is_some() || !beat.tags.is_empty()
}

/// An agent's identity as text.
pub fn instance_id(bytes: &[u8]) -> String {
    text(&String::from_utf8_lossy(bytes))
}

/// An agent's count of its heartbeats.
pub fn sequence(beat: &HeartbeatRequest) -> i64 {
    i64::try_from(beat.sequence_num).unwrap_or(i64::MAX)
}

/// Status of a config of which the agent does not say how it went.
pub const STATUS_UNSET: &str = "unset";

/// Reads a full heartbeat.
pub fn agent(beat: &HeartbeatRequest, now: Timestamp) -> Result<Agent, ApiError> {
    if beat.instance_id.is_empty() {
        return Err(nameless("instance_id"));
    }
    let attributes = beat.attributes.clone().unwrap_or_default();
    let bytes = |bytes: &[u8]| text(&String::from_utf8_lossy(bytes));
    Ok(Agent {
        instance_id: instance_id(&beat.instance_id),
        agent_type: text(&beat.agent_type),
        version: bytes(&attributes.version),
        ip: bytes(&attributes.ip),
        hostname: bytes(&attributes.hostname),
        host_id: bytes(&attributes.hostid),
        running_status: text(&beat.running_status),
        startup_time: beat.startup_time,
        sequence_num: sequence(beat),
        last_heartbeat: now.as_second(),
        notice: String::new(),
        tags: beat.tags.iter().take(ENTRIES_MAX).map(|tag| (text(&tag.name), text(&tag.value))).collect(),
        configs: beat.continuous_pipeline_configs.iter().take(ENTRIES_MAX).map(config).collect(),
    })
}

/// The error for an agent without an identity, which should be in this field.
pub fn nameless(field: &str) -> ApiError {
    ApiError::PostBodyInvalid(format!("The heartbeat has no {field}: an agent must name itself."))
}

fn config(info: &ConfigInfo) -> AgentConfig {
    AgentConfig {
        name: text(&info.name),
        version: info.version,
        status: status(info.status()).to_owned(),
        message: text(&info.message),
    }
}

fn status(status: ConfigStatus) -> &'static str {
    match status {
        ConfigStatus::Unset => STATUS_UNSET,
        ConfigStatus::Applying => "applying",
        ConfigStatus::Applied => "applied",
        ConfigStatus::Failed => "failed",
    }
}

/// Cut to what is kept.
pub fn text(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
