//! The life of the sidecar with real processes: it says when it is ready, ends by itself, and accounts for every
//! byte.

mod control_support;
mod data_support;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use control_support::{Collector, ConfigServer, Container, config, config_to, eventually, reports, updates};
use data_support::{Fault, Sink};
use rustix::process::Signal;
use sls_api::agent::ConfigStatus;

/// A server for configs, one for logs, and a container whose config `app` collects `/var/log/app.log`.
struct Pod {
    container: Container,
    configs: ConfigServer,
    sink: Sink,
    /// The config is there.
    is_configured: Arc<AtomicBool>,
    _runtime: tokio::runtime::Runtime,
}

impl Pod {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sink = runtime.block_on(Sink::start());
        let is_configured = Arc::new(AtomicBool::new(true));
        let (configured, endpoint) = (Arc::clone(&is_configured), sink.endpoint());
        let configs = ConfigServer::start(move |beat| {
            let configs = [config_to("app", 1, &endpoint)];
            updates(beat, if configured.load(Ordering::SeqCst) { &configs } else { &[] })
        });
        let container = Container::new();
        container.configure(&[&configs.address.to_string()]);
        container.write("/dev/termination-log", ""); // as the kubelet does
        Self { container, configs, sink, is_configured, _runtime: runtime }
    }

    fn lines(&self) -> Vec<String> {
        self.sink.values("nginx-error", "content")
    }

    fn wait_for_lines(&self, n: usize) {
        eventually("the lines in the Logstore", || (self.lines().len() >= n).then_some(()));
    }

    /// What the kubelet would show: for people, for machines.
    fn account(&self) -> (String, serde_json::Value) {
        let message = self.container.read("/dev/termination-log");
        let (text, json) = message.split_once('\n').unwrap_or_else(|| panic!("{message:?}"));
        let account: serde_json::Value = serde_json::from_str(json).unwrap();
        let sum = |value: &serde_json::Value| -> u64 {
            let fates = value.as_object().unwrap().iter().filter(|(name, _)| *name != "discovered");
            fates
                .map(|(_, fate)| match fate {
                    serde_json::Value::Object(reasons) => reasons.values().map(|n| n.as_u64().unwrap()).sum(),
                    n => n.as_u64().unwrap(),
                })
                .sum()
        };
        assert_eq!(account["bytes"]["discovered"], sum(&account["bytes"]), "{account}");
        for file in account["by_file"].as_array().unwrap() {
            assert_eq!(file["bytes"]["discovered"], sum(&file["bytes"]), "{file}");
        }
        (text.to_owned(), account)
    }

    fn wait_until_collecting(&self) {
        self.configs.wait_for("the config", |beat| reports(beat, "app", 1, ConfigStatus::Applied));
    }

    fn append(&self, path: &str, text: &str) {
        let path = self.container.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

fn ended_well(collector: Collector) {
    let (code, out) = collector.wait();
    assert_eq!(code, Some(0), "{out}");
    assert!(out.starts_with("drained {\"complete\":true"), "{out}");
}

#[test]
fn the_cornerstone_comes_with_the_first_config_and_the_tombstone_ends_the_collector() {
    let mut pod = Pod::new();
    pod.is_configured.store(false, Ordering::SeqCst);
    pod.container.set("ALIYUN_LOGTAIL_TASKSITE", "/tasksite");
    let cornerstone = pod.container.path("/tasksite/cornerstone");
    let collector = pod.container.start();
    eventually("two heartbeats", || (pod.configs.beats().len() >= 2).then_some(()));
    assert!(!cornerstone.exists(), "there is no config yet");
    pod.is_configured.store(true, Ordering::SeqCst);
    eventually("the cornerstone", || cornerstone.exists().then_some(()));
    pod.append("/var/log/app.log", "1\n2\n3");
    pod.container.write("/tasksite/tombstone", "");
    ended_well(collector);
    assert_eq!(pod.lines(), ["1", "2", "3"]);
    let (text, account) = pod.account();
    assert_eq!(text, "1 files, 3 lines sent, 0 lost, 0 bytes unread");
    assert_eq!((&account["reason"], &account["bytes"]["acknowledged"]), (&"tombstone".into(), &5.into()));
}

#[test]
fn a_tombstone_from_before_the_start_waits_for_the_config() {
    let pod = Pod::new();
    pod.is_configured.store(false, Ordering::SeqCst);
    pod.append("/var/log/app.log", "1\n");
    pod.container.write("/site/tombstone", "");
    let collector = pod.container.start_as("collector", &["run", "--tasksite", "/site"]);
    eventually("two heartbeats", || (pod.configs.beats().len() >= 2).then_some(()));
    pod.is_configured.store(true, Ordering::SeqCst);
    ended_well(collector);
    assert_eq!(pod.lines(), ["1"]);
}

#[test]
fn after_a_tombstone_a_dead_server_is_waited_for_until_a_signal_sets_a_deadline() {
    let mut pod = Pod::new();
    pod.sink.fail_always(Some(Fault::Refuse(503, "ServerBusy")));
    pod.container.set("ALIYUN_LOGTAIL_TASKSITE", "/tasksite");
    pod.container.set("exit_flushout_duration", "300");
    pod.append("/var/log/app.log", "1\n");
    pod.container.write("/tasksite/tombstone", "");
    let collector = pod.container.start();
    collector.wait_for_log("sending the rest");
    let (code, out) = collector.stop();
    assert_eq!(code, Some(4), "{out}");
    let (text, account) = pod.account();
    assert_eq!(text, "1 files, 0 lines sent, 0 lost, 0 bytes unread, 1 not acknowledged");
    assert_eq!(account["bytes"]["unacknowledged"], 2);
}

#[test]
fn after_a_tombstone_a_program_that_writes_on_is_waited_for_as_long_as_the_grace() {
    let mut pod = Pod::new();
    pod.container.set("ALIYUN_LOGTAIL_TASKSITE", "/tasksite");
    pod.container.set("exit_flushout_duration", "300");
    pod.append("/var/log/app.log", "0\n");
    let path = pod.container.path("/var/log/app.log");
    let is_over = Arc::new(AtomicBool::new(false));
    let program = std::thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || {
            let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
            let mut lines = 1;
            while !is_over.load(Ordering::SeqCst) {
                file.write_all(format!("{lines}\n").as_bytes()).unwrap();
                lines += 1;
                std::thread::sleep(std::time::Duration::from_micros(50)); // its pace; waits for nothing
            }
        }
    });
    let collector = pod.container.start();
    pod.wait_for_lines(1);
    pod.container.write("/tasksite/tombstone", "");
    let (code, out) = collector.wait();
    is_over.store(true, Ordering::SeqCst);
    program.join().unwrap();
    let (_, account) = pod.account();
    let bytes = &account["bytes"];
    assert_eq!(code, Some(if bytes["unread"] == 0 { 0 } else { 4 }), "{out}");
    assert_eq!(
        (&bytes["unacknowledged"], &account["still_written"][0]),
        (&0.into(), &"/var/log/app.log".into())
    );
    let lines = pod.lines();
    assert_eq!(lines, (0..lines.len()).map(|line| line.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_pods_collector_ends_when_the_writer_is_gone_and_all_is_acknowledged() {
    let mut pod = Pod::new();
    pod.container.set("JOB_COMPLETION_INDEX", "0");
    pod.container.set("ALIYUN_LOGTAIL_EXIT_QUIET_SECONDS", "1");
    let collector = pod.container.start_as("/etc/init.d/ilogtaild", &["start_and_block"]);
    pod.append("/var/log/app.log", "1\n");
    let mut writer =
        std::fs::OpenOptions::new().append(true).open(pod.container.path("/var/log/app.log")).unwrap();
    pod.wait_for_lines(1);
    writer.write_all(b"2\n3").unwrap();
    pod.wait_for_lines(2);
    assert!(pod.container.initd("status").status.success());
    drop(writer);
    ended_well(collector);
    assert_eq!(pod.lines(), ["1", "2", "3"]);
    let (text, account) = pod.account();
    assert_eq!(text, "1 files, 3 lines sent, 0 lost, 0 bytes unread");
    assert_eq!((&account["reason"], &account["complete"]), (&"idle".into(), &true.into()));
}

/// Status code and body.
fn get(port: u16, path: &str) -> Option<(u16, String)> {
    use std::io::Read;
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: pod\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

#[test]
fn probes_tell_when_it_collects_and_what() {
    let mut pod = Pod::new();
    pod.is_configured.store(false, Ordering::SeqCst);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    pod.container.set("HTTP_PROBE_PORT", &port.to_string());
    let collector = pod.container.start();
    let (code, _) = eventually("an answer", || get(port, "/liveness"));
    assert_eq!(code, 200);
    assert_eq!(get(port, "/readyz").unwrap().0, 503);
    pod.is_configured.store(true, Ordering::SeqCst);
    eventually("readiness", || get(port, "/readyz").filter(|(code, _)| *code == 200));
    pod.append("/var/log/app.log", "1\n2\n");
    let sent = "collector_logs_sent_total{config=\"app\"} 2\n";
    let has_all = |text: &str| {
        let accounted = ["account_bytes{fate=\"acknowledged\"} 4\n", "account_bytes{fate=\"unread\"} 0\n"];
        text.contains(sent) && accounted.iter().all(|line| text.contains(line))
    };
    eventually("the lines in the metrics", || get(port, "/metrics").filter(|(_, text)| has_all(text)));
    collector.stop();
}

#[test]
fn around_the_init_script_a_shell_ends_the_collector_and_stop_returns_when_all_is_delivered() {
    let mut pod = Pod::new();
    pod.container.set("JOB_COMPLETION_INDEX", "0");
    assert!(pod.container.initd("start").status.success());
    pod.append("/var/log/app.log", "1\n2");
    assert!(pod.container.initd("stop").status.success());
    assert_eq!(pod.lines(), ["1", "2"]);
    assert_eq!(pod.account().0, "1 files, 2 lines sent, 0 lost, 0 bytes unread");
    let log = pod.container.read("/usr/local/ilogtail/ilogtail.LOG");
    assert!(!log.contains("ends by itself"), "{log}");
}

#[test]
fn start_and_block_passes_a_failure_on() {
    let pod = Pod::new();
    pod.container.write(control_support::CONFIG, "{ nonsense");
    let (code, _) = pod.container.start_as("/etc/init.d/ilogtaild", &["start_and_block"]).wait();
    assert_eq!(code, Some(78));
}

#[test]
fn a_pod_that_ends_is_read_to_the_end_of_files_that_came_after_the_signal() {
    let pod = Pod::new();
    pod.append("/var/log/app.log", "1\n");
    let writer =
        std::fs::OpenOptions::new().append(true).open(pod.container.path("/var/log/app.log")).unwrap();
    let collector = pod.container.start();
    pod.wait_for_lines(1);
    collector.signal(Signal::TERM);
    collector.wait_for_log("reading until nobody writes any more");
    std::fs::rename(pod.container.path("/var/log/app.log"), pod.container.path("/var/log/app.log.1"))
        .unwrap();
    (&writer).write_all(b"2\n").unwrap();
    pod.append("/var/log/app.log", "3\n4");
    drop(writer);
    ended_well(collector);
    let mut lines = pod.lines();
    lines.sort();
    assert_eq!(lines, ["1", "2", "3", "4"]);
    let (text, _) = pod.account();
    assert_eq!(text, "1 files, 4 lines sent, 0 lost, 0 bytes unread");
}

#[test]
fn without_any_grace_the_account_comes_at_once() {
    let pod = Pod::new();
    pod.container.write("/var/log/app.log", "");
    pod.sink.fail_always(Some(Fault::Hang));
    let collector = pod.container.start_as("collector", &["run", "--grace", "0"]);
    pod.wait_until_collecting();
    pod.append("/var/log/app.log", "1\n");
    eventually("a request", || (pod.sink.requests() > 0).then_some(()));
    let (code, out) = collector.stop();
    assert_eq!(code, Some(4), "{out}");
    let (text, account) = pod.account();
    assert_eq!(text, "1 files, 0 lines sent, 0 lost, 0 bytes unread, 1 not acknowledged");
    assert_eq!(account["reason"], "signal");
}

#[test]
fn without_any_grace_and_work_the_end_is_clean() {
    let pod = Pod::new();
    let collector = pod.container.start_as("collector", &["run", "--grace", "0"]);
    pod.wait_until_collecting();
    let (code, out) = collector.stop();
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(pod.account().0, "0 files, 0 lines sent, 0 lost, 0 bytes unread");
}

#[test]
fn a_collector_that_cannot_start_says_why_where_the_kubelet_looks() {
    let container = Container::new();
    container.write("/dev/termination-log", "");
    container.write(control_support::CONFIG, "{ nonsense");
    let (code, _) = container.start().wait();
    assert_eq!(code, Some(78));
    let message = container.read("/dev/termination-log");
    assert!(message.contains("is not JSON"), "{message}");
}

#[test]
fn no_file_is_made_where_the_kubelet_made_none() {
    let server = ConfigServer::start(|beat| updates(beat, &[config("app", 1)]));
    let container = Container::new();
    container.configure(&[&server.address.to_string()]);
    let collector = container.start();
    server.wait_for("the config", |beat| reports(beat, "app", 1, ConfigStatus::Applied));
    collector.stop();
    assert!(!container.path("/dev").exists());
}

#[test]
fn the_files_that_support_asks_for_tell_of_the_same_collector() {
    let pod = Pod::new();
    let _collector = pod.container.start();
    pod.wait_until_collecting();
    let line = eventually("a line of the status", || {
        let text = pod.container.read("/usr/local/ilogtail/ilogtail_status.LOG");
        text.split_once('\n').map(|(line, _)| line.to_owned())
    });
    let status: serde_json::Value = serde_json::from_str(&line).unwrap();
    let info: serde_json::Value =
        serde_json::from_str(&pod.container.read("/usr/local/ilogtail/app_info.json")).unwrap();
    for (of_status, of_info) in [
        ("instance_id", "instance_id"),
        ("uuid", "UUID"),
        ("ip", "ip"),
        ("hostname", "hostname"),
        ("version", "version"),
        ("os_detail", "os"),
    ] {
        assert!(info[of_info].is_string(), "{info}");
        assert_eq!(status[of_status], info[of_info], "{of_status}");
    }
    if cfg!(target_os = "linux") {
        assert!(status["memory"].as_u64().unwrap() > 0, "{line}");
        assert!(status["detail_metric"]["open_fd"].as_u64().unwrap() > 0, "{line}");
    }
}
