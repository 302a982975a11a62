//! When a collector concludes that the application has done its work, with a time of the test's own.

mod data_rig;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::Duration;

use collector::engine::drain::Until;
use data_rig::{Rig, set_age, simple, simple_on};

const QUIET: Duration = Duration::from_secs(10);

/// Looks for the end of the work from now on.
fn looking(mut rig: Rig) -> Rig {
    let now = rig.now();
    rig.reader.as_mut().expect("a reader").look_for_idle(QUIET, now);
    rig
}

fn is_idle(rig: &Rig) -> bool {
    rig.reader.as_ref().expect("a reader").is_idle()
}

/// Lets time pass while the server takes everything; true if the work was done before its end.
fn becomes_idle_within(rig: &mut Rig, seconds: u64) -> bool {
    (0..seconds * 10).any(|_| {
        rig.take();
        rig.wait_ms(100);
        is_idle(rig)
    })
}

fn opened(rig: &Rig, name: &str) -> File {
    OpenOptions::new().create(true).append(true).open(rig.path(name)).expect("open")
}

#[test]
fn without_a_config_or_a_file_nothing_is_concluded() {
    let mut rig = Rig::new();
    rig.start(Vec::new());
    let mut rig = looking(rig);
    rig.append("a.log", "of no config yet\n");
    assert!(!becomes_idle_within(&mut rig, 60));
    let mut rig = looking(Rig::running(simple()));
    assert!(!becomes_idle_within(&mut rig, 60));
    rig.append("a.log", "");
    assert!(!becomes_idle_within(&mut rig, 60), "a file that nobody has written to yet");
    rig.append("a.log", "1\n");
    assert!(becomes_idle_within(&mut rig, 13));
}

#[test]
fn the_end_is_concluded_a_quiet_time_after_the_last_writer_is_gone() {
    for polls in [false, true] {
        let mut rig = Rig::new();
        rig.polls = polls;
        rig.start(vec![simple()]);
        let mut rig = looking(rig);
        let mut writer = opened(&rig, "a.log");
        writer.write_all(b"1\n2").expect("write");
        assert!(!becomes_idle_within(&mut rig, 120), "a writer is there, silent or not");
        drop(writer);
        assert!(!becomes_idle_within(&mut rig, 7), "one that opens the file for every line may come back");
        rig.append("a.log", "3\n");
        assert!(!becomes_idle_within(&mut rig, 9));
        assert!(becomes_idle_within(&mut rig, 5));
        rig.append("a.log", "4");
        let (values, report) = rig.drain(Until::WritersAreGone);
        assert_eq!(values, ["4"], "what came in between is read by the drain");
        assert!(report.is_complete);
    }
}

#[test]
fn an_empty_file_that_was_open_for_writing_is_work_done() {
    let mut rig = looking(Rig::running(simple()));
    let writer = opened(&rig, "a.log");
    assert!(!becomes_idle_within(&mut rig, 30));
    drop(writer);
    assert!(becomes_idle_within(&mut rig, 13));
}

#[test]
fn logs_that_are_not_acknowledged_are_work_to_do() {
    let mut rig = looking(Rig::running(simple()));
    rig.append("a.log", "1\n");
    rig.wait_ms(120_000);
    assert!(!is_idle(&rig));
    assert_eq!(rig.take().len(), 1);
    assert!(becomes_idle_within(&mut rig, 16));
}

#[test]
fn every_new_file_begins_the_quiet_time_anew() {
    let mut rig = looking(Rig::running(simple_on(|input| input.file_pattern = "*.log".to_owned())));
    for n in 0..5 {
        rig.append(&format!("{n}.log"), "1\n");
        assert!(!becomes_idle_within(&mut rig, 9), "file {n}");
    }
    assert!(becomes_idle_within(&mut rig, 5));
}

#[test]
fn old_files_of_an_earlier_run_on_the_volume_are_no_work_done() {
    let mut rig = Rig::new();
    rig.append("a.log", "of last week\n");
    set_age(&rig.path("a.log"), Duration::from_secs(3_600));
    rig.start(vec![simple()]);
    let mut rig = looking(rig);
    assert!(!becomes_idle_within(&mut rig, 60));
    rig.append("a.log", "of today\n");
    assert!(becomes_idle_within(&mut rig, 13));
}

