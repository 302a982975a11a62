//! Each alarm of the data path at what raises it: its name, how often, and its message. What becomes of alarms is in
//! `diagnostics`.

mod data_rig;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::num::NonZeroU16;
use std::time::Duration;

use collector::alarm::Level;
use collector::encoding::Encoding;
use collector::engine::Limits;
use collector::engine::outbox::Outcome;
use collector::pipeline::{
    FileInput, Multiline, Parse, Pipeline, Records, Shards, Strays, TimeRule, TopicRule, Unmatched,
    full_match,
};
use collector::ship::Trouble;
use data_rig::{Rig, set_age, simple, simple_on};

/// The alarms after these lines of `a.log`, as `TYPE count: message`.
fn after(pipeline: Pipeline, text: impl AsRef<[u8]>) -> Vec<String> {
    let mut rig = Rig::running(pipeline);
    rig.append("a.log", text);
    rig.turns();
    alarms(&rig)
}

fn alarms(rig: &Rig) -> Vec<String> {
    rig.alarms().into_iter().map(|(name, count, message)| format!("{name} {count}: {message}")).collect()
}

fn regex(pattern: &str, keys: &[&str]) -> Pipeline {
    let regex = full_match(pattern).expect("the test's regex");
    Pipeline {
        parse: Parse::Regex { regex, keys: keys.iter().map(|k| (*k).to_owned()).collect() },
        ..simple()
    }
}

fn timed(format: &str) -> Pipeline {
    let time = TimeRule::Field {
        key: "time".to_owned(),
        format: format.to_owned(),
        offset_seconds: Some(0),
        year: None,
        precise: None,
    };
    Pipeline { time, ..regex(r"(\S+) (.*)", &["time", "rest"]) }
}

#[test]
fn what_goes_well_raises_nothing() {
    assert_eq!(after(simple(), "a\nb\n"), [""; 0]);
    let now = jiff::Timestamp::now().as_second();
    assert_eq!(after(timed("%s"), format!("{now} a\n")), [""; 0]);
}

#[test]
fn events_that_do_not_parse_are_counted_with_one_sample_for_each_config() {
    assert_eq!(
        after(regex(r"(\d+)", &["n"]), "1\nx\n2\ny\n"),
        ["REGEX_MATCH_ALARM 2: the regex does not match lines of /logs/a.log; they are dropped, because \
             discardUnmatch is true; one of them: \"x\""]
    );
    let json = Pipeline { parse: Parse::Json, unmatched: Unmatched::KeepRaw, ..simple() };
    assert_eq!(
        after(json, "{\"a\":1}\n[]\n"),
        ["PARSE_LOG_FAIL_ALARM 1: JSON mode finds no JSON object in lines of /logs/a.log; they are sent in \
             __raw_log__; one of them: \"[]\""]
    );
}

#[test]
fn times_that_do_not_fit_and_logs_that_are_old() {
    assert_eq!(
        after(timed("%Y-%m-%d"), "tomorrow a\n"),
        [
            "PARSE_TIME_FAIL_ALARM 1: timeFormat does not fit times in /logs/a.log; those logs carry the time of \
             collection; one of the times: \"tomorrow\""
        ]
    );
    let old = jiff::Timestamp::now().as_second() - 12 * 3600;
    let text = format!("{} a\n{} b\n", old - 60, old + 60);
    assert_eq!(
        after(timed("%s"), &text),
        ["OUTDATED_LOG_ALARM 1: logs of /logs/a.log say a time more than 12 hours ago; they are sent"]
    );
    let mut rig = Rig::new();
    rig.limits = Limits { discard_older_than: Some(Duration::from_secs(12 * 3600)), ..Limits::default() };
    rig.append("a.log", &text);
    rig.start(vec![timed("%s")]);
    assert_eq!(
        alarms(&rig),
        [
            "OUTDATED_LOG_ALARM 1: old logs of /logs/a.log are dropped, because discard_old_data is true in this collector"
        ]
    );
    assert_eq!((rig.counter("old_events"), rig.counter("outdated_events")), (1, 1));
}

