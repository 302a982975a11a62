//! The reader against a model: whatever happens to a log file, the collector and the server, every
//! line arrives, and none twice unless an acknowledgement was lost.
//!
//! Real files in a temporary directory, a carrier in memory, time of the test's own: nothing waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use collector::checkpoint::{ParcelId, Store};
use collector::engine::Limits;
use collector::engine::drain::Until;
use collector::engine::outbox::{Carrier, Outcome, Parcel};
use collector::engine::reader::{Now, Reader, Settings};
use collector::engine::status::Board;
use collector::pipeline::{
    Destination, FileInput, Multiline, Parse, Pipeline, TimeRule, TopicRule, Unmatched,
};
use collector::tags::Host;
use collector::watch::Watcher;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use prost::Message;
use sls_api::codec::{Compression, RAW_BYTES_MAX, decompress};
use sls_api::log_group::LogGroup;

#[derive(Debug, Clone)]
enum Step {
    /// Writes whole lines.
    Append {
        lines: usize,
        width: usize,
    },
    /// Writes the beginning of a line.
    Begin {
        width: usize,
    },
    /// Renames the file (and those rotated before); the writer opens a new one now, or goes on
    /// writing to the old one until its next `Reopen`.
    Rotate {
        reopen: bool,
    },
    /// Lets the writer open the file by its name again.
    Reopen,
    /// Copies the file, then truncates it.
    CopyTruncate,
    /// Deletes the file after the collector had a look; the writer starts a new one.
    Delete,
    /// Lets time pass.
    Wait {
        ms: u64,
    },
    /// The server takes a request under way; its answer arrives, or is lost and it comes again.
    Take {
        which: usize,
        answered: bool,
    },
    /// The server takes everything, and time passes until that is on disk.
    TakeAllAndSave,
    /// The collector is killed; the next steps up to `Start` happen without it.
    Kill,
    Start,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1usize..6, 0usize..300).prop_map(|(lines, width)| Step::Append { lines, width }),
        2 => (0usize..100).prop_map(|width| Step::Begin { width }),
        3 => any::<bool>().prop_map(|reopen| Step::Rotate { reopen }),
        2 => Just(Step::Reopen),
        2 => Just(Step::CopyTruncate),
        1 => Just(Step::Delete),
        4 => (0u64..3_000).prop_map(|ms| Step::Wait { ms }),
        4 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(which, answered)| Step::Take { which, answered }),
        2 => Just(Step::TakeAllAndSave),
        1 => Just(Step::Kill),
        2 => Just(Step::Start),
    ]
}

#[derive(Clone, Default)]
struct Carried(Arc<Mutex<VecDeque<Parcel>>>);

impl Carrier for Carried {
    fn carry(&mut self, parcel: Parcel) {
        self.0.lock().expect("carrier").push_back(parcel);
    }
}

/// The application's side: what it wrote, and what of it must arrive.
struct Writer {
    path: PathBuf,
    file: Option<File>,
    next: usize,
    /// The unterminated text at the end of the file that is open.
    begun: Option<String>,
    lines: Vec<String>,
    /// The lines in every file that has a name, by inode.
    on_disk: BTreeMap<u64, Vec<String>>,
}

impl Writer {
    fn file(&mut self) -> &mut File {
        self.file.get_or_insert_with(|| {
            OpenOptions::new().create(true).append(true).open(&self.path).expect("open the log")
        })
    }

    fn text(&mut self, width: usize) -> String {
        self.next += 1;
        format!("{}-{}", self.next, "x".repeat(width))
    }

    fn append(&mut self, lines: usize, width: usize) {
        for _ in 0..lines {
            let text = self.text(width);
            let line = match self.begun.take() {
                Some(begun) => begun + &text,
                None => text.clone(),
            };
            self.file().write_all(format!("{text}\n").as_bytes()).expect("write");
            self.note_line(line);
        }
    }

