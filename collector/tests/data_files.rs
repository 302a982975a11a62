//! What becomes of log files in every situation, one by one. Time is the test's own: nothing waits.

mod data_rig;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use collector::engine::Limits;
use collector::engine::drain::Until;
use collector::pipeline::{Multiline, Parse, Pipeline, TimeRule, Unmatched, full_match};
use data_rig::{Rig, as_ordinary_user, set_age, simple, simple_on};
use expect_test::expect;

fn numbered(range: std::ops::Range<usize>) -> String {
    range.map(|i| format!("line {i:06}\n")).collect()
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn an_old_file_without_checkpoint_is_read_from_a_line_start_near_its_end() {
    let mut rig = Rig::new();
    let text = numbered(0..1_000);
    rig.append("a.log", &text);
    set_age(&rig.path("a.log"), Duration::from_secs(3_600));
    rig.start(vec![simple_on(|input| input.tail_bytes = 30)]);
    assert_eq!(rig.values(), lines(&numbered(998..1_000)));
    assert_eq!(rig.counter("old_bytes_skipped"), 12_000 - 30);
    rig.append("a.log", "new\n");
    assert_eq!(rig.values(), ["new"]);
}

/// Else the first read after each write would write the inode: another write for each line of a slow log.
#[test]
fn reading_leaves_no_trace_in_the_file() {
    use std::os::unix::fs::MetadataExt;

    let mut rig = Rig::new();
    rig.append("a.log", "1\n2\n");
    // Longer ago than the last write: where access times are kept at all, the next read sets it.
    let times = fs::FileTimes::new().set_accessed(SystemTime::now() - Duration::from_secs(60));
    fs::File::open(rig.path("a.log")).and_then(|file| file.set_times(times)).expect("touch");
    let read_at = |rig: &Rig| {
        let meta = fs::metadata(rig.path("a.log")).expect("stat");
        (meta.atime(), meta.atime_nsec())
    };
    let before = read_at(&rig);
    rig.start(vec![simple()]);
    assert_eq!(rig.values(), ["1", "2"]);
    assert_eq!(read_at(&rig), before);
}

#[test]
fn a_young_file_is_read_whole_however_large() {
    let mut rig = Rig::new();
    let text = numbered(0..1_000);
    rig.append("a.log", &text);
    rig.start(vec![simple_on(|input| input.tail_bytes = 30)]);
    assert_eq!(rig.values(), lines(&text));
}

#[test]
fn with_tail_existed_only_what_comes_after_the_config_counts() {
    let mut rig = Rig::new();
    rig.append("a.log", "old\n");
    rig.start(vec![simple_on(|input| {
        input.tail_existing = true;
        input.file_pattern = "*.log".to_owned();
    })]);
    rig.append("a.log", "new\n");
    rig.append("b.log", "another\n");
    assert_eq!(rig.values(), ["new", "another"]);
}

#[test]
fn a_line_over_the_limit_is_sent_in_pieces_and_counted() {
    let mut rig = Rig::new();
    rig.limits = Limits { event_bytes_max: 1_000, block_bytes: 1_024, ..Limits::default() };
    rig.start(vec![simple()]);
    let long = "é".repeat(1_250); // 2,500 bytes
    rig.append("a.log", format!("before\n{long}\nafter\n"));
    let values = rig.values();
    assert_eq!(values.iter().map(String::len).collect::<Vec<_>>(), [6, 1_000, 1_000, 500, 5]);
    assert_eq!(values[1..4].concat(), long);
    assert_eq!(rig.counter("cut_events"), 2);
}

#[test]
fn bytes_that_are_no_text_arrive_as_they_are() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", b"a\xff\xfeb\0c\r\n\n");
    rig.turns();
    let groups = rig.take();
    let values: Vec<&[u8]> = groups[0].logs.iter().map(|l| &l.contents[0].value[..]).collect();
    assert_eq!(values, [&b"a\xff\xfeb\0c\r"[..], b""]);
}

