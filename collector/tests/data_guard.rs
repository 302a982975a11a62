//! The space that log files take: said when it becomes much, and given back only by files that are delivered.

mod data_rig;

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::sync::atomic::Ordering;
use std::time::Duration;

use collector::engine::Limits;
use collector::engine::outbox::Parcel;
use collector::pipeline::{Destination, Pipeline};
use data_rig::{Rig, set_age, simple, simple_on};

/// What a file of a test takes, in bytes: whole blocks of any file system.
const FILE_BYTES: usize = 256 * 1024;

/// With a volume that may hold four such files.
fn rig(unlinks_collected: bool) -> Rig {
    let mut rig = Rig::new();
    rig.limits =
        Limits { log_volume_bytes: Some(4 * FILE_BYTES as u64), unlinks_collected, ..Limits::default() };
    rig
}

/// A file full of lines of this letter.
fn fill(rig: &Rig, name: &str, letter: &str) {
    rig.append(name, format!("{}\n", letter.repeat(63)).repeat(FILE_BYTES / 64));
}

/// Time to read, send and leave; everything is acknowledged.
fn settle(rig: &mut Rig) {
    for _ in 0..20 {
        rig.wait_ms(1_000);
        rig.take();
    }
}

fn alarms(rig: &Rig) -> Vec<(&'static str, u64)> {
    rig.alarms().into_iter().map(|(name, count, _)| (name, count)).collect()
}

