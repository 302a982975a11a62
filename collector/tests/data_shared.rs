//! Several threads make of a file what one makes of it: the same logs in the same order, the same counts, and books
//! that add up at every moment.

mod data_rig;

use std::collections::BTreeMap;
use std::time::Duration;

use collector::engine::Limits;
use collector::pipeline::{
    Delimiter, Multiline, Overflow, Parse, Pipeline, Step, TimeRule, Unmatched, full_match,
};
use data_rig::{Rig, simple};
use proptest::prelude::*;
use sls_api::log_group::{Log, LogGroup};
use sls_api::logtail::Condition;

/// One for each way in which an event can fare.
fn pipelines() -> BTreeMap<&'static str, Pipeline> {
    let regex = |text: &str| full_match(text).expect("regex");
    let parsed = Pipeline {
        parse: Parse::Regex {
            regex: regex(r"(\d+) (\w+)(?: (.*)|)"),
            keys: ["time", "word", "rest"].map(str::to_owned).into(),
        },
        time: TimeRule::Field {
            key: "time".to_owned(),
            format: "%s".to_owned(),
            offset_seconds: Some(0),
            year: None,
            precise: None,
        },
        ..simple()
    };
    let mut with_offsets = simple();
    with_offsets.input.position_meta.offset_key = Some("__file_offset__".to_owned());
    BTreeMap::from([
        ("simple", simple()),
        ("offsets", with_offsets),
        ("unmatched dropped", parsed.clone()),
        ("unmatched kept", Pipeline { unmatched: Unmatched::KeepRaw, ..parsed.clone() }),
        ("json", Pipeline { parse: Parse::Json, unmatched: Unmatched::KeepRaw, ..simple() }),
        (
            "delimiter",
            Pipeline {
                parse: Parse::Delimiter(Delimiter {
                    separator: " ".to_owned(),
                    quote: Some(b'"'),
                    keys: ["a", "b"].map(str::to_owned).into(),
                    allows_fewer: false,
                    overflow: Overflow::Extend,
                }),
                ..simple()
            },
        ),
        ("records", Pipeline { multiline: Multiline::begin(regex(r"\d.*")), ..simple() }),
        (
            "filtered",
            Pipeline {
                steps: vec![Step::Filter(Condition::Field("content".to_owned(), regex(r"\d+ a.*")))],
                ..simple()
            },
        ),
    ])
}

/// Lines that one or the other of the pipelines takes, with NUL bytes and empty ones among them.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[0-9]{1,9} [a-c]{1,5}( [a-z \"]{0,20})?",
        1 => "[a-z \"]{0,60}",
        1 => "\\{\"a\":\"[a-z]{0,9}\",\"b\":[0-9]{1,4}\\}",
        1 => Just("\0\0".to_owned()),
    ]
}

fn limits(threads: usize, block_bytes: usize) -> Limits {
    Limits {
        threads,
        shared_bytes_min: 1,
        block_bytes,
        group_logs_max: 9,
        group_text_bytes_max: 700,
        event_bytes_max: 50,
        lane_parcels_max: 1_000,
        ..Limits::default()
    }
}

/// Times of lines have nine digits at most, so that later ones are those of collection.
const COLLECTED_FROM: u32 = 1_000_000_000;

/// A line without end is sent after this time, and all else.
const FLUSH: Duration = Duration::from_secs(1);

/// What became of a file of these lines, written in pieces.
#[derive(Debug, PartialEq)]
struct Outcome {
    logs: Vec<Log>,
    counters: Vec<(&'static str, u64)>,
    books: String,
}

fn collect(pipeline: &Pipeline, limits: &Limits, pieces: &[String]) -> Outcome {
    let mut rig = Rig::new();
    rig.limits = limits.clone();
    let mut pipeline = pipeline.clone();
    pipeline.input.flush_timeout = FLUSH;
    rig.start(vec![pipeline.clone()]);
    let mut groups: Vec<LogGroup> = Vec::new();
    for piece in pieces {
        rig.append("a.log", piece);
        rig.wait_ms(200);
        let account = rig.reader.as_ref().expect("a reader").account();
        assert_eq!(account.bytes.sum(), account.bytes.discovered, "{:?}", account.bytes);
        groups.extend(rig.take());
    }
    rig.wait(10 * FLUSH);
    groups.extend(rig.take());
    for group in &groups {
        assert!(group.logs.len() <= limits.group_logs_max as usize, "{} logs", group.logs.len());
        let texts = group.logs.iter().flat_map(|log| &log.contents).map(|content| content.value.len());
        // One log more than the limit is what makes a request full.
        assert!(texts.sum::<usize>() <= limits.group_text_bytes_max + 200);
    }
    let account = rig.reader.as_ref().expect("a reader").account();
    let mut logs: Vec<Log> = groups.into_iter().flat_map(|group| group.logs).collect();
    // The two runs are not in the same second.
    logs.iter_mut().filter(|log| log.time >= COLLECTED_FROM).for_each(|log| log.time = 0);
    // How many reads and requests there were is no matter.
    let counters = rig.status().counters.into_iter().filter(|(name, _)| *name != "sent_bytes").collect();
    Outcome { logs, counters, books: format!("{:?} {:?}", account.bytes, account.lines) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn several_threads_make_what_one_makes(
        lines in prop::collection::vec(line(), 1..120),
        at in any::<prop::sample::Index>(),
        threads in 2usize..5,
        block_bytes in prop::sample::select(vec![1_024, 4_096, 65_536]),
    ) {
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let (first, second) = text.split_at(at.index(text.len()));
        let pieces = [first.to_owned(), second.to_owned()];
        for (name, pipeline) in pipelines() {
            let by_one = collect(&pipeline, &limits(1, block_bytes), &pieces);
            let by_several = collect(&pipeline, &limits(threads, block_bytes), &pieces);
            prop_assert_eq!(&by_several.counters, &by_one.counters, "{}", name);
            prop_assert_eq!(&by_several.books, &by_one.books, "{}", name);
            prop_assert_eq!(&by_several.logs, &by_one.logs, "{}", name);
        }
    }
}