#[test]
fn the_hole_left_by_a_truncation_without_append_mode_is_skipped_and_counted() {
    use std::io::{Seek, SeekFrom, Write};
    let mut rig = Rig::running(simple());
    rig.append("a.log", numbered(0..10));
    assert_eq!(rig.values().len(), 10);
    let mut writer = fs::OpenOptions::new().write(true).open(rig.path("a.log")).expect("open");
    writer.seek(SeekFrom::End(0)).expect("seek");
    fs::OpenOptions::new().write(true).truncate(true).open(rig.path("a.log")).expect("truncate");
    writer.write_all(b"after the hole\n").expect("write");
    assert_eq!(rig.values(), ["after the hole"]);
    assert_eq!(rig.counter("nul_bytes_skipped"), 120);
}

#[test]
fn an_unterminated_line_is_sent_after_its_time_and_its_newline_belongs_to_it() {
    let mut rig = Rig::running(simple_on(|input| input.flush_timeout = Duration::from_secs(30)));
    rig.append("a.log", "one\ntwo");
    rig.wait_ms(29_000);
    assert_eq!(rig.take().len(), 1);
    rig.wait_ms(2_000);
    assert_eq!(rig.values(), ["two"]);
    rig.append("a.log", "\nthree\n");
    assert_eq!(rig.values(), ["three"]);
}

#[test]
fn a_line_that_goes_on_after_it_was_sent_goes_on_as_another() {
    let mut rig = Rig::running(simple_on(|input| input.flush_timeout = Duration::from_secs(30)));
    rig.append("a.log", "begun");
    rig.wait_ms(31_000);
    rig.append("a.log", " and ended\nnext\n");
    assert_eq!(rig.values(), ["begun", " and ended", "next"]);
}

#[test]
fn growth_puts_the_sending_of_an_unterminated_line_off() {
    let mut rig = Rig::running(simple_on(|input| input.flush_timeout = Duration::from_secs(30)));
    for _ in 0..4 {
        rig.append("a.log", "x");
        rig.wait_ms(20_000);
    }
    assert_eq!(rig.carried.len(), 0);
    rig.wait_ms(11_000);
    assert_eq!(rig.values(), ["xxxx"]);
}

#[test]
fn a_multi_line_event_is_joined_across_reads_and_sent_after_its_time() {
    let mut rig = Rig::new();
    rig.limits = Limits { block_bytes: 1_024, ..Limits::default() };
    let mut pipeline = simple_on(|input| input.flush_timeout = Duration::from_secs(5));
    pipeline.multiline = Multiline::begin(full_match(r"\d+ .*").expect("regex"));
    rig.start(vec![pipeline]);
    let first = format!("1 boom\n{}", "\tat somewhere\n".repeat(500));
    rig.append("a.log", format!("{first}2 ok\n"));
    assert_eq!(rig.values(), [first.trim_end_matches('\n').to_owned(), "2 ok".to_owned()]);
}

#[test]
fn any_number_of_rotated_files_waits_for_a_server_that_is_down() {
    let mut rig = Rig::new();
    rig.limits = Limits { lane_parcels_max: 1, ..Limits::default() };
    rig.start(vec![simple()]);
    for i in 0..50 {
        for n in (1..i).rev() {
            fs::rename(rig.path(&format!("a.log.{n}")), rig.path(&format!("a.log.{}", n + 1)))
                .expect("rename");
        }
        if i > 0 {
            fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("rename");
        }
        rig.append("a.log", numbered(i * 10..i * 10 + 10));
        rig.wait_ms(10_000);
    }
    assert_eq!(rig.carried.len(), 1);
    let mut values = rig.values();
    values.sort();
    assert_eq!(values, lines(&numbered(0..500)));
    assert!(rig.status().files < 5, "rotated files were left: {}", rig.status().files);
}

#[test]
fn a_file_deleted_before_it_was_read_is_read_all_the_same() {
    let mut rig = Rig::new();
    rig.limits = Limits { lane_parcels_max: 1, ..Limits::default() };
    rig.start(vec![simple()]);
    rig.append("a.log", "first\n");
    rig.turns();
    rig.append("a.log", numbered(0..1_000));
    rig.turns();
    fs::remove_file(rig.path("a.log")).expect("remove");
    rig.wait_ms(60_000);
    assert_eq!(rig.values().len(), 1_001);
    assert_eq!(rig.status().files, 0, "the descriptor of the deleted file was closed");
}

