//! The reader against a model: whatever happens to a log file, the collector and the server, every
//! line arrives, and none twice unless an acknowledgement was lost.
//!
//! Real files in a temporary directory, a carrier in memory, time of the test's own: nothing waits.

mod data_rig;
mod data_writer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, OpenOptions};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use collector::engine::Limits;
use collector::engine::drain::Until;
use collector::engine::outbox::Route;
use collector::pipeline::{self, Multiline, Parse, Pipeline, Shards, full_match};
use data_rig::{Rig, groups_of, simple, simple_on, values_of};
use data_writer::{Writer, inode, same_file, shift};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

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
        4 => prop::bool::weighted(0.8).prop_map(|answered| Step::Take { answered }),
        2 => Just(Step::TakeAllAndSave),
        1 => Just(Step::Kill),
        2 => Just(Step::Start),
    ]
}

struct World {
    rig: Rig,
    pipeline: Pipeline,
    writer: Writer,
    received: BTreeMap<String, usize>,
    /// Received, acknowledged and on disk: must never come again.
    safe: BTreeSet<String>,
    /// Were in files that had been deleted when the collector was killed: nobody can read them again.
    beyond_recall: BTreeSet<String>,
    /// An acknowledgement was lost, so that lines may come twice.
    may_repeat: bool,
    /// The last number of each hash key: what comes again under one is not taken.
    numbers: HashMap<Arc<str>, i64>,
}

impl World {
    fn new(polls: bool, threads: usize, pipeline: Pipeline) -> Self {
        let mut rig = Rig::new();
        rig.polls = polls;
        rig.limits = Limits {
            lane_parcels_max: 3,
            group_logs_max: 7,
            block_bytes: 1024,
            threads,
            shared_bytes_min: 1,
            ..Limits::default()
        };
        let path = rig.path("a.log");
        let writer =
            Writer { path, file: None, next: 0, begun: None, lines: Vec::new(), on_disk: BTreeMap::new() };
        let mut world = Self {
            rig,
            pipeline,
            writer,
            received: BTreeMap::new(),
            safe: BTreeSet::new(),
            beyond_recall: BTreeSet::new(),
            may_repeat: false,
            numbers: HashMap::new(),
        };
        world.start();
        world
    }

    fn start(&mut self) {
        if self.rig.reader.is_none() {
            self.rig.start(vec![self.pipeline.clone()]);
        }
    }

    fn kill(&mut self) {
        if self.rig.reader.is_some() {
            self.rig.kill();
            self.may_repeat = true;
            let on_disk: BTreeSet<&String> = self.writer.on_disk.values().flatten().collect();
            let gone = self.writer.lines.iter().filter(|line| !on_disk.contains(line));
            self.beyond_recall.extend(gone.cloned());
        }
    }

    /// The server takes the oldest request. (The shipper sends those of one file in their order.)
    fn take(&mut self, answered: bool) {
        let Some(parcel) = self.rig.carried.front() else { return };
        if self.is_new(&parcel.route) {
            for line in groups_of(&parcel).iter().flat_map(values_of) {
                *self.received.entry(line).or_default() += 1;
            }
        }
        if answered {
            self.rig.carried.pop();
            self.rig.acknowledge(&parcel);
        } else {
            self.may_repeat = true;
        }
    }

    /// What a server does that checks numbers.
    fn is_new(&mut self, route: &Route) -> bool {
        let Route::Numbered { key, numbers, .. } = route else { return true };
        let last = self.numbers.entry(Arc::clone(key)).or_insert(i64::MIN);
        let is_new = numbers.last() > *last;
        *last = numbers.last().max(*last);
        is_new
    }

    fn take_all(&mut self) {
        while self.rig.carried.len() > 0 {
            self.take(true);
        }
    }

    fn take_all_and_save(&mut self) {
        if self.rig.reader.is_none() {
            return;
        }
        loop {
            self.take_all();
            self.rig.wait_ms(2_000);
            if self.rig.carried.len() == 0 {
                break;
            }
        }
        self.safe = self.received.keys().cloned().collect();
    }

    fn rotate(&mut self, reopen: bool) {
        let logs = self.rig.path("");
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
        let logs = self.rig.path("");
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
        if self.rig.reader.is_none() {
            return; // unread content of a file deleted meanwhile is lost to everybody
        }
        self.rig.turns();
        if self.rig.polls {
            self.rig.wait_ms(1_500); // until it was surely seen
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
            Step::Wait { ms } => self.rig.wait_ms(ms),
            Step::Take { answered } => self.take(answered),
            Step::TakeAllAndSave => self.take_all_and_save(),
            Step::Kill => self.kill(),
            Step::Start => self.start(),
        }
        for (line, times) in before {
            assert_eq!(self.received[&line], times, "{line:?} came again although it was safe");
        }
        self.check_account();
    }

    /// Every byte that was found has one fate, at any moment.
    fn check_account(&self) {
        let Some(reader) = &self.rig.reader else { return };
        let account = reader.account();
        for file in &account.by_file {
            assert_eq!(file.bytes.sum(), file.bytes.discovered, "{file:?}");
        }
        assert_eq!(account.bytes.sum(), account.bytes.discovered, "{account:?}");
    }

    /// The back end is dead, and the grace period ends.
    fn give_up(&mut self) {
        self.start();
        let (now, deadline) = (self.rig.now(), self.rig.mono + Duration::from_secs(2));
        self.rig.reader.as_mut().expect("running").begin_drain(Until::WritersAreGone, deadline, now);
        self.rig.wait_ms(3_000);
        let report = self.rig.reader.as_ref().expect("running").drained().expect("the drain ends in time");
        assert_eq!(report.account.bytes.sum(), report.account.bytes.discovered, "{report:?}");
        let is_left = report.account.bytes.unread + report.account.bytes.unacknowledged > 0;
        assert!(report.is_complete || is_left || self.writer.file.is_some(), "{report:?}");
    }

