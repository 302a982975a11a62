//! Reading that is held up: for want of room towards the server, or by a limit of bytes in a second.

mod data_rig;

use std::num::{NonZeroU16, NonZeroU64};
use std::time::Duration;

use collector::engine::Limits;
use collector::engine::drain::Until;
use collector::pipeline::{Pipeline, SendRate, Shards};
use data_rig::{Rig, simple, simple_on, values_of};

/// A file whose last line is half read, and goes on where nothing may be read since the server is silent.
fn stuck_in_a_line() -> Rig {
    let mut rig = Rig::new();
    rig.limits = Limits { lane_parcels_max: 1, ..Limits::default() };
    rig.append("a.log", "whole\nbegin");
    rig.start(vec![simple_on(|input| input.flush_timeout = Duration::from_secs(1))]);
    rig.wait_ms(100);
    assert_eq!(rig.carried.len(), 1);
    rig.append("a.log", " and end\n");
    rig
}

#[test]
fn a_line_is_not_cut_where_its_rest_is_there_and_was_not_read_yet() {
    let mut rig = stuck_in_a_line();
    rig.wait_ms(60_000);
    assert_eq!(rig.values(), ["whole", "begin and end"]);
}

#[test]
fn the_last_call_of_a_drain_does_not_cut_such_a_line_either() {
    let mut rig = stuck_in_a_line();
    let (now, deadline) = (rig.now(), rig.mono + Duration::from_millis(900));
    rig.reader.as_mut().expect("a reader").begin_drain(Until::WritersAreGone, deadline, now);
    rig.wait_ms(800);
    let mut values = Vec::new();
    for _ in 0..3 {
        values.extend(rig.take().iter().flat_map(values_of));
        rig.wait_ms(20);
    }
    assert_eq!(values, ["whole", "begin and end"]);
}

/// 20 bytes each.
fn lines(count: usize) -> String {
    "0123456789abcdefghi\n".repeat(count)
}

#[test]
fn a_long_file_does_not_take_the_pace_of_the_others() {
    const RATE: u64 = 1_024;
    let mut rig = Rig::new();
    rig.limits.read_bytes_per_second = NonZeroU64::new(RATE);
    rig.append("a.log", lines(20_000));
    rig.append("b.log", "the other\n");
    rig.start(vec![simple_on(|input| input.file_pattern = "*.log".to_owned())]);
    rig.wait_ms(5_000);
    let values: Vec<String> = rig.take().iter().flat_map(values_of).collect();
    assert!(values.contains(&"the other".to_owned()), "{} lines in 5 s", values.len());
    assert!(rig.counter("read_bytes") <= 5 * RATE + RATE / 4 + 1_024);
}

#[test]
fn a_drain_does_not_leave_behind_what_the_pace_held_back() {
    let mut rig = Rig::new();
    rig.limits.read_bytes_per_second = NonZeroU64::new(1_024);
    rig.append("a.log", lines(20_000));
    rig.start(vec![simple()]);
    rig.wait_ms(1_000);
    let (now, deadline) = (rig.now(), rig.mono + Duration::from_secs(20));
    rig.reader.as_mut().expect("a reader").begin_drain(Until::WritersAreGone, deadline, now);
    for _ in 0..300 {
        rig.take();
        rig.wait_ms(100);
    }
    let report = rig.reader.as_ref().expect("a reader").drained().expect("the end");
    assert!(report.is_complete, "{report}");
    assert_eq!((report.account.lines.sent, report.account.bytes.unread), (20_000, 0));
}

