//! Expressions that engines with back-tracking never finish. Here an event takes time in proportion to its length.

mod data_rig;

use std::time::{Duration, Instant};

use collector::pipeline::{Multiline, Parse, Pipeline, Step, Unmatched, full_match};
use data_rig::{Rig, simple};

/// A hang guard: back-tracking takes longer than the world is old.
const PATIENCE: Duration = Duration::from_secs(60);
const LENGTH: usize = 20_000;

/// Each with a line that matches but for its end.
fn hard() -> Vec<(&'static str, String)> {
    vec![
        (r"(a+)+", "a".repeat(LENGTH) + "!"),
        (r"(a|aa)+", "a".repeat(LENGTH) + "!"),
        (r"(a|a?)+", "a".repeat(LENGTH) + "!"),
        (r"(.*a){8}", "a".repeat(LENGTH) + "!"),
        (r"(x+x+)+y", "x".repeat(LENGTH)),
        (r"(([a-z])+.)+[A-Z]([a-z])+", "a".repeat(LENGTH)),
        (r"(\S+ *)*;", "word ".repeat(LENGTH / 5)),
        (r#"(\S+)\s*(\S*)\s*(\S*)\s*"([^"]*)""#, " ".repeat(LENGTH)),
    ]
}

#[test]
fn expressions_that_back_track_for_ever_elsewhere_end_wherever_a_config_has_them() {
    let begun = Instant::now();
    for (pattern, line) in hard() {
        let regex = || full_match(pattern).expect("a regex");
        let groups = regex().captures_len() - 1;
        let parsing = Pipeline {
            parse: Parse::Regex { regex: regex(), keys: (0..groups).map(|n| format!("k{n}")).collect() },
            unmatched: Unmatched::KeepRaw,
            ..simple()
        };
        let filtering = Pipeline { steps: vec![Step::all_of([("content".to_owned(), regex())])], ..simple() };
        let joining = Pipeline { multiline: Multiline::begin(regex()), ..simple() };
        for (what, pipeline, expected) in [
            ("regex", parsing, vec![&line[..], "end"]),
            ("filter", filtering, vec![]),
            ("begin", joining, vec![&line[..], "end"]),
        ] {
            let mut rig = Rig::running(pipeline);
            rig.append("a.log", format!("{line}\nend\n"));
            let values = rig.values();
            assert!(values == expected, "{pattern} as {what}: {} values", values.len());
            assert!(begun.elapsed() < PATIENCE, "{pattern} as {what}");
        }
    }
}

#[test]
fn an_expression_that_takes_too_much_memory_is_refused_with_the_reason() {
    let detail = serde_json::json!({
        "inputs": [{"Type": "input_file", "FilePaths": ["/logs/a.log"]}],
        "processors": [{"Type": "processor_parse_regex_native", "SourceKey": "content",
            "Regex": r"((\w{1000}){1000})", "Keys": ["a", "b"]}],
        "flushers": [{"Type": "flusher_sls", "Project": "demo-project", "Logstore": "store", "Endpoint": "127.0.0.1:1"}],
    });
    let path = std::path::Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
    let instance =
        collector::instance_config::InstanceConfig::parse(path, None, &Default::default()).expect("defaults");
    let begun = Instant::now();
    let refused = collector::pipeline_json::parse("c", 1, detail.to_string().as_bytes(), &instance);
    let message = refused.expect_err("it is too large").to_string();
    assert!(message.contains("does not compile") && message.contains("size limit"), "{message}");
    assert!(begun.elapsed() < PATIENCE);
}
