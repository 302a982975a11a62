//! Lines of every length and of any bytes, read in pieces of every size. Time is the test's own.

mod data_rig;

use std::fs;
use std::io::Write;
use std::time::Duration;

use collector::engine::Limits;
use collector::pipeline::{Multiline, Pipeline, full_match};
use data_rig::{Rig, simple, simple_on};

const KIB: usize = 1024;
/// The longest event that is sent in one piece: the default of `max_read_buffer_size`.
const EVENT_MAX: usize = 512 * KIB;

/// A line of `length` bytes that says its own number, and is not the same anywhere in it.
fn line(number: usize, length: usize) -> String {
    let mut text = String::with_capacity(length + 16);
    text.push_str(&format!("{number}:"));
    let mut word = number;
    while text.len() < length {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{word:x} "));
    }
    text.truncate(length);
    text
}

/// The raw values of all logs that come within ten seconds.
fn raw_values(rig: &mut Rig) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    for _ in 0..10 {
        rig.wait_ms(1_000);
        let groups = rig.take();
        values.extend(
            groups.into_iter().flat_map(|g| g.logs).map(|mut log| log.contents.remove(0).value.to_vec()),
        );
    }
    values
}

#[test]
fn lines_from_nothing_to_eight_megabytes_arrive_whole_or_in_pieces_without_a_gap() {
    let lengths = [0, 1, 511 * KIB, 512 * KIB, 513 * KIB, 8 * KIB * KIB, 1, 0, 1025 * KIB];
    // At once, or in parts at which the collector looks in between.
    for part in [usize::MAX, 300 * KIB] {
        let mut rig = Rig::running(simple());
        let lines: Vec<String> = lengths.iter().enumerate().map(|(n, length)| line(n, *length)).collect();
        let text: Vec<u8> = lines.iter().flat_map(|line| line.bytes().chain([b'\n'])).collect();
        let mut pieces = Vec::new();
        for part in text.chunks(part.min(text.len())) {
            rig.append("a.log", part);
            rig.turns();
            pieces.extend(rig.take().iter().flat_map(data_rig::values_of));
        }
        pieces.extend(rig.values());
        let mut pieces = pieces.into_iter();
        let mut cut = 0;
        for line in &lines {
            let mut whole = pieces.next().expect("a piece");
            while whole.len() < line.len() {
                let piece = pieces.next().expect("another piece");
                assert!(
                    whole.len() % EVENT_MAX == 0 && piece.len() <= EVENT_MAX,
                    "{} {}",
                    whole.len(),
                    piece.len()
                );
                whole.push_str(&piece);
                cut += 1;
            }
            assert!(whole == *line, "a line of {} bytes came as one of {}", line.len(), whole.len());
        }
        assert_eq!(pieces.next(), None);
        assert_eq!(cut, 1 + 15 + 2, "513 KiB in two, 8 MiB in sixteen, 1,025 KiB in three");
        assert_eq!(rig.counter("cut_events"), cut);
    }
}

#[test]
fn bytes_of_any_kind_arrive_as_they_are_wherever_a_read_ends() {
    let lines: [&[u8]; 9] = [
        b"ends with return\r",
        b"\r",
        b"",
        b"a NUL \0 inside",
        b"\xff\xfe\xc3\x28 no UTF-8",
        b"cut \xe6\x97",
        "\u{65e5}\u{672c}\u{1f980}".as_bytes(),
        b"\xc8\xd5\xd6\xbe GBK as it is",
        b"\x1b[31mred\x1b[0m\t",
    ];
    let text: Vec<u8> = lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect();
    for part in 1..=text.len() {
        let mut rig = Rig::running(simple());
        for part in text.chunks(part) {
            rig.append("a.log", part);
            rig.turns();
        }
        assert_eq!(raw_values(&mut rig), lines, "in parts of {part} bytes");
    }
}