    fn note_line(&mut self, line: String) {
        let inode = inode(&self.file().metadata().expect("stat"));
        self.on_disk.entry(inode).or_default().push(line.clone());
        self.lines.push(line);
    }

    fn begin(&mut self, width: usize) {
        let text = self.text(width);
        self.file().write_all(text.as_bytes()).expect("write");
        self.begun = Some(self.begun.take().unwrap_or_default() + &text);
    }

    /// The file is written no further: its unterminated end is a line of its own.
    fn close(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.note_line(begun);
        }
        self.file = None;
    }
}

struct World {
    dir: tempfile::TempDir,
    writer: Writer,
    reader: Option<Reader>,
    carried: Carried,
    polls: bool,
    mono: Instant,
    received: BTreeMap<String, usize>,
    /// Received, acknowledged and on disk: must never come again.
    safe: BTreeSet<String>,
    /// Were in files that had been deleted when the collector was killed: nobody can read them again.
    beyond_recall: BTreeSet<String>,
    /// An acknowledgement was lost, so that lines may come twice.
    may_repeat: bool,
}

impl World {
    fn new(polls: bool) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        fs::create_dir(dir.path().join("logs")).expect("mkdir");
        let path = dir.path().join("logs/a.log");
        let writer =
            Writer { path, file: None, next: 0, begun: None, lines: Vec::new(), on_disk: BTreeMap::new() };
        let mut world = Self {
            dir,
            writer,
            reader: None,
            carried: Carried::default(),
            polls,
            mono: Instant::now(),
            received: BTreeMap::new(),
            safe: BTreeSet::new(),
            beyond_recall: BTreeSet::new(),
            may_repeat: false,
        };
        world.start();
        world
    }

    fn now(&self) -> Now {
        Now { mono: self.mono, wall: SystemTime::now() }
    }

    fn start(&mut self) {
        if self.reader.is_some() {
            return;
        }
        let limits =
            Limits { lane_parcels_max: 3, group_logs_max: 7, block_bytes: 1024, ..Limits::default() };
        let settings = Settings {
            root: Some(self.dir.path().to_owned()),
            host: Host::default(),
            limits,
            zone: TimeZone::UTC,
            old_before: SystemTime::now() - Duration::from_secs(600),
        };
        let (store, problem) = Store::load(&self.dir.path().join("state"));
        assert!(problem.is_none(), "{problem:?}");
        let watcher = if self.polls { Watcher::disabled("asked for by the test") } else { Watcher::new() };
        let carrier = Box::new(self.carried.clone());
        let mut reader = Reader::new(settings, store, watcher, carrier, Arc::new(Board::default()));
        reader.apply(vec![pipeline()], self.now());
        self.reader = Some(reader);
        self.turns();
    }

    fn kill(&mut self) {
        if self.reader.take().is_some() {
            self.carried.0.lock().expect("carrier").clear();
            self.may_repeat = true;
            let on_disk: BTreeSet<&String> = self.writer.on_disk.values().flatten().collect();
            let gone = self.writer.lines.iter().filter(|line| !on_disk.contains(line));
            self.beyond_recall.extend(gone.cloned());
        }
    }

    /// Turns until the reader has nothing to do at this moment.
    fn turns(&mut self) {
        let now = self.now();
        let Some(reader) = &mut self.reader else { return };
        for _ in 0..10_000 {
            if reader.turn(now) != Some(Duration::ZERO) {
                return;
            }
        }
        panic!("the reader is busy for ever");
    }

    fn wait(&mut self, ms: u64) {
        let end = self.mono + Duration::from_millis(ms);
        while let Some(reader) = &mut self.reader {
            let now = Now { mono: self.mono, wall: SystemTime::now() };
            match reader.turn(now) {
                Some(wait) if self.mono + wait <= end => self.mono += wait.max(Duration::from_millis(1)),
                _ => break,
            }
        }
        self.mono = end.max(self.mono);
        self.turns();
    }

    fn take(&mut self, which: usize, answered: bool) {
        let parcel = {
            let mut carried = self.carried.0.lock().expect("carrier");
            // The shipper sends those of one file one after the other, and here all are of one.
            let _ = which;
            match carried.front().cloned() {
                Some(parcel) if answered => {
                    carried.pop_front();
                    parcel
                }
                Some(parcel) => parcel,
                None => return,
            }
        };
        for line in lines_of(&parcel) {
            *self.received.entry(line).or_default() += 1;
        }
        if answered {
            self.settle(parcel.id);
        } else {
            self.may_repeat = true;
        }
    }

    fn settle(&mut self, parcel: ParcelId) {
        let now = self.now();
        if let Some(reader) = &mut self.reader {
            reader.settle(parcel, &Outcome::Acknowledged, now);
        }
        self.turns();
    }

    fn take_all_and_save(&mut self) {
        if self.reader.is_none() {
            return;
        }
        loop {
            while !self.carried.0.lock().expect("carrier").is_empty() {
                self.take(0, true);
            }
            self.wait(2_000);
            if self.carried.0.lock().expect("carrier").is_empty() {
                break;
            }
        }
        self.safe = self.received.keys().cloned().collect();
    }

    fn rotate(&mut self, reopen: bool) {
        let logs = self.dir.path().join("logs");
        if !self.writer.path.exists() {
            return;
        }
        shift(&logs);
        fs::rename(&self.writer.path, logs.join("a.log.1")).expect("rename");
        if reopen {
            self.writer.close();
            self.writer.file();
        }
    }

    fn copy_truncate(&mut self) {
        let logs = self.dir.path().join("logs");
        if !self.writer.path.exists() {
            return;
        }
        // What follows a half line lands at the start of the emptied file, if it is open there.
        let is_open_there = self.writer.file.as_ref().is_some_and(|f| same_file(f, &self.writer.path));
        shift(&logs);
        fs::copy(&self.writer.path, logs.join("a.log.1")).expect("copy");
        if is_open_there && let Some(begun) = self.writer.begun.take() {
            self.writer.note_line(begun);
        }
        let of = |path: &Path| inode(&fs::metadata(path).expect("stat"));
        let lines = self.writer.on_disk.remove(&of(&self.writer.path)).unwrap_or_default();
        self.writer.on_disk.insert(of(&logs.join("a.log.1")), lines);
        OpenOptions::new().write(true).truncate(true).open(&self.writer.path).expect("truncate");
    }

    fn delete(&mut self) {
        if self.reader.is_none() {
            return; // unread content of a file deleted meanwhile is lost to everybody
        }
        self.turns();
        if self.polls {
            self.wait(1_500); // until it was surely seen
        }
        if let Ok(meta) = fs::metadata(&self.writer.path) {
            if self.writer.file.as_ref().is_some_and(|f| same_file(f, &self.writer.path)) {
                self.writer.close();
            }
            fs::remove_file(&self.writer.path).expect("remove");
            self.writer.on_disk.remove(&inode(&meta));
        }
    }

    fn reopen(&mut self) {
        let moved = self.writer.file.as_ref().is_some_and(|f| !same_file(f, &self.writer.path));
        if moved {
            self.writer.close();
            self.writer.file();
        }
    }

    fn run(&mut self, step: &Step) {
        let before: BTreeMap<String, usize> =
            self.safe.iter().map(|line| (line.clone(), self.received[line])).collect();
        match *step {
            Step::Append { lines, width } => self.writer.append(lines, width),
            Step::Begin { width } => self.writer.begin(width),
            Step::Rotate { reopen } => self.rotate(reopen),
            Step::Reopen => self.reopen(),
            Step::CopyTruncate => self.copy_truncate(),
            Step::Delete => self.delete(),
            Step::Wait { ms } => self.wait(ms),
            Step::Take { which, answered } => self.take(which, answered),
            Step::TakeAllAndSave => self.take_all_and_save(),
            Step::Kill => self.kill(),
            Step::Start => self.start(),
        }
        for (line, times) in before {
            assert_eq!(self.received[&line], times, "{line:?} came again although it was safe");
        }
    }

    /// Everything is taken, the writer ends, the collector drains.
    fn finish(&mut self) {
        self.start();
        self.writer.close();
        let deadline = self.mono + Duration::from_secs(3_600);
        let now = self.now();
        self.reader.as_mut().expect("running").begin_drain(Until::WritersAreGone, deadline, now);
        for _ in 0..1_000 {
            while !self.carried.0.lock().expect("carrier").is_empty() {
                self.take(0, true);
            }
            self.wait(100);
            if let Some(report) = self.reader.as_ref().expect("running").drained() {
                assert!(report.is_complete, "{report}");
                return;
            }
        }
        panic!("the drain does not end");
    }

    fn check(&self) {
        let wanted: BTreeMap<&String, usize> = self.writer.lines.iter().map(|l| (l, 1)).collect();
        let missing = wanted.keys().filter(|l| !self.received.contains_key(**l));
        let missing: Vec<_> = missing.filter(|l| !self.beyond_recall.contains(**l)).collect();
        assert!(missing.is_empty(), "missing: {missing:?}");
        let foreign: Vec<_> = self.received.keys().filter(|l| !wanted.contains_key(l)).collect();
        assert!(foreign.is_empty(), "never written: {foreign:?}");
        if !self.may_repeat {
            let repeated: Vec<_> = self.received.iter().filter(|(_, n)| **n > 1).collect();
            assert!(repeated.is_empty(), "repeated: {repeated:?}");
        }
    }
}

