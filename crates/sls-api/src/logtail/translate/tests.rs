use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

fn config(detail: Value) -> LogtailConfig {
    let Value::Object(detail) = detail else { panic!("an object") };
    LogtailConfig::file("c1".parse().unwrap(), detail, "nginx-access".parse().unwrap())
}

fn destination() -> Destination {
    Destination {
        project: "proj-a".parse().unwrap(),
        logstore: "nginx-access".parse().unwrap(),
        region: "cn-hangzhou".into(),
        endpoint: "127.0.0.1:8080".into(),
    }
}

/// Translates and shows everything but the flusher, one part a line.
fn check(detail: Value, want: Expect) {
    let shown = match to_pipeline(&config(detail), &destination()) {
        Err(e) => format!("{e}\n"),
        Ok(pipeline) => {
            let one_a_line = |part: &str| {
                let entries = pipeline[part].as_array().into_iter().flatten();
                entries.map(|entry| format!("{entry}\n")).collect::<String>()
            };
            let global = pipeline.get("global").map(|g| format!("{g}\n")).unwrap_or_default();
            format!("{global}{}{}", one_a_line("inputs"), one_a_line("processors"))
        }
    };
    want.assert_eq(&shown);
}

fn with(mut detail: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    detail.as_object_mut().unwrap().extend(more);
    detail
}

fn nginx() -> Value {
    json!({"logType": "common_reg_log", "logPath": "/var/log/nginx/", "filePattern": "access.log"})
}

