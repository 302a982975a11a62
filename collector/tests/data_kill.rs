//! The collector as a process of its own, killed (-9) again and again while a writer rotates its file at
//! full speed, with exactly-once delivery: nothing is lost, and nothing comes twice.
//!
//! `COLLECTOR_KILLS` says how often; `just kills` asks for a hundred.

mod control_support;
mod data_support;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use control_support::{Container, eventually};
use data_support::{Fault, Sink};
use rustix::process::Signal;
use serde_json::json;

/// Unless the environment says another number.
const KILLS: usize = 20;
const LINES_PER_FILE: usize = 3_000;
/// The writer waits while this many lines were not received: what it writes must fit in a test's memory.
const AHEAD_MAX: usize = 20_000;

/// What the writer is told, and tells.
#[derive(Default)]
struct Writing {
    done: AtomicBool,
    lines: AtomicUsize,
}

/// Writes numbered lines and renames the file until it is done; returns how many there are.
fn write_and_rotate(path: &Path, sink: &Sink, writing: &Writing) -> usize {
    let done = &writing.done;
    let open = || OpenOptions::new().create(true).append(true).open(path).expect("open");
    let (mut file, mut next, mut generation) = (open(), 0, 0);
    while !done.load(Ordering::Relaxed) {
        let rotate_at = next + LINES_PER_FILE;
        while next < rotate_at && !done.load(Ordering::Relaxed) {
            if next > sink.logs() + AHEAD_MAX {
                std::thread::sleep(Duration::from_millis(1)); // not full speed, but not for ever
                continue;
            }
            let burst: String =
                (next..next + 100).map(|i| format!("{i} {:x}\n", fastrand::u128(..))).collect();
            file.write_all(burst.as_bytes()).expect("write");
            next += 100;
            writing.lines.store(next, Ordering::Relaxed);
        }
        generation += 1;
        fs::rename(path, PathBuf::from(format!("{}.{generation}", path.display()))).expect("rename");
        file = open();
    }
    next
}

/// A container whose collector sends `/var/log/a.log` exactly once.
fn container(sink: &Sink) -> Container {
    let container = Container::without_server();
    container.write("/var/log/a.log", "");
    let config = json!({"metrics": {"lines": {
        "enable": true, "version": 1, "project_name": "demo-project", "category": "store",
        "region": "cn-hangzhou", "defaultEndpoint": sink.endpoint(),
        "log_type": "common_reg_log", "log_path": "/var/log", "file_pattern": "a.log", "max_depth": 0,
        "regex": ["(.*)"], "keys": ["content"], "log_begin_reg": ".*", "topic_format": "none",
        "advanced": {"exactly_once_concurrency": 4},
    }}});
    container.write("/usr/local/ilogtail/user_local_config.json", config.to_string());
    container
}

/// Ends the writer also when the test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn kill_9_at_any_time_loses_nothing_and_repeats_nothing() {
    let kills = std::env::var("COLLECTOR_KILLS").map_or(KILLS, |text| text.parse().expect("a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let sink = runtime.block_on(Sink::start());
    let container = container(&sink);
    let path = container.path("/var/log/a.log");
    let writing = Writing::default();
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_and_rotate(&path, &sink, &writing));
        let ends = Ends(&writing.done);
        for _ in 0..kills {
            let before = sink.requests();
            let collector = container.start();
            eventually("requests", || (sink.requests() > before + fastrand::usize(..8)).then_some(()));
            sink.fail_next([Fault::TakeAndDrop, Fault::Refuse(500, "InternalServerError")]);
            std::thread::sleep(Duration::from_micros(fastrand::u64(..30_000))); // any time
            drop(collector); // kills it
        }
        drop(ends);
        writer.join().expect("the writer ends")
    });
    let collector = container.start();
    eventually("all lines", || (sink.logs() >= written).then_some(()));
    let (code, out) = collector.stop();
    assert_eq!(code, Some(0), "{out}");

    println!("figure: {kills} kills, {written} lines, {} requests refused as known", sink.refused());
    assert_each_once(&sink, written);
}