#[test]
fn what_is_read_again_after_a_restart_keeps_the_pace() {
    const RATE: u64 = 10_000;
    const RANGE: u64 = 2_000;
    let numbered = Pipeline { shards: Shards::ExactlyOnce(NonZeroU16::MIN), ..simple() };
    let mut rig = Rig::new();
    rig.limits = Limits { group_logs_max: 100, lane_parcels_max: 1_000, ..Limits::default() };
    rig.append("a.log", lines(10_000));
    rig.start(vec![numbered.clone()]);
    rig.wait_ms(100);
    assert_eq!(rig.carried.len(), 100);
    rig.kill();
    rig.limits.read_bytes_per_second = NonZeroU64::new(RATE);
    rig.start(vec![numbered]);
    for second in 1..=5 {
        rig.wait_ms(1_000);
        let read = rig.counter("read_bytes");
        let most = second * RATE + RATE / 4 + RANGE;
        assert!(read <= most && read + RATE >= second * RATE, "{read} after {second} s");
    }
}

/// Bytes of all logs that were handed over, before compression.
fn bytes_carried(rig: &Rig) -> u64 {
    rig.carried.all().iter().flat_map(|parcel| &parcel.groups).map(|group| group.raw_bytes as u64).sum()
}

fn taken(rig: &mut Rig) -> Vec<String> {
    rig.take().iter().flat_map(values_of).collect()
}

fn limited(bytes_per_second: u64, until: Option<u64>) -> Option<SendRate> {
    Some(SendRate { bytes_per_second: NonZeroU64::new(bytes_per_second).expect("a rate"), until })
}

#[test]
fn a_logstore_gets_no_more_than_its_rate_and_everything_in_order() {
    const RATE: u64 = 10_000;
    for shards in [Shards::Any, Shards::ExactlyOnce(NonZeroU16::MIN)] {
        let mut rig = Rig::new();
        rig.limits = Limits { group_logs_max: 50, block_bytes: 4_096, ..Limits::default() };
        let numbered: Vec<String> = (0..2_000).map(|n| format!("{n:019}")).collect();
        rig.append("a.log", numbered.iter().map(|line| format!("{line}\n")).collect::<String>());
        rig.start(vec![Pipeline { send_rate: limited(RATE, None), shards, ..simple() }]);
        let (mut sent, mut values) = (0, Vec::new());
        for second in 1..=100 {
            rig.wait_ms(1_000);
            let carried = bytes_carried(&rig);
            sent += carried;
            assert!(sent <= second * RATE + RATE / 4 + 15_000, "{sent} after {second} s");
            values.extend(taken(&mut rig));
            if values.len() == numbered.len() {
                break;
            }
            assert!(carried > 0, "nothing in second {second}");
        }
        assert_eq!(values, numbered);
    }
}

#[test]
fn a_rate_ends_at_its_time_and_is_about_its_own_logstore() {
    let mut rig = Rig::new();
    let until = rig.now().unix_seconds() + 30;
    let other =
        Pipeline { name: "other".to_owned(), ..simple_on(|input| input.file_pattern = "b.log".to_owned()) };
    let mut slow = Pipeline { send_rate: limited(5, Some(until)), ..simple() };
    slow.destination.logstore = "slow".parse().expect("a name");
    rig.append("a.log", "1\n");
    rig.start(vec![slow, other]);
    rig.wait_ms(1_000);
    assert_eq!(taken(&mut rig), ["1"], "a request may be larger than the share");
    rig.append("a.log", "2\n");
    rig.append("b.log", "b\n");
    rig.wait_ms(28_000);
    assert_eq!(taken(&mut rig), ["b"]);
    rig.wait_ms(3_000);
    assert_eq!(taken(&mut rig), ["2"]);
}

#[test]
fn a_drain_does_not_heed_the_rate() {
    let mut rig = Rig::new();
    rig.append("a.log", lines(20_000));
    rig.start(vec![Pipeline { send_rate: limited(100, None), ..simple() }]);
    rig.wait_ms(1_000);
    rig.take();
    rig.wait_ms(60_000);
    assert_eq!(rig.carried.len(), 0, "the rate holds it back");
    let (values, report) = rig.drain(Until::WritersAreGone);
    assert!(report.is_complete, "{report}");
    assert!(values.len() < 20_000 && report.account.lines.sent == 20_000);
}
