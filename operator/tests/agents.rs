//! Whether somebody collects is told, and costs little.

mod support;

use std::time::Duration;

use mock_sls::DEFAULT_ACCOUNT_ID;
use prost::Message;
use sls_api::agent::{
    AgentAttributes, AgentGroupTag, HEARTBEAT_PATH, HeartbeatRequest, TAG_USER_DEFINED_ID, TAG_USER_ID,
};
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn heartbeat(bed: &Bed, instance: &str, custom_id: &str) {
    let tag = |name: &str, value: &str| AgentGroupTag { name: name.into(), value: value.into() };
    let beat = HeartbeatRequest {
        request_id: b"r-1".to_vec(),
        sequence_num: 1,
        instance_id: instance.as_bytes().to_vec(),
        agent_type: "LoongCollector".into(),
        attributes: Some(AgentAttributes { ip: b"10.0.0.9".to_vec(), ..AgentAttributes::default() }),
        tags: vec![tag(TAG_USER_DEFINED_ID, custom_id), tag(TAG_USER_ID, DEFAULT_ACCOUNT_ID)],
        ..HeartbeatRequest::default()
    };
    let body = beat.encode_to_vec();
    let address = bed.endpoint();
    let mut stream = tokio::net::TcpStream::connect(address.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST {HEARTBEAT_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn objects_tell_whether_machines_and_logs_are_there() {
    let agents = Some(Duration::from_millis(200));
    let bed = Bed::with(Options { agents, ..Options::default() }).await;
    for name in ["config", "config-2"] {
        bed.apply_value(object(name, |_| {})).await;
        bed.ready(name).await;
    }
    let status = bed
        .status("config", "no machine", |status| is(status, "AgentsConnected", "False", "NoHeartbeat"))
        .await;
    let message = &condition(&status, "AgentsConnected").unwrap().message;
    assert!(message.contains("ALIYUN_LOGTAIL_USER_DEFINED_ID"), "{message}");
    assert!(is(&status, "Ready", "True", "Synced"));

    heartbeat(&bed, "agent-1", "group-a").await;
    for name in ["config", "config-2"] {
        bed.status(name, "a machine", |status| is(status, "AgentsConnected", "True", "NoNewLogs")).await;
    }
    bed.sls().put_log("project-a", "store").await;
    let status =
        bed.status("config", "logs", |status| is(status, "AgentsConnected", "True", "LogsArrive")).await;
    let message = &condition(&status, "AgentsConnected").unwrap().message;
    assert_eq!(message, "1 machine of group-a sent a heartbeat; logs arrive in Logstore store");
    bed.status("config-2", "logs", |status| is(status, "AgentsConnected", "True", "LogsArrive")).await;

    // While all goes on as it does nothing is written, and two objects cost as much as one.
    let (writes, looks) = (bed.status_writes(), bed.metric("sls_operator_reconcile_seconds_count"));
    let (machines, histograms) = (bed.calls("ListMachines"), bed.calls("GetHistograms"));
    eventually("some more rounds", || async {
        let rounds = bed.calls("GetHistograms") - histograms;
        (rounds >= 4).then_some(()).ok_or_else(|| rounds.to_string())
    })
    .await;
    assert_eq!(bed.status_writes(), writes);
    assert_eq!(bed.metric("sls_operator_reconcile_seconds_count"), looks);
    let (machines, histograms) =
        (bed.calls("ListMachines") - machines, bed.calls("GetHistograms") - histograms);
    assert!(machines.abs_diff(histograms) <= 1, "{machines} {histograms}");
}

#[tokio::test]
async fn nothing_is_asked_where_nobody_wants_to_know() {
    let bed = Bed::start().await;
    bed.apply_value(object("config", |_| {})).await;
    let status = bed.ready("config").await;
    assert!(condition(&status, "AgentsConnected").is_none());
    assert_eq!(bed.calls("ListMachines") + bed.calls("GetHistograms"), 0);
}