fn inode(meta: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let open = file.metadata().expect("stat");
    fs::metadata(path).is_ok_and(|m| (m.dev(), m.ino()) == (open.dev(), open.ino()))
}

/// `a.log.1` → `a.log.2` and so on.
fn shift(logs: &Path) {
    let name = |n: usize| logs.join(format!("a.log.{n}"));
    let last = (1..).find(|n| !name(*n).exists()).expect("a free number");
    for n in (1..last).rev() {
        fs::rename(name(n), name(n + 1)).expect("rename");
    }
}

fn lines_of(parcel: &Parcel) -> Vec<String> {
    let raw = decompress(&parcel.body, parcel.compression, parcel.raw_bytes, RAW_BYTES_MAX).expect("unpacks");
    let group = LogGroup::decode(&raw[..]).expect("a LogGroup");
    let values = group.logs.iter().map(|log| &log.contents[0].value);
    values.map(|v| String::from_utf8(v.to_vec()).expect("UTF-8")).collect()
}

fn pipeline() -> Pipeline {
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
        },
        multiline: Multiline::SingleLine,
        parse: Parse::Simple { key: "content".to_owned() },
        time: TimeRule::Collected,
        topic: TopicRule::None,
        unmatched: Unmatched::Discard,
        destination: Destination {
            project: "project-1".parse().expect("project"),
            logstore: "store".parse().expect("Logstore"),
            region: "cn-hangzhou".to_owned(),
            endpoint: None,
            compression: Compression::None,
        },
    }
}

fn run(polls: bool, steps: &[Step]) {
    let mut world = World::new(polls);
    for step in steps {
        world.run(step);
        if !matches!(
            step,
            Step::Append { .. }
                | Step::Begin { .. }
                | Step::Rotate { .. }
                | Step::CopyTruncate
                | Step::Reopen
        ) {
            world.turns();
        }
    }
    world.finish();
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/data_model.seeds"))),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_line_is_lost_with_notifications(steps in prop::collection::vec(step(), 1..40)) {
        run(false, &steps);
    }

    #[test]
    fn no_line_is_lost_by_polling(steps in prop::collection::vec(step(), 1..40)) {
        run(true, &steps);
    }
}