#[test]
fn a_link_is_followed_and_so_is_its_change() {
    let mut rig = Rig::new();
    fs::create_dir(rig.dir.path().join("elsewhere")).expect("mkdir");
    let elsewhere = rig.dir.path().join("elsewhere");
    let target = |name: &str| elsewhere.join(name);
    fs::write(target("one"), "one\n").expect("write");
    fs::write(target("two"), "two\n").expect("write");
    let (one, two) = (target("one"), target("two"));
    symlink(&one, rig.path("a.log")).expect("symlink");
    rig.start(vec![simple()]);
    assert_eq!(rig.values(), ["one"]);
    symlink(&two, rig.path("next")).expect("symlink");
    fs::rename(rig.path("next"), rig.path("a.log")).expect("rename");
    assert_eq!(rig.values(), ["two"]);
    // What happens at the other end is seen too, without waiting for the next listing.
    let append = |path: &std::path::Path, text: &str| {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).expect("open");
        file.write_all(text.as_bytes()).expect("write");
    };
    append(&two, "three\n");
    assert_eq!(rig.values(), ["three"]);
    fs::rename(&two, target("two.1")).expect("rename");
    append(&target("two.1"), "four\n");
    append(&two, "five\n");
    let mut values = rig.values();
    values.sort();
    assert_eq!(values, ["five", "four"]);
}

#[test]
fn many_files_with_much_to_read_do_not_pile_up_in_memory() {
    let mut rig = Rig::new();
    rig.limits = Limits {
        open_bytes_max: 100_000,
        lane_parcels_max: 2,
        group_text_bytes_max: 50_000,
        ..Limits::default()
    };
    for i in 0..50 {
        rig.append(&format!("{i}.log"), numbered(0..2_000)); // 24 kB each
    }
    rig.start(vec![simple_on(|input| input.file_pattern = "*.log".to_owned())]);
    assert_eq!(rig.carried.len(), 2);
    let read = rig.counter("read_bytes");
    assert!(read < 300_000, "{read} bytes were read although nobody takes them");
    assert_eq!(rig.values().len(), 100_000);
}

#[test]
fn two_names_of_one_file_are_one_file() {
    let mut rig = Rig::running(simple_on(|input| input.file_pattern = "*.log".to_owned()));
    rig.append("a.log", "once\n");
    fs::hard_link(rig.path("a.log"), rig.path("b.log")).expect("link");
    assert_eq!(rig.values(), ["once"]);
}

#[test]
fn a_directory_may_be_renamed_deleted_and_come_again() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "one\n");
    assert_eq!(rig.values(), ["one"]);
    let logs = rig.dir.path().join("logs");
    fs::rename(&logs, rig.dir.path().join("old")).expect("rename");
    fs::create_dir(&logs).expect("mkdir");
    rig.append("a.log", "two\n");
    assert_eq!(rig.values(), ["two"]);
    fs::remove_dir_all(&logs).expect("remove");
    rig.turns();
    fs::create_dir(&logs).expect("mkdir");
    rig.turns();
    rig.append("a.log", "three\n");
    assert_eq!(rig.values(), ["three"]);
}

#[test]
fn new_directories_that_match_are_found() {
    let mut rig = Rig::running(simple_on(|input| {
        input.directory = "/logs/*/x".into();
        input.max_depth = 1;
    }));
    for dir in ["logs/1/x", "logs/2/x/deep", "logs/3/y"] {
        fs::create_dir_all(rig.dir.path().join(dir)).expect("mkdir");
        rig.append(&format!("{}/a.log", &dir[5..]), format!("{dir}\n"));
        rig.turns();
    }
    let mut values = rig.values();
    values.sort();
    assert_eq!(values, ["logs/1/x", "logs/2/x/deep"]);
}

