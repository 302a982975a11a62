//! The init script and the foreground process's life, with real processes.

mod control_support;

use std::process::Output;

use control_support::{ConfigServer, Container, config, eventually, reports, updates, wait_gone};
use rustix::process::Signal;
use sls_api::agent::ConfigStatus;

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn expect(output: &Output, code: i32, text: &str) {
    let (found, out) = said(output);
    assert!(
        found == Some(code) && out.contains(text),
        "{found:?} {out} {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn start_status_restart_stop_work_as_an_init_script() {
    let server = ConfigServer::start(|beat| updates(beat, &[config("error", 1)]));
    let container = Container::new();
    container.configure(&[&server.address.to_string()]);
    expect(&container.initd("status"), 3, "ilogtail is not running");
    expect(&container.initd("start"), 0, "ilogtail is running");
    assert!(
        container.path("/state/config/remote/error.json").exists(),
        "start returns when the config is there"
    );
    let first = container.read("/usr/local/ilogtail/ilogtail.pid");
    expect(&container.initd("status"), 0, "ilogtail is running");
    expect(&container.initd("start"), 0, "is running already");
    expect(&container.initd("restart"), 0, "ilogtail is running");
    let second = container.read("/usr/local/ilogtail/ilogtail.pid");
    assert_ne!(first, second);
    expect(&container.initd("stop"), 0, "ilogtail is stopped");
    wait_gone(second.trim());
    expect(&container.initd("status"), 3, "ilogtail is not running");
    expect(&container.initd("stop"), 0, "ilogtail is not running");
    let log = container.read("/usr/local/ilogtail/ilogtail.LOG");
    assert!(log.contains("config error: version 1 accepted"), "{log}");
}

#[test]
fn start_without_a_server_returns_and_leaves_the_collector_trying() {
    let container = Container::new();
    container.configure(&["127.0.0.1:1"]);
    expect(&container.initd("start"), 0, "had no config after 10 s; see");
    expect(&container.initd("status"), 0, "ilogtail is running");
    expect(&container.initd("stop"), 0, "ilogtail is stopped");
}

#[test]
fn start_with_a_config_that_is_not_json_says_why() {
    let container = Container::new();
    container.write(control_support::CONFIG, "{ nonsense");
    expect(&container.initd("start"), 78, "is not JSON: key must be a string at line 1, column 3");
    expect(&container.initd("status"), 3, "ilogtail is not running");
}

#[test]
fn the_later_name_of_the_script_speaks_of_loongcollector() {
    let container = Container::new();
    let output = container.command("/etc/init.d/loongcollectord", &["status"]).output().unwrap();
    expect(&output, 3, "loongcollector is not running");
}

#[test]
fn unknown_verbs_are_a_usage_error() {
    let container = Container::new();
    for args in [&["reload"][..], &[], &["start", "now"]] {
        let output = container.command("ilogtaild", args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let usage = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(usage.trim(), "usage: ilogtaild start|stop|restart|status|start_and_block");
    }
    assert_eq!(container.command("collector", &["fly"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn the_entry_point_can_be_probed_and_a_killed_one_leaves_a_stale_file() {
    let server = ConfigServer::start(|beat| updates(beat, &[]));
    let container = Container::new();
    container.configure(&[&server.address.to_string()]);
    let collector = container.start();
    server.wait_for("a heartbeat", |_| true);
    expect(&container.initd("status"), 0, "ilogtail is running");
    collector.signal(Signal::KILL);
    let id = collector.id();
    let (code, _) = collector.wait();
    assert_eq!(code, None);
    expect(&container.initd("status"), 1, &format!("process {id} has ended without removing"));
    let again = container.start();
    eventually("running again", || (container.initd("status").status.code() == Some(0)).then_some(()));
    again.stop();
}

#[test]
fn a_main_loop_that_does_not_turn_is_seen_by_the_probe() {
    let server = ConfigServer::start(|beat| updates(beat, &[]));
    let container = Container::new();
    container.configure(&[&server.address.to_string()]);
    let collector = container.start();
    server.wait_for("a heartbeat", |_| true);
    collector.signal(Signal::STOP);
    // As if the process had been stopped for two minutes.
    let state = container.read("/usr/local/ilogtail/run_state.json");
    let mut state: serde_json::Value = serde_json::from_str(&state).unwrap();
    state["beat_ms"] = (state["beat_ms"].as_i64().unwrap() - 120_000).into();
    container.write("/usr/local/ilogtail/run_state.json", state.to_string());
    expect(&container.initd("status"), 1, "ilogtail hangs: the main loop of process");
    collector.signal(Signal::CONT);
    collector.stop();
}

#[test]
fn a_second_collector_in_the_same_container_does_not_start() {
    let server = ConfigServer::start(|beat| updates(beat, &[]));
    let container = Container::new();
    container.configure(&[&server.address.to_string()]);
    let collector = container.start();
    server.wait_for("a heartbeat", |_| true);
    let output = container.command("ilogtail", &["run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains(&format!("already running as process {}", collector.id())), "{log}");
    collector.stop();
}

#[test]
fn the_end_is_accounted_for_in_one_line() {
    let server = ConfigServer::start(|beat| updates(beat, &[config("error", 1)]));
    let container = Container::new();
    container.configure(&[&server.address.to_string()]);
    let collector = container.start();
    server.wait_for("the config", |beat| reports(beat, "error", 1, ConfigStatus::Applied));
    let (code, out) = collector.stop();
    assert_eq!(code, Some(0), "{out}");
    let json = out.trim().strip_prefix("drained ").unwrap();
    let report: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(report["complete"], true, "{report}");
    assert!(!container.path("/usr/local/ilogtail/ilogtail.pid").exists());
}

/// A container whose one log file cannot be delivered: nobody listens at its data endpoint.
fn undeliverable(server: &ConfigServer) -> Container {
    let container = Container::new();
    container.configure(&[&server.address.to_string()]);
    container.write("/var/log/error.log", "one line\n");
    container
}

fn wait_until_read(server: &ConfigServer) {
    server.wait_for("a sending error", |beat| {
        let mut configs = beat.continuous_pipeline_configs.iter();
        configs.any(|config| config.message.contains("k8s-nginx-sidecar-demo/nginx-error"))
    });
}

#[test]
fn what_could_not_be_delivered_within_the_grace_is_accounted_for_and_shows_in_the_exit_code() {
    let server = ConfigServer::start(|beat| updates(beat, &[config("error", 1)]));
    let mut container = undeliverable(&server);
    container.set("exit_flushout_duration", "300");
    let collector = container.start();
    wait_until_read(&server);
    let (code, out) = collector.stop();
    assert_eq!(code, Some(4), "{out}");
    let report: serde_json::Value =
        serde_json::from_str(out.trim().strip_prefix("drained ").unwrap()).unwrap();
    assert_eq!((&report["complete"], &report["logs_unacknowledged"]), (&false.into(), &1.into()), "{report}");
}

#[test]
fn stop_says_when_something_was_left() {
    let server = ConfigServer::start(|beat| updates(beat, &[config("error", 1)]));
    let mut container = undeliverable(&server);
    container.set("LOONG_EXIT_FLUSHOUT_DURATION", "300");
    expect(&container.initd("start"), 0, "ilogtail is running");
    wait_until_read(&server);
    expect(
        &container.initd("stop"),
        0,
        "ilogtail is stopped, but could not deliver everything within 0 s; see",
    );
}

#[test]
fn a_second_signal_ends_the_drain_at_once() {
    let server = ConfigServer::start(|beat| updates(beat, &[config("error", 1)]));
    let mut container = undeliverable(&server);
    container.set("exit_flushout_duration", "3600000");
    let collector = container.start();
    wait_until_read(&server);
    collector.signal(Signal::TERM);
    collector.wait_for_log("stopping: reading until nobody writes any more");
    let (code, out) = collector.stop();
    assert_eq!((code, out.as_str()), (Some(130), ""));
    assert!(!container.path("/usr/local/ilogtail/ilogtail.pid").exists());
}

#[test]
fn a_restart_does_not_wait_for_the_programs_that_write() {
    let server = ConfigServer::start(|beat| updates(beat, &[config("idle", 1)]));
    let mut container = Container::new();
    container.configure(&[&server.address.to_string()]);
    // The drain of a pod's end would wait for this writer for an hour.
    container.set("exit_flushout_duration", "3600000");
    container.write("/var/log/idle.log", "");
    let _writer = std::fs::OpenOptions::new().append(true).open(container.path("/var/log/idle.log")).unwrap();
    expect(&container.initd("start"), 0, "ilogtail is running");
    expect(&container.initd("restart"), 0, "ilogtail is stopped");
    let log = container.read("/usr/local/ilogtail/ilogtail.LOG");
    assert!(log.contains("stopping for a successor"), "{log}");
    expect(&container.initd("status"), 0, "ilogtail is running");
    expect(&container.initd("restart"), 0, "ilogtail is running");
    // Ends without the hour as well: by two signals.
    let pid = container.read("/usr/local/ilogtail/ilogtail.pid").trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, Signal::USR1).unwrap();
    wait_gone(&pid.as_raw_nonzero().to_string());
}
