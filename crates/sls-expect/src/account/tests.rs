use expect_test::expect;

use super::*;
use crate::ledger::{Check, LedgerParser};

fn line(seq: u64) -> String {
    format!("GET /?run=r&src=pod-1&seq={seq} 200")
}

fn ledger(logs: u64) -> Ledger {
    let lines = (1..=logs).map(|seq| {
        let check = serde_json::to_string(&Check::of(line(seq).as_bytes())).unwrap();
        format!(
            "{{\"run\":\"r\",\"source\":\"pod-1\",\"seq\":{seq},\"time\":{},\"line\":{check}}}\n",
            1_000 + seq
        )
    });
    LedgerParser::parse(lines.collect::<String>().as_bytes()).unwrap()
}

/// An accountant that was handed packs of lines, received at these times.
fn accountant(ledger: Ledger, options: Options, packs: &[(&str, u64, &[String])]) -> Accountant {
    let mut accountant = Accountant::new(ledger, options).unwrap();
    for (pack, received_ms, lines) in packs {
        let arrival =
            Arrival { pack_id: Some(pack.as_bytes()), received_ms: *received_ms, ..Arrival::default() };
        accountant.add_group(arrival, lines.iter().map(|line| [(b"content".as_slice(), line.as_bytes())]));
    }
    accountant
}

