//! The whole engine under pressure: fast writers, rotation all the time, a server that fails now and
//! then, the engine killed in between. Real threads, real time; what is checked is the ledger.

mod data_support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use data_support::{Bench, Fault, PATIENCE, Sink, far, simple};

const STORM: Duration = Duration::from_secs(3);
const ROTATE_EVERY: Duration = Duration::from_millis(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rotation {
    /// Rename, then a new file.
    Rename,
    /// Copy, then truncate; nothing is written in between.
    CopyTruncate,
}

/// How fast lines are written.
#[derive(Clone)]
enum Speed {
    /// 1 to 2 MB/s.
    Paced,
    /// As fast as the disk takes them, but no further ahead of what this sink has than a test may keep.
    Full(Sink),
}

/// Lines that a writer at full speed may be ahead.
const AHEAD_MAX: usize = 100_000;
/// Bytes of its lines.
const WIDE: usize = 500;

/// Lines of these numbers.
fn burst(numbers: std::ops::Range<usize>, width: usize) -> String {
    let mut text = String::with_capacity(numbers.len() * (width + 50));
    for number in numbers {
        let noise = format!("{number} {:x} ", fastrand::u128(..));
        let end = text.len() + width;
        while text.len() + noise.len() < end {
            text.push_str(&noise);
        }
        text.push_str(&noise);
        text.push('\n');
    }
    text
}

/// Writes numbered lines until the time is over; returns how many, and how many bytes.
fn write_and_rotate(path: &Path, rotation: Rotation, speed: &Speed) -> (usize, usize) {
    let open = || OpenOptions::new().create(true).append(true).open(path).expect("open");
    let rotated = |n: usize| PathBuf::from(format!("{}.{n}", path.display()));
    let mut file: File = open();
    let (mut next, mut bytes, mut generation) = (0, 0, 0);
    let end = Instant::now() + STORM;
    while Instant::now() < end {
        let rotate_at = Instant::now() + ROTATE_EVERY;
        while Instant::now() < rotate_at {
            let (lines, width) = match speed {
                Speed::Paced => (50, 0),
                Speed::Full(sink) if next > sink.logs() + AHEAD_MAX => (0, 0),
                Speed::Full(_) => (500, WIDE),
            };
            let burst = burst(next..next + lines, width);
            file.write_all(burst.as_bytes()).expect("write");
            (next, bytes) = (next + lines, bytes + burst.len());
            if width == 0 {
                std::thread::sleep(Duration::from_millis(1)); // its pace
            }
        }
        // Numbers grow, so that no shift is needed; the newest has the highest.
        generation += 1;
        match rotation {
            Rotation::Rename => {
                fs::rename(path, rotated(generation)).expect("rename");
                file = open();
            }
            Rotation::CopyTruncate => {
                fs::copy(path, rotated(generation)).expect("copy");
                OpenOptions::new().write(true).truncate(true).open(path).expect("truncate");
            }
        }
    }
    (next, bytes)
}

/// How often each number arrived.
fn ledger(values: &[String]) -> BTreeMap<usize, usize> {
    let mut times = BTreeMap::new();
    for value in values {
        let number = value.split(' ').next().and_then(|n| n.parse().ok());
        *times.entry(number.unwrap_or_else(|| panic!("a torn line: {value:?}"))).or_default() += 1;
    }
    times
}

async fn storm(rotation: Rotation, kills: bool) {
    let bench = Bench::new().await;
    let speed = Speed::Paced;
    storm_at(bench, rotation, kills, speed).await;
}

async fn storm_at(bench: Bench, rotation: Rotation, kills: bool, speed: Speed) {
    let mut engine = Some(bench.start(vec![simple()]));
    let path = bench.log("a.log");
    let writer = tokio::task::spawn_blocking(move || write_and_rotate(&path, rotation, &speed));
    while !writer.is_finished() {
        tokio::time::sleep(Duration::from_millis(400)).await; // the pace of the storm, not a wait
        bench
            .sink
            .fail_next([Fault::Refuse(500, "InternalServerError"), Fault::Refuse(403, "WriteQuotaExceed")]);
        if kills {
            drop(engine.take());
            engine = Some(bench.start(vec![simple()]));
        }
    }
    let (written, bytes) = writer.await.expect("the writer ends");
    let speed = bytes as f64 / 1e6 / STORM.as_secs_f64();
    println!(
        "figure: {rotation:?}, kills: {kills}: {written} lines, {speed:.1} MB/s, a rotation each {ROTATE_EVERY:?}"
    );
    let report = engine.take().expect("an engine").drain(far()).await;
    assert!(report.is_complete, "{report}");
    let times = ledger(&bench.sink.values("store", "content"));
    let missing: Vec<usize> = (0..written).filter(|i| !times.contains_key(i)).collect();
    assert!(missing.is_empty(), "{} of {written} are missing, from {:?} on", missing.len(), missing.first());
    if !kills {
        let repeated = times.values().filter(|n| **n > 1).count();
        assert_eq!(repeated, 0, "of {written}");
    }
}

#[tokio::test]
async fn renames_lose_and_repeat_nothing() {
    storm(Rotation::Rename, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renames_at_full_speed_lose_and_repeat_nothing() {
    let bench = Bench::new().await;
    let speed = Speed::Full(bench.sink.clone());
    storm_at(bench, Rotation::Rename, false, speed).await;
}

#[tokio::test]
async fn copies_and_truncations_lose_and_repeat_nothing() {
    storm(Rotation::CopyTruncate, false).await;
}

#[tokio::test]
async fn kills_among_renames_lose_nothing() {
    storm(Rotation::Rename, true).await;
}

#[tokio::test]
async fn kills_among_copies_lose_nothing() {
    storm(Rotation::CopyTruncate, true).await;
}

/// Files of two lines that come and go as fast as they are collected, so that names and inodes are used again at
/// once. They go when their lines have arrived: before, these would be nobody's. Returns how many files and inodes.
fn write_and_delete(logs: &Path, sink: &Sink) -> (usize, usize) {
    const NAMES: usize = 200;
    let end = Instant::now() + STORM;
    let (mut files, mut inodes) = (0, BTreeSet::new());
    while Instant::now() < end {
        for name in 0..NAMES {
            let path = logs.join(format!("{name}.log"));
            // In the first round there is none.
            let _ = fs::remove_file(&path);
            let text = format!("{} starting\n{} starting\n", 2 * files, 2 * files + 1);
            fs::write(&path, text).expect("write");
            inodes.insert(fs::metadata(&path).expect("stat").ino());
            files += 1;
        }
        while sink.logs() < 2 * files {
            if Instant::now() >= end + PATIENCE {
                return (files, inodes.len()); // the ledger says what is missing
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    (files, inodes.len())
}

#[tokio::test]
async fn files_that_come_and_go_with_the_same_names_and_inodes_lose_and_repeat_nothing() {
    let bench = Bench::new().await;
    let mut pipeline = simple();
    pipeline.input.file_pattern = "*.log".to_owned();
    let engine = bench.start(vec![pipeline]);
    let (logs, sink) = (bench.root().join("logs"), bench.sink.clone());
    let writer = tokio::task::spawn_blocking(move || write_and_delete(&logs, &sink));
    let (files, inodes) = writer.await.expect("the writer ends");
    println!("figure: {files} files with {inodes} inodes came and went in {STORM:?}");
    let report = engine.drain(far()).await;
    assert!(report.is_complete, "{report}");
    let times = ledger(&bench.sink.values("store", "content"));
    assert_eq!(times, (0..2 * files).map(|n| (n, 1)).collect());
}
