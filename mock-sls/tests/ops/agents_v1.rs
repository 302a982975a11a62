//! The side that collectors of the first version of the agent protocol talk to.

use mock_sls::DEFAULT_ACCOUNT_ID;
use serde_json::Value;
use sls_api::NoQuery;
use sls_api::agent::v1::{
    AgentAttributes, CheckStatus, ConfigCheckResult, ConfigInfo, EXTRA_USER_IDS, FETCH_AGENT_CONFIG_PATH,
    FETCH_PIPELINE_CONFIG_PATH, FetchAgentConfigRequest, FetchConfigResponse, FetchPipelineConfigRequest,
    HEARTBEAT_PATH, HeartBeatRequest, HeartBeatResponse, RespCode,
};
use sls_api::ops::InMachineGroup;
use sls_api::ops::Paging;
use sls_api::ops::machine_groups::{ApplyConfigToMachineGroup, ListMachines, RemoveConfigFromMachineGroup};

use super::agents::{bed, binding, create_config, create_group, post};
use super::bed::Bed;

fn beat(tags: &[&str], has: &[ConfigCheckResult]) -> HeartBeatRequest {
    let has = has.iter().map(|config| ConfigInfo {
        name: config.name.clone(),
        version: config.new_version,
        ..ConfigInfo::default()
    });
    HeartBeatRequest {
        request_id: "r-1".into(),
        agent_id: "agent-1".into(),
        agent_type: "iLogtail".into(),
        attributes: Some(AgentAttributes { ip: "10.0.0.9".into(), ..AgentAttributes::default() }),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        pipeline_configs: has.collect(),
        ..HeartBeatRequest::default()
    }
}

async fn send(bed: &Bed, beat: &HeartBeatRequest) -> HeartBeatResponse {
    post(bed, HEARTBEAT_PATH, beat).await
}

async fn fetch(bed: &Bed, path: &str, names: &[&str]) -> FetchConfigResponse {
    let wanted = names.iter().map(|name| ConfigInfo { name: (*name).into(), ..ConfigInfo::default() });
    let request = FetchPipelineConfigRequest {
        request_id: "r-2".into(),
        agent_id: "agent-1".into(),
        req_configs: wanted.collect(),
    };
    post(bed, path, &request).await
}

/// With a config that is bound to the group of this id.
async fn bed_with_config(id: &str) -> Bed {
    let bed = bed().await;
    create_group(&bed, "group-a", id).await;
    create_config(&bed, "config-a").await;
    bed.send::<ApplyConfigToMachineGroup>(&binding("group-a", "config-a"), &NoQuery {}, &()).await.unwrap();
    bed
}

#[tokio::test]
async fn a_config_of_the_group_that_a_tag_names_is_announced_fetched_and_taken_back() {
    let bed = bed_with_config("id-a").await;
    let answer = send(&bed, &beat(&["web", "id-a"], &[])).await;
    assert_eq!(
        (answer.request_id.as_str(), answer.code(), answer.message.as_str()),
        ("r-1", RespCode::Accept, "")
    );
    let [new] = &answer.pipeline_check_results[..] else { panic!("{answer:?}") };
    assert_eq!((new.name.as_str(), new.check_status()), ("##1.0##proj-a$config-a", CheckStatus::New));
    // With and without the slash: what agents call, and what the protocol's comments say.
    for path in [FETCH_PIPELINE_CONFIG_PATH.to_owned(), format!("{FETCH_PIPELINE_CONFIG_PATH}/")] {
        let fetched = fetch(&bed, &path, &[&new.name, "other"]).await;
        assert_eq!((fetched.request_id.as_str(), fetched.code()), ("r-2", RespCode::Accept));
        let [detail] = &fetched.config_details[..] else { panic!("{fetched:?}") };
        assert_eq!((&detail.name, detail.version), (&new.name, new.new_version));
        let pipeline: Value = serde_json::from_str(&detail.detail).unwrap();
        assert_eq!(pipeline["flushers"][0]["Logstore"], "nginx-access");
    }
    let mut old = new.clone();
    assert_eq!(send(&bed, &beat(&["id-a"], std::slice::from_ref(new))).await.pipeline_check_results, []);
    old.new_version += 1;
    let changed = send(&bed, &beat(&["id-a"], &[old.clone()])).await.pipeline_check_results;
    assert_eq!(
        changed.iter().map(ConfigCheckResult::check_status).collect::<Vec<_>>(),
        [CheckStatus::Modified]
    );
    assert_eq!((changed[0].old_version, changed[0].new_version), (old.new_version, new.new_version));
    let remove = binding("group-a", "config-a");
    bed.send::<RemoveConfigFromMachineGroup>(&remove, &NoQuery {}, &()).await.unwrap();
    let gone = send(&bed, &beat(&["id-a"], std::slice::from_ref(new))).await.pipeline_check_results;
    assert_eq!(gone.iter().map(ConfigCheckResult::check_status).collect::<Vec<_>>(), [CheckStatus::Deleted]);
}

#[tokio::test]
async fn such_an_agent_is_a_machine_of_its_group() {
    let bed = bed_with_config("id-a").await;
    send(&bed, &beat(&["web", "id-a"], &[])).await;
    let path = InMachineGroup { group: "group-a".parse().unwrap() };
    let machines = bed.send::<ListMachines>(&path, &Paging::default(), &()).await.unwrap().0.machines;
    assert_eq!(machines.iter().map(|machine| machine.ip.as_str()).collect::<Vec<_>>(), ["10.0.0.9"]);
}

#[tokio::test]
async fn what_keeps_an_agent_from_its_configs_is_in_the_answer() {
    let bed = bed_with_config("id-a").await;
    let unknown = send(&bed, &beat(&["typo"], &[])).await;
    assert_eq!(unknown.code(), RespCode::Accept);
    assert!(
        unknown.message.starts_with("no machine group lists the custom id \"typo\""),
        "{}",
        unknown.message
    );
    let of_account = |id: &str| {
        let mut beat = beat(&["id-a"], &[]);
        let attributes = beat.attributes.as_mut().unwrap();
        attributes.extras.insert(EXTRA_USER_IDS.into(), id.into());
        beat
    };
    let foreign = send(&bed, &of_account("2999")).await;
    assert_eq!((foreign.code(), foreign.pipeline_check_results.len()), (RespCode::InvalidParameter, 0));
    assert!(foreign.message.starts_with("user id 2999 is not the id of"), "{}", foreign.message);
    let own = send(&bed, &of_account(&format!("2999, {DEFAULT_ACCOUNT_ID}"))).await;
    assert_eq!((own.code(), own.pipeline_check_results.len()), (RespCode::Accept, 1));
}

#[tokio::test]
async fn texts_are_for_agents_that_have_said_who_they_are() {
    let bed = bed_with_config("id-a").await;
    let fetched = fetch(&bed, FETCH_PIPELINE_CONFIG_PATH, &["##1.0##proj-a$config-a"]).await;
    assert_eq!((fetched.code(), fetched.config_details.len()), (RespCode::InvalidParameter, 0));
    assert_eq!(fetched.message, "agent \"agent-1\" has not sent a heartbeat yet: send one first");
}

#[tokio::test]
async fn there_are_no_configs_of_agents() {
    let bed = bed().await;
    let request = FetchAgentConfigRequest { request_id: "r-3".into(), ..FetchAgentConfigRequest::default() };
    let answer: FetchConfigResponse = post(&bed, FETCH_AGENT_CONFIG_PATH, &request).await;
    assert_eq!(answer, FetchConfigResponse { request_id: "r-3".into(), ..FetchConfigResponse::default() });
}
