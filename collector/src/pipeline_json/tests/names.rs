//! Names of a log's own fields, and topics.

use expect_test::expect;
use serde_json::json;

use super::parts::check_part;
use super::valid;

#[test]
fn no_two_fields_of_a_log_have_one_name() {
    let checked = |source: &str, offset: &str, keys: [&str; 2], keeps_raw: bool, expected| {
        let mut config = valid();
        config["processors"][0]["Keys"] = json!(keys);
        config["processors"][0]["KeepingSourceWhenParseFail"] = keeps_raw.into();
        config["processors"][0]["KeepingSourceWhenParseSucceed"] = true.into();
        config["processors"][0]["RenamedSourceKey"] = source.into();
        config["inputs"][0]["FileOffsetKey"] = offset.into();
        check_part(&config, expected, |_| "accepted".to_owned());
    };
    checked("text", "at", ["a", "b"], true, expect!["accepted"]);
    checked(
        "text",
        "text",
        ["a", "b"],
        true,
        expect![[
            r#"inputs[0].FileOffsetKey: "text" is the key of the source too; give the offset a name of its own"#
        ]],
    );
    checked(
        "text",
        "a",
        ["a", "b"],
        true,
        expect![[r#"inputs[0].FileOffsetKey: "a" is one of Keys too; give the offset a name of its own"#]],
    );
    checked(
        "__raw_log__",
        "__raw_log__",
        ["a", "__raw_log__"],
        true,
        expect![[
            r#"processors[0].Keys[1]: "__raw_log__" is the key of events that do not match too; give the group a name of its own; processors[0].RenamedSourceKey: "__raw_log__" is the key of events that do not match too; give the source a name of its own; inputs[0].FileOffsetKey: "__raw_log__" is the key of events that do not match too; give the offset a name of its own"#
        ]],
    );
    checked("__raw_log__", "at", ["a", "b"], false, expect!["accepted"]);
    let mut config = valid();
    config["processors"] = json!([]);
    config["inputs"][0]["FileOffsetKey"] = "content".into();
    check_part(
        &config,
        expect![[
            r#"inputs[0].FileOffsetKey: "content" is the key of the event too; give the offset a name of its own"#
        ]],
        |_| String::new(),
    );
}

#[test]
fn names_and_topics_that_a_server_would_refuse_are_problems() {
    let with_bytes = |bytes: usize| {
        let name = |first: &str| first.repeat(bytes);
        let mut config = valid();
        config["processors"][0]["KeepingSourceWhenParseSucceed"] = true.into();
        config["processors"][0]["RenamedSourceKey"] = name("r").into();
        config["processors"].as_array_mut().unwrap().push(json!({"Type": "processor_parse_timestamp_native",
            "SourceKey": "time", "SourceFormat": "%s", "PreciseTimestampKey": name("p")}));
        config["inputs"][0]["FileOffsetKey"] = name("o").into();
        config["global"] = json!({"TopicType": "custom", "TopicFormat": name("t")});
        config
    };
    check_part(&with_bytes(128), expect!["accepted"], |_| "accepted".to_owned());
    check_part(
        &with_bytes(129),
        expect![
            "global.TopicFormat: has 129 bytes, at most 128; write a shorter topic; processors[0].RenamedSourceKey: has 129 bytes, at most 128; give the source a shorter name; processors[1].PreciseTimestampKey: has 129 bytes, at most 128; give the time a shorter name; inputs[0].FileOffsetKey: has 129 bytes, at most 128; give the offset a shorter name"
        ],
        |_| "accepted".to_owned(),
    );
    let mut config = valid();
    config["global"] = json!({"TopicType": "machine_group_topic", "TopicFormat": "t".repeat(129)});
    check_part(
        &config,
        expect!["global.TopicFormat: has 129 bytes, at most 128; write a shorter topic"],
        |_| "accepted".to_owned(),
    );
}
