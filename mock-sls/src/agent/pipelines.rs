//! From the configs of an agent's groups to what the agent is sent.

use std::collections::BTreeMap;

use serde_json::Value;
use sls_api::agent::{ConfigDetail, VERSION_DELETED};
use sls_api::logtail::{
    CONSTANT_TOPIC, Delivery, Destination, TranslateError, deliver_pipeline, to_pipeline,
};
use sls_api::ops::logtail_configs::LogtailConfig;

use crate::store::agents::AgentConfig;
use crate::store::applied::{Assigned, Form};

/// Key of a config's topic setting, and the value that means the machine group's topic.
const TOPIC_FORMAT: &str = "topicFormat";
const GROUP_TOPIC: &str = "group_topic";

/// Where pipelines send to.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    /// Region id.
    pub region: &'a str,
    /// `host:port`.
    pub endpoint: &'a str,
}

/// The configs of an agent, translated.
#[derive(Debug, Default)]
pub struct Pipelines {
    /// Each once, even if several groups give it; by name.
    details: BTreeMap<String, ConfigDetail>,
    /// Those that have no pipeline form, with the reason.
    broken: BTreeMap<String, String>,
}

/// Translates classic configs, and hands on those in pipeline form.
pub fn translate(configs: &[Assigned], server: Server<'_>) -> Pipelines {
    let mut pipelines = Pipelines::default();
    for assigned in configs {
        let name = name_for_agent(assigned);
        match pipeline(assigned, server) {
            Ok(detail) => {
                let detail = detail.to_string().into_bytes();
                let version = version(&detail);
                let detail = ConfigDetail { name: name.clone(), version, detail, ..ConfigDetail::default() };
                pipelines.details.insert(name, detail);
            }
            Err(error) => {
                let problem = format!(
                    "config {} of project {} cannot be given to agents: {error}; correct the config",
                    assigned.name, assigned.project
                );
                pipelines.broken.insert(name, problem);
            }
        }
    }
    pipelines
}

/// Unique over all projects. Source: names of configs that Logtail reports.
fn name_for_agent(assigned: &Assigned) -> String {
    format!("##1.0##{}${}", assigned.project, assigned.name)
}

fn pipeline(assigned: &Assigned, server: Server<'_>) -> Result<Value, TranslateError> {
    let group_topic = assigned.group.group_attribute.group_topic.as_str();
    match &assigned.config {
        Form::Classic(config) => {
            let config = with_group_topic(config, group_topic);
            let destination = Destination {
                project: assigned.project.clone(),
                logstore: config.output_detail.logstore_name.clone(),
                region: server.region.to_owned(),
                endpoint: server.endpoint.to_owned(),
            };
            to_pipeline(&config, &destination)
        }
        Form::Pipeline { body, create_time } => {
            let (project, create_time) = (&assigned.project, *create_time);
            let Server { region, endpoint } = server;
            Ok(deliver_pipeline(body, Delivery { project, group_topic, region, endpoint, create_time }))
        }
    }
}

/// An agent does not know the topic of its machine group, so a config that asks for it gets it
/// as a constant.
fn with_group_topic(config: &LogtailConfig, group_topic: &str) -> LogtailConfig {
    let mut config = config.clone();
    let detail = &mut config.input_detail;
    if detail.get(TOPIC_FORMAT).and_then(Value::as_str) == Some(GROUP_TOPIC) {
        let constant = match group_topic {
            "" => "none".to_owned(),
            topic => format!("{CONSTANT_TOPIC}{topic}"),
        };
        detail.insert(TOPIC_FORMAT.to_owned(), Value::String(constant));
    }
    config
}

/// A positive number that changes with the text: FNV-1a, 64 bits, without the sign. An agent
/// takes every other version as new, so nothing has to be counted or remembered.
fn version(detail: &[u8]) -> i64 {
    let hash = detail.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    i64::try_from(hash >> 1).unwrap_or(i64::MAX).max(1)
}

impl Pipelines {
    /// Why some configs are not among them.
    pub fn problems(&self) -> impl Iterator<Item = &String> {
        self.broken.values()
    }

    /// The pipelines of these names.
    pub fn named<'a>(self, names: impl Iterator<Item = &'a str>) -> Vec<ConfigDetail> {
        let names: Vec<&str> = names.collect();
        self.details.into_values().filter(|detail| names.contains(&detail.name.as_str())).collect()
    }

    /// What to send to an agent that has `has`: the new and the changed pipelines, and a
    /// deletion for each that it should not have. A config that was broken by an update stays
    /// with the agent as it was.
    pub fn updates_for(self, has: &[AgentConfig]) -> Vec<ConfigDetail> {
        let stays = |name: &str| self.details.contains_key(name) || self.broken.contains_key(name);
        let deleted = |config: &AgentConfig| ConfigDetail {
            name: config.name.clone(),
            version: VERSION_DELETED,
            ..ConfigDetail::default()
        };
        let gone: Vec<_> = has.iter().filter(|config| !stays(&config.name)).map(deleted).collect();
        let current = |detail: &ConfigDetail| {
            has.iter().any(|config| config.name == detail.name && config.version == detail.version)
        };
        self.details.into_values().filter(|detail| !current(detail)).chain(gone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(name: &str, version: i64) -> AgentConfig {
        AgentConfig { name: name.to_owned(), version, status: "applied".to_owned(), message: String::new() }
    }

    fn detail(name: &str, version: i64) -> ConfigDetail {
        ConfigDetail { name: name.to_owned(), version, ..ConfigDetail::default() }
    }

    #[test]
    fn only_differences_are_sent() {
        let wanted = [detail("same", 1), detail("changed", 2), detail("new", 7)];
        let pipelines = Pipelines {
            details: wanted.into_iter().map(|detail| (detail.name.clone(), detail)).collect(),
            broken: BTreeMap::from([("broken".to_owned(), "why".to_owned())]),
        };
        let has = [has("same", 1), has("changed", 1), has("gone", 1), has("broken", 1)];
        let sent = pipelines.updates_for(&has);
        let shown: Vec<_> = sent.iter().map(|d| (d.name.as_str(), d.version)).collect();
        assert_eq!(shown, [("changed", 2), ("new", 7), ("gone", VERSION_DELETED)]);
    }

    #[test]
    fn versions_are_positive_and_follow_the_text() {
        assert_eq!(version(b"{}"), version(b"{}"));
        assert_ne!(version(b"{}"), version(b"{ }"));
        assert!(version(b"") > 0);
    }
}
