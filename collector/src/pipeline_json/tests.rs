mod names;
mod parsers;
mod parts;
mod shards;

use super::*;
use crate::env::Env;
use crate::pipeline::{Multiline, Parse, Pipeline, Records, Strays, TimeRule};
use expect_test::{Expect, expect};
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

fn instance() -> InstanceConfig {
    let path = Path::new("/etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json");
    InstanceConfig::parse(path, None, &Env::default()).unwrap()
}

/// A config that is valid as it stands; tests change one thing in it.
fn valid() -> Value {
    json!({
        "inputs": [{"Type": "input_file", "FilePaths": ["/var/log/nginx/access.log"]}],
        "processors": [{
            "Type": "processor_parse_regex_native",
            "SourceKey": "content",
            "Regex": r"(\S+)\s(\S+)",
            "Keys": ["time", "ip"]
        }],
        "flushers": [{"Type": "flusher_sls", "Project": "k8s-nginx-sidecar-demo", "Logstore": "nginx-access",
            "Region": "cn-hangzhou", "Endpoint": "127.0.0.1:18080"}]
    })
}

fn check(config: &Value, expected: Expect) {
    let text = match config {
        Value::String(raw) => raw.clone(),
        config => config.to_string(),
    };
    let mut shown = String::new();
    match parse("c", 7, text.as_bytes(), &instance()) {
        Err(invalid) => {
            for problem in invalid.0 {
                writeln!(shown, "{problem}").unwrap();
            }
        }
        Ok(accepted) => {
            match &accepted.pipeline {
                None => writeln!(shown, "disabled").unwrap(),
                Some(pipeline) => show(pipeline, &mut shown),
            }
            for notice in &accepted.notices {
                writeln!(shown, "notice: {notice}").unwrap();
            }
        }
    }
    expected.assert_eq(shown.trim_end());
}

fn show(pipeline: &Pipeline, out: &mut String) {
    let Pipeline { name, version, input, multiline, parse, time, topic, .. } = pipeline;
    let Pipeline { unmatched, steps, raw_key, destination, .. } = pipeline;
    writeln!(out, "{name} version {version}").unwrap();
    writeln!(out, "{input:?}").unwrap();
    match multiline {
        Multiline::SingleLine => writeln!(out, "single lines").unwrap(),
        Multiline::Joined { records: Records::Start(regex), strays: Strays::SingleLines } => {
            writeln!(out, "begins at {regex}").unwrap();
        }
        other => writeln!(out, "{other:?}").unwrap(),
    }
    match parse {
        Parse::Simple { key } => writeln!(out, "whole event in {key}").unwrap(),
        Parse::Regex { regex, keys } => writeln!(out, "{regex} → {}", keys.join(",")).unwrap(),
        Parse::Json | Parse::Delimiter(_) | Parse::Apsara { .. } => writeln!(out, "{parse:?}").unwrap(),
    }
    if *time != TimeRule::Collected {
        writeln!(out, "{time:?}").unwrap();
    }
    for step in steps {
        writeln!(out, "{step:?}").unwrap();
    }
    if let Some(key) = raw_key {
        writeln!(out, "the event in {key}").unwrap();
    }
    writeln!(out, "topic {topic:?}, unmatched {unmatched:?}").unwrap();
    writeln!(out, "{destination:?}").unwrap();
}

