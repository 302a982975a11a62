//! The whole engine under pressure: fast writers, rotation all the time, a server that fails now and
//! then, the engine killed in between. Real threads, real time; what is checked is the ledger.

mod data_support;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use data_support::{Bench, Fault, far, simple};

const STORM: Duration = Duration::from_secs(3);
const ROTATE_EVERY: Duration = Duration::from_millis(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rotation {
    /// Rename, then a new file.
    Rename,
    /// Copy, then truncate; nothing is written in between.
    CopyTruncate,
}

/// Writes numbered lines until the time is over; returns how many.
fn write_and_rotate(path: &Path, rotation: Rotation) -> usize {
    let open = || OpenOptions::new().create(true).append(true).open(path).expect("open");
    let rotated = |n: usize| PathBuf::from(format!("{}.{n}", path.display()));
    let mut file: File = open();
    let (mut next, mut generation) = (0, 0);
    let end = Instant::now() + STORM;
    while Instant::now() < end {
        let rotate_at = Instant::now() + ROTATE_EVERY;
        while Instant::now() < rotate_at {
            let burst: String =
                (next..next + 50).map(|i| format!("{i} {:x}\n", fastrand::u128(..))).collect();
            file.write_all(burst.as_bytes()).expect("write");
            next += 50;
            std::thread::sleep(Duration::from_millis(1)); // about 2 MB/s
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
    next
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
    let mut engine = Some(bench.start(vec![simple()]));
    let path = bench.log("a.log");
    let writer = tokio::task::spawn_blocking(move || write_and_rotate(&path, rotation));
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
    let written = writer.await.expect("the writer ends");
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
