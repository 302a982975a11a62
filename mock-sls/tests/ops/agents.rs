//! The side that collectors talk to.

use http::Request;
use mock_sls::{Auth, Config, DEFAULT_ACCOUNT_ID};
use prost::Message;
use serde_json::{Value, json};
use sls_api::agent::{
    AgentAttributes, AgentGroupTag, ConfigDetail, ConfigInfo, ConfigStatus, FETCH_PIPELINE_CONFIG_PATH,
    FetchConfigRequest, FetchConfigResponse, HEARTBEAT_PATH, HeartbeatRequest, HeartbeatResponse,
    RESPONSE_REPORT_FULL_STATE, TAG_USER_DEFINED_ID, TAG_USER_ID, VERSION_DELETED,
};
use sls_api::ops::logtail_configs::{CreateConfig, LogtailConfig, UpdateConfig};
use sls_api::ops::machine_groups::{
    ApplyConfigToMachineGroup, CreateMachineGroup, ListMachines, Machine, MachineGroup, MachineIdentifyType,
    RemoveConfigFromMachineGroup,
};
use sls_api::ops::{InConfig, InMachineGroup, InMachineGroupConfig, Paging};
use sls_api::{Json, NoPath, NoQuery};

use super::bed::Bed;
use super::raw;

pub async fn bed() -> Bed {
    let advertise = Some("mock.test:8080".to_owned());
    let bed = Bed::bare(Config { auth: Auth::Off, advertise, ..Config::default() }).await;
    bed.create_project().await;
    bed
}

pub async fn create_group(bed: &Bed, name: &str, id: &str) {
    let group = MachineGroup::user_defined(name.parse().unwrap(), vec![id.to_owned()]);
    bed.send::<CreateMachineGroup>(&NoPath {}, &NoQuery {}, &Json(group)).await.unwrap();
}

fn config(name: &str, log_path: &str) -> Json<LogtailConfig> {
    let config = json!({
        "configName": name,
        "inputType": "file",
        "inputDetail": {
            "logType": "common_reg_log", "logPath": log_path, "filePattern": "access.log",
            "key": ["content"], "regex": "(.*)", "logBeginRegex": ".*", "topicFormat": "none",
        },
        "outputDetail": {"logstoreName": "nginx-access"},
    });
    Json(serde_json::from_value(config).unwrap())
}

pub async fn create_config(bed: &Bed, name: &str) {
    bed.send::<CreateConfig>(&NoPath {}, &NoQuery {}, &config(name, "/var/log/nginx")).await.unwrap();
}

pub fn binding(group: &str, config: &str) -> InMachineGroupConfig {
    InMachineGroupConfig { group: group.parse().unwrap(), config: config.parse().unwrap() }
}

/// An agent `agent-1` with a custom id and the account id.
pub fn beat(custom_id: &str) -> HeartbeatRequest {
    let tag = |name: &str, value: &str| AgentGroupTag { name: name.into(), value: value.into() };
    HeartbeatRequest {
        request_id: b"r-1".to_vec(),
        sequence_num: 1,
        instance_id: b"agent-1".to_vec(),
        agent_type: "LoongCollector".into(),
        attributes: Some(AgentAttributes {
            version: b"1.2.3".to_vec(),
            ip: b"10.0.0.9".to_vec(),
            hostname: b"pod-1".to_vec(),
            ..AgentAttributes::default()
        }),
        tags: vec![tag(TAG_USER_DEFINED_ID, custom_id), tag(TAG_USER_ID, DEFAULT_ACCOUNT_ID)],
        ..HeartbeatRequest::default()
    }
}

pub async fn post<M: Message + Default>(bed: &Bed, path: &str, message: &impl Message) -> M {
    let request = Request::post(path).header("host", "127.0.0.1").body(message.encode_to_vec()).unwrap();
    let answer = raw::send(bed.server.addr(), request).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    M::decode(answer.body).unwrap()
}

pub async fn send(bed: &Bed, beat: &HeartbeatRequest) -> HeartbeatResponse {
    post(bed, HEARTBEAT_PATH, beat).await
}

pub fn has(detail: &ConfigDetail, status: ConfigStatus, message: &str) -> ConfigInfo {
    ConfigInfo {
        name: detail.name.clone(),
        version: detail.version,
        status: status.into(),
        message: message.into(),
        ..ConfigInfo::default()
    }
}

fn said(response: &HeartbeatResponse) -> (i32, String) {
    let common = response.common_response.clone().unwrap_or_default();
    (common.status, String::from_utf8(common.error_message).unwrap())
}

async fn machines(bed: &Bed, group: &str) -> Vec<Machine> {
    let path = InMachineGroup { group: group.parse().unwrap() };
    bed.send::<ListMachines>(&path, &Paging::default(), &()).await.unwrap().0.machines
}

