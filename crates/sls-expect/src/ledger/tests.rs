use expect_test::expect;
use proptest::prelude::*;

use super::*;

/// What the ledger has: source, number, and whether there are details.
fn told(ledger: &Ledger) -> Vec<String> {
    let mut told = Vec::new();
    for source in ledger.sources() {
        for rank in 0..source.entries() {
            let seq = source.seq(rank).unwrap();
            let place = source.place(seq, &mut 0).unwrap();
            assert_eq!(place.rank, rank);
            told.push(format!(
                "{}/{} {seq} {:?} {:?} {:?}",
                source.run(),
                source.source(),
                source.time(place),
                source.line(place).map(|check| check.bytes),
                source.values(place).map(|check| check.crc32)
            ));
        }
    }
    told
}

fn refused(text: &str) -> String {
    LedgerParser::parse(text.as_bytes()).expect_err(text).to_string()
}

#[test]
fn both_forms_are_understood_in_any_order() {
    let text = r#"{"run":"r","source":"a","seq":7}

{"run":"r","source":"b","seq":1,"time":1763905845678,"line":{"bytes":3,"crc32":4}}
{"source":"a","run":"r","first":2,"last":4}
{"run":"r","source":"a","seq":8,"values":{"crc32":9,"bytes":5}}
{"run":"r","source":"a","seq":18446744073709551615,"time":1763905845000}"#;
    let ledger = LedgerParser::parse(text.as_bytes()).unwrap();
    assert_eq!((ledger.entries(), ledger.cut_line(), ledger.only_run()), (7, None, Some("r")));
    expect![[r#"
        [
            "r/a 2 None None None",
            "r/a 3 None None None",
            "r/a 4 None None None",
            "r/a 7 None None None",
            "r/a 8 None None Some(9)",
            "r/a 18446744073709551615 Some(1763905845000) None None",
            "r/b 1 Some(1763905845678) Some(3) None",
        ]
    "#]]
    .assert_debug_eq(&told(&ledger));
}

#[test]
fn what_is_no_line_of_a_ledger_is_refused_with_its_number() {
    let good = "{\"run\":\"r\",\"source\":\"a\",\"seq\":1}\n";
    let texts = [
        "hello\n",
        "{\"run\":\"r\",\"source\":\"a\",\"seq\":1,\"crc\":5}\n",
        "{\"run\":\"r\",\"source\":\"a\",\"seq\":-1}\n",
        "{\"run\":\"r\",\"source\":\"a\"}\n",
        "{\"run\":\"r\",\"source\":\"a\",\"seq\":2,\"first\":3,\"last\":4}\n",
        "{\"run\":\"r\",\"source\":\"a\",\"first\":4,\"last\":3}\n",
        "{\"run\":\"r\",\"source\":\"a\",\"first\":3,\"last\":4,\"time\":5}\n",
        "{\"run\":\"\",\"source\":\"a\",\"seq\":2}\n",
        "{\"run\":\"r\",\"source\":\"a\\u0000\",\"seq\":2}\n",
        "{\"run\":\"r\",\"source\":\"a\",\"seq\":2,\"line\":{\"bytes\":4294967295,\"crc32\":1}}\n",
        "{\"run\":\"r\",\"source\":\"a\",\"seq\":1}\n",
        "{\"run\":\"r\",\"source\":\"a\",\"first\":0,\"last\":4}\n",
        "{\"run\":\"r\",\"source\":\"a\",\"first\":0,\"last\":18446744073709551615}\n",
    ];
    let told: Vec<String> = texts.iter().map(|text| refused(&format!("{good}{text}{good}"))).collect();
    expect![[r#"
        ledger, line 2: expected value (column 1); a line is {"run":…,"source":…,"seq":…} or {"run":…,"source":…,"first":…,"last":…}
        ledger, line 2: unknown field `crc`, expected one of `run`, `source`, `seq`, `first`, `last`, `time`, `line`, `values` (column 37); a line is {"run":…,"source":…,"seq":…} or {"run":…,"source":…,"first":…,"last":…}
        ledger, line 2: invalid value: integer `-1`, expected u64 (column 32); a line is {"run":…,"source":…,"seq":…} or {"run":…,"source":…,"first":…,"last":…}
        ledger, line 2: a line has either `seq`, or `first` and `last`, the smaller one first
        ledger, line 2: a line has either `seq`, or `first` and `last`, the smaller one first
        ledger, line 2: a line has either `seq`, or `first` and `last`, the smaller one first
        ledger, line 2: `time`, `line` and `values` are of a single log: give each log a line with `seq`
        ledger, line 2: `run` is 1 to 512 bytes without control characters
        ledger, line 2: `source` is 1 to 512 bytes without control characters
        ledger, line 2: `bytes` is at most 4294967294
        ledger, line 2: r/a 1 is already in the ledger: a number is written once, a further file needs a source or run of its own
        ledger, line 2: r/a 1 is already in the ledger: a number is written once, a further file needs a source or run of its own
        ledger, line 2: more than 20000000 logs are more than fit into memory: split the ledger by run or source
    "#]]
    .assert_eq(&(told.join("\n") + "\n"));
}

#[test]
fn times_far_apart_and_too_many_logs_are_refused() {
    let far = "{\"run\":\"r\",\"source\":\"a\",\"seq\":1,\"time\":1}\n{\"run\":\"r\",\"source\":\"a\",\"seq\":2,\"time\":1763905845000}\n";
    assert!(refused(far).starts_with("ledger, line 2: `time` is more than 24 days away"), "{}", refused(far));
    let mut parser = LedgerParser::new(3);
    let range =
        |first, last| format!("{{\"run\":\"r\",\"source\":\"a\",\"first\":{first},\"last\":{last}}}\n");
    parser.push(range(1, 3).as_bytes()).unwrap();
    assert_eq!(parser.push(range(4, 4).as_bytes()).unwrap_err().problem, Problem::TooManyEntries(3));
}

#[test]
fn a_line_without_end_is_refused_and_not_kept() {
    let mut parser = LedgerParser::default();
    let error = (0..100).find_map(|_| parser.push(&[b'x'; 100]).err()).unwrap();
    assert_eq!((error.line, error.problem), (1, Problem::LineTooLong));
    assert!(refused(&("x".repeat(LINE_BYTES_MAX + 1) + "\n")).contains("longer than"));
}

#[test]
fn the_last_line_of_a_writer_that_was_killed_is_left_out_and_told() {
    let line = r#"{"run":"r","source":"a","seq":1}"#;
    for cut in 1..line.len() {
        let ledger = LedgerParser::parse(format!("{line}\n{}", &line[..cut]).as_bytes()).unwrap();
        assert_eq!((ledger.entries(), ledger.cut_line()), (1, Some(2)), "{cut}");
    }
    let whole = format!("{line}\n{}", line.replace('1', "2"));
    assert_eq!(LedgerParser::parse(whole.as_bytes()).unwrap().cut_line(), None);
    assert!(refused(&format!("{}\n{line}", &line[..9])).starts_with("ledger, line 1: EOF"));
}

#[test]
fn numbers_far_apart_take_no_more_memory_than_near_ones() {
    let line = |seq: u64| format!("{{\"run\":\"r\",\"source\":\"a\",\"seq\":{seq}}}\n");
    let text: String = (0..1_000).map(|n| line(n * 10_000_000_000_000)).collect();
    let ledger = LedgerParser::parse(text.as_bytes()).unwrap();
    assert_eq!(ledger.sources()[0].entries(), 1_000);
    assert_eq!(ledger.sources()[0].seq(999), Some(9_990_000_000_000_000));
}

#[test]
fn an_entry_is_read_back() {
    let check = Check::of(b"123456789");
    // The check value of CRC-32/ISO-HDLC, as every catalogue has it.
    assert_eq!(check, Check { bytes: 9, crc32: 0xcbf4_3926 });
    let entry = Entry {
        run: "r\"",
        source: "a",
        seq: 7,
        time: Some(1_763_905_845_678),
        line: Some(check),
        values: Some(Check::of_values([b"a".as_slice(), b"b"])),
    };
    let json = serde_json::to_string(&entry).unwrap();
    expect![[r#"{"run":"r\"","source":"a","seq":7,"time":1763905845678,"line":{"bytes":9,"crc32":3421780262},"values":{"bytes":3,"crc32":2154585299}}"#]].assert_eq(&json);
    let ledger = LedgerParser::parse(json.as_bytes()).unwrap();
    let source = &ledger.sources()[0];
    let place = source.place(7, &mut 0).unwrap();
    assert_eq!((source.run(), source.line(place), source.values(place)), ("r\"", entry.line, entry.values));
    assert_eq!(source.values(place), Some(Check::of(b"a b")));
}

proptest! {
    #[test]
    fn pieces_may_end_anywhere(cuts in prop::collection::vec(0..200_usize, 0..6)) {
        let text = "{\"run\":\"r\",\"source\":\"a\",\"seq\":1}\n\n{\"run\":\"r\",\"source\":\"é\",\"first\":2,\"last\":4}\n{\"run\":\"r\",\"source\":\"a\",\"seq\":9}";
        let whole = told(&LedgerParser::parse(text.as_bytes()).unwrap());
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        let mut parser = LedgerParser::default();
        let mut from = 0;
        for cut in cuts {
            parser.push(&text.as_bytes()[from..cut]).unwrap();
            from = cut;
        }
        parser.push(&text.as_bytes()[from..]).unwrap();
        prop_assert_eq!(told(&parser.finish().unwrap()), whole);
    }

    #[test]
    fn numbers_are_known_whatever_their_order_and_each_is_taken_once(
        ranges in prop::collection::vec((0..60_u64, 0..6_u64), 1..20)
    ) {
        let mut parser = LedgerParser::default();
        let mut known = std::collections::BTreeSet::new();
        for (number, (first, more)) in ranges.into_iter().enumerate() {
            let last = first + more;
            let line = match more {
                0 => format!("{{\"run\":\"r\",\"source\":\"a\",\"seq\":{first},\"time\":{}}}\n", 1_000 + first),
                _ => format!("{{\"run\":\"r\",\"source\":\"a\",\"first\":{first},\"last\":{last}}}\n"),
            };
            let smallest_taken = (first..=last).find(|seq| known.contains(seq));
            match parser.push(line.as_bytes()) {
                Ok(()) => {
                    prop_assert_eq!(smallest_taken, None);
                    known.extend(first..=last);
                }
                Err(error) => {
                    prop_assert_eq!(error.line, number as u64 + 1);
                    let Problem::Twice { seq, .. } = error.problem else { panic!("{error}") };
                    prop_assert_eq!(Some(seq), smallest_taken);
                }
            }
        }
        let ledger = parser.finish().unwrap();
        let Some(source) = ledger.sources().first() else { return Ok(()) };
        let got: Vec<u64> = (0..source.entries()).filter_map(|rank| source.seq(rank)).collect();
        prop_assert_eq!(got, known.iter().copied().collect::<Vec<_>>());
        let mut hint = 0;
        for seq in 0..70 {
            let place = source.place(seq, &mut hint);
            prop_assert_eq!(place.is_some(), known.contains(&seq));
            let time = place.and_then(|place| source.time(place));
            prop_assert!(time.is_none_or(|time| time == 1_000 + seq));
        }
    }
}

#[test]
fn a_ledger_without_entries_is_refused() {
    for text in ["", "\n\n", "{\"run\":\"r\","] {
        let error = LedgerParser::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.problem, Problem::NoEntries, "{text:?}");
    }
}
