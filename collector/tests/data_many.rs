//! Very many files: what they cost a start, a turn, and whether each is read.

mod data_rig;

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use data_rig::{Rig, open_files_allowed, simple, simple_on, values_of};

/// A hang guard: what takes longer than this is more than linear.
const PATIENCE: Duration = Duration::from_secs(60);
/// Files that are open beside the logs.
const OTHERS: usize = 200;

/// The files that may be open are those of the process: one test has them at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn numbers(values: &[String]) -> BTreeSet<usize> {
    values.iter().map(|value| value.parse().unwrap_or_else(|_| panic!("torn: {value:?}"))).collect()
}

#[test]
fn a_start_with_thousands_of_unfinished_rotated_files_takes_up_those_that_are_there() {
    let _alone = alone();
    let files = open_files_allowed(5_000 + OTHERS) - OTHERS;
    let mut rig = Rig::new();
    rig.limits.lane_parcels_max = 1;
    for n in 0..files {
        fs::write(rig.path(&format!("a.log.{n}")), format!("{n}\n")).expect("write");
    }
    rig.start(vec![simple_on(|input| input.file_pattern = "a.log*".to_owned())]);
    rig.wait_ms(3_000);
    assert_eq!(rig.status().files, files as u64, "all are followed, and none is acknowledged");
    rig.kill();
    // Every second one is gone when it starts again, and the others belong to the config by their history only.
    (0..files).step_by(2).for_each(|n| fs::remove_file(rig.path(&format!("a.log.{n}"))).expect("remove"));
    let begun = Instant::now();
    rig.limits.lane_parcels_max = 8;
    rig.start(vec![simple()]);
    let values = rig.values();
    println!(
        "figure: {files} unfinished files, half of them gone: {:?} to start and to read them",
        begun.elapsed()
    );
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let expected: BTreeSet<usize> = (1..files).step_by(2).collect();
    assert_eq!((numbers(&values), values.len()), (expected, files / 2));
}

#[test]
fn ten_thousand_idle_files_cost_a_turn_nothing_and_the_one_that_grows_is_read() {
    let _alone = alone();
    let files = open_files_allowed(10_000 + OTHERS) - OTHERS;
    let mut rig = Rig::new();
    for n in 0..files {
        fs::write(rig.path(&format!("{n}.log")), format!("{n}\n")).expect("write");
    }
    let begun = Instant::now();
    rig.start(vec![simple_on(|input| input.file_pattern = "*.log".to_owned())]);
    let values = rig.values();
    println!("figure: {files} files read in {:?}", begun.elapsed());
    assert_eq!((numbers(&values).len(), values.len()), (files, files));
    rig.wait_ms(120_000);
    let (now, read) = (rig.now(), rig.counter("read_bytes"));
    let wait = rig.reader.as_mut().expect("a reader").turn(now);
    assert!(wait.is_some_and(|wait| wait > Duration::from_secs(40)), "{wait:?}");
    rig.append("77.log", "1000000\n");
    rig.turns();
    assert_eq!(rig.take().iter().flat_map(values_of).collect::<Vec<_>>(), ["1000000"]);
    assert_eq!(rig.counter("read_bytes"), read + 8);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[test]
fn a_thousand_files_that_grow_are_read_each_in_its_order() {
    const ROUNDS: usize = 10;
    let _alone = alone();
    let files = open_files_allowed(1_000 + OTHERS) - OTHERS;
    let mut rig = Rig::running(simple_on(|input| input.file_pattern = "*.log".to_owned()));
    let mut values = Vec::new();
    for round in 0..ROUNDS {
        for file in 0..files {
            rig.append(&format!("{file}.log"), format!("{file} {round}\n"));
        }
        rig.wait_ms(1_000);
        values.extend(rig.take().iter().flat_map(values_of));
    }
    values.extend(rig.values());
    assert_eq!(values.len(), ROUNDS * files);
    let mut next = vec![0; files];
    for value in values {
        let (file, round) = value.split_once(' ').expect("two numbers");
        let next = &mut next[file.parse::<usize>().expect("a file")];
        assert_eq!(round, next.to_string(), "of file {file}");
        *next += 1;
    }
}