#[tokio::test]
async fn an_agent_gets_the_configs_of_its_group_as_pipelines_that_send_here() {
    let bed = bed().await;
    create_group(&bed, "group-a", "id-a").await;
    create_config(&bed, "config-a").await;
    bed.send::<ApplyConfigToMachineGroup>(&binding("group-a", "config-a"), &NoQuery {}, &()).await.unwrap();

    let response = send(&bed, &beat("id-a")).await;
    assert_eq!(response.request_id, b"r-1");
    assert_eq!(said(&response), (0, String::new()));
    let [detail] = &response.continuous_pipeline_config_updates[..] else {
        panic!("one config, not {:?}", response.continuous_pipeline_config_updates)
    };
    assert_eq!(detail.name, "##1.0##proj-a$config-a");
    assert!(detail.version > 0);
    let pipeline: Value = serde_json::from_slice(&detail.detail).unwrap();
    let flusher = &pipeline["flushers"][0];
    assert_eq!(flusher["Type"], "flusher_sls");
    assert_eq!(flusher["Project"], "proj-a");
    assert_eq!(flusher["Logstore"], "nginx-access");
    assert_eq!(flusher["Region"], "cn-hangzhou");
    assert_eq!(flusher["Endpoint"], "mock.test:8080");
}

#[tokio::test]
async fn without_an_advertised_address_agents_send_to_the_one_they_asked() {
    let bed = Bed::bare(Config { auth: Auth::Off, ..Config::default() }).await;
    bed.create_project().await;
    create_group(&bed, "group-a", "id-a").await;
    create_config(&bed, "config-a").await;
    bed.send::<ApplyConfigToMachineGroup>(&binding("group-a", "config-a"), &NoQuery {}, &()).await.unwrap();
    let detail = send(&bed, &beat("id-a")).await.continuous_pipeline_config_updates.remove(0);
    let pipeline: Value = serde_json::from_slice(&detail.detail).unwrap();
    assert_eq!(pipeline["flushers"][0]["Endpoint"], "127.0.0.1");
}

#[tokio::test]
async fn a_config_is_sent_once_then_again_when_it_changes_and_deleted_when_it_is_removed() {
    let bed = bed().await;
    create_group(&bed, "group-a", "id-a").await;
    create_config(&bed, "config-a").await;
    let both = binding("group-a", "config-a");
    bed.send::<ApplyConfigToMachineGroup>(&both, &NoQuery {}, &()).await.unwrap();
    let first = send(&bed, &beat("id-a")).await.continuous_pipeline_config_updates.remove(0);

    let with = |detail: &ConfigDetail| HeartbeatRequest {
        continuous_pipeline_configs: vec![has(detail, ConfigStatus::Applied, "")],
        ..beat("id-a")
    };
    assert_eq!(send(&bed, &with(&first)).await.continuous_pipeline_config_updates, []);

    let path = InConfig { config: "config-a".parse().unwrap() };
    let changed = config("config-a", "/var/log/other");
    bed.send::<UpdateConfig>(&path, &NoQuery {}, &changed).await.unwrap();
    let second = send(&bed, &with(&first)).await.continuous_pipeline_config_updates.remove(0);
    assert_eq!(second.name, first.name);
    assert_ne!(second.version, first.version);

    bed.send::<RemoveConfigFromMachineGroup>(&both, &NoQuery {}, &()).await.unwrap();
    let gone = send(&bed, &with(&second)).await.continuous_pipeline_config_updates.remove(0);
    assert_eq!((gone.name, gone.version), (first.name, VERSION_DELETED));
}

#[tokio::test]
async fn a_heartbeat_makes_the_machine_show_in_its_group() {
    let bed = bed().await;
    create_group(&bed, "group-a", "id-a").await;
    create_group(&bed, "group-b", "id-b").await;
    assert_eq!(machines(&bed, "group-a").await, []);
    send(&bed, &beat("id-a")).await;
    let shown = machines(&bed, "group-a").await;
    assert_eq!(shown.len(), 1);
    assert_eq!((shown[0].ip.as_str(), shown[0].userdefined_id.as_str()), ("10.0.0.9", "id-a"));
    assert_eq!(shown[0].machine_uniqueid, "agent-1");
    assert!(shown[0].last_heartbeat_time > 1_700_000_000);
    assert_eq!(machines(&bed, "group-b").await, []);
}

#[tokio::test]
async fn a_group_of_addresses_takes_agents_by_address() {
    let bed = bed().await;
    let group = MachineGroup {
        machine_identify_type: MachineIdentifyType::Ip,
        ..MachineGroup::user_defined("by-ip".parse().unwrap(), vec!["10.0.0.9".into()])
    };
    bed.send::<CreateMachineGroup>(&NoPath {}, &NoQuery {}, &Json(group)).await.unwrap();
    let nameless = HeartbeatRequest { tags: Vec::new(), ..beat("") };
    assert_eq!(said(&send(&bed, &nameless).await), (0, String::new()));
    assert_eq!(machines(&bed, "by-ip").await.len(), 1);
}