#[test]
fn events_that_are_cut_and_lines_of_no_record() {
    let mut rig = Rig::new();
    rig.limits = Limits { event_bytes_max: 10, ..Limits::default() };
    rig.append("a.log", "0123456789abcdefghij0123\n");
    rig.start(vec![simple()]);
    assert_eq!(
        alarms(&rig),
        ["SPLIT_LOG_FAIL_ALARM 2: events of /logs/a.log are longer than 10 bytes; they are sent in pieces"]
    );
    let start = Records::Start(full_match("begin.*").expect("regex"));
    let joined = Multiline::Joined { records: start, strays: Strays::Discard };
    assert_eq!(
        after(Pipeline { multiline: joined, ..simple() }, "x\ny\nbegin 1\nz\nbegin 2\n"),
        ["SPLIT_LOG_FAIL_ALARM 2: lines of /logs/a.log belong to no multi-line record; they are dropped \
             (UnmatchedContentTreatment)"]
    );
}

#[test]
fn bytes_that_are_none_of_the_encoding() {
    let gbk = simple_on(|input| input.encoding = Encoding::Gbk);
    let raised = after(gbk, b"\xc8\xd5\n\xff\xff\nplain\n");
    assert_eq!(
        raised,
        [
            "ENCODING_CONVERT_ALARM 1: events of /logs/a.log are not all Gbk; what is none of its characters is \
             replaced by U+FFFD"
        ]
    );
}

#[test]
fn a_truncated_file() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "before\n");
    rig.wait_ms(100);
    OpenOptions::new().write(true).truncate(true).open(rig.path("a.log")).expect("truncated");
    rig.append("a.log", "x\n");
    rig.wait_ms(100);
    assert_eq!(
        alarms(&rig),
        ["LOG_TRUNCATE_ALARM 1: /logs/a.log was truncated after 7 bytes were read: reading begins anew"]
    );
}

#[test]
fn the_beginning_of_an_old_file_that_is_skipped() {
    let mut rig = Rig::new();
    rig.append("a.log", "0\n".repeat(600));
    set_age(&rig.path("a.log"), Duration::from_secs(3600));
    rig.start(vec![simple_on(|input| input.tail_bytes = 1000)]);
    assert_eq!(
        alarms(&rig),
        ["SKIP_READ_LOG_ALARM 200: /logs/a.log is an old file: its first 200 bytes are not collected \
             (tail_size_kb, tailExisted)"]
    );
}

#[test]
fn a_backlog_is_raised_at_each_look_until_it_is_read() {
    let mut rig = Rig::new();
    rig.limits =
        Limits { block_bytes: 1_024, lane_parcels_max: 1, group_text_bytes_max: 500, ..Limits::default() };
    rig.append("a.log", "0123456789\n".repeat(1_000));
    rig.start(vec![simple_on(|input| input.delay_alarm_bytes = 1_000)]);
    rig.wait_ms(7_000); // nothing is acknowledged, so reading waits
    let look = |rig: &mut Rig| {
        let now = rig.now();
        rig.reader.as_mut().expect("a reader").look_for_delays(now);
        rig.alarms()
    };
    for _ in 0..2 {
        let raised = look(&mut rig);
        assert_eq!((raised.len(), raised[0].0, raised[0].1), (1, "READ_LOG_DELAY_ALARM", 1));
        assert!(raised[0].2.contains("bytes of /logs/a.log are not read yet; it was read "), "{raised:?}");
    }
    rig.values();
    assert_eq!(look(&mut rig), []);
}

#[test]
fn a_config_that_cannot_be_honoured_in_full() {
    assert_eq!(after(timed("%Q"), "")[0].split(' ').next(), Some("CATEGORY_CONFIG_ALARM"));
    let topic = TopicRule::Path(full_match("/other/(.*)").expect("regex"));
    let pipeline = Pipeline { topic, ..simple() };
    assert_eq!(
        after(pipeline, "a\n"),
        ["CATEGORY_CONFIG_ALARM 1: the topic regex finds nothing in /logs/a.log: its logs have no topic"]
    );
}

