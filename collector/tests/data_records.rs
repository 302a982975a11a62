//! Records of several lines, from files that grow, rotate and are read again after a kill.

mod data_rig;

use std::fs;
use std::time::Duration;

use collector::engine::Limits;
use collector::pipeline::{Multiline, Pipeline, Records, Strays, full_match};
use data_rig::{Rig, simple};

/// Records of a start and an end, each of three lines.
fn records(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|i| format!("begin {i}\n  body {i}\nend {i}")).collect()
}

fn records_pipeline(strays: Strays) -> Pipeline {
    let re = |pattern| full_match(pattern).expect("regex");
    let records = Records::StartEnd { start: re("begin .*"), end: re("end .*") };
    Pipeline { multiline: Multiline::Joined { records, strays }, ..simple() }
}

#[test]
fn records_stay_whole_over_reads_of_any_size_and_rotations() {
    for block_bytes in [7, 64, 4_096] {
        let mut rig = Rig::new();
        rig.limits = Limits { block_bytes, ..Limits::default() };
        rig.start(vec![records_pipeline(Strays::SingleLines)]);
        for (i, record) in records(0..40).iter().enumerate() {
            // A part of a record, a look at it, and the rest.
            let (head, rest) = record.split_at(i % record.len());
            rig.append("a.log", head);
            rig.turns();
            rig.append("a.log", format!("{rest}\n"));
            if i % 10 == 9 {
                fs::rename(rig.path("a.log"), rig.path(&format!("a.log.{i}"))).expect("rename");
            }
        }
        assert_eq!(rig.values(), records(0..40), "blocks of {block_bytes}");
    }
}

#[test]
fn a_record_that_a_kill_interrupts_is_read_again_from_its_start() {
    let mut rig = Rig::running(records_pipeline(Strays::Discard));
    rig.append("a.log", "stray\nbegin 0\n  body 0\nend 0\nbegin 1\n  bo");
    assert_eq!(rig.values(), records(0..1));
    assert_eq!(rig.counter("multiline_unmatched_lines"), 1);
    rig.wait_ms(2_000);
    rig.kill();
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("rename");
    rig.append("a.log.1", "dy 1\nend 1\n");
    rig.append("a.log", "begin 2\n  body 2\n");
    rig.start(vec![records_pipeline(Strays::Discard)]);
    rig.append("a.log", "end 2\n");
    let mut values = rig.values();
    values.sort();
    assert_eq!(values, records(1..3));
}

#[test]
fn the_rest_of_a_cut_record_is_sent_after_a_kill_or_a_new_config_even_where_strays_are_dropped() {
    for is_killed in [true, false] {
        let mut rig = Rig::new();
        rig.limits = Limits { event_bytes_max: 20, ..Limits::default() };
        rig.start(vec![records_pipeline(Strays::Discard)]);
        rig.append("a.log", "begin 0\n0123456789\n0123456789\n");
        assert_eq!(rig.values(), ["begin 0\n0123456789"]);
        rig.wait_ms(2_000);
        let again = Pipeline { version: 2, ..records_pipeline(Strays::Discard) };
        if is_killed {
            rig.kill();
            rig.start(vec![again]);
        } else {
            let now = rig.now();
            rig.reader.as_mut().expect("a reader").apply(vec![again], now);
            rig.turns();
        }
        rig.append("a.log", "end 0\nbegin 1\nend 1\nx\n");
        assert_eq!(rig.values(), ["0123456789", "end 0", "begin 1\nend 1"], "killed: {is_killed}");
        assert_eq!(rig.counter("multiline_unmatched_lines"), 1);
    }
}

#[test]
fn lines_of_no_record_are_sent_alone_or_dropped_and_counted() {
    for (strays, expected) in [(Strays::SingleLines, vec!["x", "y"]), (Strays::Discard, vec![])] {
        let mut rig = Rig::running(records_pipeline(strays));
        rig.append("a.log", "x\ny\n");
        assert_eq!(rig.values(), expected);
        assert_eq!(rig.counter("multiline_unmatched_lines"), 2);
        rig.wait_ms(2_000);
        rig.kill();
        rig.start(vec![records_pipeline(strays)]);
        assert_eq!(rig.values(), Vec::<String>::new(), "nothing is read twice");
    }
}

#[test]
fn a_record_without_an_end_is_let_go_of_after_its_time_and_cut_when_it_is_too_long() {
    let mut rig = Rig::new();
    rig.limits = Limits { event_bytes_max: 20, ..Limits::default() };
    let mut pipeline = records_pipeline(Strays::SingleLines);
    pipeline.input.flush_timeout = Duration::from_secs(5);
    rig.start(vec![pipeline]);
    rig.append("a.log", "begin 0\n0123456789\n0123456789\nend 0\nbegin 1\n");
    assert_eq!(rig.values(), ["begin 0\n0123456789", "0123456789\nend 0", "begin 1"]);
    assert_eq!(rig.counter("cut_events"), 1);
}

#[test]
fn an_over_long_line_of_no_record_is_one_such_line_and_its_parts_count_as_cut_unless_dropped() {
    let parts = ["abcdefgh", "ijklmnop", "qr"];
    for (strays, expected, cut) in [(Strays::SingleLines, &parts[..], 2), (Strays::Discard, &[], 0)] {
        let mut rig = Rig::new();
        rig.limits = Limits { event_bytes_max: 8, ..Limits::default() };
        rig.start(vec![records_pipeline(strays)]);
        rig.append("a.log", "abcdefghijklmnopqr\n");
        assert_eq!(rig.values(), expected);
        assert_eq!(rig.counter("cut_events"), cut, "{strays:?}");
        assert_eq!(rig.counter("multiline_unmatched_lines"), 1, "{strays:?}");
    }
}