fn names(rig: &Rig) -> Vec<String> {
    let entries = fs::read_dir(rig.dir.path().join("logs")).expect("logs").flatten();
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// `a.log`, delivered, becomes `a.log.<n>`, and is so old.
fn rotate(rig: &mut Rig, n: u32, age_seconds: u64) {
    let rotated = rig.path(&format!("a.log.{n}"));
    fs::rename(rig.path("a.log"), &rotated).expect("renamed");
    rig.append("a.log", "");
    set_age(&rotated, Duration::from_secs(age_seconds));
    settle(rig);
}

fn unlinked(rig: &Rig) -> u64 {
    rig.board.gauges.unlinked_files.load(Ordering::Relaxed)
}

#[test]
fn files_that_come_near_the_limit_raise_an_alarm_at_each_look_and_are_measured() {
    let mut rig = rig(false);
    rig.start(vec![simple()]);
    fill(&rig, "a.log", "a");
    fill(&rig, "other", "b");
    rig.wait_ms(10_000);
    assert_eq!(alarms(&rig), [], "half of the limit");
    let used = || rig.board.gauges.volume_used_bytes.load(Ordering::Relaxed);
    assert!((2 * FILE_BYTES as u64..3 * FILE_BYTES as u64).contains(&used()), "{}", used());
    assert_eq!(rig.board.gauges.volume_limit_bytes.load(Ordering::Relaxed), 4 * FILE_BYTES as u64);
    fill(&rig, "other", "b");
    fs::hard_link(rig.path("other"), rig.path("the same")).expect("linked");
    rig.wait_ms(30_000);
    assert_eq!(alarms(&rig), [("LOG_VOLUME_USAGE_ALARM", 3)]);
    fs::remove_file(rig.path("other")).expect("removed");
    fs::remove_file(rig.path("the same")).expect("removed");
    rig.wait_ms(20_000);
    assert_eq!(alarms(&rig), []);
    assert_eq!(names(&rig), ["a.log"]);
}

#[test]
fn rotated_files_that_are_delivered_go_the_oldest_first_until_there_is_room() {
    let mut rig = rig(true);
    rig.start(vec![simple()]);
    for (n, age) in [(1, 100), (2, 300), (3, 200)] {
        fill(&rig, "a.log", "x");
        settle(&mut rig);
        rotate(&mut rig, n, age);
    }
    assert_eq!(names(&rig), ["a.log", "a.log.1", "a.log.3"], "the oldest is enough");
    assert_eq!((unlinked(&rig), alarms(&rig)), (1, vec![]), "there is room again");
    fill(&rig, "a.log", "y");
    fill(&rig, "a.log", "y");
    settle(&mut rig);
    assert_eq!(names(&rig), ["a.log"]);
    assert_eq!(unlinked(&rig), 3);
    fill(&rig, "a.log", "z");
    settle(&mut rig);
    assert_eq!(names(&rig), ["a.log"], "the live file stays, however full it is");
    assert_eq!(alarms(&rig)[0].0, "LOG_VOLUME_USAGE_ALARM");
    // It is not taken for new, nor missed.
    rig.append("a.log", "last\n");
    assert_eq!(rig.values(), ["last"]);
}

#[test]
fn without_the_setting_nothing_is_unlinked() {
    let mut rig = rig(false);
    rig.start(vec![simple()]);
    for n in 1..=4 {
        fill(&rig, "a.log", "x");
        settle(&mut rig);
        rotate(&mut rig, n, 100);
    }
    assert_eq!(names(&rig), ["a.log", "a.log.1", "a.log.2", "a.log.3", "a.log.4"]);
}

#[test]
fn what_is_not_acknowledged_or_not_ours_or_still_written_stays() {
    let mut rig = rig(true);
    rig.start(vec![simple()]);
    // Somebody else's.
    fill(&rig, "database", "d");
    set_age(&rig.path("database"), Duration::from_secs(5_000));
    // Rotated and delivered, but a program has it open still.
    fill(&rig, "a.log", "w");
    settle(&mut rig);
    let writer = OpenOptions::new().append(true).open(rig.path("a.log")).expect("open");
    rotate(&mut rig, 1, 4_000);
    // Rotated and read, but nothing of it was acknowledged.
    fill(&rig, "a.log", "u");
    rig.wait_ms(1_000);
    let rotated = rig.path("a.log.2");
    fs::rename(rig.path("a.log"), &rotated).expect("renamed");
    set_age(&rotated, Duration::from_secs(3_000));
    fill(&rig, "a.log", "l");
    rig.wait_ms(60_000);
    let all = ["a.log", "a.log.1", "a.log.2", "database"];
    assert_eq!(names(&rig), all);
    assert_eq!(alarms(&rig)[0].0, "LOG_VOLUME_USAGE_ALARM");
    settle(&mut rig);
    assert_eq!(names(&rig), ["a.log", "a.log.1", "database"], "it is acknowledged now");
    drop(writer);
    fill(&rig, "a.log", "m");
    settle(&mut rig);
    settle(&mut rig);
    assert_eq!(names(&rig), ["a.log", "database"], "nobody writes to it any more");
}

#[test]
fn a_rotated_file_without_a_live_one_beside_it_stays() {
    let mut rig = rig(true);
    rig.start(vec![simple()]);
    for _ in 0..4 {
        fill(&rig, "a.log", "x");
    }
    settle(&mut rig);
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("renamed");
    settle(&mut rig);
    assert_eq!(names(&rig), ["a.log.1"], "the newest of its name");
    rig.append("a.log", "");
    settle(&mut rig);
    assert_eq!(names(&rig), ["a.log"]);
}

#[test]
fn a_file_that_two_configs_read_waits_for_both() {
    let mut rig = rig(true);
    let other = Destination { logstore: "other".parse().expect("Logstore"), ..simple().destination };
    let second = Pipeline { name: "second".to_owned(), destination: other, ..simple() };
    rig.start(vec![simple(), second]);
    for _ in 0..3 {
        fill(&rig, "a.log", "x");
    }
    rig.wait_ms(1_000);
    // The requests of one are acknowledged, those of the other not.
    let mut acknowledged = HashSet::new();
    loop {
        let of_first =
            |p: &Parcel| p.destination.logstore.as_str() == "store" && !acknowledged.contains(&p.id);
        let Some(parcel) = rig.carried.all().into_iter().find(of_first) else { break };
        rig.acknowledge(&parcel);
        acknowledged.insert(parcel.id);
        rig.wait_ms(1_000);
    }
    assert!(acknowledged.len() > 1);
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("renamed");
    rig.append("a.log", "");
    rig.wait_ms(60_000);
    assert_eq!(names(&rig), ["a.log", "a.log.1"]);
    settle(&mut rig);
    assert_eq!(names(&rig), ["a.log"], "the other has it too");
}

#[test]
fn rotated_files_whose_name_the_config_matches_too_go_as_well() {
    let mut rig = rig(true);
    rig.start(vec![simple_on(|input| input.file_pattern = "a.log*".to_owned())]);
    for n in 1..=4 {
        fill(&rig, "a.log", "x");
        settle(&mut rig);
        rotate(&mut rig, n, 1_000 - u64::from(n));
    }
    assert_eq!(names(&rig), ["a.log", "a.log.3", "a.log.4"]);
    rig.append("a.log", "next\n");
    assert_eq!(rig.values(), ["next"], "nothing is read again");
}
