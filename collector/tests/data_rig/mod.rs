//! A reader on real files in a temporary directory, with a carrier in memory and a time of its own,
//! so that nothing waits. Log files are `logs/…` below the directory and shown as `/logs/…`.

#![allow(dead_code)] // each test file uses its own part

use std::collections::VecDeque;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use collector::checkpoint::Store;
use collector::engine::Limits;
use collector::engine::drain::{DrainReport, Until};
use collector::engine::outbox::{Carrier, Outcome, PackedGroup, Parcel};
use collector::engine::reader::{Now, Reader, Settings};
use collector::engine::status::{Board, PipelineStatus};
use collector::pipeline::{
    Destination, FileInput, Multiline, Parse, Pipeline, TimeRule, TopicRule, Unmatched,
};
use collector::tags::Host;
use collector::watch::Watcher;
use jiff::tz::TimeZone;
use prost::Message;
use sls_api::codec::{Compression, RAW_BYTES_MAX, decompress};
use sls_api::log_group::LogGroup;

/// Requests under way; clones share them.
#[derive(Clone, Default)]
pub struct Carried(Arc<Mutex<VecDeque<Parcel>>>);

impl Carrier for Carried {
    fn carry(&mut self, parcel: Parcel) {
        self.0.lock().expect("carrier").push_back(parcel);
    }
}

impl Carried {
    pub fn front(&self) -> Option<Parcel> {
        self.0.lock().expect("carrier").front().cloned()
    }

    pub fn pop(&self) -> Option<Parcel> {
        self.0.lock().expect("carrier").pop_front()
    }

    pub fn clear(&self) {
        self.0.lock().expect("carrier").clear();
    }

    pub fn all(&self) -> Vec<Parcel> {
        self.0.lock().expect("carrier").iter().cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.0.lock().expect("carrier").len()
    }
}

/// See the module.
pub struct Rig {
    pub dir: tempfile::TempDir,
    pub reader: Option<Reader>,
    pub carried: Carried,
    pub board: Arc<Board>,
    pub mono: Instant,
    pub limits: Limits,
    /// No notifications.
    pub polls: bool,
    /// Seconds that the wall clock is ahead, for what is asked of it; files are stamped by [`set_age`].
    pub wall_ahead: i64,
}

impl Rig {
    /// A directory without a reader yet.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        std::fs::create_dir(dir.path().join("logs")).expect("mkdir");
        Self {
            dir,
            reader: None,
            carried: Carried::default(),
            board: Arc::default(),
            mono: Instant::now(),
            limits: Limits::default(),
            polls: false,
            wall_ahead: 0,
        }
    }

    /// With a reader of this pipeline.
    pub fn running(pipeline: Pipeline) -> Self {
        let mut rig = Self::new();
        rig.start(vec![pipeline]);
        rig
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("logs").join(name)
    }

    pub fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("open");
        file.write_all(text.as_ref()).expect("write");
    }

    pub fn now(&self) -> Now {
        Now { mono: self.mono, wall: self.wall() }
    }

    pub fn wall(&self) -> SystemTime {
        let step = Duration::from_secs(self.wall_ahead.unsigned_abs());
        let real = SystemTime::now();
        if self.wall_ahead < 0 { real - step } else { real + step }
    }

    pub fn start(&mut self, pipelines: Vec<Pipeline>) {
        let settings = Settings {
            root: Some(self.dir.path().to_owned()),
            host: Host {
                source_ip: "10.0.0.9".to_owned(),
                hostname: "pod-1".to_owned(),
                user_defined_id: "group-1".to_owned(),
                env_tags: vec![("_unset_".to_owned(), String::new())],
                file_tags: Vec::new(),
                machine_uuid: "uuid-1".to_owned(),
            },
            limits: self.limits.clone(),
            zone: TimeZone::UTC,
            old_before: self.wall() - self.limits.old_file_age,
        };
        let (store, problem) = Store::load(&self.dir.path().join("state"));
        assert!(problem.is_none(), "{problem:?}");
        let watcher = if self.polls { Watcher::disabled("asked for by the test") } else { Watcher::new() };
        self.board = Arc::default();
        let carrier = Box::new(self.carried.clone());
        let mut reader = Reader::new(settings, store, watcher, carrier, Arc::clone(&self.board));
        reader.apply(pipelines, self.now());
        self.reader = Some(reader);
        self.turns();
    }

    /// Ends the reader as kill -9 does; what was under way is gone.
    pub fn kill(&mut self) {
        self.reader = None;
        self.carried.clear();
    }

    /// Turns until the reader has nothing to do at this moment.
    pub fn turns(&mut self) {
        let now = self.now();
        let Some(reader) = &mut self.reader else { return };
        for _ in 0..10_000 {
            if reader.turn(now) != Some(Duration::ZERO) {
                return;
            }
        }
        panic!("the reader is busy for ever");
    }

    /// Lets time pass, with a turn whenever the reader wants one.
    pub fn wait(&mut self, duration: Duration) {
        let end = self.mono + duration;
        while self.reader.is_some() {
            let now = self.now();
            let Some(reader) = &mut self.reader else { break };
            match reader.turn(now) {
                Some(wait) if self.mono + wait <= end => self.mono += wait.max(Duration::from_millis(1)),
                _ => break,
            }
        }
        self.mono = end.max(self.mono);
        self.turns();
    }

    pub fn wait_ms(&mut self, ms: u64) {
        self.wait(Duration::from_millis(ms));
    }

    /// The server takes everything under way, and what follows.
    pub fn take(&mut self) -> Vec<LogGroup> {
        let mut groups = Vec::new();
        while let Some(parcel) = self.carried.pop() {
            groups.extend(groups_of(&parcel));
            self.acknowledge(&parcel);
        }
        groups
    }

    pub fn acknowledge(&mut self, parcel: &Parcel) {
        let now = self.now();
        if let Some(reader) = &mut self.reader {
            reader.settle(parcel.id, &Outcome::Acknowledged, now);
        }
        self.turns();
    }

    /// The values of the first field of what is taken now and within a minute.
    pub fn values(&mut self) -> Vec<String> {
        self.turns();
        let mut groups = self.take();
        for _ in 0..10 {
            self.wait_ms(1_000);
            groups.extend(self.take());
        }
        groups.iter().flat_map(values_of).collect()
    }

    /// Everything is taken until the drain is over.
    pub fn drain(&mut self, until: Until) -> (Vec<String>, DrainReport) {
        let deadline = self.mono + Duration::from_secs(3_600);
        let now = self.now();
        self.reader.as_mut().expect("a reader").begin_drain(until, deadline, now);
        let mut values = Vec::new();
        for _ in 0..1_000 {
            values.extend(self.take().iter().flat_map(values_of));
            self.wait_ms(100);
            if let Some(report) = self.reader.as_ref().expect("a reader").drained() {
                return (values, report.clone());
            }
        }
        panic!("the drain does not end");
    }

    /// State of the only pipeline.
    pub fn status(&self) -> PipelineStatus {
        self.board.status().pipelines.into_iter().next().expect("a pipeline")
    }

    /// Type, count and message of the alarms raised since the last call.
    pub fn alarms(&self) -> Vec<(&'static str, u64, String)> {
        let raised = self.board.alarms.take().into_iter();
        raised.map(|raised| (raised.kind.alarm.name(), raised.count, raised.message)).collect()
    }

    pub fn counter(&self, name: &str) -> u64 {
        let status = self.status();
        status.counters.iter().find(|(n, _)| *n == name).expect("a counter of this name").1
    }
}

