//! What the service is told of the collector, with an engine that collects and a service that takes it, or does
//! not: the Logstore is missing, or never answers. That is nobody's trouble but its own.

mod control_support;
mod data_support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use collector::diagnostics::{Diagnostics, Intervals, LOGSTORE, Settings};
use collector::engine::Engine;
use collector::instance_config::DiagnosticLogs;
use collector::pipeline::Pipeline;
use collector::tags::Host;
use control_support::{Collector, ConfigServer, Container, config_to, updates};
use data_support::{Bench, Fault, Sink, eventually, far, regex, simple};
use serde_json::{Value, json};
use sls_api::agent::ConfigDetail;
use sls_api::log_group::LogGroup;
use tokio::sync::watch;

const TYPES: [&str; 3] = ["logtail_alarm", "logtail_profile", "logtail_status"];

/// So short that tests need not wait, and places are asked for each time.
const SHORT: Intervals = Intervals {
    alarms: Duration::from_millis(20),
    profiles: Duration::from_millis(30),
    places: Duration::ZERO,
};

/// No time comes, but at the end.
const LONG: Intervals = Intervals {
    alarms: Duration::from_secs(3_600),
    profiles: Duration::from_secs(3_600),
    places: Duration::from_secs(3_600),
};

fn host() -> Host {
    Host {
        source_ip: "10.0.0.9".to_owned(),
        hostname: "pod-1".to_owned(),
        env_tags: vec![("_pod_name_".to_owned(), "pod-1".to_owned())],
        machine_uuid: "uuid-1".to_owned(),
        ..Host::default()
    }
}

/// An engine of these pipelines, and what tells of it.
struct Told {
    engine: Engine,
    diagnostics: Diagnostics,
    status: watch::Sender<Option<Value>>,
}

fn start(bench: &Bench, pipelines: Vec<Pipeline>, mode: DiagnosticLogs, intervals: Intervals) -> Told {
    let engine = bench.start(pipelines);
    let (status, told) = watch::channel(None);
    let settings = Settings { mode, intervals, host: host() };
    let clients = Arc::new(bench.sink.clients_that_wait(Duration::from_millis(500)));
    let diagnostics = Diagnostics::start(settings, engine.view(), clients, told);
    Told { engine, diagnostics, status }
}

/// The logs of a topic, as fields.
fn logs(groups: &[LogGroup]) -> Vec<BTreeMap<String, String>> {
    let logs = groups.iter().flat_map(|group| &group.logs);
    logs.map(|log| {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        log.contents.iter().map(|content| (content.key.clone(), text(&content.value))).collect()
    })
    .collect()
}

async fn wait_for_topic(sink: &Sink, logstore: &str, topic: &str) -> Vec<LogGroup> {
    let found =
        eventually(|| Some(sink.groups_of(logstore, topic)).filter(|groups| !groups.is_empty())).await;
    found.unwrap_or_else(|| panic!("no {topic} in {logstore}"))
}

/// The values of these fields.
fn picked<'a>(log: &'a BTreeMap<String, String>, keys: &[&str]) -> Vec<&'a str> {
    keys.iter().map(|key| log.get(*key).map_or("-", String::as_str)).collect()
}