#[tokio::test]
async fn a_foreign_user_id_gets_nothing_and_is_told_why() {
    let bed = bed().await;
    create_group(&bed, "group-a", "id-a").await;
    create_config(&bed, "config-a").await;
    bed.send::<ApplyConfigToMachineGroup>(&binding("group-a", "config-a"), &NoQuery {}, &()).await.unwrap();
    let mut foreign = beat("id-a");
    foreign.tags[1].value = "299900000000".into();
    let response = send(&bed, &foreign).await;
    let (status, message) = said(&response);
    assert_eq!(status, 401);
    assert!(message.contains("299900000000") && message.contains("ALIYUN_LOGTAIL_USER_ID"), "{message}");
    assert_eq!(response.continuous_pipeline_config_updates, []);
    assert_eq!(machines(&bed, "group-a").await, []);
}

#[tokio::test]
async fn an_unknown_id_and_an_id_of_two_groups_are_noticed() {
    let bed = bed().await;
    let (status, message) = said(&send(&bed, &beat("typo")).await);
    assert_eq!(status, 0);
    assert!(message.contains(r#""typo""#), "{message}");
    create_group(&bed, "group-a", "id-a").await;
    create_group(&bed, "group-b", "id-a").await;
    let (status, message) = said(&send(&bed, &beat("id-a")).await);
    assert_eq!(status, 0);
    assert!(message.contains("group-a of project proj-a, group-b of project proj-a"), "{message}");
}

#[tokio::test]
async fn what_agents_report_is_shown() {
    let bed = bed().await;
    create_group(&bed, "group-a", "id-a").await;
    let detail = ConfigDetail { name: "config-a".into(), version: 7, ..ConfigDetail::default() };
    let failed = HeartbeatRequest {
        continuous_pipeline_configs: vec![has(&detail, ConfigStatus::Failed, "regex: unclosed group")],
        ..beat("id-a")
    };
    send(&bed, &failed).await;
    let request = Request::get("/_mock/v1/agents").header("host", "127.0.0.1").body(Vec::new()).unwrap();
    let answer = raw::send(bed.server.addr(), request).await;
    let shown: Value = serde_json::from_slice(&answer.body).unwrap();
    let agent = &shown["agents"][0];
    assert_eq!((&agent["instanceId"], &agent["hostname"]), (&json!("agent-1"), &json!("pod-1")));
    assert_eq!(
        agent["configs"],
        json!([{"name": "config-a", "version": 7, "status": "failed", "message": "regex: unclosed group"}])
    );
    assert!(agent["tags"].as_array().unwrap().contains(&json!({"name": "user_defined_id", "value": "id-a"})));
}

#[tokio::test]
async fn configs_can_be_fetched_by_name() {
    let bed = bed().await;
    create_group(&bed, "group-a", "id-a").await;
    create_config(&bed, "config-a").await;
    bed.send::<ApplyConfigToMachineGroup>(&binding("group-a", "config-a"), &NoQuery {}, &()).await.unwrap();
    let inline = send(&bed, &beat("id-a")).await.continuous_pipeline_config_updates;
    let wanted = FetchConfigRequest {
        request_id: b"r-2".to_vec(),
        instance_id: b"agent-1".to_vec(),
        continuous_pipeline_configs: vec![has(&inline[0], ConfigStatus::Unset, "")],
        ..FetchConfigRequest::default()
    };
    let fetched: FetchConfigResponse = post(&bed, FETCH_PIPELINE_CONFIG_PATH, &wanted).await;
    assert_eq!(fetched.request_id, b"r-2");
    assert_eq!(fetched.continuous_pipeline_config_updates, inline);
}

#[tokio::test]
async fn a_short_heartbeat_is_asked_for_the_full_state_and_keeps_the_machine_alive() {
    let bed = bed().await;
    create_group(&bed, "group-a", "id-a").await;
    send(&bed, &beat("id-a")).await;
    let short = HeartbeatRequest { attributes: None, tags: Vec::new(), ..beat("id-a") };
    assert_eq!(send(&bed, &short).await.flags, RESPONSE_REPORT_FULL_STATE);
    assert_eq!(machines(&bed, "group-a").await.len(), 1);
}

#[tokio::test]
async fn what_is_not_a_heartbeat_is_refused() {
    let bed = bed().await;
    for body in
        [b"\xff\xff".to_vec(), HeartbeatRequest { instance_id: Vec::new(), ..beat("x") }.encode_to_vec()]
    {
        let request = Request::post(HEARTBEAT_PATH).header("host", "127.0.0.1").body(body).unwrap();
        assert_eq!(raw::send(bed.server.addr(), request).await.status.as_u16(), 400);
    }
}
