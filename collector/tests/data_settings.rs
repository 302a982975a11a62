//! Settings of the process that the data path honours.

mod data_rig;

use std::num::NonZeroU64;
use std::time::{Duration, SystemTime};

use collector::engine::{Limits, Until};
use collector::pipeline::{Parse, Pipeline, TimeRule, full_match};
use data_rig::{Rig, simple};

/// Bytes that were read after so many milliseconds, of a file that has more.
fn read_after(rig: &mut Rig, ms: u64) -> u64 {
    rig.wait_ms(ms);
    rig.counter("read_bytes")
}

#[test]
fn a_limit_of_bytes_in_a_second_holds_over_time_and_everything_arrives() {
    const RATE: u64 = 100_000;
    let mut rig = Rig::new();
    rig.limits =
        Limits { read_bytes_per_second: NonZeroU64::new(RATE), block_bytes: 10_000, ..Limits::default() };
    rig.append("a.log", "0123456789abcdefghi\n".repeat(25_000));
    rig.start(vec![simple()]);
    let mut logs = 0;
    for second in 1..=4 {
        let read = read_after(&mut rig, 1_000);
        logs += rig.take().iter().map(|group| group.logs.len()).sum::<usize>();
        let most = second * RATE + RATE / 4 + 10_000;
        assert!(read <= most && read + RATE / 2 >= second * RATE, "{read} after {second} s");
    }
    assert_eq!(read_after(&mut rig, 5_000), 500_000);
    logs += rig.take().iter().map(|group| group.logs.len()).sum::<usize>();
    assert_eq!(logs, 25_000);
}

#[test]
fn new_tags_of_the_file_go_with_the_next_request() {
    let mut rig = Rig::running(simple());
    let tag = |rig: &mut Rig, line: &str| {
        rig.append("a.log", line);
        rig.wait_ms(5_000);
        let groups = rig.take();
        let tags = groups.iter().flat_map(|group| &group.log_tags);
        tags.filter(|tag| tag.key == "team").map(|tag| tag.value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(tag(&mut rig, "a\n"), [""; 0]);
    for team in ["web", "shop"] {
        let reader = rig.reader.as_mut().expect("a reader");
        reader.set_file_tags(vec![("team".to_owned(), team.to_owned())]);
        assert_eq!(tag(&mut rig, "b\n"), [team]);
    }
}

#[test]
fn old_logs_are_dropped_where_it_is_asked_for_and_booked_as_dropped() {
    let pipeline = Pipeline {
        parse: Parse::Regex {
            regex: full_match(r"(\d+) (.*)").expect("regex"),
            keys: vec!["time".to_owned(), "message".to_owned()],
        },
        time: TimeRule::Field {
            key: "time".to_owned(),
            format: "%s".to_owned(),
            offset_seconds: None,
            year: None,
            precise: None,
        },
        ..simple()
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let lines = format!("{} old\n{} late\n{now} new\n", now - 50_000, now - 40_000);
    for (age, expected, dropped) in [(None, 3, 0), (Some(Duration::from_secs(43_200)), 2, 1)] {
        let mut rig = Rig::new();
        rig.limits.discard_older_than = age;
        rig.start(vec![pipeline.clone()]);
        rig.append("a.log", &lines);
        rig.wait_ms(5_000);
        let logs: usize = rig.take().iter().map(|group| group.logs.len()).sum();
        assert_eq!((logs, rig.counter("outdated_events")), (expected, dropped));
        assert_eq!(rig.status().last_error.is_some(), dropped > 0, "{:?}", rig.status().last_error);
        let (_, report) = rig.drain(Until::EndOfFiles);
        let bytes = &report.account.bytes;
        assert_eq!(bytes.discovered, lines.len() as u64);
        assert_eq!(bytes.dropped, dropped * format!("{now} old\n").len() as u64);
    }
}
