use expect_test::{Expect, expect};

use super::keys::ADVANCED;
use super::*;

fn read(entry: &Value) -> Result<AgentConfig, Vec<Problem>> {
    from_agent_form(entry.as_object().unwrap())
}

fn runs(entry: &Value) -> (Value, Vec<Problem>) {
    match read(entry).unwrap() {
        AgentConfig::Runs { pipeline, notices } => (pipeline, notices),
        other => panic!("{other:?}"),
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{}: {}\n", problem.field, problem.message)).collect()
}

fn refused(entry: &Value, expected: Expect) {
    expected.assert_eq(&lines(&read(entry).unwrap_err()));
}

/// `base` with these keys changed; `null` removes one.
fn with(base: &Value, changes: Value) -> Value {
    let mut entry = base.clone();
    entry.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    entry
}

fn access() -> Value {
    let base = json!({
        "enable": true, "version": 3, "create_time": 1_700_000_000, "aliuid": "1234567890123456",
        "project_name": "k8s-nginx", "category": "access", "region": "cn-hangzhou",
        "log_type": "common_reg_log", "log_path": "/var/log/nginx/", "file_pattern": "access.log",
        "max_depth": 0, "preserve": true, "log_begin_reg": ".*",
        "regex": [r"(\S+)\s\[([^\]]+)\]\s(.*)"], "keys": ["ip,time,rest"],
        "timeformat": "%d/%b/%Y:%H:%M:%S", "tz_adjust": true, "log_tz": "GMT+08:00",
        "topic_format": "group_topic", "group_topic": "web", "file_encoding": "utf8",
    });
    let more = json!({
        "filter_keys": ["ip"], "filter_regs": ["10\\..*"], "discard_unmatch": false, "raw_log": true,
        "discard_none_utf8": true, "tail_existed": true, "tail_limit": 512, "local_storage": true,
        "merge_type": "logstore", "max_send_rate": 1000, "send_rate_expire": 1_900_000_000, "priority": 0,
        "shard_hash_key": ["__source__"],
        "sensitive_keys": [{"key": "rest", "type": "const", "regex_begin": "p=", "regex_content": "\\w+",
            "all": true, "const": "*"}],
        "advanced": {"raw_log_tag": "line", "enable_log_position_meta": true, "force_multiconfig": true,
            "blacklist": {"filename_blacklist": ["x.log"]}},
    });
    with(&base, more)
}

#[test]
fn every_key_of_a_regex_config_reaches_the_pipeline() {
    let (pipeline, notices) = runs(&access());
    expect![[""]].assert_eq(&lines(&notices));
    expect![[r#"{"Type":"input_file","FilePaths":["/var/log/nginx/access.log"],"MaxDirSearchDepth":0,"FileEncoding":"utf8","TailingAllMatchedFiles":true,"TailSizeKB":512,"AllowingIncludedByMultiConfigs":true,"AppendingLogPositionMeta":true,"ExcludeFiles":["x.log"]}"#]]
        .assert_eq(&pipeline["inputs"][0].to_string());
    expect![[r#"
        {"Type":"processor_parse_regex_native","SourceKey":"content","Regex":"(\\S+)\\s\\[([^\\]]+)\\]\\s(.*)","Keys":["ip","time","rest"],"KeepingSourceWhenParseFail":true,"KeepingSourceWhenParseSucceed":true,"RenamedSourceKey":"line","CopingRawLog":true}
        {"Type":"processor_parse_timestamp_native","SourceKey":"time","SourceFormat":"%d/%b/%Y:%H:%M:%S","SourceTimezone":"GMT+08:00"}
        {"Type":"processor_filter_regex_native","FilterKey":["ip"],"FilterRegex":["10\\..*"],"DiscardingNonUTF8":true}
        {"Type":"processor_desensitize_native","SourceKey":"rest","Method":"const","ContentPatternBeforeReplacedString":"p=","ReplacedContentPattern":"\\w+","ReplacingAll":true,"ReplacingString":"*"}
    "#]].assert_eq(
        &pipeline["processors"].as_array().unwrap().iter().map(|p| format!("{p}\n")).collect::<String>(),
    );
    expect![[r#"{"TopicType":"machine_group_topic","TopicFormat":"web"}"#]]
        .assert_eq(&pipeline["global"].to_string());
    expect![[r#"[{"Type":"flusher_sls","Project":"k8s-nginx","Logstore":"access","Region":"cn-hangzhou","Endpoint":"","ShardHashKeys":["__source__"],"MaxSendRate":1000,"FlowControlExpireTime":1900000000}]"#]].assert_eq(&pipeline["flushers"].to_string());
}

#[test]
fn a_filter_expression_stands_for_the_lists() {
    let expression =
        json!({"operator": "not", "operands": [{"key": "ip", "exp": "10\\..*", "type": "regex"}]});
    let (pipeline, notices) = runs(&with(&access(), json!({"advanced": {"filter_expression": expression}})));
    assert_eq!(
        lines(&notices),
        "filter_keys: has no effect beside advanced.filter_expression: remove one of the two\n"
    );
    expect![[r#"{"Type":"processor_filter_regex_native","ConditionExp":{"operator":"not","operands":[{"key":"ip","exp":"10\\..*","type":"regex"}]},"DiscardingNonUTF8":true}"#]].assert_eq(&pipeline["processors"][2].to_string());
}

#[test]
fn delimited_columns_have_keys_of_their_own() {
    let entry = json!({"enable": true, "project_name": "project", "category": "store",
        "log_type": "delimiter_log", "log_path": "/l", "file_pattern": "*.csv", "delimiter_separator": "\\t",
        "column_keys": ["a", "b"], "auto_extend": false, "accept_no_enough_keys": true,
        "advanced": {"extract_partial_fields": true}});
    let (pipeline, notices) = runs(&entry);
    assert_eq!(lines(&notices), "");
    expect![[r#"{"Type":"processor_parse_delimiter_native","SourceKey":"content","Separator":"\\t","Quote":"\"","Keys":["a","b"],"AllowingShortenedFields":true,"OverflowedFieldsTreatment":"discard","KeepingSourceWhenParseFail":false,"KeepingSourceWhenParseSucceed":false,"RenamedSourceKey":"__raw_log__"}"#]].assert_eq(&pipeline["processors"][0].to_string());
    let (pipeline, _) = runs(&with(&entry, json!({"delimiter_separator": "||", "advanced": null})));
    expect![[r#"{"Type":"processor_parse_delimiter_native","SourceKey":"content","Separator":"||","Quote":"\u0001","Keys":["a","b"],"AllowingShortenedFields":true,"OverflowedFieldsTreatment":"keep","KeepingSourceWhenParseFail":false,"KeepingSourceWhenParseSucceed":false,"RenamedSourceKey":"__raw_log__"}"#]].assert_eq(&pipeline["processors"][0].to_string());
}

#[test]
fn a_separator_of_several_bytes_gets_no_quote_that_is_then_warned_of() {
    let entry = json!({"project_name": "project", "category": "store", "log_type": "delimiter_log",
        "log_path": "/l", "file_pattern": "a.csv", "delimiter_separator": "§", "column_keys": ["a", "b"]});
    let (pipeline, notices) = runs(&entry);
    assert_eq!(lines(&notices), "");
    assert_eq!(pipeline["processors"][0]["Quote"], "\u{1}");
}

#[test]
fn the_agents_own_defaults_hold() {
    let entry = json!({"project_name": "project", "category": "store", "log_type": "json_log",
        "log_path": "/l", "file_pattern": "a.log"});
    let (pipeline, _) = runs(&entry);
    assert_eq!(pipeline["inputs"][0]["FilePaths"], json!(["/l/**/a.log"]));
    assert_eq!(pipeline["processors"][0]["KeepingSourceWhenParseFail"], false);
    assert_eq!(
        (&pipeline["flushers"][0]["Region"], &pipeline["flushers"][0]["Endpoint"]),
        (&json!(""), &json!(""))
    );
}

#[test]
fn configs_may_be_off_or_deleted() {
    assert_eq!(read(&json!({"enable": false})), Ok(AgentConfig::Disabled));
    assert_eq!(read(&json!({"enable": true, "version": -1})), Ok(AgentConfig::Deleted));
}

#[test]
fn what_has_no_effect_is_said_and_unknown_keys_with_what_may_be_meant() {
    let changes = json!({"merge_type": "logstore", "priority": 2, "delay_skip_bytes": 100, "docker_file": true,
        "preserve": false, "log_pathh": "/x", "tag": "", "advanced": {"tail_size_kb": 1, "exactly_once_concurrency": 8, "k8s": {},
        "pass_tags_to_plugins": true}});
    let (_, notices) = runs(&with(&access(), changes));
    expect![[r#"
        preserve: has no effect in this collector: directories are watched as long as a config names them
        priority: has no effect in this collector: all configs share the connection evenly
        delay_skip_bytes: has no effect in this collector: nothing is skipped: what is behind is read later
        log_pathh: is not known and has no effect: did you mean log_path?
        tag: is not known and has no effect: remove it
        advanced.pass_tags_to_plugins: is not known and has no effect: did you mean pass_tags_to_plugin?
        docker_file: a sidecar reads the directory that it shares with the application, not other containers' files: write false
    "#]].assert_eq(&lines(&notices));
}

#[test]
fn mistakes_are_reported_by_the_keys_of_this_form() {
    refused(
        &json!({"log_type": "common_reg_log"}),
        expect![[r#"
        log_path: is missing: write for example /var/log/nginx
        file_pattern: is missing: write for example access.log
        project_name: is missing: name the project that the logs go to
        category: is missing: name the Logstore that the logs go to
    "#]],
    );
    refused(
        &with(
            &access(),
            json!({"keys": ["ip,time"], "filter_regs": [], "discard_unmatch": "yes", "category": "A B"}),
        ),
        expect![[r#"
            category: logstore name "A B" is not valid: use 2 to 80 lowercase letters, digits, '-' or '_', beginning and ending with a letter or digit
            discard_unmatch: "yes" has the wrong type: write true or false, without quotes
            keys: regex has 3 capture groups but key names 2, so no line can be parsed: name the others too, or write (?:…) for groups that are not fields
            filter_regs: has 0 entries but filterKey 1: give each key one regex
            sensitive_keys[0].key: no field is named "rest", so nothing would be masked: use one of key
        "#]],
    );
    refused(
        &with(&access(), json!({"regex": ["a", "b"], "advanced": {"filter_expression": {"key": "a"}}})),
        expect![[r#"
            regex: has 2 expressions, of which this collector takes one: write a|b inside of one, or a config for each
            keys: regex has 1 capture group but key names 3, so no line can be parsed: remove the surplus names, or put parentheses around what they name
            advanced.filter_expression.exp: is missing: write a text
            advanced.filter_expression.type: is missing: write a text
        "#]],
    );
    refused(
        &with(&access(), json!({"log_type": "streamlog", "enable": 1, "log_path": "var"})),
        expect![[r#"
        enable: has the wrong type: write true or false
        log_path: "var" is not absolute: write the directory from / on
        log_type: "streamlog" is not known: write one of common_reg_log, json_log, delimiter_log, apsara_log
    "#]],
    );
}

#[test]
fn go_plugins_are_handed_on_for_the_collector_to_judge() {
    let entry = json!({"project_name": "project", "category": "store", "log_type": "plugin",
        "plugin": {"inputs": [{"type": "metric_mock", "detail": {"Index": 1}}]}});
    let (pipeline, _) = runs(&entry);
    assert_eq!(pipeline["inputs"], json!([{"Type": "metric_mock", "Index": 1}]));
    refused(
        &json!({"project_name": "project", "category": "store"}),
        expect![[r#"
        plugin: is missing: inputType plugin needs {"inputs": […]}
    "#]],
    );
}

/// The table of the form's keys is what the document of configs lists; none may get lost.
#[test]
fn no_key_is_in_a_table_twice() {
    for table in [KEYS, ADVANCED] {
        assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0), "not in order");
    }
}

/// What the translation reads has an effect: whoever sets it must not be told otherwise.
#[test]
fn a_key_of_advanced_has_an_effect_where_the_translation_reads_it() {
    let is_read = |key: &str| {
        let mut detail = json!({"logType": "delimiter_log", "logPath": "/l", "filePattern": "a.log",
            "separator": ",", "key": ["t"], "timeKey": "t", "timeFormat": "%s",
            "advanced": {"enable_precise_timestamp": true}});
        detail["advanced"][key] = json!([[]]); // what no key may be
        let destination = Destination {
            project: "project".parse().unwrap(),
            logstore: "store".parse().unwrap(),
            region: String::new(),
            endpoint: String::new(),
        };
        pipeline_of("file", detail.as_object().unwrap(), None, None, &destination).is_err()
    };
    for (key, fate) in ADVANCED {
        match fate {
            Fate::Own => assert!(is_read(key), "{key} is not read"),
            Fate::WithoutEffect(..) => assert!(!is_read(key), "{key} is read"),
            Fate::Silent | Fate::Detail(_) => {}
        }
    }
    let read = [
        "blacklist",
        "enable_log_position_meta",
        "enable_precise_timestamp",
        "enable_timestamp_nanosecond",
        "exactly_once_concurrency",
        "extract_partial_fields",
        "filter_expression",
        "force_multiconfig",
        "precise_timestamp_key",
        "precise_timestamp_unit",
        "raw_log_tag",
        "specified_year",
        "tail_size_kb",
    ];
    for key in read {
        assert!(is_read(key), "{key} is not read");
        assert!(ADVANCED.iter().any(|(known, _)| *known == key), "{key} is not in the table");
    }
}
