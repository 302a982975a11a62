//! Rotations and truncations in all the ways that programs, tools and people know: whatever of a file was there to
//! be read arrives, once. Time is the test's own; each is looked at with notifications and by polling.

mod data_rig;

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use collector::pipeline::Pipeline;
use data_rig::{Rig, simple, simple_on};

fn numbered(range: std::ops::Range<usize>) -> String {
    range.map(|i| format!("line {i:06}\n")).collect()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

/// One that is told of changes, and one that looks for them.
fn each(pipeline: &Pipeline) -> impl Iterator<Item = Rig> {
    [false, true].into_iter().map(move |polls| {
        let mut rig = Rig::new();
        rig.polls = polls;
        rig.start(vec![pipeline.clone()]);
        rig
    })
}

fn rotated_names_too() -> Pipeline {
    simple_on(|input| input.file_pattern = "a.log*".to_owned())
}

/// `: > file`, `cp /dev/null file`, `truncate -s 0 file`: all of them open with O_TRUNC or truncate to nothing.
fn empty(rig: &Rig) {
    File::create(rig.path("a.log")).expect("truncate");
}

/// Has something under way, so that nothing more is read.
fn is_held_up(rig: &mut Rig) {
    rig.append("a.log", "first\n");
    rig.wait_ms(1_500);
    rig.reader.as_ref().expect("a reader");
    assert_eq!(rig.carried.len(), 1);
}

#[test]
fn what_moves_unread_to_a_directory_that_no_config_names_is_read_to_its_end() {
    for polls in [false, true] {
        let mut rig = Rig::new();
        (rig.polls, rig.limits.lane_parcels_max) = (polls, 1);
        fs::create_dir(rig.dir.path().join("archive")).expect("mkdir");
        rig.start(vec![simple()]);
        is_held_up(&mut rig);
        for round in 0..50 {
            let mut writer =
                OpenOptions::new().create(true).append(true).open(rig.path("a.log")).expect("open");
            writer.write_all(numbered(round * 10..round * 10 + 5).as_bytes()).expect("write");
            rig.wait_ms(1_500);
            fs::rename(rig.path("a.log"), rig.dir.path().join(format!("archive/{round}"))).expect("rename");
            // The program has not opened the new file yet.
            writer.write_all(numbered(round * 10 + 5..round * 10 + 10).as_bytes()).expect("write");
        }
        let expected = [vec!["first".to_owned()], lines(&numbered(0..500))].concat();
        assert_eq!(sorted(rig.values()), expected, "polls: {polls}");
    }
}

#[test]
fn what_moves_to_another_directory_of_the_config_is_not_read_again_also_after_a_kill() {
    let pipeline = simple_on(|input| {
        input.file_pattern = "*.log*".to_owned();
        input.max_depth = 1;
    });
    for mut rig in each(&pipeline) {
        fs::create_dir(rig.path("archive")).expect("mkdir");
        rig.append("a.log", numbered(0..10));
        assert_eq!(rig.values(), lines(&numbered(0..10)));
        fs::rename(rig.path("a.log"), rig.path("archive/a.log.1")).expect("rename");
        rig.append("archive/a.log.1", numbered(10..20));
        rig.append("a.log", numbered(20..30));
        assert_eq!(sorted(rig.values()), lines(&numbered(10..30)));
        rig.wait_ms(2_000);
        rig.kill();
        rig.append("a.log", numbered(30..40));
        fs::rename(rig.path("a.log"), rig.path("archive/a.log.2")).expect("rename");
        rig.append("a.log", numbered(40..50));
        rig.start(vec![pipeline.clone()]);
        assert_eq!(sorted(rig.values()), lines(&numbered(30..50)));
    }
}

#[test]
fn what_is_compressed_before_it_was_read_is_read_once_and_as_it_was() {
    for pipeline in [simple(), rotated_names_too()] {
        for polls in [false, true] {
            let mut rig = Rig::new();
            (rig.polls, rig.limits.lane_parcels_max) = (polls, 1);
            rig.start(vec![pipeline.clone()]);
            is_held_up(&mut rig);
            for n in 0..10 {
                rig.append("a.log", numbered(n * 10..n * 10 + 10));
                rig.wait_ms(1_500);
                fs::rename(rig.path("a.log"), rig.path(&format!("a.log.{n}"))).expect("rename");
                rig.wait_ms(1_500);
                // As gzip does: the new file first, empty, then its content, then the old one goes.
                let mut packed = File::create(rig.path(&format!("a.log.{n}.gz"))).expect("create");
                rig.turns();
                packed.write_all(b"\x1f\x8b\x08\0\0\0\0\0\0\x03no text\nand still none\n").expect("write");
                rig.turns();
                drop(packed);
                fs::remove_file(rig.path(&format!("a.log.{n}"))).expect("remove");
            }
            let expected = [vec!["first".to_owned()], lines(&numbered(0..100))].concat();
            let pattern = &pipeline.input.file_pattern;
            assert_eq!(sorted(rig.values()), expected, "{pattern}, polls: {polls}");
            rig.wait_ms(2_000);
            rig.kill();
            rig.start(vec![pipeline.clone()]);
            assert_eq!(rig.values(), [""; 0], "{pattern} after a restart");
        }
    }
}

#[test]
fn an_emptied_file_is_read_from_its_start_however_short_or_long_it_becomes() {
    for mut rig in each(&simple()) {
        rig.append("a.log", numbered(0..10));
        assert_eq!(rig.values(), lines(&numbered(0..10)));
        let mut next = 10;
        for length in [3, 1, 10, 0, 200, 199] {
            empty(&rig);
            rig.wait_ms(1_500); // seen while it is empty
            rig.append("a.log", numbered(next..next + length));
            assert_eq!(rig.values(), lines(&numbered(next..next + length)), "{length} lines");
            next += length;
        }
    }
}

#[test]
fn a_file_that_was_emptied_and_grew_between_two_looks_is_read_from_its_start() {
    for mut rig in each(&simple()) {
        rig.append("a.log", numbered(0..10));
        assert_eq!(rig.values(), lines(&numbered(0..10)));
        let mut next = 10;
        // Below, up to and beyond where reading was; much beyond, so that reads come in blocks; and back.
        for length in [9, 9, 10, 11, 40_000, 5] {
            empty(&rig);
            rig.append("a.log", numbered(next..next + length));
            assert_eq!(rig.values(), lines(&numbered(next..next + length)), "{length} lines");
            next += length;
        }
        assert_eq!(rig.counter("truncations"), 6);
    }
}

#[test]
fn so_is_one_that_had_a_line_begun_and_the_begun_line_is_sent() {
    for mut rig in each(&simple()) {
        rig.append("a.log", "one\nbegun");
        assert_eq!(rig.values(), ["one"]);
        empty(&rig);
        rig.append("a.log", "two, which is longer\nthree\n");
        assert_eq!(rig.values(), ["begun", "two, which is longer", "three"]);
    }
}

#[test]
fn the_same_head_of_more_than_a_kilobyte_after_each_truncation_hides_nothing() {
    let head = format!("#{}\n", "head ".repeat(300));
    for mut rig in each(&simple()) {
        let mut next = 0;
        for (lengths, seen_empty) in
            [([5, 5], false), ([5, 5], true), ([7, 30_000], false), ([30_000, 3], false)]
        {
            for length in lengths {
                empty(&rig);
                if seen_empty {
                    rig.wait_ms(1_500);
                }
                let text = format!("{head}{}", numbered(next..next + length));
                rig.append("a.log", &text);
                assert_eq!(rig.values(), lines(&text), "{length} lines");
                next += length;
            }
        }
    }
}

/// The one thing that content does not show: up to where the file was read, the new one is the old one.
#[test]
fn a_content_that_begins_with_all_of_the_old_one_is_taken_for_its_continuation_unless_seen_between() {
    let head = format!("#{}\n", "head ".repeat(300));
    for mut rig in each(&simple()) {
        rig.append("a.log", &head);
        assert_eq!(rig.values(), lines(&head));
        empty(&rig);
        rig.append("a.log", format!("{head}1\n"));
        assert_eq!(rig.values(), ["1"], "the head alone is missing");
        empty(&rig);
        rig.wait_ms(1_500);
        rig.append("a.log", format!("{head}1\n2\n"));
        assert_eq!(rig.values(), [head.trim_end_matches('\n'), "1", "2"]);
    }
}

#[test]
fn a_rotation_by_a_second_link_is_a_rotation() {
    for pipeline in [simple(), rotated_names_too()] {
        for mut rig in each(&pipeline) {
            rig.append("a.log", numbered(0..5));
            assert_eq!(rig.values().len(), 5);
            fs::hard_link(rig.path("a.log"), rig.path("a.log.1")).expect("link");
            rig.wait_ms(1_500);
            rig.append("a.log", numbered(5..10));
            fs::remove_file(rig.path("a.log")).expect("unlink");
            rig.append("a.log.1", numbered(10..15));
            rig.append("a.log", numbered(15..20));
            assert_eq!(sorted(rig.values()), lines(&numbered(5..20)), "{}", pipeline.input.file_pattern);
        }
    }
}

#[test]
fn a_copy_that_is_made_slowly_is_known_for_one_at_every_moment() {
    for pipeline in [simple(), rotated_names_too()] {
        for mut rig in each(&pipeline) {
            let mut next = 0;
            for n in 0..10 {
                // Sometimes nothing of a content was read before it is copied.
                rig.append("a.log", numbered(next..next + 300));
                if n % 2 == 0 {
                    rig.wait_ms(1_500);
                }
                let content = fs::read(rig.path("a.log")).expect("read");
                let mut copy = File::create(rig.path(&format!("a.log.{n}"))).expect("create");
                rig.turns();
                for part in content.chunks(1_300) {
                    copy.write_all(part).expect("write");
                    rig.turns();
                }
                drop(copy);
                if n % 3 == 0 {
                    rig.turns();
                }
                empty(&rig);
                next += 300;
            }
            let pattern = &pipeline.input.file_pattern;
            assert_eq!(sorted(rig.values()), lines(&numbered(0..next)), "{pattern}, polls: {}", rig.polls);
        }
    }
}

/// Nothing tells of the truncation but that there is less than was known of the file's beginning.
#[test]
fn what_was_copied_and_truncated_while_reading_was_held_up_is_read_though_nothing_follows() {
    for polls in [false, true] {
        let mut rig = Rig::new();
        (rig.polls, rig.limits.lane_parcels_max) = (polls, 1);
        rig.append("a.log", "");
        rig.start(vec![simple_on(|input| input.file_pattern = "*.log".to_owned())]);
        rig.wait_ms(1_500); // seen while it is empty
        rig.append("b.log", "under way\n");
        rig.wait_ms(1_500);
        rig.append("a.log", "1\n");
        rig.wait_ms(1_500);
        fs::copy(rig.path("a.log"), rig.path("a.log.1")).expect("copy");
        rig.wait_ms(1_500);
        empty(&rig);
        assert_eq!(sorted(rig.values()), ["1", "under way"], "polls: {polls}");
    }
}

#[test]
fn a_copy_of_what_was_not_read_yet_is_kept_in_mind_while_reading_is_held_up() {
    for (polls, pattern) in [(false, "*.log"), (true, "*.log"), (false, "*.log*"), (true, "*.log*")] {
        let mut rig = Rig::new();
        (rig.polls, rig.limits.lane_parcels_max) = (polls, 1);
        rig.start(vec![simple_on(|input| input.file_pattern = pattern.to_owned())]);
        rig.append("a.log", "1\n");
        assert_eq!(rig.values(), ["1"]);
        empty(&rig);
        rig.wait_ms(1_500); // seen while it is empty
        rig.append("b.log", "under way\n");
        rig.wait_ms(1_500);
        for n in 2..5 {
            rig.append("a.log", format!("{n}\n"));
            rig.wait_ms(1_500);
            fs::copy(rig.path("a.log"), rig.path(&format!("a.log.{n}"))).expect("copy");
            rig.wait_ms(1_500);
            empty(&rig);
        }
        rig.append("a.log", "5\n");
        let mut values = rig.values();
        rig.wait_ms(61_000); // what has a matching name may be found by a listing only
        values.extend(rig.values());
        assert_eq!(sorted(values), ["2", "3", "4", "5", "under way"], "{pattern}, polls: {polls}");
    }
}
