//! The same session in the first version of the protocol: other messages, in which configs have no status. What they
//! say is turned into that of version 2, so that everything behind is the same.

use std::collections::BTreeMap;

use serde_json::Value;
use sls_api::agent::v1::{
    AgentAttributes, CheckStatus, ConfigInfo, ConfigType, EXTRA_USER_IDS, FetchConfigResponse,
    FetchPipelineConfigRequest, HeartBeatRequest, HeartBeatResponse, RespCode,
};
use sls_api::agent::{ConfigDetail, VERSION_DELETED};

use super::{Answer, Session};
use crate::app_info;
use crate::control::local::yaml;
use crate::identity::GroupIds;
use crate::instance_config::InstanceConfig;

/// What agents of this version call themselves. Source: LoongCollector's `LegacyCommonConfigProvider`.
const AGENT_TYPE: &str = "iLogtail";

impl Session {
    /// The next heartbeat. Configs that cannot be used are said to be there, or they would be sent again each time.
    pub fn heartbeat_v1(&mut self, ids: &GroupIds, instance: &InstanceConfig) -> HeartBeatRequest {
        let user_ids: Vec<&str> = ids.user_ids.iter().map(String::as_str).collect();
        let extras = match user_ids.as_slice() {
            [] => BTreeMap::new(),
            ids => BTreeMap::from([(EXTRA_USER_IDS.to_owned(), ids.join(","))]),
        };
        let attributes = AgentAttributes {
            version: app_info::VERSION.to_owned(),
            ip: self.agent.ip.clone(),
            hostname: self.agent.hostname.clone(),
            region: instance.place.as_ref().map(|place| place.region.clone()).unwrap_or_default(),
            extras,
            ..AgentAttributes::default()
        };
        let request = HeartBeatRequest {
            request_id: self.request_id_v1(),
            agent_id: self.agent.instance_id.clone(),
            agent_type: AGENT_TYPE.to_owned(),
            attributes: Some(attributes),
            // Tags have no names there.
            tags: ids.user_defined_ids.iter().chain(self.agent.tags.values()).cloned().collect(),
            running_status: "running".to_owned(),
            startup_time: self.agent.startup_time,
            interval: i32::try_from(instance.heartbeat_interval.as_secs()).unwrap_or(i32::MAX),
            pipeline_configs: self.configs.iter().map(|(name, held)| info(name, held.version)).collect(),
            agent_configs: Vec::new(),
        };
        self.sequence += 1;
        request
    }

    /// Takes the answer to the last heartbeat. New and changed configs come without their texts.
    pub fn receive_v1(&mut self, answer: HeartBeatResponse) -> Answer {
        if answer.code != i32::from(RespCode::Accept) {
            return Answer::Refused { status: answer.code, message: answer.message };
        }
        let updates: Vec<ConfigDetail> = answer
            .pipeline_check_results
            .into_iter()
            .map(|result| ConfigDetail {
                version: match result.check_status() {
                    CheckStatus::Deleted => VERSION_DELETED,
                    CheckStatus::New | CheckStatus::Modified => result.new_version,
                },
                name: result.name,
                ..ConfigDetail::default()
            })
            .collect();
        let fetch = updates.iter().any(|update| update.version != VERSION_DELETED);
        Answer::Accepted { notice: String::new(), updates, fetch }
    }

    /// Asks for the texts of new and changed configs.
    pub fn fetch_v1(&self, updates: &[ConfigDetail]) -> FetchPipelineConfigRequest {
        let wanted = updates.iter().filter(|update| update.version != VERSION_DELETED);
        FetchPipelineConfigRequest {
            request_id: self.request_id_v1(),
            agent_id: self.agent.instance_id.clone(),
            req_configs: wanted.map(|update| info(&update.name, update.version)).collect(),
        }
    }

    /// The texts that were asked for, under the versions of the heartbeat's answer, as the vendor's agent takes them.
    pub fn details_v1(&self, updates: &[ConfigDetail], fetched: FetchConfigResponse) -> Vec<ConfigDetail> {
        let details = fetched.config_details.into_iter();
        let details = details.filter_map(|detail| {
            let version = updates.iter().find(|update| update.name == detail.name)?.version;
            let text = as_json(detail.detail);
            Some(ConfigDetail { name: detail.name, version, detail: text, ..ConfigDetail::default() })
        });
        details.filter(|detail| detail.version != VERSION_DELETED).collect()
    }

    fn request_id_v1(&self) -> String {
        String::from_utf8_lossy(&self.request_id()).into_owned()
    }
}

fn info(name: &str, version: i64) -> ConfigInfo {
    ConfigInfo {
        kind: ConfigType::PipelineConfig.into(),
        name: name.to_owned(),
        version,
        context: String::new(),
    }
}

/// YAML as JSON; what is neither is left for the reader of configs to complain about.
fn as_json(text: String) -> Vec<u8> {
    if serde_json::from_str::<Value>(&text).is_ok() {
        return text.into_bytes();
    }
    yaml(text.as_bytes()).map(|value| value.to_string().into_bytes()).unwrap_or_else(|_| text.into_bytes())
}

