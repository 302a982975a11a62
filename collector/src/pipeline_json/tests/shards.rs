//! What logs are divided by, and how fast they go.

use expect_test::expect;
use serde_json::json;

use super::parts::check_part;
use super::*;
use crate::pipeline::Shards;

#[test]
fn logs_are_divided_by_tags_that_they_have_and_by_no_others() {
    let mut config = valid();
    config["flushers"][0]["ShardHashKeys"] = json!(["__source__", "__path__"]);
    let accepted = parse("c", 7, config.to_string().as_bytes(), &instance()).unwrap();
    let names = vec!["__source__".to_owned(), "__path__".to_owned()];
    assert_eq!(accepted.pipeline.unwrap().shards, Shards::ByTags(names));
    config["flushers"][0]["ShardHashKeys"] = json!(["__path__", "content"]);
    let invalid = parse("c", 7, config.to_string().as_bytes(), &instance()).unwrap_err();
    expect![[r#"flushers[0].ShardHashKeys[1]: no log has a tag "content"; use __source__, __topic__, __hostname__, __path__, a name of ALIYUN_LOG_ENV_TAGS or one that the topic's expression gives"#]]
        .assert_eq(&invalid.to_string());
}

#[test]
fn a_rate_is_above_zero_and_has_its_end_beside_it() {
    let check = |more: Value, expected: Expect| {
        let mut config = valid();
        config["flushers"][0].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check_part(&config, expected, |pipeline| format!("{:?}", pipeline.send_rate));
    };
    check(
        json!({"MaxSendRate": 1000, "FlowControlExpireTime": 1_900_000_000}),
        expect!["Some(SendRate { bytes_per_second: 1000, until: Some(1900000000) })"],
    );
    check(
        json!({"MaxSendRate": 1000, "FlowControlExpireTime": 0}),
        expect!["Some(SendRate { bytes_per_second: 1000, until: None })"],
    );
    check(json!({"MaxSendRate": 0}), expect!["None"]);
    check(
        json!({"MaxSendRate": -1, "FlowControlExpireTime": 1_900_000_000}),
        expect![
            "None flushers[0].FlowControlExpireTime: has no effect without MaxSendRate; give a number of bytes a second there"
        ],
    );
    check(
        json!({"MaxSendRate": "fast"}),
        expect!["flushers[0].MaxSendRate: must be a whole number, not a string"],
    );
}

#[test]
fn a_file_of_tags_may_give_the_name_that_logs_are_divided_by() {
    let mut config = valid();
    config["flushers"][0]["ShardHashKeys"] = json!(["team", "__path__"]);
    let env = [("ALIYUN_LOG_FILE_TAGS", "/etc/tags.json")].into_iter().collect();
    let path = Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
    let instance = InstanceConfig::parse(path, None, &env).unwrap();
    let accepted = parse("c", 7, config.to_string().as_bytes(), &instance).unwrap();
    expect![[r#"flushers[0].ShardHashKeys[0]: no log has a tag "team" unless /etc/tags.json (ALIYUN_LOG_FILE_TAGS) gives it; without it the name counts as empty"#]]
        .assert_eq(&accepted.notice_text());
    let names = vec!["team".to_owned(), "__path__".to_owned()];
    assert_eq!(accepted.pipeline.unwrap().shards, Shards::ByTags(names));
}

#[test]
fn names_that_nothing_is_divided_by_are_not_held_against_tags() {
    let mut config = valid();
    config["flushers"][0]["ShardHashKeys"] = json!(["content"]);
    config["inputs"][0]["EnableExactlyOnce"] = 2.into();
    let accepted = parse("c", 7, config.to_string().as_bytes(), &instance()).unwrap();
    expect!["flushers[0].ShardHashKeys: has no effect beside EnableExactlyOnce, which gives each file keys of its own"]
        .assert_eq(&accepted.notice_text());
}

#[test]
fn exactly_once_goes_before_tags_and_has_1_to_512_keys() {
    for (keys, expected) in [
        (0, expect![[r#"ByTags(["__path__"])"#]]),
        (
            4,
            expect![
                "ExactlyOnce(4) flushers[0].ShardHashKeys: has no effect beside EnableExactlyOnce, which gives each file keys of its own"
            ],
        ),
        (
            600,
            expect![
                "ExactlyOnce(512) inputs[0].EnableExactlyOnce: must be 0 (off) to 512; the nearest of these is used; flushers[0].ShardHashKeys: has no effect beside EnableExactlyOnce, which gives each file keys of its own"
            ],
        ),
    ] {
        let mut config = valid();
        config["inputs"][0]["EnableExactlyOnce"] = keys.into();
        config["flushers"][0]["ShardHashKeys"] = json!(["__path__"]);
        check_part(&config, expected, |pipeline| format!("{:?}", pipeline.shards));
    }
}