#[test]
fn the_error_config_of_the_document_is_simple_mode_without_processors() {
    check(
        nginx(),
        expect![[r#"
            {"Type":"input_file","FilePaths":["/var/log/nginx/**/access.log"],"MaxDirSearchDepth":100,"FileEncoding":"utf8"}
        "#]],
    );
}

#[test]
fn regex_mode_names_its_keys_and_what_happens_to_other_lines() {
    let detail = with(
        nginx(),
        json!({"regex": r"(\S+) (.*)", "key": ["ip", "rest"], "maxDepth": 0, "logBeginRegex": r"\d+.*"}),
    );
    check(
        detail.clone(),
        expect![[r#"
            {"Type":"input_file","FilePaths":["/var/log/nginx/access.log"],"MaxDirSearchDepth":0,"FileEncoding":"utf8","Multiline":{"Mode":"custom","StartPattern":"\\d+.*","UnmatchedContentTreatment":"single_line"}}
            {"Type":"processor_parse_regex_native","SourceKey":"content","Regex":"(\\S+) (.*)","Keys":["ip","rest"],"KeepingSourceWhenParseFail":false,"KeepingSourceWhenParseSucceed":false,"RenamedSourceKey":"__raw_log__"}
        "#]],
    );
    check(
        with(detail, json!({"discardUnmatch": false, "enableRawLog": true})),
        expect![[r#"
            {"Type":"input_file","FilePaths":["/var/log/nginx/access.log"],"MaxDirSearchDepth":0,"FileEncoding":"utf8","Multiline":{"Mode":"custom","StartPattern":"\\d+.*","UnmatchedContentTreatment":"single_line"}}
            {"Type":"processor_parse_regex_native","SourceKey":"content","Regex":"(\\S+) (.*)","Keys":["ip","rest"],"KeepingSourceWhenParseFail":true,"KeepingSourceWhenParseSucceed":true,"RenamedSourceKey":"__raw__","CopingRawLog":true}
        "#]],
    );
}

#[test]
fn simple_mode_has_a_parser_if_the_text_is_to_be_kept() {
    check(
        with(nginx(), json!({"enableRawLog": true, "advanced": {"raw_log_tag": "line"}})),
        expect![[r#"
        {"Type":"input_file","FilePaths":["/var/log/nginx/**/access.log"],"MaxDirSearchDepth":100,"FileEncoding":"utf8"}
        {"Type":"processor_parse_regex_native","SourceKey":"content","Regex":"(.*)","Keys":["content"],"KeepingSourceWhenParseFail":false,"KeepingSourceWhenParseSucceed":true,"RenamedSourceKey":"line"}
    "#]],
    );
}

#[test]
fn time_filter_and_masks_follow_the_parser() {
    check(
        with(
            nginx(),
            json!({"regex": "(.*) (.*)", "key": ["time", "msg"], "timeFormat": "%Y-%m-%dT%H:%M:%S",
                   "adjustTimezone": true, "logTimezone": "GMT+08:00",
                   "filterKey": ["msg"], "filterRegex": ["a.*"], "discardNonUtf8": true,
                   "sensitive_keys": [{"key": "msg", "type": "const", "regex_begin": "pw=",
                                       "regex_content": "[^,]+", "all": true, "const": "***"}]}),
        ),
        expect![[r#"
            {"Type":"input_file","FilePaths":["/var/log/nginx/**/access.log"],"MaxDirSearchDepth":100,"FileEncoding":"utf8"}
            {"Type":"processor_parse_regex_native","SourceKey":"content","Regex":"(.*) (.*)","Keys":["time","msg"],"KeepingSourceWhenParseFail":false,"KeepingSourceWhenParseSucceed":false,"RenamedSourceKey":"__raw_log__"}
            {"Type":"processor_parse_timestamp_native","SourceKey":"time","SourceFormat":"%Y-%m-%dT%H:%M:%S","SourceTimezone":"GMT+08:00"}
            {"Type":"processor_filter_regex_native","FilterKey":["msg"],"FilterRegex":["a.*"],"DiscardingNonUTF8":true}
            {"Type":"processor_desensitize_native","SourceKey":"msg","Method":"const","ContentPatternBeforeReplacedString":"pw=","ReplacedContentPattern":"[^,]+","ReplacingAll":true,"ReplacingString":"***"}
        "#]],
    );
}

#[test]
fn json_delimiter_and_apsara_modes_have_their_parsers() {
    let mode =
        |log_type: &str, more: Value| with(with(nginx(), json!({"logType": log_type, "maxDepth": 0})), more);
    check(
        mode("json_log", json!({"timeKey": "t", "timeFormat": "%s"})),
        expect![[r#"
            {"Type":"input_file","FilePaths":["/var/log/nginx/access.log"],"MaxDirSearchDepth":0,"FileEncoding":"utf8"}
            {"Type":"processor_parse_json_native","SourceKey":"content","KeepingSourceWhenParseFail":false,"KeepingSourceWhenParseSucceed":false,"RenamedSourceKey":"__raw_log__"}
            {"Type":"processor_parse_timestamp_native","SourceKey":"t","SourceFormat":"%s"}
        "#]],
    );
    check(
        mode(
            "delimiter_log",
            json!({"separator": ",", "quote": "\"", "key": ["a", "b"], "autoExtend": false}),
        ),
        expect![[r#"
            {"Type":"input_file","FilePaths":["/var/log/nginx/access.log"],"MaxDirSearchDepth":0,"FileEncoding":"utf8"}
            {"Type":"processor_parse_delimiter_native","SourceKey":"content","Separator":",","Quote":"\"","Keys":["a","b"],"AllowingShortenedFields":false,"OverflowedFieldsTreatment":"keep","KeepingSourceWhenParseFail":false,"KeepingSourceWhenParseSucceed":false,"RenamedSourceKey":"__raw_log__"}
        "#]],
    );
    check(
        mode("apsara_log", json!({})),
        expect![[r#"
            {"Type":"input_file","FilePaths":["/var/log/nginx/access.log"],"MaxDirSearchDepth":0,"FileEncoding":"utf8"}
            {"Type":"processor_parse_apsara_native","SourceKey":"content","KeepingSourceWhenParseFail":false,"KeepingSourceWhenParseSucceed":false,"RenamedSourceKey":"__raw_log__"}
        "#]],
    );
}

#[test]
fn advanced_settings_of_modes_and_times_are_kept() {
    let processors = |detail: Value| {
        let pipeline = to_pipeline(&config(with(nginx(), detail)), &destination()).unwrap();
        let global = pipeline.get("global").map(Value::to_string).unwrap_or_default();
        format!("{global}{}", pipeline["processors"])
    };
    expect![[r#"[{"Type":"processor_parse_apsara_native","SourceKey":"content","Timezone":"GMT+08:00","KeepingSourceWhenParseFail":true,"KeepingSourceWhenParseSucceed":true,"RenamedSourceKey":"__raw__","CopingRawLog":true}]"#]].assert_eq(&processors(json!({"logType": "apsara_log", "adjustTimezone": true,
        "logTimezone": "GMT+08:00", "discardUnmatch": false, "enableRawLog": true})));
    expect![[r#"{"TopicType":"custom","TopicFormat":"t1","EnableTimestampNanosecond":true}[{"Type":"processor_parse_json_native","SourceKey":"content","KeepingSourceWhenParseFail":false,"KeepingSourceWhenParseSucceed":false,"RenamedSourceKey":"__raw_log__"},{"Type":"processor_parse_timestamp_native","SourceKey":"t","SourceFormat":"%b %d","SourceYear":2020,"PreciseTimestampKey":"precise_timestamp","PreciseTimestampUnit":"ns"}]"#]].assert_eq(&processors(json!({"logType": "json_log", "timeKey": "t", "timeFormat": "%b %d",
        "topicFormat": "customized://t1", "advanced": {"specified_year": 2020, "enable_precise_timestamp": true,
        "precise_timestamp_unit": "ns", "enable_timestamp_nanosecond": true}})));
    expect![[r#"[{"Type":"processor_parse_delimiter_native","SourceKey":"content","Separator":",","Quote":"\u0001","Keys":["a"],"AllowingShortenedFields":false,"OverflowedFieldsTreatment":"discard","KeepingSourceWhenParseFail":false,"KeepingSourceWhenParseSucceed":false,"RenamedSourceKey":"__raw_log__"}]"#]].assert_eq(&processors(json!({"logType": "delimiter_log", "separator": ",", "key": ["a"],
        "advanced": {"extract_partial_fields": true}})));
}

#[test]
fn topics_are_none_constant_or_from_the_path() {
    let topic = |format: &str| {
        let detail = with(nginx(), json!({"topicFormat": format}));
        let pipeline = to_pipeline(&config(detail), &destination()).unwrap();
        pipeline.get("global").map(ToString::to_string)
    };
    assert_eq!(topic("none"), None);
    assert_eq!(topic("customized://t1").unwrap(), r#"{"TopicType":"custom","TopicFormat":"t1"}"#);
    assert_eq!(topic(r"/var/log/(.*)").unwrap(), r#"{"TopicType":"filepath","TopicFormat":"/var/log/(.*)"}"#);
    assert_eq!(topic("group_topic").unwrap(), r#"{"TopicType":"machine_group_topic"}"#);
}

#[test]
fn the_flusher_points_where_it_is_told() {
    let mut config = config(with(nginx(), json!({"shardHashKey": ["__source__"], "maxSendRate": 1000})));
    config.create_time = Some(1_700_000_000);
    config.output_detail.compress_type = Some("zstd".into());
    let pipeline = to_pipeline(&config, &destination()).unwrap();
    expect![[r#"{"Type":"flusher_sls","Project":"proj-a","Logstore":"nginx-access","Region":"cn-hangzhou","Endpoint":"127.0.0.1:8080","CompressType":"zstd","ShardHashKeys":["__source__"],"MaxSendRate":1000}"#]]
    .assert_eq(&pipeline["flushers"][0].to_string());
    assert_eq!(pipeline["createTime"], 1_700_000_000);
}

#[test]
fn advanced_settings_of_reading_are_kept() {
    let detail = with(
        nginx(),
        json!({"tailExisted": true, "dockerFile": true, "preserve": false, "preserveDepth": 2, "delayAlarmBytes": 7,
               "advanced": {"tail_size_kb": 10, "force_multiconfig": true, "exactly_once_concurrency": 8,
                            "blacklist": {"filename_blacklist": ["*.gz"]}}}),
    );
    check(
        detail,
        expect![[r#"
            {"Type":"input_file","FilePaths":["/var/log/nginx/**/access.log"],"MaxDirSearchDepth":100,"FileEncoding":"utf8","TailingAllMatchedFiles":true,"EnableContainerDiscovery":true,"PreservedDirDepth":2,"ReadDelayAlertThresholdBytes":7,"TailSizeKB":10,"AllowingIncludedByMultiConfigs":true,"EnableExactlyOnce":8,"ExcludeFiles":["*.gz"]}
        "#]],
    );
}

#[test]
fn lists_of_excluded_directories_add_up_and_keep_what_a_star_means() {
    let detail = with(
        nginx(),
        json!({"dirPatternBlackList": ["/a/old", "/b/*/tmp", "*cache", "/c/**/d"],
               "advanced": {"blacklist": {"dir_blacklist": ["/e/*"], "filepath_blacklist": ["/f"]}}}),
    );
    let pipeline = to_pipeline(&config(detail), &destination()).unwrap();
    let input = &pipeline["inputs"][0];
    assert_eq!(input["ExcludeDirs"], json!(["/a/old", "/b/**/tmp", "/**cache", "/c/**/d", "/e/*"]));
    assert_eq!(input["ExcludeFilePaths"], json!(["/f"]));
}

#[test]
fn go_plugins_get_their_settings_merged() {
    let mut config = config(json!({"plugin": {"inputs": [{"type": "metric_http", "detail": {"A": 1}}],
                                              "processors": [{"type": "processor_anchor"}]}}));
    config.input_type = "plugin".into();
    let pipeline = to_pipeline(&config, &destination()).unwrap();
    assert_eq!(pipeline["inputs"], json!([{"Type": "metric_http", "A": 1}]));
    assert_eq!(pipeline["processors"], json!([{"Type": "processor_anchor"}]));
}

#[test]
fn what_cannot_be_translated_says_which_field_and_what_to_write() {
    check(
        with(nginx(), json!({"logPath": "var/log"})),
        expect![[r#"
        inputDetail.logPath "var/log" is not absolute: begin with /
    "#]],
    );
    check(
        with(nginx(), json!({"filePattern": "a/b.log"})),
        expect![[r#"
        inputDetail.filePattern "a/b.log" contains a '/': put the directory into logPath
    "#]],
    );
    check(
        with(nginx(), json!({"filePattern": null})),
        expect![[r#"
        inputDetail.filePattern is missing: write for example access.log
    "#]],
    );
    check(
        with(nginx(), json!({"logType": "nginx"})),
        expect![[r#"
        logType "nginx" cannot be run by a collector: use common_reg_log, json_log, delimiter_log or apsara_log
    "#]],
    );
    check(
        with(nginx(), json!({"maxDepth": "10"})),
        expect![[r#"
        inputDetail.maxDepth has the wrong type: write a whole number, without quotes
    "#]],
    );
}
