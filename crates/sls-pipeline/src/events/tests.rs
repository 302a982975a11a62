use expect_test::{Expect, expect};

use super::*;
use crate::pipeline::full_match;

fn rule(begin: &str) -> Multiline {
    match begin {
        "" => Multiline::SingleLine,
        begin => Multiline::begin(full_match(begin).expect("the test's regex")),
    }
}

/// Feeds `text` in reads of every size and demands the same events each time.
fn check(begin: &str, bytes_max: usize, text: &str, expected: Expect) {
    check_rule(&rule(begin), bytes_max, text, expected);
}

/// Of records of any kind.
fn check_records(records: Records, text: &str, expected: Expect) {
    check_rule(&Multiline::Joined { records, strays: Strays::SingleLines }, 100, text, expected);
}

fn check_rule(rule: &Multiline, bytes_max: usize, text: &str, expected: Expect) {
    let splitter = Splitter::new(rule, Encoding::Utf8, bytes_max);
    let mut whole = None;
    for step in 1..=text.len() {
        let mut events = String::new();
        let (mut pending, mut seen) = (Vec::new(), Seen::default());
        for piece in text.as_bytes().chunks(step) {
            pending.extend_from_slice(piece);
            let data = pending.clone();
            let used = splitter.split(&data, &mut seen, |e| note(&mut events, &data, e));
            pending.drain(..used);
        }
        events.push_str("-- pending:\n");
        splitter.flush(&pending.clone(), &mut seen, |e| note(&mut events, &pending, e));
        assert_eq!(whole.get_or_insert_with(|| events.clone()), &events, "reads of {step} bytes");
    }
    expected.assert_eq(&whole.unwrap_or_default());
}

fn note(out: &mut String, data: &[u8], e: Event) {
    let text = String::from_utf8_lossy(&data[e.start..e.end]);
    let cut = if e.is_cut { " …" } else { "" };
    let stray = if e.is_stray { " stray" } else { "" };
    out.push_str(&format!("{text:?}{cut}{stray}\n"));
}

