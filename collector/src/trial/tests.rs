use std::fs;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::env::Env;
use crate::instance_config::InstanceConfig;
use crate::lines::EVENT_BYTES_MAX;

/// A config of `/l/a.log` with these processors and this `Multiline`.
fn pipeline(processors: Value, multiline: Value) -> Pipeline {
    let path = Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
    let instance = InstanceConfig::parse(path, None, &Env::default()).unwrap();
    let config = json!({
        "inputs": [{"Type": "input_file", "FilePaths": ["/l/*.log"], "Multiline": multiline}],
        "processors": processors,
        "flushers": [{"Type": "flusher_sls", "Project": "project", "Logstore": "store"}],
    });
    let accepted = crate::pipeline_json::parse("c", 1, config.to_string().as_bytes(), &instance);
    accepted.unwrap().pipeline.unwrap()
}

fn regex(regex: &str, keys: &[&str], keeps: bool) -> Value {
    json!({"Type": "processor_parse_regex_native", "Regex": regex, "Keys": keys,
        "KeepingSourceWhenParseFail": keeps})
}

/// Tries a config on files.
fn check(pipeline: &Pipeline, files: &[(&str, &str)], expected: Expect) {
    check_cut(pipeline, EVENT_BYTES_MAX, files, expected);
}

/// The same where events may have so many bytes.
fn check_cut(pipeline: &Pipeline, event_bytes_max: usize, files: &[(&str, &str)], expected: Expect) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("l")).unwrap();
    for (name, text) in files {
        fs::write(dir.path().join("l").join(name), text).unwrap();
    }
    let shown = match run(pipeline, Some(dir.path()), event_bytes_max) {
        Outcome::NoLines(why) => why.to_string(),
        Outcome::Tried(report) => format!("{} {report}", if report.is_fine() { "fine" } else { "wrong" }),
    };
    expected.assert_eq(&shown);
}