#[test]
fn what_is_no_regular_file_is_left_alone() {
    let mut rig = Rig::running(simple_on(|input| input.file_pattern = "*".to_owned()));
    let pipe = rig.path("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("mkfifo");
    fs::create_dir(rig.path("directory")).expect("mkdir");
    rig.append("a.log", "x\n");
    assert_eq!(rig.values(), ["x"]);
    assert_eq!(rig.status().last_error, None);
}

#[test]
fn without_notifications_files_are_found_and_followed_by_polling() {
    let mut rig = Rig::new();
    rig.polls = true;
    rig.start(vec![simple()]);
    rig.append("a.log", "one\n");
    rig.wait_ms(1_000);
    assert_eq!(rig.values(), ["one"]);
    rig.append("a.log", "two\n");
    assert_eq!(rig.values(), ["two"]);
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("rename");
    rig.append("a.log.1", "three\n");
    rig.append("a.log", "four\n");
    let mut values = rig.values();
    values.sort();
    assert_eq!(values, ["four", "three"]);
}

#[test]
fn when_notifications_were_lost_everything_is_looked_at_again() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "one\n");
    assert_eq!(rig.values(), ["one"]);
    for i in 0..10_000 {
        fs::write(rig.path(&format!("noise {i}")), "").expect("write"); // two events each
    }
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("rename");
    rig.append("a.log.1", "two\n");
    rig.append("a.log", "three\n");
    let mut values = rig.values();
    values.sort();
    assert_eq!(values, ["three", "two"]);
}

#[test]
fn an_unreadable_file_is_named_with_the_remedy_and_read_when_it_can_be() {
    let mut rig = Rig::new();
    rig.append("a.log", "x\n");
    fs::set_permissions(rig.dir.path(), PermissionsExt::from_mode(0o777)).expect("chmod");
    let mode = |mode| fs::set_permissions(rig.path("a.log"), PermissionsExt::from_mode(mode)).expect("chmod");
    mode(0o000);
    let (mut rig, error) = as_ordinary_user(move || {
        rig.start(vec![simple()]);
        rig.wait_ms(5_000);
        let error = rig.status().last_error.expect("an error");
        (rig, error)
    });
    assert!(error.contains("cannot read /logs/a.log: Permission denied"), "{error}");
    assert!(error.contains("fsGroup"), "{error}");
    let raised = rig.alarms();
    assert!(raised.iter().any(|(name, ..)| *name == "LOGFILE_PERMINSSION_ALARM"), "{raised:?}");
    fs::set_permissions(rig.path("a.log"), PermissionsExt::from_mode(0o644)).expect("chmod");
    let values = as_ordinary_user(|| rig.values());
    assert_eq!(values, ["x"]);
    assert_eq!(rig.status().last_error, None);
}

#[test]
fn an_unreadable_directory_is_named_and_tried_again() {
    let mut rig = Rig::new();
    rig.append("a.log", "x\n");
    fs::set_permissions(rig.dir.path(), PermissionsExt::from_mode(0o777)).expect("chmod");
    let logs = rig.dir.path().join("logs");
    fs::set_permissions(&logs, PermissionsExt::from_mode(0o000)).expect("chmod");
    let error = as_ordinary_user(|| {
        rig.start(vec![simple()]);
        rig.wait_ms(5_000);
        rig.status().last_error.expect("an error")
    });
    assert!(error.contains("cannot read /logs: Permission denied"), "{error}");
    let raised = rig.alarms();
    assert!(
        raised.iter().any(|(name, count, _)| *name == "LOGDIR_PERMISSION_ALARM" && *count > 1),
        "{raised:?}"
    );
    fs::set_permissions(&logs, PermissionsExt::from_mode(0o755)).expect("chmod");
    let values = as_ordinary_user(|| {
        rig.wait_ms(60_000);
        rig.values()
    });
    assert_eq!(values, ["x"]);
    assert_eq!(rig.status().last_error, None);
}

#[test]
fn a_state_directory_that_cannot_be_written_does_not_stop_collection() {
    let mut rig = Rig::new();
    fs::write(rig.dir.path().join("state"), "in the way").expect("write");
    let state = rig.dir.path().join("state");
    rig.append("a.log", "one\n");
    // Loading says that it cannot be read; the rig demands no problem, so it is put there after.
    fs::remove_file(&state).expect("remove");
    rig.start(vec![simple()]);
    fs::remove_dir_all(&state).expect("remove");
    fs::write(&state, "in the way").expect("write");
    assert_eq!(rig.values(), ["one"]);
    rig.append("a.log", "two\n");
    assert_eq!(rig.values(), ["two"]);
}

#[test]
fn requests_hold_no_more_logs_than_the_limit() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", numbered(0..10_000));
    rig.turns();
    let mut sizes: Vec<usize> = rig.take().iter().map(|g| g.logs.len()).collect();
    rig.wait_ms(100);
    sizes.extend(rig.take().iter().map(|g| g.logs.len()));
    assert_eq!(sizes, [4_000, 4_000, 2_000]);
}