pub fn groups_of(parcel: &Parcel) -> Vec<LogGroup> {
    let unpack = |g: &PackedGroup| {
        let raw = decompress(&g.body, g.compression, g.raw_bytes, RAW_BYTES_MAX).expect("unpacks");
        LogGroup::decode(&raw[..]).expect("a LogGroup")
    };
    parcel.groups.iter().map(unpack).collect()
}

/// The first field of every log.
pub fn values_of(group: &LogGroup) -> Vec<String> {
    let values = group.logs.iter().map(|log| &log.contents[0].value);
    values.map(|v| String::from_utf8_lossy(v).into_owned()).collect()
}

/// Simple mode on `/logs/a.log`.
pub fn simple() -> Pipeline {
    Pipeline {
        name: "p".to_owned(),
        version: 1,
        input: FileInput {
            directory: PathBuf::from("/logs"),
            file_pattern: "a.log".to_owned(),
            max_depth: 0,
            tail_existing: false,
            tail_bytes: 1 << 20,
            flush_timeout: Duration::from_secs(100_000),
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
        destination: Destination {
            project: "project-1".parse().expect("project"),
            logstore: "store".parse().expect("Logstore"),
            region: "cn-hangzhou".to_owned(),
            endpoint: None,
            compression: Compression::Lz4,
        },
    }
}

/// Simple mode with another input.
pub fn simple_on(change: impl FnOnce(&mut FileInput)) -> Pipeline {
    let mut pipeline = simple();
    change(&mut pipeline.input);
    pipeline
}

/// Has as many files open as `wanted`, if the system lets this process; says so if it does not.
pub fn open_files_allowed(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }); // seen below
    let allowed =
        getrlimit(Resource::Nofile).current.map_or(wanted, |n| usize::try_from(n).unwrap_or(wanted));
    if allowed < wanted {
        println!("NOT RUN with {wanted} open files: the system allows {allowed}, and with as many it is run");
    }
    wanted.min(allowed)
}

/// Runs `f` in a thread that is not root, so that permissions count.
pub fn as_ordinary_user<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                let nobody = rustix::thread::Uid::from_raw(65_534);
                rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("setresuid");
            }
            f()
        });
        run.join().expect("no panic")
    })
}

pub fn set_age(path: &Path, age: Duration) {
    set_modified(path, SystemTime::now() - age);
}

pub fn set_modified(path: &Path, at: SystemTime) {
    std::fs::File::open(path).expect("open").set_modified(at).expect("touch");
}