#[cfg(test)]
mod tests {
    use sls_api::agent::v1;

    use super::*;
    use crate::control::session::Change;
    use crate::control::session::tests::{instance, session};

    fn ids() -> GroupIds {
        GroupIds {
            user_ids: ["1".to_owned(), "2".to_owned()].into(),
            user_defined_ids: ["a".to_owned()].into(),
        }
    }

    fn result(name: &str, new_version: i64, status: CheckStatus) -> v1::ConfigCheckResult {
        v1::ConfigCheckResult {
            name: name.into(),
            new_version,
            check_status: status.into(),
            ..Default::default()
        }
    }

    const YAML: &str = "inputs:\n  - Type: input_file\n    FilePaths: [/var/log/a.log]\nflushers:\n  - Type: \
                        flusher_sls\n    Project: project\n    Logstore: store\n    Region: cn-hangzhou\n";

    /// Gives the session what the server has of these configs.
    fn take(
        session: &mut Session,
        results: Vec<v1::ConfigCheckResult>,
        texts: &[(&str, &str)],
    ) -> Vec<Change> {
        let answer = HeartBeatResponse { pipeline_check_results: results, ..HeartBeatResponse::default() };
        let Answer::Accepted { updates, fetch, .. } = session.receive_v1(answer) else { panic!("refused") };
        let asked: Vec<String> = session.fetch_v1(&updates).req_configs.into_iter().map(|c| c.name).collect();
        assert_eq!(asked, texts.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(fetch, !texts.is_empty());
        let details = texts.iter().map(|(name, text)| v1::ConfigDetail {
            name: (*name).into(),
            detail: (*text).into(),
            ..Default::default()
        });
        let fetched = FetchConfigResponse { config_details: details.collect(), ..Default::default() };
        let details = session.details_v1(&updates, fetched);
        let gone = updates.iter().filter(|update| update.version == VERSION_DELETED);
        gone.chain(&details).map(|update| session.update(update, &instance())).collect()
    }

    #[test]
    fn a_heartbeat_says_who_this_is_and_what_it_has() {
        let mut session = session();
        take(&mut session, vec![result("c", 7, CheckStatus::New)], &[("c", YAML)]);
        let beat = session.heartbeat_v1(&ids(), &instance());
        assert_eq!((beat.agent_id.as_str(), beat.agent_type.as_str()), ("i-1", "iLogtail"));
        assert_eq!(beat.tags, ["a", "web"]);
        assert_eq!(beat.interval, 10);
        let attributes = beat.attributes.unwrap();
        assert_eq!((attributes.ip.as_str(), attributes.region.as_str()), ("10.0.0.7", "cn-hangzhou"));
        assert_eq!(attributes.extras[EXTRA_USER_IDS], "1,2");
        assert_eq!(beat.pipeline_configs, [info("c", 7)]);
        let next = session.heartbeat_v1(&ids(), &instance());
        assert_ne!(next.request_id, beat.request_id);
    }

    #[test]
    fn configs_come_as_yaml_or_json_change_and_go() {
        let mut session = session();
        let json = yaml(YAML.as_bytes()).unwrap().to_string();
        let new = vec![result("a", 1, CheckStatus::New), result("b", 1, CheckStatus::New)];
        let changes = take(&mut session, new, &[("a", YAML), ("b", &json)]);
        assert!(changes.iter().all(|change| matches!(change, Change::Applied { .. })), "{changes:?}");
        assert_eq!(session.pipelines().count(), 2);
        let changed = vec![result("a", 2, CheckStatus::Modified), result("b", 1, CheckStatus::Deleted)];
        let changes = take(&mut session, changed, &[("a", "inputs: [")]);
        assert!(matches!(changes.as_slice(), [Change::Removed, Change::Failed { .. }]), "{changes:?}");
        assert_eq!(session.pipelines().map(|pipeline| pipeline.version).collect::<Vec<_>>(), [1]);
        let held = session.heartbeat_v1(&ids(), &instance()).pipeline_configs;
        assert_eq!(held, [info("a", 2)], "what failed is not to come again");
    }

    #[test]
    fn a_text_that_was_not_asked_for_is_not_taken() {
        let session = session();
        let detail = v1::ConfigDetail { name: "other".into(), detail: YAML.into(), ..Default::default() };
        let fetched = FetchConfigResponse { config_details: vec![detail], ..Default::default() };
        assert_eq!(session.details_v1(&[], fetched), []);
    }

    #[test]
    fn a_refusal_carries_its_reason() {
        for code in [1, 2, 99] {
            let answer = HeartBeatResponse { code, message: "why".into(), ..HeartBeatResponse::default() };
            let refused = Answer::Refused { status: code, message: "why".into() };
            assert_eq!(session().receive_v1(answer), refused);
        }
    }
}
