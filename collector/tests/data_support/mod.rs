//! What the tests of the data path begin with: a directory of logs, a server, pipelines.

#![allow(dead_code)] // each test file uses its own part

mod sink;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use collector::engine::{Engine, EngineConfig};
use collector::pipeline::{
    Destination, FileInput, Multiline, Parse, Pipeline, TimeRule, TopicRule, Unmatched, full_match,
};
use sls_api::codec::Compression;

#[allow(unused_imports)] // as above
pub use self::sink::{Fault, Sink};

/// A test gives up waiting after this time: a hang guard, far above what any of them takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Polls `f` until it gives something or the patience of the test ends.
pub async fn eventually<T>(mut f: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = f() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A directory with `logs` and `state`, and a sink.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub sink: Sink,
}

impl Bench {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        std::fs::create_dir_all(dir.path().join("root/logs")).expect("mkdir");
        Self { dir, sink: Sink::start().await }
    }

    /// The path that the collector shows as `/logs/<name>`.
    pub fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join("root/logs").join(name)
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub fn config(&self) -> EngineConfig {
        EngineConfig {
            state_dir: self.dir.path().join("state"),
            root: Some(self.root()),
            source_ip: "10.0.0.9".to_owned(),
            hostname: "pod-1".to_owned(),
            env_tags: vec![
                ("_pod_name_".to_owned(), "pod-1".to_owned()),
                ("_unset_".to_owned(), String::new()),
            ],
            machine_uuid: "uuid-1".to_owned(),
            ..EngineConfig::default()
        }
    }

    /// Starts an engine with these pipelines.
    pub fn start(&self, pipelines: Vec<Pipeline>) -> Engine {
        self.start_that_waits(PATIENCE, pipelines)
    }

    /// The same, which waits so long for an answer.
    pub fn start_that_waits(&self, answer: Duration, pipelines: Vec<Pipeline>) -> Engine {
        let clients = self.sink.clients_that_wait(answer);
        let engine = Engine::start(self.config(), clients).expect("the engine starts");
        engine.apply(pipelines);
        engine
    }

    pub fn append(&self, name: &str, text: &str) {
        append(&self.log(name), text);
    }
}

pub fn append(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("open");
    file.write_all(text.as_bytes()).expect("write");
}

/// Simple mode on `/logs/a.log` into Logstore `store`.
pub fn simple() -> Pipeline {
    Pipeline {
        name: "simple".to_owned(),
        version: 1,
        input: FileInput {
            directory: PathBuf::from("/logs"),
            file_pattern: "a.log".to_owned(),
            max_depth: 0,
            tail_existing: false,
            tail_bytes: 1 << 20,
            flush_timeout: Duration::from_secs(60),
            encoding: Default::default(),
            position_meta: Default::default(),
            delay_alarm_bytes: 200 << 20,
            excluded: Default::default(),
        },
        multiline: Multiline::SingleLine,
        parse: Parse::Simple { key: "content".to_owned() },
        time: TimeRule::Collected,
        collected_nanos: false,
        topic: TopicRule::None,
        unmatched: Unmatched::Discard,
        steps: Vec::new(),
        raw_key: None,
        shards: Default::default(),
        send_rate: None,
        destination: destination("store"),
    }
}

pub fn destination(logstore: &str) -> Destination {
    Destination {
        project: "project-1".parse().expect("project"),
        logstore: logstore.parse().expect("Logstore"),
        region: "cn-hangzhou".to_owned(),
        endpoint: None,
        compression: Compression::Lz4,
    }
}

/// Full-regex mode.
pub fn regex(regex: &str, keys: &[&str]) -> Pipeline {
    Pipeline {
        parse: Parse::Regex {
            regex: full_match(regex).expect("the test's regex"),
            keys: keys.iter().map(|k| (*k).to_owned()).collect(),
        },
        ..simple()
    }
}

/// A deadline that is a hang guard only.
pub fn far() -> Instant {
    Instant::now() + PATIENCE
}
