mod names;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

/// Shows every problem, one a line.
fn check(detail: Value, want: Expect) {
    let detail = detail.as_object().unwrap();
    let line = |p: &Problem| format!("{:?} {}: {}\n", p.severity, p.field, p.message);
    want.assert_eq(&check_input_detail(detail).iter().map(line).collect::<String>());
}

/// `detail` with these keys changed.
fn with(mut detail: Value, more: Value) -> Value {
    detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    detail
}

fn nginx(more: Value) -> Value {
    let detail = json!({"logType": "common_reg_log", "logPath": "/var/log/nginx",
                        "filePattern": "access.log", "dockerFile": false});
    with(detail, more)
}

/// The access config as published.
fn published() -> Value {
    nginx(json!({
        "logBeginRegex": ". *",
        "regex": "(\\S+)\\s(\\S+)\\s\\S+\\s\\S+\\s\"(\\S+)\\s(\\S+)\\s+([^\"]+)\"\\s+(\\S+)\\s(\\S+)\\s(\\d+)\\s(\\d+)\\s(\\S+)\\s\"([^\"]+)\"\\s. *",
        "key": ["time", "ip", "method", "url", "protocol", "latency", "payload", "status",
                "response-size", "ser-agent\""],
    }))
}

#[test]
fn the_published_access_config_shows_each_of_its_damages() {
    check(
        published(),
        expect![[r#"
        Error regex: contains ". *" (any one character, then blanks), probably a damaged ".*": write .* (or .[ ]* if blanks are meant); as it is it matches almost no line, and the others are dropped
        Error key: regex has 11 capture groups but key names 10, so no line can be parsed: name the others too, or write (?:…) for groups that are not fields
        Warning key[9]: the name "ser-agent\"" contains a quotation mark: one was probably lost in the list, and perhaps letters with it; correct the name
        Error logBeginRegex: contains ". *" (any one character, then blanks), probably a damaged ".*": write .* (or .[ ]* if blanks are meant); as it is almost no line matches as a whole, and all lines become one giant record
    "#]],
    );
}

#[test]
fn the_repaired_access_config_is_clean() {
    let mut detail = published();
    detail["logBeginRegex"] = json!(".*");
    let regex = detail["regex"].as_str().unwrap().replace(". *", ".*");
    detail["regex"] = json!(regex);
    detail["key"] = json!([
        "time",
        "ip",
        "method",
        "url",
        "protocol",
        "latency",
        "payload",
        "status",
        "response-size",
        "referer",
        "user-agent"
    ]);
    check(detail, expect![[""]]);
}

#[test]
fn the_error_config_of_the_document_is_clean() {
    check(nginx(json!({})), expect![[""]]);
}

#[test]
fn what_the_sdks_fill_in_is_clean() {
    for log_type in ["common_reg_log", "json_log", "delimiter_log", "apsara_log"] {
        let mut detail = nginx(json!({"logType": log_type}));
        if log_type == "delimiter_log" {
            detail["separator"] = json!(",");
            detail["key"] = json!(["a"]);
        }
        crate::logtail::complete_input_detail(detail.as_object_mut().unwrap());
        check(detail, expect![[""]]);
    }
}

#[test]
fn regexes_that_do_not_compile_are_errors() {
    check(
        nginx(json!({"regex": "(a", "logBeginRegex": "[", "filterKey": ["content"], "filterRegex": ["*"],
                     "topicFormat": "(/var"})),
        expect![[r#"
            Error topicFormat: "(/var": the regex does not compile: unclosed group: write none, default, group_topic, customized://TOPIC or a regex on the path with one group
            Error regex: the regex does not compile: unclosed group
            Error logBeginRegex: the regex does not compile: unclosed character class
            Error filterRegex[0]: the regex does not compile: repetition operator missing expression
        "#]],
    );
}

#[test]
fn a_begin_regex_that_ends_too_early_is_a_warning() {
    check(
        nginx(json!({"logBeginRegex": r"\d{4}-\d{2}-\d{2}"})),
        expect![[r#"
        Warning logBeginRegex: must match the whole first line of a record, but matches at most 10 bytes: append .* if lines go on
    "#]],
    );
    check(nginx(json!({"logBeginRegex": r"\d{4}-\d{2}-\d{2}.*"})), expect![[""]]);
    check(
        nginx(json!({"logBeginRegex": r"\[. *"})),
        expect![[r#"
        Error logBeginRegex: contains ". *" (any one character, then blanks), probably a damaged ".*": write .* (or .[ ]* if blanks are meant); as it is almost no line matches as a whole, and all lines become one giant record
    "#]],
    );
}

#[test]
fn unknown_fields_name_the_nearest_known_one() {
    check(
        nginx(json!({"log_begin_regex": ".*", "keys": ["a"], "filepattern": "x", "colour": "red",
                     "ttl": 7, "nothing": null})),
        expect![[r#"
            Warning log_begin_regex: "log_begin_regex" is not a field and has no effect: did you mean logBeginRegex?
            Warning keys: "keys" is not a field and has no effect: did you mean key?
            Warning filepattern: "filepattern" is not a field and has no effect: did you mean filePattern?
            Warning colour: "colour" is not a field and has no effect: remove it
            Warning ttl: "ttl" is not a field and has no effect: remove it
        "#]],
    );
}

#[test]
fn what_changes_nothing_here_is_told_with_the_reason() {
    check(
        nginx(
            json!({"priority": 2, "preserve": false, "preserveDepth": 1, "delayAlarmBytes": 1000, "customizedFields": "",
                     "advanced": {"k8s": {}, "max_rotate_queue_size": 10, "tail_size_kbs": 1, "tail_size_kb": 1,
                                  "collect_containers_flag": false}}),
        ),
        expect![[r#"
            Warning priority: has no effect in this collector: all configs share the connection evenly
            Warning preserve: has no effect in this collector: directories are watched as long as a config names them
            Warning preserveDepth: has no effect in this collector: directories are watched as long as a config names them
            Warning advanced.max_rotate_queue_size: has no effect in this collector: rotated files are read to their end, however many there are
            Warning advanced.tail_size_kbs: is not known and has no effect: did you mean tail_size_kb?
        "#]],
    );
    check(
        nginx(json!({"priority": 0, "preserve": true, "delayAlarmBytes": 0, "advanced": null})),
        expect![[""]],
    );
}

#[test]
fn wrong_types_say_what_to_write() {
    check(
        nginx(json!({"maxDepth": "10", "discardUnmatch": "true", "key": "a,b", "regex": ["(.*)"],
                     "logPath": 3, "advanced": []})),
        expect![[r#"
            Error logPath: 3 has the wrong type: write a text (in YAML in quotes)
            Error maxDepth: "10" has the wrong type: write a whole number, without quotes
            Error discardUnmatch: "true" has the wrong type: write true or false, without quotes
            Error key: "a,b" has the wrong type: write a list of texts, ["a", "b"]
            Error regex: ["(.*)"] has the wrong type: write a text (in YAML in quotes)
            Error advanced: [] has the wrong type: write an object
        "#]],
    );
}

#[test]
fn paths_must_be_absolute_and_patterns_plain_names() {
    check(
        nginx(json!({"logPath": "var/log", "filePattern": "nginx/access.log"})),
        expect![[r#"
        Error logPath: "var/log" is not absolute: write the directory from / on
        Error filePattern: "nginx/access.log" contains a '/': put the directory into logPath, only the name here
    "#]],
    );
    check(
        nginx(json!({"logPath": "/var/../etc", "filePattern": ""})),
        expect![[r#"
        Error logPath: "/var/../etc" contains '..': write the directory itself
        Error filePattern: is empty and matches no file: write a name, or * for all
    "#]],
    );
    check(
        nginx(json!({"logPath": "/var/**", "filePattern": " a.log"})),
        expect![[r#"
        Error logPath: "/var/**" contains '**': write the directory, and maxDepth for the levels below it
        Error filePattern: " a.log" begins or ends with a blank: remove it
    "#]],
    );
}

#[test]
fn choices_and_ranges_are_checked() {
    check(
        nginx(json!({"fileEncoding": "UTF-8", "mergeType": "both", "maxDepth": 2000, "preserve": false,
                     "preserveDepth": 9, "dockerFile": true, "logTimezone": "+8", "delaySkipBytes": 5,
                     "topicFormat": "mytopic"})),
        expect![[r#"
            Warning preserve: has no effect in this collector: directories are watched as long as a config names them
            Warning preserveDepth: has no effect in this collector: directories are watched as long as a config names them
            Error fileEncoding: "UTF-8" is not known: write utf8
            Error mergeType: "both" is not known: write one of topic, logstore
            Error topicFormat: "mytopic" is taken as a regex without a group, so there is no topic in it: write none, default, group_topic, customized://TOPIC or a regex on the path with one group
            Error logTimezone: "+8" is not a zone: write it like GMT+08:00
            Error maxDepth: 2000 is out of range: write 0 to 1000
            Error preserveDepth: 9 is out of range: write 1 to 3, or preserve: true
            Warning dockerFile: a sidecar reads the directory that it shares with the application, not other containers' files: write false
            Warning delaySkipBytes: lines are skipped once the collector is 5 bytes behind: write 0 to lose none
        "#]],
    );
    check(
        nginx(json!({"topicFormat": format!("customized://{}", "t".repeat(129))})),
        expect![[r#"
        Error topicFormat: the topic is 129 bytes long: use at most 128
    "#]],
    );
    check(
        json!({"logType": "common-reg-log"}),
        expect![[r#"
        Error logType: "common-reg-log" is not known: write common_reg_log
    "#]],
    );
}

#[test]
fn a_send_rate_has_an_end_but_no_zero() {
    check(nginx(json!({"maxSendRate": 1000, "sendRateExpire": 1_900_000_000})), expect![[""]]);
    check(nginx(json!({"maxSendRate": -1, "sendRateExpire": 0, "mergeType": "logstore"})), expect![[""]]);
    check(
        nginx(json!({"maxSendRate": 0})),
        expect![[r#"
        Error maxSendRate: 0 stops sending: write -1 for no limit, or the bytes that may be sent in a second
    "#]],
    );
    check(
        nginx(json!({"maxSendRate": -1, "sendRateExpire": 1_900_000_000})),
        expect![[r#"
        Warning sendRateExpire: has no effect without maxSendRate, whose end it is: remove it
    "#]],
    );
}

#[test]
fn filters_that_would_drop_everything_are_errors() {
    check(
        nginx(json!({"regex": "(.*) (.*)", "key": ["a", "b"], "filterKey": ["c", "a"],
                     "filterRegex": ["x. *"]})),
        expect![[r#"
            Error filterRegex: has 1 entries but filterKey 2: give each key one regex
            Error filterRegex[0]: contains ". *" (any one character, then blanks), probably a damaged ".*": write .* (or .[ ]* if blanks are meant); as it is it matches almost no log, and the others are dropped
            Error filterKey[0]: no field is named "c", so every log would be dropped: use one of key
        "#]],
    );
}

#[test]
fn filter_expressions_are_checked_leaf_by_leaf() {
    let leaf = |key: &str, exp: &str| json!({"key": key, "exp": exp, "type": "regex"});
    let filtered = |expression: Value| {
        nginx(json!({"regex": "(.*) (.*)", "key": ["a", "b"], "filterKey": ["c"], "filterRegex": [],
                     "advanced": {"filter_expression": expression}}))
    };
    check(
        filtered(json!({"operator": "or", "operands": [leaf("a", "x|("), leaf("c", "x. *")]})),
        expect![[r#"
            Warning filterKey: has no effect beside advanced.filter_expression: remove one of the two
            Error advanced.filter_expression.operands[0].exp: the regex does not compile: unclosed group
            Error advanced.filter_expression.operands[1].exp: contains ". *" (any one character, then blanks), probably a damaged ".*": write .* (or .[ ]* if blanks are meant); as it is it matches almost no log, and the others are dropped
            Warning advanced.filter_expression.operands[1].key: no field is named "c", so this condition never holds: use one of key
        "#]],
    );
    check(
        filtered(json!({"operator": "not", "operands": [leaf("b", "x")]})),
        expect![[r#"
        Warning filterKey: has no effect beside advanced.filter_expression: remove one of the two
    "#]],
    );
    check(
        filtered(json!({"operator": "and", "operands": [leaf("a", "x"), leaf("c", "x")]})),
        expect![[r#"
            Warning filterKey: has no effect beside advanced.filter_expression: remove one of the two
            Error advanced.filter_expression.operands[1].key: no field is named "c", so every log would be dropped: use one of key
        "#]],
    );
    check(
        filtered(json!({"operator": "and", "operands": [leaf("a", "x")]})),
        expect![[r#"
        Warning filterKey: has no effect beside advanced.filter_expression: remove one of the two
        Error advanced.filter_expression.operands: has 1 entries, but and takes 2: put further ones into an operand that is such an operator itself
    "#]],
    );
    check(
        filtered(json!(["a"])),
        expect![[r#"
        Warning filterKey: has no effect beside advanced.filter_expression: remove one of the two
        Error advanced.filter_expression: has the wrong type: write {"key": …, "exp": …, "type": "regex"} or {"operator": "and", "operands": […]}
    "#]],
    );
}

#[test]
fn steps_on_names_with_underscores_need_a_field_that_they_see() {
    let steps = |more: Value| {
        let detail = nginx(json!({"regex": "(.*) (.*)", "key": ["a", "b"], "enableRawLog": true,
            "advanced": {"enable_log_position_meta": true}, "filterKey": ["__raw__", "__raw_log__"],
            "filterRegex": [".*", ".*"],
            "sensitive_keys": [{"key": "__file_offset__", "type": "md5", "regex_content": "x"}]}));
        with(detail, more)
    };
    check(
        steps(json!({})),
        expect![[r#"
            Error filterKey[0]: no field is named "__raw__", so every log would be dropped: use one of key
            Error filterKey[1]: no field is named "__raw_log__", so every log would be dropped: use one of key
            Error sensitive_keys[0].key: no field is named "__file_offset__", so nothing would be masked: use one of key
        "#]],
    );
    check(
        steps(json!({"discardUnmatch": false})),
        expect![[r#"
            Error filterKey[0]: no field is named "__raw__", so every log would be dropped: use one of key
            Error sensitive_keys[0].key: no field is named "__file_offset__", so nothing would be masked: use one of key
        "#]],
    );
    check(
        steps(
            json!({"discardUnmatch": false, "regex": "(.*)", "key": ["a"], "filterKey": ["__raw_log__", "a"],
            "sensitive_keys": []}),
        ),
        expect![[r#"
            Error filterKey[0]: no field is named "__raw_log__", so every log would be dropped: use one of key
        "#]],
    );
    // What columns or members there are beyond those named only the agent sees.
    let others = json!({"filterKey": ["__column3__"], "filterRegex": [".*"], "sensitive_keys": []});
    let delimited = nginx(json!({"logType": "delimiter_log", "separator": ",", "key": ["a"]}));
    check(with(delimited, others.clone()), expect![[""]]);
    check(with(nginx(json!({"logType": "json_log"})), others), expect![[""]]);
}

#[test]
fn columns_that_no_line_can_have_are_no_names_of_fields() {
    let columns = |more: Value| {
        let detail = nginx(json!({"logType": "delimiter_log", "separator": ",", "key": ["a", "_", "b", "_"],
            "filterKey": ["_", "__column1__", "__column4__", "__column5__", "__raw_log__"],
            "filterRegex": [".*", ".*", ".*", ".*", ".*"]}));
        with(detail, more)
    };
    check(
        columns(json!({})),
        expect![[r#"
        Error filterKey[0]: no field is named "_", so every log would be dropped: use one of key
        Error filterKey[1]: no field is named "__column1__", so every log would be dropped: use one of key
        Error filterKey[4]: no field is named "__raw_log__", so every log would be dropped: use one of key
    "#]],
    );
    check(
        columns(json!({"discardUnmatch": false, "advanced": {"extract_partial_fields": true}})),
        expect![[r#"
            Error filterKey[0]: no field is named "_", so every log would be dropped: use one of key
            Error filterKey[1]: no field is named "__column1__", so every log would be dropped: use one of key
            Error filterKey[2]: no field is named "__column4__", so every log would be dropped: use one of key
            Error filterKey[3]: no field is named "__column5__", so every log would be dropped: use one of key
        "#]],
    );
    check(
        columns(json!({"autoExtend": false, "discardUnmatch": false})),
        expect![[r#"
        Error filterKey[0]: no field is named "_", so every log would be dropped: use one of key
        Error filterKey[1]: no field is named "__column1__", so every log would be dropped: use one of key
        Error filterKey[3]: no field is named "__column5__", so every log would be dropped: use one of key
    "#]],
    );
}

#[test]
fn times_need_their_field() {
    check(
        nginx(json!({"logType": "apsara_log", "timeFormat": "%Y"})),
        expect![[r#"
        Warning timeFormat: has no effect with logType apsara_log: the time in brackets counts
    "#]],
    );
    check(
        nginx(json!({"timeFormat": "%Y"})),
        expect![[r#"
        Warning timeFormat: there is no field "time" in key, so the time of collection is used: add it, or set timeKey
    "#]],
    );
    check(
        nginx(json!({"timeKey": "t"})),
        expect![[r#"
        Warning timeKey: has no effect without timeFormat: the time of collection is used
    "#]],
    );
    check(
        nginx(json!({"logType": "json_log", "timeFormat": "%Y"})),
        expect![[r#"
        Warning timeFormat: has no effect without timeKey: write the name of the field with the time
    "#]],
    );
}

#[test]
fn a_time_may_be_in_a_column_beyond_those_named() {
    let time = |key: &str, extends: bool| {
        json!({"logType": "delimiter_log", "separator": ",", "key": ["a", "b"], "timeFormat": "%s", "timeKey": key,
            "autoExtend": extends})
    };
    check(time("__column3__", true), expect![[""]]);
    check(time("__column2__", false), expect![[""]]);
    check(
        time("__column3__", false),
        expect![[r#"
            Warning timeFormat: there is no field "__column3__" in key, so the time of collection is used: add it, or set timeKey
        "#]],
    );
    check(
        time("__column+3__", true),
        expect![[r#"
            Warning timeFormat: there is no field "__column+3__" in key, so the time of collection is used: add it, or set timeKey
        "#]],
    );
}

#[test]
fn delimited_logs_need_separator_and_columns() {
    check(
        json!({"logType": "delimiter_log", "quote": "''"}),
        expect![[r#"
        Error separator: is missing: write the text between columns, for example ","
        Error quote: "''" has 2 bytes, at most 1: write one character
        Error key: names no column that is sent: list the names of the columns
    "#]],
    );
    check(
        json!({"logType": "delimiter_log", "separator": "|||||", "key": ["a"], "regex": "(.*)"}),
        expect![[r#"
            Error separator: "|||||" has 5 bytes, at most 4: write only the text between two columns
            Warning regex: has no effect with logType delimiter_log: remove it
        "#]],
    );
    check(
        json!({"logType": "delimiter_log", "separator": "||", "quote": "\"", "key": ["a"]}),
        expect![[r#"
        Warning quote: has no effect with a separator of several characters: remove it
    "#]],
    );
}

#[test]
fn masks_are_checked() {
    check(
        nginx(json!({"sensitive_keys": [{"type": "sha1", "regex_begin": "("}, 3,
            {"key": "c", "type": "md5", "regex_content": "x"}]})),
        expect![[r#"
            Error sensitive_keys[0].key: is missing: name the field to mask
            Error sensitive_keys[0].type: "sha1" is not known: write const or md5
            Error sensitive_keys[0].regex_content: is missing: write a regex for the text to replace
            Error sensitive_keys[0].regex_begin: the regex does not compile: unclosed group
            Error sensitive_keys[1]: has the wrong type: write an object with key, type, regex_begin and regex_content
            Error sensitive_keys[2].key: no field is named "c", so nothing would be masked: use one of key
        "#]],
    );
}