#[track_caller]
fn assert_each_once(sink: &Sink, written: usize) {
    let mut times: BTreeMap<usize, usize> = BTreeMap::new();
    for value in sink.values("store", "content") {
        let number = value.split(' ').next().and_then(|n| n.parse().ok());
        *times.entry(number.unwrap_or_else(|| panic!("a torn line: {value:?}"))).or_default() += 1;
    }
    let missing: Vec<usize> = (0..written).filter(|i| !times.contains_key(i)).collect();
    let repeated: Vec<_> = times.iter().filter(|(_, n)| **n > 1).collect();
    assert!(missing.is_empty(), "{} of {written} are missing, from {:?} on", missing.len(), missing.first());
    assert!(
        repeated.is_empty(),
        "{} of {written} came again, from {:?} on",
        repeated.len(),
        repeated.first()
    );
}

/// Stopped and continued by signals, as a debugger, a checkpointing runtime or a laptop's lid does: time passes in
/// between, the server gives up on its requests, files rotate.
#[test]
fn a_collector_that_is_stopped_for_a_while_goes_on_without_loss_or_repetition() {
    const STOPS: usize = 5;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let sink = runtime.block_on(Sink::start());
    let container = container(&sink);
    let path = container.path("/var/log/a.log");
    let writing = Writing::default();
    let collector = container.start();
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_and_rotate(&path, &sink, &writing));
        let ends = Ends(&writing.done);
        for _ in 0..STOPS {
            let before = sink.logs();
            eventually("lines", || (sink.logs() > before).then_some(()));
            collector.signal(Signal::STOP);
            sink.fail_next([Fault::TakeAndDrop]);
            // Until the writer is as far ahead as it may be: several rotations.
            let is_full = || writing.lines.load(Ordering::Relaxed) > sink.logs() + AHEAD_MAX;
            eventually("a writer that waits", || is_full().then_some(()));
            collector.signal(Signal::CONT);
        }
        drop(ends);
        writer.join().expect("the writer ends")
    });
    eventually("all lines", || (sink.logs() >= written).then_some(()));
    let (code, out) = collector.stop();
    assert_eq!(code, Some(0), "{out}");
    println!("figure: {STOPS} stops, {written} lines");
    assert_each_once(&sink, written);
}

/// An OOM kill is a kill as above; here it is held that there is no reason for one.
#[test]
fn memory_does_not_grow_with_what_nobody_takes() {
    const FILES: usize = 200;
    /// Far below the document's limit of 512 MiB, with room for a build without optimization.
    const KIB_MAX: u64 = 96 * 1024;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let sink = runtime.block_on(Sink::start());
    sink.fail_always(Some(Fault::Refuse(503, "ServerBusy")));
    let container = container(&sink);
    let config = container.read("/usr/local/ilogtail/user_local_config.json");
    container.write("/usr/local/ilogtail/user_local_config.json", config.replace("a.log", "*.log"));
    let noise = |n: usize| format!("{n} {:x}{:x}\n", fastrand::u128(..), fastrand::u128(..));
    for file in 0..FILES {
        let lines: String = (0..15_000).map(noise).collect();
        container.write(&format!("/var/log/{file}.log"), lines);
    }
    let collector = container.start();
    // Until it has tried again and again with all that it may hold.
    eventually("requests", || (sink.requests() > 10).then_some(()));
    std::thread::sleep(Duration::from_secs(1)); // time to grow, if it did
    let status = fs::read_to_string(format!("/proc/{}/status", collector.id())).expect("it lives");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line of Linux");
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    println!("figure: {FILES} files of a megabyte and nobody who takes them: {} MiB at most", peak / 1024);
    assert!(peak < KIB_MAX, "{peak} KiB");
}