#[test]
fn a_regex_that_matches_nothing_says_where_it_parts_from_the_last_line() {
    let config = pipeline(json!([regex(r#"(\S+) "(\w+)" (\d+)"#, &["a", "b", "c"], false)]), json!({}));
    check(
        &config,
        &[("a.log", &"10.0.0.1 \"GET\" x\n".repeat(250))],
        expect![[
            r#"wrong 0 of 100 lines match regex: first difference at column 16, where the regex has `(\d+)` (its column 15); those that do not are dropped (discardUnmatch) (last lines of /l/a.log)"#
        ]],
    );
}

#[test]
fn the_rate_and_what_becomes_of_the_others_are_said() {
    let config = pipeline(json!([regex(r"(\d+) (\d+)", &["a", "b"], true)]), json!({}));
    check(
        &config,
        &[("a.log", "1 2\n3 x\n5 6\nx y\n7 8\n9")],
        expect![[
            r#"wrong 3 of 5 lines match regex: first difference at column 1, where the regex has `(\d+) (\d+)` (its column 1) (last lines of /l/a.log)"#
        ]],
    );
    check(
        &config,
        &[("a.log", "1 2\n3 4\n"), ("b.log", "5 6\n")],
        expect!["fine 3 of 3 lines match regex (last lines of 2 files)"],
    );
    check(
        &config,
        &[("a.log", "1 2 3\n")],
        expect![
            "wrong 0 of 1 lines match regex: the text goes on at column 4, after the end of the regex (last lines of /l/a.log)"
        ],
    );
}

#[test]
fn without_lines_it_waits() {
    let config = pipeline(json!([regex(r"(\d+)", &["a"], true)]), json!({}));
    check(&config, &[("a.txt", "1\n")], expect!["waiting for a file: /l/*.log matches none yet"]);
    check(&config, &[("a.log", "")], expect!["waiting for a file: /l/*.log matches none yet"]);
    check(
        &config,
        &[("a.log", "half a line")],
        expect!["waiting for lines: no file of /l/*.log has a whole one yet"],
    );
}

#[test]
fn a_config_that_cannot_miss_a_line_has_nothing_to_say() {
    check(&pipeline(json!([]), json!({})), &[("a.log", "1\n")], expect!["fine "]);
}

#[test]
fn begin_regexes_times_and_filters_are_tried_too() {
    let processors = json!([
        regex(r"(\S+ \S+) (\w+) (.*)", &["time", "level", "text"], false),
        {"Type": "processor_parse_timestamp_native", "SourceKey": "time", "SourceFormat": "%Y-%m-%d %H:%M:%S"},
        {"Type": "processor_filter_regex_native", "Include": {"level": "ERROR"}},
    ]);
    let begin = json!({"Mode": "custom", "StartPattern": r"\d{4}-\d\d-\d\d .*"});
    let records = "2024-01-02 03:04:05 INFO a\n  at x\n2024-01-02 noon WARN b\n  at y\n  at z\n";
    check(
        &pipeline(processors.clone(), begin),
        &[("a.log", records)],
        expect![
            "wrong 2 of 2 records match regex; begin regex matches 2 of 5 lines; time format fits 1 of 2; filters let 0 of 2 through (last records of /l/a.log)"
        ],
    );
    let stray = json!({"Mode": "custom", "StartPattern": r"\d{4}-\d\d-\d\d"});
    check(
        &pipeline(processors, stray),
        &[("a.log", records)],
        expect![[
            r#"wrong 2 of 5 records match regex: first difference at column 1, where the regex has `(\S+ \S+) (\w+) ` (its column 1); those that do not are dropped (discardUnmatch); begin regex matched no line of 5; time format fits 1 of 2; filters let 0 of 2 through (last records of /l/a.log)"#
        ]],
    );
}

#[test]
fn modes_without_a_regex_are_tried_too() {
    let json = pipeline(
        json!([{"Type": "processor_parse_json_native"},
            {"Type": "processor_parse_timestamp_native", "SourceKey": "t", "SourceFormat": "%s"}]),
        json!({}),
    );
    let lines = "{\"t\": 1700000000}\nno object\n{\"a\": 1, \"t\": \"noon\"}\n";
    check(
        &json,
        &[("a.log", lines)],
        expect![
            "wrong 2 of 3 lines match JSON mode; those that do not are dropped (discardUnmatch); time format fits 1 of 2 (last lines of /l/a.log)"
        ],
    );
    let columns = pipeline(
        json!([{"Type": "processor_parse_delimiter_native", "Separator": ",", "Keys": ["a", "b"],
            "AllowingShortenedFields": false, "KeepingSourceWhenParseFail": true}]),
        json!({}),
    );
    check(
        &columns,
        &[("a.log", "1,2\n3\n")],
        expect!["wrong 1 of 2 lines match delimiter mode (last lines of /l/a.log)"],
    );
}

#[test]
fn a_line_of_no_record_matches_nothing_where_such_are_discarded() {
    let config = |treatment: &str| {
        pipeline(
            json!([regex(r"(?s)(\S)(.*)", &["a", "b"], false)]),
            json!({"Mode": "custom", "StartPattern": "b.*", "ContinuePattern": " .*",
                "UnmatchedContentTreatment": treatment}),
        )
    };
    let text = "b 1\n  x\nstray\nb 2\n";
    check(
        &config("discard"),
        &[("a.log", text)],
        expect![
            "wrong 2 of 3 records match regex; those that do not are dropped (discardUnmatch); begin regex matches 2 of 4 lines (last records of /l/a.log)"
        ],
    );
    check(
        &config("single_line"),
        &[("a.log", text)],
        expect![
            "fine 3 of 3 records match regex; begin regex matches 2 of 4 lines (last records of /l/a.log)"
        ],
    );
}

#[test]
fn events_are_cut_where_they_will_be() {
    let config = pipeline(json!([regex(r"(a+)(b)", &["a", "b"], true)]), json!({}));
    let line = "a".repeat(2000) + "b\n";
    let file = ("a.log", line.as_str());
    check(&config, &[file], expect!["fine 1 of 1 lines match regex (last lines of /l/a.log)"]);
    check_cut(
        &config,
        1024,
        &[file],
        expect![
            "wrong 1 of 2 lines match regex: first difference at column 1025, where the regex has `(b)` (its column 5) (last lines of /l/a.log)"
        ],
    );
}

#[test]
fn a_record_that_began_before_the_sample_does_not_count() {
    let config = pipeline(
        json!([regex(r"(b)(.*)", &["a", "b"], false)]),
        json!({"Mode": "custom", "StartPattern": "b.*"}),
    );
    let record = "b\n".to_owned() + &("x".repeat(99) + "\n").repeat(700);
    check(
        &config,
        &[("a.log", &(record.repeat(2) + "b 1\nb 2\n"))],
        expect![
            "fine 2 of 2 records match regex; begin regex matches 2 of 2 lines (last records of /l/a.log)"
        ],
    );
}

#[test]
fn conditions_and_spans_of_time_are_filters_too() {
    let leaf = |key: &str, exp: &str| json!({"key": key, "exp": exp, "type": "regex"});
    let processors = json!([
        regex(r"(\d+) (\w+)", &["n", "level"], false),
        {"Type": "processor_filter_regex_native", "ConditionExp":
            {"operator": "or", "operands": [leaf("level", "WARN"), leaf("n", "7.*")]}},
        {"Type": "processor_timestamp_filter_native", "SourceKey": "n", "UpperBound": 70},
    ]);
    check(
        &pipeline(processors, json!({})),
        &[("a.log", "1 INFO\n7 INFO\n71 INFO\n9 WARN\n")],
        expect!["fine 4 of 4 lines match regex; filters let 2 of 4 through (last lines of /l/a.log)"],
    );
}
