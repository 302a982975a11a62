//! Configs from files beside the collector: alone, and beside a config server. The files are looked at every ten
//! seconds, which is what these tests wait for.

mod control_support;
mod data_support;

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use collector::layout::{Phase, RunState};
use control_support::{Collector, ConfigServer, Container, config, eventually, reports, updates};
use data_support::{Sink, append};
use serde_json::{Value, json};
use sls_api::agent::{ConfigDetail, ConfigStatus, HeartbeatRequest};

const HOME: &str = "/usr/local/ilogtail";

/// Replaces a file as a whole, as editors and mounts do.
fn put(container: &Container, path: &str, content: &Value) {
    let path = format!("{HOME}/{path}");
    container.write(&format!("{path}.new"), content.to_string());
    fs::rename(container.path(&format!("{path}.new")), container.path(&path)).unwrap();
}

/// A config in the classic form of agents.
fn classic(endpoint: &str, logstore: &str) -> Value {
    json!({"metrics": {"##1.0##demo$lines": {
        "enable": true, "version": 1, "project_name": "demo-project", "category": logstore,
        "region": "cn-hangzhou", "defaultEndpoint": endpoint,
        "log_type": "common_reg_log", "log_path": "/var/log", "file_pattern": "a.log", "max_depth": 0,
        "regex": ["(.*)"], "keys": ["content"], "log_begin_reg": ".*", "topic_format": "none",
    }}})
}

/// The message of a config in a heartbeat.
fn message(beat: &HeartbeatRequest, name: &str) -> String {
    let mut held = beat.continuous_pipeline_configs.iter();
    held.find(|held| held.name == name).map(|held| held.message.clone()).unwrap_or_default()
}

fn stop(collector: Collector) {
    let (code, out) = collector.stop();
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn local_configs_alone_are_collected_changed_without_loss_and_removed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let sink = runtime.block_on(Sink::start());
    let container = Container::without_server();
    container.write("/var/log/a.log", "");
    put(&container, "user_local_config.json", &classic(&sink.endpoint(), "store"));
    let collector = container.start();
    collector.wait_for_log("no config server is named: local configs alone are collected (1)");
    let run_state = container.path(&format!("{HOME}/run_state.json"));
    eventually("readiness", || RunState::read(&run_state).filter(|state| state.phase == Phase::Ready));
    let arrived = |logstore: &str| sink.values(logstore, "content");

    let (done, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // Writes all the time, whatever happens to the config.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                append(
                    &container.path("/var/log/a.log"),
                    &format!("line {}\n", written.load(Ordering::Relaxed)),
                );
                written.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        eventually("lines", || (arrived("store").len() > 100).then_some(()));
        put(&container, "user_local_config.json", &classic(&sink.endpoint(), "other"));
        eventually("lines of the changed config", || (arrived("other").len() > 100).then_some(()));
        done.store(true, Ordering::Relaxed);
    });
    let all = written.load(Ordering::Relaxed);
    let both = || [arrived("store"), arrived("other")].concat();
    eventually("all lines", || (both().len() >= all).then_some(()));
    assert_eq!(both(), (0..all).map(|n| format!("line {n}")).collect::<Vec<_>>());

    fs::remove_file(container.path(&format!("{HOME}/user_local_config.json"))).unwrap();
    collector.wait_for_log("config ##1.0##demo$lines: removed with");
    // Said first, and done a moment later.
    collector.wait_for_log("collection ends");
    append(&container.path("/var/log/a.log"), "not collected\n");
    stop(collector);
    assert_eq!(both().len(), all);
}

#[test]
fn a_local_config_comes_before_one_of_the_server_until_it_is_removed() {
    let server = ConfigServer::start(|beat| updates(beat, &[config("error", 7), config("access", 1)]));
    let container = Container::new();
    container.configure(&[&server.address.to_string()]);
    let local: Value = serde_json::from_slice(&config("local", 1).detail).unwrap();
    container.write("/usr/local/ilogtail/config/local/x", "");
    put(&container, "config/local/error.json", &local);
    let collector = container.start();
    let beat = server.wait_for("a clash", |beat| reports(beat, "error", 7, ConfigStatus::Failed));
    assert!(reports(&beat, "access", 1, ConfigStatus::Applied), "{beat:#?}");
    let text = message(&beat, "error");
    let file = "/usr/local/ilogtail/config/local/error.json";
    assert!(
        text.starts_with(&format!("not collected: {file} on this machine holds a config of the same name")),
        "{text}"
    );
    assert!(
        container.read("/state/config/remote/error.json").contains("\"version\": 7"),
        "it is kept for later"
    );
    let received: Value =
        serde_json::from_str(&container.read(&format!("{HOME}/user_log_config.json"))).unwrap();
    assert_eq!(
        (&received["metrics"]["error"]["version"], &received["metrics"]["access"]["version"]),
        (&json!(7), &json!(1))
    );

    fs::remove_file(container.path(file)).unwrap();
    server.wait_for("no clash", |beat| reports(beat, "error", 7, ConfigStatus::Applied));
    stop(collector);
}

#[test]
fn a_new_config_is_tried_on_lines_that_are_there_and_on_the_first_that_come() {
    let access = |version| {
        let mut detail: Value = serde_json::from_slice(&config("access", 1).detail).unwrap();
        detail["processors"] = json!([{"Type": "processor_parse_regex_native", "Keys": ["ip", "time", "rest"],
            "Regex": r#"(\S+) - - \[([^\]]+)\] "(.*)""#}]);
        ConfigDetail { detail: detail.to_string().into_bytes(), ..config("access", version) }
    };
    let late = ConfigDetail {
        detail: String::from_utf8(access(1).detail).unwrap().replace("/access.log", "/late.log").into_bytes(),
        ..config("late", 1)
    };
    let server = ConfigServer::start(move |beat| updates(beat, &[access(3), late.clone()]));
    let container = Container::new();
    container.configure(&[&server.address.to_string()]);
    let line = "10.0.0.1 - - 2018-11-13T17:05:09Z \"GET /\"\n";
    container.write("/var/log/access.log", line.repeat(500));
    let collector = container.start();

    let told = "0 of 100 lines match regex: first difference at column 14, where the regex has `\\[([^\\]]+)\\] \"(.`";
    let beat = server.wait_for("a trial", |beat| message(beat, "access").starts_with(told));
    assert!(reports(&beat, "access", 3, ConfigStatus::Applied));
    assert!(message(&beat, "access").contains("(last lines of /var/log/access.log)"));
    collector.wait_for_log(&format!("WARN config access: {told}"));
    server.wait_for("waiting", |beat| {
        message(beat, "late") == "waiting for a file: /var/log/late.log matches none yet"
    });

    container.write("/var/log/late.log", "10.0.0.1 - - [now] \"GET /\"\n10.0.0.2 - - [now] \"\"\n");
    server.wait_for("the late trial", |beat| {
        message(beat, "late").starts_with("2 of 2 lines match regex (last lines of")
    });
    // Nothing can be sent: the test's configs name no server for it.
    drop(collector);
}
