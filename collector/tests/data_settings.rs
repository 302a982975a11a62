//! Settings of the process that the data path honours.

mod data_rig;

use std::num::NonZeroU64;

use collector::engine::Limits;
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