#[test]
fn gbk_becomes_utf8_wherever_a_read_a_rotation_or_a_restart_cuts_a_character() {
    let line = |n: usize| format!("\u{65e5}\u{5fd7} {n} \u{4e2d}\u{6587}|\u{9ad8}");
    let gbk = |n: usize| encoding_rs::GBK.encode(&format!("{}\n", line(n))).0.into_owned();
    let pipeline = simple_on(|input| input.encoding = collector::encoding::Encoding::Gbk);
    let mut rig = Rig::running(pipeline.clone());
    let (mut expected, mut values, mut written) = (Vec::new(), Vec::new(), 0);
    for at in 1..gbk(0).len() {
        for cut in ["nothing", "rotation", "restart"] {
            let bytes = gbk(written);
            rig.append("a.log", &bytes[..at]);
            rig.turns();
            match cut {
                "rotation" => {
                    fs::rename(rig.path("a.log"), rig.path(&format!("a.log.{written}"))).expect("rename");
                    rig.append(&format!("a.log.{written}"), &bytes[at..]);
                }
                "restart" => {
                    values.extend(rig.values());
                    rig.wait_ms(2_000);
                    rig.kill();
                    rig.append("a.log", &bytes[at..]);
                    rig.start(vec![pipeline.clone()]);
                }
                _ => rig.append("a.log", &bytes[at..]),
            }
            expected.push(line(written));
            written += 1;
            values.extend(rig.values());
        }
    }
    assert_eq!(values, expected);
}

#[test]
fn a_last_line_without_an_end_is_one_line_when_it_is_completed_after_a_rotation_or_a_restart() {
    for polls in [false, true] {
        let mut rig = Rig::new();
        rig.polls = polls;
        rig.start(vec![simple()]);
        let mut writer = fs::File::create(rig.path("a.log")).expect("create");
        writer.write_all(b"one\ntw").expect("write");
        assert_eq!(rig.values(), ["one"]);
        fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("rename");
        rig.wait_ms(20_000); // it is complete only when nobody has it open
        writer.write_all(b"o\n").expect("write");
        drop(writer);
        rig.append("a.log", "three\nfo");
        let mut values = rig.values();
        values.sort();
        assert_eq!(values, ["three", "two"]);
        rig.wait_ms(2_000);
        rig.kill();
        rig.append("a.log", "ur\nfi");
        fs::rename(rig.path("a.log"), rig.path("a.log.2")).expect("rename");
        rig.append("a.log.2", "ve\n");
        rig.append("a.log", "six\n");
        rig.start(vec![simple()]);
        let mut values = rig.values();
        values.sort();
        assert_eq!(values, ["five", "four", "six"]);
    }
}

#[test]
fn records_of_many_lines_go_over_reads_rotations_and_restarts() {
    let pipeline =
        || Pipeline { multiline: Multiline::begin(full_match(r"\d+ .*").expect("regex")), ..simple() };
    let record = |n: usize| format!("{n} began\n{}\tand ended", "\tat some place\n".repeat(n % 40));
    let mut rig = Rig::new();
    rig.limits = Limits { block_bytes: 128, ..Limits::default() };
    rig.start(vec![pipeline()]);
    let (mut values, mut expected) = (Vec::new(), Vec::new());
    for n in 0..120 {
        let text = format!("{}\n", record(n));
        let (head, rest) = text.split_at(text.len() * (n % 7 + 1) / 8);
        rig.append("a.log", head);
        rig.turns();
        if n % 5 == 0 {
            values.extend(rig.take().iter().flat_map(data_rig::values_of));
            rig.wait_ms(2_000);
            rig.kill();
            rig.append("a.log", rest);
            rig.start(vec![pipeline()]);
        } else {
            rig.append("a.log", rest);
        }
        if n % 9 == 8 {
            fs::rename(rig.path("a.log"), rig.path(&format!("a.log.{n}"))).expect("rename");
        }
        expected.push(record(n));
        // What was taken is on disk before the next kill, so that nothing comes twice.
        values.extend(rig.values());
    }
    // The last record of a file has no successor that ends it: its time does.
    rig.kill();
    let mut last = pipeline();
    last.input.flush_timeout = Duration::from_secs(5);
    rig.start(vec![last]);
    values.extend(rig.values());
    values.sort();
    expected.sort();
    assert_eq!(values, expected);
}
