//! Configs in pipeline form: applied to machine groups beside the classic ones, and given to agents.

use serde_json::Value;
use sls_api::NoQuery;
use sls_api::agent::{
    ConfigDetail, ConfigInfo, ConfigStatus, FETCH_PIPELINE_CONFIG_PATH, FetchConfigRequest,
    FetchConfigResponse, HeartbeatRequest, VERSION_DELETED,
};
use sls_api::ops::logtail_configs::GetAppliedMachineGroups;
use sls_api::ops::machine_groups::{
    ApplyConfigToMachineGroup, GetAppliedConfigs, RemoveConfigFromMachineGroup,
};
use sls_api::ops::{InConfig, InMachineGroup};

use super::agents::{beat, bed, binding, create_config, create_group, has, post, send};
use super::bed::Bed;
use super::transcript;

/// A bed with the group `group-a` and the pipeline config `pipe`, which is applied to it.
async fn applied() -> Bed {
    let bed = bed().await;
    create_group(&bed, "group-a", "id-a").await;
    assert_eq!(say(&bed, &format!("POST /pipelineconfigs {}", pipeline("pipe", "/var/log"))).await, "200");
    bed.send::<ApplyConfigToMachineGroup>(&binding("group-a", "pipe"), &NoQuery {}, &()).await.unwrap();
    bed
}

fn pipeline(name: &str, path: &str) -> String {
    format!(
        r#"{{"configName":"{name}","logSample":"a line","global":{{"TopicType":"machine_group_topic"}},"inputs":[{{"Type":"input_file","FilePaths":["{path}"]}}],"processors":[{{"Type":"processor_parse_json_native","SourceKey":"content"}}],"flushers":[{{"Type":"flusher_sls","Logstore":"ls","Endpoint":"cn-beijing.log.aliyuncs.com"}}]}}"#
    )
}

/// Sends a line as in the scripts; the status, and the code and message of an error.
async fn say(bed: &Bed, line: &str) -> String {
    let (_, answer) = transcript::send(bed, line).await;
    let shown = match answer.status.as_u16() {
        200 => String::new(),
        _ => format!(" {}", answer.text()),
    };
    format!("{}{shown}", answer.status.as_u16())
}

async fn sent_to(bed: &Bed, beat: &HeartbeatRequest) -> Vec<ConfigDetail> {
    send(bed, beat).await.continuous_pipeline_config_updates
}

fn running(detail: &ConfigDetail) -> HeartbeatRequest {
    let configs: Vec<ConfigInfo> = vec![has(detail, ConfigStatus::Applied, "")];
    HeartbeatRequest { continuous_pipeline_configs: configs, ..beat("id-a") }
}

async fn configs_of(bed: &Bed, group: &str) -> String {
    let path = InMachineGroup { group: group.parse().unwrap() };
    let applied = bed.send::<GetAppliedConfigs>(&path, &NoQuery {}, &()).await.unwrap().0;
    assert_eq!(applied.count, applied.configs.len() as u64);
    applied.configs.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn an_agent_gets_a_pipeline_config_as_it_is_kept_but_sends_to_this_server() {
    let bed = applied().await;
    let [detail] = &sent_to(&bed, &beat("id-a")).await[..] else { panic!("one config") };
    assert_eq!(detail.name, "##1.0##proj-a$pipe");
    let got: Value = serde_json::from_slice(&detail.detail).unwrap();
    let created = got["createTime"].as_i64().unwrap();
    assert_eq!(
        got.to_string(),
        format!(
            r#"{{"enable":true,"createTime":{created},"global":{{"TopicType":"machine_group_topic","TopicFormat":""}},"inputs":[{{"Type":"input_file","FilePaths":["/var/log"]}}],"processors":[{{"Type":"processor_parse_json_native","SourceKey":"content"}}],"flushers":[{{"Type":"flusher_sls","Logstore":"ls","Endpoint":"mock.test:8080","Project":"proj-a","Region":"cn-hangzhou"}}]}}"#
        )
    );
    let wanted = FetchConfigRequest {
        instance_id: b"agent-1".to_vec(),
        continuous_pipeline_configs: vec![has(detail, ConfigStatus::Unset, "")],
        ..FetchConfigRequest::default()
    };
    let fetched: FetchConfigResponse = post(&bed, FETCH_PIPELINE_CONFIG_PATH, &wanted).await;
    assert_eq!(fetched.continuous_pipeline_config_updates, std::slice::from_ref(detail));
}

#[tokio::test]
async fn a_pipeline_config_is_sent_again_when_it_changes_and_deleted_when_it_is_removed() {
    let bed = applied().await;
    let first = sent_to(&bed, &beat("id-a")).await.remove(0);
    assert_eq!(sent_to(&bed, &running(&first)).await, []);
    assert_eq!(say(&bed, &format!("PUT /pipelineconfigs/pipe {}", pipeline("pipe", "/other"))).await, "200");
    let second = sent_to(&bed, &running(&first)).await.remove(0);
    assert_eq!(second.name, first.name);
    assert_ne!(second.version, first.version);
    let both = binding("group-a", "pipe");
    bed.send::<RemoveConfigFromMachineGroup>(&both, &NoQuery {}, &()).await.unwrap();
    let gone = sent_to(&bed, &running(&second)).await.remove(0);
    assert_eq!((gone.name, gone.version), (first.name, VERSION_DELETED));
}

#[tokio::test]
async fn configs_of_both_forms_are_listed_for_the_group_and_go_when_they_are_deleted() {
    let bed = applied().await;
    create_config(&bed, "classic").await;
    bed.send::<ApplyConfigToMachineGroup>(&binding("group-a", "classic"), &NoQuery {}, &()).await.unwrap();
    assert_eq!(configs_of(&bed, "group-a").await, "classic pipe");
    assert_eq!(sent_to(&bed, &beat("id-a")).await.len(), 2);
    let path = InConfig { config: "pipe".parse().unwrap() };
    let groups = bed.send::<GetAppliedMachineGroups>(&path, &NoQuery {}, &()).await.unwrap().0;
    assert_eq!(groups.machinegroups, ["group-a".parse().unwrap()]);
    let first = sent_to(&bed, &beat("id-a")).await;
    let pipe = first.iter().find(|detail| detail.name.ends_with("$pipe")).unwrap();
    assert_eq!(say(&bed, "DELETE /pipelineconfigs/pipe").await, "200");
    assert_eq!(configs_of(&bed, "group-a").await, "classic");
    let left = sent_to(&bed, &running(pipe)).await;
    let shown: Vec<_> = left.iter().map(|detail| (detail.name.as_str(), detail.version < 0)).collect();
    assert_eq!(shown, [("##1.0##proj-a$classic", false), ("##1.0##proj-a$pipe", true)]);
}

#[tokio::test]
async fn a_name_is_that_of_one_config_whatever_its_form() {
    let bed = applied().await;
    create_config(&bed, "classic").await;
    let taken = say(&bed, &format!("POST /pipelineconfigs {}", pipeline("classic", "/a"))).await;
    assert_eq!(
        taken,
        r#"400 {"errorCode":"ConfigAlreadyExist","errorMessage":"config classic already exists"}"#
    );
    let classic =
        r#"{"configName":"pipe","inputType":"file","inputDetail":{},"outputDetail":{"logstoreName":"ls"}}"#;
    let taken = say(&bed, &format!("POST /configs {classic}")).await;
    assert!(taken.starts_with(r#"400 {"errorCode":"ConfigAlreadyExist""#), "{taken}");
}