/// Of everything something.
fn troubled(listed_max: usize) -> Accounting {
    let options = Options { late_after_ms: Some(60_000), listed_max, ..Options::default() };
    let text = format!(
        "{}\n",
        r#"{"run":"r","source":"pod-2","first":1,"last":2}
{"run":"r","source":"pod-3","first":1,"last":1000}
{"run":"r","#
    );
    let mut parser = LedgerParser::default();
    for seq in 1..=20 {
        let check = serde_json::to_string(&Check::of(line(seq).as_bytes())).unwrap();
        let entry =
            format!("{{\"run\":\"r\",\"source\":\"pod-1\",\"seq\":{seq},\"time\":1000,\"line\":{check}}}\n");
        parser.push(entry.as_bytes()).unwrap();
    }
    parser.push(text.trim_end().as_bytes()).unwrap();
    let lines = |seqs: &[u64]| seqs.iter().map(|seq| line(*seq)).collect::<Vec<_>>();
    let other = |source: &str, seq: u64| line(seq).replace("pod-1", source);
    let all: Vec<String> = (1..=1_000).map(|seq| other("pod-3", seq)).collect();
    let strange = [
        other("pod-2", 1),
        other("pod-2", 2),
        other("pod-2", 3),
        other("pod-2", 4),
        other("pod-9", 1),
        "GET /health\u{1b} 200".to_owned(),
        "x".repeat(400),
    ];
    let altered = [line(12).replace("200", "201"), line(13).replace(" 200", " 2")];
    let packs: [(&str, u64, &[String]); 8] = [
        ("A-0", 1_100, &all),
        ("A-1", 1_100, &lines(&[1, 2, 4, 3])),
        ("A-2", 1_200, &lines(&[5, 9])),
        ("A-2", 1_300, &lines(&[5, 9])),
        ("B-0", 1_400, &lines(&[10, 11, 9])),
        ("B-1", 1_500, &altered),
        ("B-2", 1_600, &strange),
        ("B-3", 65_000, &lines(&[18])),
    ];
    accountant(parser.finish().unwrap(), options, &packs).finish()
}

#[test]
fn a_stranger_reads_from_the_text_what_is_wrong() {
    expect![[r#"
        sent 1022, received 1021, 1013 of those sent
          missing: 9 (did not come)
            pod-1: 6..=8, 14..=17, 19..=20
          duplicates: 3 copies of 2 logs (2 in packs that were sent again, 1 in other packs)
            pod-1: 5 came 2 times: its pack was sent again
            pod-1: 9 came 3 times: read twice, or written twice
          unexpected: 3 (are not in the ledger)
            pod-2: 3..=4
            pod-9: 1
          unidentified: 2 (do not say which they are)
            GET /health  200
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
          reordered: 1 (came out of the order of their source)
            pod-1: 3 came after 4
          corrupted: 1 (have other contents than were written)
            pod-1: 12 has 32 bytes (CRC-32 af8aa0cf) of 32 that were written (d88d9059)
          truncated: 1 (are shorter than they were written)
            pod-1: 13 has 30 bytes (CRC-32 bac55bfd) of 32 that were written (e5edb9e9)
          late: 1 (came too late)
            pod-1: 18 after 64.000 s
          latency: half within 0.200 s, 99 of 100 within 64.000 s, all within 64.000 s
          not compared: 1002, the ledger has no contents for them
          line 23 of the ledger ends in the middle and was not counted
          by source (of 3 in all):
            pod-1: sent 20, received 14, 9 missing, 3 duplicates, 1 reordered, 1 corrupted, 1 truncated, 1 late
    "#]].assert_eq(&troubled(100).text());
}

#[test]
fn what_is_not_named_is_counted() {
    let few = troubled(1);
    expect![[r#"
        sent 1022, received 1021, 1013 of those sent
          missing: 9 (did not come)
            pod-1: 6..=8
            and 6 more
          duplicates: 3 copies of 2 logs (2 in packs that were sent again, 1 in other packs)
            pod-1: 5 came 2 times: its pack was sent again
            and 1 more
          unexpected: 3 (are not in the ledger)
            pod-2: 3..=4
            and 1 more
          unidentified: 2 (do not say which they are)
            GET /health  200
            and 1 more
          reordered: 1 (came out of the order of their source)
            pod-1: 3 came after 4
          corrupted: 1 (have other contents than were written)
            pod-1: 12 has 32 bytes (CRC-32 af8aa0cf) of 32 that were written (d88d9059)
          truncated: 1 (are shorter than they were written)
            pod-1: 13 has 30 bytes (CRC-32 bac55bfd) of 32 that were written (e5edb9e9)
          late: 1 (came too late)
            pod-1: 18 after 64.000 s
          latency: half within 0.200 s, 99 of 100 within 64.000 s, all within 64.000 s
          not compared: 1002, the ledger has no contents for them
          line 23 of the ledger ends in the middle and was not counted
          by source (of 3 in all):
            pod-1: sent 20, received 14, 9 missing, 3 duplicates, 1 reordered, 1 corrupted, 1 truncated, 1 late
    "#]].assert_eq(&few.text());
    let all = troubled(100);
    let counts = |of: &Accounting| {
        let duplicates = (of.duplicates.count, of.duplicates.logs);
        (of.missing.count, duplicates, of.unexpected.count, of.reordered.count, of.corrupted.count)
    };
    assert_eq!(counts(&few), counts(&all));
}

#[test]
fn each_demand_tells_what_is_wrong() {
    let accounting = troubled(100);
    let demands = Demands {
        exactly_once: true,
        at_least_once: true,
        loss_at_most: Some(3),
        duplicates_at_most: Some("0.1%".parse().unwrap()),
        in_order_per_source: true,
        in_time: true,
        latency_p99_below_ms: Some(500),
    };
    let wrong = demands.judge(&accounting).unwrap_err();
    let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    expect![[r#"
        exactly once: logs that are missing: 9
        exactly once: logs that came with other contents: 1
        exactly once: logs that came shorter than they were written: 1
        exactly once: logs that came again: 3
        exactly once: logs that came that are not in the ledger: 3
        exactly once: logs that came that do not say which they are: 2
        loss at most 3: logs that are missing: 9, allowed are 3
        duplicates at most 0.1%: logs that came again: 3, allowed are 1
        in order: logs that came out of order: 1
        in time: logs that came late: 1
        latency p99 below 500 ms: 99 of 100 logs took up to 64000 ms"#]]
    .assert_eq(&told.join("\n"));
    let borne = Demands {
        loss_at_most: Some(100),
        duplicates_at_most: Some(AtMost::Logs(3)),
        latency_p99_below_ms: Some(64_001),
        ..Demands::default()
    };
    assert_eq!(borne.judge(&accounting), Ok(()));
    assert_eq!(Demands { exactly_once: true, ..borne }.missing_max(), Some(0));
    assert!("150%".parse::<AtMost>().is_err() && "some".parse::<AtMost>().is_err());
}

#[test]
fn an_accounting_is_the_same_behind_json() {
    let accounting = troubled(100);
    let json = serde_json::to_string(&accounting).unwrap();
    assert_eq!(serde_json::from_str::<Accounting>(&json).unwrap(), accounting);
    assert!(
        json.contains(r#""missing":{"count":9,"listed":[{"run":"r","source":"pod-1","first":6,"last":8}"#),
        "{json}"
    );
    assert!(json.contains(r#"{"run":"r","source":"pod-1","seq":5,"times":2,"kind":"retry"}"#), "{json}");
}

#[test]
fn a_copy_is_a_retry_by_the_bytes_of_its_group_too_and_without_either_it_is_none() {
    let kinds = |first: Arrival<'_>, second: Arrival<'_>| {
        let mut accountant = Accountant::new(ledger(1), Options::default()).unwrap();
        for arrival in [first, second] {
            accountant.add_group(arrival, [[(b"content".as_slice(), line(1).as_bytes())]]);
        }
        let duplicates = accountant.finish().duplicates;
        (duplicates.retries, duplicates.read_twice)
    };
    let bytes = |crc32| Arrival { bytes_crc32: Some(crc32), ..Arrival::default() };
    assert_eq!(kinds(bytes(5), bytes(5)), (1, 0));
    assert_eq!(kinds(bytes(5), bytes(6)), (0, 1));
    assert_eq!(kinds(Arrival::default(), Arrival::default()), (0, 1));
    let pack = |id| Arrival { pack_id: Some(id), ..bytes(5) };
    assert_eq!(kinds(pack(b"A-0"), Arrival { bytes_crc32: Some(6), ..pack(b"A-0") }), (1, 0));
    assert_eq!(kinds(pack(b"A-0"), pack(b"A-1")), (0, 1));
}

#[test]
fn twice_in_one_pack_is_no_retry_and_the_retry_of_that_pack_is_one_of_both() {
    let lines = [line(1), line(1)];
    let packs: [(&str, u64, &[String]); 2] = [("A-0", 2_000, &lines), ("A-0", 2_000, &lines)];
    let duplicates = accountant(ledger(1), Options::default(), &packs[..1]).finish().duplicates;
    assert_eq!((duplicates.retries, duplicates.read_twice), (0, 1));
    let duplicates = accountant(ledger(1), Options::default(), &packs).finish().duplicates;
    assert_eq!((duplicates.logs, duplicates.count), (1, 3));
    assert_eq!((duplicates.listed[0].times, duplicates.listed[0].kind), (4, DuplicateKind::ReadTwice));
}

#[test]
fn a_pack_that_was_read_again_and_then_sent_again_is_one_of_each() {
    let lines = [line(1)];
    let packs: [(&str, u64, &[String]); 3] =
        [("A-0", 2_000, &lines), ("B-0", 2_000, &lines), ("B-0", 2_000, &lines)];
    let duplicates = accountant(ledger(1), Options::default(), &packs).finish().duplicates;
    assert_eq!((duplicates.retries, duplicates.read_twice), (1, 1));
}

#[test]
fn within_shards_only_the_order_of_each_counts() {
    for (order_within, reordered) in [(OrderWithin::Logstore, 2), (OrderWithin::Shard, 0)] {
        let mut accountant =
            Accountant::new(ledger(4), Options { order_within, ..Options::default() }).unwrap();
        for (shard, seqs) in [(0, [1, 4]), (1, [2, 3])] {
            let lines = seqs.map(line);
            let logs = lines.iter().map(|line| [(b"content".as_slice(), line.as_bytes())]);
            accountant.add_group(Arrival { shard, ..Arrival::default() }, logs);
        }
        let accounting = accountant.finish();
        assert_eq!((accounting.reordered.count > 0, accounting.missing.count), (reordered > 0, 0));
    }
}

#[test]
fn a_log_may_say_who_it_is_in_fields_and_tags() {
    let identity = |run: Option<&str>| Identity::Fields {
        run: run.map(str::to_owned),
        source: "__tag__:_pod_name_".to_owned(),
        seq: "n".to_owned(),
    };
    let text = "{\"run\":\"r\",\"source\":\"pod-1\",\"first\":1,\"last\":2}\n";
    let one_run = LedgerParser::parse(text.as_bytes()).unwrap();
    let options = Options { identity: identity(None), ..Options::default() };
    let mut accountant = Accountant::new(one_run, options.clone()).unwrap();
    let tags: [Field<'_>; 1] = [(b"__tag__:_pod_name_", b"pod-1")];
    let arrival = Arrival { tags: &tags, ..Arrival::default() };
    accountant.add_group(arrival, [[(b"n".as_slice(), b"2".as_slice())]]);
    assert_eq!((accountant.received(), accountant.missing()), (1, 1));
    assert_eq!(accountant.finish().missing.listed[0].first, 1);

    let two_runs = Arc::new(
        LedgerParser::parse((text.to_owned() + &text.replace("\"r\"", "\"q\"")).as_bytes()).unwrap(),
    );
    assert_eq!(Accountant::new(Arc::clone(&two_runs), options).unwrap_err(), BadOptions::NoRunField);
    let options = Options { identity: identity(Some("run")), ..Options::default() };
    let mut accountant = Accountant::new(two_runs, options).unwrap();
    accountant.add_group(arrival, [[(b"n".as_slice(), b"2".as_slice()), (b"run", b"q")]]);
    expect![[r#"
        sent 4, received 1, 1 of those sent
          missing: 3 (did not come)
            r/pod-1: 1..=2
            q/pod-1: 1
          not compared: 1, the ledger has no contents for them
          by source (of 2 in all):
            r/pod-1: sent 2, received 0, 2 missing
            q/pod-1: sent 2, received 1, 1 missing
    "#]]
    .assert_eq(&accountant.finish().text());
}

#[test]
fn nothing_of_nothing_is_exactly_once() {
    let accounting = Accountant::new(Ledger::default(), Options::default()).unwrap().finish();
    assert_eq!(accounting.exactly_once(), Ok(()));
    assert_eq!(accounting.text(), "sent 0, received 0, 0 of those sent\n");
}

#[test]
fn sources_that_are_roughly_out_of_order_name_no_more_than_may_be_listed() {
    let sources = ["pod-1", "pod-2", "pod-3"];
    let ledger =
        sources.map(|source| format!("{{\"run\":\"r\",\"source\":\"{source}\",\"first\":1,\"last\":6}}\n"));
    let ledger = LedgerParser::parse(ledger.concat().as_bytes()).unwrap();
    let mut accountant = Accountant::new(ledger, Options { listed_max: 2, ..Options::default() }).unwrap();
    accountant.room = 0;
    for source in sources {
        let lines = [2, 1, 4, 3, 6, 5].map(|seq| line(seq).replace("pod-1", source));
        let logs = lines.iter().map(|line| [(b"content".as_slice(), line.as_bytes())]);
        accountant.add_group(Arrival::default(), logs);
    }
    let accounting = accountant.finish();
    assert!(accounting.reordered_roughly);
    assert_eq!((accounting.reordered.count, accounting.reordered.listed.len()), (9, 2));
}