#[test]
fn every_line_is_an_event_and_an_unterminated_one_stays_pending() {
    check(
        "",
        100,
        "one\n\ntwo\r\nthr",
        expect![[r#"
        "one"
        ""
        "two\r"
        -- pending:
        "thr"
    "#]],
    );
}

#[test]
fn a_stack_trace_stays_one_event() {
    check(
        r"\d{4}-.*",
        100,
        "2024-01 boom\n\tat A\n\n\tat B\n2024-02 ok\n",
        expect![[r#"
        "2024-01 boom\n\tat A\n\n\tat B"
        -- pending:
        "2024-02 ok"
    "#]],
    );
}

#[test]
fn the_begin_regex_must_match_the_whole_line() {
    check(
        r"\d{4}",
        100,
        "2024\n2024 not whole\n2025\n",
        expect![[r#"
        "2024\n2024 not whole"
        -- pending:
        "2025"
    "#]],
    );
}

#[test]
fn lines_before_the_first_begin_are_strays() {
    check(
        "B.*",
        100,
        "x\ny\nB1\nz\n",
        expect![[r#"
            "x" stray
            "y" stray
            -- pending:
            "B1\nz"
        "#]],
    );
}

#[test]
fn an_unterminated_line_may_begin_an_event_too() {
    check(
        "B.*",
        100,
        "B1\nx\nB2",
        expect![[r#"
            -- pending:
            "B1\nx"
            "B2"
        "#]],
    );
}

#[test]
fn an_over_long_line_is_cut_into_pieces() {
    check(
        "",
        4,
        "abcdefghij\nxy\n",
        expect![[r#"
        "abcd" …
        "efgh" …
        "ij"
        "xy"
        -- pending:
    "#]],
    );
}

#[test]
fn an_over_long_joined_event_is_cut_between_lines() {
    check(
        "B.*",
        8,
        "B\nccc\nddd\nee\nB\n",
        expect![[r#"
        "B\nccc" …
        "ddd\nee"
        -- pending:
        "B"
    "#]],
    );
}

fn re(pattern: &str) -> regex::bytes::Regex {
    full_match(pattern).expect("the test's regex")
}

#[test]
fn a_record_of_start_and_continuations_ends_before_any_other_line() {
    let records = Records::StartContinue { start: re("B.*"), continuation: re(r"\s.*") };
    check_records(
        records,
        "x\nB1\n a\n b\nB2\ny\n z\nB3\n c\n",
        expect![[r#"
        "x" stray
        "B1\n a\n b"
        "B2"
        "y" stray
        " z" stray
        -- pending:
        "B3\n c"
    "#]],
    );
}

#[test]
fn a_record_of_start_and_end_takes_whatever_is_between() {
    let records = Records::StartEnd { start: re("B.*"), end: re("E.*") };
    check_records(
        records,
        "x\nB1\nB\nE1\ny\nB2\nE2\nB3\nz\n",
        expect![[r#"
        "x" stray
        "B1\nB\nE1"
        "y" stray
        "B2\nE2"
        -- pending:
        "B3" stray
        "z" stray
    "#]],
    );
}

#[test]
fn a_record_of_continuations_and_end_is_strays_if_the_end_does_not_come() {
    let records = Records::ContinueEnd { continuation: re(r"\s.*"), end: re("E.*") };
    check_records(
        records,
        " a\n b\nE1\nE2\nx\n c\ny\n d\n",
        expect![[r#"
        " a\n b\nE1"
        "E2"
        "x" stray
        " c" stray
        "y" stray
        -- pending:
        " d" stray
    "#]],
    );
}

#[test]
fn records_that_are_known_by_their_end_only_follow_each_other() {
    check_records(
        Records::End(re("E.*")),
        "a\nb\nE1\nE2\nc",
        expect![[r#"
        "a\nb\nE1"
        "E2"
        -- pending:
        "c" stray
    "#]],
    );
}

#[test]
fn an_over_long_line_of_a_record_is_judged_by_its_begin() {
    check(
        "B.*",
        6,
        "x\nB23456789\nyy\nB1\nyyyyyyyyyy\nz\n",
        expect![[r#"
        "x" stray
        "B23456" …
        "789\nyy"
        "B1" …
        "yyyyyy" …
        -- pending:
        "yyyy\nz"
    "#]],
    );
    let records = Records::StartEnd { start: re("B.*"), end: re(".*E") };
    let rule = Multiline::Joined { records, strays: Strays::SingleLines };
    check_rule(
        &rule,
        6,
        "B1\nyyyyyyyyyyyE\nB2\nyyyy\nE\nxxxxxxxxxx\n",
        expect![[r#"
        "B1" …
        "yyyyyy" …
        "yyyyyE"
        "B2" …
        "yyyy\nE"
        "xxxxxx" … stray
        "xxxx" stray
        -- pending:
    "#]],
    );
}

#[test]
fn a_line_that_goes_on_after_a_flush_stays_with_its_record() {
    let splitter = Splitter::new(&rule("B.*"), Encoding::Utf8, 100);
    let (mut events, mut seen) = (String::new(), Seen::default());
    splitter.flush(b"B1\nab", &mut seen, |e| note(&mut events, b"B1\nab", e));
    splitter.flush(b"B \nx\nB2\n", &mut seen, |e| note(&mut events, b"B \nx\nB2\n", e));
    splitter.flush(b"y\n", &mut seen, |e| note(&mut events, b"y\n", e));
    expect![[r#"
        "B1\nab"
        "B \nx"
        "B2"
        "y" stray
    "#]]
    .assert_eq(&events);
}

#[test]
fn lines_after_an_unknown_begin_are_strays_only_once_a_record_has_begun() {
    let start_end = || Records::StartEnd { start: re("B.*"), end: re("E.*") };
    let text = b"rest\nE0\nan over-long line\nB1\nE1\nx\nB2\nE2\n";
    let unknown = |records, text: &[u8]| {
        let rule = Multiline::Joined { records, strays: Strays::Discard };
        let splitter = Splitter::new(&rule, Encoding::Utf8, 10);
        let mut whole = None;
        for step in 1..=text.len() {
            let (mut events, mut pending, mut seen) = (String::new(), Vec::new(), Seen::nothing_before(7));
            for piece in text.chunks(step) {
                pending.extend_from_slice(piece);
                let data = pending.clone();
                let used = splitter.split(&data, &mut seen, |e| note(&mut events, &data, e));
                pending.drain(..used);
            }
            splitter.flush(&pending.clone(), &mut seen, |e| note(&mut events, &pending, e));
            assert_eq!(whole.get_or_insert_with(|| events.clone()), &events, "reads of {step} bytes");
        }
        whole.unwrap_or_default()
    };
    expect![[r#"
        "rest"
        "E0"
        "an over-lo" …
        "ng line"
        "B1\nE1"
        "x" stray
        "B2\nE2"
    "#]]
    .assert_eq(&unknown(start_end(), text));
    let records = Records::ContinueEnd { continuation: re(r"\s.*"), end: re("E.*") };
    expect![[r#"
        "rest"
        "E0"
        "x" stray
    "#]]
    .assert_eq(&unknown(records, b"rest\nE0\nx\n"));
}

#[test]
fn a_file_that_is_read_from_its_begin_and_a_later_newline_leave_no_doubt() {
    assert_eq!(Seen::nothing_before(0), Seen::default());
    let splitter = Splitter::new(&rule("B.*"), Encoding::Utf8, 100);
    let (mut events, mut seen) = (String::new(), Seen::nothing_before(1));
    splitter.flush(b"x", &mut seen, |e| note(&mut events, b"x", e));
    let mut seen = seen.after_line();
    splitter.flush(b"y\nB1\n", &mut seen, |e| note(&mut events, b"y\nB1\n", e));
    let mut seen = seen.after_line();
    splitter.flush(b"z\n", &mut seen, |e| note(&mut events, b"z\n", e));
    expect![[r#"
        "x"
        "y"
        "B1"
        "z" stray
    "#]]
    .assert_eq(&events);
}

proptest::proptest! {
    /// No byte is lost, none comes twice, and the reads do not matter.
    #[test]
    fn events_cover_the_text_whatever_the_rule(text in "[BEx\n ]{1,60}", kind in 0..5usize, bytes_max in 1..20usize) {
        let records = match kind {
            0 => Records::Start(re("B.*")),
            1 => Records::StartContinue { start: re("B.*"), continuation: re(r"[\sx].*") },
            2 => Records::StartEnd { start: re("B.*"), end: re(".*E") },
            3 => Records::ContinueEnd { continuation: re(r"[\sx].*"), end: re(".*E") },
            _ => Records::End(re("E.*")),
        };
        let splitter = Splitter::new(&Multiline::Joined { records, strays: Strays::SingleLines }, Encoding::Utf8, bytes_max);
        let mut whole = None;
        for step in 1..=text.len() {
            let (mut pending, mut seen) = (Vec::new(), Seen::default());
            let (mut events, mut at) = (Vec::new(), 0);
            let mut note = |base: usize, e: Event| {
                assert_eq!(base + e.start, at);
                assert!(e.end - e.start <= bytes_max, "{e:?}");
                at = base + e.next;
                events.push((base + e.start, base + e.end, e.is_cut, e.is_stray));
            };
            let mut base = 0;
            for piece in text.as_bytes().chunks(step) {
                pending.extend_from_slice(piece);
                let used = splitter.split(&pending, &mut seen, |e| note(base, e));
                pending.drain(..used);
                base += used;
            }
            splitter.flush(&pending, &mut seen, |e| note(base, e));
            assert_eq!(at, text.len());
            assert_eq!(whole.get_or_insert_with(|| events.clone()), &events, "reads of {step} bytes");
        }
    }
}

#[test]
fn patterns_and_cuts_see_gbk_text_as_it_reads() {
    // 开始 (begin) in GBK, then a character that does not fit as a whole.
    let data = b"\xbf\xaa\xca\xbc 1\nx\n\xbf\xaa\xca\xbc\xc8\xd5\xd5\n";
    let splitter = Splitter::new(&rule("开始.*"), Encoding::Gbk, 9);
    let (mut events, mut seen) = (Vec::new(), Seen::default());
    splitter.flush(data, &mut seen, |e| events.push((e.start, e.end, e.is_cut, e.is_stray)));
    assert_eq!(events, [(0, 8, false, false), (9, 16, false, false)]);
    let splitter = Splitter::new(&Multiline::SingleLine, Encoding::Gbk, 5);
    let mut pieces = Vec::new();
    splitter
        .flush(&data[9..15], &mut Seen::default(), |e| pieces.push((e.start, e.end, e.is_cut, e.is_stray)));
    assert_eq!(pieces, [(0, 4, true, false), (4, 6, false, false)]);
}
