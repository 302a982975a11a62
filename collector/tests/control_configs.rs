//! Configs that come, change, go, come again, in great number or with faults, while files are written. The ledger:
//! each line arrives once, whatever the configs did meanwhile.

mod control_support;
mod data_support;

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use control_support::{ConfigServer, Container, config_to, eventually, reports, updates};
use data_support::{Sink, append};
use sls_api::agent::{ConfigDetail, ConfigStatus, FetchConfigResponse, HeartbeatRequest, VERSION_DELETED};

/// Configs that one collector takes.
const CONFIGS_MAX: usize = 1_000;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// What the config server hands out, to be changed by the test.
#[derive(Clone, Default)]
struct HandedOut(Arc<Mutex<Vec<ConfigDetail>>>);

impl HandedOut {
    fn set(&self, configs: Vec<ConfigDetail>) {
        *self.0.lock().unwrap() = configs;
    }

    fn serve(&self, address: &str) -> ConfigServer {
        let configs = Arc::clone(&self.0);
        let answer = move |beat: &HeartbeatRequest| updates(beat, &configs.lock().unwrap());
        ConfigServer::start_with(address, answer, |_| FetchConfigResponse::default())
    }
}

fn numbers(sink: &Sink) -> Vec<usize> {
    sink.values("nginx-error", "content").iter().map(|line| line.parse().expect("a number")).collect()
}

/// A classic mistake: the group is not closed.
fn with_bad_regex(good: &ConfigDetail, version: i64) -> ConfigDetail {
    let text = String::from_utf8(good.detail.clone()).unwrap();
    let parser = r#""processors":[{"Type":"processor_parse_regex_native","SourceKey":"content","Regex":"(\\d+","Keys":["content"]}],"flushers""#;
    ConfigDetail { version, detail: text.replace(r#""flushers""#, parser).into_bytes(), ..good.clone() }
}

#[test]
fn whatever_becomes_of_a_config_no_line_is_lost_or_repeated() {
    let runtime = runtime();
    let sink = runtime.block_on(Sink::start());
    let container = Container::new();
    let handed_out = HandedOut::default();
    let app = |version| config_to("app", version, &sink.endpoint());
    handed_out.set(vec![app(7)]);
    let server = handed_out.serve("127.0.0.1:0");
    let address = server.address.to_string();
    container.configure(&[&address]);
    let mut written = 0;
    let mut write = || {
        append(&container.path("/var/log/app.log"), &format!("{written}\n"));
        written += 1;
        written
    };
    std::fs::create_dir_all(container.path("/var/log")).unwrap();
    let collector = container.start();
    server.wait_for("version 7", |beat| reports(beat, "app", 7, ConfigStatus::Applied));
    let arrived = |n: usize| eventually("the lines", || (sink.logs() >= n).then_some(()));
    arrived(write());

    // An update that cannot be used: the old version goes on, and the status says where the fault is.
    handed_out.set(vec![with_bad_regex(&app(8), 8)]);
    let failed = server.wait_for("a failure", |beat| reports(beat, "app", 8, ConfigStatus::Failed));
    let message = &failed.continuous_pipeline_configs[0].message;
    assert!(message.contains("column 1") && message.contains("close the group"), "{message}");
    arrived(write());

    // Another version, smaller than the one before: versions may be hashes.
    handed_out.set(vec![app(3)]);
    server.wait_for("version 3", |beat| reports(beat, "app", 3, ConfigStatus::Applied));
    arrived(write());

    // Deleted, and made again under its name. What was written meanwhile is collected too.
    handed_out.set(vec![ConfigDetail { version: VERSION_DELETED, ..app(3) }]);
    let before = server.beats().len();
    eventually("no config", || {
        server.beats()[before..].iter().any(|beat| beat.continuous_pipeline_configs.is_empty()).then_some(())
    });
    write();
    handed_out.set(vec![app(1)]);
    server.wait_for("version 1", |beat| reports(beat, "app", 1, ConfigStatus::Applied));
    arrived(write());

    // The server goes, the config stays; a server that has forgotten all and knows another version comes.
    drop(server);
    collector.wait_for_log("1 config goes on collecting; retrying");
    arrived(write());
    handed_out.set(vec![app(2)]);
    let server = handed_out.serve(&address);
    server.wait_for("version 2", |beat| reports(beat, "app", 2, ConfigStatus::Applied));
    let written = write();
    arrived(written);

    let (code, out) = collector.stop();
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(numbers(&sink), (0..written).collect::<Vec<_>>());
}

#[test]
fn a_thousand_configs_collect_each_its_file_and_one_more_is_refused_with_the_reason() {
    let runtime = runtime();
    let sink = runtime.block_on(Sink::start());
    let container = Container::new();
    let handed_out = HandedOut::default();
    let name = |n: usize| format!("config-{n:04}");
    let all = (0..=CONFIGS_MAX).map(|n| config_to(&name(n), 1, &sink.endpoint()));
    handed_out.set(all.collect());
    (0..=CONFIGS_MAX).for_each(|n| container.write(&format!("/var/log/{}.log", name(n)), format!("{n}\n")));
    let server = handed_out.serve("127.0.0.1:0");
    container.configure(&[&server.address.to_string()]);
    let begun = Instant::now();
    let collector = container.start();
    let count = |beat: &HeartbeatRequest, status| {
        beat.continuous_pipeline_configs.iter().filter(|held| held.status() == status).count()
    };
    let beat = server.wait_for("all configs", |beat| count(beat, ConfigStatus::Applied) == CONFIGS_MAX);
    let failed: Vec<_> = beat
        .continuous_pipeline_configs
        .iter()
        .filter(|held| held.status() == ConfigStatus::Failed)
        .map(|held| (held.name.clone(), held.message.clone()))
        .collect();
    assert_eq!((failed.len(), failed[0].0.as_str()), (1, name(CONFIGS_MAX).as_str()), "{failed:?}");
    assert!(failed[0].1.contains("1000"), "{failed:?}");
    eventually("a line of each", || (sink.logs() >= CONFIGS_MAX).then_some(()));
    println!("figure: {CONFIGS_MAX} configs collect after {:?}", begun.elapsed());
    // One of them changes, and it alone.
    let mut changed: Vec<_> = (0..CONFIGS_MAX).map(|n| config_to(&name(n), 1, &sink.endpoint())).collect();
    changed[500].version = 2;
    handed_out.set(changed);
    server.wait_for("a new version", |beat| reports(beat, &name(500), 2, ConfigStatus::Applied));
    append(&container.path(&format!("/var/log/{}.log", name(500))), "1000\n");
    eventually("its line", || (sink.logs() > CONFIGS_MAX).then_some(()));
    let (code, out) = collector.stop();
    assert_eq!(code, Some(0), "{out}");
    let mut received = numbers(&sink);
    received.sort_unstable();
    assert_eq!(received, (0..=CONFIGS_MAX).collect::<Vec<_>>());
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}
