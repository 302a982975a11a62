//! Clocks that step: set right by a time service, by a person, by a leap second. What a file held arrives all the
//! same, once, and nothing waits for a time that does not come.

mod data_rig;

use std::fs;
use std::time::Duration;

use collector::pipeline::{Parse, Pipeline, TimeRule, full_match};
use data_rig::{Rig, set_modified, simple, simple_on};

const HOUR: i64 = 3_600;

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

/// Writes a line to the file and has it stamped by the stepped clock, as the kernel would.
fn append(rig: &Rig, name: &str, text: &str) {
    rig.append(name, text);
    set_modified(&rig.path(name), rig.wall());
}

#[test]
fn whole_generations_that_come_and_go_around_a_step_are_read_once() {
    for step in [-10 * HOUR, -HOUR, -20 * 60, 20 * 60, HOUR, 24 * HOUR] {
        for polls in [false, true] {
            let mut rig = Rig::new();
            rig.polls = polls;
            rig.start(vec![simple()]);
            append(&rig, "a.log", "0\n");
            assert_eq!(rig.values(), ["0"]);
            // Two rotations between two looks, one before the step and one after it.
            fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("rename");
            append(&rig, "a.log", "1\n");
            fs::rename(rig.path("a.log"), rig.path("a.log.2")).expect("rename");
            rig.wall_ahead += step;
            append(&rig, "a.log", "2\n");
            fs::rename(rig.path("a.log"), rig.path("a.log.3")).expect("rename");
            append(&rig, "a.log", "3\n");
            assert_eq!(sorted(rig.values()), ["1", "2", "3"], "{step} s, polls: {polls}");
            // The same with copies.
            append(&rig, "a.log", "4\n");
            for n in 4..7 {
                fs::copy(rig.path("a.log"), rig.path(&format!("a.log.{n}"))).expect("copy");
                set_modified(&rig.path(&format!("a.log.{n}")), rig.wall());
                fs::write(rig.path("a.log"), "").expect("truncate");
                append(&rig, "a.log", &format!("{}\n", n + 1));
                rig.wall_ahead -= step;
            }
            assert_eq!(sorted(rig.values()), ["4", "5", "6", "7"], "{step} s, polls: {polls}");
        }
    }
}

#[test]
fn a_collector_that_was_away_while_the_clock_stepped_reads_what_it_missed_and_no_more() {
    for step in [-10 * HOUR, -HOUR, HOUR, 10 * 24 * HOUR] {
        let mut rig = Rig::new();
        // Rotated long before the collector came: not its own.
        rig.append("a.log.9", "old\n");
        set_modified(&rig.path("a.log.9"), rig.wall() - Duration::from_secs(30 * 24 * 3_600));
        rig.start(vec![simple()]);
        append(&rig, "a.log", "0\n");
        assert_eq!(rig.values(), ["0"]);
        rig.wait_ms(2_000);
        rig.kill();
        rig.wall_ahead += step;
        append(&rig, "a.log", "1\n");
        fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("rename");
        append(&rig, "a.log", "2\n");
        fs::rename(rig.path("a.log"), rig.path("a.log.2")).expect("rename");
        append(&rig, "a.log", "3\n");
        rig.start(vec![simple()]);
        assert_eq!(sorted(rig.values()), ["1", "2", "3"], "{step} s");
        rig.wait_ms(2_000);
        rig.kill();
        rig.start(vec![simple()]);
        assert_eq!(rig.values(), [""; 0], "{step} s");
    }
}

#[test]
fn timers_go_on_while_the_clock_steps() {
    for step in [-24 * HOUR, 24 * HOUR] {
        let mut rig = Rig::running(simple_on(|input| input.flush_timeout = Duration::from_secs(30)));
        append(&rig, "a.log", "one\ntwo");
        rig.wait_ms(10_000);
        assert_eq!(rig.take().len(), 1);
        rig.wall_ahead += step;
        rig.wait_ms(19_000);
        assert_eq!(rig.carried.len(), 0, "the rest may still come");
        rig.wait_ms(2_000);
        assert_eq!(rig.values(), ["two"], "30 s are 30 s");
    }
}

/// Source of the days: IERS Bulletin C; the last leap second was on 2016-12-31.
#[test]
fn a_leap_second_is_a_time() {
    let time = TimeRule::Field {
        key: "time".to_owned(),
        format: "%Y-%m-%d %H:%M:%S".to_owned(),
        offset_seconds: Some(0),
        year: None,
        precise: None,
    };
    let parse = Parse::Regex {
        regex: full_match(r"(\S+ \S+) (.*)").expect("regex"),
        keys: vec!["time".to_owned(), "message".to_owned()],
    };
    let mut rig = Rig::running(Pipeline { parse, time, ..simple() });
    rig.append("a.log", "2016-12-31 23:59:59 before\n2016-12-31 23:59:60 in\n2017-01-01 00:00:00 after\n");
    rig.turns();
    let times: Vec<u32> = rig.take().iter().flat_map(|group| &group.logs).map(|log| log.time).collect();
    let midnight = 1_483_228_800;
    assert_eq!(times, [midnight - 1, midnight, midnight], "as POSIX counts it");
    let raised = rig.alarms();
    assert!(raised.iter().all(|(name, ..)| *name == "OUTDATED_LOG_ALARM"), "{raised:?}");
}