#[test]
fn a_collector_that_was_restarted_after_the_work_sees_that_it_is_done() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "1\n");
    assert_eq!(rig.values(), ["1"]);
    rig.kill();
    rig.start(vec![simple()]);
    let mut rig = looking(rig);
    assert!(becomes_idle_within(&mut rig, 16));
}

#[test]
fn a_rotated_file_that_is_written_still_is_work_to_do() {
    let mut rig = looking(Rig::running(simple()));
    let mut writer = opened(&rig, "a.log");
    writer.write_all(b"1\n").expect("write");
    rig.turns();
    std::fs::rename(rig.path("a.log"), rig.path("old")).expect("rename");
    rig.append("a.log", "2\n");
    assert!(!becomes_idle_within(&mut rig, 60));
    drop(writer);
    assert!(becomes_idle_within(&mut rig, 16));
}

#[test]
fn a_drain_that_waits_for_the_server_does_not_spin() {
    let mut rig = looking(Rig::running(simple()));
    rig.append("a.log", "1\n");
    assert!(becomes_idle_within(&mut rig, 16));
    rig.append("a.log", "2\n");
    let (now, far) = (rig.now(), rig.mono + Duration::from_secs(1_000_000));
    // Asked again meanwhile, as by a config server that comes and goes.
    let reader = rig.reader.as_mut().expect("a reader");
    reader.look_for_idle(QUIET, now);
    reader.begin_drain(Until::WritersAreGone, far, now);
    let end = rig.mono + Duration::from_secs(60);
    let mut turns = 0;
    while rig.mono < end && turns < 100_000 {
        let now = rig.now();
        let wait = rig.reader.as_mut().expect("a reader").turn(now);
        rig.mono += wait.expect("a drain looks at the files");
        turns += 1;
    }
    assert!(rig.carried.len() > 0, "nothing is acknowledged");
    assert!(turns <= 3 * 60 * 20, "{turns} turns in a minute, of which a drain needs 20 a second");
}

#[test]
fn after_the_applications_word_a_writer_is_waited_for_a_while_and_the_server_for_ever() {
    let mut rig = Rig::running(simple());
    let mut writer = opened(&rig, "a.log");
    writer.write_all(b"1\n2").expect("write");
    let (now, far) = (rig.now(), rig.mono + Duration::from_secs(1_000_000));
    let until = Until::WritersAreGoneBy(rig.mono + Duration::from_secs(20));
    rig.reader.as_mut().expect("a reader").begin_drain(until, far, now);
    rig.wait_ms(600_000);
    assert!(rig.reader.as_ref().expect("a reader").drained().is_none(), "nothing is acknowledged");
    let mut values: Vec<String> = Vec::new();
    for _ in 0..10 {
        values.extend(rig.take().iter().flat_map(data_rig::values_of));
        rig.wait_ms(100);
    }
    assert_eq!(values, ["1", "2"]);
    let report = rig.reader.as_ref().expect("a reader").drained().expect("the end");
    assert!(report.is_complete);
    assert_eq!(report.still_written.len(), 1);
    assert_eq!((report.account.bytes.acknowledged, report.account.lines.sent), (3, 2));
}

#[test]
fn after_the_applications_word_a_program_that_writes_on_does_not_keep_the_collector() {
    let mut rig = Rig::running(simple());
    let mut writer = opened(&rig, "a.log");
    let (now, far) = (rig.now(), rig.mono + Duration::from_secs(1_000_000));
    let until = Until::WritersAreGoneBy(rig.mono + Duration::from_secs(20));
    rig.reader.as_mut().expect("a reader").begin_drain(until, far, now);
    let (mut values, mut written) = (Vec::new(), 0);
    let report = loop {
        assert!(written < 3_000, "the drain does not end");
        writer.write_all(format!("{written}\n").as_bytes()).expect("write");
        written += 1;
        rig.mono += Duration::from_millis(10);
        rig.turns();
        values.extend(rig.take().iter().flat_map(data_rig::values_of));
        if let Some(report) = rig.reader.as_ref().expect("a reader").drained() {
            break report.clone();
        }
    };
    assert!((2_000..2_100).contains(&written), "{written} lines in as many hundredths of a second");
    assert_eq!(values, (0..values.len()).map(|line| line.to_string()).collect::<Vec<_>>());
    assert!(values.len() >= 2_000, "{} lines", values.len());
    assert_eq!((report.is_complete, report.still_written.len()), (report.account.bytes.unread == 0, 1));
}