#[test]
fn where_the_kernel_does_not_tell_of_changes_that_is_said_once() {
    let mut rig = Rig::new();
    rig.polls = true;
    rig.start(vec![simple()]);
    rig.wait_ms(5_000);
    let raised = rig.alarms();
    assert_eq!((raised.len(), raised[0].0, raised[0].1), (1, "REGISTER_INOTIFY_FAIL_ALARM", 1));
}

#[test]
fn more_changes_than_the_kernel_keeps() {
    let mut rig = Rig::running(simple());
    let queued = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("the limit");
    let queued: usize = queued.trim().parse().expect("a number");
    let mut files = ["a.log", "b.log"].map(|name| fs::File::create(rig.path(name)).expect("create"));
    for _ in 0..queued {
        for file in &mut files {
            file.write_all(b"x\n").expect("written");
        }
    }
    rig.turns();
    let raised = rig.alarms();
    assert_eq!((raised.len(), raised[0].0, raised[0].1), (1, "INOTIFY_EVENT_OVERFLOW_ALARM", 1));
}

#[test]
fn something_else_in_the_place_of_the_directory() {
    let mut rig = Rig::new();
    rig.append("file", "");
    let there = FileInput { directory: "/logs/file".into(), ..simple().input };
    rig.start(vec![Pipeline { input: there, ..simple() }]);
    let raised = rig.alarms();
    assert_eq!((raised.len(), raised[0].0), (1, "OPEN_LOGFILE_FAIL_ALARM"));
    rig.wait_ms(1_500);
    assert_eq!(rig.alarms().len(), 1, "it is tried again, and fails again");
}

#[test]
fn requests_that_fail_by_their_reason_and_logs_that_are_lost() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "1\n2\n3\n");
    rig.wait_ms(100);
    let to = simple().destination;
    let reader = rig.reader.as_mut().expect("a reader");
    for trouble in [Trouble::Quota, Trouble::Unreachable, Trouble::Auth, Trouble::Unreachable] {
        reader.note_failure(&to, trouble, &format!("because of {trouble:?}"));
    }
    let parcel = rig.carried.pop().expect("a request");
    let now = rig.now();
    rig.reader.as_mut().expect("a reader").settle(parcel.id, &Outcome::Refused { logs_lost: 2 }, now);
    let raised = rig.board.alarms.take();
    let shown =
        raised.iter().map(|r| format!("{} {} {}: {}", r.kind.alarm.name(), r.kind.cause, r.count, r.message));
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "SEND_QUOTA_EXCEED_ALARM quota 1: because of Quota",
            "SEND_DATA_FAIL_ALARM auth 1: because of Auth",
            "SEND_DATA_FAIL_ALARM unreachable 2: because of Unreachable",
            "DISCARD_DATA_ALARM  2: the server refuses logs of /logs/a.log for good; see LOGS LOST in the log",
        ]
    );
    let lost = raised.last().expect("the last");
    assert_eq!(lost.kind.alarm.level(), Level::Critical);
    let subject = &lost.kind.subject;
    assert_eq!(
        [&subject.project, &subject.logstore, &subject.config].map(String::as_str),
        ["project-1", "store", "p"]
    );
}

#[test]
fn positions_that_cannot_be_written_hold_numbered_logs_up() {
    let mut rig = Rig::new();
    fs::create_dir_all(rig.dir.path().join("state/file_check_point.new")).expect("in the way");
    rig.append("a.log", "1\n");
    let keys = NonZeroU16::new(1).expect("keys");
    rig.start(vec![Pipeline { shards: Shards::ExactlyOnce(keys), ..simple() }]);
    rig.wait_ms(15_000);
    let names: Vec<&str> = rig.alarms().iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, ["CHECKPOINT_ALARM", "EXACTLY_ONCE_ALARM"]);
}