#[test]
fn a_regex_config_becomes_a_pipeline() {
    check(
        &valid(),
        expect![[r#"
            c version 7
            FileInput { directory: "/var/log/nginx", file_pattern: "access.log", max_depth: 0, tail_existing: false, tail_bytes: 1048576, flush_timeout: 60s, encoding: Utf8, position_meta: PositionMeta { inode: false, offset_key: None }, delay_alarm_bytes: 209715200, excluded: Excluded { names: [], paths: [], directories: [] } }
            single lines
            \A(?:(\S+)\s(\S+))\z → time,ip
            topic None, unmatched Discard
            Destination { project: "k8s-nginx-sidecar-demo", logstore: "nginx-access", region: "cn-hangzhou", endpoint: Some("127.0.0.1:18080"), compression: Lz4 }"#]],
    );
}

#[test]
fn without_processors_the_whole_line_is_the_content() {
    let mut config = valid();
    config.as_object_mut().unwrap().remove("processors");
    check(
        &config,
        expect![[r#"
            c version 7
            FileInput { directory: "/var/log/nginx", file_pattern: "access.log", max_depth: 0, tail_existing: false, tail_bytes: 1048576, flush_timeout: 60s, encoding: Utf8, position_meta: PositionMeta { inode: false, offset_key: None }, delay_alarm_bytes: 209715200, excluded: Excluded { names: [], paths: [], directories: [] } }
            single lines
            whole event in content
            topic None, unmatched KeepRaw
            Destination { project: "k8s-nginx-sidecar-demo", logstore: "nginx-access", region: "cn-hangzhou", endpoint: Some("127.0.0.1:18080"), compression: Lz4 }"#]],
    );
}

#[test]
fn everything_that_is_supported_is_read() {
    check(
        &json!({
            "enable": true, "version": 3, "configName": "x",
            "global": {"TopicType": "filepath", "TopicFormat": "/var/log/([^/]*)/.*"},
            "inputs": [{"Type": "input_file", "FilePaths": ["/var/log/*/**/a*.log"], "MaxDirSearchDepth": 3,
                "TailSizeKB": 2, "FlushTimeoutSecs": 5, "FileEncoding": "utf8",
                "Multiline": {"Mode": "custom", "StartPattern": r"\d+ .*"}}],
            "processors": [
                {"Type": "processor_parse_regex_native", "SourceKey": "content", "Regex": "(.*)", "Keys": ["line"],
                 "KeepingSourceWhenParseFail": true, "RenamedSourceKey": "__raw_log__"},
                {"Type": "processor_parse_timestamp_native", "SourceKey": "line", "SourceFormat": "%Y-%m-%dT%H:%M:%S",
                 "SourceTimezone": "GMT-03:30"}],
            "flushers": [{"Type": "flusher_sls", "Project": "k8s-log", "Logstore": "store", "CompressType": "zstd"}]
        }),
        expect![[r#"
            c version 7
            FileInput { directory: "/var/log/*", file_pattern: "a*.log", max_depth: 3, tail_existing: false, tail_bytes: 2048, flush_timeout: 5s, encoding: Utf8, position_meta: PositionMeta { inode: false, offset_key: None }, delay_alarm_bytes: 209715200, excluded: Excluded { names: [], paths: [], directories: [] } }
            begins at \A(?:\d+ .*)\z
            whole event in line
            Field { key: "line", format: "%Y-%m-%dT%H:%M:%S", offset_seconds: Some(-12600), year: None, precise: None }
            topic Path(Regex("\\A(?:/var/log/([^/]*)/.*)\\z")), unmatched KeepRaw
            Destination { project: "k8s-log", logstore: "store", region: "cn-hangzhou", endpoint: Some("cn-hangzhou.log.aliyuncs.com"), compression: Zstd }"#]],
    );
}

#[test]
fn a_disabled_config_is_accepted_and_runs_nothing() {
    check(&json!({"enable": false, "inputs": []}), expect!["disabled"]);
}

#[test]
fn text_that_is_no_config_is_named() {
    check(
        &json!("{\"inputs\": ["),
        expect![
            "the config is not JSON: EOF while parsing a list at line 1 column 12; save it again on the server"
        ],
    );
    check(&json!("[]"), expect!["the config must be a JSON object, not a list"]);
    check(
        &json!({}),
        expect![[r#"
        inputs: is missing: one plugin is needed
        flushers: is missing: one plugin is needed"#]],
    );
}

#[test]
fn a_regex_that_does_not_compile_shows_the_place_and_the_remedy() {
    for (regex, expected) in [
        (
            r"(\S+)\s(\S+",
            expect![[
                r#"processors[0].Regex: does not compile at column 8 (`(\S+`): unclosed group; close the group with `)` or write `\(` for a parenthesis"#
            ]],
        ),
        (
            r#"(\S+)\s"(?!x)(\S+)"#,
            expect![[
                r#"processors[0].Regex: does not compile at column 9 (`(?!x)(\S+)`): look-around, including look-ahead and look-behind, is not supported; write the pattern without `(?=`, `(?!`, `(?<=`, `(?<!`; negated classes like `[^"]*` usually do"#
            ]],
        ),
        (
            r"(\S+) \1",
            expect![[
                r#"processors[0].Regex: does not compile at column 7 (`\1`): backreferences are not supported; write the pattern without back references like `\1`"#
            ]],
        ),
        (
            r"*(\S+)",
            expect![[
                r#"processors[0].Regex: does not compile at column 1 (`*(\S+)`): repetition operator missing expression; put an expression before the repetition or write it escaped, e.g. `\*`"#
            ]],
        ),
        (
            r"(\S+){1000}{1000}{1000}",
            expect![
                "processors[0].Regex: does not compile: Compiled regex exceeds size limit of 10485760 bytes."
            ],
        ),
    ] {
        let mut config = valid();
        config["processors"][0]["Regex"] = regex.into();
        check(&config, expected);
    }
}

#[test]
fn eleven_groups_with_ten_keys_fail_as_in_the_published_document() {
    let mut config = valid();
    config["processors"][0]["Regex"] = r#"(\S+)\s(\S+)\s\S+\s\S+\s"(\S+)\s(\S+)\s+([^"]+)"\s+(\S+)\s(\S+)\s(\d+)\s(\d+)\s(\S+)\s"([^"]+)"\s. *"#
    .into();
    config["processors"][0]["Keys"] = json!([
        "time",
        "ip",
        "method",
        "url",
        "protocol",
        "latency",
        "payload",
        "status",
        "response-size",
        "ser-agent\""
    ]);
    check(
        &config,
        expect![
            "processors[0].Keys: 10 keys for 11 capture groups of the regex: name one key for each group, or make a group that needs no key `(?:…)`"
        ],
    );
}

#[test]
fn an_unsupported_processor_is_named() {
    let mut config = valid();
    config["processors"] =
        json!([{"Type": "processor_parse_grok", "SourceKey": "content"}, {"SourceKey": "x"}]);
    check(
        &config,
        expect![[r#"
            processors[1].Type: is missing
            processors[0].Type: processor_parse_grok is not supported by this collector; supported are processor_parse_regex_native, processor_parse_json_native, processor_parse_delimiter_native, processor_parse_apsara_native, processor_parse_timestamp_native, processor_filter_regex_native, processor_timestamp_filter_native and processor_desensitize_native"#]],
    );
}

#[test]
fn all_problems_are_reported_together() {
    check(
        &json!({
            "global": {"TopicType": "weekday"},
            "inputs": [{"Type": "input_file", "FilePaths": ["var/log/x.log", "/b"], "FileEncoding": "big5",
                "ExcludeFiles": ["*.gz"], "Multiline": {"Mode": "JSON", "StartPattern": "["}, "TailSizeKB": "much"}],
            "processors": [
                {"Type": "processor_timestamp_native", "SourceKey": "", "SourceFormat": "%Q", "SourceTimezone": "Asia"},
                {"Type": "processor_parse_regex_native", "Regex": "(a)(b)", "Keys": ["x", "x"], "SourceKey": "raw"}],
            "aggregators": [{"Type": "aggregator_context"}],
            "flushers": [{"Type": "flusher_sls", "Project": "UPPER", "Region": "cn-hangzou", "CompressType": "snappy"}]
        }),
        expect![[r#"
            inputs[0].FilePaths: must hold exactly one path, not 2
            inputs[0].Multiline.Mode: "JSON" is not supported by this collector; use custom
            inputs[0].Multiline.StartPattern: does not compile at column 1 (`[`): unclosed character class; close the class with `]` or write `\[` for a bracket
            inputs[0].TailSizeKB: must be a whole number, not a string
            inputs[0].FileEncoding: "big5" is not supported by this collector; use utf8 or gbk
            global.TopicType: "weekday" is not known; use none, custom, machine_group_topic or filepath
            processors[0].SourceKey: must not be empty
            processors[0].SourceFormat: time format "%Q": %Q is not supported; supported are %Y %y %m %b %B %h %d %e %j %H %k %I %l %M %S %f %p %s %a %A %z %Z %T %D %F %R %n %t %%
            processors[0].SourceTimezone: "Asia" is not a zone like GMT+08:00 or GMT-03:30
            processors[1].Type: processor_parse_regex_native may stand only once, one parser before all others; remove this one
            flushers[0].Project: project name "UPPER" is not valid: use 3 to 63 lowercase letters, digits or '-', beginning and ending with a letter or digit
            flushers[0].Logstore: is missing
            flushers[0].CompressType: "snappy" is not known; use lz4, zstd or none
            flushers[0].Region: region `cn-hangzou` is not known, did you mean `cn-hangzhou`?; correct the region (the directory in ALIYUN_LOGTAIL_CONFIG must be `<region>` or `<region>-internet`), or name its endpoint in `data_servers` of the config file
            aggregators[0].Type: aggregators are not supported by this collector; remove it"#]],
    );
}

#[test]
fn a_path_must_be_absolute_and_end_with_a_file() {
    for (path, expected) in [
        (
            "/var/log/",
            expect![[r#"inputs[0].FilePaths: "/var/log/" must end with a file name or pattern, e.g. *.log"#]],
        ),
        (
            "/var/log/**",
            expect![[
                r#"inputs[0].FilePaths: "/var/log/**" must end with a file name or pattern, e.g. *.log"#
            ]],
        ),
        (
            "/var/**/log/*.log",
            expect![[
                r#"inputs[0].FilePaths: "/var/**/log/*.log" may hold `**` once, directly before the file name"#
            ]],
        ),
        ("/var/../etc/x", expect![[r#"inputs[0].FilePaths: "/var/../etc/x" must not contain `..`"#]]),
        ("/", expect![[r#"inputs[0].FilePaths: "/" must end with a file name or pattern"#]]),
    ] {
        let mut config = valid();
        config["inputs"][0]["FilePaths"] = json!([path]);
        check(&config, expected);
    }
}

#[test]
fn a_timestamp_of_a_key_that_no_parser_makes_is_a_notice() {
    let mut config = valid();
    config["processors"]
        .as_array_mut()
        .unwrap()
        .push(json!({"Type": "processor_timestamp_native", "SourceKey": "when", "SourceFormat": "%Y"}));
    check(
        &config,
        expect![[r#"
            c version 7
            FileInput { directory: "/var/log/nginx", file_pattern: "access.log", max_depth: 0, tail_existing: false, tail_bytes: 1048576, flush_timeout: 60s, encoding: Utf8, position_meta: PositionMeta { inode: false, offset_key: None }, delay_alarm_bytes: 209715200, excluded: Excluded { names: [], paths: [], directories: [] } }
            single lines
            \A(?:(\S+)\s(\S+))\z → time,ip
            topic None, unmatched Discard
            Destination { project: "k8s-nginx-sidecar-demo", logstore: "nginx-access", region: "cn-hangzhou", endpoint: Some("127.0.0.1:18080"), compression: Lz4 }
            notice: processors[1].SourceKey: "when" is none of the keys (time, ip), so the time of collection is used; name one of them"#]],
    );
}

#[test]
fn other_plugins_are_named() {
    let mut config = valid();
    config["inputs"][0]["Type"] = "input_container_stdio".into();
    config["flushers"][0]["Type"] = "flusher_kafka".into();
    check(
        &config,
        expect![[r#"
        inputs[0].Type: input_container_stdio is not supported by this collector; use input_file (a sidecar collects files only)
        flushers[0].Type: flusher_kafka is not supported by this collector; use flusher_sls"#]],
    );
}

#[test]
fn what_has_no_effect_is_a_notice_only() {
    let mut config = valid();
    config["inputs"][0]["EnableContainerDiscovery"] = true.into();
    config["inputs"][0]["AppendingLogPositionMeta"] = true.into();
    config["inputs"][0]["MaxDirSearchDepth"] = 2.into();
    config["inputs"][0]["Colour"] = "red".into();
    config["processors"][0]["KeepingSourceWhenParseSucceed"] = true.into();
    config["flushers"][0]["ShardHashKeys"] = json!(["__source__"]);
    config["flushers"][0]["MaxSendRate"] = 0.into();
    let accepted = parse("c", 7, config.to_string().as_bytes(), &instance()).unwrap();
    expect![[r#"
        inputs[0].MaxDirSearchDepth: searches below the directory although the path has no `**`
        inputs[0].EnableContainerDiscovery: is ignored: a sidecar reads the files of its own pod
        set dockerFile to false
        inputs[0].Colour: is not known and has no effect
        check its spelling"#]]
    .assert_eq(&accepted.notice_text().replace("; ", "\n"));
}

/// The wire meets here: what the server side makes of the document's configs, this side reads.
#[test]
fn the_translation_of_classic_configs_is_understood() {
    let translated = |input_detail: Value| {
        let config: sls_api::ops::logtail_configs::LogtailConfig = serde_json::from_value(json!({
            "configName": "web-access", "inputType": "file", "outputType": "LogService",
            "inputDetail": input_detail, "outputDetail": {"logstoreName": "nginx-access"}
        }))
        .unwrap();
        let destination = sls_api::logtail::Destination {
            project: "k8s-nginx-sidecar-demo".parse().unwrap(),
            logstore: "nginx-access".parse().unwrap(),
            region: "cn-hangzhou".into(),
            endpoint: "127.0.0.1:18080".into(),
        };
        sls_api::logtail::to_pipeline(&config, &destination).unwrap()
    };
    let simple = json!({"logType": "common_reg_log", "logPath": "/var/log/nginx", "filePattern": "error.log",
        "dockerFile": false});
    check(
        &translated(simple),
        expect![[r#"
            c version 7
            FileInput { directory: "/var/log/nginx", file_pattern: "error.log", max_depth: 100, tail_existing: false, tail_bytes: 1048576, flush_timeout: 60s, encoding: Utf8, position_meta: PositionMeta { inode: false, offset_key: None }, delay_alarm_bytes: 209715200, excluded: Excluded { names: [], paths: [], directories: [] } }
            single lines
            whole event in content
            topic None, unmatched KeepRaw
            Destination { project: "k8s-nginx-sidecar-demo", logstore: "nginx-access", region: "cn-hangzhou", endpoint: Some("127.0.0.1:18080"), compression: Lz4 }"#]],
    );
    let everything = json!({"logType": "common_reg_log", "logPath": "/var/log/nginx/", "filePattern": "a*.log",
        "maxDepth": 0, "logBeginRegex": r"\d+-.*", "regex": r"(\S+) (.*)", "key": ["time", "rest"],
        "timeFormat": "%Y-%m-%d", "adjustTimezone": true, "logTimezone": "GMT+08:00", "discardUnmatch": false,
        "enableRawLog": true, "topicFormat": "customized://web", "tailExisted": true, "dockerFile": true,
        "preserve": false, "preserveDepth": 2, "delayAlarmBytes": 5000, "shardHashKey": ["__source__"],
        "fileEncoding": "gbk", "filterKey": ["rest"], "filterRegex": ["a.*"], "discardNonUtf8": true,
        "sensitive_keys": [{"key": "rest", "type": "md5", "regex_begin": "pw=", "regex_content": "[^,]+",
            "all": true}],
        "advanced": {"tail_size_kb": 5, "force_multiconfig": true, "raw_log_tag": "line",
            "enable_log_position_meta": true}});
    check(
        &translated(everything),
        expect![[r#"
            c version 7
            FileInput { directory: "/var/log/nginx", file_pattern: "a*.log", max_depth: 0, tail_existing: false, tail_bytes: 5120, flush_timeout: 60s, encoding: Gbk, position_meta: PositionMeta { inode: true, offset_key: Some("__file_offset__") }, delay_alarm_bytes: 5000, excluded: Excluded { names: [], paths: [], directories: [] } }
            begins at \A(?:\d+-.*)\z
            \A(?:(\S+) (.*))\z → time,rest
            Field { key: "time", format: "%Y-%m-%d", offset_seconds: Some(28800), year: None, precise: None }
            Filter(All([Field("rest", Regex("\\A(?:a.*)\\z"))]))
            BlankNonUtf8
            Mask(Mask { key: "rest", regex: Regex("(pw=)(?:[^,]+)"), all: true, by: Md5 })
            the event in line
            topic Fixed("web"), unmatched KeepRaw
            Destination { project: "k8s-nginx-sidecar-demo", logstore: "nginx-access", region: "cn-hangzhou", endpoint: Some("127.0.0.1:18080"), compression: Lz4 }
            notice: inputs[0].EnableContainerDiscovery: is ignored: a sidecar reads the files of its own pod; set dockerFile to false
            notice: inputs[0].PreservedDirDepth: has no effect in this collector: directories are watched as long as a config names them
            notice: processors[3].SourceKey: masks "rest" only: the text is still in "line", beside the fields"#]],
    );
}

proptest::proptest! {
    /// Whatever a server sends: a pipeline or problems, never a panic.
    #[test]
    fn no_text_can_make_the_reader_panic(text in "[\\[\\]{}\",:a-zA-Z0-9_ .*()\\\\/-]{0,200}") {
        let _ = parse("c", 1, text.as_bytes(), &instance());
        let mut config = valid();
        config["processors"][0]["Regex"] = text.clone().into();
        config["inputs"][0]["FilePaths"] = json!([text]);
        let _ = parse("c", 1, config.to_string().as_bytes(), &instance());
    }
}

#[test]
fn references_to_variables_are_replaced_where_that_is_asked_for() {
    let with = |file: &str| {
        let env = [("LOG_DIR", "/var/log/app")].into_iter().collect();
        let path = Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
        InstanceConfig::parse(path, Some(file.as_bytes()), &env).unwrap()
    };
    let (on, off) = (with(r#"{"enable_env_ref_in_config": true}"#), with("{}"));
    let shown = |path: &str, instance: &InstanceConfig| {
        let mut config = valid();
        config["inputs"][0]["FilePaths"][0] = path.into();
        match parse("c", 7, config.to_string().as_bytes(), instance) {
            Ok(accepted) => {
                let input = &accepted.pipeline.as_ref().unwrap().input;
                format!("{}/{} {}", input.directory.display(), input.file_pattern, accepted.notice_text())
            }
            Err(invalid) => invalid.to_string(),
        }
    };
    expect!["/var/log/app/a.log "].assert_eq(&shown("${LOG_DIR}/a.log", &on));
    expect!["/var/log/app/.log ${NAME} is empty: the environment has no variable of this name; set it, or write ${NAME:VALUE}"].assert_eq(&shown("${LOG_DIR}/${NAME}.log", &on));
    let invalid = shown("${NAME}a.log", &on);
    assert!(invalid.contains("a.log") && invalid.contains("${NAME} is empty"), "{invalid}");
    expect!["/${LOG_DIR}/a.log "].assert_eq(&shown("/${LOG_DIR}/a.log", &off));
}