    /// Everything is taken, the writer ends, the collector drains.
    fn finish(&mut self) {
        self.start();
        self.writer.close();
        let deadline = self.rig.mono + Duration::from_secs(3_600);
        let now = self.rig.now();
        self.rig.reader.as_mut().expect("running").begin_drain(Until::WritersAreGone, deadline, now);
        for _ in 0..1_000 {
            self.take_all();
            self.rig.wait_ms(100);
            if let Some(report) = self.rig.reader.as_ref().expect("running").drained() {
                assert!(report.is_complete, "{report}");
                let bytes = report.account.bytes;
                assert_eq!((bytes.sum(), bytes.unread, bytes.unacknowledged), (bytes.discovered, 0, 0));
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
        if !self.may_repeat || self.pipeline.shards.keys() > 0 {
            let repeated: Vec<_> = self.received.iter().filter(|(_, n)| **n > 1).collect();
            assert!(repeated.is_empty(), "repeated: {repeated:?}");
        }
    }
}

fn run(polls: bool, pipeline: Pipeline, steps: &[Step]) {
    run_by(1, polls, pipeline, steps);
}

fn run_by(threads: usize, polls: bool, pipeline: Pipeline, steps: &[Step]) {
    let mut world = World::new(polls, threads, pipeline);
    go_through(&mut world, steps);
    world.finish();
    world.check();
}

/// Ends with a server that takes nothing more.
fn run_to_a_dead_end(pipeline: Pipeline, steps: &[Step]) {
    let mut world = World::new(false, 1, pipeline);
    go_through(&mut world, steps);
    world.give_up();
}

fn go_through(world: &mut World, steps: &[Step]) {
    for step in steps {
        world.run(step);
        let is_file_step = matches!(
            step,
            Step::Append { .. }
                | Step::Begin { .. }
                | Step::Rotate { .. }
                | Step::CopyTruncate
                | Step::Reopen
        );
        if !is_file_step {
            world.rig.turns(); // several changes of files may come in one turn
        }
    }
}

/// Drops every second line, and filters some of the others.
fn dropping() -> Pipeline {
    Pipeline {
        parse: Parse::Regex {
            regex: full_match(r"(\d*[02468])(-.*)").expect("regex"),
            keys: vec!["number".to_owned(), "rest".to_owned()],
        },
        steps: vec![pipeline::Step::all_of([(
            "number".to_owned(),
            full_match(r"\d*[0248]").expect("regex"),
        )])],
        ..simple()
    }
}

fn rotated_names_too() -> Pipeline {
    simple_on(|input| input.file_pattern = "a.log*".to_owned())
}

/// Every line begins an event, so the last of each file is always pending.
fn multi_line() -> Pipeline {
    Pipeline { multiline: Multiline::begin(full_match(r"\d+-.*").expect("regex")), ..simple() }
}

fn numbered(keys: u16, pipeline: Pipeline) -> Pipeline {
    Pipeline { shards: Shards::ExactlyOnce(NonZeroU16::new(keys).expect("keys")), ..pipeline }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/data_model.seeds"))),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_line_is_lost_with_notifications(steps in prop::collection::vec(step(), 1..40)) {
        run(false, simple(), &steps);
    }

    #[test]
    fn no_line_is_lost_by_polling(steps in prop::collection::vec(step(), 1..40)) {
        run(true, simple(), &steps);
    }

    #[test]
    fn no_line_is_lost_where_rotated_names_match_too(steps in prop::collection::vec(step(), 1..40)) {
        run(false, rotated_names_too(), &steps);
    }

    #[test]
    fn no_line_is_lost_by_polling_where_rotated_names_match_too(steps in prop::collection::vec(step(), 1..40)) {
        run(true, rotated_names_too(), &steps);
    }

    #[test]
    fn accounts_add_up_where_lines_are_dropped_and_the_server_is_dead(
        steps in prop::collection::vec(step(), 1..40),
        in_records: bool,
    ) {
        let pipeline = match in_records {
            true => Pipeline { multiline: multi_line().multiline, ..dropping() },
            false => dropping(),
        };
        run_to_a_dead_end(pipeline, &steps);
    }

    #[test]
    fn no_line_is_lost_or_repeated_with_numbers(steps in prop::collection::vec(step(), 1..40)) {
        run(false, numbered(2, simple()), &steps);
    }

    #[test]
    fn no_line_is_lost_or_repeated_with_numbers_by_polling(steps in prop::collection::vec(step(), 1..40)) {
        run(true, numbered(1, simple()), &steps);
    }

    #[test]
    fn no_event_is_lost_or_repeated_with_numbers_in_multi_line_mode(steps in prop::collection::vec(step(), 1..40)) {
        run(false, numbered(3, multi_line()), &steps);
    }

    #[test]
    fn no_line_is_lost_by_several_threads(steps in prop::collection::vec(step(), 1..40)) {
        run_by(3, false, simple(), &steps);
    }

    #[test]
    fn no_event_is_lost_or_repeated_with_numbers_by_several_threads(steps in prop::collection::vec(step(), 1..40)) {
        run_by(2, false, numbered(2, multi_line()), &steps);
    }

    #[test]
    fn no_event_is_lost_in_multi_line_mode(steps in prop::collection::vec(step(), 1..40)) {
        run(false, multi_line(), &steps);
    }
}