#[test]
fn a_link_that_is_idle_is_used_at_once_and_a_busy_one_gathers() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "one\n");
    rig.turns();
    assert_eq!(rig.carried.len(), 1, "at once");
    for i in 0..10 {
        rig.append("a.log", format!("{i}\n"));
        rig.wait_ms(100);
    }
    assert_eq!(rig.carried.len(), 1, "the first is under way");
    rig.wait_ms(3_000);
    assert_eq!(rig.carried.len(), 2, "no longer than the linger time");
    let sizes: Vec<usize> = rig.take().iter().map(|g| g.logs.len()).collect();
    assert_eq!(sizes, [1, 10]);
}

#[test]
fn nothing_is_to_be_done_while_nothing_happens() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "one\n");
    assert_eq!(rig.values(), ["one"]);
    rig.wait_ms(5_000);
    let now = rig.now();
    let wait = rig.reader.as_mut().expect("a reader").turn(now);
    assert!(wait.is_some_and(|w| w > Duration::from_secs(40)), "{wait:?}");
}

#[test]
fn a_group_of_a_regex_pipeline_looks_like_this() {
    let mut pipeline = Pipeline {
        parse: Parse::Regex {
            regex: full_match(r#"(\S+ \S+) \[(\w+)\] (.*)"#).expect("regex"),
            keys: vec!["time".to_owned(), "level".to_owned(), "message".to_owned()],
        },
        time: TimeRule::Field {
            key: "time".to_owned(),
            format: "%Y/%m/%d %H:%M:%S.%f".to_owned(),
            offset_seconds: Some(3_600),
            year: None,
            precise: None,
        },
        multiline: Multiline::begin(full_match(r"\d{4}/.*").expect("regex")),
        ..simple()
    };
    pipeline.unmatched = Unmatched::KeepRaw;
    let mut rig = Rig::running(pipeline);
    rig.append(
        "a.log",
        "2018/11/13 17:05:09.25 [error] boom\n\tat A\n2018/11/13 no\n2018/11/13 17:05:10.5 [info] ok\n",
    );
    let (_, report) = {
        rig.turns();
        let mut groups = rig.take();
        let ended = rig.drain(Until::WritersAreGone);
        assert_eq!(ended.0, ["2018/11/13 17:05:10.5"]);
        for group in &mut groups {
            for tag in group.log_tags.iter_mut().filter(|t| t.key == "__pack_id__") {
                tag.value = tag.value.split_once('-').map(|(_, n)| format!("HASH-{n}")).unwrap_or_default();
            }
            group.logs[1].time = 0; // the time of collection
        }
        expect![[r#"
            [
                LogGroup {
                    logs: [
                        Log {
                            time: 1542125109,
                            contents: [
                                Content {
                                    key: "time",
                                    value: b"2018/11/13 17:05:09.25",
                                },
                                Content {
                                    key: "level",
                                    value: b"error",
                                },
                                Content {
                                    key: "message",
                                    value: b"boom\n\tat A",
                                },
                            ],
                            time_ns: Some(
                                250000000,
                            ),
                        },
                        Log {
                            time: 0,
                            contents: [
                                Content {
                                    key: "__raw_log__",
                                    value: b"2018/11/13 no",
                                },
                            ],
                            time_ns: None,
                        },
                    ],
                    category: None,
                    topic: Some(
                        "",
                    ),
                    source: Some(
                        "10.0.0.9",
                    ),
                    machine_uuid: Some(
                        "uuid-1",
                    ),
                    log_tags: [
                        LogTag {
                            key: "__hostname__",
                            value: "pod-1",
                        },
                        LogTag {
                            key: "__path__",
                            value: "/logs/a.log",
                        },
                        LogTag {
                            key: "__user_defined_id__",
                            value: "group-1",
                        },
                        LogTag {
                            key: "_unset_",
                            value: "",
                        },
                        LogTag {
                            key: "__pack_id__",
                            value: "HASH-0",
                        },
                    ],
                },
            ]
        "#]]
        .assert_debug_eq(&groups);
        ended
    };
    assert!(report.is_complete, "{report}");
}

#[test]
fn events_that_do_not_match_are_counted_dropped_and_shown_once() {
    let parse = Parse::Regex { regex: full_match(r"(\d+)").expect("regex"), keys: vec!["n".to_owned()] };
    let mut rig = Rig::running(Pipeline { parse, ..simple() });
    rig.append("a.log", "1\ntwo\nthree\n4\n");
    assert_eq!(rig.values(), ["1", "4"]);
    assert_eq!((rig.counter("events"), rig.counter("unmatched_events")), (4, 2));
    let error = rig.status().last_error.expect("an error");
    assert!(error.contains("\"two\"") && error.contains("discardUnmatch"), "{error}");
    // All of them dropped: the position moves all the same.
    rig.append("a.log", "five\n");
    rig.wait_ms(2_000);
    rig.kill();
    let parse = Parse::Regex { regex: full_match(r"(.*)").expect("regex"), keys: vec!["n".to_owned()] };
    rig.start(vec![Pipeline { parse, ..simple() }]);
    rig.append("a.log", "6\n");
    assert_eq!(rig.values(), ["6"]);
}

#[test]
fn a_time_format_that_cannot_be_used_is_said() {
    let time = TimeRule::Field {
        key: "content".to_owned(),
        format: "%Q".to_owned(),
        offset_seconds: None,
        year: None,
        precise: None,
    };
    let rig = Rig::running(Pipeline { time, ..simple() });
    let error = rig.status().last_error.expect("an error");
    assert!(error.contains("%Q is not supported"), "{error}");
}

#[test]
fn a_rotated_copy_with_a_matching_name_is_not_read_twice() {
    let mut rig = Rig::running(simple_on(|input| input.file_pattern = "a.log*".to_owned()));
    rig.append("a.log", numbered(0..10));
    assert_eq!(rig.values().len(), 10);
    fs::copy(rig.path("a.log"), rig.path("a.log.1")).expect("copy");
    fs::OpenOptions::new().write(true).truncate(true).open(rig.path("a.log")).expect("truncate");
    rig.append("a.log", "new\n");
    assert_eq!(rig.values(), ["new"]);
}

#[test]
fn a_rotated_file_with_a_matching_name_is_not_read_twice() {
    let mut rig = Rig::running(simple_on(|input| input.file_pattern = "a.log*".to_owned()));
    rig.append("a.log", "one\n");
    assert_eq!(rig.values(), ["one"]);
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("rename");
    rig.append("a.log", "two\n");
    assert_eq!(rig.values(), ["two"]);
    rig.kill();
    rig.start(vec![simple_on(|input| input.file_pattern = "a.log*".to_owned())]);
    rig.append("a.log.1", "late\n");
    assert_eq!(rig.values(), ["late"]);
}

#[test]
fn a_copy_that_got_the_inode_of_an_unread_file_is_not_read_twice() {
    let pipeline = || simple_on(|input| input.file_pattern = "a.log*".to_owned());
    let parked = tempfile::NamedTempFile::new().expect("a file elsewhere");
    let mut rig = Rig::running(pipeline());
    rig.append("a.log", "");
    rig.wait_ms(2_000);
    rig.kill();
    // The empty file goes; its inode comes back as the copy.
    fs::rename(rig.path("a.log"), parked.path()).expect("rename");
    rig.append("a.log", numbered(0..10));
    rig.start(vec![pipeline()]);
    assert_eq!(rig.values().len(), 10);
    rig.wait_ms(2_000);
    rig.kill();
    fs::copy(rig.path("a.log"), parked.path()).expect("copy");
    fs::rename(parked.path(), rig.path("a.log.1")).expect("rename");
    fs::OpenOptions::new().write(true).truncate(true).open(rig.path("a.log")).expect("truncate");
    rig.append("a.log", "new\n");
    rig.append("a.log.1", "written between the last look and the copy\n");
    rig.start(vec![pipeline()]);
    let mut values = rig.values();
    values.sort();
    assert_eq!(values, ["new", "written between the last look and the copy"]);
}

#[test]
fn a_file_that_begins_like_a_lost_one_of_its_name_is_read_from_its_start() {
    let elsewhere = tempfile::NamedTempFile::new().expect("a file elsewhere");
    let mut rig = Rig::running(simple());
    rig.append("a.log", "starting\n");
    assert_eq!(rig.values(), ["starting"]);
    rig.wait_ms(2_000);
    rig.kill();
    // Elsewhere it keeps its inode, which the new file must not get.
    fs::rename(rig.path("a.log"), elsewhere.path()).expect("rename");
    rig.append("a.log", "");
    rig.start(vec![simple()]);
    rig.wait_ms(2_000);
    rig.kill();
    rig.append("a.log", "starting\n");
    rig.start(vec![simple()]);
    assert_eq!(rig.values(), ["starting"]);
}

/// A file that was empty when it was seen is gone, and a copy of another one has got its inode.
fn a_copy_with_the_inode_of_an_empty_file(pipeline: &Pipeline) -> Vec<String> {
    let mut rig = Rig::running(pipeline.clone());
    rig.append("a.log", "");
    rig.wait_ms(2_000);
    rig.kill();
    let spare = rig.dir.path().join("spare");
    fs::rename(rig.path("a.log"), &spare).expect("moved away, as if it was deleted");
    rig.append("a.log", "1\n2\n");
    rig.start(vec![pipeline.clone()]);
    let mut values = rig.values();
    let copied = fs::read(rig.path("a.log")).expect("read");
    fs::write(&spare, copied).expect("copied");
    fs::rename(&spare, rig.path("a.log.1")).expect("named");
    fs::OpenOptions::new().write(true).truncate(true).open(rig.path("a.log")).expect("truncated");
    rig.append("a.log", "3\n");
    values.extend(rig.values());
    values
}

#[test]
fn a_copy_that_got_the_inode_of_an_empty_file_is_known_for_a_copy() {
    assert_eq!(a_copy_with_the_inode_of_an_empty_file(&simple()), ["1", "2", "3"]);
    let both = simple_on(|input| input.file_pattern = "a.log*".to_owned());
    assert_eq!(a_copy_with_the_inode_of_an_empty_file(&both), ["1", "2", "3"]);
}

#[test]
fn excluded_files_are_not_read_whenever_and_however_they_come() {
    let excluding = simple_on(|input| {
        input.file_pattern = "*.log*".to_owned();
        input.max_depth = 2;
        input.excluded.names = vec!["debug.log".to_owned(), "*.gz".to_owned()];
        input.excluded.paths = vec!["/logs/sub/a.log".to_owned()];
        input.excluded.directories = vec!["/logs/old".to_owned()];
    });
    for polls in [false, true] {
        let mut rig = Rig::new();
        rig.polls = polls;
        for dir in ["sub", "old/x"] {
            fs::create_dir_all(rig.path(dir)).expect("mkdir");
        }
        rig.append("debug.log", "no 1\n");
        rig.append("old/x/a.log", "no 2\n");
        rig.append("a.log", "yes 1\n");
        rig.start(vec![excluding.clone()]);
        assert_eq!(rig.values(), ["yes 1"]);
        for name in ["debug.log", "b.log.gz", "sub/a.log", "old/x/b.log", "old/c.log"] {
            rig.append(name, "no 3\n");
        }
        rig.append("sub/b.log", "yes 2\n");
        assert_eq!(rig.values(), ["yes 2"]);
        // What was a log when it was written is read to its end.
        rig.append("a.log", "yes 3\n");
        fs::rename(rig.path("a.log"), rig.path("debug.log")).expect("rename");
        assert_eq!(rig.values(), ["yes 3"]);
        fs::rename(rig.path("sub/a.log"), rig.path("sub/c.log")).expect("rename");
        assert_eq!(rig.values(), ["no 3"], "it is not excluded any more");
    }
}

#[test]
fn a_new_config_that_excludes_a_file_ends_its_collection() {
    let mut rig = Rig::running(simple_on(|input| input.file_pattern = "*.log".to_owned()));
    rig.append("a.log", "a\n");
    rig.append("b.log", "b\n");
    let mut values = rig.values();
    values.sort();
    assert_eq!(values, ["a", "b"]);
    let mut excluding = simple_on(|input| {
        input.file_pattern = "*.log".to_owned();
        input.excluded.names = vec!["b.*".to_owned()];
    });
    excluding.version = 2;
    let now = rig.now();
    rig.reader.as_mut().expect("a reader").apply(vec![excluding], now);
    rig.append("a.log", "a 2\n");
    rig.append("b.log", "b 2\n");
    assert_eq!(rig.values(), ["a 2"]);
}
