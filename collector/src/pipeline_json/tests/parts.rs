//! Single parts of a config: multi-line patterns, topics, filters, masks, what is kept of an event.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::{instance, valid};
use crate::pipeline::Pipeline;
use crate::pipeline_json::parse;

/// What one part of the pipeline becomes, with all problems or notices.
pub(super) fn check_part(config: &Value, expected: Expect, part: impl Fn(&Pipeline) -> String) {
    let shown = match parse("c", 7, config.to_string().as_bytes(), &instance()) {
        Err(invalid) => invalid.to_string(),
        Ok(accepted) => {
            let part = accepted.pipeline.as_ref().map(part).unwrap_or_default();
            [part, accepted.notice_text()].join(" ")
        }
    };
    expected.assert_eq(shown.trim_end());
}

/// What a `Multiline` section becomes.
fn check_multiline(section: Value, expected: Expect) {
    let mut config = valid();
    config["inputs"][0]["Multiline"] = section;
    check_part(&config, expected, |pipeline| format!("{:?}", pipeline.multiline));
}

#[test]
fn the_three_patterns_are_combined_as_in_the_vendors_agent() {
    let (s, c, e) = ("S.*", "C.*", "E.*");
    check_multiline(
        json!({"StartPattern": s, "UnmatchedContentTreatment": "discard"}),
        expect![[r#"Joined { records: Start(Regex("\\A(?:S.*)\\z")), strays: Discard }"#]],
    );
    check_multiline(
        json!({"StartPattern": s, "ContinuePattern": c}),
        expect![[
            r#"Joined { records: StartContinue { start: Regex("\\A(?:S.*)\\z"), continuation: Regex("\\A(?:C.*)\\z") }, strays: SingleLines }"#
        ]],
    );
    check_multiline(
        json!({"StartPattern": s, "EndPattern": e}),
        expect![[
            r#"Joined { records: StartEnd { start: Regex("\\A(?:S.*)\\z"), end: Regex("\\A(?:E.*)\\z") }, strays: SingleLines }"#
        ]],
    );
    check_multiline(
        json!({"ContinuePattern": c, "EndPattern": e}),
        expect![[
            r#"Joined { records: ContinueEnd { continuation: Regex("\\A(?:C.*)\\z"), end: Regex("\\A(?:E.*)\\z") }, strays: SingleLines }"#
        ]],
    );
    check_multiline(
        json!({"EndPattern": e}),
        expect![[r#"Joined { records: End(Regex("\\A(?:E.*)\\z")), strays: SingleLines }"#]],
    );
    check_multiline(
        json!({"StartPattern": s, "ContinuePattern": c, "EndPattern": e}),
        expect![[
            r#"Joined { records: StartEnd { start: Regex("\\A(?:S.*)\\z"), end: Regex("\\A(?:E.*)\\z") }, strays: SingleLines } inputs[0].Multiline.ContinuePattern: has no effect beside StartPattern and EndPattern: all lines between belong to a record"#
        ]],
    );
    check_multiline(
        json!({"StartPattern": ".*", "ContinuePattern": "", "EndPattern": ".*"}),
        expect!["SingleLine"],
    );
    check_multiline(
        json!({"ContinuePattern": c}),
        expect![
            "inputs[0].Multiline.ContinuePattern: says nothing alone; give a StartPattern or an EndPattern beside it"
        ],
    );
    check_multiline(
        json!({"EndPattern": "(", "UnmatchedContentTreatment": "keep"}),
        expect![[
            r#"inputs[0].Multiline.EndPattern: does not compile at column 1 (`(`): unclosed group; close the group with `)` or write `\(` for a parenthesis; inputs[0].Multiline.UnmatchedContentTreatment: "keep" is not known; use single_line or discard"#
        ]],
    );
}

/// What `processors` after the parser become.
fn check_steps(more: Value, expected: Expect) {
    let mut config = valid();
    config["processors"].as_array_mut().unwrap().extend(more.as_array().unwrap().clone());
    check_part(&config, expected, |pipeline| format!("{:?}", pipeline.steps));
}

#[test]
fn filters_are_read_in_both_forms() {
    let filter = |mut fields: Value| {
        fields["Type"] = "processor_filter_regex_native".into();
        json!([fields])
    };
    check_steps(
        filter(json!({"FilterKey": ["time", "ip"], "FilterRegex": ["1.*", "a|b"]})),
        expect![[
            r#"[Filter(All([Field("time", Regex("\\A(?:1.*)\\z")), Field("ip", Regex("\\A(?:a|b)\\z"))]))]"#
        ]],
    );
    check_steps(
        filter(json!({"Include": {"ip": "a.*"}, "DiscardingNonUTF8": true})),
        expect![[r#"[Filter(All([Field("ip", Regex("\\A(?:a.*)\\z"))])), BlankNonUtf8]"#]],
    );
    check_steps(
        filter(json!({"FilterKey": ["ip"], "FilterRegex": []})),
        expect!["processors[1].FilterRegex: has 0 entries but FilterKey 1: give each key one"],
    );
    check_steps(
        filter(json!({"FilterKey": ["ip"], "FilterRegex": ["("]})),
        expect![[
            r#"processors[1].FilterRegex[0]: does not compile at column 1 (`(`): unclosed group; close the group with `)` or write `\(` for a parenthesis"#
        ]],
    );
    check_steps(
        filter(json!({"FilterKey": ["url"], "FilterRegex": ["a"]})),
        expect![[
            r#"processors[1].FilterKey: no field is named "url", so every log would be dropped; name one of time, ip"#
        ]],
    );
    check_steps(
        filter(json!({"Include": {"ip": 5, "time": "["}})),
        expect![[
            r#"processors[1].Include.ip: must be a string, not a number; processors[1].Include.time: does not compile at column 1 (`[`): unclosed character class; close the class with `]` or write `\[` for a bracket"#
        ]],
    );
    check_steps(
        filter(json!({"Include": {"ip": "a"}, "FilterKey": ["ip"], "FilterRegex": ["a"]})),
        expect!["processors[1].Include: stands beside FilterKey; write one of the two"],
    );
}

#[test]
fn a_condition_goes_before_the_lists_and_needs_fields_that_are_there() {
    let leaf = |key: &str, exp: &str| json!({"key": key, "exp": exp, "type": "regex"});
    let condition = |operator: &str, operands: Value, mut more: Value| {
        more["Type"] = "processor_filter_regex_native".into();
        more["ConditionExp"] = json!({"operator": operator, "operands": operands});
        json!([more])
    };
    check_steps(
        condition(
            "or",
            json!([leaf("ip", "a"), {"operator": "not", "operands": [leaf("time", "b")]}]),
            json!({"FilterKey": ["x"], "FilterRegex": [], "Include": {}, "DiscardingNonUTF8": true}),
        ),
        expect![[
            r#"[Filter(Any([Field("ip", Regex("\\A(?:a)\\z")), Not(Field("time", Regex("\\A(?:b)\\z")))])), BlankNonUtf8] processors[1].FilterKey: has no effect beside ConditionExp; remove it; processors[1].FilterRegex: has no effect beside ConditionExp; remove it; processors[1].Include: has no effect beside ConditionExp; remove it"#
        ]],
    );
    check_steps(
        condition("or", json!([leaf("ip", "a"), leaf("url", "b")]), json!({})),
        expect![[
            r#"[Filter(Any([Field("ip", Regex("\\A(?:a)\\z")), Field("url", Regex("\\A(?:b)\\z"))]))] processors[1].ConditionExp: no field is named "url", so a condition on it never holds; name one of time, ip"#
        ]],
    );
    check_steps(
        condition("and", json!([leaf("ip", "a"), leaf("url", "b")]), json!({})),
        expect![[
            r#"processors[1].ConditionExp: no field is named "url", so every log would be dropped; name one of time, ip"#
        ]],
    );
    check_steps(
        condition("and", json!([leaf("ip", "("), leaf("time", "[")]), json!({})),
        expect![[
            r#"processors[1].ConditionExp.operands[0].exp: does not compile at column 1 (`(`): unclosed group; close the group with `)` or write `\(` for a parenthesis; processors[1].ConditionExp.operands[1].exp: does not compile at column 1 (`[`): unclosed character class; close the class with `]` or write `\[` for a bracket"#
        ]],
    );
    check_steps(
        condition("not", json!([]), json!({})),
        expect![
            "processors[1].ConditionExp.operands: has 0 entries, but not takes 1: put several into one and, or one or"
        ],
    );
}

#[test]
fn spans_of_time_are_read_with_their_unit() {
    let span = |mut fields: Value| {
        fields["Type"] = "processor_timestamp_filter_native".into();
        json!([fields])
    };
    check_steps(
        span(json!({})),
        expect!["[Span(TimeSpan { key: None, unit_nanos: 1000000000, from: 0, to: 9223372036854775807 })]"],
    );
    check_steps(
        span(
            json!({"SourceKey": "time", "TimestampPrecision": "Millisecond", "LowerBound": 5, "UpperBound": 9}),
        ),
        expect![[r#"[Span(TimeSpan { key: Some("time"), unit_nanos: 1000000, from: 5, to: 9 })]"#]],
    );
    check_steps(
        span(json!({"SourceKey": "url", "UpperBound": 0})),
        expect![[
            r#"[Span(TimeSpan { key: Some("url"), unit_nanos: 1000000000, from: 0, to: 9223372036854775807 })] processors[1].SourceKey: no field is named "url", so every log goes on; name one of time, ip, or none for the time of the log"#
        ]],
    );
    check_steps(
        span(json!({"TimestampPrecision": "minute", "LowerBound": 9, "UpperBound": 5})),
        expect![[
            r#"processors[1].TimestampPrecision: "minute" is not known; use second, millisecond or nanosecond; processors[1].LowerBound: is after UpperBound 5, so every log would be dropped; exchange the two"#
        ]],
    );
}

#[test]
fn masks_need_a_field_a_method_and_a_pattern() {
    let mask = |mut fields: Value| {
        fields["Type"] = "processor_desensitize_native".into();
        json!([fields])
    };
    check_steps(
        mask(json!({"SourceKey": "ip", "Method": "const", "ReplacingString": "***", "ReplacingAll": false,
            "ContentPatternBeforeReplacedString": "pw=", "ReplacedContentPattern": "[^,]+"})),
        expect![[
            r#"[Mask(Mask { key: "ip", regex: Regex("(pw=)(?:[^,]+)"), all: false, by: Text("***") })]"#
        ]],
    );
    check_steps(
        mask(json!({"SourceKey": "ip", "Method": "md5", "ReplacedContentPattern": r"\d+"})),
        expect![[r#"[Mask(Mask { key: "ip", regex: Regex("()(?:\\d+)"), all: true, by: Md5 })]"#]],
    );
    check_steps(
        mask(json!({})),
        expect![
            "processors[1].SourceKey: is missing; processors[1].Method: is missing; processors[1].ReplacedContentPattern: is missing"
        ],
    );
    check_steps(
        mask(json!({"SourceKey": "url", "Method": "const", "ReplacedContentPattern": "x"})),
        expect!["processors[1].ReplacingString: is missing: Method const needs it"],
    );
    check_steps(
        mask(json!({"SourceKey": "url", "Method": "md5", "ReplacedContentPattern": "x"})),
        expect![[
            r#"processors[1].SourceKey: no field is named "url", so nothing is masked; name one of time, ip"#
        ]],
    );
    check_steps(
        mask(json!({"SourceKey": "ip", "Method": "sha1", "ReplacedContentPattern": "(",
            "ContentPatternBeforeReplacedString": "a)|(b"})),
        expect![[
            r#"processors[1].Method: "sha1" is not known; use const or md5; processors[1].ContentPatternBeforeReplacedString: does not compile at column 2 (`)|(b`): unopened group; remove the `)` or write `\)` for a parenthesis"#
        ]],
    );
}

#[test]
fn steps_on_names_with_underscores_need_a_field_that_they_see() {
    let mut config = valid();
    config["processors"][0]["KeepingSourceWhenParseSucceed"] = true.into();
    config["processors"][0]["RenamedSourceKey"] = "__raw__".into();
    config["inputs"][0]["AppendingLogPositionMeta"] = true.into();
    let with_steps = |config: &Value, keys: &[&str]| {
        let mut config = config.clone();
        let processors = config["processors"].as_array_mut().unwrap();
        for key in keys {
            processors.push(json!({"Type": "processor_filter_regex_native", "Include": {*key: ".*"}}));
            processors.push(json!({"Type": "processor_desensitize_native", "SourceKey": key,
                "Method": "md5", "ReplacedContentPattern": "x"}));
        }
        config
    };
    check_part(
        &with_steps(&config, &["__raw__", "__file_offset__", "__raw_log__"]),
        expect![[
            r#"processors[1].Include: no field is named "__raw__", so every log would be dropped; name one of time, ip; processors[2].SourceKey: no field is named "__raw__", so nothing is masked; name one of time, ip; processors[3].Include: no field is named "__file_offset__", so every log would be dropped; name one of time, ip; processors[4].SourceKey: no field is named "__file_offset__", so nothing is masked; name one of time, ip; processors[5].Include: no field is named "__raw_log__", so every log would be dropped; name one of time, ip; processors[6].SourceKey: no field is named "__raw_log__", so nothing is masked; name one of time, ip"#
        ]],
        |_| String::new(),
    );
    config["processors"][0]["KeepingSourceWhenParseFail"] = true.into();
    config["processors"][0]["KeepingSourceWhenParseSucceed"] = false.into();
    config["processors"][0]["RenamedSourceKey"] = "__raw_log__".into();
    let shown = |pipeline: &Pipeline| format!("{:?}", pipeline.steps);
    check_part(
        &with_steps(&config, &["__raw_log__"]),
        expect![[
            r#"[Filter(All([Field("__raw_log__", Regex("\\A(?:.*)\\z"))])), Mask(Mask { key: "__raw_log__", regex: Regex("()(?:x)"), all: true, by: Md5 })]"#
        ]],
        shown,
    );
    check_part(
        &with_steps(&config, &["__raw__"]),
        expect![[
            r#"processors[1].Include: no field is named "__raw__", so every log would be dropped; name one of time, ip, __raw_log__; processors[2].SourceKey: no field is named "__raw__", so nothing is masked; name one of time, ip, __raw_log__"#
        ]],
        shown,
    );
    // Simple mode matches every event.
    config["processors"] = json!([]);
    check_part(
        &with_steps(&config, &["__raw_log__"]),
        expect![[
            r#"processors[0].Include: no field is named "__raw_log__", so every log would be dropped; name one of content; processors[1].SourceKey: no field is named "__raw_log__", so nothing is masked; name one of content"#
        ]],
        shown,
    );
}

#[test]
fn the_event_and_its_place_are_sent_under_these_keys() {
    let mut config = valid();
    config["processors"][0]["KeepingSourceWhenParseSucceed"] = true.into();
    let shown = |pipeline: &Pipeline| format!("{:?} {:?}", pipeline.raw_key, pipeline.input.position_meta);
    check_part(
        &config,
        expect![[r#"Some("content") PositionMeta { inode: false, offset_key: None }"#]],
        shown,
    );
    config["processors"][0]["RenamedSourceKey"] = "__raw__".into();
    config["inputs"][0]["AppendingLogPositionMeta"] = true.into();
    config["processors"].as_array_mut().unwrap().push(json!({"Type": "processor_desensitize_native",
        "SourceKey": "ip", "Method": "md5", "ReplacedContentPattern": "x"}));
    check_part(
        &config,
        expect![[
            r#"Some("__raw__") PositionMeta { inode: true, offset_key: Some("__file_offset__") } processors[1].SourceKey: masks "ip" only: the text is still in "__raw__", beside the fields"#
        ]],
        shown,
    );
    config["inputs"][0]["AppendingLogPositionMeta"] = Value::Null;
    config["inputs"][0]["FileOffsetKey"] = "at".into();
    check_part(
        &config,
        expect![[
            r#"Some("__raw__") PositionMeta { inode: false, offset_key: Some("at") } processors[1].SourceKey: masks "ip" only: the text is still in "__raw__", beside the fields"#
        ]],
        shown,
    );
    config["processors"][0]["RenamedSourceKey"] = "ip".into();
    check_part(
        &config,
        expect![[
            r#"processors[0].RenamedSourceKey: "ip" is one of Keys too; give the source a name of its own"#
        ]],
        shown,
    );
}

#[test]
fn a_topic_is_constant_or_captured_from_the_path() {
    for (global, expected) in [
        (json!({"TopicType": "none"}), expect!["None"]),
        (json!({"TopicType": "default"}), expect!["None"]),
        (
            json!({"TopicFormat": "web"}),
            expect![
                "None global.TopicFormat: has no effect without TopicType: name custom or filepath there"
            ],
        ),
        (json!({"TopicType": "custom", "TopicFormat": "web"}), expect![[r#"Fixed("web")"#]]),
        (json!({"TopicType": "custom", "TopicFormat": "customized://web"}), expect![[r#"Fixed("web")"#]]),
        (json!({"TopicType": "custom"}), expect!["global.TopicFormat: is missing: write the topic"]),
        (json!({"TopicType": "machine_group_topic"}), expect![[r#"Fixed("")"#]]),
        (
            json!({"TopicType": "filepath", "TopicFormat": "/logs/(?P<app>.*)/a.log"}),
            expect![[r#"Path(Regex("\\A(?:/logs/(?P<app>.*)/a.log)\\z"))"#]],
        ),
        (
            json!({"TopicType": "filepath", "TopicFormat": "/logs/.*"}),
            expect![
                "global.TopicFormat: needs a capture group: the captured part of the path becomes the topic"
            ],
        ),
        (
            json!({"TopicType": "filepath"}),
            expect![
                "global.TopicFormat: needs a capture group: the captured part of the path becomes the topic"
            ],
        ),
        (
            json!({"TopicType": "filepath", "TopicFormat": "(/logs"}),
            expect![[
                r#"global.TopicFormat: does not compile at column 1 (`(/logs`): unclosed group; close the group with `)` or write `\(` for a parenthesis"#
            ]],
        ),
    ] {
        let mut config = valid();
        config["global"] = global;
        check_part(&config, expected, |pipeline| format!("{:?}", pipeline.topic));
    }
}

#[test]
fn files_are_utf8_or_gbk() {
    for (name, expected) in [
        ("utf8", expect!["Utf8"]),
        ("UTF-8", expect!["Utf8"]),
        ("gbk", expect!["Gbk"]),
        ("GBK", expect!["Gbk"]),
        (
            "gb2312",
            expect![[
                r#"inputs[0].FileEncoding: "gb2312" is not supported by this collector; use utf8 or gbk"#
            ]],
        ),
    ] {
        let mut config = valid();
        config["inputs"][0]["FileEncoding"] = name.into();
        check_part(&config, expected, |pipeline| format!("{:?}", pipeline.input.encoding));
    }
}

#[test]
fn the_instance_says_where_reading_begins_if_the_config_does_not() {
    let mut instance = instance();
    instance.reading.tail_kb = Some(7);
    for (own, expected) in [("", 7), (r#""TailSizeKB": null,"#, 7), (r#""TailSizeKB": 2,"#, 2)] {
        let json = format!(
            r#"{{"inputs":[{{"Type":"input_file",{own}"FilePaths":["/l/a"]}}],
                "flushers":[{{"Type":"flusher_sls","Project":"project","Logstore":"store"}}]}}"#
        );
        let accepted = parse("c", 1, json.as_bytes(), &instance).unwrap();
        assert_eq!(accepted.pipeline.unwrap().input.tail_bytes, expected * 1024, "{own}");
    }
}

#[test]
fn a_place_to_begin_that_there_cannot_be_is_a_notice() {
    for (kb, expected) in [
        (0, expect!["0"]),
        (-1, expect!["1048576 inputs[0].TailSizeKB: must be 0 or more; 1024 is used"]),
        (
            i64::MAX,
            expect!["107374182400 inputs[0].TailSizeKB: must be at most 104857600; 104857600 is used"],
        ),
    ] {
        let mut config = valid();
        config["inputs"][0]["TailSizeKB"] = kb.into();
        check_part(&config, expected, |pipeline| pipeline.input.tail_bytes.to_string());
    }
}

#[test]
fn a_backlog_that_raises_an_alarm_is_at_least_a_byte() {
    for (bytes, expected) in [
        (5000, expect!["5000"]),
        (
            0,
            expect!["209715200 inputs[0].ReadDelayAlertThresholdBytes: must be 1 or more; 209715200 is used"],
        ),
    ] {
        let mut config = valid();
        config["inputs"][0]["ReadDelayAlertThresholdBytes"] = bytes.into();
        check_part(&config, expected, |pipeline| pipeline.input.delay_alarm_bytes.to_string());
    }
}

#[test]
fn what_is_excluded_must_be_a_name_or_an_absolute_path_and_leave_something() {
    let check = |more: Value, expected: Expect| {
        let mut config = valid();
        config["inputs"][0].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check_part(&config, expected, |pipeline| format!("{:?}", pipeline.input.excluded));
    };
    check(
        json!({"ExcludeFiles": ["*.gz"], "ExcludeFilePaths": ["/var/log/*/a"], "ExcludeDirs": ["/var/**/old"]}),
        expect![[r#"Excluded { names: ["*.gz"], paths: ["/var/log/*/a"], directories: ["/var/**/old"] }"#]],
    );
    check(
        json!({"ExcludeFiles": ["old/*.gz"], "ExcludeFilePaths": ["a.log"], "ExcludeDirs": ["*old", 5]}),
        expect![[
            r#"inputs[0].ExcludeFiles[0]: "old/*.gz" is no name of a file; write paths into ExcludeFilePaths; inputs[0].ExcludeFilePaths[0]: "a.log" is not absolute; begin with /; inputs[0].ExcludeDirs[1]: must be a string, not a number; inputs[0].ExcludeDirs[0]: "*old" is not absolute; begin with /"#
        ]],
    );
    check(
        json!({"ExcludeDirs": ["/var/log"]}),
        expect![
            "inputs[0].ExcludeDirs: leaves out the directory that FilePaths names, so there is no file; remove it"
        ],
    );
}