#[tokio::test]
async fn all_topics_arrive_where_project_logging_says() {
    let bench = Bench::new().await;
    bench.sink.set_logging("project-1", &TYPES, "diagnostics");
    bench.append("a.log", "1\nx\ny\n");
    let told = start(&bench, vec![regex(r"(\d+)", &["n"])], DiagnosticLogs::Auto, SHORT);
    told.status.send_replace(Some(json!({"cpu": "0.0100", "detail_metric": {"open_fd": 3}, "time": "t"})));

    let alarms = wait_for_topic(&bench.sink, "diagnostics", "logtail_alarm").await;
    let alarm = &logs(&alarms)[0];
    let keys =
        ["alarm_type", "alarm_level", "alarm_count", "project", "logstore", "config", "source_ip", "os"];
    let wanted = ["REGEX_MATCH_ALARM", "2", "2", "project-1", "store", "simple", "10.0.0.9", "linux"];
    assert_eq!(picked(alarm, &keys), wanted, "{alarm:?}");
    assert!(alarm["alarm_message"].contains("one of them: \"x\"") && alarm.contains_key("version"));
    let group = &alarms[0];
    assert_eq!((group.source.as_deref(), group.machine_uuid.as_deref()), (Some("10.0.0.9"), Some("uuid-1")));
    let tags: Vec<&str> = group.log_tags.iter().map(|tag| tag.key.as_str()).collect();
    assert_eq!(tags, ["__hostname__", "_pod_name_"]);

    let status = &logs(&wait_for_topic(&bench.sink, "diagnostics", "logtail_status").await)[0];
    assert_eq!(picked(status, &["cpu", "detail_metric", "time"]), ["0.0100", r#"{"open_fd":3}"#, "-"]);

    let has_read = |groups: &[LogGroup]| {
        let logs = logs(groups);
        let sum = |name: &str| -> u64 {
            let of_name = logs.iter().filter(|log| log["file_name"] == name);
            of_name.map(|log| log["succeed_lines"].parse::<u64>().expect("a number")).sum()
        };
        (sum("/logs/a.log") == 1 && sum("logstore_statistics") == 1).then_some(())
    };
    let profiles = || bench.sink.groups_of("diagnostics", "logtail_profile");
    eventually(|| has_read(&profiles())).await.unwrap_or_else(|| panic!("{:?}", profiles()));
    let profile = logs(&profiles());
    let file = profile.iter().find(|log| log["file_name"] == "/logs/a.log").expect("the file");
    assert_eq!(
        picked(file, &["config_name", "read_offset", "file_size"]),
        ["##1.0##project-1$simple", "6", "6"]
    );
    told.engine.drain(far()).await;
}

#[tokio::test]
async fn without_project_logging_nothing_is_sent_unless_the_setting_says_so() {
    let bench = Bench::new().await;
    bench.append("a.log", "1\nx\n");
    let told = start(&bench, vec![regex(r"(\d+)", &["content"])], DiagnosticLogs::Auto, SHORT);
    bench.sink.wait_for(1).await;
    eventually(|| (bench.sink.logging_asked() >= 3).then_some(())).await.expect("it is asked again");
    assert_eq!(bench.sink.logs(), 1, "the user's log alone");
    // It is switched on while the collector runs.
    bench.sink.set_logging("project-1", &["logtail_alarm"], LOGSTORE);
    bench.append("a.log", "y\n");
    wait_for_topic(&bench.sink, LOGSTORE, "logtail_alarm").await;
    assert_eq!(bench.sink.groups_of(LOGSTORE, "logtail_profile").len(), 0, "a type that nobody wants");
    drop(told);

    let bench = Bench::new().await;
    bench.append("a.log", "1\nx\n");
    let told = start(&bench, vec![regex(r"(\d+)", &["content"])], DiagnosticLogs::Always, SHORT);
    wait_for_topic(&bench.sink, LOGSTORE, "logtail_alarm").await;
    drop(told);
}

#[tokio::test]
async fn user_logs_do_not_wait_for_a_logstore_that_is_missing_or_never_answers() {
    for fault in
        [Fault::Refuse(404, "LogStoreNotExist"), Fault::Hang, Fault::Refuse(500, "InternalServerError")]
    {
        let bench = Bench::new().await;
        bench.sink.set_logging("project-1", &TYPES, LOGSTORE);
        bench.sink.fail_logstore(LOGSTORE, Some(fault));
        let told = start(&bench, vec![regex(r"(\d+)", &["content"])], DiagnosticLogs::Auto, SHORT);
        told.status.send_replace(Some(json!({"cpu": "0"})));
        let mut written = 0;
        let dropped = || told.engine.board().gauges.diagnostics_dropped.load(Ordering::Relaxed);
        // Until diagnostic logs have been dropped several times.
        while dropped() < 3 {
            bench.append("a.log", &format!("{written}\nx\n"));
            written += 1;
            bench.sink.wait_for(written).await;
        }
        let report = told.engine.drain(far()).await;
        assert!(report.is_complete, "{fault:?}: {report:?}");
        let account = report.account;
        assert_eq!((account.lines.sent, account.lines.dropped), (written as u64, written as u64));
        assert_eq!(account.bytes.sum(), account.bytes.discovered);
        assert_eq!(bench.sink.groups_of(LOGSTORE, "logtail_alarm").len(), 0);
    }
}

#[tokio::test]
async fn alarms_that_could_not_be_told_are_told_later_with_their_count() {
    let bench = Bench::new().await;
    bench.sink.set_logging("project-1", &["logtail_alarm"], LOGSTORE);
    bench.sink.fail_logstore(LOGSTORE, Some(Fault::Refuse(503, "ServerBusy")));
    let told = start(&bench, vec![regex(r"(\d+)", &["content"])], DiagnosticLogs::Auto, SHORT);
    for n in 1..=3 {
        bench.append("a.log", &format!("{n}\nx\n"));
        bench.sink.wait_for(n).await;
    }
    let dropped = || told.engine.board().gauges.diagnostics_dropped.load(Ordering::Relaxed);
    eventually(|| (dropped() >= 2).then_some(())).await.expect("refusals");
    bench.sink.fail_logstore(LOGSTORE, None);
    let counted = || -> u64 {
        let logs = logs(&bench.sink.groups_of(LOGSTORE, "logtail_alarm"));
        logs.iter().map(|log| log["alarm_count"].parse::<u64>().expect("a number")).sum()
    };
    eventually(|| (counted() == 3).then_some(())).await.unwrap_or_else(|| panic!("{} of 3", counted()));
}

#[tokio::test]
async fn a_project_that_could_not_be_asked_is_asked_again_soon_and_alarms_wait_for_it() {
    let bench = Bench::new().await;
    bench.sink.set_logging("project-1", &["logtail_alarm"], LOGSTORE);
    bench.sink.set_logging_away(true);
    let soon = Intervals { places: LONG.places, ..SHORT };
    bench.append("a.log", "1\nx\n");
    let told = start(&bench, vec![regex(r"(\d+)", &["content"])], DiagnosticLogs::Auto, soon);
    eventually(|| (bench.sink.logging_asked() >= 3).then_some(())).await.expect("it is asked again");
    bench.sink.set_logging_away(false);
    let alarms = logs(&wait_for_topic(&bench.sink, LOGSTORE, "logtail_alarm").await);
    assert_eq!(picked(&alarms[0], &["alarm_type", "alarm_count"]), ["REGEX_MATCH_ALARM", "1"]);
    // What is known is not asked for again.
    let asked = bench.sink.logging_asked();
    bench.append("a.log", "y\n");
    let all = || bench.sink.groups_of(LOGSTORE, "logtail_alarm").len();
    eventually(|| (all() == 2).then_some(())).await.expect("the next alarm");
    assert_eq!(bench.sink.logging_asked(), asked);
    drop(told);
}

#[tokio::test]
async fn what_is_about_no_project_is_told_to_all_and_what_is_about_one_to_it_alone() {
    let bench = Bench::new().await;
    let other = Pipeline {
        name: "other".to_owned(),
        destination: collector::pipeline::Destination {
            project: "project-2".parse().expect("project"),
            ..data_support::destination("store-2")
        },
        input: collector::pipeline::FileInput { file_pattern: "b.log".to_owned(), ..simple().input },
        ..simple()
    };
    let told = start(&bench, vec![regex(r"(\d+)", &["content"]), other], DiagnosticLogs::Always, LONG);
    bench.append("a.log", "1\nx\n");
    bench.sink.wait_for(1).await;
    let of_all = Arc::default();
    let board = told.engine.board();
    board.alarms.raise(collector::alarm::Alarm::ConfigUpdate, "", &of_all, 1, || "of all".to_owned());
    told.diagnostics.finish(Duration::from_secs(60)).await;
    let mut types: Vec<String> = logs(&bench.sink.groups_of(LOGSTORE, "logtail_alarm"))
        .into_iter()
        .map(|log| log["alarm_type"].clone())
        .collect();
    types.sort();
    assert_eq!(types, ["CONFIG_UPDATE_ALARM", "CONFIG_UPDATE_ALARM", "REGEX_MATCH_ALARM"]);
    let files: Vec<String> = logs(&bench.sink.groups_of(LOGSTORE, "logtail_profile"))
        .into_iter()
        .map(|log| format!("{}: {}", log["project"], log["file_name"]))
        .collect();
    assert_eq!(
        files,
        ["project-1: /logs/a.log", "project-1: logstore_statistics", "project-2: logstore_statistics"]
    );
}

#[tokio::test]
async fn the_last_words_take_no_longer_than_they_may() {
    let bench = Bench::new().await;
    bench.sink.set_logging("project-1", &TYPES, LOGSTORE);
    bench.sink.fail_logstore(LOGSTORE, Some(Fault::Hang));
    let engine = bench.start(vec![regex(r"(\d+)", &["content"])]);
    let (_, told) = watch::channel(None);
    let settings = Settings { mode: DiagnosticLogs::Auto, intervals: LONG, host: host() };
    let clients = Arc::new(bench.sink.clients_that_wait(Duration::from_secs(3_600)));
    let diagnostics = Diagnostics::start(settings, engine.view(), clients, told);
    bench.append("a.log", "1\nx\n");
    bench.sink.wait_for(1).await;
    engine.drain(far()).await;
    diagnostics.finish(Duration::from_millis(300)).await;
    assert_eq!(bench.sink.bad_requests(), 1, "the alarms hang, and the profile does not come to its turn");
}

/// A collector as a process whose config `app` collects `/var/log/app.log`, and the Logstore of its lines.
struct Pod {
    container: Container,
    sink: Sink,
    _configs: ConfigServer,
    _runtime: tokio::runtime::Runtime,
}

impl Pod {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sink = runtime.block_on(Sink::start());
        sink.set_logging("k8s-nginx-sidecar-demo", &TYPES, LOGSTORE);
        let endpoint = sink.endpoint();
        let configs = ConfigServer::start(move |beat| {
            let detail =
                br#"{"flushers": [{"Project": "k8s-nginx-sidecar-demo", "Logstore": "nginx-access"}]}"#;
            let bad = ConfigDetail { detail: detail.to_vec(), ..config_to("bad", 7, &endpoint) };
            updates(beat, &[config_to("app", 1, &endpoint), bad])
        });
        let container = Container::new();
        container.configure(&[&configs.address.to_string()]);
        container.write("/var/log/app.log", "1\n2\n");
        Self { container, sink, _configs: configs, _runtime: runtime }
    }

    fn start(&self) -> Collector {
        let collector = self.container.start();
        let lines = || self.sink.values("nginx-error", "content").len();
        control_support::eventually("the lines", || (lines() == 2).then_some(()));
        collector
    }
}

#[test]
fn a_collector_that_ends_tells_the_rest_before() {
    let pod = Pod::new();
    let (code, out) = pod.start().stop();
    assert_eq!(code, Some(0), "{out}");
    let profile = logs(&pod.sink.groups_of(LOGSTORE, "logtail_profile"));
    let names: Vec<&str> = profile.iter().map(|log| log["file_name"].as_str()).collect();
    assert_eq!(names, ["/var/log/app.log", "logstore_statistics"]);
    let keys = ["succeed_lines", "send_success_count", "sender_valid_flag", "send_queue_size"];
    assert_eq!(picked(&profile[1], &keys)[0], "2");
    assert_eq!(picked(&profile[1], &keys)[2..], ["true", "0"]);
    let alarm = &logs(&pod.sink.groups_of(LOGSTORE, "logtail_alarm"))[0];
    let keys = ["alarm_type", "alarm_count", "project", "logstore", "config"];
    let wanted = ["USER_CONFIG_ALARM", "1", "k8s-nginx-sidecar-demo", "nginx-access", "bad"];
    assert_eq!(picked(alarm, &keys), wanted, "{alarm:?}");
    assert!(alarm["alarm_message"].starts_with("version 7: "), "{alarm:?}");
    let status = &logs(&pod.sink.groups_of(LOGSTORE, "logtail_status"))[0];
    assert_eq!(picked(status, &["hostname", "user_defined_id"]), ["pod-1", "nginx-log-sidecar"]);
    let detail: Value = serde_json::from_str(&status["detail_metric"]).expect("JSON");
    assert_eq!((&detail["multi_config"], &detail["plugin_enabled"]), (&true.into(), &false.into()));
}

#[test]
fn a_job_ends_though_nobody_takes_what_is_told_of_the_collector() {
    let mut pod = Pod::new();
    pod.sink.fail_logstore(LOGSTORE, Some(Fault::Hang));
    pod.container.set("ALIYUN_LOGTAIL_EXIT_ON_IDLE", "true");
    pod.container.set("ALIYUN_LOGTAIL_EXIT_QUIET_SECONDS", "1");
    let (code, out) = pod.start().wait();
    assert_eq!(code, Some(0), "{out}");
    assert!(out.starts_with("drained {\"complete\":true"), "{out}");
    assert!(pod.sink.bad_requests() >= 1, "it was tried");
}

#[test]
fn a_collector_that_is_not_to_tell_asks_for_nothing() {
    let mut pod = Pod::new();
    pod.container.set("ALIYUN_LOGTAIL_DIAGNOSTIC_LOGS", "false");
    let (code, _) = pod.start().stop();
    assert_eq!((code, pod.sink.logging_asked(), pod.sink.logs()), (Some(0), 0, 2));
}
