//! The collector against a config server of the agent protocol, both for real.

mod control_support;

use control_support::{Collector, ConfigServer, Container, config, eventually, reports, updates};
use sls_api::agent::{
    CommonResponse, ConfigDetail, ConfigStatus, FetchConfigResponse, HeartbeatResponse,
    RESPONSE_FETCH_PIPELINE_CONFIG, RESPONSE_REPORT_FULL_STATE, VERSION_DELETED,
};

fn container(server: &ConfigServer) -> Container {
    let container = Container::new();
    container.configure(&[&server.address.to_string()]);
    container
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn assert_stops(collector: Collector) {
    let (code, out) = collector.stop();
    assert_eq!(code, Some(0), "{out}");
    assert!(out.starts_with("drained {\"complete\":true"), "{out}");
}

#[test]
fn a_config_is_applied_reported_at_once_and_stored() {
    let server = ConfigServer::start(|beat| updates(beat, &[config("error", 7)]));
    let container = container(&server);
    let collector = container.start();
    let first = server.wait_for("number 0", |beat| beat.sequence_num == 0);
    let tags: Vec<_> = first.tags.iter().map(|tag| (tag.name.as_str(), tag.value.as_str())).collect();
    assert_eq!(tags, [("user_defined_id", "nginx-log-sidecar"), ("aliyun_user_id", "1234567890123456")]);
    let attributes = first.attributes.unwrap();
    assert_eq!(
        (attributes.ip.as_slice(), attributes.hostname.as_slice()),
        (&b"127.0.0.9"[..], &b"pod-1"[..])
    );

    let second = server.wait_for("number 1", |beat| beat.sequence_num == 1);
    assert!(reports(&second, "error", 7, ConfigStatus::Applied), "{second:#?}");
    assert!(container.read("/state/config/remote/error.json").contains("\"version\": 7"));
    assert_stops(collector);
}

#[test]
fn a_config_that_cannot_be_used_is_reported_as_failed_with_the_reason() {
    let bad = ConfigDetail { detail: config("x", 1).detail.repeat(2), ..config("bad", 3) };
    let server = ConfigServer::start(move |beat| updates(beat, &[bad.clone(), config("good", 1)]));
    let container = container(&server);
    let collector = container.start();
    let beat = server.wait_for("a failure", |beat| reports(beat, "bad", 3, ConfigStatus::Failed));
    assert!(reports(&beat, "good", 1, ConfigStatus::Applied));
    let message = &beat.continuous_pipeline_configs[0].message;
    assert!(message.starts_with("the config is not JSON"), "{message}");
    collector.wait_for_log("config bad: version 3 cannot be used");
    assert!(!container.path("/state/config/remote/bad.json").exists());
    assert_stops(collector);
}

#[test]
fn a_deleted_config_is_no_longer_reported_nor_stored() {
    let server = ConfigServer::start(|beat| {
        let has_it = reports(beat, "error", 7, ConfigStatus::Applied);
        let version = if has_it || beat.sequence_num > 1 { VERSION_DELETED } else { 7 };
        updates(beat, &[ConfigDetail { version, ..config("error", 7) }])
    });
    let container = container(&server);
    let collector = container.start();
    server.wait_for("the config", |beat| reports(beat, "error", 7, ConfigStatus::Applied));
    server.wait_for("none", |beat| beat.sequence_num > 1 && beat.continuous_pipeline_configs.is_empty());
    assert!(!container.path("/state/config/remote/error.json").exists());
    assert_stops(collector);
}

#[test]
fn configs_that_are_only_named_are_fetched() {
    let server = ConfigServer::start_with(
        "127.0.0.1:0",
        |beat| {
            let mut answer = updates(beat, &[ConfigDetail { detail: Vec::new(), ..config("error", 4) }]);
            if !answer.continuous_pipeline_config_updates.is_empty() {
                answer.flags = RESPONSE_FETCH_PIPELINE_CONFIG;
            }
            answer
        },
        |request| FetchConfigResponse {
            continuous_pipeline_config_updates: request
                .continuous_pipeline_configs
                .iter()
                .map(|wanted| config(&wanted.name, wanted.version))
                .collect(),
            ..FetchConfigResponse::default()
        },
    );
    let container = container(&server);
    let collector = container.start();
    server.wait_for("the fetched config", |beat| reports(beat, "error", 4, ConfigStatus::Applied));
    assert_stops(collector);
}

#[test]
fn the_full_state_is_sent_when_the_server_asks_and_omitted_when_it_remembers() {
    let server = ConfigServer::start(|beat| HeartbeatResponse {
        capabilities: 3,
        flags: if beat.sequence_num == 1 { RESPONSE_REPORT_FULL_STATE } else { 0 },
        ..updates(beat, &[])
    });
    let container = container(&server);
    let collector = container.start();
    let beat = |number| server.wait_for("its number", move |beat| beat.sequence_num == number);
    assert!(beat(0).attributes.is_some());
    assert!(beat(1).attributes.is_none());
    assert!(beat(2).attributes.is_some());
    assert_stops(collector);
}

#[test]
fn a_server_that_is_down_at_the_start_is_asked_until_it_answers() {
    let address = nobody();
    let container = Container::new();
    container.configure(&[&address]);
    let collector = container.start();
    collector.wait_for_log(&format!("config server cannot be reached: {address}: cannot connect"));
    assert!(collector.log().contains("nothing is collected meanwhile; retrying. Check config_server_list"));
    let server = ConfigServer::start_with(
        &address,
        |beat| updates(beat, &[config("error", 1)]),
        |_| FetchConfigResponse::default(),
    );
    server.wait_for("the config", |beat| reports(beat, "error", 1, ConfigStatus::Applied));
    collector.wait_for_log(&format!("config server {address} accepts heartbeats again"));
    assert_eq!(collector.log().matches("cannot be reached").count(), 1, "{}", collector.log());
    assert_stops(collector);
}

#[test]
fn the_next_server_of_the_list_is_asked_when_the_first_is_down() {
    let server = ConfigServer::start(|beat| updates(beat, &[]));
    let container = Container::new();
    container.configure(&[&nobody(), &server.address.to_string()]);
    let collector = container.start();
    server.wait_for("number 2", |beat| beat.sequence_num == 2);
    assert!(!collector.log().contains("cannot be reached"), "{}", collector.log());
    assert_stops(collector);
}

#[test]
fn a_restart_without_the_server_goes_on_with_the_stored_configs_and_the_same_id() {
    let server = ConfigServer::start(|beat| updates(beat, &[config("error", 7)]));
    let address = server.address.to_string();
    let container = container(&server);
    let collector = container.start();
    let first = server.wait_for("the config", |beat| reports(beat, "error", 7, ConfigStatus::Applied));
    assert_stops(collector);
    drop(server);

    let collector = container.start();
    collector.wait_for_log("config error: collecting as stored by an earlier run");
    collector.wait_for_log("1 config goes on collecting; retrying");
    let server =
        ConfigServer::start_with(&address, |beat| updates(beat, &[]), |_| FetchConfigResponse::default());
    let again = server.wait_for("a heartbeat", |_| true);
    assert!(reports(&again, "error", 7, ConfigStatus::Applied), "{again:#?}");
    assert_eq!(again.instance_id, first.instance_id);
    assert_stops(collector);
}

#[test]
fn a_refusal_and_a_notice_are_logged_once_each() {
    let server = ConfigServer::start(|beat| {
        let (status, text) = match beat.sequence_num {
            0..3 => (
                401,
                "aliyun_user_id 42 is not the account 1234567890123456; RAM user ids do not take effect",
            ),
            _ => (0, "no machine group has the id nginx-log-sidecar"),
        };
        let common_response = Some(CommonResponse { status, error_message: text.into() });
        HeartbeatResponse { common_response, ..updates(beat, &[]) }
    });
    let container = container(&server);
    let collector = container.start();
    server.wait_for("number 5", |beat| beat.sequence_num == 5);
    let log = collector.log();
    let count = |part: &str| log.matches(part).count();
    assert_eq!(count("refuses this collector: status 401: aliyun_user_id 42 is not the account"), 1, "{log}");
    assert_eq!(
        count("notice from the config server: no machine group has the id nginx-log-sidecar"),
        1,
        "{log}"
    );
    assert_eq!(count("no collection config yet for the machine group ids [nginx-log-sidecar]"), 1, "{log}");
    assert_stops(collector);
}

#[test]
fn an_id_file_that_appears_later_is_noticed() {
    let server = ConfigServer::start(|beat| updates(beat, &[]));
    let container = container(&server);
    let collector = container.start();
    server.wait_for("a heartbeat", |_| true);
    container.write("/etc/ilogtail/user_defined_id", "second-group\n");
    server.wait_for("the second id", |beat| beat.tags.iter().any(|tag| tag.value == "second-group"));
    assert_stops(collector);
}

#[test]
fn an_answer_that_is_not_of_this_protocol_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let web_server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\nConnection: close\r\n\r\nno page");
    });
    let container = Container::new();
    container.configure(&[&address]);
    let collector = container.start();
    collector.wait_for_log("answered HTTP 404 Not Found: no page; is this a server of the agent protocol?");
    web_server.join().unwrap();
    assert_stops(collector);
}

#[test]
fn no_secret_is_ever_logged() {
    let server = ConfigServer::start(|beat| updates(beat, &[config("error", 1)]));
    let mut container = container(&server);
    container.set("LOGTAIL_LOG_LEVEL", "trace");
    let collector = container.start();
    server.wait_for("the config", |beat| reports(beat, "error", 1, ConfigStatus::Applied));
    let log = eventually("some log", || Some(collector.log()).filter(|log| !log.is_empty()));
    let file = container.read("/usr/local/ilogtail/ilogtail.LOG");
    assert!(!log.contains("hidden-secret") && !file.contains("hidden-secret"));
    assert!(!file.is_empty());
    assert_stops(collector);
}
