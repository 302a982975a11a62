//! Agents: identity, heartbeat, state of their configs, and how much of what they read these match.

use jiff::Timestamp;
use mock_sls::DEFAULT_ACCOUNT_ID;
use sls_api::agent::{
    AgentAttributes, AgentGroupTag, ConfigInfo, ConfigStatus, HEARTBEAT_PATH, HeartbeatRequest,
    HeartbeatResponse, TAG_USER_DEFINED_ID, TAG_USER_ID,
};
use sls_api::log_group::{Content, Log, LogGroup, LogTag};
use sls_api::ops::InLogstore;
use sls_api::ops::documents::{CreateLogging, Logging, LoggingDetail};
use sls_api::ops::logs::{CompressedLogs, PutLogs};
use sls_api::{Json, NoPath, NoQuery, codec::Compression};

use super::visitor::Visitor;

fn beat(configs: Vec<ConfigInfo>) -> HeartbeatRequest {
    let tag = |name: &str, value: &str| AgentGroupTag { name: name.into(), value: value.into() };
    HeartbeatRequest {
        request_id: b"r-1".to_vec(),
        sequence_num: 1,
        instance_id: b"agent/1".to_vec(),
        agent_type: "LoongCollector".into(),
        attributes: Some(AgentAttributes {
            version: b"1.2.3".to_vec(),
            ip: b"10.0.0.9".to_vec(),
            hostname: b"<pod>-1".to_vec(),
            ..AgentAttributes::default()
        }),
        tags: vec![tag(TAG_USER_DEFINED_ID, "nginx-log-sidecar"), tag(TAG_USER_ID, DEFAULT_ACCOUNT_ID)],
        continuous_pipeline_configs: configs,
        ..HeartbeatRequest::default()
    }
}

fn has(message: &str) -> ConfigInfo {
    ConfigInfo {
        name: "##1.0##demo$nginx-access".into(),
        version: 7,
        status: ConfigStatus::Applied.into(),
        message: message.into(),
        ..ConfigInfo::default()
    }
}

async fn with_config() -> Visitor {
    let visitor = Visitor::start().await;
    visitor.done("/projects/demo/logstores", &[("logstore", "nginx-access")]).await;
    let group =
        [("group", "sidecars"), ("identified", "userdefined"), ("machines", "nginx-log-sidecar\nabsent")];
    visitor.done("/projects/demo/machine-groups", &group).await;
    let config = [
        ("do", "save"),
        ("mode", "simple"),
        ("name", "nginx-access"),
        ("logstore", "nginx-access"),
        ("log-path", "/var/log/nginx"),
        ("file-pattern", "access.log"),
        ("group", "sidecars"),
    ];
    visitor.done("/projects/demo/new-config", &config).await;
    visitor
}

#[tokio::test]
async fn an_agent_is_shown_with_its_heartbeat_and_what_its_configs_match() {
    let visitor = with_config().await;
    visitor.page("/agents").await.has(&["No agent has shown itself"]);
    let said = "96 of 100 lines match regex: first difference at column 3";
    let _: HeartbeatResponse = visitor.agent(HEARTBEAT_PATH, &beat(vec![has(said)])).await;
    let page = visitor.page("/agents").await;
    page.has(&[
        "&lt;pod&gt;-1",
        "10.0.0.9",
        "LoongCollector 1.2.3",
        "OK",
        "applied",
        "96 %",
        said,
        "not told",
    ]);
    page.has(&["href=\"/projects/demo/configs/nginx-access\"", "id=\"agent-agent_1\""]);
    let group = visitor.page("/projects/demo/machine-groups/sidecars").await;
    group.has(&["10.0.0.9", "OK", "nginx-log-sidecar", "/agents#agent-agent_1", "absent", "nginx-access"]);
    visitor.page("/projects/demo/machine-groups").await.has(&["1 alive"]);
    let config = visitor.page("/projects/demo/configs/nginx-access").await;
    config.has(&["applied", "96 %", "/agents#agent-agent_1"]);
    visitor.page("/projects/demo/configs").await.has(&["1 have it", "/var/log/nginx/access.log", "sidecars"]);
}

#[tokio::test]
async fn what_collectors_tell_the_diagnostic_logs_is_added_up() {
    let visitor = with_config().await;
    visitor.done("/projects/demo/logstores", &[("logstore", "internal-diagnostic_log")]).await;
    let detail =
        LoggingDetail { kind: "logtail_profile".to_owned(), logstore: "internal-diagnostic_log".to_owned() };
    let logging = Logging { logging_project: "demo".to_owned(), logging_details: vec![detail] };
    visitor.ask::<CreateLogging>(NoPath {}, NoQuery {}, Json(logging)).await;
    let _: HeartbeatResponse = visitor.agent(HEARTBEAT_PATH, &beat(vec![has("")])).await;
    let row = |matched: &str, failed: &str| Log {
        time: u32::try_from(Timestamp::now().as_second()).unwrap(),
        contents: [
            ("config_name", "##1.0##demo$nginx-access"),
            ("succeed_lines", matched),
            ("parse_failures", failed),
            ("error_line", "not <b>a</b> line"),
        ]
        .iter()
        .map(|(key, value)| Content::new((*key).to_owned(), (*value).to_owned()))
        .collect(),
        time_ns: None,
    };
    let group = LogGroup {
        logs: vec![row("700", "100"), row("50", "150")],
        topic: Some("logtail_profile".to_owned()),
        log_tags: vec![LogTag { key: "__hostname__".to_owned(), value: "<pod>-1".to_owned() }],
        ..LogGroup::default()
    };
    let path = InLogstore { logstore: "internal-diagnostic_log".parse().unwrap() };
    let body = CompressedLogs::from_group(&group, Compression::Lz4).unwrap();
    visitor.ask::<PutLogs>(path, NoQuery {}, body).await;
    let page = visitor.page("/agents").await;
    page.has(&["75 %", "750 of 1,000", "not &lt;b&gt;a&lt;/b&gt; line"]);
}
