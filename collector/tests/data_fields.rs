//! What of an event is sent beside its parsed fields, and what is not.

mod data_rig;

use std::fs;

use collector::encoding::Encoding;
use collector::engine::Limits;
use collector::pipeline::{
    Mask, MaskBy, Multiline, Parse, Pipeline, PositionMeta, Step, Unmatched, full_match, mask_regex,
};
use data_rig::{Rig, simple};
use sls_api::log_group::LogGroup;

fn contents(groups: &[LogGroup]) -> Vec<String> {
    let logs = groups.iter().flat_map(|group| &group.logs);
    let shown = |log: &sls_api::log_group::Log| {
        let pairs = log.contents.iter().map(|c| format!("{}={}", c.key, String::from_utf8_lossy(&c.value)));
        pairs.collect::<Vec<_>>().join(" ")
    };
    logs.map(shown).collect()
}

#[test]
fn filtered_events_are_acknowledged_and_masked_ones_sent_with_their_text_and_place() {
    let pipeline = Pipeline {
        parse: Parse::Regex {
            regex: full_match(r"(\w+) (.*)").expect("regex"),
            keys: vec!["level".to_owned(), "message".to_owned()],
        },
        steps: vec![
            Step::all_of([("level".to_owned(), full_match("WARN|ERROR").expect("regex"))]),
            Step::Mask(Mask {
                key: "message".to_owned(),
                regex: mask_regex("pw=", r"\S+").expect("regex"),
                all: true,
                by: MaskBy::Text("*".to_owned()),
            }),
        ],
        raw_key: Some("__raw__".to_owned()),
        ..simple()
    };
    let mut rig = Rig::running(pipeline.clone());
    rig.append("a.log", "INFO a\nWARN pw=1 b pw=2\nINFO c\nERROR d\nINFO e\n");
    rig.wait_ms(5_000);
    assert_eq!(
        contents(&rig.take()),
        ["level=WARN message=pw=* b pw=* __raw__=WARN pw=1 b pw=2", "level=ERROR message=d __raw__=ERROR d"]
    );
    assert_eq!((rig.counter("filtered_events"), rig.counter("events")), (3, 5));
    rig.append("a.log", "INFO f\n");
    rig.wait_ms(5_000);
    rig.kill();
    rig.start(vec![pipeline]);
    rig.append("a.log", "WARN g\n");
    rig.wait_ms(5_000);
    assert_eq!(contents(&rig.take()), ["level=WARN message=g __raw__=WARN g"]);
    assert_eq!(rig.counter("filtered_events"), 0, "what was held back is not read again");
}

#[test]
fn an_event_that_does_not_match_is_sent_raw_with_the_text_asked_for() {
    let pipeline = Pipeline {
        parse: Parse::Regex { regex: full_match(r"(\d+)").expect("regex"), keys: vec!["n".to_owned()] },
        unmatched: Unmatched::KeepRaw,
        raw_key: Some("__raw__".to_owned()),
        ..simple()
    };
    let mut rig = Rig::running(pipeline);
    rig.append("a.log", "12\nx\n");
    rig.wait_ms(5_000);
    assert_eq!(contents(&rig.take()), ["n=12 __raw__=12", "__raw_log__=x __raw__=x"]);
}

#[test]
fn the_place_of_an_event_is_that_in_its_file_also_after_a_rotation_and_a_kill() {
    let mut pipeline = simple();
    pipeline.input.position_meta =
        PositionMeta { inode: true, offset_key: Some("__file_offset__".to_owned()) };
    let mut rig = Rig::running(pipeline.clone());
    rig.append("a.log", "one\ntwo\nthr");
    rig.wait_ms(5_000);
    let groups = rig.take();
    assert_eq!(contents(&groups), ["content=one __file_offset__=0", "content=two __file_offset__=4"]);
    let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(rig.path("a.log")).expect("metadata"));
    let tag = groups[0].log_tags.iter().find(|tag| tag.key == "__inode__").expect("the tag");
    assert_eq!(tag.value, inode.to_string());
    rig.wait_ms(5_000);
    rig.kill();
    rig.append("a.log", "ee\nfour\n");
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("rename");
    rig.append("a.log", "five\n");
    rig.start(vec![pipeline]);
    rig.wait_ms(5_000);
    let mut all = contents(&rig.take());
    all.sort();
    assert_eq!(
        all,
        [
            "content=five __file_offset__=0",
            "content=four __file_offset__=14",
            "content=three __file_offset__=8"
        ]
    );
}

#[test]
fn gbk_files_arrive_as_utf8_with_reads_of_any_size() {
    // 日志 and 开始 in GBK.
    let (log, begin) = (b"\xc8\xd5\xd6\xbe", b"\xbf\xaa\xca\xbc");
    for block_bytes in [1, 3, 4_096] {
        let mut pipeline = simple();
        pipeline.input.encoding = Encoding::Gbk;
        pipeline.multiline = Multiline::begin(full_match("开始.*").expect("regex"));
        let mut rig = Rig::new();
        rig.limits = Limits { block_bytes, ..Limits::default() };
        rig.start(vec![pipeline]);
        rig.append("a.log", [&begin[..], b" 1\n", log, b"\n", &begin[..3]].concat());
        rig.turns();
        rig.append("a.log", [&begin[3..], b" 2\n", begin, b"\n"].concat());
        assert_eq!(rig.values(), ["开始 1\n日志", "开始 2"], "blocks of {block_bytes}");
    }
}
